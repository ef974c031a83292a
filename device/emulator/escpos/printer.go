package escpos

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"
)

// Config is what the virtual printer is.
type Config struct {
	Dots   int  // across the paper; 0: 576 (80 mm paper); 384 is 58 mm
	Buffer int  // bytes of its receive buffer; 0: 4096
	Clone  bool // knows no GS ( H, GS ( D and DLE DC4 8, and skips them without an answer
	Naive  bool // prints the parameters of GS commands that it does not know, as the cheapest do
	Log    *slog.Logger
}

// Pulse is one pulse to a drawer.
type Pulse struct {
	Pin     int // of the connector: 2 or 5
	On, Off time.Duration
}

// Printer is one virtual printer. All its methods may be called from any goroutine.
type Printer struct {
	cfg Config
	one chan struct{} // one slot: the line that it is on

	mu      sync.Mutex // guards all below; held over no I/O
	arrived *sync.Cond // the buffer has room again, or the line is gone
	buffer  []byte
	recent  []byte // the last bytes received, for commands in real time
	slips   []Slip
	state   mode

	paper    int // rows left on the roll; below 0: endless
	nearEnd  int // rows left at which the roll is nearly at its end
	cover    bool
	drawer   bool
	cutterAt int  // cuts until the cutter jams; below 0: never
	jammed   bool // the cutter's error
	mute     bool
	off      bool

	answers  []byte        // to be sent
	wake     chan struct{} // one slot: there are answers
	reported [4]byte       // the last automatic status
	pulses   []Pulse
	odd      []string // commands that it does not know, and data outside a command
	lost     int      // bytes that found no room
	realtime int      // real-time commands obeyed
	cleared  int      // times that its buffer was cleared by command
}

// mode is what ESC @ and power bring back.
type mode struct {
	line       []cell
	wide, tall int
	bold       bool
	align      byte // 0 left, 1 centre, 2 right
	spacing    int
	asb        byte // GS a
	at         int  // ESC $: where the next data begins
}

func fresh() mode { return mode{wide: 1, tall: 1, spacing: lineSpacing} }

// New makes a printer with an endless roll, cover shut, drawer shut. It starts nothing.
func New(cfg Config) *Printer {
	if cfg.Dots == 0 {
		cfg.Dots = 576
	}
	if cfg.Buffer == 0 {
		cfg.Buffer = 4096
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	p := &Printer{cfg: cfg, paper: -1, cutterAt: -1, state: fresh(), wake: make(chan struct{}, 1), one: make(chan struct{}, 1)}
	p.arrived = sync.NewCond(&p.mu)
	p.slips = []Slip{{width: cfg.Dots}}
	return p
}

// Serve plays the printer on a line until that or ctx ends, and closes it. Another line waits for its turn.
func (p *Printer) Serve(ctx context.Context, line io.ReadWriteCloser) error {
	select {
	case p.one <- struct{}{}:
	case <-ctx.Done():
		return line.Close()
	}
	defer func() { <-p.one }()
	p.take() // what it had to say to the line before is lost
	ctx, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		defer func() { _ = line.Close() }()
		defer p.roomForAll()
		for {
			select {
			case <-ctx.Done():
				return
			case <-p.wake:
			}
			if _, err := line.Write(p.take()); err != nil {
				return
			}
		}
	})
	buf := make([]byte, 512)
	var err error
	for err == nil {
		var n int
		n, err = line.Read(buf)
		p.receive(ctx, buf[:n])
	}
	stop()
	wg.Wait()
	if err == io.EOF || ctx.Err() != nil { //nolint:errorlint // a line's own end is the bare io.EOF
		return nil
	}
	return err
}

// roomForAll lets whoever waits for room see that the line is gone.
func (p *Printer) roomForAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.arrived.Broadcast()
}

func (p *Printer) take() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := p.answers
	p.answers = nil
	return out
}

// Feed gives the printer bytes as a line would, all at once: without a line, for tests and USB functions. What finds no room in its
// buffer is lost.
func (p *Printer) Feed(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range b {
		p.accept(c)
	}
	p.run()
}

// Answers takes what the printer has to say.
func (p *Printer) Answers() []byte { return p.take() }

// receive takes bytes from a line, which waits while the buffer is full and the printer does not print, unless ctx ends.
func (p *Printer) receive(ctx context.Context, b []byte) {
	stop := context.AfterFunc(ctx, p.roomForAll)
	defer stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range b {
		for len(p.buffer) >= p.cfg.Buffer && ctx.Err() == nil && !p.off {
			p.run()
			if len(p.buffer) >= p.cfg.Buffer {
				p.arrived.Wait()
			}
		}
		p.accept(c)
	}
	p.run()
}

// accept puts a byte into the buffer and obeys what ends with it in real time.
func (p *Printer) accept(c byte) {
	if p.off {
		return
	}
	if len(p.buffer) < p.cfg.Buffer {
		p.buffer = append(p.buffer, c)
	} else {
		p.lost++
	}
	p.obeyNow(c)
}

// say queues an answer. A mute printer, or one that is off, gives none.
func (p *Printer) say(b ...byte) {
	if p.mute || p.off {
		return
	}
	p.answers = append(p.answers, b...)
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// offline says that it does not print.
func (p *Printer) offline() bool { return p.cover || p.paper == 0 || p.jammed }

// changed tells of a change, where GS a asks for it, and goes on printing where that is possible again.
func (p *Printer) changed() {
	p.report(false)
	p.run()
	p.arrived.Broadcast()
}
