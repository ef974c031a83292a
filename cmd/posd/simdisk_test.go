package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"tillway/terminal"
	"tillway/terminal/lane"
)

// errFull is what a full disk says.
var errFull = errors.New("no space left on the simulated disk")

// simStore is a journal with what the simulation itself asks of it.
type simStore interface {
	lane.Journal
	Last(ctx context.Context, n int) ([]terminal.Sale, error)
	Debts(ctx context.Context) ([]terminal.Debt, error)
}

// simDisk is what a machine keeps from boot to boot: files with SQLite in them, or the same in memory.
type simDisk struct {
	dir           string
	memory        *memoryJournal // nil: files
	sales, traces *memoryCounter
}

func newSimDisk(dir string, files bool) *simDisk {
	d := &simDisk{dir: dir}
	if !files {
		d.memory, d.sales, d.traces = newMemoryJournal(simClock), &memoryCounter{}, &memoryCounter{}
	}
	return d
}

// opened is a disk under power.
type opened struct {
	simStore
	sales, traces lane.Counter
	close         func(lost bool) error // lost: with the power, or with a write that failed
}

func (d *simDisk) open(ctx context.Context) (opened, error) {
	if d.memory != nil {
		d.sales.start()
		d.traces.start()
		return opened{d.memory, d.sales, d.traces, func(lost bool) error {
			if lost {
				d.memory.lose()
				return nil
			}
			return d.memory.Append(ctx, true)
		}}, nil
	}
	files, err := openDisk(context.WithoutCancel(ctx), d.dir, slog.New(slog.DiscardHandler))
	if err != nil {
		return opened{}, err
	}
	return opened{files.journal, files.sales, files.traces, func(lost bool) (err error) {
		if lost {
			err = files.journal.Abort()
		}
		return errors.Join(err, files.close())
	}}, nil
}

// memoryCounter leases blocks as the real one does: after every start it goes on behind the last block.
type memoryCounter struct {
	mu           sync.Mutex // guards what follows
	last, leased uint64
}

func (c *memoryCounter) start() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = c.leased
	c.leased += leaseBlock
}

func (c *memoryCounter) Next(ctx context.Context) (uint64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last++; c.last > c.leased {
		c.leased += leaseBlock
	}
	return c.last, ctx.Err()
}

// simJournal is the journal behind the power switch, on a disk that may be full; it notes when a sale is on disk as Sending
// and a debt as Sent.
type simJournal struct {
	simStore
	w *world
}

var _ lane.Journal = simJournal{}

func (j simJournal) Append(ctx context.Context, commit bool, entries ...terminal.Entry) error {
	what := rowNames(entries)
	// Lane and owner go on in the same instant after an answer: the rows of each take a moment of its own, so that their order is no chance.
	switch {
	case len(entries) == 0:
	case entries[0].Kind == terminal.SaleEntry:
		time.Sleep(ns(actorLane, 0))
	default:
		time.Sleep(ns(actorOwner, 0))
	}
	if commit {
		if err := j.w.cut.step("before a commit", what); err != nil {
			return err
		}
	} else if j.w.cut.gone() {
		return errCut
	}
	if err := j.w.room(commit); err != nil {
		return err
	}
	if err := j.simStore.Append(context.WithoutCancel(ctx), commit, entries...); err != nil {
		return err
	}
	for _, e := range entries {
		j.w.note(e, commit)
	}
	if commit {
		return j.w.cut.step("after a commit", what)
	}
	return nil
}

// Batch may open one, which commits.
func (j simJournal) Batch(ctx context.Context, acquirer string) (uint32, error) {
	if err := j.w.room(false); err != nil {
		return 0, err
	}
	return j.simStore.Batch(ctx, acquirer)
}

// room says whether the disk has room. Once a write has failed, every write does until the process has ended; room is made
// before one of the next starts.
func (w *world) room(commit bool) error {
	if !w.full && commit && w.mishap(w.disks, 700, "disk full") {
		w.full = true
	}
	if w.full && !w.calm.Load() {
		return fmt.Errorf("journal: %w", errFull)
	}
	return nil
}

// rowNames is what a commit writes, for the histogram: the last transition of it.
func rowNames(entries []terminal.Entry) string {
	for _, e := range slices.Backward(entries) {
		switch {
		case e.Batch != nil:
			return "batch " + e.Event
		case e.Debt != nil:
			return "debt " + e.Event
		case e.Sale != nil:
			return string(e.From) + " " + e.Event
		}
	}
	return "other"
}

func (w *world) note(e terminal.Entry, commit bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if b := e.Batch; b != nil {
		w.states["batch "+string(b.State)]++
		w.rows["batch "+e.Event+" "+string(b.State)]++
		w.lines = append(w.lines, fmt.Sprintf("%v batch %d, STAN %06d: %s %s", w.now(), b.Number, b.STAN, e.Event, b.State))
		w.wire = append(w.wire, wireEvent{at: w.now(), dir: 'b', stan: b.Number, state: string(b.State), trace: b.STAN})
	}
	if e.Debt != nil {
		w.states["debt "+string(e.Debt.State)]++
		w.rows["debt "+e.Event]++
		w.lines = append(w.lines, fmt.Sprintf("%v debt %d of sale %s, STAN %06d: %s %s", w.now(), e.Debt.ID, e.Debt.Sale, e.Debt.STAN, e.Event, e.Debt.State))
	}
	if e.Debt != nil && e.Event == string(terminal.DebtRequeued) && e.Debt.Kind == terminal.ReversalDebt {
		w.wire = append(w.wire, wireEvent{at: w.now(), dir: 'q', stan: e.Debt.STAN})
	}
	if e.Debt != nil && e.Debt.Kind == terminal.ReversalDebt {
		w.wire = append(w.wire, wireEvent{at: w.now(), dir: 'r', stan: e.Debt.STAN, state: string(e.Debt.State)})
	}
	if e.Debt != nil && e.Debt.State == terminal.Sent && commit {
		w.wire = append(w.wire, wireEvent{at: w.now(), dir: 'd', stan: e.Debt.STAN})
	}
	if e.Sale == nil {
		return
	}
	w.states[string(e.Sale.State)]++
	w.rows[string(e.From)+" "+e.Event]++
	w.lines = append(w.lines, fmt.Sprintf("%v %s %s of %d, %s STAN %06d: %s %s %v", w.now(), e.Sale.Kind, e.Sale.ID, e.Sale.Of, e.Sale.Amount, e.Sale.STAN, e.Event, e.Sale.State, e.Duties))
	if e.Sale.State.Final() {
		w.wire = append(w.wire, wireEvent{at: w.now(), dir: 'f', sale: uint64(e.Sale.ID)})
	}
	if (e.Sale.State == terminal.Sending || e.Sale.State == terminal.Asking) && commit {
		w.wire = append(w.wire, wireEvent{at: w.now(), dir: 's', stan: e.Sale.STAN})
	}
}

// CardOf is the journal's, where it has one.
func (j simJournal) CardOf(ctx context.Context, id terminal.SaleID) (terminal.CardData, error) {
	cards, ok := j.simStore.(interface {
		CardOf(ctx context.Context, id terminal.SaleID) (terminal.CardData, error)
	})
	if !ok {
		return terminal.CardData{}, errors.New("no card data is kept for it")
	}
	return cards.CardOf(ctx, id)
}
