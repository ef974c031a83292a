#!/bin/sh
# Builds what a till is given, for linux/amd64 and linux/arm64, into dist: posd, keyd and pos with the licence, a configuration to start
# from and the rules for readers, a tar file each, and SHA256SUMS. docs/release.md says what is in them and how they are checked.
#
# Of the same programs it makes Debian packages (packaging/deb) and a list of parts, CycloneDX. SIGN_KEY=FILE signs SHA256SUMS.
#
# posd is C too (SQLite, libusb): the foreign one is built with Debian's cross compiler against the foreign libusb, which is unpacked into
# bin/release and not installed; then its programs are run, emulated by qemu-user. What is missing is installed as `make deps` does.
set -eu

GO=${GO:-go}
DIST=${DIST:-dist}
ARCHES=${ARCHES:-"amd64 arm64"}
out=bin/release

say() { printf 'release: %s\n' "$*" >&2; }
fail() {
	say "$*"
	exit 1
}

native=$(dpkg --print-architecture 2>/dev/null) || fail "releases are built on Debian, whose cross compilers and foreign libraries they take: there is no dpkg here"

# triplet ARCH: Debian's name of its folders and compilers. machine ARCH: the kernel's name, and qemu-user's.
triplet() { case $1 in amd64) echo x86_64-linux-gnu ;; arm64) echo aarch64-linux-gnu ;; *) fail "unknown architecture $1: there are amd64 and arm64" ;; esac; }
machine() { triplet "$1" | cut -d- -f1; }

packages=
need() { command -v "$1" >/dev/null 2>&1 || packages="${packages:+$packages }$2"; }
for arch in $ARCHES; do
	[ "$arch" = "$native" ] && continue
	need "$(triplet "$arch")-gcc" "gcc-$(triplet "$arch" | tr _ -) libc6-dev-$arch-cross"
	need "qemu-$(machine "$arch")-static" qemu-user-static
done
if [ -n "$packages" ]; then
	say "missing: $packages (a compiler for the other machine, and what runs its programs here)"
	if [ "$(id -u)" = 0 ]; then
		sudo=
	elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
		sudo="sudo -n"
	else
		fail "run this line, then make again: sudo apt-get update && sudo apt-get install -y --no-install-recommends $packages"
	fi
	export DEBIAN_FRONTEND=noninteractive
	$sudo apt-get update -q >&2
	# shellcheck disable=SC2086 # words on purpose
	$sudo apt-get install -y --no-install-recommends $packages >&2
fi

# root ARCH: a folder with the foreign libusb and C library. apt is given lists of its own, so that this machine's stay as they are.
root() {
	arch=$1
	root=$out/root-$1
	[ -d "$root" ] && return 0
	work=$(mktemp -d "$out/fetch.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	mkdir -p "$work/lists/partial" "$work/archives/partial"
	here=$(pwd)
	apt() {
		(cd "$work" && apt-get -q -o APT::Architecture="$arch" -o APT::Architectures="$arch" -o Dir::State::status=/dev/null \
			-o Dir::State::lists="$here/$work/lists" -o Dir::Cache="$here/$work/archives" -o APT::Sandbox::User="$(id -un)" "$@" >&2)
	}
	say "fetching the libraries of $1 (once, into $root)"
	apt update
	apt download "libusb-1.0-0-dev:$1" "libusb-1.0-0:$1" "libudev1:$1" "libc6:$1"
	for package in "$work"/*.deb; do
		dpkg -x "$package" "$work/root"
	done
	mv "$work/root" "$root"
	rm -rf "$work"
	trap - EXIT
}

# build ARCH FOLDER FOLDER: the programs, and the simulators. Version and commit are stamped from git, so the checkout must be one.
build() {
	arch=$1
	(
		GOOS=linux GOARCH=$arch GOFLAGS=
		export GOOS GOARCH GOFLAGS
		if [ "$arch" != "$native" ]; then
			CC=$(triplet "$arch")-gcc
			PKG_CONFIG_SYSROOT_DIR=$(pwd)/$out/root-$arch
			PKG_CONFIG_LIBDIR=$PKG_CONFIG_SYSROOT_DIR/usr/lib/$(triplet "$arch")/pkgconfig
			CGO_LDFLAGS="-O2 -g -Wl,-rpath-link,$PKG_CONFIG_SYSROOT_DIR/usr/lib/$(triplet "$arch"):$PKG_CONFIG_SYSROOT_DIR/lib/$(triplet "$arch")"
			export CC PKG_CONFIG_SYSROOT_DIR PKG_CONFIG_LIBDIR CGO_LDFLAGS
		fi
		CGO_ENABLED=1 "$GO" build -buildvcs=true -trimpath -ldflags '-s -w' -o "$2/" ./cmd/posd
		CGO_ENABLED=1 "$GO" build -buildvcs=true -trimpath -ldflags '-s -w' -o "$3/" ./cmd/hostsim ./cmd/readeremu
		CGO_ENABLED=0 "$GO" build -buildvcs=true -trimpath -ldflags '-s -w' -o "$2/" ./cmd/pos
		CGO_ENABLED=0 GOEXPERIMENT=runtimesecret "$GO" build -buildvcs=true -trimpath -ldflags '-s -w' -o "$2/" ./cmd/keyd
	)
}

# runs ARCH PROGRAM ARGUMENT…: a program for that machine, emulated where it is another.
runs() {
	arch=$1
	shift
	if [ "$arch" = "$native" ]; then
		"$@"
	else
		"qemu-$(machine "$arch")-static" -L "$out/root-$arch" "$@"
	fi
}

# prove ARCH FOLDER: the programs run there. pos works a calculation whose answer is known; keyd refuses to start by itself.
prove() {
	said=$(runs "$1" "$2/posd" --version) || fail "posd for $1 does not run"
	say "$1: $said"
	said=$(runs "$1" "$2/pos" decode tlv 9F0206000000001000) || fail "pos for $1 does not run"
	case $said in
	*9F02*) ;;
	*) fail "pos for $1 does not know tag 9F02; it says: $said" ;;
	esac
	said=$(runs "$1" "$2/keyd" -h 2>&1) || :
	case $said in
	*"secure module"*) ;;
	*) fail "keyd for $1 does not run; it says: $said" ;;
	esac
}

# libusb ARCH: the version of the libusb that posd is linked to.
libusb() {
	if [ "$1" = "$native" ]; then
		pkg-config --modversion libusb-1.0
	else
		PKG_CONFIG_LIBDIR=$out/root-$1/usr/lib/$(triplet "$1")/pkgconfig pkg-config --modversion libusb-1.0
	fi
}

# debian VERSION: a version as Debian sorts it. v1.2.3-4-gabc is 1.2.3+4.gabc, a commit without a tag 0.0.0+git.TIME.COMMIT.
debian() {
	case $1 in
	v[0-9]*) printf '%s\n' "${1#v}" | sed 's/-/+/; s/-/./g' ;;
	[0-9]*.*) printf '%s\n' "$1" | sed 's/-/+/; s/-/./g' ;;
	*) printf '0.0.0+git.%s.%s\n' "$stamp" "$1" | tr - . ;;
	esac
}

# packages ARCH FOLDER: the Debian packages and the list of parts of the programs in a folder.
packages() {
	for package in tillway tillway-simulators; do
		"$out/deb" package --name "$package" --version "$(debian "$version")" --arch "$1" --time "$stamp" --programs "$2" --manual "$out/manual" --source . --out "$DIST" >&2
	done
	"$out/deb" sbom --version "$version" --time "$(date -u -d "@$stamp" +%Y-%m-%dT%H:%M:%SZ)" --programs "$2" --libusb "$(libusb "$1")" \
		--modules "$("$GO" env GOMODCACHE)" --out "$DIST/tillway_${version}_linux_$1.cdx.json"
}

git rev-parse --git-dir >/dev/null 2>&1 || fail "this is no git checkout (or one of another user's: git config --global --add safe.directory $(pwd)): the version comes from there"
version=$(git describe --tags --always --dirty)
stamp=$(git log -1 --format=%ct)
mkdir -p "$out" "$DIST"
rm -f "$DIST"/tillway_*.tar.gz "$DIST"/tillway*.deb "$DIST"/tillway_*.cdx.json "$DIST/SHA256SUMS" "$DIST/SHA256SUMS.sig"
rm -rf "$out/manual"
for program in posd pos hostsim readeremu; do
	SOURCE_DATE_EPOCH=$stamp "$GO" test -count=1 "./cmd/$program" -run '^TestManual$' -args -manual "$(pwd)/$out/manual" >/dev/null
done
here=$(pwd)
(cd packaging/deb && "$GO" build -buildvcs=false -o "$here/$out/deb" .)

for arch in $ARCHES; do
	[ "$arch" = "$native" ] || root "$arch"
	name=tillway_${version}_linux_$arch
	folder=$out/$name
	rm -rf "$folder"
	mkdir -p "$folder/bin"
	rm -rf "$out/all"
	build "$arch" "$folder/bin" "$out/all"
	prove "$arch" "$folder/bin"
	cp "$folder"/bin/* "$out/all/"
	packages "$arch" "$out/all"
	cp LICENSE README.md CHANGELOG.md cmd/posd/posd.toml "$folder/"
	[ ! -d packaging ] || cp -R packaging "$folder/"
	# The same commit gives the same file: names in order, nobody's name, the commit's time.
	tar -C "$out" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$stamp" -cf - "$name" | gzip -n -9 >"$DIST/$name.tar.gz"
	rm -rf "$folder"
done
(cd "$DIST" && sha256sum tillway* >SHA256SUMS && cat SHA256SUMS)
[ -z "${SIGN_KEY:-}" ] || "$out/deb" sign --key "$SIGN_KEY" --file "$DIST/SHA256SUMS"
