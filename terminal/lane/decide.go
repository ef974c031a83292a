package lane

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"tillway/terminal"
)

// A debt that the bank has refused for good is parked, and only a person can do something about it: have it sent again,
// or write it off. One that the bank puts off again and again a person can park. The owner does it, between two of its own steps, because
// nobody else moves debts.

type decision struct {
	terminal.DebtDecision
	reply chan decided
}

type decided struct {
	debt terminal.Debt
	err  error
}

// Decide carries out a decision about a debt and returns the debt as it then stands on disk; one that is to be sent
// again goes out at once, before any request. It waits while the owner is busy with the bank; a context that ends before the
// owner has taken the decision leaves everything as it was. Errors: terminal.ErrNoDebt, ErrNotParked, ErrParked, ErrQuarantined,
// ErrOtherAcquirer, ErrSettling, ErrNote, or the context's.
func (o *Owner) Decide(ctx context.Context, d terminal.DebtDecision) (terminal.Debt, error) {
	if d.Event == terminal.DebtWrittenOff {
		if err := checkNote(d.Note); err != nil {
			return terminal.Debt{}, err
		}
	}
	q := decision{d, make(chan decided, 1)}
	ended := fmt.Errorf("the terminal is stopping: %w", context.Canceled)
	select {
	case o.decide <- q:
	case <-o.done:
		return terminal.Debt{}, ended
	case <-ctx.Done():
		return terminal.Debt{}, ctx.Err()
	}
	select {
	case r := <-q.reply:
		return r.debt, r.err
	case <-o.done: // the journal failed in the middle of it, or it was the last thing that Run did
		select {
		case r := <-q.reply:
			return r.debt, r.err
		default:
			return terminal.Debt{}, ended
		}
	}
}

// decidable is the debt that somebody decides about: one that waits where it is to be parked, else a parked one.
func (o *Owner) decidable(ctx context.Context, q decision) (terminal.Debt, error) {
	d, err := o.cfg.Journal.Parked(ctx, q.Debt, q.Event == terminal.DebtRequeued) // one whose message is lost can still be written off
	switch {
	case q.Event != terminal.DebtPut:
		return d, err
	case err == nil:
		return d, terminal.ErrParked
	case !errors.Is(err, terminal.ErrNotParked):
		return d, err
	case d.State != terminal.Owed: // a former acquirer's, that was on its way when its name went
		return d, terminal.ErrOtherAcquirer
	}
	return d, nil
}

// settleByHand takes a debt to where somebody wants it. What is wrong with the wish goes back; the error is the
// journal's.
func (o *Owner) settleByHand(ctx context.Context, q decision) error {
	d, err := o.decidable(ctx, q)
	if err == nil && q.Event == terminal.DebtRequeued && d.Acquirer != o.cfg.Name {
		err = terminal.ErrOtherAcquirer
	}
	if err == nil && q.Event == terminal.DebtRequeued {
		err = o.sendable(ctx, d, q.Asked)
	}
	for _, refusal := range []error{
		terminal.ErrNoDebt, terminal.ErrNotParked, terminal.ErrParked, terminal.ErrQuarantined, terminal.ErrOtherAcquirer, terminal.ErrSettling,
		terminal.ErrAskBank,
	} {
		if errors.Is(err, refusal) {
			q.reply <- decided{err: fmt.Errorf("debt %d: %w", q.Debt, err)}
			return nil
		}
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errJournal, err)
	}
	reason := q.By + " has it sent again"
	if q.Event == terminal.DebtWrittenOff {
		reason = "written off by " + q.By + ": " + q.Note
	}
	if q.Event == terminal.DebtPut {
		reason = "put aside by " + q.By
		if d.Reason != "" {
			reason += ": " + d.Reason
		}
	}
	if err := o.debtStep(ctx, &d, q.Event, reason); err != nil {
		return err
	}
	d.Message = nil
	q.reply <- decided{debt: d}
	o.Poke() // it goes out again, or what has waited for it does
	return nil
}

// sendable refuses what would change a batch whose totals are fixed (terminal.ErrSettling), and what the bank may have booked in the batch
// that it comes from, as long as nobody has asked it (terminal.ErrAskBank): many banks know a payment by batch and trace number, and
// would book it again. A sale in quarantine is of no batch that anybody could tell.
func (o *Owner) sendable(ctx context.Context, d terminal.Debt, asked bool) error {
	s, err := o.cfg.Journal.Sale(ctx, d.Sale)
	switch {
	case errors.Is(err, terminal.ErrNoSale), errors.Is(err, terminal.ErrQuarantined):
		return nil
	case err != nil:
		return err
	}
	batches, err := o.batches(ctx)
	if err != nil {
		return err
	}
	for _, b := range batches {
		if b.Number == s.Batch && b.State != terminal.BatchOpen && b.State != terminal.BatchDraining {
			return fmt.Errorf("batch %d: %w", b.Number, terminal.ErrSettling)
		}
	}
	if s.LeftOut != 0 && d.Kind != terminal.ReversalDebt && d.Attempts > 0 && !asked {
		return fmt.Errorf("batch %d: %w", s.LeftOut, terminal.ErrAskBank)
	}
	return nil
}

// checkNote refuses a note that says nothing, does not fit a line, or holds what a journal never does.
func checkNote(note string) error {
	switch n := utf8.RuneCountInString(note); {
	case strings.TrimSpace(note) == "" || n > terminal.MaxDecisionNote:
		return fmt.Errorf("%w: it has 1 to %d characters", terminal.ErrNote, terminal.MaxDecisionNote)
	case !utf8.ValidString(note) || strings.ContainsFunc(note, unicode.IsControl):
		return fmt.Errorf("%w: it is one line of text, without control characters", terminal.ErrNote)
	case terminal.CardNumberIn(note):
		return fmt.Errorf("%w: it looks like it holds a card number, which is never kept: name the sale instead", terminal.ErrNote)
	}
	return nil
}
