#!/bin/sh
# Runs every fuzz target of the module for the given time, as many at once as there are processors, one worker each, and
# fails when one fails. Targets are found, not listed: a new one takes part by being there. Every package is built once.
set -eu

GO=${GO:-go}

# one TIME BINARY FOLDER TARGET: a target that fails prints all it said.
one() {
	log=$2.$4.log
	# A target can end with its own deadline while it stops at the end of its time: no input failed then, and it is run
	# once more. An input that fails is written to testdata/fuzz and is never excused.
	for try in 1 2; do
		if (cd "$3" && "$2" -test.run '^$' -test.fuzz "^$4\$" -test.fuzztime "$1" -test.parallel 1 \
			-test.fuzzcachedir "$2.cache") >"$log" 2>&1; then
			printf 'fuzz %s %s: %s\n' "$3" "$4" "$(sed -n 's/.*\(execs: [0-9]*\).*/\1/p' "$log" | tail -n 1)"
			return 0
		fi
		grep -q 'context deadline exceeded' "$log" && ! grep -q 'Failing input' "$log" || break
	done
	printf 'fuzz %s %s: FAILED at try %s\n' "$3" "$4" "$try"
	cat "$log"
	return 1
}

if [ "${1:-}" = --one ]; then
	shift
	one "$@" || exit 255 # xargs stops at that
	exit 0
fi

time=${1:-10s}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

count=0
for package in $("$GO" list ./...); do
	folder=.${package#tillway}
	targets=$(cat "$folder"/*_test.go 2>/dev/null | sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p')
	[ -n "$targets" ] || continue
	binary=$work/$(printf %s "$folder" | tr -c 'A-Za-z0-9' _)
	"$GO" test -c -fuzz=Fuzz -o "$binary" "$package"
	for target in $targets; do
		printf '%s\n' "$time" "$binary" "$folder" "$target" >>"$work/list"
		count=$((count + 1))
	done
done
[ "$count" -gt 0 ]
xargs -n 4 -P "$(getconf _NPROCESSORS_ONLN)" sh "$0" --one <"$work/list"
printf 'fuzz targets: %d\n' "$count"
