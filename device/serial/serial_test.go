package serial

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"tillway/device"
)

// pair is a pseudo-terminal whose other end stays open, as a cable's does.
func pair(t *testing.T) (master *os.File, name string) {
	t.Helper()
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = slave.Close()
		_ = master.Close()
	})
	return master, slave.Name()
}

func open(t *testing.T, name string) *Port {
	t.Helper()
	p, err := Open(name, Mode{Baud: 115200, StopBits: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// readAll reads n bytes.
func readAll(t *testing.T, p *Port, n int) []byte {
	t.Helper()
	var got []byte
	b := make([]byte, 512)
	for len(got) < n {
		k, err := p.Read(t.Context(), b)
		if err != nil {
			t.Fatalf("after %d bytes: %v", len(got), err)
		}
		got = append(got, b[:k]...)
	}
	return got
}

func TestEveryByteBothWays(t *testing.T) {
	master, name := pair(t)
	const before = "sent before the port was open" // the terminal echoes it, as its mode is at first
	if _, err := master.WriteString(before); err != nil {
		t.Fatal(err)
	}
	p := open(t, name)
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	if _, err := master.Write(all); err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, p, 256); !bytes.Equal(got, all) {
		t.Errorf("read % X", got)
	}
	if err := p.Write(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	back := make([]byte, 0, 256)
	for b := make([]byte, 256); len(back) < 256; {
		n, err := master.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		back = bytes.TrimPrefix(append(back, b[:n]...), []byte(before))
	}
	if !bytes.Equal(back, all) {
		t.Errorf("sent % X", back)
	}
}

func TestTheContextEndsRead(t *testing.T) {
	master, name := pair(t)
	p := open(t, name)
	b := make([]byte, 8)
	for range 50 { // an end that comes late must not cut short the next call
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		if _, err := p.Read(ctx, b); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		cancel()
		if _, err := p.Read(ctx, b); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		if _, err := master.WriteString("x"); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Read(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
}

// A peer that takes nothing: the context's end wakes the writer, and so does Close.
func TestAStuckLine(t *testing.T) {
	_, name := pair(t)
	p := open(t, name)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := p.Write(ctx, make([]byte, 1<<20)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want the deadline", err)
	}
	written := make(chan error, 1)
	go func() { written <- p.Write(t.Context(), make([]byte, 1<<20)) }()
	read := make(chan error, 1)
	go func() {
		_, err := p.Read(t.Context(), make([]byte, 1))
		read <- err
	}()
	time.Sleep(20 * time.Millisecond) // both are most likely waiting by now; the test holds if not
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	for what, ended := range map[string]<-chan error{"Write": written, "Read": read} {
		if err := <-ended; !errors.Is(err, device.ErrClosed) {
			t.Errorf("%s ended with %v", what, err)
		}
	}
}

// What is written after Close must not reach the file that was given the port's descriptor.
func TestAfterClose(t *testing.T) {
	_, name := pair(t)
	p := open(t, name)
	for range 2 {
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
	victim, err := os.Create(filepath.Join(t.TempDir(), "victim"))
	if err != nil {
		t.Fatal(err)
	}
	defer victim.Close()
	if err := p.Write(t.Context(), []byte("leak")); !errors.Is(err, device.ErrClosed) {
		t.Errorf("Write: %v", err)
	}
	if _, err := p.Read(t.Context(), make([]byte, 1)); !errors.Is(err, device.ErrClosed) {
		t.Errorf("Read: %v", err)
	}
	if got, err := os.ReadFile(victim.Name()); err != nil || len(got) != 0 {
		t.Errorf("the next file holds %q, %v", got, err)
	}
}

func TestUnplug(t *testing.T) {
	master, name := pair(t)
	p := open(t, name)
	read := make(chan error, 1)
	go func() {
		_, err := p.Read(t.Context(), make([]byte, 1))
		read <- err
	}()
	if err := master.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-read; !errors.Is(err, device.ErrUnplugged) || !strings.Contains(err.Error(), name) {
		t.Errorf("Read: %v", err)
	}
	if err := p.Write(t.Context(), []byte("x")); !errors.Is(err, device.ErrUnplugged) {
		t.Errorf("Write: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	_, name := pair(t)
	open(t, name)
	notPort := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(notPort, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		name, says string
		want       error
	}{
		"missing": {"/dev/no-such-port", "is the cable in?", device.ErrUnplugged},
		"in use":  {name, "is in use", device.ErrBusy},
		"a file":  {notPort, "not a serial port", device.ErrUnplugged},
	} {
		p, err := Open(c.name, Mode{Baud: 115200, StopBits: 1})
		if p != nil || !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), c.name) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// Another user's port, told by the error that the system gives for it.
func TestPermission(t *testing.T) {
	err := openError("/dev/ttyS0", unix.EACCES)
	if !errors.Is(err, device.ErrPermission) || !strings.Contains(err.Error(), "group dialout") {
		t.Error(err)
	}
}

// A program that dies leaves nothing behind on a pseudo-terminal whose other end lives: the next one may open it.
func TestOpenedAgain(t *testing.T) {
	_, name := pair(t)
	for range 3 {
		if err := open(t, name).Close(); err != nil {
			t.Fatal(err)
		}
	}
	fd, err := unix.Open(name, unix.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(fd) }()
	if exclusive, err := unix.IoctlGetInt(fd, unix.TIOCGEXCL); err != nil || exclusive != 0 {
		t.Errorf("exclusive %d, %v", exclusive, err)
	}
}

// select cannot take descriptors from 1024 up; we do not use it.
func TestHighDescriptor(t *testing.T) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	raised := limit
	raised.Cur = min(limit.Max, 4096)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &raised); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			t.Error(err)
		}
	}()
	master, name := pair(t)
	for range 1100 {
		f, err := os.Open("/dev/null")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
	}
	p := open(t, name)
	if _, err := master.WriteString("x"); err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, p, 1); string(got) != "x" {
		t.Errorf("%q", got)
	}
}

func TestList(t *testing.T) {
	// The shape of /sys/class/tty on a machine with one real UART, one empty one, a USB adapter, consoles and a pseudo-terminal.
	sys := fstest.MapFS{
		"class/tty/console/dev":         {},
		"class/tty/tty0/dev":            {},
		"class/tty/ptmx/dev":            {},
		"class/tty/ttyS0/device/uevent": {},
		"class/tty/ttyS0/type":          {Data: []byte("4\n")},
		"class/tty/ttyS1/device/uevent": {},
		"class/tty/ttyS1/type":          {Data: []byte("0\n")},
		"class/tty/ttyUSB0/device/name": {},
		"class/tty/ttyACM0/device/name": {},
	}
	ports, err := List(sys)
	if want := "/dev/ttyACM0 /dev/ttyS0 /dev/ttyUSB0"; err != nil || strings.Join(ports, " ") != want {
		t.Errorf("%v, %v", ports, err)
	}
	if ports, err := List(fstest.MapFS{}); ports != nil || err != nil {
		t.Errorf("no /sys: %v, %v", ports, err)
	}
	if _, err := List(os.DirFS("/sys")); err != nil {
		t.Errorf("this machine: %v", err)
	}
}
