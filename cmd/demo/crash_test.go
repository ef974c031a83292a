package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"
)

// TestCrashLeavesNothing: posd and keyd are ended by the signals of a crash, after sales with PIN, with core dumps allowed by
// whoever started them. No core is dumped, no core file lies anywhere they could write one, and nothing that they said on
// the way holds a card number, a PIN or a key. Afterwards the terminal starts again and sells.
func TestCrashLeavesNothing(t *testing.T) {
	t.Parallel()
	allowCores(t)
	w := whole(t, io.Discard)
	if err := w.cardholder(t.Context(), "insert", pinCard); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		program string
		signal  syscall.Signal
	}{
		{"posd", syscall.SIGSEGV},
		{"posd", syscall.SIGABRT},
		{"posd", syscall.SIGQUIT},
		{"keyd", syscall.SIGSEGV},
		{"keyd", syscall.SIGABRT},
		{"keyd", syscall.SIGQUIT},
	} {
		w.sellWithPIN(t, 2, "before the crash")
		pid, err := w.pid("posd")
		if err != nil {
			t.Fatal(err)
		}
		keyd, err := childOf(pid, "keyd")
		if err != nil {
			t.Fatal(err)
		}
		if c.program == "keyd" {
			pid = keyd
		}
		noCore(t, pid)
		p, err := w.take("posd")
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(pid, c.signal); err != nil {
			t.Fatal(err)
		}
		select {
		case <-p.ended: // without keyd posd ends too: it can seal nothing
		case <-time.After(endWithin):
			p.kill()
			t.Fatalf("%s had %v, and posd went on", c.program, c.signal)
		}
		exit, crashed := errors.AsType[*exec.ExitError](p.err)
		if !crashed {
			t.Errorf("%s had %v, and posd ended with %v", c.program, c.signal, p.err)
		} else if s, ok := exit.Sys().(syscall.WaitStatus); !ok || s.CoreDump() {
			t.Errorf("%s had %v: a core was dumped", c.program, c.signal)
		}
		awaitGone(t, keyd)
		if err := w.startTerminal(t.Context()); err != nil {
			t.Fatalf("after %v of %s: %v", c.signal, c.program, err)
		}
	}
	w.sale(t, 0, "1.000", "--pin-file", pinFile(t, rightPIN))
	for _, folder := range []string{".", "/", w.folder, w.path("state")} {
		found, err := filepath.Glob(filepath.Join(folder, "core*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range found {
			if info, err := os.Lstat(name); err == nil && info.Mode().IsRegular() {
				t.Errorf("core file %s", name)
			}
		}
	}
	w.nothingOnDisk(t)
}

// allowCores lifts the limit of core files for the programs that the test starts.
func allowCores(t *testing.T) {
	t.Helper()
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_CORE, &before); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{Cur: before.Max, Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_CORE, &before); err != nil {
			t.Error(err)
		}
	})
}

// noCore: the process has taken the right to dump cores away from itself.
func noCore(t *testing.T, pid int) {
	t.Helper()
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", pid))
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`(?m)^Max core file size +0 +0 +`).Match(limits) {
		t.Errorf("process %d may dump cores:\n%s", pid, limits)
	}
}

func awaitGone(t *testing.T, pid int) {
	t.Helper()
	for end := time.Now().Add(endWithin); syscall.Kill(pid, 0) == nil; time.Sleep(pollEvery) {
		if time.Now().After(end) {
			t.Fatalf("keyd, process %d, outlives posd", pid)
		}
	}
}

func pinFile(t *testing.T, pin string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "pin")
	if err := os.WriteFile(name, []byte(pin+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}
