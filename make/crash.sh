#!/bin/sh
# Crash states: crash.sh STATES. The journal of the terminal, and the ledger of the simulated host, work on a file system
# that records every write and flush; from that, what power cuts could have left is built, opened and checked. Prints a
# line for each with what was looked at; says NOT CHECKED, and why, where the file system cannot be mounted.
set -eu

GO=${GO:-go}
states=$1
case $states in
*[!0-9]* | '' | 0 | ????????*)
	echo "crash: STATES is a whole number from 1 on, of at most seven digits: make crash STATES=10000" >&2
	exit 2
	;;
esac

log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
for package in ./store ./host; do
	"$GO" test -count=1 -timeout 15m -run '^TestEveryPowerCut$' -v "$package" -crash.states "$states" >"$log" 2>&1 || status=$?
	if [ "$status" -ne 0 ]; then
		cat "$log"
		exit "$status"
	fi
	sed -n -e 's/^ *[a-z_]*\.go:[0-9]*: //p' "$log" | sed "s|^|crash $package: |"
done
