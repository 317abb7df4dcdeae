#!/usr/bin/env bash
# Runs all tests with all that internal/secrecy looks at written to files, and greps them for
# tokens and secrets, so that the claim does not rest on the Go code. ROOMGATE_TEST_LOGS names a
# directory that is kept; without it, they are gone at the end.
set -euo pipefail
cd "$(dirname "$0")/../.."

if [ -z "${ROOMGATE_TEST_LOGS:-}" ]; then
	ROOMGATE_TEST_LOGS=$(mktemp -d)
	trap 'rm -rf "$ROOMGATE_TEST_LOGS"' EXIT
fi
export ROOMGATE_TEST_LOGS
[ -z "$(ls -A "$ROOMGATE_TEST_LOGS")" ] || { echo "$ROOMGATE_TEST_LOGS is not empty"; exit 1; }

tests=passed
"${GO:-go}" test -count=1 -timeout 30m -v ./... 2>&1 | grep -E '^(secrecy:|ok|FAIL|--- FAIL|panic:)' || tests=failed # and are grepped all the same

cd "$ROOMGATE_TEST_LOGS"
shapes='eyJ[A-Za-z0-9_-]{8,}(\.|%2[Ee])|[Bb]earer(\.|%2[Ee]| |%20)[A-Za-z0-9_~+/=-]{8,}|[?&]token=[A-Za-z0-9]|-----BEGIN [A-Z ]*PRIVATE KEY-----'
finds() { grep -E -e "$shapes" "$@" || [ $? = 1 ]; }
names() { grep -F -f <(cat ./*.secrets) "$@" || [ $? = 1 ]; }

# A grep that cannot find proves nothing.
planted=$(printf '%s\n' 'GET /ws?token=x' 'Bearer abcdefgh' eyJhbGciOiJub25lIn0.eyJ4IjoxfQ -----BEGIN\ PRIVATE\ KEY-----; head -n 1 -q ./*.secrets)
[ "$( (finds; names) <<<"$planted" | wc -l)" -ge 4 ] || { echo 'what was planted is not found'; exit 1; }

for kind in log metrics errors; do
	echo "$(cat ./*."$kind" | wc -l) lines in $(ls ./*."$kind" | wc -l) files of $kind"
done
found=$({ finds -h ./*.log ./*.metrics ./*.errors; names -h ./*.log ./*.metrics ./*.errors; } | wc -l)
echo "$(sort -u ./*.secrets | wc -l) spellings of secrets, and the shapes of tokens and keys: found $found times"
[ "$found" = 0 ] && [ "$tests" = passed ] || { echo "tests $tests"; exit 1; }
