#!/bin/sh
# Looks for what the cashier's screen is checked and bundled with beyond `make deps`, and installs what is missing: Node and npm, a
# browser (Chromium), and the packages of till/screen/package-lock.json. As root or with passwordless sudo without a question;
# otherwise it prints the one line to run, says what is NOT CHECKED without it, and lets the rest go on: no program of Tillway needs
# any of it to be built or to run.
set -eu

say() { printf 'deps-screen: %s\n' "$*" >&2; }
unchecked() {
	say "NOT CHECKED on this machine: the screens in a browser, their types, their modules' tests, and whether dist is what the sources give."
	exit 0
}

packages=
need() { command -v "$1" >/dev/null 2>&1 || packages="${packages:+$packages }$2"; }
need node nodejs
need npm npm
need chromium chromium

if [ -n "$packages" ]; then
	command -v apt-get >/dev/null 2>&1 || {
		say "missing: $packages. Install them with your system's packages, then run make again."
		unchecked
	}
	if [ "$(id -u)" = 0 ]; then
		sudo=
	elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
		sudo="sudo -n"
	else
		say "missing: $packages. Run this line, then make again:"
		say "  sudo apt-get update && sudo apt-get install -y --no-install-recommends $packages"
		unchecked
	fi
	say "installing: $packages (the screen's tests)"
	export DEBIAN_FRONTEND=noninteractive
	$sudo apt-get update -q >&2
	# shellcheck disable=SC2086 # words on purpose
	$sudo apt-get install -y --no-install-recommends $packages >&2
fi

cd till/screen
stamp=node_modules/.installed-lock
cmp -s package-lock.json "$stamp" 2>/dev/null && exit 0
say "fetching the packages of till/screen/package-lock.json"
npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2 || {
	say "npm could not fetch them: see the lines above."
	unchecked
}
cp package-lock.json "$stamp"
