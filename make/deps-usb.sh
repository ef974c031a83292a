#!/bin/sh
# Looks for what `make test-usb` needs beyond `make deps`, and installs what is missing: as root or with passwordless sudo without
# a question; otherwise it prints the one line to run and stops. Nothing is skipped because it is missing.
#
# Needed: QEMU for a PC (the virtual machine), xz (the kernel inside vmlinuz, and modules), ar through dpkg (packages that are
# unpacked and not installed). No kernel and no daemon is installed on this machine.
set -eu

say() { printf 'deps-usb: %s\n' "$*" >&2; }

command -v apt-get >/dev/null 2>&1 && command -v dpkg >/dev/null 2>&1 || {
	say "make test-usb takes its kernel and the programs that it compares with from Debian's packages, and this system has no apt-get or dpkg."
	say "run it on Debian or Ubuntu, or in a container of them."
	exit 1
}
packages=
need() { command -v "$1" >/dev/null 2>&1 || packages="${packages:+$packages }$2"; }
need qemu-system-x86_64 qemu-system-x86
need xz xz-utils
need zstd zstd
[ -n "$packages" ] || exit 0

say "missing: $packages (a virtual machine that readers are plugged into)"
if [ "$(id -u)" = 0 ]; then
	sudo=
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
	sudo="sudo -n"
else
	say "run this line, then make again:"
	say "  sudo apt-get update && sudo apt-get install -y --no-install-recommends $packages"
	exit 1
fi
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -q >&2
# shellcheck disable=SC2086 # words on purpose
$sudo apt-get install -y --no-install-recommends $packages >&2
