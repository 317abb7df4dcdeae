#!/bin/sh
# Tells systemd of the unit. It is neither enabled nor started: without a secret it would only fail. An upgrade restarts
# nothing: that would end every connection, and is the operator's to time.
set -e
[ -d /run/systemd/system ] || exit 0
systemctl daemon-reload
