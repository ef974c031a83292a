package secure

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
)

// talk is what a module hears, and what it answers.
type talk struct {
	io.Reader
	io.Writer
}

// TestHello: releases that fit agree on a protocol, whatever else they say; those that do not both get one sentence with both
// versions; and nothing else is a hello.
func TestHello(t *testing.T) {
	for text, want := range map[string]error{
		`{"program":"v1","first":true,"oldest":1,"newest":1}`:               nil,
		`{"program":"v9","oldest":1,"newest":7,"colour":"of that release"}`: nil,
		`{"program":"v9","oldest":2,"newest":7}`:                            ErrVersion,
		`{"program":"v0","oldest":0,"newest":0}`:                            ErrProtocol,
		`{"program":"v9","oldest":3,"newest":2}`:                            ErrProtocol,
		`GET / HTTP/1.1`:                                                    ErrProtocol,
		`{"program":"` + strings.Repeat("x", maxHello) + `"}`:               ErrProtocol,
	} {
		var said bytes.Buffer
		in := strings.NewReader(text + "\nframes")
		h, err := ReadHello(talk{in, &said}, "v5")
		if !errors.Is(err, want) || want == nil && err != nil {
			t.Errorf("%.60s: %v, want %v", text, err, want)
			continue
		}
		if want == nil && (in.Len() != len("frames") || !strings.Contains(said.String(), `"protocol":1`)) {
			t.Errorf("%.60s: it answered %s and left %d bytes", text, said.String(), in.Len())
		}
		if errors.Is(want, ErrVersion) && (!strings.Contains(said.String(), "v5") || !strings.Contains(said.String(), "v9")) {
			t.Errorf("the refusal is %s", said.String())
		}
		if strings.Contains(text, "first") != h.First {
			t.Errorf("first: %v", h.First)
		}
	}
}

// TestHelloAnswers: what posd makes of the answers.
func TestHelloAnswers(t *testing.T) {
	for text, want := range map[string]error{
		`{"program":"v5","protocol":1}` + "\n":                                                nil,
		`{"program":"v5","protocol":4}` + "\n":                                                ErrVersion,
		`{"program":"v5","protocol":0,"refused":"keyd v5 speaks 2, posd v1 speaks 1"}` + "\n": ErrVersion,
		"":       ErrGone,
		"\x00\n": ErrProtocol,
	} {
		program, err := sayHello(talk{strings.NewReader(text), io.Discard}, Hello{Program: "v1"})
		if !errors.Is(err, want) || want == nil && (err != nil || program != "v5") {
			t.Errorf("%q: %v, want %v", text, err, want)
		}
		if want != nil && (!forGood(err)) == errors.Is(want, ErrVersion) {
			t.Errorf("%q: tried again: %v", text, !forGood(err))
		}
	}
}

// FuzzHello: whatever is read, bounds hold, nothing behind the line is taken, and what is agreed on is spoken here.
func FuzzHello(f *testing.F) {
	f.Add([]byte(`{"program":"v1","first":true,"oldest":1,"newest":1}` + "\n\x00\x00\x00\x06"))
	f.Add([]byte(`{"program":"v1","protocol":1}` + "\nrest"))
	f.Fuzz(func(t *testing.T, b []byte) {
		in := bytes.NewReader(b)
		h, err := ReadHello(talk{in, io.Discard}, "fuzz")
		line := bytes.IndexByte(b, '\n')
		if err == nil && (line < 0 || line > maxHello || in.Len() != len(b)-line-1 || h.Oldest < 1 || h.Newest < h.Oldest) {
			t.Errorf("%q: %+v, %d left", b, h, in.Len())
		}
		if _, err := sayHello(talk{bytes.NewReader(b), io.Discard}, Hello{}); err == nil && (line < 0 || line > maxHello) {
			t.Errorf("%q is an answer", b)
		}
		var said bytes.Buffer
		if err == nil && writeLine(&said, Hello{Program: h.Program, First: h.First, Oldest: h.Oldest, Newest: h.Newest}) == nil {
			again, err := ReadHello(talk{&said, io.Discard}, "fuzz")
			if err != nil || again != h {
				t.Errorf("%+v came back as %+v (%v)", h, again, err)
			}
		}
	})
}

// TestForGood: what passes is tried again; what the module said, or who it is, does not pass.
func TestForGood(t *testing.T) {
	for _, c := range []struct {
		err  error
		good bool
	}{
		{ErrGone, false},
		{net.ErrClosed, false},
		{ErrProtocol, false},
		{&remote{text: "busy", are: []error{ErrBusy}}, false},
		{&remote{text: "files", are: []error{ErrFiles}}, true},
		{&remote{text: "locked", are: []error{ErrLocked}}, true},
		{ErrPeer, true},
		{ErrVersion, true},
	} {
		if forGood(c.err) != c.good {
			t.Errorf("%v: %v", c.err, !c.good)
		}
	}
}
