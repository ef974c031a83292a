package lane

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tillway/money"
	"tillway/terminal"
)

// SettleRules say when a batch is settled by itself, and when it takes no more.
type SettleRules struct {
	Daily bool           // settle every day
	At    time.Duration  // after midnight
	Zone  *time.Location // of midnight; nil: UTC
	Full  int            // settle when so many payments are in a batch; 0: never
	Most  int            // and take no more than so many, for want of digits in the totals; 0: no bound
}

// Trace numbers are given out once in a batch (ISO 8583 has 999,999 of them): its end is wanted in good time, and forced before they begin
// again.
const (
	tracesSoon = 900_000
	tracesMost = 999_000
)

// quietHour is how long a batch whose end was called off is left alone.
const quietHour = time.Hour

// Last is the latest cut-off at or before now; zero where there is none.
func (r SettleRules) Last(now time.Time) time.Time { return r.near(now, 0) }

// Next is the first cut-off after now; zero where there is none.
func (r SettleRules) Next(now time.Time) time.Time { return r.near(now, 1) }

// near is the cut-off of the day of which now is, or the one before or behind it.
func (r SettleRules) near(now time.Time, behind int) time.Time {
	if !r.Daily {
		return time.Time{}
	}
	zone := r.Zone
	if zone == nil {
		zone = time.UTC
	}
	y, m, d := now.In(zone).Date()
	hours, minutes := int(r.At/time.Hour), int(r.At%time.Hour/time.Minute)
	for day := d - 1 + behind; ; day++ {
		at, after := time.Date(y, m, day, hours, minutes, 0, 0, zone), time.Date(y, m, day+1, hours, minutes, 0, 0, zone)
		switch {
		case behind == 0 && after.After(now):
			return at
		case behind == 1 && at.After(now):
			return at
		}
	}
}

// CutOff wants the open batch settled where its time has come: the daily hour has passed since its first payment, also when the terminal
// was off then, or it is full, or its trace numbers run out. What the host has refused for good is left out, and says so. The error is the
// journal's.
func (o *Owner) cutOff(ctx context.Context) error {
	if !o.cfg.Dialect.Can().Totals {
		return nil
	}
	batches, err := o.batches(ctx)
	if err != nil || slices.ContainsFunc(batches, inSettlement) {
		return err
	}
	at := slices.IndexFunc(batches, func(b terminal.Batch) bool { return b.State == terminal.BatchOpen })
	if at < 0 {
		return nil
	}
	b, now := batches[at], o.cfg.Clock()
	st, err := o.cfg.Journal.Standing(ctx, o.cfg.Name)
	if err != nil {
		return fmt.Errorf("%w: %w", errJournal, err)
	}
	if st.Sales == 0 || st.Batch != b.Number {
		return nil
	}
	off := b.CalledOff
	if off.Sub(now) > quietHour { // called off by a clock that was put back since
		off = time.Time{}
	}
	rested := now.Sub(off) >= quietHour || now.Before(off)
	last, why := o.cfg.Settle.Last(now), ""
	switch {
	case o.cfg.Settle.Full > 0 && st.Count >= o.cfg.Settle.Full && rested:
		why = "the batch is full"
	case o.tracesUsed(b) >= tracesSoon && rested:
		why = "its trace numbers run out"
	case st.Oldest.Before(last) && off.Before(last):
		why = "the daily cut-off"
	default:
		return nil
	}
	return o.wantEnd(ctx, &b, terminal.BatchDecision{By: "the terminal: " + why, LeaveParked: true})
}

func (o *Owner) wantEnd(ctx context.Context, b *terminal.Batch, d terminal.BatchDecision) error {
	return o.batchStep(ctx, b, terminal.BatchSettle, "", func(b *terminal.Batch) {
		b.By, b.LeaveParked, b.Currency = d.By, d.LeaveParked, o.cfg.Currency
	})
}

// tracesUsed is how many trace numbers were given out in a batch.
func (o *Owner) tracesUsed(b terminal.Batch) uint64 {
	from := b.Traces
	if from == terminal.TracesUnknown {
		from = o.firstTrace.Load()
	}
	return o.lastTrace.Load() - min(from, o.lastTrace.Load())
}

// watched is a counter of trace numbers whose last one the owner knows.
type watched struct {
	Counter
	owner *Owner
}

func (w watched) Next(ctx context.Context) (uint64, error) {
	n, err := w.Counter.Next(ctx)
	if err == nil {
		w.owner.firstTrace.CompareAndSwap(0, n)
		w.owner.lastTrace.Store(n)
	}
	return n, err
}

// room refuses what the batch has no place for. Errors: terminal.ErrBatchFull, or the journal's.
func (o *Owner) room(ctx context.Context, k terminal.Kind) error {
	o.mu.Lock()
	known := o.known
	o.mu.Unlock()
	for _, b := range known {
		if !inSettlement(b) && b.State == terminal.BatchOpen && o.tracesUsed(b) >= tracesMost {
			return fmt.Errorf("%w: its trace numbers are used up: settle it (pos settle)", terminal.ErrBatchFull)
		}
	}
	if o.cfg.Settle.Most == 0 || !k.Captured() || !o.cfg.Dialect.Can().Totals {
		return nil
	}
	st, err := o.cfg.Journal.Standing(ctx, o.cfg.Name)
	if err != nil {
		return fmt.Errorf("%w: %w", errJournal, err)
	}
	if st.Count >= o.cfg.Settle.Most {
		return fmt.Errorf("%w: %d payments are in it, and its totals have digits for no more: settle it first (pos settle)", terminal.ErrBatchFull, st.Count)
	}
	return nil
}

// BatchStatus is how settlement stands. It may be called from any goroutine; an error of the journal leaves it empty, and stops the
// terminal elsewhere.
func (o *Owner) BatchStatus() *terminal.BatchStatus {
	if !o.cfg.Dialect.Can().Totals {
		return nil
	}
	st, err := o.cfg.Journal.Standing(context.Background(), o.cfg.Name)
	if err != nil {
		return nil
	}
	s := &terminal.BatchStatus{Number: st.Batch, Count: st.Count, Sum: money.New(st.Sum, o.cfg.Currency), CutOff: o.cfg.Settle.Next(o.cfg.Clock())}
	if most := o.cfg.Settle.Most; most > 0 && st.Count >= most {
		s.Warning = "The batch is full, and no payment is taken before it is settled: pos settle."
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, b := range o.known {
		if b.State != terminal.BatchOpen {
			s.Settling = append(s.Settling, b)
		}
	}
	return s
}

type batchDecision struct {
	terminal.BatchDecision
	reply chan batchDecided
}

type batchDecided struct {
	batch terminal.Batch
	err   error
}

// DecideBatch carries out what somebody wants of a batch, and returns it as it then stands on disk; its way to the host goes on behind it,
// at once. To settle while a batch is on its way already is no error: it goes on without its back-off. Errors: terminal.ErrNoBatch,
// ErrNoTotals, ErrEmptyBatch, ErrParkedItems, ErrBatchState, ErrNote, or the context's.
func (o *Owner) DecideBatch(ctx context.Context, d terminal.BatchDecision) (terminal.Batch, error) {
	if d.Event == terminal.BatchCloseByHand {
		if err := checkNote(d.Note); err != nil {
			return terminal.Batch{}, err
		}
	}
	q := batchDecision{d, make(chan batchDecided, 1)}
	ended := fmt.Errorf("the terminal is stopping: %w", context.Canceled)
	select {
	case o.decideBatch <- q:
	case <-o.done:
		return terminal.Batch{}, ended
	case <-ctx.Done():
		return terminal.Batch{}, ctx.Err()
	}
	select {
	case r := <-q.reply:
		return r.batch, r.err
	case <-o.done:
		select {
		case r := <-q.reply:
			return r.batch, r.err
		default:
			return terminal.Batch{}, ended
		}
	}
}

// batchByHand does what somebody wants of a batch. What is wrong with the wish goes back; the error is the journal's.
func (o *Owner) batchByHand(ctx context.Context, q batchDecision) error {
	b, err := o.wished(ctx, q.BatchDecision)
	for _, refusal := range []error{
		terminal.ErrNoBatch, terminal.ErrNoTotals, terminal.ErrEmptyBatch, terminal.ErrParkedItems, terminal.ErrBatchState,
	} {
		if errors.Is(err, refusal) {
			q.reply <- batchDecided{err: err}
			return nil
		}
	}
	if err != nil {
		return err
	}
	o.settleNow = true
	q.reply <- batchDecided{batch: b}
	o.Poke()
	return nil
}

func (o *Owner) wished(ctx context.Context, d terminal.BatchDecision) (terminal.Batch, error) {
	if !o.cfg.Dialect.Can().Totals {
		return terminal.Batch{}, terminal.ErrNoTotals
	}
	batches, err := o.batches(ctx)
	if err != nil {
		return terminal.Batch{}, err
	}
	at := slices.IndexFunc(batches, func(b terminal.Batch) bool {
		return d.Batch == b.Number || d.Batch == 0 && inSettlement(b)
	})
	if at < 0 && d.Batch == 0 {
		at = slices.IndexFunc(batches, func(b terminal.Batch) bool { return b.State == terminal.BatchOpen })
	}
	if at < 0 {
		if d.Batch == 0 {
			return terminal.Batch{}, terminal.ErrEmptyBatch
		}
		return terminal.Batch{}, fmt.Errorf("batch %d: %w that is open or on its way: it may be closed", d.Batch, terminal.ErrNoBatch)
	}
	b := batches[at]
	switch {
	case d.Event == terminal.BatchSettle && b.State == terminal.BatchOpen:
		return o.settleOpen(ctx, b, d)
	case d.Event == terminal.BatchSettle && b.State == terminal.BatchDisputed:
		return o.settleAgain(ctx, b, d)
	case d.Event == terminal.BatchSettle:
		return b, nil
	case d.Event == terminal.BatchCallOff && b.State == terminal.BatchDraining:
		return b, o.batchStep(ctx, &b, d.Event, "called off by "+d.By, func(b *terminal.Batch) { b.CalledOff = o.cfg.Clock() })
	case d.Event == terminal.BatchCloseByHand && b.State == terminal.BatchDisputed:
		return b, o.batchStep(ctx, &b, d.Event, "closed by hand by "+d.By, func(b *terminal.Batch) { b.Note = d.Note })
	}
	return b, fmt.Errorf("%w: batch %d is %s", terminal.ErrBatchState, b.Number, b.State)
}

// settleOpen wants the end of the open batch, if there is anything to settle, and nothing in it that a person has to look at first.
func (o *Owner) settleOpen(ctx context.Context, b terminal.Batch, d terminal.BatchDecision) (terminal.Batch, error) {
	items, err := o.cfg.Journal.Items(ctx, o.cfg.Name, b.Number)
	switch {
	case err != nil:
		return b, fmt.Errorf("%w: %w", errJournal, err)
	case !slices.ContainsFunc(items, func(i terminal.Item) bool { return i.Sale.LeftOut == 0 || i.Missing() == "" }): // what went over alone is nothing to tell
		return b, terminal.ErrEmptyBatch
	}
	if parked := terminal.ParkedItems(items); len(parked) > 0 && !d.LeaveParked {
		return b, fmt.Errorf("%w: sale %s of %s: %s", terminal.ErrParkedItems, parked[0].Sale, parked[0].Amount.Format(), parked[0].Why)
	}
	err = o.wantEnd(ctx, &b, d)
	return b, err
}

// settleAgain sends the totals of a disputed batch once more, under a new number.
func (o *Owner) settleAgain(ctx context.Context, b terminal.Batch, d terminal.BatchDecision) (terminal.Batch, error) {
	n, err := o.cfg.Traces.Next(ctx)
	if err != nil {
		return b, fmt.Errorf("%w: no trace number: %w", terminal.ErrBatchState, err)
	}
	err = o.batchStep(ctx, &b, terminal.BatchSettle, "sent again by "+d.By, func(b *terminal.Batch) {
		b.STAN, b.Attempts, b.Uploaded, b.Findings = stan(n), 0, 0, nil
	})
	return b, err
}
