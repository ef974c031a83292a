#!/bin/sh
# Looks for what `make test-deb` needs beyond `make deps`, installs what is missing, and fetches the Debian that packages are installed into,
# once, into bin/deb/base: the only step with a network. As root or with passwordless sudo without a question; otherwise it prints the line to run.
set -eu

say() { printf 'deps-deb: %s\n' "$*" >&2; }

command -v apt-get >/dev/null 2>&1 && command -v dpkg >/dev/null 2>&1 || {
	say "NOT CHECKED on this machine: Debian packages. They are tried on Debian, in a Debian of their own, and here is no apt-get or dpkg."
	exit 0
}
if [ "$(id -u)" = 0 ]; then
	sudo=
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
	sudo="sudo -n"
else
	say "NOT CHECKED on this machine: Debian packages. It takes root, for a file tree of its own: run make test-deb as root."
	exit 0
fi
if ! command -v debootstrap >/dev/null 2>&1; then
	say "installing: debootstrap (it makes the Debian that packages are tried in)"
	export DEBIAN_FRONTEND=noninteractive
	$sudo apt-get update -q >&2
	$sudo apt-get install -y --no-install-recommends debootstrap >&2
fi
base=bin/deb/base
[ ! -e "$base/.whole" ] || exit 0
# shellcheck disable=SC1091 # the machine's own
. /etc/os-release
say "fetching Debian $VERSION_CODENAME (once, into $base)"
$sudo rm -rf "$base"
mkdir -p bin/deb
$sudo debootstrap --variant=minbase --include=systemd,libusb-1.0-0,procps "$VERSION_CODENAME" "$base" >bin/deb/debootstrap.log 2>&1 || {
	tail -n 20 bin/deb/debootstrap.log >&2
	say "Debian could not be fetched: see the lines above"
	exit 1
}
$sudo touch "$base/.whole"
