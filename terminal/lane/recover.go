package lane

import (
	"context"
	"fmt"
	"time"

	"tillway/terminal"
)

// Recovery is what Recover works with.
type Recovery struct {
	Journal  Journal
	Acquirer string
	Now      time.Time
	Table    []terminal.Row      // nil: terminal.Table()
	Debts    []terminal.DebtRow  // nil: terminal.DebtTable()
	Batches  []terminal.BatchRow // nil: terminal.BatchTable()
	Note     string              // of the start's row: version and profile
	Restored string              // where the journal was put back from a backup: what to say of what it owes; empty otherwise
}

// Recover brings what a stop or a power cut left in the middle to where the tables say, in one commit, before lane and
// owner start. It creates no debt: the reversal of a request that may have left was owed before its first byte. It
// returns the sales that it ended.
func Recover(ctx context.Context, r Recovery) ([]terminal.Sale, error) {
	if r.Table == nil {
		r.Table = terminal.Table()
	}
	if r.Debts == nil {
		r.Debts = terminal.DebtTable()
	}
	entries := []terminal.Entry{{Time: r.Now, Kind: terminal.StartEntry, Note: r.Note}}
	open, err := r.Journal.Unfinished(ctx)
	if err != nil {
		return nil, fmt.Errorf("unfinished sales: %w", err)
	}
	for i := range open {
		row, err := terminal.Next(r.Table, open[i].State, terminal.PowerLost)
		if err != nil {
			return nil, fmt.Errorf("sale %s: %w", open[i].ID, err)
		}
		rec := open[i]
		rec.State, rec.Updated = row.To, r.Now
		rec.Outcome = terminal.Conclude(row, rec, declinedBefore(rec), "")
		entries = append(entries, terminal.Entry{
			Time: r.Now, Kind: terminal.SaleEntry, From: row.From, Event: string(terminal.PowerLost), Duties: row.Duties,
			Sale: &rec, Erase: true, Note: "found unfinished at start",
		})
		open[i] = rec
	}
	due, err := r.Journal.Due(ctx, r.Acquirer)
	if err != nil {
		return nil, fmt.Errorf("debts: %w", err)
	}
	for i := range due {
		again, err := r.debt(&due[i])
		if err != nil {
			return nil, err
		}
		entries = append(entries, again...)
	}
	batches, err := r.batches(ctx)
	if err != nil {
		return nil, err
	}
	if err := r.Journal.Append(ctx, true, append(entries, batches...)...); err != nil {
		return nil, fmt.Errorf("%w: %w", errJournal, err)
	}
	return open, nil
}

// debt are the rows of one debt. Behind a backup the bank may have heard of it since, by a message that this journal does not know: an
// advice or a kept request could then be booked twice, and waits for a person. A reversal can be sent twice: what it takes back is back.
func (r Recovery) debt(d *terminal.Debt) (entries []terminal.Entry, err error) {
	step := func(event terminal.DebtEvent, reason string) error {
		e, err := debtEntry(r.Debts, d, event, reason)
		e.Time = r.Now
		entries = append(entries, e)
		return err
	}
	if d.State == terminal.Sent {
		if err := step(terminal.DebtPowerLost, "the terminal stopped while it was with the bank"); err != nil {
			return nil, err
		}
	}
	if r.Restored != "" && d.State == terminal.Owed && d.Kind != terminal.ReversalDebt {
		err = step(terminal.DebtPut, r.Restored)
	}
	return entries, err
}

// batches are the rows of batches whose message may be with the host: it goes out again, as a repeat.
func (r Recovery) batches(ctx context.Context) ([]terminal.Entry, error) {
	if r.Batches == nil {
		r.Batches = terminal.BatchTable()
	}
	all, err := r.Journal.Batches(ctx, r.Acquirer)
	if err != nil {
		return nil, fmt.Errorf("batches: %w", err)
	}
	var entries []terminal.Entry
	for _, b := range all {
		if b.State != terminal.BatchTotalling && b.State != terminal.BatchUploading && b.State != terminal.BatchClosing {
			continue
		}
		row, err := terminal.NextBatch(r.Batches, b.State, terminal.BatchNoAnswer)
		if err != nil {
			return nil, fmt.Errorf("batch %d: %w", b.Number, err)
		}
		b.State, b.NotBefore, b.Reason = row.To, time.Time{}, "the terminal stopped while it may have been with the bank"
		b.Attempts++
		entries = append(entries, terminal.Entry{Time: r.Now, Kind: terminal.BatchEntry, Event: string(terminal.BatchNoAnswer), Batch: &b, Note: b.Reason})
	}
	return entries, nil
}

// declinedBefore gives back the host's refusal to a sale that was found in FinishDeclined.
func declinedBefore(s terminal.Sale) terminal.Outcome {
	if s.State != terminal.Declined {
		return terminal.Outcome{}
	}
	return terminal.Outcome{
		Code: terminal.CodeDeclined, Happened: "Declined by the bank, code " + s.ResponseCode + ".",
		Do: "The customer is not charged. Ask for another way to pay.",
	}
}
