#!/bin/sh
# Looks for what the build needs, and installs what is missing where apt can: as root or with passwordless sudo
# without a question; otherwise it prints the one line to run and stops.
# Needed now: Go (go.mod says which) and a C compiler with the C library's headers, because the journal's database,
# SQLite, is C code (github.com/mattn/go-sqlite3), and libusb with pkg-config, which says where it is, because USB readers
# are driven through it (github.com/google/gousb).
set -eu

say() { printf 'deps: %s\n' "$*" >&2; }
GO=${GO:-go}

packages=
if ! command -v "$GO" >/dev/null 2>&1; then
	say "Go is not installed, and distributions often carry one that is too old."
	say "Install the version that go.mod names from the Go project's own site (or any Go from 1.21 on, which fetches it)."
	exit 1
fi
if ! version=$("$GO" env GOVERSION 2>&1); then
	say "Go does not take this module: $version"
	say "Install the version that go.mod names from the Go project's own site."
	exit 1
fi

# A compiler counts when it can compile and link against the C library.
compiler=$("$GO" env CC)
out=$(mktemp)
trap 'rm -f "$out"' EXIT
links() {
	# shellcheck disable=SC2086 # CC may hold arguments
	printf '#include <stdlib.h>\nint main(void) { return 0; }\n' | $compiler -x c -o "$out" - >/dev/null 2>&1
}
links || {
	packages="gcc libc6-dev"
	say "missing: a working C compiler (tried $compiler). SQLite, which keeps the journal, is C code."
}
libusb() { pkg-config --exists libusb-1.0 >/dev/null 2>&1; }
libusb || {
	packages="${packages:+$packages }libusb-1.0-0-dev pkg-config"
	say "missing: libusb's headers, or pkg-config. USB readers are driven through libusb."
}

if [ -n "$packages" ]; then
	if ! command -v apt-get >/dev/null 2>&1; then
		say "install it with your system's packages and run make again:"
		say "  Fedora, RHEL: dnf install gcc glibc-devel libusb1-devel pkgconf-pkg-config"
		say "  Arch:         pacman -S gcc libusb pkgconf"
		say "  Alpine:       apk add gcc musl-dev libusb-dev pkgconf"
		say "  openSUSE:     zypper install gcc glibc-devel libusb-1_0-devel pkgconf-pkg-config"
		exit 1
	fi
	install="apt-get install -y --no-install-recommends $packages"
	if [ "$(id -u)" = 0 ]; then
		sudo=
	elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
		sudo="sudo -n"
	else
		say "run this line, then make again:"
		say "  sudo apt-get update && sudo $install"
		exit 1
	fi
	say "installing: $packages"
	export DEBIAN_FRONTEND=noninteractive
	$sudo apt-get update -q >&2
	# shellcheck disable=SC2086 # words on purpose
	$sudo $install >&2
	links || compiler=gcc
	links || {
		say "the compiler that was installed still does not link a program: see the lines above"
		exit 1
	}
	libusb || {
		say "libusb-1.0-0-dev was installed, and pkg-config still does not find it: see the lines above"
		exit 1
	}
fi

if [ "$("$GO" env CGO_ENABLED)" != 1 ]; then
	say "cgo is switched off (CGO_ENABLED), and SQLite and libusb need it: run make with CGO_ENABLED=1"
	exit 1
fi
