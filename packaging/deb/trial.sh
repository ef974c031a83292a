#!/bin/sh
# trial.sh FOLDER: what make/test-deb.sh runs in name spaces of its own. FOLDER has base (a Debian), the packages and keeper.
set -eu

out=$1
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
mkdir -p "$root/run/systemd/system" "$root/srv/stick"
cp "$out/keeper" "$root/usr/local/bin/systemctl"
cp "$out"/*.deb "$root/srv/"

here() { env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive chroot "$root" "$@"; }
as() {
	who=$1
	shift
	here setpriv --reuid "$who" --regid tillway --init-groups env HOME="/srv/$who" TILLWAY_SESSION="/srv/$who/session" "$@"
}
step() { printf 'test-deb: %s\n' "$*"; }
fail() {
	printf 'test-deb: FAILED: %s\n' "$*" >&2
	tail -n 30 "$root"/run/keeper/*.log >&2 2>/dev/null || :
	exit 1
}
# refused WORDS COMMAND…: it fails, and says so.
refused() {
	words=$1
	shift
	if "$@" >"$top/said" 2>&1; then fail "this was not refused: $*"; fi
	grep -q "$words" "$top/said" || fail "it did not say \"$words\" but: $(cat "$top/said")"
}
install() { here dpkg -i "$@" >"$top/said" 2>&1 || fail "dpkg -i $*: $(cat "$top/said")"; }

# The services are confined by systemd alone; here their signs come every second, so that they can be waited for.
signs() {
	for unit in tillway-keyd tillway-posd; do
		sed 's/^WatchdogSec=.*/WatchdogSec=4s/' "$root/lib/systemd/system/$unit.service" >"$root/etc/systemd/system/$unit.service"
	done
}
units="tillway-keyd.service tillway-posd.service"

step "installing"
install "/srv/tillway-simulators_1.0.0_$(dpkg --print-architecture).deb"
here deb-systemd-helper --help >/dev/null 2>&1 || :
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d" # a machine that starts nothing by itself: the technician does
chmod 755 "$root/usr/sbin/policy-rc.d"
install "/srv/tillway_1.0.0_$(dpkg --print-architecture).deb"
for user in tillway tillway-keyd; do here getent passwd "$user" >/dev/null || fail "no user $user"; done
here dpkg-query -W -f '${Conffiles}' tillway | grep -q /etc/tillway/posd.toml || fail "posd.toml is no conffile"
for folder in tillway tillway-keyd; do
	[ "$(here stat -c '%a %U' "/var/lib/$folder")" = "700 $folder" ] || fail "/var/lib/$folder is not $folder's alone"
done
for unit in $units; do [ -L "$root/etc/systemd/system/multi-user.target.wants/$unit" ] || fail "$unit is not enabled: $(cat "$top/said")"; done
here systemd-analyze verify --man=no /lib/systemd/system/tillway-keyd.service /lib/systemd/system/tillway-posd.service >"$top/said" 2>&1 || fail "$(cat "$top/said")"
for unit in $units; do here systemd-analyze security --offline=true --no-pager "$unit" | sed -n 's/^.*Overall exposure/test-deb: '"$unit"': exposure/p'; done
for page in man1/pos-sale.1.gz man8/posd.8.gz; do here test -e "/usr/share/man/$page" || case $page in man1*) here grep -q path-exclude /etc/dpkg/dpkg.cfg.d/* || fail "no $page" ;; esac; done

step "a bank, a reader, and two people who are not root"
for who in amina badr; do here useradd --no-create-home --home-dir "/srv/$who" --gid tillway "$who" && here install -d -o "$who" -g tillway "/srv/$who"; done
here install -d -o nobody -g nogroup /srv/bank
here install -d -o tillway -g tillway /srv/reader
here setpriv --reuid nobody --regid nogroup --clear-groups hostsim --listen 127.0.0.1:8583 --state /srv/bank >"$top/bank.log" 2>&1 &
here setpriv --reuid tillway --regid tillway --clear-groups readeremu gempc --link /srv/reader/port --card credit --hand auto --control /srv/reader/ctl >"$top/reader.log" 2>&1 &

step "the two services, each as its own user"
signs
cat >>"$root/etc/tillway/posd.toml" <<'EOF'
[reader]
port = "/srv/reader/port"

[acquirer]
address = "127.0.0.1:8583"
ca      = "/srv/ca.pem"

[acquirer.nac]
tpdu        = "6000030000"
nii         = "003"
host_totals = true
deferred    = true
EOF
sed -i '1i profile = "kuwait"\ndevelopment = true\n' "$root/etc/tillway/posd.toml"
echo 'KEYD_OPTIONS="-development"' >"$root/etc/default/tillway-keyd" # the bank's keys are published ones
for try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
	[ ! -s "$root/srv/bank/ca.pem" ] || [ ! -s "$root/srv/bank/keys/mac.tr31" ] || [ ! -L "$root/srv/reader/port" ] || break
	[ "$try" -lt 20 ] || fail "the simulators did not start: $(cat "$top/bank.log" "$top/reader.log")"
	sleep 0.5
done
cp "$root/srv/bank/ca.pem" "$root/srv/"
cp "$root"/srv/bank/keys/* "$root/srv/stick/"
chmod 755 "$root/srv/stick"
chmod 644 "$root"/srv/stick/* "$root/srv/ca.pem"
# shellcheck disable=SC2086 # words on purpose
here systemctl start $units 2>"$top/said" || fail "$(cat "$top/said")"
for unit in $units; do here systemctl watched "$unit" 2>"$top/said" || fail "$(cat "$top/said")"; done
for program in posd keyd; do
	here ps -o user= -C "$program" | sort -u | tr -d ' \n' | grep -qE '^tillway(-keyd)?$' || fail "$program runs as $(here ps -o user= -C "$program")"
done
refused "." here setpriv --reuid nobody --regid nogroup --clear-groups pos status
refused "." here setpriv --reuid tillway --regid tillway --clear-groups cat /var/lib/tillway-keyd/keys

step "keys in two hands, a sale"
as amina pos keys component acquirer 1 2 --holder amina <"$root/srv/stick/component-1.hex" >"$top/said" 2>&1 || fail "$(cat "$top/said")"
as badr pos keys component acquirer 2 2 --holder badr <"$root/srv/stick/component-2.hex" >"$top/said" 2>&1 || fail "$(cat "$top/said")"
as badr pos keys import acquirer pin /srv/stick/pin.tr31 >"$top/said" 2>&1 || fail "$(cat "$top/said")"
as badr pos keys import acquirer mac /srv/stick/mac.tr31 >"$top/said" 2>&1 || fail "$(cat "$top/said")"
here systemctl restart tillway-posd.service 2>"$top/said" || fail "$(cat "$top/said")"
as amina pos sale 1.500 --json >"$top/sale" 2>&1 || fail "no sale: $(cat "$top/sale")"
grep -q Approved "$top/sale" || fail "not approved: $(cat "$top/sale")"
here systemctl stop tillway-posd.service
refused "1 approved payments are not settled" here setpriv --reuid tillway --regid tillway --clear-groups posd owed
here systemctl start tillway-posd.service

arch=$(dpkg --print-architecture)
state=$root/var/lib/tillway
step "upgrading: the services start anew, and the sale is there"
rm "$root/usr/sbin/policy-rc.d"
before=$(here cat /run/keeper/tillway-posd.service.pid)
install "/srv/tillway_1.1.0_$arch.deb"
[ "$(here cat /run/keeper/tillway-posd.service.pid)" != "$before" ] || fail "posd was not started anew: $(cat "$top/said")"
here systemctl is-active $units || fail "the services did not come back"
as amina pos journal >"$top/said" 2>&1 && grep -q Approved "$top/said" || fail "the sale is gone: $(cat "$top/said")"
grep -q '^profile = "kuwait"' "$root/etc/tillway/posd.toml" || fail "the technician's configuration was replaced"

step "a release before that reads the journal is taken; one that cannot is refused, and nothing is changed"
install "/srv/tillway_1.0.0_$arch.deb"
install "/srv/tillway_2.0.0_$arch.deb"
refused "reads journals up to form . and the one in /var/lib/tillway has form 9999" here dpkg -i "/srv/tillway_1.1.0_$arch.deb"
[ "$(here dpkg-query -W -f '${Version} ${db:Status-Status}' tillway)" = "2.0.0 installed" ] || fail "a refused downgrade left $(here dpkg-query -W tillway)"
here systemctl is-active $units || fail "a refused downgrade stopped the services"
as amina pos status >/dev/null 2>&1 || fail "a refused downgrade broke the terminal"

step "removing and purging with money owed: the folder stays, and that is said"
here dpkg -r tillway >"$top/said" 2>&1 || fail "$(cat "$top/said")"
if here systemctl is-active tillway-posd.service 2>/dev/null; then fail "posd runs on"; fi
here dpkg -P tillway >"$top/said" 2>&1 || fail "$(cat "$top/said")"
grep -q "are kept, because money may be owed" "$top/said" || fail "it does not say that money is owed: $(cat "$top/said")"
[ -s "$state/journal.db" ] || fail "the journal of money owed is gone"
[ -e "$root/var/lib/tillway-keyd/keys" ] || fail "the keys of money owed are gone"
[ ! -e "$root/etc/tillway/posd.toml" ] || fail "purging left the configuration"

step "installed again, settled, purged: nothing is left"
install "/srv/tillway_2.0.0_$arch.deb"
here systemctl stop $units
cp "$root/usr/share/doc/tillway/posd.toml" "$top/all.toml"
cat >"$root/etc/tillway/posd.toml" <<'EOF'
profile = "kuwait"
development = true
state = "/var/lib/tillway"
socket = "/run/tillway/posd.sock"
socket_group = "tillway"
[keys]
service = "/run/tillway-keyd/keyd.sock"
service_user = "tillway-keyd"
witness = "/var/lib/tillway.witness"
[reader]
port = "/srv/reader/port"
[acquirer]
address = "127.0.0.1:8583"
ca = "/srv/ca.pem"
[acquirer.nac]
tpdu = "6000030000"
nii = "003"
host_totals = true
deferred = true
EOF
signs
# shellcheck disable=SC2086
here systemctl start $units 2>"$top/said" || fail "$(cat "$top/said")"
as amina pos settle >"$top/said" 2>&1 || fail "not settled: $(cat "$top/said")"
here dpkg -P tillway >"$top/said" 2>&1 || fail "$(cat "$top/said")"
for folder in "$state" "$state.witness" "$root/var/lib/tillway-keyd" "$root/etc/tillway/posd.toml"; do
	[ ! -e "$folder" ] || fail "$folder is left: $(cat "$top/said")"
done
step "ok"
