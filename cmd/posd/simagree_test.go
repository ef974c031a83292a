package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"tillway/emv"
	"tillway/money"
	"tillway/store"
	"tillway/terminal"
)

// pair is the two journals that the simulation uses, given the same things to write.
type pair struct {
	t       *testing.T
	dir     string
	rand    *rand.Rand
	files   *disk
	memory  *memoryJournal
	now     time.Time
	next    terminal.SaleID
	open    []terminal.Sale // not final, or waiting
	seen    map[string]bool // states that were reached
	cards   []emv.PAN
	batches int // that were opened behind the first
}

func newPair(t *testing.T) *pair {
	t.Helper()
	p := &pair{t: t, dir: simDir(t), rand: rand.New(rand.NewPCG(7, 11)), memory: newMemoryJournal(time.Now), now: time.Unix(1_800_000_000, 0), seen: map[string]bool{}}
	for _, number := range []string{"4761739001010143", "4761739001010119"} {
		pan, err := emv.NewPAN(number)
		if err != nil {
			t.Fatal(err)
		}
		p.cards = append(p.cards, pan)
	}
	p.start()
	t.Cleanup(func() { _ = p.files.close() })
	return p
}

func (p *pair) start() {
	p.t.Helper()
	var err error
	if p.files, err = openDisk(p.t.Context(), p.dir, slog.New(slog.DiscardHandler)); err != nil {
		p.t.Fatal(err)
	}
}

// powerCut loses what waits, in both; a start follows.
func (p *pair) powerCut() {
	p.t.Helper()
	if err := errors.Join(p.files.journal.Abort(), p.files.close()); err != nil {
		p.t.Fatal(err)
	}
	p.memory.lose()
	p.start()
	p.same("after a power cut")
	var err error
	if p.open, err = p.files.journal.Unfinished(p.t.Context()); err != nil { // these know their cards
		p.t.Fatal(err)
	}
}

// append writes to both, which must take it or refuse it alike.
func (p *pair) append(commit bool, entries ...terminal.Entry) error {
	p.t.Helper()
	one, two := p.files.journal.Append(p.t.Context(), commit, entries...), p.memory.Append(p.t.Context(), commit, entries...)
	if (one == nil) != (two == nil) {
		p.t.Fatalf("%s: the store says %v, the journal in memory %v", rowNames(entries), one, two)
	}
	return one
}

// same compares everything that lane.Journal says.
func (p *pair) same(when string) {
	p.t.Helper()
	ctx := p.t.Context()
	for name, both := range map[string][2]any{
		"unfinished": {two(p.files.journal.Unfinished(ctx)), two(p.memory.Unfinished(ctx))},
		"due":        {debtsText(p.files.journal.Due(ctx, "bank")), debtsText(p.memory.Due(ctx, "bank"))},
		"due to another": {
			debtsText(p.files.journal.Due(ctx, "other")), debtsText(p.memory.Due(ctx, "other")),
		},
		"debts":    {debtsText(p.files.journal.Debts(ctx)), debtsText(p.memory.Debts(ctx))},
		"last":     {two(p.files.journal.Last(ctx, 7)), two(p.memory.Last(ctx, 7))},
		"batches":  {batchesText(p.files.journal.Batches(ctx, "bank")), batchesText(p.memory.Batches(ctx, "bank"))},
		"items":    {p.items(p.files.journal.Items), p.items(p.memory.Items)},
		"standing": {p.standing(p.files.journal.Standing(ctx, "bank")), p.standing(p.memory.Standing(ctx, "bank"))},
		"exposure": {p.exposure(p.files.journal.Exposure), p.exposure(p.memory.Exposure)},
		"counts":   {p.counts(p.files.journal.Counts(ctx)), p.counts(p.memory.Counts(ctx))},
	} {
		a, err1 := json.Marshal(both[0])
		b, err2 := json.Marshal(both[1])
		if err := errors.Join(err1, err2); err != nil {
			p.t.Fatal(err)
		}
		if !bytes.Equal(a, b) {
			p.t.Fatalf("%s: %s:\nstore  %s\nmemory %s", when, name, a, b)
		}
	}
	for _, id := range []int64{1, int64(len(p.memory.debts)), 9999} {
		for _, message := range []bool{false, true} {
			a, err1 := p.files.journal.Parked(ctx, id, message)
			b, err2 := p.memory.Parked(ctx, id, message)
			if debtText(a) != debtText(b) || fmt.Sprint(err1) != fmt.Sprint(err2) {
				p.t.Fatalf("%s: parked debt %d: store %s %v, memory %s %v", when, id, debtText(a), err1, debtText(b), err2)
			}
		}
	}
	for i := range p.memory.debts {
		d := p.memory.debts[i].Debt
		a, err1 := p.files.journal.PutOff(ctx, d)
		b, err2 := p.memory.PutOff(ctx, d)
		if !a.Equal(b) || err1 != nil || err2 != nil {
			p.t.Fatalf("%s: debt %d put off: store %s %v, memory %s %v", when, d.ID, a, err1, b, err2)
		}
		p.seen["put off"] = p.seen["put off"] || !a.IsZero()
	}
	for _, key := range []string{"", "order-1", fmt.Sprintf("order-%d", p.next), "none"} {
		a, err1 := p.files.journal.ByKey(ctx, key)
		b, err2 := p.memory.ByKey(ctx, key)
		if a.ID != b.ID || a.State != b.State || fmt.Sprint(err1) != fmt.Sprint(err2) {
			p.t.Fatalf("%s: key %q: store %v %v, memory %v %v", when, key, a.ID, err1, b.ID, err2)
		}
	}
}

// two is a read's answer; its error is compared as text. The card's token is the store's own.
func two(sales []terminal.Sale, err error) any {
	for i := range sales {
		sales[i].Token = ""
	}
	return []any{append([]terminal.Sale{}, sales...), fmt.Sprint(err)}
}

// batchesText leaves out when the first batch was opened: that is each journal's own clock.
func batchesText(all []terminal.Batch, err error) any {
	for i := range all {
		if all[i].Number == 1 {
			all[i].Opened = time.Time{}
		}
		all[i].Opened = all[i].Opened.UTC()
	}
	return []any{append([]terminal.Batch{}, all...), fmt.Sprint(err)}
}

func (p *pair) items(read func(context.Context, string, uint32) ([]terminal.Item, error)) any {
	var all []any
	for n := range uint32(p.batches + 2) {
		items, err := read(p.t.Context(), "bank", n)
		for i := range items {
			items[i].Sale.Token = ""
			for k := range items[i].Debts {
				d := &items[i].Debts[k]
				d.Since, d.NotBefore = d.Since.UTC(), d.NotBefore.UTC()
			}
		}
		all = append(all, append([]terminal.Item{}, items...), fmt.Sprint(err))
	}
	return all
}

func (p *pair) standing(s terminal.Standing, err error) any {
	s.Oldest = s.Oldest.UTC()
	return []any{s, fmt.Sprint(err)}
}

func (p *pair) exposure(read func(context.Context, string, terminal.Way, emv.PAN) (terminal.Exposure, error)) any {
	var all []any
	for _, way := range []terminal.Way{terminal.WayOffline, terminal.WayDeferred} {
		for _, card := range p.cards {
			e, err := read(p.t.Context(), "bank", way, card)
			e.Oldest = e.Oldest.UTC()
			all = append(all, e, fmt.Sprint(err))
		}
	}
	return all
}

func debtText(d terminal.Debt) string {
	return fmt.Sprintf("%d sale %s %s %s %d %s %d %v %q %x", d.ID, d.Sale, d.Acquirer, d.Kind, d.STAN, d.State, d.Attempts, d.NotBefore.UnixNano(), d.Reason, d.Message)
}

func debtsText(debts []terminal.Debt, err error) any {
	var all []string
	for _, d := range debts {
		all = append(all, debtText(d))
	}
	return []any{all, fmt.Sprint(err)}
}

func (p *pair) counts(c terminal.Counts, err error) any {
	c.Clock = "" // of the store's own check
	return []any{c.Owed, c.Parked, c.Oldest.UnixNano(), c.Sum, c.Highest, c.Quarantined, fmt.Sprint(err)}
}

// sell takes a sale one row of the table on, chosen at random.
func (p *pair) sell() {
	p.t.Helper()
	kwd, err := money.ByCode("KWD")
	if err != nil {
		p.t.Fatal(err)
	}
	if len(p.open) == 0 || p.rand.IntN(4) == 0 {
		p.next++
		p.open = append(p.open, terminal.Sale{
			V: terminal.RecordVersion, ID: p.next, Kind: terminal.Kinds()[p.rand.IntN(len(terminal.Kinds()))], State: terminal.Ready,
			Acquirer: "bank", Batch: uint32(p.batches + 1), Of: terminal.SaleID(p.rand.IntN(int(p.next))), //nolint:gosec // small numbers
			Amount: money.New(int64(p.next)*100, kwd), Key: fmt.Sprintf("order-%d", p.next), STAN: uint32(p.next) + 500, //nolint:gosec // a small number
			Started: p.now.UTC(), Updated: p.now.UTC(),
		})
	}
	i := p.rand.IntN(len(p.open))
	s := p.open[i]
	var can []terminal.Row
	for _, r := range terminal.Table() {
		if r.From == s.State {
			can = append(can, r)
		}
	}
	row := can[p.rand.IntN(len(can))]
	s.State, s.Updated = row.To, p.now.UTC()
	p.seen[string(row.To)] = true
	if slices.Contains(row.Duties, terminal.OweAdvice) {
		s.Way = terminal.WayOffline
	}
	if slices.Contains(row.Duties, terminal.OweDeferred) {
		s.Way, s.Approved = terminal.WayDeferred, money.New(7, kwd)
	}
	e := terminal.Entry{
		Time: p.now, Kind: terminal.SaleEntry, From: row.From, Event: string(row.Event), Duties: row.Duties, Sale: &s,
		Note: "walked", Erase: row.From == terminal.Sending,
	}
	if len(row.Duties) > 0 {
		e.Secret = &terminal.Secret{Reversal: fmt.Appendf(nil, "reversal of %s", s.ID), Advice: fmt.Appendf(nil, "advice of %s", s.ID)}
		if row.From == terminal.CardTalk || row.From == terminal.Ready {
			e.Secret.Card = terminal.CardData{PAN: p.cards[p.rand.IntN(2)], Expiry: "4912"}
		}
	}
	if row.To == terminal.Sending {
		e.Secret.Request = []byte("request")
	}
	p.open[i] = s
	if row.To.Final() {
		p.open = append(p.open[:i:i], p.open[i+1:]...)
	}
	if err := p.append(row.Commit || p.rand.IntN(3) == 0, e); err != nil {
		p.t.Fatal(err)
	}
}

// owe takes a debt one row on.
func (p *pair) owe() {
	p.t.Helper()
	debts, err := p.memory.Debts(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	if len(debts) == 0 {
		return
	}
	d := debts[p.rand.IntN(len(debts))]
	var can []terminal.DebtRow
	for _, r := range terminal.DebtTable() {
		if r.From == d.State && r.Event != terminal.DebtDischarge {
			can = append(can, r)
		}
	}
	row := can[p.rand.IntN(len(can))]
	d.State, d.Attempts, d.Reason, d.NotBefore = row.To, d.Attempts+1, "walked", p.now.Add(time.Minute)
	p.seen[string(row.To)] = true
	if err := p.append(true, terminal.Entry{Time: p.now, Kind: terminal.DebtEntry, Event: string(row.Event), Debt: &d}); err != nil {
		p.t.Fatal(err)
	}
}

// settle takes a batch one row on; the last that is not closed takes sales.
func (p *pair) settle() {
	p.t.Helper()
	open, err := p.memory.Batches(p.t.Context(), "bank")
	if err != nil {
		p.t.Fatal(err)
	}
	b := open[p.rand.IntN(len(open))]
	var can []terminal.BatchRow
	for _, r := range terminal.BatchTable() {
		if r.From == b.State {
			can = append(can, r)
		}
	}
	row := can[p.rand.IntN(len(can))]
	b.State, b.Attempts, b.Reason, b.Traces = row.To, b.Attempts+1, "walked", uint64(p.next)
	p.seen["batch "+string(row.To)] = true
	if row.Event == terminal.BatchDrained {
		p.batches++
	}
	entries := []terminal.Entry{{Time: p.now, Kind: terminal.BatchEntry, Event: string(row.Event), Batch: &b}}
	if row.Event == terminal.BatchDrained {
		entries = append(entries, p.goOver(b)...)
	}
	if err := p.append(true, entries...); err != nil {
		p.t.Fatal(err)
	}
}

// goOver is what a batch's totals leave out, on its way into the next.
func (p *pair) goOver(b terminal.Batch) (entries []terminal.Entry) {
	p.t.Helper()
	items, err := p.files.journal.Items(p.t.Context(), b.Acquirer, b.Number) // these know their cards
	if err != nil {
		p.t.Fatal(err)
	}
	for _, s := range terminal.GoOver(items, b.Number+1) {
		p.seen["left out"] = true
		if s.LeftOut != b.Number {
			p.seen["left out again"] = true
		}
		s.Updated = p.now.UTC()
		entries = append(entries, terminal.Entry{
			Time: p.now, Kind: terminal.SaleEntry, From: s.State, Event: terminal.LeftOutEvent, Sale: &s, Note: "walked",
		})
	}
	return entries
}

// TestJournalsAgree walks the state tables at random, writes the same to the store and to the simulation's journal in memory, and
// compares all that they say after every step and every power cut: what the simulation proves with the one holds for the other.
func TestJournalsAgree(t *testing.T) {
	p := newPair(t)
	for _, j := range []interface {
		Batch(ctx context.Context, acquirer string) (uint32, error)
	}{p.files.journal, p.memory} {
		if n, err := j.Batch(t.Context(), "bank"); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	}
	for step := range 300 {
		p.now = p.now.Add(time.Second)
		switch n := p.rand.IntN(40); {
		case n == 0:
			p.powerCut()
		case n < 10:
			p.owe()
		case n < 15:
			p.settle()
		default:
			p.sell()
		}
		p.same(fmt.Sprintf("step %d", step))
	}
	for _, s := range append([]string{"Owed", "Sent", "Parked", "Acknowledged", "WrittenOff", "batch Closed", "batch Disputed", "batch Uploading", "left out", "left out again", "put off"}, finalStates...) {
		if !p.seen[s] {
			t.Errorf("no walk reached %s", s)
		}
	}
}

// TestJournalsRefuseAlike gives both what does not follow from what is there: both refuse it.
func TestJournalsRefuseAlike(t *testing.T) {
	kwd, err := money.ByCode("KWD")
	if err != nil {
		t.Fatal(err)
	}
	sale := func(change func(*terminal.Entry)) terminal.Entry {
		e := terminal.Entry{Kind: terminal.SaleEntry, From: terminal.Ready, Event: "Start", Sale: &terminal.Sale{
			V: terminal.RecordVersion, ID: 1, Kind: terminal.KindSale, State: terminal.AwaitCard, Acquirer: "bank", Batch: 1, Amount: money.New(1, kwd), Key: "k",
		}}
		change(&e)
		return e
	}
	for name, entries := range map[string][]terminal.Entry{
		"the same sale twice": {sale(func(*terminal.Entry) {}), sale(func(e *terminal.Entry) { e.Sale.Key = "other" })},
		"the same key twice":  {sale(func(*terminal.Entry) {}), sale(func(e *terminal.Entry) { e.Sale.ID = 2 })},
		"a sale from nowhere": {sale(func(e *terminal.Entry) { e.From = terminal.Sending })},
		"from another state":  {sale(func(*terminal.Entry) {}), sale(func(e *terminal.Entry) { e.From = terminal.Sending })},
		"from a final state": {
			sale(func(e *terminal.Entry) { e.Sale.State = terminal.Declined }),
			sale(func(e *terminal.Entry) { e.From = terminal.Declined }),
		},
		"left out before it is over": {
			sale(func(*terminal.Entry) {}),
			sale(func(e *terminal.Entry) {
				e.From, e.Event, e.Sale.Batch, e.Sale.LeftOut = terminal.AwaitCard, terminal.LeftOutEvent, 2, 1
			}),
		},
		"left out, and another state": {
			sale(func(e *terminal.Entry) { e.Sale.State = terminal.Approved }),
			sale(func(e *terminal.Entry) {
				e.From, e.Event, e.Sale.State, e.Sale.Batch, e.Sale.LeftOut = terminal.Approved, terminal.LeftOutEvent, terminal.Declined, 2, 1
			}),
		},
		"left out, and another amount": {
			sale(func(e *terminal.Entry) { e.Sale.State = terminal.Approved }),
			sale(func(e *terminal.Entry) {
				e.From, e.Event, e.Sale.State, e.Sale.Batch, e.Sale.LeftOut = terminal.Approved, terminal.LeftOutEvent, terminal.Approved, 2, 1
				e.Sale.Amount.Minor++
			}),
		},
		"left out into the batch that it is in": {
			sale(func(e *terminal.Entry) { e.Sale.State = terminal.Approved }),
			sale(func(e *terminal.Entry) {
				e.From, e.Event, e.Sale.State, e.Sale.LeftOut = terminal.Approved, terminal.LeftOutEvent, terminal.Approved, 1
			}),
		},
		"left out, and never made": {
			sale(func(e *terminal.Entry) {
				e.From, e.Event, e.Sale.State, e.Sale.Batch, e.Sale.LeftOut = terminal.Approved, terminal.LeftOutEvent, terminal.Approved, 2, 1
			}),
		},
		"a reversal without its message": {sale(func(e *terminal.Entry) { e.Duties = []terminal.Duty{terminal.OweReversal} })},
		"an advice without its message": {sale(func(e *terminal.Entry) {
			e.Duties, e.Secret = []terminal.Duty{terminal.OweAdvice}, &terminal.Secret{}
		})},
		"a discharge of nothing":    {sale(func(e *terminal.Entry) { e.Duties = []terminal.Duty{terminal.DischargeReversal} })},
		"a duty that is none":       {sale(func(e *terminal.Entry) { e.Duties = []terminal.Duty{"+X"} })},
		"a debt that is not there":  {{Kind: terminal.DebtEntry, Event: "Turn", Debt: &terminal.Debt{ID: 5, State: terminal.Sent, Acquirer: "bank"}}},
		"a batch that is not there": {{Kind: terminal.BatchEntry, Event: "Settle", Batch: &terminal.Batch{Acquirer: "bank", Number: 9, State: terminal.BatchDraining}}},
		"a batch's row without it":  {{Kind: terminal.BatchEntry}},
		"a sale's row without it":   {{Kind: terminal.SaleEntry}},
		"a debt's row without it":   {{Kind: terminal.DebtEntry}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPair(t)
			if err := p.append(true, entries...); err == nil {
				t.Error("both took it")
			}
		})
	}
}

var _ simStore = &store.Store{}
