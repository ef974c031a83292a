package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/creack/pty"

	"tillway/terminal"
)

func toSign(t *testing.T, state terminal.State) *stage {
	t.Helper()
	s := newStage(t, saleOf(t, state), terminal.Snapshot{State: terminal.AgreementOnline, Text: "APPROVED, PLEASE SIGN", Advice: "Compare it."})
	s.hold = make(chan struct{})
	return s
}

// Without a terminal to ask at, pos prints the slip before the outcome and says how to answer; the answer is the other
// command's.
func TestSignatureByCommand(t *testing.T) {
	for word, c := range map[string]struct {
		state   terminal.State
		code    int
		matches bool
	}{"matches": {terminal.Approved, 0, true}, "differs": {terminal.Reversed, 5, false}} {
		t.Run(word, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, s := &wire{}, toSign(t, c.state)
				defer w.serve(t, s)()
				ended := make(chan result, 1)
				go func() { ended <- posRun(t, w, nil, "sale", "10.525") }()
				time.Sleep(time.Second)
				for flag, again := range map[string]bool{"--original": false, "--width=42": true} { // for who sells with --json
					if got := posRun(t, w, nil, "receipt", "1042", "--copy", "merchant", flag); strings.Contains(got.out, "DUPLICATE") != again || !strings.Contains(got.out, "PLEASE SIGN") {
						t.Errorf("the slip with %s:\n%s%s", flag, got.out, got.errOut)
					}
				}
				if got := posRun(t, w, nil, "signature", "1042", word); got.code != 0 || !strings.Contains(got.out, "pos show 1042") {
					t.Errorf("exit %d: %s%s", got.code, got.out, got.errOut)
				}
				got := <-ended
				if got.code != c.code || !strings.Contains(got.errOut, "pos signature 1042 matches, or pos signature 1042 differs") {
					t.Errorf("exit %d: %s", got.code, got.errOut)
				}
				slip, receipt, both := strings.Cut(got.out, "MERCHANT COPY")
				if !both || !strings.Contains(slip, "X ____") || !strings.Contains(slip, "PLEASE SIGN") || strings.Contains(slip, "DUPLICATE") || !strings.Contains(receipt, "CUSTOMER COPY") {
					t.Errorf("printed:\n%s", got.out)
				}
				if len(s.agreed) != 1 || s.agreed[0].Matches != c.matches {
					t.Errorf("the lane heard %+v", s.agreed)
				}
			})
		})
	}
}

func TestSignatureCommandIsStrict(t *testing.T) {
	for _, line := range []string{"signature", "signature 1042", "signature 1042 yes", "signature 1042 Matches", "signature 0 matches", "signature x differs"} {
		w, s := &wire{}, toSign(t, terminal.Approved)
		stop := w.serve(t, s)
		if got := posRun(t, w, nil, strings.Fields(line)...); got.code != 2 || len(s.agreed) != 0 {
			t.Errorf("%s: exit %d, heard %v", line, got.code, s.agreed)
		}
		stop()
	}
	w, s := &wire{}, newStage(t, saleOf(t, terminal.Approved))
	defer w.serve(t, s)()
	if got := posRun(t, w, nil, "signature", "1042", "matches"); got.code != 2 || !strings.Contains(got.errOut, "waits for no signature") {
		t.Errorf("exit %d: %s", got.code, got.errOut)
	}
}

// At a terminal pos asks, until there is a plain yes or no. What was typed before the question is none.
func TestSignatureAtATerminal(t *testing.T) {
	for typed, want := range map[string]bool{"y\n": true, "maybe\n\nyes\n": true, "n\n": false, "NO\n": false} {
		master, slave, err := pty.Open()
		if err != nil {
			t.Fatal(err)
		}
		w, s, out, printed := &wire{}, toSign(t, terminal.Approved), &said{}, &bytes.Buffer{}
		stop := w.serve(t, s)
		if _, err := master.WriteString("y\n"); err != nil { // too early
			t.Fatal(err)
		}
		ended := make(chan int, 1)
		go func() {
			ended <- run(t.Context(), app{
				in: slave, out: printed, errOut: out, env: func(string) string { return "" }, dial: w.dial, notify: func(chan<- os.Signal) {},
			}, []string{"sale", "10.525"})
		}()
		for !strings.Contains(out.String(), "[y/n]") {
			time.Sleep(time.Millisecond)
		}
		if _, err := master.WriteString(typed); err != nil {
			t.Fatal(err)
		}
		if code := <-ended; code != 0 {
			t.Errorf("%q: exit %d: %s", typed, code, out)
		}
		if len(s.agreed) != 1 || s.agreed[0].Matches != want {
			t.Errorf("%q: the lane heard %+v", typed, s.agreed)
		}
		stop()
		_, _ = master.Close(), slave.Close()
	}
}

// The question goes away with the sale when nobody answers it here.
func TestSignatureAnsweredElsewhere(t *testing.T) {
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = master.Close(), slave.Close() }()
	w, s, out := &wire{}, toSign(t, terminal.Reversed), &said{}
	defer w.serve(t, s)()
	ended := make(chan int, 1)
	go func() {
		ended <- run(t.Context(), app{
			in: slave, out: &bytes.Buffer{}, errOut: out, env: func(string) string { return "" }, dial: w.dial, notify: func(chan<- os.Signal) {},
		}, []string{"sale", "10.525"})
	}()
	for !strings.Contains(out.String(), "[y/n]") {
		time.Sleep(time.Millisecond)
	}
	if err := s.Agree(t.Context(), 1042, terminal.Agreement{}); err != nil {
		t.Fatal(err)
	}
	if code := <-ended; code != 5 {
		t.Errorf("exit %d: %s", code, out)
	}
}
