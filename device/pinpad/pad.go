package pinpad

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"tillway/device"
	"tillway/device/secure"
	"tillway/device/serial"
)

const (
	baud        = 115200
	answerIn    = 2 * time.Second        // for an answer; an entry has its own time
	tries       = 3                      // of one frame
	pollEvery   = 3 * time.Second        // of an entry of which nothing is heard
	reopenEvery = 250 * time.Millisecond // for a port that is not there
	retryEvery  = 2 * time.Second        // of a handshake that failed
	againIn     = 100 * time.Millisecond // after a session that was lost
	graceTime   = 5 * time.Second        // for the pad's own end of an entry that has timed out
)

// Config is what a Pad needs to know.
type Config struct {
	Port string       // path of the serial port, /dev/ttyUSB1 or a stable name from /dev/serial/by-id
	Log  *slog.Logger // coming and going of the pad, never data of a card; nil for none
}

// line is the serial port, as the driver uses it.
type line interface {
	Read(ctx context.Context, b []byte) (int, error)
	Write(ctx context.Context, b []byte) error
	Close() error
}

// Pad is one PIN pad. It is safe for concurrent use; one entry at a time.
type Pad struct {
	config Config
	open   func() (line, error)
	life   context.Context // ends with Close
	end    context.CancelFunc
	exited chan struct{}
	jobs   chan job
	random func([]byte)

	pairing sync.Once
	paired  chan struct{} // closed by Pair
	cipher  secure.PadCipher

	mu    sync.Mutex // guards state
	state secure.PadState
}

// job is something to do with a pad that is there; the owner does it and answers.
type job struct {
	do   func(*session) error
	done chan error
}

var _ secure.Pad = (*Pad)(nil)

// Open starts the driver. A port that is not there, or may not be opened, is no error: State says why. The error is a configuration that
// can never work. The driver speaks to the pad from Pair on.
func Open(config Config) (*Pad, error) {
	if config.Port == "" {
		return nil, errors.New("pinpad: no port named")
	}
	return start(config, func() (line, error) {
		l, err := serial.Open(config.Port, serial.Mode{Baud: baud, StopBits: 1, RTS: true, DTR: true})
		if err != nil {
			return nil, device.Called("PIN pad", err)
		}
		return l, nil
	}, systemRandom), nil
}

// start is Open over any line.
func start(config Config, open func() (line, error), random func([]byte)) *Pad {
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	config.Log = config.Log.With("pin pad", config.Port)
	p := &Pad{
		config: config, open: open, exited: make(chan struct{}), jobs: make(chan job), random: random, paired: make(chan struct{}),
		state: secure.PadState{Port: config.Port, Cause: "the PIN pad on " + config.Port + " is starting"},
	}
	p.life, p.end = context.WithCancel(context.Background())
	go p.own()
	return p
}

// Pair implements secure.Pad.
func (p *Pad) Pair(c secure.PadCipher) {
	p.pairing.Do(func() {
		p.cipher = c
		close(p.paired)
	})
}

// State implements secure.Pad.
func (p *Pad) State() secure.PadState {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state
}

// publish sets the state, and logs the pad's coming and going.
func (p *Pad) publish(ready bool, cause, serial string) {
	p.mu.Lock()
	before := p.state
	if serial == "" {
		serial = before.Serial
	}
	p.state = secure.PadState{Port: p.config.Port, Ready: ready, Cause: cause, Serial: serial}
	changed := before != p.state
	p.mu.Unlock()
	switch {
	case !changed:
	case ready:
		p.config.Log.Info("PIN pad ready", "serial", serial)
	default:
		p.config.Log.Warn("PIN pad not ready", "cause", cause)
	}
}

// own is the driver's goroutine.
func (p *Pad) own() {
	defer close(p.exited)
	select {
	case <-p.paired:
	case <-p.life.Done():
		return
	}
	for p.life.Err() == nil {
		err := p.once()
		if p.life.Err() != nil {
			return
		}
		p.publish(false, err.Error(), "")
		p.idle(reopenEvery)
	}
}

// once opens the port and serves the pad until it goes.
func (p *Pad) once() (err error) {
	port, err := p.open()
	if err != nil {
		return err
	}
	w := newWire(port)
	defer func() { err = errors.Join(err, w.close()) }()
	for p.life.Err() == nil {
		s, err := p.shake(w)
		switch {
		case err == nil:
			p.publish(true, "", s.info.Serial)
			err = p.serve(s)
		case s != nil: // it lacks a key for PINs, and may be given one
			p.publish(false, err.Error(), s.info.Serial)
			err = p.serve(s)
		}
		if w.failed() != nil {
			return w.failed()
		}
		if errors.Is(err, errShakeAgain) {
			select { // a pad that refuses all the time is not asked without end
			case <-time.After(againIn):
			case <-p.life.Done():
			}
			continue
		}
		p.publish(false, err.Error(), "")
		if p.life.Err() == nil {
			p.wait(w)
		}
	}
	return nil
}

// errShakeAgain says that the session is over and another one is wanted at once: pad or line has lost it.
var errShakeAgain = errors.New("the PIN pad has lost the session")

// wait lets time pass before the next handshake; who wants an entry meanwhile hears why there is none, and a line that fails ends it.
func (p *Pad) wait(w *wire) {
	timer := time.NewTimer(retryEvery)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			return
		case j := <-p.jobs:
			j.done <- p.notReady()
		case <-w.gone:
			return
		case <-w.frames: // nobody asked
		case <-p.life.Done():
			return
		}
	}
}

// idle is wait without a line.
func (p *Pad) idle(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			return
		case j := <-p.jobs:
			j.done <- p.notReady()
		case <-p.life.Done():
			return
		}
	}
}

// notReady is what who asks hears while there is no pad.
func (p *Pad) notReady() error { return fmt.Errorf("%w: %s", secure.ErrNoPad, p.State().Cause) }

// serve does what is asked until the session ends. An error of one job is the job's; one of the line ends the session.
func (p *Pad) serve(s *session) error {
	var again <-chan time.Time
	if s.keyless {
		timer := time.NewTimer(retryEvery) // somebody may inject a key elsewhere
		defer timer.Stop()
		again = timer.C
	}
	for {
		select {
		case <-again:
			return errShakeAgain
		case j := <-p.jobs:
			err := s.run(j)
			j.done <- err
			switch {
			case errors.Is(err, ErrTampered):
				return ErrTampered
			case s.lost:
				return errShakeAgain
			}
		case f := <-s.wire.frames:
			if f.kind == frameRefusal { // the pad was restarted, perhaps
				return errShakeAgain
			}
		case <-s.wire.gone:
			return s.wire.failed()
		case <-p.life.Done():
			return p.life.Err()
		}
	}
}

// run does one job. A session of which nothing comes any more is lost.
func (s *session) run(j job) error {
	err := j.do(s)
	if errors.Is(err, device.ErrTimeout) || errors.Is(err, secure.ErrForged) || errors.Is(err, errShakeAgain) || errors.Is(err, device.ErrProtocol) {
		s.lost = true
	}
	return err
}

// ask has the owner do something with the pad. Close ends what is under way.
func (p *Pad) ask(ctx context.Context, do func(context.Context, *session) error) error {
	within, leave := context.WithCancel(ctx)
	defer leave()
	defer context.AfterFunc(p.life, leave)()
	j := job{done: make(chan error, 1), do: func(s *session) error {
		err := do(within, s)
		if p.life.Err() != nil && ctx.Err() == nil && errors.Is(err, context.Canceled) {
			err = device.ErrClosed
		}
		return err
	}}
	select {
	case <-p.paired:
	default:
		return p.notReady()
	}
	select {
	case p.jobs <- j:
	case <-ctx.Done():
		return ctx.Err()
	case <-p.life.Done():
		return device.ErrClosed
	}
	select {
	case err := <-j.done:
		return err
	case <-p.exited:
		select {
		case err := <-j.done:
			return err
		default:
			return device.ErrClosed
		}
	}
}

// EnterPIN implements secure.Pad. Errors: secure.ErrNoPad with the reason, ErrTampered, ErrPairing, secure.ErrNoKey and
// secure.ErrExhausted of the pad's own key, device.ErrUnplugged when it goes in the middle.
func (p *Pad) EnterPIN(ctx context.Context, r secure.PINRequest) (pin secure.PadPIN, err error) {
	command, err := enter(r)
	if err != nil {
		return secure.PadPIN{}, err
	}
	err = p.ask(ctx, func(ctx context.Context, s *session) error {
		if s.keyless {
			return p.notReady()
		}
		pin, err = s.entry(ctx, r, command)
		return err
	})
	if err != nil {
		return secure.PadPIN{}, err
	}
	return pin, nil
}

// Beep has the pad sound so many times.
func (p *Pad) Beep(ctx context.Context, times byte) error {
	return p.ask(ctx, func(ctx context.Context, s *session) error { return s.simple(ctx, []byte{opBeep, times}, nil) })
}

// Check asks the pad for its state.
func (p *Pad) Check(ctx context.Context) (info Info, err error) {
	err = p.ask(ctx, func(ctx context.Context, s *session) error {
		return s.simple(ctx, []byte{opStatus}, func(f *fields) {
			info = s.info
			info.state(f.u8())
		})
	})
	return info, err
}

// Load gives the pad a key in a key block (X9.143) under its own transport key, and tells the check value. A clear key has no way over
// this line.
func (p *Pad) Load(ctx context.Context, block string) (check secure.CheckValue, err error) {
	if len(block) < 16 || len(block) > maxPayload-64 {
		return "", fmt.Errorf("%d characters: %w", len(block), secure.ErrKeyBlock)
	}
	err = p.ask(ctx, func(ctx context.Context, s *session) error {
		err := s.simple(ctx, append([]byte{opLoad}, block...), func(f *fields) { check = secure.CheckValue(f.text(10)) })
		if err == nil {
			s.lost = s.keyless // it is another pad now: it is greeted anew
		}
		return err
	})
	return check, err
}

// Line tests the line, without a key: the pad sends back what it is sent.
func (p *Pad) Line(ctx context.Context) error {
	return p.ask(ctx, func(ctx context.Context, s *session) error { return s.wire.test(ctx, p.random) })
}

// Close ends the driver and waits for its goroutines. A prompt that is shown goes with the session.
func (p *Pad) Close() error {
	p.end()
	<-p.exited
	return nil
}
