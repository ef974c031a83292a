package main

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
)

// fake makes a folder of programs that are shell scripts.
func fake(t *testing.T, scripts map[string]string) *stack {
	t.Helper()
	s := &stack{programs: t.TempDir(), folder: t.TempDir()}
	s.config = s.path("posd.toml")
	for name, script := range scripts {
		if err := os.WriteFile(s.binary(name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil { //nolint:gosec // a script must be executable
			t.Fatal(err)
		}
	}
	t.Cleanup(s.end)
	return s
}

// A program that gets ready and then waits to be told to end.
const obeys = `trap 'echo ended; exit 0' TERM; echo "$(basename "$0") ready: $*"; while :; do sleep 0.01; done`

func gone(p *program) bool { return errors.Is(syscall.Kill(p.cmd.Process.Pid, 0), syscall.ESRCH) }

// TestStack: all three come up in their order, and end ends them all, the terminal first.
func TestStack(t *testing.T) {
	s := fake(t, map[string]string{"hostsim": obeys, "readeremu": obeys, "posd": obeys})
	if err := s.startAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	running := s.running
	var names []string
	for _, p := range running {
		names = append(names, p.name)
	}
	if got := strings.Join(names, " "); got != "hostsim readeremu posd" {
		t.Errorf("started %s", got)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := s.firstToEnd(ctx); err != nil {
		t.Errorf("told to stop, and it says %v", err)
	}
	s.end()
	for _, p := range running {
		if !gone(p) || !strings.Contains(p.output(), "ended") {
			t.Errorf("%s did not end in its own way: %s", p.name, p.output())
		}
	}
}

// TestStackFails: a program that does not get ready is shown in its own words, and those before it are ended.
func TestStackFails(t *testing.T) {
	s := fake(t, map[string]string{"hostsim": obeys, "readeremu": `echo "port 8585 is busy" >&2; exit 1`, "posd": obeys})
	err := s.startAll(t.Context())
	if err == nil || !strings.Contains(err.Error(), "port 8585 is busy") || !strings.Contains(err.Error(), "exit status 1") {
		t.Errorf("it said %v", err)
	}
	if len(s.running) != 2 {
		t.Fatalf("%d were started", len(s.running))
	}
	host := s.running[0]
	s.end()
	if !gone(host) {
		t.Error("the host still runs")
	}
}

// TestOneLine: a program that says in one line what is wrong is quoted with that line alone.
func TestOneLine(t *testing.T) {
	s := fake(t, map[string]string{"hostsim": obeys, "readeremu": obeys, "posd": `echo "posd: reader.port is missing" >&2; exit 1`})
	if err := s.startAll(t.Context()); err == nil || err.Error() != "posd: reader.port is missing" {
		t.Errorf("it said %v", err)
	}
}

// TestPortInUse: a second stack is told that there is a first, in one line, and starts nothing.
func TestPortInUse(t *testing.T) {
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := free(t.Context(), address); err == nil || !strings.Contains(err.Error(), "up already") || strings.Contains(err.Error(), "\n") {
		t.Errorf("it said %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := free(t.Context(), address); err != nil {
		t.Errorf("nobody has it: %v", err)
	}
}

// TestFirstToEnd: while all is up, one that ends by itself is noticed and named.
func TestFirstToEnd(t *testing.T) {
	s := fake(t, map[string]string{"hostsim": obeys, "readeremu": obeys, "posd": `echo "posd ready"; read -r _ <"$2"; echo "journal is damaged"; exit 3`})
	if err := syscall.Mkfifo(s.config, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.startAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.config, []byte("go\n"), 0o600); err != nil { // it waited for this line
		t.Fatal(err)
	}
	err := s.firstToEnd(t.Context())
	if err == nil || !strings.Contains(err.Error(), "posd ended by itself") || !strings.Contains(err.Error(), "journal is damaged") {
		t.Errorf("it said %v", err)
	}
}

// TestEarlierOutput: what an earlier run wrote to the same log is neither taken for ready nor shown.
func TestEarlierOutput(t *testing.T) {
	s := fake(t, map[string]string{"posd": `echo "no config file"; exit 1`})
	if err := os.WriteFile(s.path("posd.log"), []byte("posd ready: yesterday\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := s.startTerminal(t.Context())
	if err == nil || strings.Contains(err.Error(), "yesterday") || !strings.Contains(err.Error(), "no config file") {
		t.Errorf("it said %v", err)
	}
}

func TestNoPrograms(t *testing.T) {
	s := fake(t, nil)
	if err := s.startAll(t.Context()); err == nil || !strings.Contains(err.Error(), "make build") {
		t.Errorf("nothing is built, and it said %v", err)
	}
}
