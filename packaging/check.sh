#!/usr/bin/env bash
# Looks at what `goreleaser release --snapshot` left in dist: all files are there, whole, and hold what they should.
set -euo pipefail
cd "$(dirname "$0")/../dist"

fail() { echo "packaging/check.sh: $*" >&2; exit 1; }
has() { grep -qE -- "$2" <<<"$1" || fail "$3: no line is like $2 in"$'\n'"$1"; }
for tool in dpkg-deb rpm python3; do
	command -v $tool >/dev/null || fail "install $tool: apt-get install dpkg rpm python3"
done

version=$(python3 -c 'import json; print(json.load(open("metadata.json"))["version"])')
commit=$(git rev-parse HEAD)

# Six archives, six SBOMs, four packages, and a sum of each.
sha256sum --quiet --check checksums.txt
for os in linux darwin windows; do
	for arch in amd64 arm64; do
		case $os in
		windows) archive=roomgate_${version}_${os}_${arch}.zip content=$(python3 -m zipfile -l "$archive") binary=roomgate.exe ;;
		*) archive=roomgate_${version}_${os}_${arch}.tar.gz content=$(tar -tzf "$archive") binary=roomgate ;;
		esac
		for file in "$binary" LICENSE README.md CHANGELOG.md; do has "$content" "^$file( |\$)" "$archive"; done
		sbom=roomgate_${version}_${os}_${arch}.cdx.json
		python3 - "$sbom" "v$version" <<-'PYTHON' || fail "$sbom is no SBOM of it"
			import json, sys
			bom = json.load(open(sys.argv[1]))
			of, parts = bom["metadata"]["component"], {c["name"] for c in bom["components"]}
			assert bom["bomFormat"] == "CycloneDX" and of["name"] == "github.com/roomgate/roomgate" and of["version"] == sys.argv[2], of
			assert {"std", "github.com/redis/go-redis/v9", "github.com/coder/websocket"} <= parts, parts
		PYTHON
		for file in "$archive" "$sbom"; do has "$(cat checksums.txt)" "  $file\$" checksums.txt; done
	done
done

# The binary for this machine says what it is.
mine=$(mktemp -d)
trap 'rm -rf "$mine"' EXIT
tar -xzf "roomgate_${version}_$(go env GOOS)_$(go env GOARCH).tar.gz" -C "$mine"
has "$("$mine/roomgate" version)" "^roomgate version v$version \(revision $commit, go" "roomgate version"

# Packages: the unit, settings that an upgrade keeps, and secrets for root alone.
declare -A of_rpm=([amd64]=x86_64 [arm64]=aarch64)
for arch in amd64 arm64; do
	deb=$(echo roomgate_*_"$arch".deb) rpm=$(echo roomgate-*."${of_rpm[$arch]}".rpm)
	for file in "$deb" "$rpm"; do has "$(cat checksums.txt)" "  $file\$" checksums.txt; done
	content=$(dpkg-deb -c "$deb")
	has "$content" '^-rwxr-xr-x root/root .* \./usr/bin/roomgate$' "$deb"
	has "$content" '^-rw-r--r-- root/root .* \./usr/lib/systemd/system/roomgate\.service$' "$deb"
	has "$content" '^-rw-r--r-- root/root .* \./etc/roomgate/roomgate\.yaml$' "$deb"
	has "$content" '^-rw------- root/root .* \./etc/roomgate/roomgate\.env$' "$deb"
	has "$(dpkg-deb -I "$deb")" "Architecture: $arch\$" "$deb"
	[ "$(dpkg-deb -I "$deb" conffiles | sort | xargs)" = "/etc/roomgate/roomgate.env /etc/roomgate/roomgate.yaml" ] || fail "$deb keeps other files than the two in /etc/roomgate"

	content=$(rpm -qp --nosignature --queryformat '[%{FILEMODES:perms} %{FILEUSERNAME} %{FILENAMES} %{FILEFLAGS:fflags}\n]' "$rpm")
	has "$content" '^-rwxr-xr-x root /usr/bin/roomgate ' "$rpm"
	has "$content" '^-rw-r--r-- root /usr/lib/systemd/system/roomgate\.service ' "$rpm"
	has "$content" '^-rw-r--r-- root /etc/roomgate/roomgate\.yaml .*cn' "$rpm"
	has "$content" '^-rw------- root /etc/roomgate/roomgate\.env .*cn' "$rpm"
done

has "$(cat homebrew/Casks/roomgate.rb)" 'binary "roomgate"' homebrew/Casks/roomgate.rb
echo "dist holds roomgate $version: $(wc -l <checksums.txt) files, each with its sum"
