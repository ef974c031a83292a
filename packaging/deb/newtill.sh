#!/bin/sh
# newtill.sh FOLDER PAGE: what make/test-deb.sh runs in name spaces of its own. A clean Debian becomes a till that sells, by the commands
# of PAGE (the block that begins with apt-get install), those alone and at most ten, typed at a terminal. The bank, the reader and the head
# office's stick are there before.
set -eu

out=$1
page=$2
mount --make-rprivate /
ip link set lo up 2>/dev/null || :
mount -t tmpfs -o size=1500m tmpfs "$out/base/mnt"
top=$out/base/mnt
mkdir "$top/upper" "$top/work" "$top/root"
mount -t overlay -o "lowerdir=$out/base,upperdir=$top/upper,workdir=$top/work" overlay "$top/root"
root=$top/root
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/run"
mkdir -p "$root/run/systemd/system" "$root/media/stick" "$root/srv/office"
cp "$out/keeper" "$root/usr/local/bin/systemctl"

step() { printf 'test-deb: %s\n' "$*"; }
fail() {
	printf 'test-deb: FAILED: %s\n' "$*" >&2
	tail -n 30 "$root"/run/keeper/*.log >&2 2>/dev/null || :
	exit 1
}
here() { env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=linux DEBIAN_FRONTEND=noninteractive chroot "$root" "$@"; }

step "a new till: the bank, the reader and the head office's stick"
arch=$(dpkg --print-architecture)
stick=$root/media/stick
cp "$out/tillway_1.0.0_$arch.deb" "$stick/tillway.deb"
for program in hostsim readeremu; do cp "$out/programs/$program" "$root/srv/"; done
cp "$out/programs/pos" "$root/srv/office/"
here install -d -o nobody -g nogroup /srv/bank
here install -d -m 1777 /srv/reader
here setpriv --reuid nobody --regid nogroup --clear-groups /srv/hostsim --listen 127.0.0.1:8583 --state /srv/bank >"$top/bank.log" 2>&1 &
(
	umask 0 # the terminal's user opens it
	here /srv/readeremu gempc --link /srv/reader/port --card credit --hand auto --control /srv/reader/ctl >"$top/reader.log" 2>&1
) &
for try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
	[ ! -s "$root/srv/bank/ca.pem" ] || [ ! -s "$root/srv/bank/keys/mac.tr31" ] || [ ! -L "$root/srv/reader/port" ] || break
	[ "$try" -lt 20 ] || fail "the simulators did not start: $(cat "$top/bank.log" "$top/reader.log")"
	sleep 0.5
done
chmod 666 "$(readlink "$root/srv/reader/port")" 2>/dev/null || :
here sh -eu >"$top/said" 2>&1 <<'OFFICE' || fail "the head office: $(cat "$top/said")"
cd /srv/office
./pos provision keygen office.pem --name "head office" >office.trust
./pos provision new kuwait till-1
cat office.trust >>till-1/package.toml
cp ../bank/ca.pem till-1/acquirer-ca.pem
mkdir till-1/keys
cp ../bank/keys/pin.tr31 till-1/keys/acquirer.pin.tr31
cp ../bank/keys/mac.tr31 till-1/keys/acquirer.mac.tr31
sed -i 's|driver = "usb".*|port = "/srv/reader/port"|' till-1/config.toml
sed -i 's|^# sale  .*|sale = ["cashier", "supervisor", "technician"]|' till-1/profile.toml
./pos provision sign till-1 --key office.pem --out /media/stick/till-1.tillway
OFFICE
echo 'DPkg::Path "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";' >"$root/etc/apt/apt.conf.d/90keeper" # the keeper, in place of systemctl

# What a command asks for, and who answers.
answers() {
	case $1 in
	"pos users "*) printf 'correct horse battery 9\ncorrect horse battery 9\n' ;;
	"pos login "*) printf 'correct horse battery 9\n' ;;
	"pos keys component acquirer 1 "*) cat "$root/srv/bank/keys/component-1.hex" ;;
	"pos keys component acquirer 2 "*) cat "$root/srv/bank/keys/component-2.hex" ;;
	"pos provision apply "*) printf 'yes\nyes\n' ;;
	esac
}
# typed COMMAND: at a terminal, as root.
typed() { { answers "$1"; sleep 1; } | here script -qec "$1" /dev/null >"$top/said" 2>&1; }

awk '/^```/ { if (inside && found) exit; inside = !inside && $0 == "```sh"; next } inside && /^apt-get install/ { found = 1 } inside && found' "$page" >"$top/commands"
count=$(grep -c . "$top/commands") || fail "$page has no block that begins with apt-get install"
[ "$count" -le 10 ] || fail "$page has $count commands, at most ten"
number=0
while IFS= read -r line <&3; do
	number=$((number + 1))
	step "$number of $count: $line"
	typed "$line" || fail "$line: $(cat "$top/said")"
	case $line in
	"apt-get "*)
		for program in posd keyd; do here ps -o user= -C "$program" | grep -qE '^tillway' || fail "$program does not run as its own user: $(cat "$top/said")"; done
		here pos status >"$top/said" 2>&1 || :
		grep -qi waiting "$top/said" || fail "the installed posd does not wait for a package: $(cat "$top/said")"
		echo 'KEYD_OPTIONS="-development"' >"$root/etc/default/tillway-keyd" # the bank's keys are published ones
		sed -i '1i development = true' "$root/etc/tillway/posd.toml" # and so for posd
		here systemctl restart tillway-keyd.service tillway-posd.service 2>"$top/said" || fail "$(cat "$top/said")"
		;;
	"pos sale "*) grep -qi approved "$top/said" || fail "not approved: $(cat "$top/said")" ;;
	esac
done 3<"$top/commands"
step "a new till sells after $count commands"
