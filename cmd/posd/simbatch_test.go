package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"tillway/emv"
	"tillway/terminal"
)

// Batches, the queue's limits and totals of the journal in memory.

// current is the batch of an acquirer that sales go into.
func (j *memoryJournal) current(acquirer string) *terminal.Batch {
	for _, b := range slices.Backward(j.batches) {
		if b.Acquirer == acquirer {
			return b
		}
	}
	return nil
}

func (j *memoryJournal) Batch(_ context.Context, acquirer string) (uint32, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	b := j.current(acquirer)
	if b == nil {
		if err := j.commit(); err != nil {
			return 0, err
		}
		b = &terminal.Batch{Acquirer: acquirer, Number: 1, State: terminal.BatchOpen, Opened: j.clock(), Traces: terminal.TracesUnknown}
		j.batches = append(j.batches, b)
	}
	return b.Number, nil
}

func (j *memoryJournal) writeBatch(r memoryRow) error {
	at := slices.IndexFunc(j.batches, func(b *terminal.Batch) bool {
		return b.Acquirer == r.batch.Acquirer && b.Number == r.batch.Number
	})
	if at < 0 {
		return errMemory
	}
	row, err := terminal.NextBatch(terminal.BatchTable(), j.batches[at].State, terminal.BatchEvent(r.event))
	if err != nil || row.To != r.batch.State {
		return errMemory
	}
	j.batches[at] = r.batch
	if row.Event == terminal.BatchDrained {
		j.batches = append(j.batches, &terminal.Batch{
			Acquirer: r.batch.Acquirer, Number: r.batch.Number + 1, State: terminal.BatchOpen, Currency: r.batch.Currency, Opened: r.at, Traces: r.batch.Traces,
		})
	}
	if row.To.Final() {
		j.leave(r.batch)
	}
	return nil
}

// leave deletes a closed batch's card data, but for pre-authorisations that stand, which go under the key of the batch that sales go into,
// and for messages that are still owed.
func (j *memoryJournal) leave(b *terminal.Batch) {
	held := map[string]bool{}
	for id, s := range j.sales {
		if s.head.Batch > b.Number || s.head.Kind == terminal.KindPreauth && s.head.State == terminal.Approved {
			held[sealedName("card", int64(id))] = true //nolint:gosec // sale numbers stay below 2^63
		}
	}
	for name, s := range j.sealed {
		switch {
		case s.acquirer != b.Acquirer || s.batch != b.Number || strings.HasPrefix(name, "message "):
		case held[name]:
			s.batch = j.current(b.Acquirer).Number
			j.sealed[name] = s
		default:
			delete(j.sealed, name)
		}
	}
}

func (j *memoryJournal) Batches(_ context.Context, acquirer string) ([]terminal.Batch, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var open []terminal.Batch
	for _, b := range j.batches {
		if b.Acquirer != acquirer || b.State.Final() {
			continue
		}
		text, err := json.Marshal(b)
		if err != nil {
			return nil, err
		}
		var out terminal.Batch
		if err := json.Unmarshal(text, &out); err != nil {
			return nil, err
		}
		open = append(open, out)
	}
	return open, nil
}

func (j *memoryJournal) Items(_ context.Context, acquirer string, batch uint32) ([]terminal.Item, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var items []terminal.Item
	for _, id := range j.ids() {
		h := j.sales[id].head
		if h.Acquirer != acquirer || h.Batch != batch || h.STAN == 0 || !h.State.Final() {
			continue
		}
		sale, err := j.decode(j.sales[id].record)
		if err != nil {
			return nil, err
		}
		items = append(items, terminal.Item{Sale: sale})
		for _, d := range j.debts {
			if d.Sale == id {
				items[len(items)-1].Debts = append(items[len(items)-1].Debts, d.Debt)
			}
		}
	}
	terminal.TakeBack(items)
	return items, nil
}

func (j *memoryJournal) Standing(_ context.Context, acquirer string) (terminal.Standing, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	b := j.current(acquirer)
	if b == nil {
		return terminal.Standing{}, nil
	}
	out := terminal.Standing{Batch: b.Number}
	payments := map[terminal.SaleID]int64{}
	for _, id := range j.ids() {
		h := j.sales[id].head
		if h.Acquirer != acquirer || h.Batch != b.Number || h.STAN == 0 || !h.State.Final() {
			continue
		}
		if h.LeftOut == 0 {
			if out.Sales++; out.Oldest.IsZero() || h.Started.Before(out.Oldest) {
				out.Oldest = h.Started
			}
		}
		switch {
		case h.State != terminal.Approved:
		case h.Kind == terminal.KindVoid:
			delete(payments, h.Of)
		case h.Kind.Credit():
			payments[id] = -h.Taken().Minor
		case h.Kind.Captured():
			payments[id] = h.Taken().Minor
		}
	}
	for minor := range maps.Values(payments) {
		out.Count++
		out.Sum += minor
	}
	return out, nil
}

func (j *memoryJournal) Exposure(_ context.Context, acquirer string, way terminal.Way, card emv.PAN) (terminal.Exposure, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var e terminal.Exposure
	for _, d := range j.open() {
		h := j.sales[d.Sale].head
		if d.Acquirer != acquirer || d.Kind == terminal.ReversalDebt || h.Way != way {
			continue
		}
		e.Count++
		e.Sum += h.Taken().Minor
		if j.cards[d.Sale] == card.Clear() {
			e.CardCount++
			e.CardSum += h.Taken().Minor
		}
		if d.State != terminal.Parked && (e.Oldest.IsZero() || d.Since.Before(e.Oldest)) {
			e.Oldest = d.Since
		}
	}
	return e, nil
}

// settledByHand are the transactions whose void was given up by a supervisor: what the host made of that is between two people.
func (c *checker) settledByHand() map[int64]bool {
	all := map[int64]bool{}
	for _, o := range c.owners {
		if o.sale.Kind == "void" && (o.reversal.state == "WrittenOff" || o.advice.state == "WrittenOff") {
			all[o.sale.Of] = true
		}
	}
	return all
}

// batchesAgree compares the batches that were closed with the host's word: there they are closed, with the same totals.
func (c *checker) batchesAgree() {
	for _, b := range c.left.batches {
		if b.state != "Closed" || !b.balanced {
			continue
		}
		number, theirs := fmt.Sprintf("%06d", b.number), ""
		for _, h := range c.host.Batches() {
			if h.Batch == number {
				theirs = h.State
			}
		}
		if mine := b.totals(); theirs != "closed" || !strings.HasPrefix(c.bank.closed[number], mine) {
			c.say("batch %s is closed in balance with %s; the host has it %q, closed on the wire with %q", number, mine, theirs, c.bank.closed[number])
		}
	}
	for number := range c.bank.closed {
		if !slices.ContainsFunc(c.left.batches, func(b savedBatch) bool { return fmt.Sprintf("%06d", b.number) == number && b.state == "Closed" }) {
			c.say("batch %s is closed at the host and not here", number)
		}
	}
}
