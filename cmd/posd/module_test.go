package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tillway/device/secure"
)

// A separate module is a module that a test ends.
type separate struct {
	secureModule
	done chan struct{}
}

func (s separate) Done() <-chan struct{} { return s.done }

// When the module has ended, posd says so; a posd that ends by itself does not.
func TestModuleThatEnds(t *testing.T) {
	gone := separate{done: make(chan struct{})}
	close(gone.done)
	if err := watchModule(t.Context(), gone); !errors.Is(err, secure.ErrGone) {
		t.Errorf("%v, want ErrGone", err)
	}
	ending, stop := context.WithCancel(t.Context())
	stop()
	for _, m := range []secureModule{gone, separate{done: make(chan struct{})}, nil} {
		if err := watchModule(ending, m); err != nil {
			t.Errorf("posd ends: %v", err)
		}
	}
}

// The configuration decides what keyd is told; nothing secret is in it.
func TestModuleArguments(t *testing.T) {
	c := defaults()
	c.Keys.Witness, c.Keys.Socket, c.PIN.Socket = "/w", "/k.sock", "/p.sock"
	if got := c.moduleArguments("/s/keys", false); !slices.Equal(got, []string{"-file", "/s/keys", "-witness", "/w/keys", "-keys", "/k.sock", "-production"}) {
		t.Errorf("by default %q", got)
	}
	c.Development, c.PIN.OnScreen, c.Keys.Unlock, c.Keys.Weak = true, true, "/u", []string{"bank"}
	if got := strings.Join(c.moduleArguments("/s/keys", true), " "); got != "-file /s/keys -witness /w/keys -keys /k.sock -first -unlock /u -on-screen /p.sock -weak bank" {
		t.Errorf("in development %q", got)
	}
}

// A pad that enciphers by itself belongs to keyd, is one place for PINs, and no two.
func TestPadConfig(t *testing.T) {
	c := defaults()
	c.PIN.Pad = "/dev/ttyUSB1"
	if got := strings.Join(c.moduleArguments("/s/keys", false), " "); !strings.Contains(got, " -production -pad /dev/ttyUSB1") {
		t.Errorf("%q", got)
	}
	for text, says := range map[string]string{
		"development = true\n[pin]\npad = \"pad\"\non_screen = true":         "two places",
		"development = true\n[keys]\nseparate = false\n[pin]\npad = \"pad\"": "keys.separate = true",
		"[pin]\npad = \"pad\"": "",
	} {
		dir := t.TempDir()
		config := strings.Replace(benchConfig(t, dir), "development = true\n[keys]\nseparate = false", text, 1)
		write(t, filepath.Join(dir, "posd.toml"), config)
		c, err := loadConfig(filepath.Join(dir, "posd.toml"))
		if (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", text, err)
		}
		if err == nil && c.PIN.Pad != filepath.Join(dir, "pad") {
			t.Errorf("the port is %s", c.PIN.Pad)
		}
	}
}

// What is for development alone takes development = true.
func TestDevelopmentOnly(t *testing.T) {
	for text, says := range map[string]string{
		"[keys]\nseparate = false": "keys.separate",
		"[pin]\non_screen = true":  "pin.on_screen",
	} {
		dir := t.TempDir()
		config := strings.Replace(benchConfig(t, dir), "development = true\n[keys]\nseparate = false", text, 1)
		if !strings.Contains(config, text) {
			t.Fatal("the test's config has changed")
		}
		write(t, filepath.Join(dir, "posd.toml"), config)
		if _, err := loadConfig(filepath.Join(dir, "posd.toml")); err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "development = true") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// Key files of a release that kept them beside the journal move, whenever the move is cut off, and open.
func TestKeyFilesMove(t *testing.T) {
	for _, moved := range [][]string{nil, {"keys.device"}, {"keys.device", "keys"}} {
		dir := t.TempDir()
		m, err := within(t.Context(), filepath.Join(dir, "keys"), true)
		if err == nil {
			err = errors.Join(m.CreateKey(t.Context(), "batch"), m.Close(), os.Mkdir(filepath.Join(dir, "keyd"), 0o700))
		}
		for _, name := range moved {
			err = errors.Join(err, os.Rename(filepath.Join(dir, name), filepath.Join(dir, "keyd", name)))
		}
		if err != nil {
			t.Fatal(err)
		}
		path, err := keyFile(dir)
		if err != nil {
			t.Fatal(err)
		}
		if m, err = within(t.Context(), path, false); err != nil {
			t.Errorf("after %q: %v", moved, err)
			continue
		}
		if _, err := m.Seal(t.Context(), "batch", nil, []byte("x")); err != nil {
			t.Errorf("after %q: %v", moved, err)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A state folder that is put back from a backup gives no number twice, because the witness is elsewhere; and an orderly end
// leaves no gap.
func TestNumbersOfARestoredFolder(t *testing.T) {
	dir := t.TempDir()
	state, backup := filepath.Join(dir, "state"), filepath.Join(dir, "backup")
	if err := os.Mkdir(state, 0o700); err != nil {
		t.Fatal(err)
	}
	seen, last := map[uint64]bool{}, uint64(0)
	day := func(sales int) {
		t.Helper()
		d, err := openDisk(t.Context(), state, logger(defaults(), os.Stderr))
		if err != nil {
			t.Fatal(err)
		}
		if err := d.witness(t.Context(), filepath.Join(dir, "witness", "counters")); err != nil {
			t.Fatal(err)
		}
		for range sales {
			n, err := d.traces.Next(t.Context())
			if err != nil || seen[n] {
				t.Fatalf("number %d came twice (%v)", n, err)
			}
			seen[n], last = true, n
		}
		if err := d.close(); err != nil {
			t.Fatal(err)
		}
	}
	day(5)
	before := last
	day(5)
	if last != before+5 {
		t.Errorf("after an orderly end %d follows %d", last-4, before)
	}
	if err := os.CopyFS(backup, os.DirFS(state)); err != nil {
		t.Fatal(err)
	}
	day(700)
	for range 2 {
		if err := errors.Join(os.RemoveAll(state), os.CopyFS(state, os.DirFS(backup))); err != nil {
			t.Fatal(err)
		}
		for name, mode := range map[string]os.FileMode{"": 0o700, "keyd": 0o700, "keyd/keys": 0o600, "keyd/keys.device": 0o400} {
			if err := os.Chmod(filepath.Join(state, name), mode); err != nil {
				t.Fatal(err)
			}
		}
		day(300)
	}
}

// What the module tells before the journal is open is audited when it is, and what comes at the end too.
func TestKeyEventsAreAudited(t *testing.T) {
	d, err := openDisk(t.Context(), t.TempDir(), logger(defaults(), os.Stderr))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.close() }()
	k := newKeyEvents()
	k.add(secure.Event{What: "component 1 of 2 entered", Set: "bank", Use: "KEK", Holder: "Amina", Check: "ABCDEF"})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); k.audit(ctx, d.journal, logger(defaults(), os.Stderr)) }()
	deadline := time.After(10 * time.Second)
	for n := 0; n == 0; {
		rows, err := d.journal.AuditRows(t.Context(), 0, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			if r.Note == "component 1 of 2 entered, bank, KEK, ABCDEF, Amina" {
				n++
			}
		}
		select {
		case <-deadline:
			t.Fatalf("not audited: %+v", rows)
		case <-time.After(time.Millisecond):
		}
	}
	k.add(secure.Event{What: "all keys destroyed"})
	stop()
	<-done
	rows, err := d.journal.AuditRows(t.Context(), 0, 100)
	if err != nil || rows[len(rows)-1].Note != "all keys destroyed" {
		t.Errorf("the last event: %+v (%v)", rows, err)
	}
}
