package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestDepsScreen runs make/deps-screen.sh on machines made of scripts: what it installs and fetches, and that it says loudly what is
// not checked where it may not.
func TestDepsScreen(t *testing.T) {
	const (
		there    = `exit 0`
		fetches  = `echo "npm $*" >>"$MACHINE/calls"; mkdir -p node_modules`
		installs = `echo "apt-get $*" >>"$MACHINE/calls"; for f in node npm chromium; do cp "$MACHINE/id" "$MACHINE/$f"; done; printf '#!/bin/sh\necho "npm $*" >>"$MACHINE/calls"; mkdir -p node_modules\n' >"$MACHINE/npm"`
		ci       = "npm ci --ignore-scripts --no-audit --no-fund --loglevel=error\n"
	)
	for _, c := range []struct {
		name    string
		machine map[string]string
		calls   string
		says    string
	}{
		{"all there", map[string]string{"node": there, "npm": fetches, "chromium": there, "id": "echo 0"}, ci, "fetching the packages"},
		{"nothing there, root", map[string]string{"apt-get": installs, "id": "echo 0"}, "apt-get update -q\napt-get install -y --no-install-recommends nodejs npm chromium\n" + ci, "installing: nodejs npm chromium"},
		{"no browser, no sudo", map[string]string{"node": there, "npm": fetches, "apt-get": installs, "id": "echo 1000"}, "", "NOT CHECKED"},
		{"no apt", map[string]string{"id": "echo 0"}, "", "NOT CHECKED"},
		{"npm fetches nothing", map[string]string{"node": there, "npm": "exit 1", "chromium": there, "id": "echo 0"}, "", "NOT CHECKED"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, home := t.TempDir(), t.TempDir()
			for _, tool := range []string{"sh", "cmp", "cp", "mkdir", "cat"} {
				real, err := exec.LookPath(tool)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.Symlink(real, filepath.Join(dir, tool)); err != nil {
					t.Fatal(err)
				}
			}
			for name, does := range c.machine {
				if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+does+"\n"), 0o755); err != nil { //nolint:gosec // a script must be executable
					t.Fatal(err)
				}
			}
			script, err := filepath.Abs(filepath.Join("..", "..", "..", "make", "deps-screen.sh"))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.MkdirAll(filepath.Join(home, "till", "screen"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(home, "till", "screen", "package-lock.json"), []byte("{}\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			run := func() string {
				cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "sh"), script)
				cmd.Dir = home
				cmd.Env = []string{"PATH=" + dir, "MACHINE=" + dir}
				out, err := cmd.CombinedOutput()
				if err != nil {
					t.Errorf("%v: it has to let the rest go on\n%s", err, out)
				}
				return string(out)
			}
			says := run()
			calls, _ := os.ReadFile(filepath.Join(dir, "calls"))
			if string(calls) != c.calls || !strings.Contains(says, c.says) {
				t.Errorf("called\n%ssaid\n%s", calls, says)
			}
			if c.calls == "" {
				return
			}
			if says := run(); says != "" { // a second time there is nothing to do
				t.Errorf("again it said\n%s", says)
			}
		})
	}
}
