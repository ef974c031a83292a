package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"tillway/device/secure"
	"tillway/device/secure/x9"
)

// program is keyd as make builds it, once for all tests.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "keyd")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "keyd")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", path, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if runtime.GOOS == "linux" && (runtime.GOARCH == "amd64" || runtime.GOARCH == "arm64") {
		build.Env = append(build.Env, "GOEXPERIMENT=runtimesecret")
	}
	if out, err := build.CombinedOutput(); err != nil {
		return "", errors.Join(err, errors.New(string(out)), os.RemoveAll(dir))
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := program(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// A home is what one keyd works on.
type home struct{ dir string }

func newHome(t testing.TB) home {
	t.Helper()
	h := home{t.TempDir()}
	if err := os.Mkdir(filepath.Join(h.dir, "state"), 0o700); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h home) path(name string) string { return filepath.Join(h.dir, name) }

func (h home) args(more ...string) []string {
	return append([]string{"-first", "-file", h.path("state/keys"), "-witness", h.path("witness"), "-keys", h.path("keys.sock")}, more...)
}

// launch starts keyd. What it logs is kept.
func (h home) launch(t testing.TB, more ...string) (*secure.Process, *bytes.Buffer) {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	p, err := secure.Launch(context.Background(), path, h.args(more...), &log, nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	t.Cleanup(func() { _ = p.Close() })
	return p, &log
}

// custodian connects to the socket for loading keys.
func (h home) custodian(t testing.TB) *secure.Client {
	t.Helper()
	var d net.Dialer
	conn, err := d.DialContext(t.Context(), "unix", h.path("keys.sock"))
	if err != nil {
		t.Fatal(err)
	}
	c := secure.NewClient(conn, nil)
	if err := c.Greeting(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

var (
	shares = [][]byte{{0x10, 0x32, 0x54, 0x76, 0x98, 0xBA, 0xDC, 0xFE, 1, 2, 3, 4, 5, 6, 7, 9}, {0xA1, 0xB2, 0xC3, 0xD4, 0xE5, 0xF6, 7, 0x18, 0x29, 0x3A, 0x4B, 0x5C, 0x6D, 0x7E, 0x8F, 0x90}}
	ksn    = x9.KSN{0xFF, 0xFF, 0x98, 0x76, 0x54, 0x32, 0x10, 0xE0}
)

// load enters both shares and two initial keys, through the sockets that people and posd use.
func (h home) load(t testing.TB) {
	t.Helper()
	c := h.custodian(t)
	defer func() { _ = c.Close() }()
	loadInto(t, c)
}

func loadInto(t testing.TB, c *secure.Client) {
	t.Helper()
	for i, share := range shares {
		if _, err := c.LoadComponent(t.Context(), secure.Component{Set: "bank", Of: 2, Number: i + 1, Holder: []string{"Amina", "Badr"}[i], Algorithm: secure.TDES, Value: bytes.Clone(share)}); err != nil {
			t.Fatal(err)
		}
	}
	kek, err := x9.CombineComponents(shares...)
	if err != nil {
		t.Fatal(err)
	}
	for use, serial := range map[secure.Use]x9.KSN{secure.UseMAC: ksn, secure.UsePIN: {0xFF, 0xFF, 0x98, 0x76, 0x54, 0x32, 0x11}} {
		ik := make([]byte, 16)
		rand.Read(ik)
		block, err := x9.WrapKeyBlock(kek, x9.KeyBlockHeader{
			Version: 'B', Usage: "B1", Algorithm: 'T', Mode: 'X', KeyVersion: "00", Exportability: 'N',
			Optional: []x9.OptionalBlock{{ID: "KS", Data: serial.String()}},
		}, ik, 0, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Import(t.Context(), "bank", use, block); err != nil {
			t.Fatal(err)
		}
	}
}

// TestKilledBetweenAnySteps: keyd is killed again and again, at whatever it is doing; no serial number comes twice.
func TestKilledBetweenAnySteps(t *testing.T) {
	h, seen := newHome(t), map[string]bool{}
	p, _ := h.launch(t)
	h.load(t)
	given := 0
	for round := range 25 {
		dead := make(chan struct{})
		at := time.Duration(round*1370%40000) * time.Microsecond
		go func() {
			defer close(dead)
			time.Sleep(at)
			_ = syscall.Kill(p.PID(), syscall.SIGKILL)
		}()
		for {
			l, err := p.NextKey(t.Context(), "bank", secure.UseMAC)
			if err != nil {
				if !errors.Is(err, secure.ErrGone) {
					t.Fatalf("killed: %v", err)
				}
				break
			}
			if seen[string(l.KSN)] {
				t.Fatalf("round %d: serial number %X came twice", round, l.KSN)
			}
			seen[string(l.KSN)] = true
			given++
		}
		<-dead
		_ = p.Close()
		p, _ = h.launch(t)
	}
	if given < 25 {
		t.Errorf("only %d keys were given: nothing was killed in the middle", given)
	}
}

// TestEndsWithItsSocket: when posd is gone, keyd is, and it hears no signal that a terminal or a service manager sends to
// all at once: posd ends first.
func TestEndsWithItsSocket(t *testing.T) {
	h := newHome(t)
	p, log := h.launch(t)
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		if err := syscall.Kill(p.PID(), s); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.Status(t.Context()); err != nil {
		t.Errorf("after signals: %v", err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if err := syscall.Kill(p.PID(), 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("its process: %v", err)
	}
	if log.Len() != 0 {
		t.Errorf("it said %q", log.String())
	}
}

// TestSaysWhyItDoesNotStart: the error of the module's start arrives as itself.
func TestSaysWhyItDoesNotStart(t *testing.T) {
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	h := newHome(t)
	for name, c := range map[string]struct {
		args []string
		want error
	}{
		"no files":                 {[]string{"-file", h.path("state/none")}, secure.ErrFiles},
		"on-screen in production":  {h.args("-production", "-on-screen", h.path("pin.sock")), secure.ErrRequest},
		"no unlock secret's file":  {h.args("-unlock", h.path("nowhere")), os.ErrNotExist},
		"a relative path":          {[]string{"-file", "keys"}, secure.ErrGone},
		"a flag that is not known": {h.args("-clear"), secure.ErrGone},
	} {
		_, err := secure.Launch(t.Context(), path, c.args, io.Discard, nil)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	first, _ := h.launch(t)
	if _, err := secure.Launch(t.Context(), path, h.args(), io.Discard, nil); !errors.Is(err, secure.ErrFiles) {
		t.Errorf("two on one key file: %v", err)
	}
	if _, err := first.Status(t.Context()); err != nil {
		t.Errorf("the first: %v", err)
	}
	out, err := exec.CommandContext(t.Context(), path, h.args()...).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "started by posd") {
		t.Errorf("by hand: %v, %q", err, out)
	}
}

// TestProcessIsClosed: what the kernel says of the process.
func TestProcessIsClosed(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Log("the flags are those of Linux")
		return
	}
	h := newHome(t)
	p, _ := h.launch(t)
	proc := filepath.Join("/proc", itoa(p.PID()))
	status, err := os.ReadFile(filepath.Join(proc, "status"))
	if err != nil || !strings.Contains(string(status), "NoNewPrivs:\t1") {
		t.Errorf("new privileges: %v", err)
	}
	limits, err := os.ReadFile(filepath.Join(proc, "limits"))
	if err != nil || !coreIsZero(string(limits)) {
		t.Errorf("core files: %v\n%s", err, limits)
	}
	info, err := os.Stat(filepath.Join(proc, "mem"))
	if err != nil || info.Sys().(*syscall.Stat_t).Uid != 0 { //nolint:errcheck,forcetypeassert // as it is on Linux
		t.Errorf("its memory belongs to its user: it is dumpable (%v)", err)
	}
	env, err := os.ReadFile(filepath.Join(proc, "environ"))
	if err == nil && len(env) != 0 {
		t.Errorf("it inherited %q", env)
	}
	st, err := p.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []string{"own", "not dumpable", "no core files", "no new privileges"} {
		if !strings.Contains(st.Where, w) {
			t.Errorf("status %q does not say %q", st.Where, w)
		}
	}
	if !strings.Contains(st.Memory, "memfd_secret") && !strings.Contains(st.Memory, "locked") {
		t.Errorf("memory %q", st.Memory)
	}
	if joined := strings.Join(st.Warnings, " "); (runtime.GOARCH == "amd64" || runtime.GOARCH == "arm64") && strings.Contains(joined, "runtimesecret") {
		t.Errorf("warnings %q", joined)
	}
	for _, name := range []string{"keys.sock", "state/keys"} {
		if info, err := os.Stat(h.path(name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v (%v)", name, info.Mode(), err)
		}
	}
}

func coreIsZero(limits string) bool {
	for line := range strings.Lines(limits) {
		if rest, ok := strings.CutPrefix(line, "Max core file size"); ok {
			return strings.Join(strings.Fields(rest)[:2], " ") == "0 0"
		}
	}
	return false
}

func itoa(n int) string {
	var b []byte
	for ; n > 0; n /= 10 {
		b = append([]byte{byte('0' + n%10)}, b...)
	}
	return string(b)
}

// TestCrashSaysNothing: whatever it is killed with, it prints neither stack nor registers, which could show a key, and
// leaves no core file.
func TestCrashSaysNothing(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGQUIT, syscall.SIGABRT, syscall.SIGSEGV, syscall.SIGBUS, syscall.SIGFPE, syscall.SIGILL, syscall.SIGTRAP, syscall.SIGSYS} {
		h := newHome(t)
		p, log := h.launch(t)
		if err := syscall.Kill(p.PID(), sig); err != nil {
			t.Fatal(err)
		}
		<-p.Done()
		_ = p.Close()
		if out := log.String(); strings.Count(out, "\n") != 1 || !strings.Contains(out, "ended by signal") {
			t.Errorf("%v: it printed:\n%.300s", sig, out)
		}
		for _, dir := range []string{"/", h.dir} {
			if cores, _ := filepath.Glob(filepath.Join(dir, "core*")); len(cores) != 0 {
				t.Errorf("core files %v", cores)
			}
		}
	}
}

// The unlock secret comes from a file that nobody else may read.
func TestUnlockSecretFile(t *testing.T) {
	h := newHome(t)
	secret := h.path("secret")
	if err := os.WriteFile(secret, []byte("correct horse battery\n"), 0o644); err != nil { //nolint:gosec // the test wants it refused
		t.Fatal(err)
	}
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := secure.Launch(t.Context(), path, h.args("-unlock", secret), io.Discard, nil); err == nil || !strings.Contains(err.Error(), "chmod") {
		t.Errorf("a secret that others can read: %v", err)
	}
	if err := os.Chmod(secret, 0o400); err != nil {
		t.Fatal(err)
	}
	p, _ := h.launch(t, "-unlock", secret)
	if st, err := p.Status(t.Context()); err != nil || !strings.Contains(st.Storage, "Argon2id") {
		t.Errorf("%+v, %v", st, err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := secure.Launch(t.Context(), path, h.args(), io.Discard, nil); !errors.Is(err, secure.ErrLocked) {
		t.Errorf("without the secret: %v", err)
	}
}
