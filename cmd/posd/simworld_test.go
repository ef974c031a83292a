package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"tillway/device/emulator"
	"tillway/emv"
	"tillway/emv/oda"
	"tillway/host"
	"tillway/iso8583"
	"tillway/iso8583/dialect/nac"
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
	actorLate
	actorClock
	actorOwner
	actorDial
	actorLane
)

const (
	simCardWait  = 30*time.Second + 11
	simCardTalk  = 20*time.Second + 13
	simAnswer    = 5*time.Second + 17
	simWrite     = 3*time.Second + 19
	simRetry     = 2*time.Second + 23
	simRetryMax  = 16*time.Second + 29
	simCheck     = 30*time.Second + 31
	simSignature = 40*time.Second + 37
)

// story is everything that one seed's run leaves for the checker: what went over the wire, what the cashier was
// shown, and where the files are. Nothing in it comes from the code under test but what a person would see.
type story struct {
	mu     sync.Mutex // guards all below
	lines  []string
	wire   []wireEvent
	shown  map[terminal.SaleID]terminal.Sale
	faults map[string]int
	cuts   map[string]int // power cuts and stops, by what was being done
	states map[string]int // states seen, and end states with their codes
	rows   map[string]int // rows of the state tables that were taken
	dir    string
	defect error
}

// wireEvent is one frame as it passed the middle of the wire.
type wireEvent struct {
	at   time.Duration // since the story began
	dir  byte          // '>' written by the terminal, 'h' taken by the host, 'a' answered by the host, '<' delivered whole, 'x' not delivered after all
	data []byte

	// Beside the wire, in the order of events: 's' a sale is on disk as Sending or Asking, 'f' one at its end, 'd' a debt is on disk as
	// Sent, 'q' a parked debt is to go out again, 'r' a reversal's row is on disk, 'b' a batch's row is on disk, 't' a card gave a transaction certificate.
	stan  uint32 // of 's', 'f', 'd', 'q' and 'r'; of 'b' the batch's number
	sale  uint64 // of 'f'
	state string // of 'b'
	trace uint32 // of 'b': STAN of its message
}

func (s *story) fault(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[name]++
	s.lines = append(s.lines, "fault "+name)
}

// strike counts a fault and the moment at which it came.
func (s *story) strike(name, at string) {
	s.fault(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cuts[at]++
}

func (s *story) pass(at time.Duration, dir byte, data []byte) (index int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wire = append(s.wire, wireEvent{at: at, dir: dir, data: bytes.Clone(data)})
	s.lines = append(s.lines, fmt.Sprintf("%v %c %x", at, dir, data))
	return len(s.wire) - 1
}

// plan is what one run of the simulation is told.
type plan struct {
	seed    uint64
	orders  int  // of the cashier
	files   bool // the journal is SQLite in files; else it is in memory
	table   []terminal.Row
	debts   []terminal.DebtRow
	batches []terminal.BatchRow
	wrap    func(module) module // nil: the module as it is
	without map[string]bool     // faults that do not happen; everything before them does
}

// world is one seed's machine room: disk, power, network, hosts, reader, people.
type world struct {
	*story
	plan
	began    time.Time
	host     *host.Host
	calm     atomic.Bool // no faults any more: what is owed must drain
	conns    int
	cardless atomic.Bool // the running order reads no card
	boots    int
	deaf     atomic.Int64 // nanoseconds since the story began: until then the host takes nothing in
	down     [2]atomic.Int64
	late     held
	hosts    sync.WaitGroup
	codec    *iso8583.Codec
	card     *rand.Rand
	pins     *rand.Rand
	dialer   *rand.Rand
	disks    *rand.Rand
	disk     *simDisk
	journal  simJournal   // of this boot
	full     bool         // the disk
	ahead    atomic.Int64 // nanoseconds by which the terminal's wall clock is wrong
	cut      *power
	gentle   bool // the last boot ended without a power cut
}

// clock is the terminal's wall clock.
func (w *world) clock() time.Time { return simClock().Add(time.Duration(w.ahead.Load())) }

// mishap draws whether a fault happens, once in so many times; in a calm world none does. The draw is the same whether or not
// the fault is left out of the plan.
func (w *world) mishap(r *rand.Rand, oneIn int, name string) bool {
	return !w.calm.Load() && r.IntN(oneIn) == 0 && w.happens(name)
}

// happens says whether a fault that was drawn is in the plan, and counts it.
func (w *world) happens(name string) bool {
	if w.without[name] {
		return false
	}
	w.fault(name)
	return true
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

// simAcquirer is how the simulated terminal is configured to its acquirer.
func simAcquirer() acquirerConfig {
	a := defaults().Acquirer
	a.AnswerTimeout, a.WriteTimeout = duration(simAnswer), duration(simWrite)
	a.Retry, a.RetryMax, a.Check = duration(simRetry), duration(simRetryMax), duration(simCheck)
	a.NAC.TPDU, a.NAC.NII, a.NAC.MAC, a.NAC.MACSignOn = "6000030000", "003", "alg3", true
	a.NAC.Partial, a.NAC.Deferred = "amount", true
	return a
}

// simProfiles are parsed once: what a terminal sells with is the same at every start. With the second, customers of credit cards
// sign, and who pays the same twice is asked; with the third, a sale is an authorisation and a completion; with the
// fourth, cards are authenticated, and card and terminal may approve alone.
var simProfiles = sync.OnceValues(func() (all [4]profile.Profile, err error) {
	text, err := profile.Text("kuwait")
	if err != nil {
		return all, err
	}
	for i, change := range [][]string{
		nil,
		{
			`["online_pin", "no_cvm"]`, `["online_pin", "signature", "no_cvm"]`, `["no_cvm"] # DEV`, `["signature", "no_cvm"] # DEV`,
			`same_card     = "warn"`, `same_card     = "ask"`,
		},
		{
			`sale_messages = "one"`, `sale_messages = "two"`,
			`["online_pin", "no_cvm"]`, `["online_pin", "signature", "no_cvm"]`, `["no_cvm"] # DEV`, `["signature", "no_cvm"] # DEV`,
		},
		{
			`type        = "21"`, `type        = "22"`, `offline_data_authentication = []`, `offline_data_authentication = ["sda", "dda", "cda"]`,
			"# [offline]", simOffline, `floor_limit = "0.000"`, `floor_limit = "50.000"`,
		},
	} {
		if all[i], err = profile.Parse([]byte(strings.NewReplacer(change...).Replace(string(text)))); err != nil {
			return all, err
		}
		all[i].Deadlines.Card, all[i].Deadlines.Signature = simCardWait, simSignature
		all[i].Offline.ParkAfter = 0    // ten tries are enough: a story lasts minutes
		all[i].Settlement.Daily = false // a batch ends when the supervisor says so
	}
	return all, nil
})

// What may wait for the bank, of approvals without it and of requests that are kept, in the simulated profile.
const (
	simOfflineCount, simOfflineSum   = 3, 90_000
	simDeferredCount, simDeferredSum = 2, 40_000

	simOffline = `[offline]
count = 3
sum = "90.000"
card_count = 3
card_sum = "90.000"
[offline.deferred]
count = 2
sum = "40.000"
card_count = 2
card_sum = "40.000"
`
)

// alone says that the seed's terminal may approve without the bank.
func (w *world) alone() bool { return w.seed%5 == 3 }

// profile is the seed's.
func (w *world) profile() (profile.Profile, error) {
	all, err := simProfiles()
	return all[[]int{0, 1, 2, 3, 1}[w.seed%5]], err
}

// simAuthorities are the keys that the emulated cards are signed under.
var simAuthorities = sync.OnceValues(func() (emv.CAKeys, error) {
	file, err := oda.ParseKeys(emulator.AuthorityKeys(), oda.Test)
	return file.CAKeys, err
})

// boot runs the terminal from power-on to power-off: until the cashier has had his sales, the power is cut, or the disk is full.
func (w *world) boot(ctx context.Context, cutAfter int, gently bool, work func(context.Context, *stack) bool) (finished bool, err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	// Who was in the middle of something when the power went had a moment more, or not: the next start is at the same instant either way.
	time.Sleep(time.Until(time.Now().Truncate(time.Millisecond).Add(time.Millisecond)))
	if w.boots++; w.without["power cut"] {
		cutAfter = simLastBoot
	}
	w.full = w.full && w.disks.IntN(3) == 0 // mostly somebody makes room
	cut := &power{left: cutAfter, gently: gently, stop: stop, say: w.strike}
	w.cut = cut
	if w.mishap(w.disks, 6, "clock wrong at start") {
		w.setClock(w.disks)
	}
	d, err := w.disk.open(ctx)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, d.close(cut.gone() || w.full)) }()
	m, err := simModule(context.WithoutCancel(ctx), w.dir, simAcquirer().Name, simKeypad{w, w.pins})
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	journal := simJournal{d.simStore, w}
	w.journal = journal
	s, err := w.assemble(ctx, d, journal, m)
	if err != nil {
		if w.expected(err) {
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
	w.hosts.Go(func() { w.supervise(ctx, s.lane, journal, cut) })
	finished = work(ctx, s)
	stop()
	if rerr := <-ran; rerr != nil && !w.expected(rerr) {
		return finished, rerr
	}
	w.gentle = !cut.gone() && !w.full
	return finished && w.gentle, nil
}

// expected says of an error whether the world did it.
func (w *world) expected(err error) bool { return errors.Is(err, errCut) || errors.Is(err, errFull) }

func (w *world) assemble(ctx context.Context, d opened, journal lane.Journal, m module) (*stack, error) {
	p, err := w.profile()
	if err != nil {
		return nil, err
	}
	authorities, err := simAuthorities()
	if err != nil {
		return nil, err
	}
	unpredictable := w.rand(uint64(77 + w.conns))
	return assemble(ctx, parts{
		profile: p, caKeys: authorities, acquirer: simAcquirer(), reader: &simReader{w: w, people: w.card}, journal: journal,
		sales: d.sales, traces: d.traces, hosts: w.sites(), clock: w.clock,
		random: readerFunc(func(b []byte) (int, error) {
			for i := range b {
				b[i] = byte(unpredictable.Uint32())
			}
			return len(b), nil
		}),
		log: slog.New(slog.DiscardHandler), cardTalk: simCardTalk, table: w.table, debts: w.debts, batches: w.batches, module: w.module(m),
		tap: func(l lane.Link) lane.Link { return orderlyLink{l} },
	})
}

// setClock puts the terminal's wall clock wrong, or right again: by seconds, hours or days, either way.
func (w *world) setClock(r *rand.Rand) {
	spans := []time.Duration{0, time.Minute, 3 * time.Hour, 40 * time.Hour, 35 * 24 * time.Hour}
	by := time.Duration(r.Int64N(int64(2*spans[r.IntN(len(spans))]) + 1))
	by -= by / 2 * time.Duration(2*r.IntN(2))
	w.ahead.Store(int64(by))
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

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

func newWorld(dir string, p plan) (*world, error) {
	w := &world{
		story: &story{
			shown: map[terminal.SaleID]terminal.Sale{}, faults: map[string]int{}, cuts: map[string]int{}, states: map[string]int{}, rows: map[string]int{},
			dir: filepath.Join(dir, fmt.Sprint(p.seed)),
		},
		plan: p, began: time.Now(),
	}
	w.card, w.dialer, w.pins, w.disks = w.rand(1), w.rand(2), w.rand(6), w.rand(7)
	if err := os.MkdirAll(w.dir, 0o700); err != nil {
		return nil, err
	}
	w.disk = newSimDisk(w.dir, p.files)
	codec, err := iso8583.Compile(nac.Table(nac.Settings{TPDU: "6000030000", NII: "003"}))
	if err != nil {
		return nil, err
	}
	w.codec = codec
	w.host, err = newSimHost(codec, w.rand(3), simClock, simSecurity, func(c *host.Config) { c.Terminals[0].Partial = true })
	return w, err
}
