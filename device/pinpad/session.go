package pinpad

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"tillway/device"
	"tillway/device/secure"
)

func systemRandom(b []byte) { _, _ = rand.Read(b) } // it never fails: crypto/rand ends the process first

// wire is the open line with its reading goroutine.
type wire struct {
	port   line
	frames chan frame
	gone   chan struct{} // closed when nothing more is read
	stop   context.CancelFunc

	mu  sync.Mutex // guards why
	why error
}

func newWire(port line) *wire {
	ctx, stop := context.WithCancel(context.Background())
	w := &wire{port: port, frames: make(chan frame, 16), gone: make(chan struct{}), stop: stop}
	go w.read(ctx)
	return w
}

// silence ends the hope for the rest of a frame.
const silence = 500 * time.Millisecond

// read hands frames over until the line fails. What nobody takes is dropped: whoever waits asks again.
func (w *wire) read(ctx context.Context) {
	defer close(w.gone)
	var d deframer
	b := make([]byte, 512)
	for {
		within, stop := ctx, context.CancelFunc(func() {})
		if len(d.b) > 0 {
			within, stop = context.WithTimeout(ctx, silence)
		}
		n, err := w.port.Read(within, b)
		stop()
		var all []frame
		switch {
		case err == nil:
			all = d.add(b[:n])
		case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
			all = d.giveUp()
		default:
			w.mu.Lock()
			w.why = err
			w.mu.Unlock()
			return
		}
		for _, f := range all {
			select {
			case w.frames <- f:
			default:
			}
		}
	}
}

// failed is why nothing more is read; nil while something is.
func (w *wire) failed() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.why
}

func (w *wire) close() error {
	w.stop()
	<-w.gone
	return w.port.Close()
}

// send writes one frame.
func (w *wire) send(ctx context.Context, f frame) error {
	b, err := f.append(nil)
	if err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(ctx, answerIn)
	defer stop()
	return w.port.Write(ctx, b)
}

// next waits for a frame.
func (w *wire) next(ctx context.Context, wait time.Duration) (frame, error) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case f := <-w.frames:
		return f, nil
	case <-timer.C:
		return frame{}, device.ErrTimeout
	case <-w.gone:
		return frame{}, w.failed()
	case <-ctx.Done():
		return frame{}, ctx.Err()
	}
}

// drain forgets what came before.
func (w *wire) drain() {
	for {
		select {
		case <-w.frames:
		default:
			return
		}
	}
}

// test sends bytes and wants them back.
func (w *wire) test(ctx context.Context, random func([]byte)) error {
	text := make([]byte, maxTestText)
	random(text)
	w.drain()
	for range tries {
		if err := w.send(ctx, frame{kind: frameTest, payload: text}); err != nil {
			return err
		}
		f, err := w.next(ctx, answerIn)
		switch {
		case err == nil && f.kind == frameTest|fromPad && bytes.Equal(f.payload, text):
			return nil
		case err == nil || errors.Is(err, device.ErrTimeout):
		default:
			return err
		}
	}
	return fmt.Errorf("%w: the line to the PIN pad is bad", device.ErrTimeout)
}

// session is a pad that has shown that it has the pairing key, and that it is there now.
type session struct {
	wire     *wire
	cipher   secure.PadCipher
	names    secure.PadSession
	info     Info
	sequence uint32 // of the last command
	lost     bool
	keyless  bool // the pad has no key for PINs: it can be given one, and nothing else
}

// shake makes a session: both send fresh numbers, and the first enciphered answer proves the pad. With secure.ErrNoKey there is a session, of a
// pad that can be given a key.
func (p *Pad) shake(w *wire) (*session, error) {
	s := &session{wire: w, cipher: p.cipher}
	p.random(s.names.Terminal[:])
	h, err := s.hello(p.life)
	if err != nil {
		return nil, err
	}
	s.info, s.names.Pad, s.names.Serial = h.Info, h.nonce, h.Serial
	switch {
	case h.Version != Version:
		return nil, fmt.Errorf("%w: the PIN pad speaks version %d of the protocol, this terminal %d: update the older one", device.ErrProtocol, h.Version, Version)
	case h.Tampered: // not authenticated, and believed: it only stops
		return nil, ErrTampered
	case !h.Paired:
		return nil, ErrPairing
	}
	err = s.simple(p.life, []byte{opStatus}, func(f *fields) { s.info.state(f.u8()) })
	switch {
	case errors.Is(err, secure.ErrForged), errors.Is(err, device.ErrTimeout), errors.Is(err, errShakeAgain):
		return nil, ErrPairing
	case err != nil:
		return nil, err
	case s.info.Tampered:
		return nil, ErrTampered
	case !s.info.PINKey:
		s.keyless = true
		return s, refusal(2)
	}
	return s, nil
}

func (s *session) hello(ctx context.Context) (hello, error) {
	s.wire.drain()
	for range tries {
		if err := s.wire.send(ctx, frame{kind: frameHello, payload: append([]byte{Version}, s.names.Terminal[:]...)}); err != nil {
			return hello{}, err
		}
		f, err := s.wire.next(ctx, answerIn)
		switch {
		case err == nil && f.kind == frameHello|fromPad:
			return parseHello(f.payload)
		case err == nil || errors.Is(err, device.ErrTimeout):
		default:
			return hello{}, err
		}
	}
	return hello{}, fmt.Errorf("%w: no PIN pad answers: is it on, and is this its port?", device.ErrTimeout)
}

// header is what is authenticated with a text and not enciphered.
func header(kind byte, sequence uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte{kind}, sequence)
}

// command makes the frame of the next command. The sequence number is the cipher's number too: a command is enciphered once,
// and sent again as it is.
func (s *session) command(plain []byte) (frame, error) {
	if s.sequence == math.MaxUint32 {
		return frame{}, errShakeAgain
	}
	s.sequence++
	sealed, err := s.cipher.SealForPad(s.names, uint64(s.sequence), header(frameCommand, s.sequence), plain)
	return frame{kind: frameCommand, sequence: s.sequence, payload: sealed}, err
}

// open reads an answer to the command that is under way. ok is false for what is none: another command's, or one that was read
// already. A frame that does not authenticate is none either, and is told apart.
func (s *session) open(f frame, last *uint32) (plain []byte, ok bool, err error) {
	if f.kind == frameRefusal {
		return nil, false, errShakeAgain // in clear, so not believed further than that
	}
	if f.kind != frameCommand|fromPad || f.sequence != s.sequence || len(f.payload) < 4 {
		return nil, false, nil
	}
	sub := binary.BigEndian.Uint32(f.payload)
	if sub <= *last {
		return nil, false, nil
	}
	plain, err = s.cipher.OpenFromPad(s.names, uint64(f.sequence)<<32|uint64(sub), header(f.kind, f.sequence), f.payload[4:])
	if err != nil {
		return nil, false, err
	}
	if len(plain) == 0 {
		return nil, false, fmt.Errorf("%w: an empty answer of the PIN pad", device.ErrProtocol)
	}
	*last = sub
	return plain, true, nil
}

// simple sends a command that is answered once, at once.
func (s *session) simple(ctx context.Context, plain []byte, read func(*fields)) error {
	c, err := s.command(plain)
	if err != nil {
		return err
	}
	last, forged := uint32(0), error(nil)
	for range tries {
		if err := s.wire.send(ctx, c); err != nil {
			return err
		}
		until := time.Now().Add(answerIn)
		for wait := answerIn; wait > 0; wait = time.Until(until) {
			f, err := s.wire.next(ctx, wait)
			if errors.Is(err, device.ErrTimeout) {
				break
			}
			if err != nil {
				return err
			}
			answer, ok, err := s.open(f, &last)
			switch {
			case errors.Is(err, secure.ErrForged):
				forged = err // noise, or somebody: the real one may come yet
			case err != nil:
				return err
			case ok:
				return s.done(answer, read)
			}
		}
	}
	if forged != nil {
		return forged
	}
	return fmt.Errorf("%w: the PIN pad", device.ErrTimeout)
}

// done reads the one answer of a simple command.
func (s *session) done(answer []byte, read func(*fields)) error {
	f := &fields{b: answer[1:]}
	switch answer[0] {
	case answerError:
		return refusal(f.u8())
	case answerDone:
		if read != nil {
			read(f)
		}
		return f.end()
	}
	return fmt.Errorf("%w: an answer of the PIN pad of kind %d", device.ErrProtocol, answer[0])
}

// entry asks for a PIN and waits for the end. While nothing is heard the command is sent again: the pad does it once and repeats its last
// word. When the caller leaves, the prompt is taken away.
func (s *session) entry(ctx context.Context, r secure.PINRequest, plain []byte) (secure.PadPIN, error) {
	c, err := s.command(plain)
	if err != nil {
		return secure.PadPIN{}, err
	}
	within, stop := context.WithTimeout(ctx, r.Timeout+graceTime)
	defer stop()
	last, quiet := uint32(0), 0
	if err := s.wire.send(within, c); err != nil {
		return secure.PadPIN{}, err
	}
	for {
		f, err := s.wire.next(within, pollEvery)
		switch {
		case errors.Is(err, device.ErrTimeout) && quiet < tries:
			quiet++
			err = s.wire.send(within, c)
			if err == nil {
				continue
			}
		case err == nil:
			answer, ok, err := s.open(f, &last)
			if err != nil && !errors.Is(err, secure.ErrForged) {
				return secure.PadPIN{}, err
			}
			if !ok {
				continue
			}
			quiet = 0
			if pin, ended, err := s.heard(answer, r); ended || err != nil {
				return pin, err
			}
			continue
		}
		if within.Err() == nil {
			return secure.PadPIN{}, fmt.Errorf("PIN pad in the middle of an entry: %w", err)
		}
		return secure.PadPIN{}, s.leave(ctx)
	}
}

// heard is one word of the pad in an entry.
func (s *session) heard(answer []byte, r secure.PINRequest) (pin secure.PadPIN, ended bool, err error) {
	switch answer[0] {
	case answerProgress:
		f := &fields{b: answer[1:]}
		n := f.u8()
		if err := f.end(); err != nil || int(n) > r.Max {
			return pin, true, fmt.Errorf("%w: progress of an entry", device.ErrProtocol)
		}
		if r.Progress != nil {
			r.Progress(int(n))
		}
		return pin, false, nil
	case answerError:
		f := &fields{b: answer[1:]}
		return pin, true, refusal(f.u8())
	case answerDone:
		pin, err = parseEnd(answer[1:], r)
		return pin, true, err
	}
	return pin, true, fmt.Errorf("%w: an answer of the PIN pad of kind %d", device.ErrProtocol, answer[0])
}

// leave takes the prompt away, because the caller has left or the pad did not end in time, and says which.
func (s *session) leave(ctx context.Context) error {
	cancelling, stop := context.WithTimeout(context.WithoutCancel(ctx), 2*answerIn)
	defer stop()
	if err := s.simple(cancelling, []byte{opCancel}, nil); err != nil {
		s.lost = true // the next session takes it away
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("%w: the PIN pad did not end the entry", device.ErrTimeout)
}
