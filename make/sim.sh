#!/bin/sh
# The seeded simulation of the whole terminal: sim.sh SEEDS SEED. Of SEEDS seeds each sells twenty times with its journal in
# memory; of three in a hundred of them, one at least, each sells two hundred times with its journal in SQLite. The last line is the
# summary; the exit status is not zero when a rule was violated, and then each violation names its seed, which `make sim SEEDS=1
# SEED=n` runs again. Before it every rule of the three state tables is switched off, one at a time: that the checker notices each is
# what makes its silence worth something.
set -eu

GO=${GO:-go}
seeds=$1
seed=$2
for n in "$seeds" "$seed"; do
	case $n in
	*[!0-9]* | '' | 0 | ??????????*)
		echo "sim: SEEDS and SEED are whole numbers from 1 on, of at most nine digits: make sim SEEDS=1000 SEED=1" >&2
		exit 2
		;;
	esac
done

deep=$(((seeds * 3 + 99) / 100))

mkdir -p bin
"$GO" test -c -buildvcs=false -o bin/posd.sim ./cmd/posd
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
(cd cmd/posd && ../../bin/posd.sim -test.run '^TestSimCatchesEveryRow$' -test.v) >"$log" 2>&1 || status=$?
if [ "$status" -ne 0 ]; then
	grep -v -e '^=== ' -e 'caught: ' "$log"
	exit "$status"
fi
echo "rules switched off, and each noticed: $(grep -c 'caught: ' "$log")"
(cd cmd/posd && ../../bin/posd.sim -test.run '^TestSim$' -test.timeout 0 -sim.seeds "$seeds" -sim.deep "$deep" -sim.seed "$seed") >"$log" 2>&1 || status=$?
grep -v -e '^seeds=' -e '^PASS$' "$log" || :
grep '^seeds=' "$log" || {
	echo "sim: it ended without a summary (exit status $status)" >&2
	exit 1
}
exit "$status"
