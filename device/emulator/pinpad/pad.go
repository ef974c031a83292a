package pinpad

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
	"sync"
	"time"

	"tillway/device/emulator"
)

// Config is what a pad is made of.
type Config struct {
	Serial    string // 1 to 16 characters; empty: EMU00001
	Pairing   []byte // AES key that a terminal knows it by; empty: it is not paired
	PINKey    []byte // DUKPT initial key; empty: it has none
	KSN       []byte // its serial number: 10 bytes (TDES), or the 8 of an AES initial key identifier
	Format    byte   // of PIN blocks under TDES: 0 or 3
	Transport []byte // key under which key blocks come; empty: it takes none
}

// Wire is the pad's end of a line: emulator.Line, or a test's. Read ends with an error while it is unplugged.
type Wire interface {
	io.ReadWriter
	Plug() error
	Unplug()
	Close() error
}

// Pad is a running pad. Its methods may be called from anywhere.
type Pad struct {
	cfg  Config
	line Wire
	life context.Context
	end  context.CancelFunc
	work sync.WaitGroup

	mu       sync.Mutex // guards what follows
	session  *session   // nil: none
	pin      pinKey
	scripts  []string
	typed    chan struct{} // closed when a script was added
	shown    []Shown
	beeps    int
	commands int // that were carried out, repetitions not counted
	tampered bool
	mute     bool
}

// session is one conversation with a terminal.
type session struct {
	keys   keys
	last   uint32 // number of the last command
	raw    []byte // the last command, as it came
	answer []byte // the last word on it, as it was sent
	sub    uint32
	entry  *entry
}

// Shown is a prompt as the customer saw it.
type Shown struct {
	Language string
	Prompt   byte
	Text     string
	Amount   string
	Tries    byte
}

// Start plugs a pad in at a link.
func Start(link string, c Config) (*Pad, error) {
	l, err := emulator.StartLine(link)
	if err != nil {
		return nil, err
	}
	p, err := StartOn(l, c)
	if err != nil {
		_ = l.Close()
	}
	return p, err
}

// StartOn starts a pad on any line, which Close closes.
func StartOn(l Wire, c Config) (*Pad, error) {
	if c.Serial == "" {
		c.Serial = "EMU00001"
	}
	p := &Pad{cfg: c, line: l, typed: make(chan struct{})}
	var err error
	if p.pin, err = newPINKey(c.PINKey, c.KSN, c.Format); err != nil {
		return nil, fmt.Errorf("PIN pad: %w", err)
	}
	p.life, p.end = context.WithCancel(context.Background())
	p.work.Go(p.read)
	return p, nil
}

// read hears the line until the pad is switched off; an unplugged line is waited for.
func (p *Pad) read() {
	var held []byte
	b := make([]byte, 512)
	for p.life.Err() == nil {
		n, err := p.line.Read(b)
		if err != nil {
			held = nil
			p.drop()
			select {
			case <-time.After(5 * time.Millisecond):
			case <-p.life.Done():
			}
			continue
		}
		held = append(held, b[:n]...)
		for {
			one, found, rest, more := scan(held)
			held = append([]byte(nil), rest...)
			if found {
				p.hear(one)
				continue
			}
			if !more {
				held = nil
			}
			break
		}
	}
}

// drop ends session and entry: the terminal has gone.
func (p *Pad) drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forget()
}

// forget is drop; under mu.
func (p *Pad) forget() {
	if p.session != nil && p.session.entry != nil {
		p.session.entry.stop()
	}
	p.session = nil
}

// hear takes one packet.
func (p *Pad) hear(one packet) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mute {
		return
	}
	switch one.kind {
	case 0x01:
		p.hello(one)
	case 0x02:
		p.command(one)
	case 0x03:
		if len(one.payload) <= 64 {
			p.send(packet{0x83, one.number, one.payload})
		}
	default:
		p.send(packet{0x84, one.number, []byte{4}})
	}
}

func (p *Pad) send(one packet) { _, _ = p.line.Write(one.encode()) } // nobody need to listen

func (p *Pad) state() byte {
	s := byte(0)
	if p.tampered {
		s |= 1
	}
	if len(p.cfg.Pairing) > 0 {
		s |= 2
	}
	if p.pin != nil {
		s |= 4
	}
	return s
}

// hello begins a session: whatever was before is over. Under mu.
func (p *Pad) hello(one packet) {
	if len(one.payload) != 17 {
		return
	}
	p.forget()
	var terminal, own [16]byte
	copy(terminal[:], one.payload[1:])
	rand.Read(own[:])
	answer := append([]byte{1, p.state()}, own[:]...)
	answer = append(append(answer, byte(len(p.cfg.Serial))), p.cfg.Serial...)
	answer = append(append(answer, 6), "EMU1.0"...)
	if one.payload[0] == 1 && len(p.cfg.Pairing) > 0 && !p.tampered {
		k, err := derive(p.cfg.Pairing, terminal, own, p.cfg.Serial)
		if err == nil {
			p.session = &session{keys: k}
		}
	}
	p.send(packet{0x81, 0, answer})
}

// command takes an enciphered command. One that was taken already is answered with the last word on it. Under mu.
func (p *Pad) command(one packet) {
	s := p.session
	if s == nil {
		p.send(packet{0x84, one.number, []byte{7}})
		return
	}
	if one.number == s.last && s.last > 0 {
		switch {
		case !bytes.Equal(one.payload, s.raw):
		case s.entry != nil:
			p.say(s, []byte{2, byte(s.entry.count())})
		default:
			_, _ = p.line.Write(s.answer)
		}
		return
	}
	if one.number < s.last {
		return // somebody plays an old one
	}
	plain, err := s.keys.toPad.Open(nil, nonce(uint64(one.number)), one.payload, associated(0x02, one.number))
	if err != nil || len(plain) == 0 {
		p.send(packet{0x84, one.number, []byte{7}})
		return
	}
	if s.entry != nil {
		s.entry.stop()
		s.entry = nil
	}
	s.last, s.raw, s.sub = one.number, one.payload, 0
	p.commands++
	p.do(s, plain)
}

// say enciphers one word on the command under way and sends it. Under mu.
func (p *Pad) say(s *session, plain []byte) {
	s.sub++
	sealed := s.keys.fromPad.Seal(nil, nonce(uint64(s.last)<<32|uint64(s.sub)), plain, associated(0x82, s.last))
	s.answer = packet{0x82, s.last, append(binary.BigEndian.AppendUint32(nil, s.sub), sealed...)}.encode()
	_, _ = p.line.Write(s.answer)
}

// do carries out one command. Under mu.
func (p *Pad) do(s *session, plain []byte) {
	switch op, rest := plain[0], plain[1:]; {
	case p.tampered:
		p.say(s, []byte{3, 1})
	case op == 1:
		p.enter(s, rest)
	case op == 2 && len(rest) == 0:
		p.say(s, []byte{1})
	case op == 3 && len(rest) == 0:
		p.say(s, []byte{1, p.state()})
	case op == 4 && len(rest) == 1:
		p.beeps += int(rest[0])
		p.say(s, []byte{1})
	case op == 5:
		p.say(s, p.load(string(rest)))
	default:
		p.say(s, []byte{3, 4})
	}
}

// Type adds a script: the keys of one entry, like "1234\r". Escape cancels, "b" bypasses, backspace takes a digit back.
func (p *Pad) Type(keys string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.scripts = append(p.scripts, keys)
	close(p.typed)
	p.typed = make(chan struct{})
}

// Shown are the prompts so far.
func (p *Pad) Shown() []Shown {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Shown(nil), p.shown...)
}

// Beeps counts them, Commands those that were carried out.
func (p *Pad) Beeps() int { p.mu.Lock(); defer p.mu.Unlock(); return p.beeps }

// Commands counts what was carried out; what was sent again counts once.
func (p *Pad) Commands() int { p.mu.Lock(); defer p.mu.Unlock(); return p.commands }

// Entering says whether a prompt is shown, and how many digits are in.
func (p *Pad) Entering() (digits int, shown bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.session == nil || p.session.entry == nil {
		return 0, false
	}
	return p.session.entry.count(), true
}

// Tamper opens the pad's case: its keys are gone for good.
func (p *Pad) Tamper() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tampered, p.pin = true, nil
	clear(p.cfg.Pairing)
	if p.session != nil && p.session.entry != nil {
		e := p.session.entry
		e.stop()
		p.session.entry = nil
		p.say(p.session, []byte{3, 1})
	}
}

// Mute has the pad hear nothing any more, or again.
func (p *Pad) Mute(mute bool) { p.mu.Lock(); defer p.mu.Unlock(); p.mute = mute }

// Garbage sends bytes as they are.
func (p *Pad) Garbage(b []byte) { _, _ = p.line.Write(b) }

// Unplug pulls the pad out; an entry is lost.
func (p *Pad) Unplug() { p.line.Unplug(); p.drop() }

// Plug plugs it in again.
func (p *Pad) Plug() error { return p.line.Plug() }

// Close switches the pad off and waits for its goroutines.
func (p *Pad) Close() error {
	p.end()
	p.drop()
	err := p.line.Close()
	p.work.Wait()
	return err
}
