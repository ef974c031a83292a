package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"tillway/device"
	"tillway/device/emulator"
	"tillway/host"
	"tillway/iso8583"
	"tillway/iso8583/dialect/nac"
	"tillway/money"
	"tillway/store"
	"tillway/terminal"
	"tillway/terminal/lane"
	"tillway/terminal/profile"
)

// Every actor of the simulation wakes on a nanosecond of its own within a microsecond, and has its own random source:
// then one seed gives one story.
const (
	actorCashier = 101 * (iota + 1)
	actorCancel
	actorCard
	actorCustomer
	actorHost
	actorNetwork
	actorSupervisor
	actorPIN
	actorSignal
)

const (
	simCardWait = 30*time.Second + 11
	simCardTalk = 20*time.Second + 13
	simAnswer   = 5*time.Second + 17
	simWrite    = 3*time.Second + 19
	simRetry    = 2*time.Second + 23
	simRetryMax = 16*time.Second + 29
	simCheck    = 30*time.Second + 31
)

// story is everything that one seed's run leaves for the checker: what went over the wire, what the cashier was
// shown, and where the files are. Nothing in it comes from the code under test but what a person would see.
type story struct {
	mu     sync.Mutex // guards all below
	lines  []string
	wire   []wireEvent
	shown  map[terminal.SaleID]terminal.Sale
	faults map[string]int
	states map[string]int // states seen, and end states with their codes
	dir    string
	defect error
}

// wireEvent is one frame as it passed the middle of the wire.
type wireEvent struct {
	at   time.Duration // since the story began
	dir  byte          // '>' written by the terminal, 'h' taken by the host, 'a' answered by the host, '<' delivered whole, 'x' not delivered after all
	data []byte

	// Beside the wire, in the order of events: 's' a sale is on disk as Sending, 'd' a debt is on disk as Sent, 't' a card
	// gave a transaction certificate.
	stan uint32 // of 's' and 'd'
}

func (s *story) fault(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[name]++
	s.lines = append(s.lines, "fault "+name)
}

func (s *story) pass(at time.Duration, dir byte, data []byte) (index int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wire = append(s.wire, wireEvent{at: at, dir: dir, data: bytes.Clone(data)})
	s.lines = append(s.lines, fmt.Sprintf("%v %c %x", at, dir, data))
	return len(s.wire) - 1
}

// world is one seed's machine room: disk, power, network, host, reader, people.
type world struct {
	*story
	seed   uint64
	began  time.Time
	host   *host.Host
	calm   atomic.Bool // no faults any more: what is owed must drain
	conns  int
	deaf   atomic.Int64 // nanoseconds since the story began: until then the host takes nothing in
	hosts  sync.WaitGroup
	codec  *iso8583.Codec
	card   *rand.Rand
	pins   *rand.Rand
	dialer *rand.Rand
	cut    *power
	gentle bool // the last boot ended without a power cut
	table  []terminal.Row
	debts  []terminal.DebtRow
	wrap   func(module) module // nil: the module as it is
}

// simClock is the wall clock of the simulation: its time begins in 2000, and cards are valid today.
func simClock() time.Time { return time.Now().AddDate(26, 10, 22) }

// ns is the wait until the next instant at least d away that ends in the actor's own nanosecond.
func ns(actor int, d time.Duration) time.Duration {
	at := time.Now().Add(d).Truncate(time.Microsecond).Add(time.Microsecond + time.Duration(actor))
	return time.Until(at)
}

func pause(ctx context.Context, actor int, d time.Duration) error {
	t := time.NewTimer(ns(actor, d))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *world) rand(actor uint64) *rand.Rand { return rand.New(rand.NewPCG(w.seed, actor)) }

func (w *world) now() time.Duration { return time.Since(w.began) }

var errCut = errors.New("power cut")

// power fails everything that touches the outside from one step on, until the next boot; or it only stops the daemon then,
// as SIGTERM does.
type power struct {
	mu     sync.Mutex // guards all below
	left   int
	gently bool // the daemon is asked to stop, and nothing fails
	off    bool
	stop   context.CancelFunc
	say    func(string)
}

func (p *power) step(where string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.off {
		return errCut
	}
	if p.left--; p.left == 0 && p.gently {
		p.say("stopped " + where)
		time.AfterFunc(ns(actorSignal, 300*time.Microsecond), p.stop) // a signal has an instant of its own
	} else if p.left == 0 {
		p.off = true
		p.say("power cut " + where)
		p.stop()
		return errCut
	}
	return nil
}

// soon brings the cut nearer: moments in which something waits to be written are the ones to look at.
func (p *power) soon(steps int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left = min(p.left, steps)
}

func (p *power) gone() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.off
}

// simJournal is the real store behind the power switch; it notes when a sale is on disk as Sending and a debt as Sent.
type simJournal struct {
	*store.Store
	w *world
}

func (j simJournal) Append(ctx context.Context, commit bool, entries ...terminal.Entry) error {
	if commit {
		if err := j.w.cut.step("before a commit"); err != nil {
			return err
		}
	} else if j.w.cut.gone() {
		return errCut
	}
	if err := j.Store.Append(context.WithoutCancel(ctx), commit, entries...); err != nil {
		return err
	}
	for _, e := range entries {
		j.w.note(e, commit)
	}
	if commit {
		return j.w.cut.step("after a commit")
	}
	return nil
}

func (w *world) note(e terminal.Entry, commit bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e.Debt != nil && e.Debt.State == terminal.Sent && commit {
		w.wire = append(w.wire, wireEvent{at: w.now(), dir: 'd', stan: e.Debt.STAN})
	}
	if e.Sale == nil {
		return
	}
	w.states[string(e.Sale.State)]++
	w.lines = append(w.lines, fmt.Sprintf("sale %s %s %s %v", e.Sale.ID, e.Event, e.Sale.State, e.Duties))
	if e.Sale.State == terminal.Sending && commit {
		w.wire = append(w.wire, wireEvent{at: w.now(), dir: 's', stan: e.Sale.STAN})
	}
}

// simReader is a slot with a customer before it.
type simReader struct {
	w      *world
	in     bool
	people *rand.Rand
}

func (r *simReader) Name() string { return "simulated" }

func (r *simReader) Status() device.Status { return device.Status{Condition: device.NoCard} }

func (r *simReader) Close() error { return nil }

func (r *simReader) Release(context.Context) error { return nil }

func (r *simReader) AwaitRemoval(ctx context.Context) error {
	if !r.in {
		return nil
	}
	if err := pause(ctx, actorCustomer, time.Duration(r.people.IntN(4000))*time.Millisecond); err != nil {
		return err
	}
	r.in = false
	return nil
}

func (r *simReader) Present(ctx context.Context) (device.Presented, error) {
	wait := time.Duration(500+r.people.IntN(6000)) * time.Millisecond
	if !r.w.calm.Load() && r.people.IntN(25) == 0 {
		r.w.fault("no card")
		wait = time.Hour
	}
	if err := pause(ctx, actorCustomer, wait); err != nil {
		return device.Presented{}, err
	}
	r.in = true
	if !r.w.calm.Load() && r.people.IntN(25) == 0 {
		r.w.fault("mute card")
		return device.Presented{}, fmt.Errorf("simulated: %w", device.ErrMute)
	}
	names := []string{"credit", "debit", "declines", "expired", "pulled"} // fixed, so that a seed stays the same sale
	p, err := emulator.Ready(names[r.people.IntN(len(names))])
	if err != nil {
		return device.Presented{}, err
	}
	card := emulator.NewCard(p)
	card.Reset()
	c := &simCard{r: r, card: card, leave: -1}
	if !r.w.calm.Load() {
		if r.people.IntN(3) == 0 {
			r.w.fault("slow card")
			c.slow = true
		}
		switch r.people.IntN(12) {
		case 0:
			c.leave, c.why = r.people.IntN(24), "card pulled"
		case 1:
			c.leave, c.why = r.people.IntN(24), "reader unplugged"
		case 2:
			c.leave, c.why = r.people.IntN(24), "card garbage"
		case 3:
			c.leave, c.why = r.people.IntN(24), "card hangs"
		}
	}
	return device.Presented{Technology: device.Contact, ATR: card.ATR(), Card: c}, nil
}

// simCard is the emulator's card with time and accidents.
type simCard struct {
	r     *simReader
	card  *emulator.Card
	n     int
	leave int // exchange at which the accident happens; -1 never
	why   string
	slow  bool
	gone  error
}

func (c *simCard) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	w := c.r.w
	if w.cut.gone() {
		return nil, errCut
	}
	if c.gone != nil {
		if err := pause(ctx, actorCard, 5*time.Millisecond); err != nil { // nothing takes no time: who watches must see it
			return nil, err
		}
		return nil, c.gone
	}
	d := time.Duration(5+c.r.people.IntN(60)) * time.Millisecond
	if c.slow {
		d = time.Duration(200+c.r.people.IntN(1500)) * time.Millisecond
	}
	if c.n == c.leave {
		w.fault(c.why)
		switch c.why {
		case "card pulled":
			c.gone, c.r.in = fmt.Errorf("simulated: %w", device.ErrRemoved), false
		case "reader unplugged":
			c.gone, c.r.in = fmt.Errorf("simulated: %w", device.ErrUnplugged), false
		case "card garbage":
			c.gone = fmt.Errorf("simulated: %w", device.ErrProtocol)
		case "card hangs":
			d = simCardTalk + time.Second
		}
	}
	c.n++
	if err := pause(ctx, actorCard, d); err != nil {
		return nil, err
	}
	if c.gone != nil {
		return nil, c.gone
	}
	answer := c.card.Transmit(command)
	if c.card.Left() {
		w.fault("card left by itself")
		c.gone, c.r.in = fmt.Errorf("simulated: %w", device.ErrRemoved), false
		return nil, c.gone
	}
	if answer == nil {
		c.gone = fmt.Errorf("simulated: %w", device.ErrMute)
		return nil, c.gone
	}
	if certificate(command, answer) {
		w.pass(w.now(), 't', nil)
	}
	return answer, nil
}

// certificate says that a card answered GENERATE AC (Book 3, 6.5.5) with a transaction certificate: format 1 begins with the
// cryptogram information data, format 2 has it as 9F27.
func certificate(command, answer []byte) bool {
	if len(command) < 2 || command[1] != 0xAE || len(answer) < 5 {
		return false
	}
	cid := answer[2]
	if answer[0] == 0x77 {
		i := bytes.Index(answer, []byte{0x9F, 0x27, 0x01})
		if i < 0 || i+3 >= len(answer) {
			return false
		}
		cid = answer[i+3]
	}
	return cid&0xC0 == 0x40
}

// simConn is the terminal's end of the wire behind the power switch.
type simConn struct {
	net.Conn
	w       *world
	segment *bufio.Reader
}

func (c simConn) Write(b []byte) (int, error) {
	if err := c.w.cut.step("before a write"); err != nil {
		return 0, err
	}
	if len(b) > 2 {
		c.w.pass(c.w.now(), '>', b[2:])
	}
	n, err := c.Conn.Write(b)
	if err != nil {
		return n, err
	}
	return n, c.w.cut.step("after a write")
}

// Read hands on what a segment brought. The power goes, if it does, once for a segment: what the network delivered in one
// instant was delivered.
func (c simConn) Read(b []byte) (int, error) {
	if c.segment.Buffered() == 0 {
		if _, err := c.segment.Peek(1); err != nil {
			return 0, err
		}
		if err := c.w.cut.step("after a read"); err != nil {
			return 0, err
		}
	}
	return c.segment.Read(b)
}

func (w *world) dial(ctx context.Context) (net.Conn, error) {
	if err := w.cut.step("at a dial"); err != nil {
		return nil, err
	}
	if !w.calm.Load() && w.dialer.IntN(5) == 0 {
		w.fault("connection refused")
		if err := pause(ctx, actorNetwork, 100*time.Millisecond); err != nil {
			return nil, err
		}
		return nil, errors.New("connection refused")
	}
	near, far := net.Pipe()
	w.conns++
	r := w.rand(uint64(1000 + w.conns))
	w.hosts.Go(func() {
		w.serve(far, r)
		_ = far.Close()
	})
	return simConn{near, w, bufio.NewReader(near)}, nil
}

// serve is the network and the host behind it, for one connection. What was written is on its way, whatever becomes of
// the connection: it is taken off the wire at once and waits its turn.
func (w *world) serve(c net.Conn, r *rand.Rand) {
	frames := make(chan []byte, 64)
	w.hosts.Go(func() {
		defer close(frames)
		head := make([]byte, 2)
		for {
			if _, err := io.ReadFull(c, head); err != nil {
				return
			}
			frame := make([]byte, binary.BigEndian.Uint16(head))
			if _, err := io.ReadFull(c, frame); err != nil {
				return
			}
			frames <- frame
		}
	})
	for frame := range frames {
		time.Sleep(ns(actorHost, time.Duration(20+r.IntN(400))*time.Millisecond))
		if w.mishap(r, 40, "host deaf for a while") {
			w.deaf.Store(int64(w.now() + time.Duration(8+r.IntN(30))*time.Second))
		}
		if int64(w.now()) < w.deaf.Load() && !w.calm.Load() {
			continue
		}
		if w.mishap(r, 20, "request lost") {
			continue
		}
		if w.mishap(r, 40, "connection lost before the host") {
			return
		}
		w.pass(w.now(), 'h', frame)
		replies := w.host.Answer(frame)
		if len(replies) == 0 {
			w.fault("host keeps silent")
		}
		for i, reply := range replies {
			if i > 0 {
				time.Sleep(ns(actorHost, 5*time.Millisecond))
			}
			if !w.answer(c, r, reply) {
				return
			}
		}
	}
}

func (w *world) mishap(r *rand.Rand, oneIn int, name string) bool {
	if w.calm.Load() || r.IntN(oneIn) != 0 {
		return false
	}
	w.fault(name)
	return true
}

// answer carries one of the host's replies to the terminal, as well as the network does today.
func (w *world) answer(c net.Conn, r *rand.Rand, reply host.Reply) bool {
	w.pass(w.now(), 'a', reply.Frame)
	reply.Frame = w.tamper(r, reply.Frame)
	if reply.Delay > 0 {
		w.fault("host is late")
		time.Sleep(ns(actorHost, reply.Delay))
	}
	if w.mishap(r, 20, "answer lost") {
		return true
	}
	if w.mishap(r, 25, "answer late") {
		time.Sleep(ns(actorNetwork, simAnswer+time.Duration(r.IntN(900))*time.Millisecond))
	}
	b := append(binary.BigEndian.AppendUint16(nil, uint16(len(reply.Frame))), reply.Frame...)
	if reply.Cut > 0 {
		b = b[:min(len(b), reply.Cut)]
	}
	if reply.Reset || w.mishap(r, 30, "reset in mid-answer") {
		if reply.Reset {
			w.fault("host resets")
		} else {
			b = b[:1+r.IntN(len(b)-1)]
		}
		_, _ = c.Write(b)
		return false
	}
	if w.mishap(r, 30, "answer twice in one segment") {
		return w.deliver(c, reply.Frame, append(bytes.Clone(b), b...), len(b))
	}
	if w.mishap(r, 30, "answer byte by byte") {
		for i := range len(b) - 1 {
			if _, err := c.Write(b[i : i+1]); err != nil {
				return false
			}
			time.Sleep(ns(actorNetwork, 100*time.Microsecond))
		}
		return w.deliver(c, reply.Frame, b[len(b)-1:], 1)
	}
	again := w.mishap(r, 25, "answer again a moment later")
	if !w.deliver(c, reply.Frame, b, len(b)) {
		return false
	}
	if again {
		time.Sleep(ns(actorNetwork, time.Duration(10+r.IntN(200))*time.Millisecond))
		_, err := c.Write(b)
		return err == nil
	}
	return true
}

// boot runs the terminal from power-on to power-off: until the cashier has had his sales, or the power is cut.
func (w *world) boot(ctx context.Context, cutAfter int, gently bool, work func(context.Context, *stack) bool) (finished bool, err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	w.cut = &power{left: cutAfter, gently: gently, stop: stop, say: w.fault}
	d, err := openDisk(context.WithoutCancel(ctx), w.dir, slog.New(slog.DiscardHandler))
	if err != nil {
		return false, err
	}
	defer func() {
		if w.cut.gone() {
			err = errors.Join(err, d.journal.Abort())
		}
		err = errors.Join(err, d.close())
	}()
	p, err := profile.Ready("kuwait")
	if err != nil {
		return false, err
	}
	p.Deadlines.Card = simCardWait
	a := defaults().Acquirer
	a.AnswerTimeout, a.WriteTimeout = duration(simAnswer), duration(simWrite)
	a.Retry, a.RetryMax, a.Check = duration(simRetry), duration(simRetryMax), duration(simCheck)
	a.NAC.TPDU, a.NAC.NII, a.NAC.MAC, a.NAC.MACSignOn = "6000030000", "003", "alg3", true
	m, err := simModule(context.WithoutCancel(ctx), w.dir, a.Name, simKeypad{w, w.pins})
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	unpredictable := w.rand(uint64(77 + w.conns))
	s, err := assemble(ctx, parts{
		profile: p, acquirer: a, reader: &simReader{w: w, people: w.card}, journal: simJournal{d.journal, w},
		sales: d.sales, traces: d.traces, dial: w.dial, clock: simClock,
		random: readerFunc(func(b []byte) (int, error) {
			for i := range b {
				b[i] = byte(unpredictable.Uint32())
			}
			return len(b), nil
		}),
		log: slog.New(slog.DiscardHandler), cardTalk: simCardTalk, table: w.table, debts: w.debts, module: w.module(m),
	})
	if err != nil {
		if errors.Is(err, errCut) {
			w.gentle = false
			return false, nil
		}
		return false, err
	}
	for _, r := range s.recovered {
		if w.gentle && r.STAN != 0 {
			w.fail(fmt.Errorf("sale %s was left in the middle by a daemon that was only asked to stop", r.ID))
		}
	}
	ran := make(chan error, 1)
	go func() {
		ran <- s.run(ctx)
		stop() // a terminal that ended by itself has no cashier any more
	}()
	cut := w.cut
	w.hosts.Go(func() { w.supervise(ctx, s.lane, simJournal{d.journal, w}, cut) })
	finished = work(ctx, s)
	stop()
	if rerr := <-ran; rerr != nil && !errors.Is(rerr, errCut) {
		return finished, rerr
	}
	w.gentle = !w.cut.gone()
	return finished && w.gentle, nil
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

// deliver writes bytes of which the first whole complete a frame. The frame is noted before the terminal can act on it,
// and taken back when it did not arrive.
func (w *world) deliver(c net.Conn, frame, b []byte, whole int) bool {
	mark := w.pass(w.now(), '<', frame)
	n, err := c.Write(b)
	if err != nil && n < whole {
		w.mu.Lock()
		w.wire[mark].dir = 'x'
		w.mu.Unlock()
	}
	return err == nil
}

// cashier sells until orders are used up: order after order, each watched to its end, now and then cancelled, and
// asked for again with the same key after a power cut.
type cashier struct {
	w     *world
	rand  *rand.Rand
	next  int // orders begun
	total int
	order terminal.Order
	open  bool // the order's end was not seen
}

func (c *cashier) work(ctx context.Context, s *stack) bool {
	for c.open || c.next < c.total {
		if pause(ctx, actorCashier, time.Duration(200+c.rand.IntN(8000))*time.Millisecond) != nil {
			return false
		}
		if !c.open {
			c.next++
			c.order = terminal.Order{Kind: terminal.KindSale, Amount: simAmount(c.rand, c.w.calm.Load()), Key: fmt.Sprintf("order-%d", c.next)}
			c.open = true
		}
		cancels := c.rand.IntN(5) == 0 && !c.w.calm.Load()
		if cancels {
			c.w.fault("cashier cancels")
		}
		sale, err := s.lane.Start(ctx, c.order)
		if err != nil {
			return false
		}
		if cancels {
			wait, cut := time.Duration(c.rand.IntN(9000))*time.Millisecond, c.w.cut
			c.w.hosts.Go(func() {
				if pause(ctx, actorCancel, wait) != nil {
					return
				}
				if wait.Milliseconds()%4 == 0 {
					cut.soon(2)
				}
				_ = s.lane.Cancel(ctx) // too late is an answer too
			})
		}
		if !sale.State.Final() {
			if sale, err = watch(ctx, s.lane, sale.ID); err != nil {
				return false
			}
		}
		c.w.show(sale)
		c.open = false
	}
	return c.drain(ctx, s)
}

// watch follows a sale on the screen until it ends there.
func watch(ctx context.Context, l *lane.Lane, id terminal.SaleID) (terminal.Sale, error) {
	var seen uint64
	for {
		snap, err := l.Watch(ctx, seen)
		if err != nil {
			return terminal.Sale{}, err
		}
		if seen = snap.Version; snap.Last != nil && snap.Last.ID == id {
			return *snap.Last, nil
		}
	}
}

// drain waits until nothing is owed any more; in a calm world that must come to an end.
func (c *cashier) drain(ctx context.Context, s *stack) bool {
	for range 200 {
		if pause(ctx, actorCashier, time.Second) != nil {
			return false
		}
		if !c.w.calm.Load() || s.lane.Snapshot().Owed == 0 {
			return true
		}
	}
	c.w.fail(errors.New("something is still owed 200 seconds after the last fault"))
	return true
}

// supervise is somebody at work on the terminal while a sale is being finished with its card: presses "send now", or does
// what commits a row of its own and so takes the waiting ones along; and at times pulls the plug.
func (w *world) supervise(ctx context.Context, l *lane.Lane, journal lane.Journal, cut *power) {
	for seen := uint64(0); ; {
		snap, err := l.Watch(ctx, seen)
		if err != nil {
			return
		}
		seen = snap.Version
		if !strings.HasPrefix(string(snap.State), "Finish") || w.calm.Load() {
			continue
		}
		r := w.rand(uint64(50_000 + snap.Sale))
		if r.IntN(3) != 0 || pause(ctx, actorSupervisor, time.Duration(5+r.IntN(300))*time.Millisecond) != nil {
			continue
		}
		if r.IntN(3) == 0 {
			cut.soon(1 + r.IntN(4))
		}
		if r.IntN(2) == 0 {
			if journal.Append(ctx, true) != nil {
				return
			}
			continue
		}
		if err := l.SendQueue(ctx); err != nil {
			return
		}
	}
}

func (s *story) show(sale terminal.Sale) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shown[sale.ID] = sale
}

func (s *story) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.defect == nil {
		s.defect = err
	}
}

// amounts are what is bought: mostly plain, now and then one that the host or the card plays a trick with.
func simAmount(c *rand.Rand, calm bool) money.Amount {
	kwd, _ := money.ByCode("KWD")
	base := int64(1+c.IntN(30)) * 1000
	tricks := []int64{51, 55, 91, 5, 101, 102, 103, 104, 105, 106, 201, 202, 203}
	if calm || c.IntN(3) != 0 {
		return money.New(base+int64(300+c.IntN(700)), kwd)
	}
	return money.New(base+tricks[c.IntN(len(tricks))], kwd)
}

func newWorld(seed uint64, dir string, table []terminal.Row, debts []terminal.DebtRow) (*world, error) {
	w := &world{
		story: &story{
			shown: map[terminal.SaleID]terminal.Sale{}, faults: map[string]int{}, states: map[string]int{},
			dir: filepath.Join(dir, fmt.Sprint(seed)),
		},
		seed: seed, began: time.Now(), table: table, debts: debts,
	}
	w.card, w.dialer, w.pins = w.rand(1), w.rand(2), w.rand(6)
	if err := os.MkdirAll(w.dir, 0o700); err != nil {
		return nil, err
	}
	codec, err := iso8583.Compile(nac.Table(nac.Settings{TPDU: "6000030000", NII: "003"}))
	if err != nil {
		return nil, err
	}
	w.codec = codec
	w.host, err = newSimHost(codec, w.rand(3), simClock, simSecurity)
	return w, err
}

var _ lane.Journal = simJournal{}
