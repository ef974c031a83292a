package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"tillway/device/secure"
)

// The users of the tests: keyd's, posd's, and somebody else's. Without root all three are the one who runs the test, and
// what tells them apart is not checked.
type users struct{ keyd, posd, other uint32 }

func threeUsers(t testing.TB) users {
	t.Helper()
	if os.Geteuid() == 0 {
		return users{keyd: 64501, posd: 64502, other: 64503}
	}
	t.Log("NOT CHECKED without root: keyd and posd as two users, and a third one refused")
	own := uint32(os.Geteuid())
	return users{own, own, own}
}

// syncedLog is what keyd says, read while it runs.
type syncedLog struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *syncedLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *syncedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// A daemon is keyd as a service.
type daemon struct {
	home
	users
	command *exec.Cmd
	log     *syncedLog
	env     []string
	ended   chan struct{}
}

// newDaemon makes the folders as the Debian package has them.
func newDaemon(t testing.TB) *daemon {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("NOT CHECKED: a service is for Linux")
	}
	d := &daemon{home: home{t.TempDir()}, users: threeUsers(t), log: &syncedLog{}, env: []string{}}
	for at := d.dir; at != "/" && os.Geteuid() == 0; at = filepath.Dir(at) { // other users pass through the test's own folders
		if info, err := os.Stat(at); err == nil && info.Mode().Perm()&0o001 == 0 {
			if err := os.Chmod(at, info.Mode().Perm()|0o011); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, mode := range map[string]os.FileMode{"state": 0o700, "witness": 0o700, "run": 0o711} {
		path := d.path(name)
		if err := errors.Join(os.Mkdir(path, mode), os.Chmod(path, mode), os.Chown(path, int(d.keyd), -1)); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

func (d *daemon) socket() string { return d.path("run/keyd.sock") }

func (d *daemon) start(t testing.TB, more ...string) {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 { // where other users may run it
		if err := errors.Join(os.Chmod(filepath.Dir(path), 0o755), os.Chmod(path, 0o755)); err != nil { //nolint:gosec // a program
			t.Fatal(err)
		}
	}
	args := append([]string{
		"-listen", d.socket(), "-client", strconv.Itoa(int(d.posd)), "-file", d.path("state/keys"), "-witness", d.path("witness/keys"), "-keys", d.path("run/keys.sock"), "-development",
	}, more...)
	if os.Geteuid() == 0 {
		args = append(args, "-group", strconv.Itoa(int(d.posd)))
	}
	d.command = exec.Command(path, args...)
	d.command.Env, d.command.Stderr = d.env, d.log
	if os.Geteuid() == 0 {
		d.command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: d.keyd, Gid: d.keyd, Groups: []uint32{d.posd}}}
	}
	if err := d.command.Start(); err != nil {
		t.Fatal(err)
	}
	d.ended = make(chan struct{})
	go func() { defer close(d.ended); _ = d.command.Wait() }()
	t.Cleanup(func() { d.end(t, syscall.SIGKILL) })
}

func (d *daemon) end(t testing.TB, s syscall.Signal) {
	t.Helper()
	_ = d.command.Process.Signal(s) // it may have ended
	select {
	case <-d.ended:
	case <-time.After(20 * time.Second):
		t.Errorf("keyd does not end by %v:\n%s", s, d.log)
		_ = d.command.Process.Kill()
		<-d.ended
	}
}

// dialAs opens the socket as somebody else, in this thread alone: the kernel notes who a thread is when it connects.
func dialAs(path string, user uint32) (net.Conn, error) {
	type end struct {
		conn net.Conn
		err  error
	}
	result := make(chan end, 1)
	go func() {
		if os.Geteuid() == 0 {
			runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
			const keep = ^uintptr(0)
			for _, call := range []uintptr{unix.SYS_SETRESGID, unix.SYS_SETRESUID} {
				if _, _, errno := unix.RawSyscall(call, keep, uintptr(user), keep); errno != 0 {
					result <- end{err: errno}
					return
				}
			}
		}
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			result <- end{err: err}
			return
		}
		if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
			result <- end{err: errors.Join(err, unix.Close(fd))}
			return
		}
		f := os.NewFile(uintptr(fd), path)
		conn, err := net.FileConn(f)
		result <- end{conn, errors.Join(err, f.Close())}
	}()
	e := <-result
	return e.conn, e.err
}

// connect is posd.
func (d *daemon) connect(t testing.TB, first bool) *secure.Remote {
	t.Helper()
	ctx, done := context.WithTimeout(t.Context(), 30*time.Second)
	defer done()
	r, err := secure.Connect(ctx, secure.Dial{
		Path: d.socket(), Hello: secure.Hello{Program: "test", First: first}, Patience: 20 * time.Second,
		Open: func(context.Context) (net.Conn, error) { return dialAs(d.socket(), d.posd) },
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, d.log)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// custodianAs loads the keys at the socket for that.
func (d *daemon) loadAs(t testing.TB) {
	t.Helper()
	conn, err := dialAs(d.path("run/keys.sock"), d.posd)
	if err != nil {
		t.Fatal(err)
	}
	c := secure.NewClient(conn, nil)
	defer func() { _ = c.Close() }()
	if err := c.Greeting(t.Context()); err != nil {
		t.Fatal(err)
	}
	loadInto(t, c)
}

// TestServiceSells: the two users speak over the named socket as they do over the pair, keys are loaded by the group, and what keyd
// guarantees of its process holds.
func TestServiceSells(t *testing.T) {
	d := newDaemon(t)
	d.start(t)
	r := d.connect(t, true)
	d.loadAs(t)
	l, err := r.NextKey(t.Context(), "bank", secure.UseMAC)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.MAC(t.Context(), l, secure.MACAlg3Pad1, make([]byte, 64)); err != nil {
		t.Error(err)
	}
	st, err := r.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []string{"as a service of its own", "not dumpable", "no core files", "no new privileges"} {
		if !strings.Contains(st.Where, w) {
			t.Errorf("status %q does not say %q", st.Where, w)
		}
	}
	if !strings.Contains(st.Memory, "memfd_secret") && !strings.Contains(st.Memory, "locked") {
		t.Errorf("memory %q", st.Memory)
	}
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(d.command.Process.Pid), "status"))
	if err != nil || !strings.Contains(string(status), "NoNewPrivs:\t1") {
		t.Errorf("new privileges: %v", err)
	}
	for name, want := range map[string]os.FileMode{"state/keys": 0o600, "run/keyd.sock": map[bool]os.FileMode{true: 0o660, false: 0o600}[os.Geteuid() == 0]} {
		info, err := os.Stat(d.path(name))
		if err != nil || info.Mode().Perm() != want || info.Sys().(*syscall.Stat_t).Uid != d.keyd { //nolint:errcheck,forcetypeassert // as it is on Linux
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	d.end(t, syscall.SIGTERM)
	if code := d.command.ProcessState.ExitCode(); code != 0 {
		t.Errorf("ended by SIGTERM with %d:\n%s", code, d.log)
	}
}

// TestServiceRefusesOthers: another user is hung up on before a byte is spoken, root too, and it is logged; a second posd is told that there is
// one; and the first goes on.
func TestServiceRefusesOthers(t *testing.T) {
	d := newDaemon(t)
	d.start(t)
	r := d.connect(t, true)
	if os.Geteuid() == 0 {
		if err := os.Chmod(d.socket(), 0o666); err != nil { //nolint:gosec // the mode is not what refuses here
			t.Fatal(err)
		}
		for _, user := range []uint32{d.other, d.keyd, 0} {
			conn, err := dialAs(d.socket(), user)
			if err != nil {
				t.Fatal(err)
			}
			if n, err := conn.Read(make([]byte, 1)); n != 0 || err == nil {
				t.Errorf("user %d was told something", user)
			}
			_ = conn.Close()
		}
		if !strings.Contains(d.log.String(), "connection refused: user "+strconv.Itoa(int(d.other))+" may not") {
			t.Errorf("it logged %s", d.log)
		}
		if err := os.Chmod(d.socket(), 0o660); err != nil { //nolint:gosec // its group's
			t.Fatal(err)
		}
		if _, err := dialAs(d.socket(), d.other); !errors.Is(err, syscall.EACCES) {
			t.Errorf("the socket's mode: %v", err)
		}
		if _, err := dialAs(d.path("run/keys.sock"), d.other); !errors.Is(err, syscall.EACCES) {
			t.Errorf("the mode of the socket for loading keys: %v", err)
		}
	}
	short, done := context.WithTimeout(t.Context(), 3*time.Second)
	defer done()
	_, err := secure.Connect(short, secure.Dial{
		Path: d.socket(), Patience: time.Second,
		Open: func(context.Context) (net.Conn, error) { return dialAs(d.socket(), d.posd) },
	})
	if !errors.Is(err, secure.ErrGone) || !strings.Contains(d.log.String(), "another posd is connected") {
		t.Errorf("a second posd: %v\n%s", err, d.log)
	}
	if _, err := r.Status(t.Context()); err != nil {
		t.Errorf("the first: %v", err)
	}
}

// TestServiceStartsAgain: keyd is killed and started again under a posd that stays. What was sealed opens, no serial number comes
// twice, a lease from before is none, and components that were entered in part are gone.
func TestServiceStartsAgain(t *testing.T) {
	d := newDaemon(t)
	d.start(t)
	r := d.connect(t, true)
	d.loadAs(t)
	ctx := t.Context()
	if err := r.CreateKey(ctx, "batch"); err != nil {
		t.Fatal(err)
	}
	sealed, err := r.Seal(ctx, "batch", nil, []byte("kept"))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for round, s := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM, syscall.SIGKILL} {
		old, err := r.NextKey(ctx, "bank", secure.UseMAC)
		if err != nil || seen[string(old.KSN)] {
			t.Fatalf("round %d: %X came twice (%v)", round, old.KSN, err)
		}
		seen[string(old.KSN)] = true
		d.halfLoad(t)
		d.end(t, s)
		asked := make(chan error, 1)
		go func() { // asked while there is no keyd
			got, err := r.Open(ctx, "batch", nil, sealed)
			if err == nil && string(got) != "kept" {
				err = errors.New("opened to something else")
			}
			asked <- err
		}()
		d.start(t)
		if err := <-asked; err != nil {
			t.Fatalf("round %d: %v\n%s", round, err, d.log)
		}
		next, err := r.NextKey(ctx, "bank", secure.UseMAC)
		if err != nil || seen[string(next.KSN)] {
			t.Fatalf("round %d: %X came twice (%v)", round, next.KSN, err)
		}
		seen[string(next.KSN)] = true
		if _, err := r.MAC(ctx, old, secure.MACAlg3Pad1, make([]byte, 8)); !errors.Is(err, secure.ErrLease) {
			t.Errorf("round %d: a lease from before makes a MAC (%v)", round, err)
		}
		if st, err := r.Status(ctx); err != nil || len(st.Pending) != 0 {
			t.Errorf("round %d: half a key is kept: %v, %v", round, st.Pending, err)
		}
	}
}

// halfLoad enters one of two components.
func (d *daemon) halfLoad(t *testing.T) {
	t.Helper()
	conn, err := dialAs(d.path("run/keys.sock"), d.posd)
	if err != nil {
		t.Fatal(err)
	}
	c := secure.NewClient(conn, nil)
	defer func() { _ = c.Close() }()
	if err := c.Greeting(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.LoadComponent(t.Context(), secure.Component{Set: "other", Of: 2, Number: 1, Holder: "Amina", Algorithm: secure.TDES, Value: bytes.Clone(shares[0])}); err != nil {
		t.Fatal(err)
	}
}

// TestServiceSaysWhy: what does not start says so at posd, in the module's own words; and a connection leaves nothing to the next.
func TestServiceSaysWhy(t *testing.T) {
	d := newDaemon(t)
	d.start(t)
	ctx, done := context.WithTimeout(t.Context(), 20*time.Second)
	defer done()
	dial := secure.Dial{
		Path: d.socket(), Patience: time.Second,
		Open: func(context.Context) (net.Conn, error) { return dialAs(d.socket(), d.posd) },
	}
	if _, err := secure.Connect(ctx, dial); !errors.Is(err, secure.ErrFiles) {
		t.Errorf("a journal without its keys: %v", err)
	}
	r := d.connect(t, true)
	d.loadAs(t)
	d.halfLoad(t)
	l, err := r.NextKey(ctx, "bank", secure.UseMAC)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	r = d.connect(t, false)
	if st, err := r.Status(ctx); err != nil || len(st.Pending) != 0 {
		t.Errorf("half a key is kept for the next: %v, %v", st.Pending, err)
	}
	if _, err := r.MAC(ctx, l, secure.MACAlg3Pad1, make([]byte, 8)); !errors.Is(err, secure.ErrLease) {
		t.Errorf("a lease of the connection before: %v", err)
	}
	if err := r.Owes(ctx, 0); err != nil {
		t.Fatal(err)
	}
	if err := r.DestroyAll(ctx); err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	if _, err := secure.Connect(ctx, dial); !errors.Is(err, secure.ErrDestroyed) {
		t.Errorf("after all keys were destroyed: %v", err)
	}
}

// TestServiceTellsItsManager: ready once the socket is open, signs of life, the status, and the end.
func TestServiceTellsItsManager(t *testing.T) {
	d := newDaemon(t)
	path := d.path("run/notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err == nil {
		err = os.Chmod(path, 0o666) //nolint:gosec // the manager's is everybody's too
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = manager.Close() }()
	hear := func() string {
		b := make([]byte, 4096)
		if err := manager.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		n, err := manager.Read(b)
		if err != nil {
			t.Fatalf("the manager hears nothing:\n%s", d.log)
		}
		return string(b[:n])
	}
	d.env = []string{"NOTIFY_SOCKET=" + path, "WATCHDOG_USEC=90000"}
	d.start(t)
	if said := hear(); said != "READY=1\nSTATUS=Waiting for posd" {
		t.Errorf("first it said %q", said)
	}
	conn, err := dialAs(d.socket(), d.posd)
	if err != nil {
		t.Errorf("it is ready, and its socket is not: %v", err)
	} else {
		_ = conn.Close()
	}
	r := d.connect(t, true)
	for _, want := range []string{"WATCHDOG=1", "STATUS=Serving posd", "WATCHDOG=1"} {
		for said := hear(); said != want; said = hear() {
			if said != "WATCHDOG=1" && said != "STATUS=Waiting for posd" {
				t.Fatalf("it said %q", said)
			}
		}
	}
	_ = r.Close()
	d.end(t, syscall.SIGTERM)
	for said := hear(); !strings.HasPrefix(said, "STOPPING=1"); said = hear() {
	}
}

// TestServiceFlags: what does not fit together is refused before anything is opened.
func TestServiceFlags(t *testing.T) {
	for text, says := range map[string]string{
		"-file /f -client 1":                          "go with -listen",
		"-file /f -listen /s":                         "-client",
		"-file /f -listen /s -client 1 -first":        "-first",
		"-file /f -listen /s -client 1 -on-screen /p": "-on-screen",
		"-file /f -listen s -client 1":                "absolute",
		"-file /f -listen /s -client nobody-of-that":  "-client",
	} {
		f, err := parse(strings.Fields(text), &bytes.Buffer{})
		if err == nil {
			_, err = newService(f)
		}
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
