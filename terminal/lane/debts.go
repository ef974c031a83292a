package lane

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tillway/terminal"
)

// What is owed goes out in two ranks. Reversals go before anything else: while one cannot be delivered, no request is sent.
// What the host is to be told of approvals without it goes in the order in which it came to be owed, a window of it behind
// each request that the host has answered, and the rest when no sale runs: a long queue holds up no customer.

// reversals sends the reversals that are owed, oldest first, one at a time, and stops at the first that cannot be settled
// now: left says why, and is empty when none is owed any more. now says that back-off does not count, because a request
// waits. The error is the journal's.
func (o *Owner) reversals(ctx context.Context, now bool) (left string, err error) {
	due, err := o.due(ctx, true)
	if err != nil {
		return "", err
	}
	for len(due) > 0 {
		if !now && o.wait(due[0]) > 0 {
			return due[0].Reason, nil
		}
		if due, left, err = o.turn(ctx, due, 1); left != "" || err != nil {
			return left, err
		}
	}
	return "", nil
}

// advices sends the next window of what the host is to be told, in order. more says that there is another behind it, and that
// nothing of this one was left: else left says why. The error is the journal's.
func (o *Owner) advices(ctx context.Context, now bool) (more bool, left string, err error) {
	due, err := o.due(ctx, false)
	if err != nil || len(due) == 0 {
		return false, "", err
	}
	if !now && o.wait(due[0]) > 0 {
		return false, due[0].Reason, nil
	}
	due, left, err = o.turn(ctx, due, max(o.cfg.Window, 1))
	return len(due) > 0 && left == "", left, err
}

// turn sends the first of what is due, at most so many at once, and returns what is due behind them. left says why one of them
// still is. A debt whose message does not open is passed over: the journal has said so, and the others go on.
func (o *Owner) turn(ctx context.Context, due []terminal.Debt, most int) (behind []terminal.Debt, left string, err error) {
	var window []terminal.Debt
	for len(due) > 0 && len(window) < most {
		d := due[0]
		if slices.ContainsFunc(window, func(w terminal.Debt) bool { return w.STAN == d.STAN }) { // one answer would be both's
			break
		}
		due = due[1:]
		switch d.Message, err = o.cfg.Journal.Message(ctx, d.ID); {
		case errors.Is(err, terminal.ErrQuarantined), errors.Is(err, terminal.ErrNoDebt):
			continue
		case err != nil:
			return nil, "", fmt.Errorf("%w: %w", errJournal, err)
		}
		window = append(window, d)
	}
	if err := o.settle(ctx, window); err != nil {
		return nil, "", err
	}
	for _, d := range window {
		if d.State == terminal.Owed {
			return due, cmp.Or(d.Reason, "it was not acknowledged"), nil
		}
	}
	return due, "", nil
}

// all sends everything that is owed, now; left says why something still is.
func (o *Owner) all(ctx context.Context) (left string, err error) {
	if left, err = o.reversals(ctx, true); left != "" || err != nil {
		return left, err
	}
	for more := true; more; { // each turn takes something off the queue, and nothing is put on it meanwhile
		if more, left, err = o.advices(ctx, true); left != "" || err != nil {
			return left, err
		}
	}
	return "", nil
}

// owed is all that may go out, in the order of owing: of what is due, not what waits for somebody to decide about its sale's reversal.
func (o *Owner) owed(ctx context.Context) ([]terminal.Debt, error) {
	due, err := o.cfg.Journal.Due(ctx, o.cfg.Name)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errJournal, err)
	}
	return slices.DeleteFunc(due, func(d terminal.Debt) bool { return d.Behind != 0 }), nil
}

// due is what may go out of one rank, in the order of owing.
func (o *Owner) due(ctx context.Context, reversals bool) ([]terminal.Debt, error) {
	due, err := o.owed(ctx)
	if err != nil {
		return nil, err
	}
	rank := due[:0]
	for _, d := range due {
		if (d.Kind == terminal.ReversalDebt) == reversals {
			rank = append(rank, d)
		}
	}
	return rank, nil
}

// nextTry is when what is owed is due again: the end of the back-off of what goes first. busy says that a sale runs, and only
// reversals count. Nothing owed: never. The error is the journal's.
func (o *Owner) nextTry(ctx context.Context, busy bool) (next time.Duration, err error) {
	for _, reversals := range []bool{true, false} {
		due, err := o.due(ctx, reversals)
		if err != nil {
			return 0, err
		}
		if len(due) > 0 && (reversals || !busy) {
			return max(o.wait(due[0]), time.Millisecond), nil
		}
	}
	return never, nil
}

const never = time.Duration(1<<63 - 1)

// wait is what is left of a debt's back-off. More than any back-off is a wall clock that was put back, and no reason to
// keep a cardholder's money held.
func (o *Owner) wait(d terminal.Debt) time.Duration {
	left := d.NotBefore.Sub(o.cfg.Clock())
	if left > o.cfg.RetryMax {
		return 0
	}
	return max(left, 0)
}

// settle sends debts, their messages opened, several at once where the window lets it: that they are Sent is on disk, in one
// commit, before the first byte leaves, and what came of them in another.
func (o *Owner) settle(ctx context.Context, debts []terminal.Debt) error {
	var entries []terminal.Entry
	step := func(d *terminal.Debt, event terminal.DebtEvent, reason string) error {
		e, err := debtEntry(o.debts, d, event, reason)
		entries = append(entries, e)
		return err
	}
	for i := range debts {
		if debts[i].State != terminal.Owed {
			continue
		}
		debts[i].Attempts++
		if err := step(&debts[i], terminal.DebtTurn, ""); err != nil {
			return err
		}
	}
	if err := o.debtSteps(ctx, entries...); err != nil {
		return err
	}
	results, err := o.sendDebts(ctx, debts)
	if err != nil {
		return err
	}
	entries = nil
	if o.unsent++; slices.ContainsFunc(results, func(r debtResult) bool { return !r.unsent }) {
		o.unsent = 0
	}
	for i, r := range results {
		d := &debts[i]
		if r.unsent && d.Attempts > 0 { // what is on disk as Sent counts until it is certain that nothing left
			d.Attempts--
		}
		if r.event == terminal.DebtNoAnswer || r.event == terminal.DebtTryLater {
			d.NotBefore = o.cfg.Clock().Add(o.backoff(d.Attempts + o.unsent))
		}
		if err := step(d, r.event, r.reason); err != nil {
			return err
		}
		clear(d.Message) // card data
		d.Message = nil
	}
	return o.debtSteps(ctx, entries...)
}

// sendDebts sends what was composed, as the dialect repeats it, and says what came of each.
func (o *Owner) sendDebts(ctx context.Context, debts []terminal.Debt) ([]debtResult, error) {
	results := make([]debtResult, len(debts))
	var messages [][]byte
	var whose []int
	for i, d := range debts {
		message, err := o.message(ctx, d)
		if errors.Is(err, errJournal) {
			return nil, err
		}
		if err != nil {
			results[i] = debtResult{event: terminal.DebtRefused, reason: "its message cannot be built: " + err.Error(), unsent: true}
			continue
		}
		messages, whose = append(messages, message), append(whose, i)
	}
	answers, err := o.exchangeAll(ctx, messages)
	if err != nil {
		return nil, err
	}
	for n, a := range answers {
		d := &debts[whose[n]]
		if results[whose[n]], err = o.putOff(ctx, *d, o.debtResult(d, a)); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// message is a debt's message for its next sending: as the dialect repeats it and, of a payment that its batch was settled without, naming
// the batch that it is in now. A reversal names the batch of the request that it takes back. Errors: errJournal, or the dialect's.
func (o *Owner) message(ctx context.Context, d terminal.Debt) ([]byte, error) {
	first := d.Message
	if d.Kind != terminal.ReversalDebt {
		s, err := o.cfg.Journal.Sale(ctx, d.Sale)
		switch {
		case errors.Is(err, terminal.ErrNoSale), errors.Is(err, terminal.ErrQuarantined): // its word goes out all the same
		case err != nil:
			return nil, fmt.Errorf("%w: sale %s: %w", errJournal, d.Sale, err)
		case s.LeftOut != 0:
			if first, err = o.cfg.Dialect.InBatch(first, s.Batch); err != nil {
				return nil, err
			}
		}
	}
	return o.cfg.Dialect.Repeat(first, d.Attempts)
}

// putOffTries is how often word of a sale, or a kept request, is sent at least before "not now" counts as a no.
const putOffTries = 10

// debtResult is what came of sending a debt.
type debtResult struct {
	event  terminal.DebtEvent
	reason string
	unsent bool // for certain: no byte of it has left
	putOff bool // the bank was asked, and cannot take it now
}

// putOff makes a no of the bank's "not now" after so many tries and so long a time since the first: both, so that an issuer that is down for
// the night costs nobody a decision. A host that gives a true repeat its stored answer says so for ever, and what waits behind it, the
// batch's end too, would wait as long: people see it then, and decide. A reversal is never parked so: while the host cannot take one, it can
// take no sale either, and a customer's money is held.
func (o *Owner) putOff(ctx context.Context, d terminal.Debt, r debtResult) (debtResult, error) {
	if !r.putOff || d.Kind == terminal.ReversalDebt || d.Attempts < putOffTries {
		return r, nil
	}
	first, err := o.cfg.Journal.PutOff(ctx, d)
	if err != nil {
		return r, fmt.Errorf("%w: debt %d: %w", errJournal, d.ID, err)
	}
	now := o.cfg.Clock()
	if first.IsZero() {
		first = now
	}
	if now.Sub(first) < o.cfg.ParkAfter { // less than nothing: the clock was put back
		return r, nil
	}
	r.event = terminal.DebtRefused
	r.reason = fmt.Sprintf("sent %d times, and since %s %s", d.Attempts, first.UTC().Format("2006-01-02 15:04"), r.reason)
	return r, nil
}

func (o *Owner) debtResult(d *terminal.Debt, a exchanged) debtResult {
	switch res := a.res; {
	case a.err != nil:
		return debtResult{event: terminal.DebtNoAnswer, reason: a.err.Error(), unsent: !a.sent}
	case res.KeyError && o.newKeysMayHelp(d.ID):
		return debtResult{event: terminal.DebtTryLater, reason: "the bank could not work with a key, code " + res.Code + ": it goes out again under new ones"}
	case res.Verdict == terminal.VerdictApproved && res.Approved.Minor > 0: // of a request that was kept: the goods are gone for all of it
		return debtResult{event: terminal.DebtRefused, reason: "the bank approved " + res.Approved.Format() + " of it and no more: code " + res.Code}
	case res.Verdict == terminal.VerdictApproved && d.Kind == terminal.DeferredDebt:
		d.RRN, d.AuthCode, d.Code = res.RRN, res.AuthCode, res.Code
		return debtResult{event: terminal.DebtAccepted, reason: "approved with code " + res.Code + ", authorisation " + cmp.Or(res.AuthCode, "none") + o.at()}
	case res.Verdict == terminal.VerdictApproved && res.Unknown && d.Kind == terminal.AdviceDebt: // of a void: what was approved must be there
		return debtResult{event: terminal.DebtRefused, reason: "the bank does not find what it takes back: code " + res.Code}
	case res.Verdict == terminal.VerdictApproved:
		d.RRN = res.RRN
		return debtResult{event: terminal.DebtAccepted, reason: "acknowledged with code " + res.Code + o.at()}
	case res.Duplicate && d.Attempts > 1: // the sending before this one was taken, and its answer lost
		d.RRN = res.RRN
		return debtResult{event: terminal.DebtAccepted, reason: "the bank has it since an earlier sending: code " + res.Code + o.at()}
	case res.Verdict == terminal.VerdictTryLater:
		return debtResult{event: terminal.DebtTryLater, reason: "the bank cannot take it now: code " + res.Code, putOff: true}
	}
	return debtResult{event: terminal.DebtRefused, reason: "the bank refused it: code " + a.res.Code}
}

// debtStep commits one transition of a debt.
func (o *Owner) debtStep(ctx context.Context, d *terminal.Debt, event terminal.DebtEvent, reason string) error {
	entry, err := debtEntry(o.debts, d, event, reason)
	if err != nil {
		return err
	}
	return o.debtSteps(ctx, entry)
}

// debtSteps commits transitions of debts, all at once.
func (o *Owner) debtSteps(ctx context.Context, entries ...terminal.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	now := o.cfg.Clock()
	for i := range entries {
		entries[i].Time = now
	}
	if err := o.cfg.Journal.Append(context.WithoutCancel(ctx), true, entries...); err != nil {
		return fmt.Errorf("%w: %w", errJournal, err)
	}
	for _, e := range entries {
		d := e.Debt
		o.cfg.Log.Info("debt", "debt", d.ID, "sale", d.Sale, "kind", d.Kind, "stan", d.STAN, "event", e.Event, "to", d.State, "reason", d.Reason)
	}
	return nil
}

// debtEntry takes the table's row for a debt and an event, and makes the journal row of it.
func debtEntry(table []terminal.DebtRow, d *terminal.Debt, event terminal.DebtEvent, reason string) (terminal.Entry, error) {
	row, err := terminal.NextDebt(table, d.State, event)
	if err != nil {
		return terminal.Entry{}, err
	}
	d.State, d.Reason = row.To, brief(reason)
	if row.From == terminal.Parked {
		d.Reason = reason // a person's own words, bounded by Decide, stay whole
	}
	after := *d
	after.Message, after.Behind = nil, 0
	return terminal.Entry{Kind: terminal.DebtEntry, Event: string(event), Debt: &after, Note: after.Reason}, nil
}
