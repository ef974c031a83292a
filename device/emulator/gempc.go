package emulator

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"
)

// Errors of the virtual reader's own side.
var (
	ErrClosed  = errors.New("virtual reader closed")
	ErrLink    = errors.New("no place for the reader's port")
	ErrNoPlug  = errors.New("reader is unplugged already, or plugged in already")
	ErrNoFault = errors.New("no such fault")
)

// GemPCConfig says what to put where.
type GemPCConfig struct {
	Link string // path of the symbolic link that stands for the serial port; made, and taken away at the end
	Card Chip   // in the slot from the start; nil: an empty slot
	Hand Hand
	Log  *slog.Logger // nil: none
	// Watch, when there, is told each exchange with the card, one line, without card data. It must not block and must not call
	// the reader.
	Watch func(line string)
}

// GemPC is a running GemPC Twin on a pseudo-terminal. One goroutine owns the reader, the card and the port; the methods send
// it what to do and wait until that is done. They may be called from anywhere.
type GemPC struct {
	cfg  GemPCConfig
	lock *os.File

	orders chan func()
	input  chan arrival
	quit   chan struct{} // closed by Close
	ended  chan struct{} // closed by the loop when it has gone
	once   sync.Once

	// owned by the loop
	reader twin
	port   *port
	away   Chip        // the card while the hand holds it
	timer  *time.Timer // the hand's next move
	due    func()      // and what it is; nil: none
}

// arrival is what was read from a port.
type arrival struct {
	from  *port
	bytes []byte
}

// StartGemPC plugs a virtual reader in. A link path that is taken is ErrLink with what to do about it.
func StartGemPC(cfg GemPCConfig) (*GemPC, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	lock, err := holdLink(cfg.Link)
	if err != nil {
		return nil, err
	}
	g := &GemPC{
		cfg: cfg, lock: lock,
		orders: make(chan func()), input: make(chan arrival), quit: make(chan struct{}), ended: make(chan struct{}),
		timer: time.NewTimer(0),
	}
	<-g.timer.C
	g.reader.tell = cfg.Watch
	if g.port, err = g.open(); err != nil {
		releaseLink(cfg.Link, lock)
		return nil, err
	}
	g.put(cfg.Card)
	go g.loop()
	return g, nil
}

func (g *GemPC) loop() {
	defer close(g.ended)
	for {
		select {
		case <-g.quit:
			g.timer.Stop()
			g.shut()
			releaseLink(g.cfg.Link, g.lock)
			return
		case order := <-g.orders:
			order()
		case <-g.timer.C:
			if due := g.due; due != nil {
				g.due = nil
				due()
			}
		case a := <-g.input:
			if a.from == g.port {
				g.hear(a.bytes)
			}
		}
	}
}

// do runs an order on the loop and waits for it.
func (g *GemPC) do(order func()) error {
	done := make(chan struct{})
	select {
	case g.orders <- func() { order(); close(done) }:
		<-done
		return nil
	case <-g.ended:
		return ErrClosed
	}
}

// Insert puts a card into the slot; one that is there is taken out first. Error: ErrClosed.
func (g *GemPC) Insert(c Chip) error {
	return g.do(func() {
		g.plan(0, nil)
		g.away = nil
		g.take()
		g.put(c)
	})
}

// Remove takes the card out, if there is one; it stays out. Error: ErrClosed.
func (g *GemPC) Remove() error {
	return g.do(func() {
		g.plan(0, nil)
		g.away = nil
		g.take()
	})
}

// Unplug takes the reader off the machine: the link and its port go away. The card stays in its slot. Errors: ErrNoPlug,
// ErrClosed.
func (g *GemPC) Unplug() error {
	err := error(ErrNoPlug)
	if closed := g.do(func() {
		if g.port != nil {
			g.unplug()
			err = nil
		}
	}); closed != nil {
		return closed
	}
	return err
}

// Replug brings it back at the same link, with another port behind it. Errors: ErrNoPlug, ErrClosed, or why there is no
// port.
func (g *GemPC) Replug() error {
	err := error(ErrNoPlug)
	if closed := g.do(func() {
		if g.port == nil {
			g.port, err = g.open()
		}
	}); closed != nil {
		return closed
	}
	return err
}

// Fault arms a fault for an exchange, counted from the insertion of the card that is in the slot or comes next: 0 is its
// answer to reset, n the n-th TPDU or block. Errors: ErrNoFault, ErrClosed.
func (g *GemPC) Fault(kind WireFault, exchange int) error {
	return g.arm(kind, func() int { return exchange })
}

// FaultNext arms a fault for the n-th TPDU from now, 1 being the next. Errors as Fault.
func (g *GemPC) FaultNext(kind WireFault, n int) error {
	return g.arm(kind, func() int { return g.reader.carried + n })
}

const maxArmed = 100

func (g *GemPC) arm(kind WireFault, exchange func() int) error {
	if !slices.Contains(WireFaults(), kind) {
		return fmt.Errorf("%w: %q; there are %q", ErrNoFault, kind, WireFaults())
	}
	full := false
	err := g.do(func() {
		if full = len(g.reader.faults) >= maxArmed; !full {
			g.reader.faults = append(g.reader.faults, armed{kind, exchange()})
		}
	})
	if full {
		return fmt.Errorf("%w: %d are armed already", ErrNoFault, maxArmed)
	}
	return err
}

// GemPCStatus is how the virtual reader is.
type GemPCStatus struct {
	Link    string `json:"link"`
	Port    string `json:"port"`    // behind the link; empty while unplugged
	Card    bool   `json:"card"`    // one is in the slot
	Name    string `json:"name"`    // of that card's profile; empty for another Chip
	Powered bool   `json:"powered"` // and has power
	Carried int    `json:"carried"` // TPDUs and blocks since it went in
	Armed   int    `json:"armed"`   // faults still to come
	Seen    bool   `json:"seen"`    // the driver has been told that the slot is empty, since it last became so
}

// Status is a snapshot. Error: ErrClosed.
func (g *GemPC) Status() (GemPCStatus, error) {
	s := GemPCStatus{Link: g.cfg.Link}
	err := g.do(func() {
		if g.port != nil {
			s.Port = g.port.name()
		}
		s.Seen = g.reader.chip == nil && g.reader.emptyTold
		s.Name = nameOf(g.reader.chip)
		s.Card, s.Powered = g.reader.chip != nil, g.reader.wire != nil
		s.Carried, s.Armed = g.reader.carried, len(g.reader.faults)
	})
	return s, err
}

func nameOf(c Chip) string {
	if w, ok := c.(watch); ok {
		c = w.Chip
	}
	if card, ok := c.(*Card); ok {
		return card.Name()
	}
	return ""
}

// Close takes reader and link away and waits for the goroutines. A second call does nothing.
func (g *GemPC) Close() error {
	g.once.Do(func() { close(g.quit) })
	<-g.ended
	return nil
}

// The rest runs on the loop.

func (g *GemPC) put(c Chip) {
	if c == nil {
		return
	}
	if g.cfg.Watch != nil {
		c = watch{c, g.cfg.Watch}
	}
	g.write(g.reader.insert(c))
	g.cfg.Log.Info("card in")
}

func (g *GemPC) take() {
	if g.reader.chip == nil {
		return
	}
	g.write(g.reader.insert(nil))
	g.cfg.Log.Info("card out")
}

// hear answers what a driver wrote.
func (g *GemPC) hear(b []byte) {
	for _, ev := range g.port.line.push(b) {
		before := g.reader.chip
		res := g.reader.serve(ev)
		g.write(res.out)
		switch {
		case res.unplug:
			g.unplug()
			return
		case res.left:
			g.cfg.Log.Info("card left the slot")
			g.away = before
			g.plan(0, nil)
		case res.poweredUp:
			g.plan(0, nil)
		}
		g.act()
	}
}

// act has the hand decide what it does next, unless that is decided: it takes out a card that a terminal had and that has no power
// any more, whatever took it, and puts it back a while after the driver was told that the slot is empty.
func (g *GemPC) act() {
	switch {
	case g.due != nil:
	case g.away != nil && g.reader.emptyTold:
		g.plan(g.cfg.Hand.PutBack, g.putBack)
	case g.reader.chip != nil && g.reader.tried && g.reader.wire == nil:
		g.plan(g.cfg.Hand.TakeOut, g.takeOut)
	}
}

// plan sets the hand's next move in place of the one before; after 0 there is none.
func (g *GemPC) plan(after time.Duration, move func()) {
	g.timer.Stop()
	g.due = nil
	if after > 0 && move != nil {
		g.due = move
		g.timer.Reset(after)
	}
}

func (g *GemPC) takeOut() {
	g.away = g.reader.chip
	g.take()
	g.act()
}

func (g *GemPC) putBack() {
	c := g.away
	g.away = nil
	if c != nil {
		g.write(g.reader.insert(c))
		g.cfg.Log.Info("card in")
	}
}

func (g *GemPC) unplug() {
	g.shut()
	g.reader.restart()
	g.cfg.Log.Info("reader unplugged")
}
