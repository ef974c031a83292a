package secure

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// Every error that callers test arrives as itself, and no other with it.
func TestErrorsKeepTheirIdentity(t *testing.T) {
	for _, sent := range errorTable() {
		w := newFrame(frameAnswer, 1, 64)
		start := len(w)
		writeError(&w, errors.Join(errors.New("what was being done"), sent))
		r := &reader{b: w[start:]}
		got := readError(r.u8(), r)
		for _, known := range errorTable() {
			if errors.Is(got, known) != errors.Is(sent, known) {
				t.Errorf("%v arrives as %v: is %v", sent, got, known)
			}
		}
		if !strings.Contains(got.Error(), "what was being done") {
			t.Errorf("%v arrives without its text: %v", sent, got)
		}
	}
	w := newFrame(frameAnswer, 1, 64)
	start := len(w)
	writeError(&w, errors.New("disk on fire"))
	r := &reader{b: w[start:]}
	if got := readError(r.u8(), r); got.Error() != "disk on fire" {
		t.Errorf("an error of its own arrives as %v", got)
	}
}

// Neither socket does what only the other is for.
func TestEachSocketItsOwnWork(t *testing.T) {
	f := newRig(t, Options{Path: filepath.Join(t.TempDir(), "keys"), First: true}, false).file
	terminal, keys := attach(t, f, RoleTerminal), attach(t, f, RoleKeys)
	ctx := t.Context()
	_, err := terminal.LoadComponent(ctx, Component{Set: "bank", Of: 2, Number: 1, Holder: "A", Algorithm: TDES, Value: bytes.Clone(shareA)})
	want(t, "component at posd's socket", err, ErrDenied)
	want(t, "abort at posd's socket", terminal.Abort(ctx, "bank"), ErrDenied)
	want(t, "a ticket at posd's socket", terminal.Show(ctx, "ticket"), ErrDenied)
	for name, err := range map[string]error{
		"create": keys.CreateKey(ctx, "a"), "destroy": keys.DestroyKey(ctx, "a"), "owes": keys.Owes(ctx, 0), "refill": keys.Refill(ctx),
		"release": keys.Release(ctx, Lease{}), "host saw": keys.HostSaw(ctx, "bank", UseMAC, nil), "verify": keys.VerifyMAC(ctx, Lease{}, CMAC, nil, nil),
		"seal": second(keys.Seal(ctx, "a", nil, nil)), "open": second(keys.Open(ctx, "a", nil, nil)), "token": second(keys.Token(ctx, pan)),
		"next key": second(keys.NextKey(ctx, "bank", UseMAC)), "MAC": second(keys.MAC(ctx, Lease{}, CMAC, nil)),
		"encipher": second(keys.Encipher(ctx, Lease{}, nil)), "PIN": second(keys.EnterPIN(ctx, ask())),
		"propose": second(keys.Propose(ctx, "bank", []Proposal{{Use: UseMAC}})), "confirm": keys.Confirm(ctx, "bank"), "withdraw": keys.Withdraw(ctx, "bank"),
		"ticket":  second(keys.Ticket(ctx, "amal")),
		"session": second(keys.ImportSession(ctx, "bank", UseMAC, nil, "")),
	} {
		want(t, name+" at the keys' socket", err, ErrDenied)
	}
	if _, err := keys.Status(ctx); err != nil {
		t.Error(err)
	}
}

func second[T any](_ T, err error) error { return err }

// Whoever breaks the protocol is hung up on, and the module goes on for the others.
func TestHostileFrames(t *testing.T) {
	f := newRig(t, Options{Path: filepath.Join(t.TempDir(), "keys"), First: true}, false).file
	good := attach(t, f, RoleTerminal)
	frame := func(kind byte, id uint32, body ...byte) []byte {
		w := newFrame(kind, id, len(body))
		w = append(w, body...)
		return must(w.finish())(t)
	}
	status := frame(frameRequest, 7, opStatus)
	for name, bytes := range map[string][]byte{
		"length of nothing":     {0, 0, 0, 0},
		"length of 4 GiB":       {0xFF, 0xFF, 0xFF, 0xFF},
		"length over the limit": binary.BigEndian.AppendUint32(nil, uint32(maxFrame+1)),
		"another version":       append([]byte{0, 0, 0, 7, 2}, status[5:]...),
		"an answer":             frame(frameAnswer, 7, 0),
		"an event":              frame(frameEvent, 0, 0, 0, 0, 0),
		"request nought":        frame(frameRequest, 0, opStatus),
		"empty request":         frame(frameRequest, 7),
		"cut short":             status[:len(status)-1],
	} {
		ours, theirs := net.Pipe()
		served := make(chan error, 1)
		go func() { served <- NewServer(theirs, f, RoleTerminal).Serve(context.Background()) }()
		_ = ours.SetDeadline(time.Now().Add(5 * time.Second))
		if _, err := ours.Write(bytes); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if name == "cut short" {
			_ = ours.Close()
		}
		if err := <-served; !errors.Is(err, ErrProtocol) {
			t.Errorf("%s: the server ends with %v", name, err)
		}
		_ = ours.Close()
	}
	for name, body := range map[string][]byte{
		"unknown operation":   {200},
		"fields missing":      {opSeal, 0, 0},
		"field far too long":  {opCreateKey, 0xFF, 0xFF, 0xFF, 0xFF, 'a'},
		"something left over": {opStatus, 1},
	} {
		ours, theirs := net.Pipe()
		served := make(chan error, 1)
		go func() { served <- NewServer(theirs, f, RoleTerminal).Serve(context.Background()) }()
		_ = ours.SetDeadline(time.Now().Add(5 * time.Second))
		if _, err := ours.Write(frame(frameRequest, 9, body...)); err != nil {
			t.Fatal(err)
		}
		kind, id, answer, err := readFrame(ours)
		if err != nil || kind != frameAnswer || id != 9 || answer[0] == codeOK {
			t.Errorf("%s: answered %d %d %X (%v)", name, kind, id, answer, err)
		}
		if err := errors.Join(ours.Close(), <-served); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := good.Status(t.Context()); err != nil {
		t.Errorf("the other socket: %v", err)
	}
}

// When the module goes, every call under way says so, and so does every later one.
func TestModuleGone(t *testing.T) {
	ours, theirs := net.Pipe()
	c := NewClient(ours, nil)
	calls := make(chan error, 3)
	for range 3 {
		go func() { _, err := c.Status(context.Background()); calls <- err }()
	}
	for range 3 { // it reads the requests and dies
		if _, _, _, err := readFrame(theirs); err != nil {
			t.Fatal(err)
		}
	}
	if err := theirs.Close(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		want(t, "a call under way", <-calls, ErrGone)
	}
	<-c.Done()
	want(t, "a later one", c.CreateKey(t.Context(), "a"), ErrGone)
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// A client that answers are garbage for lets go, and does not wait for ever.
func TestModuleTalksNonsense(t *testing.T) {
	for name, answer := range map[string][]byte{
		"no frame":        {0, 0, 0, 1, 1},
		"another kind":    {0, 0, 0, 7, 1, frameProgress, 0, 0, 0, 1, 0xFF},
		"cut in an error": {0, 0, 0, 8, 1, frameAnswer, 0, 0, 0, 1, 2, 0},
	} {
		ours, theirs := net.Pipe()
		c := NewClient(ours, nil)
		done := make(chan error, 1)
		go func() { done <- c.CreateKey(context.Background(), "a") }()
		if _, _, _, err := readFrame(theirs); err != nil {
			t.Fatal(err)
		}
		go func() {
			_, _ = theirs.Write(answer)
			_, _ = io.Copy(io.Discard, theirs)
		}()
		if name == "another kind" { // progress nobody asked for is ignored; then it dies
			_ = theirs.Close()
		}
		if err := <-done; err == nil {
			t.Errorf("%s: no error", name)
		}
		_ = errors.Join(c.Close(), theirs.Close())
	}
}

func TestCancelReachesTheModule(t *testing.T) {
	r := newRig(t, Options{Path: filepath.Join(t.TempDir(), "keys"), First: true}, true)
	loadTDES(t, r, "bank")
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { _, err := r.EnterPIN(ctx, ask()); ended <- err }()
	for len(r.keypad.Prompts()) == 0 {
		time.Sleep(time.Millisecond)
	}
	stop()
	want(t, "cancelled", <-ended, context.Canceled)
	for { // the module's side ends a moment later
		r.keypad.Type("1234\r")
		p, err := r.EnterPIN(t.Context(), ask())
		if errors.Is(err, ErrBusy) {
			continue
		}
		if err != nil || p.Status != PINEntered {
			t.Errorf("the next entry: %s, %v", p.Status, err)
		}
		return
	}
}

func TestArena(t *testing.T) {
	a := must(newArena())(t)
	var blocks [][]byte
	for n := 1; ; n = n%200 + 37 {
		b, err := a.alloc(n)
		if err != nil {
			want(t, "full", err, errArena)
			break
		}
		if len(b) != n || cap(b) != n || !bytes.Equal(b, make([]byte, n)) {
			t.Fatalf("block of %d: %d, %d", n, len(b), cap(b))
		}
		for i := range b {
			b[i] = byte(len(blocks) + 1)
		}
		blocks = append(blocks, b)
	}
	for i, b := range blocks {
		if slices.ContainsFunc(b, func(x byte) bool { return x != byte(i+1) }) {
			t.Fatalf("block %d was written by another", i)
		}
	}
	one := blocks[len(blocks)/2]
	a.release(one)
	a.release(one) // twice is harmless
	if again := must(a.keep(bytes.Repeat([]byte{7}, len(one))))(t); &again[0] != &one[0] {
		t.Error("a block that was given back is not used again")
	}
	for _, b := range blocks {
		a.release(b)
	}
	must(a.alloc(arenaBytes))(t)
	foreign := []byte("not of the arena")
	a.release(foreign)
	if !bytes.Equal(foreign, make([]byte, len(foreign))) {
		t.Error("a foreign block is not wiped")
	}
	if err := errors.Join(a.close(), a.close()); err != nil {
		t.Error(err)
	}
	_, err := a.alloc(1)
	want(t, "closed", err, errArena)
}

// steady is a module that waits for nobody and loses nothing.
type steady struct{ *File }

func (steady) EnterPIN(context.Context, PINRequest) (PINResult, error) { return PINResult{}, ErrNoPad }
func (steady) Destroy(context.Context, string) error                   { return nil }
func (steady) DestroyAll(context.Context) error                        { return ErrOwing }

// FuzzServe: whatever comes over the socket, the server answers frames or hangs up, never with a key in what it says, and
// ends when the other end does.
func FuzzServe(f *testing.F) {
	dir := f.TempDir()
	m, err := Start(f.Context(), Options{Path: filepath.Join(dir, "keys"), First: true, Keypad: NewTyped()})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = m.Close() })
	r := &rig{Terminal: m, Components: m, file: m}
	kek := loadKEK(f, r, "bank", TDES)
	if _, err := m.Import(f.Context(), "bank", UseMAC, tdesBlock(f, kek, ksnMAC)); err != nil {
		f.Fatal(err)
	}
	for op := range opTry + 1 {
		w := newFrame(frameRequest, 1, 64)
		w.u8(op)
		w.text("bank")
		w.u8(byte(UseMAC))
		b, _ := w.finish()
		f.Add(b)
	}
	f.Add([]byte{0, 0, 0, 6, 1, frameCancel, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, role := range []Role{RoleTerminal, RoleKeys} {
			ours, theirs := net.Pipe()
			served := make(chan error, 1)
			go func() { served <- NewServer(theirs, steady{m}, role).Serve(context.Background()) }()
			said := make(chan []byte, 1)
			go func() {
				all, _ := io.ReadAll(ours)
				said <- all
			}()
			_, _ = ours.Write(b)
			_ = ours.Close()
			if err := <-served; errors.Is(err, ErrClosed) {
				t.Error("the module was closed")
			}
			all := <-said
			for _, key := range [][]byte{kek, shareA, shareB} {
				if bytes.Contains(all, key) {
					t.Error("the server said a key")
				}
			}
		}
	})
}
