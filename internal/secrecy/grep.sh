#!/usr/bin/env bash
# Runs all tests with all that internal/secrecy looks at written to files, and greps them for
# tokens and secrets, so that the claim does not rest on the Go code. ROOMGATE_TEST_LOGS names a
# directory that is kept; without it, they are gone at the end.
set -euo pipefail
cd "$(dirname "$0")/../.."

# Each shape is followed by what it must find, in lines: none of them is in another shape.
shapes=(
	'eyJ[A-Za-z0-9_-]{8,}(\.|%2[Ee])'
	$'eyJhbGciOiJub25lIn0.eyJ4IjoxfQ\neyJhbGciOiJub25lIn0%2EeyJ4IjoxfQ\neyJhbGciOiJub25lIn0%2eeyJ4IjoxfQ'
	'[Bb]earer(\.|%2[Ee]| |%20)[A-Za-z0-9_~+/=-]{8,}'
	$'Bearer abcdefgh\nbearer.abcdefgh\nbearer%2Eabcdefgh\nBearer%20abcdefgh'
	'[?&]token=[A-Za-z0-9]'
	$'GET /ws?token=x\nGET /ws?room=1&token=x'
	'-----BEGIN [A-Z ]*PRIVATE KEY-----'
	$'-----BEGIN PRIVATE KEY-----\n-----BEGIN EC PRIVATE KEY-----'
)
# Both read files, or else stdin, to its end: each look at the same text needs its own.
finds() { # a shape, and files
	grep -E -e "$@" || [ $? = 1 ]
}
names() { # files
	grep -F -f "$secrets" "$@" || [ $? = 1 ]
}
proves() { # what was planted, and what looks for it
	local planted=$1
	shift
	[ "$("$@" <<<"$planted")" = "$planted" ] || { echo "what was planted is not found by $*: a grep that cannot find proves nothing"; exit 1; }
}
for ((i = 0; i < ${#shapes[@]}; i += 2)); do proves "${shapes[i + 1]}" finds "${shapes[i]}"; done

made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
export ROOMGATE_TEST_LOGS=${ROOMGATE_TEST_LOGS:-$made/logs}
secrets=$made/secrets
mkdir -p "$ROOMGATE_TEST_LOGS"
[ -z "$(ls -A "$ROOMGATE_TEST_LOGS")" ] || { echo "$ROOMGATE_TEST_LOGS is not empty"; exit 1; }

tests=passed
"${GO:-go}" test -count=1 -timeout 30m -v ./... 2>&1 | grep -E '^(secrecy:|ok|FAIL|--- FAIL|panic:)' || tests=failed # and are grepped all the same

cd "$ROOMGATE_TEST_LOGS"
cat ./*.secrets | grep -v '^$' | sort -u >"$secrets" # an empty line would find all
proves "$(cat "$secrets")" names # each of them

for kind in log metrics errors; do
	echo "$(cat ./*."$kind" | wc -l) lines in $(ls ./*."$kind" | wc -l) files of $kind"
done
found=$(
	{
		for ((i = 0; i < ${#shapes[@]}; i += 2)); do finds "${shapes[i]}" -h ./*.log ./*.metrics ./*.errors; done
		names -h ./*.log ./*.metrics ./*.errors
	} | sort -u | wc -l
)
echo "$(wc -l <"$secrets") spellings of secrets, and the shapes of tokens and keys: found in $found lines"
[ "$found" = 0 ] && [ "$tests" = passed ] || { echo "tests $tests"; exit 1; }
