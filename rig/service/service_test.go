//go:build linux

package service

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"tillway/device/emulator/virtualusb"
	"tillway/rig/tunnel"
)

// here is a guest that is this machine.
func here(t *testing.T) Guest {
	t.Helper()
	a, b := net.Pipe()
	inside := tunnel.New(b)
	served := make(chan error, 1)
	go func() { served <- Serve(context.Background(), inside, t.TempDir()) }()
	g := Guest{Tunnel: tunnel.New(a)}
	t.Cleanup(func() {
		if err := g.Tunnel.Close(); err != nil {
			t.Error(err)
		}
		if err := <-served; !errors.Is(err, tunnel.ErrClosed) {
			t.Errorf("served until %v", err)
		}
	})
	return g
}

func TestRun(t *testing.T) {
	g := here(t)
	printed, status, err := g.Run(t.Context(), []string{"WORD=clear"}, "input\n", "sh", "-c", "cat; echo $WORD >&2; exit 3")
	if err != nil || status != 3 || printed != "input\nclear\n" {
		t.Errorf("%q, %d, %v", printed, status, err)
	}
	if _, _, err := g.Run(t.Context(), nil, "", "/no/such/program"); !errors.Is(err, ErrGuest) {
		t.Errorf("a program that is not there: %v", err)
	}
}

func TestPrograms(t *testing.T) {
	g := here(t)
	if err := g.Start(t.Context(), "sleeper", "sh", "-c", "echo up; exec sleep 600"); err != nil {
		t.Fatal(err)
	}
	if err := g.Start(t.Context(), "sleeper", "true"); !errors.Is(err, ErrGuest) {
		t.Errorf("a second one under the name: %v", err)
	}
	use, err := g.Use(t.Context(), "sleeper")
	if err != nil || use.PID == 0 || use.Handles < 3 || use.Threads < 1 || use.Memory < 1 {
		t.Errorf("%+v, %v", use, err)
	}
	if err := g.End(t.Context(), "sleeper", int(syscall.SIGTERM)); err != nil {
		t.Error(err)
	}
	if _, err := g.Use(t.Context(), "sleeper"); !errors.Is(err, ErrGuest) {
		t.Errorf("it has ended: %v", err)
	}
	if log, err := g.Log(t.Context(), "sleeper"); err != nil || log != "up\n" && log != "" {
		t.Errorf("%q, %v", log, err)
	}
}

func TestFilesAndSockets(t *testing.T) {
	g := here(t)
	file := filepath.Join(t.TempDir(), "folder", "file")
	if err := g.Write(t.Context(), file, 0o600, []byte("text")); err != nil {
		t.Fatal(err)
	}
	if text, err := g.Read(t.Context(), file); err != nil || string(text) != "text" {
		t.Errorf("%q, %v", text, err)
	}
	if found, err := g.Glob(t.Context(), filepath.Dir(file)+"/*"); err != nil || len(found) != 1 || found[0] != file {
		t.Errorf("%q, %v", found, err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := g.Dial(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	answer, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := answer.Write([]byte("word\n")); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || line != "word\n" {
		t.Errorf("%q, %v", line, err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	if n, err := answer.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("the other end goes on: %d, %v", n, err)
	}
	if err := answer.Close(); err != nil {
		t.Error(err)
	}
}

// TestNoController: without a virtual controller, the cable leads nowhere, and its end says so.
func TestNoController(t *testing.T) {
	g := here(t)
	conn, err := g.Plug(t.Context(), virtualusb.Speed(99))
	if err != nil {
		t.Fatal(err)
	}
	if n, err := conn.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("%d, %v", n, err)
	}
}

// FuzzOrder: a first line is an order or an error, and what stands behind it is left.
func FuzzOrder(f *testing.F) {
	f.Add(`{"do":"run","args":["true"]}` + "\nrest")
	f.Add("\n")
	f.Fuzz(func(t *testing.T, text string) {
		_, rest, err := readOrder(strings.NewReader(text))
		if err != nil {
			return
		}
		_, behind, _ := strings.Cut(text, "\n")
		if left, err := io.ReadAll(rest); err != nil || string(left) != behind {
			t.Fatalf("%q left %q, %v", text, left, err)
		}
	})
}
