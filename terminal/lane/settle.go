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

// Settlement brings a batch to its end, in steps between two requests: what is owed goes out first, then the totals and, where the host has
// others, the batch, transaction by transaction. Each step is a row of terminal.BatchTable, on disk before the next; a message that may have
// left goes out again as its repeat. A customer waits for one step at most.

// upload is the list of a batch's transactions while it is uploaded; it is made from the journal once for each start.
type upload struct {
	batch uint32
	list  []terminal.Item
}

// settlement does the next step of the oldest batch that is on its way to the host, where one is due. next is when to look again; 0:
// at once; below 0: nothing is on its way. The error is the journal's.
func (o *Owner) settlement(ctx context.Context) (next time.Duration, err error) {
	o.stepDue = false
	batches, err := o.batches(ctx)
	if err != nil {
		return 0, err
	}
	at := slices.IndexFunc(batches, inUpload) // nothing in between: its messages do not all say which batch they are of
	if at < 0 {
		at = slices.IndexFunc(batches, inSettlement)
	}
	o.draining.Store(at >= 0 && batches[at].State == terminal.BatchDraining)
	if at < 0 {
		return -1, nil
	}
	b := batches[at]
	if wait := b.NotBefore.Sub(o.cfg.Clock()); wait > 0 && wait <= o.cfg.RetryMax && !o.settleNow { // more is a clock that was put back
		return wait, nil
	}
	o.settleNow = false
	switch b.State {
	case terminal.BatchDraining:
		next, err = o.drained(ctx, &b)
	case terminal.BatchTotalling, terminal.BatchClosing:
		next, err = o.sendTotals(ctx, &b)
	case terminal.BatchUploading:
		next, err = o.uploadNext(ctx, &b)
	case terminal.BatchOpen, terminal.BatchDisputed, terminal.BatchClosed:
	}
	o.stepDue = err == nil && next == 0
	return next, err
}

// inUpload says that the host is being shown a batch, transaction by transaction.
func inUpload(b terminal.Batch) bool {
	return b.State == terminal.BatchUploading || b.State == terminal.BatchClosing
}

// inSettlement says that a batch is on its way to the host, and the terminal has the next word.
func inSettlement(b terminal.Batch) bool {
	return b.State != terminal.BatchOpen && b.State != terminal.BatchDisputed && !b.State.Final()
}

// batches are those that are not closed, as the journal has them; whoever asks for the status gets them too.
func (o *Owner) batches(ctx context.Context) ([]terminal.Batch, error) {
	all, err := o.cfg.Journal.Batches(context.WithoutCancel(ctx), o.cfg.Name)
	if err != nil {
		return nil, fmt.Errorf("%w: batches: %w", errJournal, err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.known = all
	return all, nil
}

// batchStep takes the table's row for a batch and an event; change says what else becomes of its record, and more is committed with it.
func (o *Owner) batchStep(
	ctx context.Context, b *terminal.Batch, event terminal.BatchEvent, reason string, change func(*terminal.Batch), more ...terminal.Entry,
) error {
	row, err := terminal.NextBatch(o.table, b.State, event)
	if err != nil {
		return err
	}
	after := *b
	after.State, after.Reason, after.NotBefore = row.To, brief(reason), time.Time{}
	if change != nil {
		change(&after)
	}
	now := o.cfg.Clock()
	if after.State.Final() {
		after.Closed = now
	}
	record := after
	e := terminal.Entry{Time: now, Kind: terminal.BatchEntry, Event: string(event), Batch: &record, Note: after.Reason}
	if err := o.cfg.Journal.Append(context.WithoutCancel(ctx), true, append([]terminal.Entry{e}, more...)...); err != nil {
		return fmt.Errorf("%w: %w", errJournal, err)
	}
	o.cfg.Log.Info("batch", "batch", b.Number, "from", b.State, "event", event, "to", after.State, "reason", after.Reason)
	*b = after
	_, err = o.batches(ctx)
	return err
}

// drained fixes the totals once nothing is owed any more and no sale runs: none may reach the host in a batch whose totals are fixed.
func (o *Owner) drained(ctx context.Context, b *terminal.Batch) (next time.Duration, err error) {
	select {
	case o.quiet <- struct{}{}:
		defer func() { <-o.quiet }()
	default:
		return o.cfg.Check, nil // its end wakes the owner
	}
	due, err := o.owed(ctx)
	if err != nil {
		return 0, err
	}
	if len(due) > 0 {
		return max(o.wait(due[0]), time.Millisecond), nil
	}
	items, err := o.cfg.Journal.Items(ctx, o.cfg.Name, b.Number)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errJournal, err)
	}
	if parked := terminal.ParkedItems(items); len(parked) > 0 && !b.LeaveParked {
		why := fmt.Sprintf("sale %s: %s", parked[0].Sale, parked[0].Why)
		return o.cfg.Check, o.batchStep(ctx, b, terminal.BatchCallOff, why, func(b *terminal.Batch) { b.CalledOff = o.cfg.Clock() })
	}
	n, err := o.cfg.Traces.Next(ctx)
	if err != nil {
		o.cfg.Log.Error("settlement: no trace number", "err", err)
		return o.cfg.RetryMax, nil
	}
	counted := terminal.Counted(items)
	return 0, o.batchStep(ctx, b, terminal.BatchDrained, "", func(b *terminal.Batch) {
		b.Fixed, b.Totals, b.LeftOut = o.cfg.Clock(), terminal.TotalsOf(counted), bounded(terminal.LeftOut(items))
		b.Counted, b.STAN, b.Attempts, b.Traces = terminal.Ranges(counted), stan(n), 0, n
	}, o.goOver(items, b.Number)...)
}

// goOver takes what the totals leave out, and the host may still be told of, into the next batch.
func (o *Owner) goOver(items []terminal.Item, number uint32) (entries []terminal.Entry) {
	now := o.cfg.Clock()
	for _, s := range terminal.GoOver(items, number+1) {
		s.Updated = now
		entries = append(entries, terminal.Entry{
			Time: now, Kind: terminal.SaleEntry, From: s.State, Event: terminal.LeftOutEvent, Sale: &s,
			Note: fmt.Sprintf("batch %d is settled without it", number),
		})
	}
	return entries
}

// bounded is as many differences as a record names.
func bounded(all []terminal.Difference) []terminal.Difference {
	var b terminal.Batch
	b.Find(all...)
	return b.Findings
}

// reversalFirst says that a reversal waits: it goes before any request, and before totals.
func (o *Owner) reversalFirst(ctx context.Context) (time.Duration, bool, error) {
	due, err := o.owed(ctx)
	if err != nil {
		return 0, false, err
	}
	for _, d := range due {
		if d.Kind == terminal.ReversalDebt {
			return max(o.wait(d), time.Millisecond), true, nil
		}
	}
	return 0, false, nil
}

// sendTotals sends the totals that end a batch, or the closing ones behind an upload. Their number, and all that they say, are on disk.
func (o *Owner) sendTotals(ctx context.Context, b *terminal.Batch) (next time.Duration, err error) {
	if wait, first, err := o.reversalFirst(ctx); err != nil || first {
		return wait, err
	}
	message, err := o.cfg.Dialect.Totals(terminal.TotalsRequest{
		STAN: b.STAN, Batch: b.Number, Time: b.Fixed, Day: b.Fixed, Currency: b.Currency, TerminalID: o.cfg.TerminalID, MerchantID: o.cfg.MerchantID,
		Lines: b.Totals, Final: b.State == terminal.BatchClosing,
	})
	if err == nil {
		message, err = o.cfg.Dialect.Repeat(message, b.Attempts+1)
	}
	if err != nil {
		return 0, o.batchStep(ctx, b, terminal.BatchRefused, "its totals cannot be composed: "+err.Error(), nil)
	}
	res, sent, err := o.exchange(ctx, message)
	if why, again := notAnswered(res, err); again || err != nil {
		return o.batchAgain(ctx, b, sent, why, res.Code, err)
	}
	said := func(b *terminal.Batch) {
		b.Attempts++
		b.Code = res.Code
		echo := terminal.SumLines(res.HostTotal).Same(terminal.SumLines(b.Totals)) // a host that says ours again says nothing
		if len(res.HostTotal) > 0 && !echo {
			b.Host = res.HostTotal
		}
	}
	note := "response code " + res.Code + o.at()
	switch {
	case res.Closed && res.InBalance:
		o.batchFailures = 0
		return 0, o.batchStep(ctx, b, terminal.BatchInBalance, note, func(b *terminal.Batch) {
			said(b)
			b.Balanced = true
		})
	case res.Closed:
		return 0, o.batchOut(ctx, b, terminal.BatchDiffers, "the bank has closed the batch with other totals: "+note, said)
	case res.Upload && (b.State == terminal.BatchClosing || o.cfg.Dialect.Can().Upload):
		return 0, o.batchOut(ctx, b, terminal.BatchOutOfBalance, "the bank has other totals: "+note, said)
	}
	return 0, o.batchOut(ctx, b, terminal.BatchRefused, "the bank refused the totals: "+note, said)
}

// notAnswered says why a message that ends a batch has to go out again, or nothing.
func notAnswered(res terminal.Response, err error) (why string, again bool) {
	switch {
	case err != nil:
		return err.Error(), true
	case res.KeyError:
		return "the bank could not work with a key, code " + res.Code + ": it goes out again under new ones", true
	case res.Verdict == terminal.VerdictTryLater:
		return "the bank cannot take it now: code " + res.Code, true
	}
	return "", false
}

// batchAgain notes that the message that is due has to go out again, after a while. One that may have left is a repeat from then on.
func (o *Owner) batchAgain(ctx context.Context, b *terminal.Batch, sent bool, why, code string, cause error) (time.Duration, error) {
	if errors.Is(cause, errJournal) {
		return 0, cause
	}
	o.batchFailures++
	wait := o.backoff(o.batchFailures)
	return wait, o.batchStep(ctx, b, terminal.BatchNoAnswer, why, func(b *terminal.Batch) {
		if sent {
			b.Attempts++
		}
		b.Code, b.NotBefore = code, o.cfg.Clock().Add(wait)
	})
}

// batchOut takes a step after an answer that is not "in balance", with what the journal finds to say of the difference.
func (o *Owner) batchOut(ctx context.Context, b *terminal.Batch, event terminal.BatchEvent, why string, said func(*terminal.Batch)) error {
	o.batchFailures = 0
	items, err := o.cfg.Journal.Items(ctx, o.cfg.Name, b.Number)
	if err != nil {
		return fmt.Errorf("%w: %w", errJournal, err)
	}
	upload := event == terminal.BatchOutOfBalance && b.State == terminal.BatchTotalling
	var n uint64
	if upload {
		if n, err = o.cfg.Traces.Next(ctx); err != nil {
			_, err = o.batchAgain(ctx, b, true, "no trace number for the upload: "+err.Error(), "", nil) // the answer is asked for again
			return err
		}
	}
	return o.batchStep(ctx, b, event, why, func(b *terminal.Batch) {
		said(b)
		b.Find(terminal.Compare(items, b.Totals, b.Host)...)
		if upload {
			b.STAN, b.Attempts, b.Uploaded = stan(n), 0, 0
		}
	})
}

// uploadNext sends the next transaction of a batch that the host wants to see; behind the last the closing totals follow.
func (o *Owner) uploadNext(ctx context.Context, b *terminal.Batch) (next time.Duration, err error) {
	if wait, first, err := o.reversalFirst(ctx); err != nil || first {
		return wait, err
	}
	if o.upload.batch != b.Number || o.upload.list == nil {
		items, err := o.cfg.Journal.Items(ctx, o.cfg.Name, b.Number)
		if err != nil {
			return 0, fmt.Errorf("%w: %w", errJournal, err)
		}
		o.upload = upload{b.Number, b.ToUpload(items)}
	}
	n, err := o.cfg.Traces.Next(ctx) // of the message behind this one
	if err != nil {
		o.cfg.Log.Error("settlement: no trace number", "err", err)
		return o.cfg.RetryMax, nil
	}
	if b.Uploaded >= len(o.upload.list) {
		o.upload = upload{}
		return 0, o.batchStep(ctx, b, terminal.BatchAllUploaded, "", func(b *terminal.Batch) { b.STAN, b.Attempts = stan(n), 0 })
	}
	item := o.upload.list[b.Uploaded]
	message, err := o.composeUpload(ctx, item, b)
	if err == nil {
		message, err = o.cfg.Dialect.Repeat(message, b.Attempts+1)
	}
	if errors.Is(err, errJournal) {
		return 0, err
	}
	if err != nil {
		return 0, o.uploaded(ctx, b, item, terminal.BatchUploadRefused, "", "it cannot be sent to the bank again: "+err.Error(), n)
	}
	res, sent, err := o.exchange(ctx, message)
	if why, again := notAnswered(res, err); again {
		return o.batchAgain(ctx, b, sent, why, res.Code, err)
	}
	if res.Verdict != terminal.VerdictApproved {
		return 0, o.uploaded(ctx, b, item, terminal.BatchUploadRefused, res.Code, "the bank refused it in the upload: code "+res.Code, n)
	}
	return 0, o.uploaded(ctx, b, item, terminal.BatchUploaded, res.Code, "", n)
}

// uploaded moves the position of an upload on by one. What the host refused is found, and the upload goes on.
func (o *Owner) uploaded(ctx context.Context, b *terminal.Batch, i terminal.Item, event terminal.BatchEvent, code, why string, next uint64) error {
	o.batchFailures = 0
	note := "sale " + i.Sale.ID.String()
	if why != "" {
		note += ": " + why
	}
	return o.batchStep(ctx, b, event, note, func(b *terminal.Batch) {
		b.Uploaded++
		b.STAN, b.Attempts, b.Code = stan(next), 0, code
		if why != "" {
			b.Find(terminal.Difference{Sale: i.Sale.ID, STAN: i.Sale.STAN, Amount: i.Sale.Taken(), Why: why})
		}
	})
}

func (o *Owner) composeUpload(ctx context.Context, i terminal.Item, b *terminal.Batch) ([]byte, error) {
	s := i.Sale
	if s.Kind == "" {
		return nil, terminal.ErrQuarantined
	}
	card, err := o.cfg.Journal.CardOf(ctx, s.ID)
	switch {
	case errors.Is(err, terminal.ErrNoCard), errors.Is(err, terminal.ErrQuarantined):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("%w: card data of sale %s: %w", errJournal, s.ID, err)
	}
	ack, _, err := o.cfg.Journal.Told(ctx, s.ID) // what the host was told of afterwards goes by what it answered then
	switch {
	case errors.Is(err, terminal.ErrQuarantined):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("%w: sale %s: %w", errJournal, s.ID, err)
	}
	return o.cfg.Dialect.Upload(terminal.UploadRequest{
		Request: terminal.Request{
			Sale: s.ID, Kind: s.Kind, Amount: s.Taken(), Tip: s.Tip, Cashback: s.Cashback, Way: s.Way, TwoStep: s.TwoStep, AuthCode: cmp.Or(s.AuthCode, ack.AuthCode),
			STAN: s.STAN, Invoice: s.Invoice, Batch: s.Batch, Time: s.LocalTime, TerminalID: s.TerminalID, MerchantID: s.MerchantID,
			Card: card, Entry: s.Entry, Scheme: s.Scheme, Method: s.Method, Tags: s.Tags,
		},
		Trace: b.STAN, RRN: cmp.Or(ack.RRN, s.RRN), Code: cmp.Or(ack.Code, s.ResponseCode),
	})
}
