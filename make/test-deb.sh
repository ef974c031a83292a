#!/bin/sh
# The Debian packages on a Debian of their own: installed, set up, sold with, upgraded, not downgraded, removed and purged
# (packaging/deb/trial.sh). Everything is in name spaces of its own, without a network, on a tree in memory over bin/deb/base: nothing is left
# mounted or running. systemd cannot run there: packaging/deb/keeper starts the services as their users and holds them to their signs.
set -eu

GO=${GO:-go}
out=$(pwd)/bin/deb
say() { printf 'test-deb: %s\n' "$*" >&2; }

sudo=
if [ "$(id -u)" != 0 ]; then
	sudo="sudo -n"
	$sudo true 2>/dev/null || sudo=
fi
if [ ! -e "$out/base/.whole" ] || { [ "$(id -u)" != 0 ] && [ -z "$sudo" ]; }; then
	say "NOT CHECKED on this machine: installing, upgrading and purging the Debian packages (make deps-deb says why)"
	exit 0
fi
arch=$(dpkg --print-architecture)
rm -rf "$out/programs" "$out/manual" "$out"/*.deb
mkdir -p "$out/programs"
CGO_ENABLED=1 "$GO" build -buildvcs=false -trimpath -ldflags '-s -w' -o "$out/programs/" ./cmd/posd ./cmd/hostsim ./cmd/readeremu
CGO_ENABLED=0 "$GO" build -buildvcs=false -trimpath -ldflags '-s -w' -o "$out/programs/" ./cmd/pos
CGO_ENABLED=0 GOEXPERIMENT=runtimesecret "$GO" build -buildvcs=false -trimpath -ldflags '-s -w' -o "$out/programs/" ./cmd/keyd
for program in posd pos hostsim readeremu; do
	SOURCE_DATE_EPOCH=1700000000 "$GO" test -count=1 "./cmd/$program" -run '^TestManual$' -args -manual "$out/manual" >/dev/null
done
(
	cd packaging/deb
	"$GO" vet ./...
	"$GO" test -count=1 ./... # two packages of the same files are the same bytes, and more
	"$GO" build -buildvcs=false -o "$out/deb" .
	CGO_ENABLED=0 "$GO" build -buildvcs=false -o "$out/keeper" ./keeper
)
# package NAME VERSION [FLAG…]
package() {
	name=$1
	version=$2
	shift 2
	"$out/deb" package --name "$name" --version "$version" --arch "$arch" --time 1700000000 --programs "$out/programs" --manual "$out/manual" --source . --out "$out" "$@"
}
package tillway 1.0.0
package tillway 1.1.0
package tillway 2.0.0 --schema 9999
package tillway-simulators 1.0.0
$sudo unshare --mount --net --pid --ipc --uts --fork --kill-child --mount-proc sh packaging/deb/trial.sh "$out"
$sudo unshare --mount --net --pid --ipc --uts --fork --kill-child --mount-proc sh packaging/deb/newtill.sh "$out" docs/technician.md
