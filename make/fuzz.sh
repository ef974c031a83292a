#!/bin/sh
# Runs every fuzz target of the module for the given time, one after the other, and stops at the first that fails.
# Targets are found, not listed: a new one takes part by being there.
set -eu

GO=${GO:-go}
time=${1:-10s}
log=$(mktemp)
trap 'rm -f "$log"' EXIT

once() { "$GO" test -run '^$' -fuzz "^$2\$" -fuzztime "$time" "$1" >"$log" 2>&1; }

count=0
for package in $("$GO" list ./...); do
	folder=.${package#tillway}
	for target in $(cat "$folder"/*_test.go 2>/dev/null | sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p'); do
		# A target can end with its own deadline while it stops at the end of its time: no input failed then, and it
		# is run once more. An input that fails is written to testdata/fuzz and is never excused.
		if ! once "$package" "$target"; then
			if grep -q 'context deadline exceeded' "$log" && ! grep -q 'Failing input' "$log"; then
				once "$package" "$target" || { cat "$log"; exit 1; }
			else
				cat "$log"
				exit 1
			fi
		fi
		printf 'fuzz %s %s: %s\n' "$package" "$target" "$(sed -n 's/.*\(execs: [0-9]*\).*/\1/p' "$log" | tail -n 1)"
		count=$((count + 1))
	done
done
printf 'fuzz targets: %d\n' "$count"
[ "$count" -gt 0 ]
