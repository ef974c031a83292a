//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	keydUser = 64511
	posdUser = 64512
)

// startJailed starts a program as a unit has it.
func (w *world) startJailed(t *testing.T, j jail, name string, args ...string) *program {
	t.Helper()
	text, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(jailVariable, string(text))
	p, err := launch(w.folder, name, os.Args[0], append([]string{w.binary(name)}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Unsetenv(jailVariable); err != nil {
		t.Fatal(err)
	}
	w.running = append(w.running, p)
	return p
}

// giveTo makes a folder somebody's, with everything in it.
func giveTo(t *testing.T, folder string, user int) {
	t.Helper()
	if err := filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, user, user))
	}); err != nil {
		t.Fatal(err)
	}
}

// TestServicesUnderTheirUnits: keyd and posd as two users, with no capability, a read-only root and the system calls of their units, start in the
// wrong order, take keys, and sell; keyd is killed and started again between two sales.
func TestServicesUnderTheirUnits(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("NOT CHECKED without root: posd and keyd under the restrictions of their units")
		return
	}
	forKeyd, there := jailOf(t, "tillway-keyd.service")
	if !there {
		return
	}
	forPosd, _ := jailOf(t, "tillway-posd.service")
	programs, err := built()
	if err != nil {
		t.Fatal(err)
	}
	w, err := stage(t.Context(), programs, t.TempDir(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.end)
	config, err := os.ReadFile(w.config)
	if err != nil {
		t.Fatal(err)
	}
	service := fmt.Sprintf("[keys]\nservice = \"tillway-keyd/keyd.sock\"\nservice_user = \"%d\"\nwitness = \"state/witness\"\n", keydUser)
	text := strings.Replace(string(config), "[pin]\non_screen = true\n", service, 1)
	if err := os.WriteFile(w.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	keydFolder := w.path("tillway-keyd")
	for _, path := range []string{keydFolder, filepath.Join(keydFolder, "state"), w.path("state")} {
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.startHost(t.Context()), w.startReader(t.Context())); err != nil {
		t.Fatal(err)
	}
	giveTo(t, w.folder, posdUser)
	giveTo(t, keydFolder, keydUser)
	for at := w.folder; at != "/"; at = filepath.Dir(at) {
		if info, err := os.Stat(at); err == nil {
			_ = os.Chmod(at, info.Mode().Perm()|info.Mode()&os.ModeSticky|0o011)
		}
	}
	_ = os.Chmod(keydFolder, 0o711) //nolint:gosec // as its run folder is
	tty, err := filepath.EvalSymlinks(w.path("reader"))
	if err == nil {
		err = os.Chown(tty, posdUser, -1)
	}
	if err != nil {
		t.Fatal(err)
	}
	forKeyd.UID, forKeyd.GID, forKeyd.Groups, forKeyd.Writable = keydUser, keydUser, []int{posdUser}, []string{keydFolder}
	forPosd.UID, forPosd.GID, forPosd.Groups, forPosd.Writable = posdUser, posdUser, []int{}, []string{w.folder}
	keyd := []string{
		"-listen", filepath.Join(keydFolder, "keyd.sock"), "-client", fmt.Sprint(posdUser), "-group", fmt.Sprint(posdUser), "-keys", filepath.Join(keydFolder, "keys.sock"),
		"-file", filepath.Join(keydFolder, "state", "keys"), "-witness", filepath.Join(keydFolder, "state", "witness"), "-development",
	}
	posd := w.startJailed(t, forPosd, "posd", "--config", w.config)
	module := w.startJailed(t, forKeyd, "keyd", keyd...)
	if err := posd.until(t.Context(), "waiting for posd", func(context.Context) bool { return saysReady(posd.output(), "posd") }); err != nil {
		t.Fatalf("%v\n%s\n%s", err, posd.output(), module.output())
	}
	if err := os.Symlink(filepath.Join(keydFolder, "keys.sock"), w.path("keys.sock")); err != nil {
		t.Fatal(err)
	}
	if err := w.loadKeys(t.Context()); err != nil {
		t.Fatalf("%v\n%s", err, module.output())
	}
	for round := range 2 {
		for p, user := range map[*program]int{posd: posdUser, module: keydUser} {
			shutIn(t, p, user)
		}
		printed, status, err := w.pay(t.Context(), "sale 3.000", "")
		if err != nil || status != 0 || !strings.Contains(printed, "APPROVED") {
			t.Fatalf("sale %d: %d, %v\n%s\n%s\n%s", round+1, status, err, printed, posd.output(), module.output())
		}
		if round == 0 {
			module.kill()
			module = w.startJailed(t, forKeyd, "keyd", keyd...)
		}
	}
	if said := posd.output(); !strings.Contains(said, "keyd is there again") {
		t.Errorf("posd says nothing of the keyd that was started again:\n%s", said)
	}
}

// shutIn looks at what the kernel says of a process: the jail is there, so that what works in it works there.
func shutIn(t *testing.T, p *program, user int) {
	t.Helper()
	var status string
	if err := p.until(t.Context(), "waiting for it to be shut in", func(context.Context) bool {
		text, err := os.ReadFile(filepath.Join("/proc", fmt.Sprint(p.cmd.Process.Pid), "status"))
		status = string(text)
		return err == nil && strings.Contains(status, "Name:\t"+p.name+"\n")
	}); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{fmt.Sprintf("Uid:\t%d\t%d\t%d\t%d\n", user, user, user, user), "CapBnd:\t0000000000000000\n", "CapEff:\t0000000000000000\n", "NoNewPrivs:\t1\n", "Seccomp:\t2\n"} {
		if !strings.Contains(status, line) {
			t.Errorf("%s: the kernel does not say %q:\n%s", p.name, line, status)
		}
	}
}
