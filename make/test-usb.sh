#!/bin/sh
# Hardware in the loop without hardware: fetches a kernel, builds the programs and the guest, and runs the rig (folder rig). Any
# arguments are the rig's: test-usb.sh -only "GemPC" -keep.
#
# The kernel and the programs that read our emulated readers are Debian's packages, downloaded and unpacked into bin/usb, once;
# nothing of them is installed. Delete bin/usb to fetch newer ones.
set -eu

GO=${GO:-go}
out=bin/usb

say() { printf 'test-usb: %s\n' "$*" >&2; }

# fetch FOLDER PACKAGE…: unpacks packages into a folder that appears only when all are there.
fetch() {
	folder=$1
	shift
	[ -d "$folder" ] && return 0
	work=$(mktemp -d "$out/fetch.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	say "fetching $* (once, into $folder)"
	user=
	[ "$(id -u)" = 0 ] && user="-o APT::Sandbox::User=root" # else apt warns that it cannot use its own user here
	# shellcheck disable=SC2086 # words on purpose
	(cd "$work" && apt-get $user -q download "$@" >&2)
	for package in "$work"/*.deb; do
		dpkg -x "$package" "$work/root"
	done
	mv "$work/root" "$folder"
	rm -rf "$work"
	trap - EXIT
}

# kernel is the package that Debian's newest kernel is in.
kernel() { apt-cache depends linux-image-amd64 2>/dev/null | sed -n 's/^ *Depends: *\(linux-image-[0-9][^ ]*\).*/\1/p' | head -n 1; }

mkdir -p "$out"
if [ ! -d "$out/kernel" ]; then
	name=$(kernel)
	if [ -z "$name" ] && [ "$(id -u)" = 0 ]; then
		apt-get update -q >&2
		name=$(kernel)
	fi
	[ -n "$name" ] || {
		say "apt knows no kernel (linux-image-amd64): run apt-get update as root, then make again"
		exit 1
	}
	fetch "$out/kernel" "$name"
fi

# What a machine with nothing on it needs for pcscd, its driver and a client, without the C library, which is this machine's.
if [ ! -d "$out/debian" ]; then
	names=$(apt-get -s -o Dir::State::status=/dev/null -o APT::Install-Recommends=false install pcscd libccid opensc 2>/dev/null |
		sed -n 's/^Inst \([^ ]*\) .*/\1/p' | grep -E '^(lib|pcscd$|opensc)' | grep -vE '^(libc6|libc-bin|libperl|libdebconf)' | sort -u)
	case $names in
	*pcscd*) ;;
	*)
		say "apt does not know pcscd, libccid and opensc: run apt-get update as root, then make again"
		exit 1
		;;
	esac
	# shellcheck disable=SC2086 # words on purpose
	fetch "$out/debian" $names pcsc-tools
fi

"$GO" build -buildvcs=false -o "$out/" ./cmd/posd ./cmd/pos ./cmd/hostsim ./rig
CGO_ENABLED=0 "$GO" build -buildvcs=false -o "$out/" ./rig/guest
CGO_ENABLED=0 GOEXPERIMENT=runtimesecret "$GO" build -buildvcs=false -o "$out/" ./cmd/keyd
exec "$out/rig" "$@"
