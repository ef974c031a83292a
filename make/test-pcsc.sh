#!/bin/sh
# The PC/SC driver against programs that are not ours: Debian's pcscd, libccid's serial driver, vsmartcard's virtual reader and card, opensc-tool
# and pcsc_scan. Installs what is missing as root or with passwordless sudo; otherwise it prints the line to run and stops: nothing is left out.
# Everything runs in name spaces of its own: vsmartcard's reader listens on every address, pcscd has one place for its socket, and whatever
# is left over ends with the script.
set -eu

say() { printf 'test-pcsc: %s\n' "$*" >&2; }
GO=${GO:-go}
packages="pcscd libccid vsmartcard-vpcd vsmartcard-vpicc python3-pycryptodome pcsc-tools opensc iproute2 util-linux"

missing=
for p in $packages; do
	dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null | grep -q '^installed$' || missing="$missing $p"
done
sudo=
if [ "$(id -u)" != 0 ]; then
	if ! command -v sudo >/dev/null 2>&1 || ! sudo -n true 2>/dev/null; then
		say "it needs root, for name spaces of its own: run it as root, with these packages installed: $packages"
		exit 1
	fi
	sudo="sudo -n"
fi
if [ -n "$missing" ]; then
	if ! command -v apt-get >/dev/null 2>&1; then
		say "missing:$missing (Debian's names): install them and run make test-pcsc again"
		exit 1
	fi
	say "installing:$missing"
	export DEBIAN_FRONTEND=noninteractive
	$sudo apt-get update -q >&2
	# shellcheck disable=SC2086 # words on purpose
	$sudo apt-get install -y --no-install-recommends $missing >&2
	case $missing in *vsmartcard-vpcd*)
		say "note: from now on every pcscd of this machine has vsmartcard's virtual reader, which listens on all addresses;"
		say "where others can reach the machine, remove /etc/reader.conf.d/vpcd: these tests do not need it"
		;;
	esac
fi
for needed in /usr/lib/pcsc/drivers/serial/libccidtwin.so /usr/lib/pcsc/drivers/serial/libifdvpcd.so; do
	[ -e "$needed" ] || {
		say "$needed is not there, though its package is installed: apt-get install --reinstall libccid vsmartcard-vpcd"
		exit 1
	}
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$GO" test -c -buildvcs=false -o "$work/pcsc.test" ./device/pcsc
"$GO" test -c -buildvcs=false -o "$work/demo.test" ./cmd/demo
# shellcheck disable=SC2016 # expanded inside
$sudo env "PATH=$PATH" "HOME=$HOME" unshare --net --mount --pid --fork --kill-child --mount-proc sh -euc '
	mkdir -p /run/pcscd
	mount -t tmpfs tmpfs /run/pcscd
	ip link set lo up
	(cd device/pcsc && "$0/pcsc.test" -pcscd -test.v -test.timeout 10m -test.run "Pcscd|Tools|Libccid|Another" \
		-test.skip "TestPcscdConformance/(a_thousand_cards|unplugged_a_hundred_times)")
	(cd cmd/demo && "$0/demo.test" -pcscd -test.v -test.timeout 10m -test.run "^TestSellsThroughPcscd$/Debian")
' "$work" >"$work/log" 2>&1 || {
	cat "$work/log"
	exit 1
}
if grep 'NOT CHECKED' "$work/log"; then
	say "something was left out"
	exit 1
fi
grep -E '^ *--- |^PASS' "$work/log"
