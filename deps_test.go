package tillway

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestDeps runs make/deps.sh on machines made of scripts: what it installs, what it asks for, and what it leaves alone.
func TestDeps(t *testing.T) {
	const (
		goWorks   = `case "$2" in GOVERSION) echo go1.26.8;; CC) echo cc;; CGO_ENABLED) echo 1;; esac`
		goNoCgo   = `case "$2" in GOVERSION) echo go1.26.8;; CC) echo cc;; CGO_ENABLED) echo 0;; esac`
		goTooOld  = `echo 'invalid go version 1.26.0' >&2; exit 1`
		works     = `cat >/dev/null`
		root      = `echo 0`
		user      = `echo 1000`
		fails     = `exit 1`
		sudo      = `[ "$1" = -n ] || exit 9; shift; "$@"`
		installs  = `echo "$*" >>"$MACHINE/calls"; [ "$1" = update ] || { printf '#!/bin/sh\ncat >/dev/null\n' >"$MACHINE/gcc"; cp "$MACHINE/gcc" "$MACHINE/pkg-config"; chmod +x "$MACHINE/gcc" "$MACHINE/pkg-config"; }`
		installed = "update -q\ninstall -y --no-install-recommends gcc libc6-dev\n"
	)
	for _, c := range []struct {
		name    string
		machine map[string]string // command: what it does
		ok      bool
		calls   string   // of apt-get
		says    []string // on standard error
	}{
		{"all there", map[string]string{"go": goWorks, "cc": works, "apt-get": installs, "id": root}, true, "", nil},
		{"no Go", map[string]string{"cc": works, "apt-get": installs, "id": root}, false, "", []string{"Go is not installed", "the Go project's own site"}},
		{"Go too old", map[string]string{"go": goTooOld, "cc": works, "apt-get": installs, "id": root}, false, "", []string{"invalid go version", "the Go project's own site"}},
		{"no libusb, root", map[string]string{"go": goWorks, "cc": works, "pkg-config": fails, "apt-get": installs, "id": root}, true, "update -q\ninstall -y --no-install-recommends libusb-1.0-0-dev pkg-config\n", []string{"missing: libusb's headers", "installing: libusb-1.0-0-dev pkg-config"}},
		{"neither compiler nor libusb, no sudo", map[string]string{"go": goWorks, "pkg-config": fails, "apt-get": installs, "id": user}, false, "", []string{"gcc libc6-dev libusb-1.0-0-dev pkg-config"}},
		{"libusb not to be had", map[string]string{"go": goWorks, "cc": works, "pkg-config": fails, "apt-get": "exit 0", "id": root}, false, "", []string{"still does not find it"}},
		{"no libusb, no apt", map[string]string{"go": goWorks, "cc": works, "pkg-config": fails, "id": root}, false, "", []string{"libusb1-devel", "pacman -S gcc libusb", "libusb-dev"}},
		{"no compiler, root", map[string]string{"go": goWorks, "apt-get": installs, "id": root}, true, installed, []string{"missing: a working C compiler", "installing: gcc libc6-dev"}},
		{"compiler without headers, root", map[string]string{"go": goWorks, "cc": fails, "apt-get": installs, "id": root}, true, installed, []string{"SQLite"}},
		{"no compiler, sudo without password", map[string]string{"go": goWorks, "apt-get": installs, "id": user, "sudo": sudo}, true, installed, []string{"installing: gcc libc6-dev"}},
		{"no compiler, sudo asks", map[string]string{"go": goWorks, "apt-get": installs, "id": user, "sudo": fails}, false, "", []string{"sudo apt-get update && sudo apt-get install -y --no-install-recommends gcc libc6-dev"}},
		{"no compiler, no sudo", map[string]string{"go": goWorks, "apt-get": installs, "id": user}, false, "", []string{"run this line"}},
		{"no compiler, no apt", map[string]string{"go": goWorks, "id": root}, false, "", []string{"dnf install gcc", "pacman -S gcc libusb pkgconf", "apk add gcc musl-dev"}},
		{"apt fails", map[string]string{"go": goWorks, "apt-get": fails, "id": root}, false, "", []string{"installing"}},
		{"cgo off", map[string]string{"go": goNoCgo, "cc": works, "id": root}, false, "", []string{"CGO_ENABLED=1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := machine(t, c.machine)
			cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "sh"), "make/deps.sh")
			cmd.Env = []string{"PATH=" + dir, "MACHINE=" + dir, "TMPDIR=" + t.TempDir()}
			var says strings.Builder
			cmd.Stderr = &says
			err := cmd.Run()
			if (err == nil) != c.ok {
				t.Errorf("ended with %v; it said:\n%s", err, says.String())
			}
			calls, err := os.ReadFile(filepath.Join(dir, "calls"))
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
			if string(calls) != c.calls {
				t.Errorf("apt-get was called with\n%s\nwant\n%s", calls, c.calls)
			}
			for _, want := range c.says {
				if !strings.Contains(says.String(), want) {
					t.Errorf("it did not say %q:\n%s", want, says.String())
				}
			}
			if len(c.says) == 0 && says.Len() > 0 {
				t.Errorf("nothing was missing, and it said:\n%s", says.String())
			}
		})
	}
}

// machine is a folder that is the whole PATH: a shell, four tools, and the given commands as scripts.
func machine(t *testing.T, commands map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	if commands["pkg-config"] == "" {
		commands["pkg-config"] = "exit 0" // libusb is there
	}
	for _, tool := range []string{"sh", "mktemp", "rm", "cat", "chmod", "cp"} {
		real, err := exec.LookPath(tool)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(real, filepath.Join(dir, tool)); err != nil {
			t.Fatal(err)
		}
	}
	for name, does := range commands {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+does+"\n"), 0o755); err != nil { //nolint:gosec // a script must be executable
			t.Fatal(err)
		}
	}
	return dir
}
