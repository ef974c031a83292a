#!/bin/sh
# Looks for what the tests of the figures and alerts need beyond `make deps`, and installs what is missing: as root or with passwordless
# sudo without a question; otherwise it prints the one line to run and says what is not checked without.
#
# Needed: promtool, from Debian's package prometheus. Its service is not wanted here: it is kept from starting.
set -eu

say() { printf 'deps-ops: %s\n' "$*" >&2; }

command -v promtool >/dev/null 2>&1 && exit 0
command -v apt-get >/dev/null 2>&1 || {
	say "NOT CHECKED without promtool: the figures' format and the alerts. This system has no apt-get: install Prometheus' promtool by hand."
	exit 0
}
say "missing: prometheus (for promtool, which checks the figures and plays the alerts)"
if [ "$(id -u)" = 0 ]; then
	sudo=
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
	sudo="sudo -n"
else
	say "NOT CHECKED without promtool: the figures' format and the alerts. Run this line, then make again:"
	say "  sudo apt-get update && sudo apt-get install -y --no-install-recommends prometheus"
	exit 0
fi
export DEBIAN_FRONTEND=noninteractive
# RUNLEVEL is what invoke-rc.d asks before it starts a service: at 1 it starts none.
$sudo apt-get update -q >&2
$sudo env RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends prometheus >&2
