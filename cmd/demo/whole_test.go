package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
)

// childVariable makes this test program a child of one of its tests.
const childVariable = "TILLWAY_TEST_CHILD"

// TestMain is the child where there is the variable; else it runs the tests and removes the programs built for them.
func TestMain(m *testing.M) {
	if text := os.Getenv(jailVariable); text != "" {
		fmt.Fprintln(os.Stderr, "not shut in:", enterJail(text))
		os.Exit(1)
	}
	if os.Getenv(childVariable) != "" {
		plant()
		return
	}
	code := m.Run()
	if err := os.RemoveAll(builtIn()); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

func builtIn() string {
	return filepath.Join(os.TempDir(), fmt.Sprintf("tillway-demo-test-%d", os.Getpid()))
}

// built builds the real programs, as the Makefile does, once for all tests of this package.
var built = sync.OnceValues(func() (string, error) {
	folder := builtIn() + string(filepath.Separator)
	plain := exec.Command("go", "build", "-buildvcs=false", "-o", folder, "tillway/cmd/posd", "tillway/cmd/pos", "tillway/cmd/hostsim", "tillway/cmd/readeremu") //nolint:gosec // our own packages
	if out, err := plain.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	keyd := exec.Command("go", "build", "-buildvcs=false", "-o", folder, "tillway/cmd/keyd") //nolint:gosec // our own package
	keyd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if runtime.GOOS == "linux" && (runtime.GOARCH == "amd64" || runtime.GOARCH == "arm64") {
		keyd.Env = append(keyd.Env, "GOEXPERIMENT=runtimesecret")
	}
	if out, err := keyd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("keyd: %w: %s", err, out)
	}
	return folder, nil
})

// whole is the terminal with its bank and its reader, as real programs, all up. The test's end ends them.
func whole(t *testing.T, log io.Writer) *world {
	t.Helper()
	programs, err := built()
	if err != nil {
		t.Fatal(err)
	}
	w, err := stage(t.Context(), programs, t.TempDir(), log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.end)
	if err := w.startAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.loadKeys(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

// sale makes one sale and gives what pos printed; another exit status than the wanted one ends the test.
func (w *world) sale(t *testing.T, want int, args ...string) string {
	t.Helper()
	printed, status, err := w.cashier(t.Context(), append([]string{"sale"}, args...)...)
	if err != nil || status != want {
		t.Fatalf("pos sale %v ended with %d, want %d: %v\n%s", args, status, want, err, printed)
	}
	if err := w.settled(t.Context()); err != nil {
		t.Fatal(err)
	}
	return printed
}

var errGone = errors.New("not running")

// pid of a program of the stack.
func (w *world) pid(name string) (int, error) {
	for _, p := range w.running {
		if p.name == name {
			return p.cmd.Process.Pid, nil
		}
	}
	return 0, fmt.Errorf("%s: %w", name, errGone)
}
