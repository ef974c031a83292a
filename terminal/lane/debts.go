package lane

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tillway/terminal"
)

// drain sends what is owed, oldest first, one at a time, and stops at the first that cannot be settled now: left says
// why, and is empty when nothing is owed any more. now says that back-off does not count, because a request waits.
// The error is the journal's.
func (o *Owner) drain(ctx context.Context, now bool) (left string, err error) {
	due, err := o.cfg.Journal.Due(ctx, o.cfg.Name)
	if err != nil {
		return "", fmt.Errorf("%w: %w", errJournal, err)
	}
	for _, d := range due {
		if !now && o.wait(d) > 0 {
			return d.Reason, nil
		}
		if d, err = o.settle(ctx, d); err != nil {
			return "", err
		}
		if d.State == terminal.Owed {
			return d.Reason, nil
		}
	}
	return "", nil
}

// wait is what is left of a debt's back-off. More than any back-off is a wall clock that was put back, and no reason to
// keep a cardholder's money held.
func (o *Owner) wait(d terminal.Debt) time.Duration {
	left := d.NotBefore.Sub(o.cfg.Clock())
	if left > o.cfg.RetryMax {
		return 0
	}
	return max(left, 0)
}

// settle sends one debt: Sent is on disk before its first byte leaves, and what came of it after.
func (o *Owner) settle(ctx context.Context, d terminal.Debt) (terminal.Debt, error) {
	if d.State == terminal.Owed {
		d.Attempts++
		if err := o.debtStep(ctx, &d, terminal.DebtTurn, ""); err != nil {
			return d, err
		}
	}
	event, reason, err := o.sendDebt(ctx, &d)
	if err != nil {
		return d, err
	}
	if event == terminal.DebtNoAnswer || event == terminal.DebtTryLater {
		d.NotBefore = o.cfg.Clock().Add(o.backoff(d.Attempts))
	}
	return d, o.debtStep(ctx, &d, event, reason)
}

func (o *Owner) sendDebt(ctx context.Context, d *terminal.Debt) (event terminal.DebtEvent, reason string, err error) {
	message, err := o.cfg.Dialect.Repeat(d.Message, d.Attempts)
	if err != nil {
		return terminal.DebtRefused, "its message cannot be built: " + err.Error(), nil
	}
	res, _, err := o.exchange(ctx, message)
	switch {
	case errors.Is(err, errJournal):
		return "", "", err
	case err != nil:
		return terminal.DebtNoAnswer, err.Error(), nil
	}
	switch {
	case res.KeyError && o.newKeysMayHelp(d.ID):
		return terminal.DebtTryLater, "the bank could not work with a key, code " + res.Code + ": it goes out again under new ones", nil
	case res.Verdict == terminal.VerdictApproved:
		d.RRN = res.RRN
		return terminal.DebtAccepted, "acknowledged with code " + res.Code + o.at(), nil
	case res.Verdict == terminal.VerdictTryLater:
		return terminal.DebtTryLater, "the bank cannot take it now: code " + res.Code, nil
	}
	return terminal.DebtRefused, "the bank refused it: code " + res.Code, nil
}

func (o *Owner) debtStep(ctx context.Context, d *terminal.Debt, event terminal.DebtEvent, reason string) error {
	entry, err := debtEntry(o.debts, d, event, reason)
	if err != nil {
		return err
	}
	entry.Time = o.cfg.Clock()
	if err := o.cfg.Journal.Append(context.WithoutCancel(ctx), true, entry); err != nil {
		return fmt.Errorf("%w: %w", errJournal, err)
	}
	o.cfg.Log.Info("debt", "debt", d.ID, "sale", d.Sale, "kind", d.Kind, "stan", d.STAN, "event", event, "to", d.State, "reason", reason)
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
	return terminal.Entry{Kind: terminal.DebtEntry, Event: string(event), Debt: &after, Note: after.Reason}, nil
}
