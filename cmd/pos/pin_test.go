package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"

	"tillway/device/secure"
)

// keypadRig is the module's end of an on-screen PIN entry: it collects keys until Enter or cancel.
type keypadRig struct {
	socket string
	screen *secure.Screen
}

func newKeypad(t *testing.T) keypadRig {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "pin.sock")
	screen, err := secure.ListenScreen(t.Context(), socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = screen.Close() })
	return keypadRig{socket, screen}
}

// collect runs one entry; what was pressed comes when it has ended.
func (k keypadRig) collect(t *testing.T, p secure.Prompt) <-chan string {
	t.Helper()
	out := make(chan string, 1)
	go func() {
		var pressed []byte
		keys, err := k.screen.Open(t.Context(), p)
		if err != nil {
			out <- err.Error()
			return
		}
		status := secure.PINCancelled
		for {
			key, err := keys.Key(t.Context())
			if errors.Is(err, io.EOF) {
				pressed = append(pressed, "(gone)"...)
				break
			}
			if err != nil {
				pressed = fmt.Append(pressed, err)
				break
			}
			pressed = append(pressed, key)
			if key == secure.KeyEnter {
				status = secure.PINEntered
			}
			if key == secure.KeyEnter || key == secure.KeyCancel {
				break
			}
		}
		_ = keys.Close(status)
		out <- string(pressed)
	}()
	return out
}

// said is what pos told the cashier.
type said struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// TestPINGoesToTheKeypad: what is typed reaches the module's socket key by key, and pos says nothing of it.
func TestPINGoesToTheKeypad(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pin")
	if err := os.WriteFile(file, []byte("4321\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		in, file, want, told string
		prompt               secure.Prompt
	}{
		"standard input": {"12\x7f789\n", "-", "12\x08789\r", "PIN for KWD 10.525", secure.Prompt{Amount: "KWD 10.525"}},
		"file":           {"", file, "4321\r", "tries left: 2", secure.Prompt{Retry: true, Tries: 2}},
		"cancelled":      {"12\x1b", "-", "12\x1b", "PIN entry: cancelled", secure.Prompt{}},
		"bypass":         {"B\n", "-", "b\r", "b: without PIN", secure.Prompt{Bypass: true}},
		"warned":         {"1234\n", "-", "1234\r", "DEVELOPMENT", secure.Prompt{Insecure: "DEVELOPMENT ONLY"}},
	} {
		t.Run(name, func(t *testing.T) {
			k, out := newKeypad(t), &said{}
			pressed := k.collect(t, c.prompt)
			s := &selling{app: &app{in: strings.NewReader(c.in), errOut: out}, pinFile: c.file}
			if err := s.enterPIN(t.Context(), k.socket); err != nil {
				t.Fatal(err)
			}
			if got := <-pressed; got != c.want {
				t.Errorf("pressed %q, want %q", got, c.want)
			}
			if !strings.Contains(out.String(), c.told) || strings.Contains(out.String(), "123") || strings.Contains(out.String(), "4321") {
				t.Errorf("told %q", out)
			}
		})
	}
}

// TestPINOnATerminal: nothing of what is typed is shown but stars.
func TestPINOnATerminal(t *testing.T) {
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = master.Close(), slave.Close() }()
	k, out := newKeypad(t), &said{}
	pressed := k.collect(t, secure.Prompt{})
	s := &selling{app: &app{in: slave, errOut: out}}
	ended := make(chan error, 1)
	go func() { ended <- s.enterPIN(t.Context(), k.socket) }()
	for !strings.Contains(out.String(), "Enter ends it") { // then the terminal is quiet
		time.Sleep(time.Millisecond)
	}
	if _, err := master.WriteString("987\x7f65\n"); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if got := <-pressed; got != "987\x0865\r" {
		t.Errorf("pressed %q", got)
	}
	if !strings.Contains(out.String(), "*") || strings.ContainsAny(out.String(), "98765") {
		t.Errorf("shown %q", out)
	}
	if _, err := slave.WriteString("end"); err != nil {
		t.Fatal(err)
	}
	echo := make([]byte, 64)
	if n, err := master.Read(echo); err != nil || strings.ContainsAny(string(echo[:n]), "98765") {
		t.Errorf("echoed %q, %v", echo[:n], err)
	}
}

// TestNobodyToType: without a terminal or a file pos says what to give, and the module is left to its time.
func TestNobodyToType(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = r.Close(), w.Close() }()
	k := newKeypad(t)
	pressed := k.collect(t, secure.Prompt{})
	s := &selling{app: &app{in: r, errOut: io.Discard}}
	if err := s.enterPIN(t.Context(), k.socket); err == nil || !strings.Contains(err.Error(), "--pin-file") {
		t.Errorf("%v", err)
	}
	if got := <-pressed; got != "(gone)" {
		t.Errorf("pressed %q", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.enterPIN(ctx, k.socket); err == nil {
		t.Error("without anybody asking")
	}
}

// TestPINsFollowEachOther: after a wrong PIN the card asks again, and what follows in the same input is the next PIN: no key is
// lost between the two, and the last try is announced.
func TestPINsFollowEachOther(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pins")
	if err := os.WriteFile(file, []byte("9999\n1234\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ in, file string }{"standard input": {"9999\n1234\n", "-"}, "file": {"", file}} {
		t.Run(name, func(t *testing.T) {
			k, out := newKeypad(t), &said{}
			s := &selling{app: &app{in: strings.NewReader(c.in), errOut: out}, pinFile: c.file}
			for i, want := range []string{"9999\r", "1234\r"} {
				pressed := k.collect(t, secure.Prompt{Retry: i > 0, Tries: 2 - i})
				if err := s.enterPIN(t.Context(), k.socket); err != nil {
					t.Fatal(err)
				}
				if got := <-pressed; got != want {
					t.Errorf("entry %d: pressed %q, want %q", i+1, got, want)
				}
			}
			if !strings.Contains(out.String(), "LAST TRY") || strings.ContainsAny(out.String(), "349") {
				t.Errorf("told %q", out)
			}
		})
	}
}
