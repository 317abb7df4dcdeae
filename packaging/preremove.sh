#!/bin/sh
# Stops the service if the package goes, and not if another version of it comes: $1 is "remove" for dpkg, and 0 for rpm.
set -e
[ -d /run/systemd/system ] || exit 0
case "$1" in
remove | 0) systemctl disable --now roomgate.service ;;
esac
