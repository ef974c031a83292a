package escpos

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"tillway/device"
	"tillway/device/usb"
)

// Confirm is how a printer says that a job is on paper.
type Confirm string

// The ways. Epson's printers from TM-T88IV and TM-T20 on have process IDs; others may print the command's parameters.
const (
	Process Confirm = "process" // GS ( H: sent back once the paper has come out
	InTurn  Confirm = "status"  // GS r: answered once all before it was worked off
)

// Config is one printer.
type Config struct {
	Port    string                              // as CheckPort has it
	Baud    int                                 // of a serial port; 0: DefaultBaud
	Confirm Confirm                             // "": Process
	Chunk   int                                 // bytes that are sent before the printer has to answer; 0: 2048, which the smallest buffer takes
	Bus     usb.Bus                             // of printers on USB that usblp does not have; nil: none
	Open    func(context.Context) (Line, error) // nil: by Port
	Log     *slog.Logger                        // nil: nowhere
}

// Part of a job: lines, or else a picture.
type Part struct {
	Lines   []Text
	Picture *Picture
}

// Times of the driver. A printer's answer in real time comes within milliseconds; its mechanism prints 30 cm in two to three seconds.
const (
	answerWithin  = time.Second
	lookEvery     = 500 * time.Millisecond
	workWithin    = 15 * time.Second // nothing that was sent takes longer to print
	quiet         = 300 * time.Millisecond
	writeWithin   = 10 * time.Second
	defaultChunk  = 2048
	maxReadAtOnce = 256
)

// Printer is one printer. One goroutine at a time calls Ready, Print, Kick and Close; State may be called from any. It finds a printer
// that was unplugged and plugged in again, or switched off and on, by itself.
type Printer struct {
	cfg    Config
	number uint32 // of the process IDs so far
	begun  bool   // a job was begun that was not confirmed: its rest may be in the printer

	line    Line // nil: not connected
	reading sync.WaitGroup
	stop    context.CancelFunc
	asked   int // questions in turn on this connection

	mu      sync.Mutex // guards all below
	state   State
	broken  error         // of the connection
	news    chan struct{} // closed and replaced with everything that is heard
	nows    int           // answers in real time on this connection, and the last
	now     byte
	turns   int // answers in turn, and the last
	turn    byte
	id      [4]byte // the last process ID
	emptied int     // times that the buffers were cleared
}

// New makes the driver. It opens nothing yet; Close ends it.
func New(cfg Config) *Printer {
	if cfg.Confirm == "" {
		cfg.Confirm = Process
	}
	if cfg.Chunk == 0 {
		cfg.Chunk = defaultChunk
	}
	if cfg.Open == nil {
		cfg.Open = func(ctx context.Context) (Line, error) { return open(ctx, cfg.Port, cfg.Baud, cfg.Bus) }
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	// The numbers begin anywhere, so that what an earlier process left in the printer does not answer for this one's.
	return &Printer{cfg: cfg, number: rand.Uint32(), news: make(chan struct{})} //nolint:gosec // guards nothing
}

// Unfinished says that an earlier process began a job that was not confirmed: the next is then begun as after one of this process.
func (p *Printer) Unfinished() { p.begun = true }

// Name tells a technician which printer this is.
func (p *Printer) Name() string { return "escpos at " + p.cfg.Port }

// State is the last that is known. It does no I/O.
func (p *Printer) State() State {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state
}

// connect opens the line, where it is not open, and starts to read it.
func (p *Printer) connect(ctx context.Context) error {
	p.mu.Lock()
	broken := p.broken
	p.mu.Unlock()
	if p.line != nil && broken == nil {
		return nil
	}
	p.disconnect()
	line, err := p.cfg.Open(ctx)
	if err != nil {
		return device.Called(what, err)
	}
	p.mu.Lock()
	p.state = State{Connected: true}
	p.broken, p.nows, p.turns, p.emptied, p.id = nil, 0, 0, 0, [4]byte{}
	p.mu.Unlock()
	p.line, p.asked = line, 0
	reading, stop := context.WithCancel(context.WithoutCancel(ctx))
	p.stop = stop
	p.reading.Go(func() { p.read(reading, line) })
	return p.write(ctx, initialise, usASCII, autoStatus)
}

// disconnect closes the line and waits for its goroutine.
func (p *Printer) disconnect() {
	if p.line == nil {
		return
	}
	p.stop()
	if err := p.line.Close(); err != nil {
		p.cfg.Log.Debug("receipt printer: closing its line", "err", err)
	}
	p.reading.Wait()
	p.line = nil
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state = State{}
}

// Close frees the port and waits for the driver's goroutine.
func (p *Printer) Close() error {
	p.disconnect()
	return nil
}

// read ends with the line.
func (p *Printer) read(ctx context.Context, line Line) {
	var d decoder
	buf := make([]byte, maxReadAtOnce)
	for {
		n, err := line.Read(ctx, buf)
		p.mu.Lock()
		d.feed(buf[:n], p.hear)
		if err != nil {
			p.broken, p.state = err, State{}
		}
		close(p.news)
		p.news = make(chan struct{})
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// hear notes a message. The caller holds mu.
func (p *Printer) hear(m message) {
	switch m.kind {
	case immediate:
		p.nows, p.now = p.nows+1, m.data[0]
	case inTurn:
		p.turns, p.turn = p.turns+1, m.data[0]
	case automatic:
		p.state = p.state.auto(m.data)
	case block:
		if id, ok := m.idOf(); ok {
			p.id = id
		} else if m.cleared() {
			p.emptied++
		}
	}
}

// errNotYet is what wait returns when nothing came in time.
var errNotYet = errors.New("not yet")

// wait waits until something is so. met is called under mu. Errors: errNotYet, the line's, the context's.
func (p *Printer) wait(ctx context.Context, most time.Duration, met func() bool) error {
	timer := time.NewTimer(most)
	defer timer.Stop()
	for {
		p.mu.Lock()
		ok, broken, news := met(), p.broken, p.news
		p.mu.Unlock()
		switch {
		case ok:
			return nil
		case broken != nil:
			return broken
		}
		select {
		case <-news:
		case <-timer.C:
			return errNotYet
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// write sends commands. A printer that takes nothing for long is silent.
func (p *Printer) write(ctx context.Context, commands ...[]byte) error {
	var all []byte
	for _, c := range commands {
		all = append(all, c...)
	}
	within, stop := context.WithTimeout(ctx, writeWithin)
	defer stop()
	err := p.line.Write(within, all)
	if err != nil && ctx.Err() == nil && within.Err() != nil {
		if trouble := p.State().trouble(); trouble != nil {
			return trouble
		}
		return fmt.Errorf("%w (%s takes no more data)", ErrSilent, p.cfg.Port)
	}
	return err
}

// look asks for the printer's whole state (DLE EOT 1 to 4).
func (p *Printer) look(ctx context.Context) error {
	for n := byte(1); n <= 4; n++ {
		p.mu.Lock()
		before := p.nows
		p.mu.Unlock()
		if err := p.write(ctx, askNow(n)); err != nil {
			return err
		}
		err := p.wait(ctx, answerWithin, func() bool {
			if p.nows == before {
				return false
			}
			p.state = p.state.now(n, p.now)
			return true
		})
		if errors.Is(err, errNotYet) {
			p.disconnect() // its answer, if it comes late, is not to be taken for another's
			return fmt.Errorf("%w (%s)", ErrSilent, p.cfg.Port)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Ready says whether the printer would print now, and else why not: device.ErrUnplugged, ErrPermission, ErrBusy, ErrSilent, ErrPaperOut,
// ErrCoverOpen, ErrCutter, ErrFault, ErrOffline, or the context's error. It connects where it has to.
func (p *Printer) Ready(ctx context.Context) error {
	if err := p.connect(ctx); err != nil {
		return p.gone(err)
	}
	if err := p.look(ctx); err != nil {
		return p.gone(err)
	}
	err := p.State().trouble()
	if !errors.Is(err, ErrCutter) {
		return err
	}
	// Somebody may have freed it: the printer tries again when it is told to, and forgets what it held.
	if err := p.write(ctx, restart); err != nil {
		return p.gone(err)
	}
	if err := p.look(ctx); err != nil {
		return p.gone(err)
	}
	return p.State().trouble()
}

// gone closes a line that failed, so that the next call opens it anew.
func (p *Printer) gone(err error) error {
	if errors.Is(err, device.ErrUnplugged) || errors.Is(err, device.ErrClosed) {
		p.disconnect()
	}
	return err
}

// interrupted ends the paper of a job that was not finished: nobody is to take it for a receipt.
const interrupted = "INTERRUPTED: NOT A RECEIPT"

// Print prints a job and cuts the paper. nil means that the printer has said that it is on paper. Every error may leave a part of it there, or all
// of it: the next job is then begun behind a line that says so. Errors as Ready's, ErrUnconfirmed, and ErrBroken
// where the printer was lost after the job's first bytes.
func (p *Printer) Print(ctx context.Context, job []Part) error {
	var commands [][]byte
	for _, part := range job {
		if part.Picture == nil {
			commands = append(commands, text(part.Lines)...)
			continue
		}
		if err := part.Picture.check(); err != nil {
			return err
		}
		commands = append(commands, raster(*part.Picture, p.cfg.Chunk-8)...)
	}
	if err := p.Ready(ctx); err != nil {
		return err
	}
	if p.begun {
		if err := p.clear(ctx); err != nil {
			return p.gone(err)
		}
	}
	p.begun = true
	if err := p.send(ctx, append(commands, partialCut)); err != nil {
		return midway(p.gone(err))
	}
	if err := p.confirm(ctx); err != nil {
		return midway(p.gone(err))
	}
	p.begun = false
	return nil
}

// clear rids the printer of what an earlier job left in it, and makes sure that no answer to that is taken for one to this.
func (p *Printer) clear(ctx context.Context) error {
	p.mu.Lock()
	before := p.emptied
	p.mu.Unlock()
	if err := p.write(ctx, clearBuffers); err != nil {
		return err
	}
	if err := p.wait(ctx, quiet, func() bool { return p.emptied > before }); err != nil && !errors.Is(err, errNotYet) {
		return err
	}
	// A printer that cannot clear them works them off, and answers what was asked before; then it is quiet.
	p.mu.Lock()
	p.asked = p.turns
	p.mu.Unlock()
	if err := p.paced(ctx, nil); err != nil {
		return err
	}
	for {
		p.mu.Lock()
		seen := p.turns
		p.mu.Unlock()
		err := p.wait(ctx, quiet, func() bool { return p.turns > seen })
		if errors.Is(err, errNotYet) {
			p.asked = seen
			break
		}
		if err != nil {
			return err
		}
	}
	return p.send(ctx, append(text([]Text{{interrupted, Bold}}), partialCut))
}

// send sends commands a chunk at a time, and waits until the printer has worked each off. It begins with the settings, which a
// printer that was switched off and on has lost.
func (p *Printer) send(ctx context.Context, commands [][]byte) error {
	chunk := append(append(append([]byte(nil), initialise...), usASCII...), autoStatus...)
	for _, c := range commands {
		if len(chunk)+len(c) > p.cfg.Chunk && len(chunk) > 0 {
			if err := p.paced(ctx, chunk); err != nil {
				return err
			}
			chunk = chunk[:0]
		}
		chunk = append(chunk, c...)
	}
	return p.paced(ctx, chunk)
}

// paced sends bytes and waits until the printer has worked them off.
func (p *Printer) paced(ctx context.Context, chunk []byte) error {
	if err := p.write(ctx, chunk, askInTurn); err != nil {
		return err
	}
	p.asked++
	if err := p.worked(ctx, func() bool { return p.turns >= p.asked }); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.turn&0x0C != 0 {
		p.state.PaperOut = true
		return ErrPaperOut
	}
	return nil
}

// worked waits for the printer, and asks again and again whether something keeps it. Trouble is returned as soon as it is known.
func (p *Printer) worked(ctx context.Context, met func() bool) error {
	for until := time.Now().Add(workWithin); ; {
		var trouble error
		err := p.wait(ctx, lookEvery, func() bool {
			if met() {
				return true
			}
			trouble = p.state.trouble()
			return trouble != nil
		})
		switch {
		case err == nil:
			return trouble
		case !errors.Is(err, errNotYet):
			return err
		case !time.Now().Before(until):
			return fmt.Errorf("%w: switch it off and on", ErrUnconfirmed)
		}
		if err := p.look(ctx); err != nil {
			return err
		}
	}
}

// confirm waits until the printer says that all is on paper.
func (p *Printer) confirm(ctx context.Context) error {
	if p.cfg.Confirm == InTurn {
		return p.paced(ctx, nil)
	}
	p.number++
	id := processID(p.number)
	if err := p.write(ctx, askID(id)); err != nil {
		return err
	}
	err := p.worked(ctx, func() bool { return p.id == id })
	if errors.Is(err, ErrUnconfirmed) {
		return fmt.Errorf("%w; if it never does, it has no process IDs: write confirm = \"status\" in the config's [printer]", err)
	}
	return err
}

// Kick opens the drawer. A printer that is off line for want of paper opens it all the same. Errors: device.ErrUnplugged and the like,
// ErrSilent: then nothing is known of the drawer.
func (p *Printer) Kick(ctx context.Context, pin Pin) error {
	err := p.Ready(ctx)
	switch {
	case err == nil:
		if err := p.paced(ctx, pulse(pin)); err != nil {
			return p.gone(err)
		}
		return nil
	case p.line == nil || !p.State().Answers:
		return err
	}
	if err := p.write(ctx, pulseNow(pin)); err != nil {
		return p.gone(err)
	}
	return p.gone(p.look(ctx)) // its answer says that it has read what came before
}
