package systemd

import (
	"net"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// manager is the other end: a socket as systemd has it.
func manager(t *testing.T, name string) *net.UnixConn {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func heard(t *testing.T, conn *net.UnixConn) string {
	t.Helper()
	b := make([]byte, 4096)
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	n, err := conn.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

func environment(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i+1 < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

// TestWords: what systemd's manual says, byte for byte, at a path and at an abstract name.
func TestWords(t *testing.T) {
	names := []string{filepath.Join(t.TempDir(), "notify")}
	if runtime.GOOS == "linux" {
		names = append(names, "@tillway-test-"+filepath.Base(filepath.Dir(t.TempDir())))
	}
	for _, name := range names {
		conn := manager(t, name)
		n, err := Open(environment("NOTIFY_SOCKET", name, "WATCHDOG_USEC", "30000000", "WATCHDOG_PID", "42"), 42)
		if err != nil {
			t.Fatal(err)
		}
		if n.Watched() != 30*time.Second {
			t.Errorf("watched every %v", n.Watched())
		}
		for _, c := range []struct {
			say  func() error
			want string
		}{
			{func() error { return n.Ready("selling") }, "READY=1\nSTATUS=selling"},
			{func() error { return n.Status("reader\nREADY=0\x00gone") }, "STATUS=reader READY=0 gone"},
			{func() error { return n.Starting("waiting for keyd", 2*time.Second) }, "STATUS=waiting for keyd\nEXTEND_TIMEOUT_USEC=2000000"},
			{func() error { return n.Stopping("ending", time.Minute) }, "STOPPING=1\nSTATUS=ending\nEXTEND_TIMEOUT_USEC=60000000"},
			{n.Alive, "WATCHDOG=1"},
		} {
			if err := c.say(); err != nil {
				t.Fatal(err)
			}
			if got := heard(t, conn); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		}
		if err := n.Status(strings.Repeat("ü", 500)); err != nil {
			t.Fatal(err)
		}
		if got := heard(t, conn); len(got) > maxStatus+len("STATUS=") {
			t.Errorf("%d bytes", len(got))
		}
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestNoManager: without one nothing is said and nothing fails; with another one's watchdog nothing is watched; nonsense is refused.
func TestNoManager(t *testing.T) {
	n, err := Open(environment(), 1)
	if err != nil || n.Ready("x") != nil || n.Alive() != nil || n.Stopping("x", 1) != nil || n.Watched() != 0 || n.Close() != nil {
		t.Errorf("%v", err)
	}
	path := filepath.Join(t.TempDir(), "notify")
	manager(t, path)
	if n, err := Open(environment("NOTIFY_SOCKET", path, "WATCHDOG_USEC", "5", "WATCHDOG_PID", "2"), 1); err != nil || n.Watched() != 0 {
		t.Errorf("another process's watchdog: %v, %v", n.Watched(), err)
	}
	for _, c := range [][]string{
		{"NOTIFY_SOCKET", "vsock:2:1"},
		{"NOTIFY_SOCKET", filepath.Join(t.TempDir(), "nobody")},
		{"NOTIFY_SOCKET", path, "WATCHDOG_USEC", "soon"},
		{"NOTIFY_SOCKET", path, "WATCHDOG_USEC", "-5"},
		{"NOTIFY_SOCKET", path, "WATCHDOG_USEC", "99999999999999999"},
	} {
		n, err := Open(environment(c...), 1)
		if err == nil || n == nil || n.Watched() != 0 {
			t.Errorf("%v: %v", c, err)
		}
	}
}
