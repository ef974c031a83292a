package pcsc

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tillway/device"
	"tillway/device/emulator"
	"tillway/device/emulator/pcscd"
)

func readTable(t *testing.T) []byte {
	t.Helper()
	raw, err := os.ReadFile("testdata/readers.bin")
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// becomes waits for a status; nobody asks the driver for anything else.
func becomes(t *testing.T, r *Reader, want device.Condition, cause string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		changed := r.change()
		if s := r.Status(); s.Condition == want && strings.Contains(s.Cause, cause) {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("%+v, want %q, %q", r.Status(), want, cause)
		}
	}
}

var answerOK = func([]byte) []byte { return []byte{0x90, 0x00} }

// What a technician reads when pcscd is not there, refuses, or is of another kind; and that it is over when the cause is.
func TestSaysWhatIsWrong(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "pcscd.comm")
	r := start(Config{Port: "pcd", Socket: socket}, quick)
	t.Cleanup(func() { _ = r.Close() })
	if err := r.AwaitRemoval(t.Context()); err != nil {
		t.Error(err)
	}
	becomes(t, r, device.Absent, "pcscd is not running ("+socket+"): systemctl start pcscd.socket")
	for _, c := range []struct {
		config pcscd.Config
		name   string
		cond   device.Condition
		cause  string
	}{
		{pcscd.Config{Refuse: true}, "", device.Absent, "polkit needs a rule"},
		{pcscd.Config{Minor: 3}, "", device.Absent, "pcscd speaks version 4.3"},
		{pcscd.Config{Minor: 6}, "", device.Absent, "pcscd speaks version 4.6"},
		{pcscd.Config{Minor: 5}, readerName, device.NoCard, ""},
		{pcscd.Config{}, "", device.Absent, "pcscd has no reader: is it plugged in"},
		{pcscd.Config{}, "Other Reader", device.Absent, `no reader with "pcd" in its name: it has Other Reader`},
		{pcscd.Config{}, readerName, device.NoCard, ""},
	} {
		c.config.Socket = socket
		server, err := pcscd.Listen(c.config)
		if err != nil {
			t.Fatal(err)
		}
		if c.name != "" {
			server.AddReader(c.name)
		}
		becomes(t, r, c.cond, c.cause)
		server.Stop()
		becomes(t, r, device.Absent, "")
	}
	if name := r.Name(); name != "pcsc "+readerName {
		t.Error(name)
	}
}

// A pcscd that says nothing, or nonsense, is given up and tried again.
func TestOddDaemons(t *testing.T) {
	for name, odd := range map[string]func(net.Conn){
		"hangs up":        func(net.Conn) {},
		"half an answer":  func(c net.Conn) { _, _ = c.Write([]byte{4, 0, 0}) },
		"another answer":  func(c net.Conn) { _, _ = c.Write(bytes.Repeat([]byte{0xFF}, 12)) },
		"http":            func(c net.Conn) { _, _ = c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")) },
		"endless changes": func(c net.Conn) { _, _ = c.Write(make([]byte, 20000)) },
	} {
		t.Run(name, func(t *testing.T) {
			socket := filepath.Join(t.TempDir(), "pcscd.comm")
			l, err := net.Listen("unix", socket)
			if err != nil {
				t.Fatal(err)
			}
			var serving sync.WaitGroup
			tries := make(chan struct{}, 100)
			serving.Go(func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					_, _ = c.Read(make([]byte, 20))
					odd(c)
					_ = c.Close()
					select {
					case tries <- struct{}{}:
					default:
					}
				}
			})
			r := start(Config{Port: "pcd", Socket: socket}, quick)
			for range 3 {
				<-tries
			}
			if s := r.Status(); s.Condition != device.Absent || s.Cause == "" {
				t.Errorf("%+v", s)
			}
			if err := errors.Join(r.Close(), l.Close()); err != nil {
				t.Error(err)
			}
			serving.Wait()
		})
	}
}

// A pcscd that takes the connection and then says nothing is named as what it is.
func TestDeafDaemon(t *testing.T) {
	near, far := net.Pipe()
	defer func() { _ = far.Close() }()
	go func() { _, _ = far.Read(make([]byte, 100)) }()
	ctx, cancel := context.WithTimeoutCause(t.Context(), 20*time.Millisecond, errDeaf)
	defer cancel()
	c := &conn{net: near}
	defer c.close()
	if err := c.greet(ctx); !errors.Is(err, device.ErrTimeout) || !strings.Contains(err.Error(), "systemctl restart pcscd") {
		t.Errorf("%v", err)
	}
}

// Another program that has the reader is named as the cause, and waited for.
func TestBusy(t *testing.T) {
	p := newPeer(t)
	other, err := dial(t.Context(), p.socket)
	if err != nil {
		t.Fatal(err)
	}
	defer other.close()
	p.Insert([]byte{0x3B, 0x60, 0, 0}, answerOK)
	handle, err := other.connect(t.Context(), readerName, shareExclusive, protocolT0)
	if err != nil {
		t.Fatal(err)
	}
	r := p.open(t, nil)
	presented := make(chan error, 1)
	go func() {
		_, err := r.Present(t.Context())
		presented <- err
	}()
	becomes(t, r, device.CardFailed, "another program uses the reader")
	if err := other.disconnect(t.Context(), handle, leaveCard); err != nil {
		t.Fatal(err)
	}
	if err := <-presented; err != nil {
		t.Fatal(err)
	}
	becomes(t, r, device.CardIn, "")
	if _, err := other.connect(t.Context(), readerName, shareShared, protocolT0); !errors.Is(err, device.ErrBusy) {
		t.Errorf("shared beside us: %v", err)
	}
	if err := r.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	// What another program does with a card that it shares is not disturbed.
	handle, err = other.connect(t.Context(), readerName, shareShared, protocolT0)
	if err != nil {
		t.Errorf("shared after us: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*quick.retry)
	defer cancel()
	if _, err := r.Present(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a card that another program shares: %v", err)
	}
	if _, err := other.transmit(t.Context(), handle, protocolT0, []byte{0, 0xA4, 0, 0, 0}); err != nil {
		t.Errorf("the other program's card: %v", err)
	}
}

// A user whom polkit lets in, but not at cards, is told so at the first card.
func TestNoAccessToCards(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "pcscd.comm")
	server, err := pcscd.Listen(pcscd.Config{Socket: socket, NoCards: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Close() }()
	server.AddReader(readerName).Insert(chip{[]byte{0x3B, 0x60, 0, 0}, nil, answerOK})
	r := start(Config{Port: "pcd", Socket: socket}, quick)
	defer func() { _ = r.Close() }()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := r.Present(ctx)
		ended <- err
	}()
	becomes(t, r, device.CardFailed, "polkit needs a rule")
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// A pcscd that owes an answer for too long is given up; what it says later is nobody's, and the next card is another matter.
func TestPatience(t *testing.T) {
	p := newPeer(t)
	r := start(Config{Port: "pcd", Socket: p.socket, Patience: pcscd.LostAfter / 4}, quick)
	defer func() { _ = r.Close() }()
	p.Insert([]byte{0x3B, 0x60, 0, 0}, answerOK)
	presented, err := r.Present(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p.slot.Disturb(pcscd.Lost, 1)
	if _, err := presented.Card.Transmit(t.Context(), []byte{0, 0xA4, 0, 0}); !errors.Is(err, device.ErrTimeout) || !strings.Contains(err.Error(), "systemctl restart pcscd") {
		t.Errorf("%v", err)
	}
	if _, err := presented.Card.Transmit(t.Context(), []byte{0, 0xA4, 0, 0}); err == nil {
		t.Error("the card answers after that")
	}
	if presented, err = r.Present(t.Context()); err != nil {
		t.Fatal(err)
	}
	if answer, err := presented.Card.Transmit(t.Context(), []byte{0, 0xA4, 0, 0}); err != nil || !bytes.Equal(answer, []byte{0x90, 0}) {
		t.Errorf("%X, %v", answer, err)
	}
}

// A card that was answered with T=1 by pcscd's own choice is taken back to the protocol that it offers first (EMV Contact Interface
// Specification, 8.3.3.4): T=0, with T=1 as its second.
func TestFirstProtocol(t *testing.T) {
	p := newPeer(t)
	r := p.open(t, nil)
	both := []byte{0x3B, 0xE0, 0x00, 0x00, 0x80, 0x31, 0xFE, 0x45, 0xEA} // TD1 80: T=0, TD2 31: T=1
	both[8] = both[1] ^ both[2] ^ both[3] ^ both[4] ^ both[5] ^ both[6] ^ both[7]
	p.Insert(both, answerOK)
	if _, err := r.Present(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r.card.protocol != protocolT0 || r.card.t0 == nil {
		t.Errorf("protocol %d", r.card.protocol)
	}
}

// What is logged of a reader that comes and goes: one line each.
func TestLog(t *testing.T) {
	p := newPeer(t)
	var b lockedBuffer
	r := p.open(t, slog.New(slog.NewTextHandler(&b, nil)))
	for range 3 {
		becomes(t, r, device.NoCard, "")
		p.Unplug()
		becomes(t, r, device.Absent, "no reader")
		p.Replug()
	}
	becomes(t, r, device.NoCard, "")
	if err := r.Close(); err != nil { // what is due is logged then
		t.Fatal(err)
	}
	lost, found := strings.Count(b.String(), "reader absent"), strings.Count(b.String(), "reader connected")
	if lost < 3 || lost > 4 || found != 4 {
		t.Errorf("lost %d, found %d:\n%s", lost, found, b.String())
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// counter is a socket in front of pcscd's that counts what the driver says.
type counter struct {
	mu   sync.Mutex
	said int
}

func (c *counter) pass(t *testing.T, from, to string) {
	l, err := net.Listen("unix", from)
	if err != nil {
		t.Fatal(err)
	}
	var passing sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); passing.Wait() })
	passing.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("unix", to)
			if err != nil {
				_ = near.Close()
				return
			}
			passing.Go(func() {
				b := make([]byte, 4096)
				for n := 0; err == nil; n, err = near.Read(b) {
					if n > 0 {
						c.mu.Lock()
						c.said++
						c.mu.Unlock()
						_, _ = far.Write(b[:n])
					}
				}
				_ = far.Close()
			})
			passing.Go(func() {
				b := make([]byte, 4096)
				for {
					n, err := far.Read(b)
					if err != nil {
						_ = near.Close()
						return
					}
					_, _ = near.Write(b[:n])
				}
			})
		}
	})
}

// Nothing is said to pcscd while nothing happens: a Present that waits costs no more than an idle driver.
func TestIdleIsSilent(t *testing.T) {
	p := newPeer(t)
	var c counter
	front := filepath.Join(t.TempDir(), "front")
	c.pass(t, front, p.socket)
	r := start(Config{Port: "pcd", Socket: front}, quick)
	defer func() { _ = r.Close() }()
	becomes(t, r, device.NoCard, "")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := r.Present(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.said > 8 { // two greetings of two words, one wait, one question, and one to spare
		t.Errorf("%d messages with nothing to say", c.said)
	}
}

// A whole card of the emulator's, at T=0 with 61xx and 6Cxx left to the driver.
func TestReadsACard(t *testing.T) {
	p := newPeer(t)
	profile, err := emulator.Ready("credit")
	if err != nil {
		t.Fatal(err)
	}
	p.slot.Insert(emulator.NewCard(profile))
	r := p.open(t, nil)
	presented, err := r.Present(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	pse, err := presented.Card.Transmit(t.Context(), append([]byte{0x00, 0xA4, 0x04, 0x00, 14}, "1PAY.SYS.DDF01\x00"...))
	if err != nil || len(pse) < 4 || pse[0] != 0x6F || !bytes.HasSuffix(pse, []byte{0x90, 0x00}) {
		t.Errorf("%X, %v", pse, err)
	}
}

func TestOpenWithoutAName(t *testing.T) {
	if r, err := Open(Config{}); r != nil || err == nil {
		t.Errorf("%v, %v", r, err)
	}
}
