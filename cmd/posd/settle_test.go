package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tillway/host"
	"tillway/iso8583"
	"tillway/money"
	"tillway/terminal"
)

// settle wants a batch settled and waits for its end, a bounded while.
func (b *bank) settle(s *stack, d terminal.BatchDecision) (terminal.Batch, terminal.Report) {
	b.t.Helper()
	d.Event, d.By = terminal.BatchSettle, "sara"
	batch, err := s.lane.DecideBatch(b.t.Context(), d)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.ended(s, batch.Number)
}

// ended waits until a batch is closed, disputed or open.
func (b *bank) ended(s *stack, number uint32) (terminal.Batch, terminal.Report) {
	b.t.Helper()
	for range 2000 {
		batch, err := b.journal.BatchRecord(b.t.Context(), s.owner.Name(), number)
		if err != nil {
			b.t.Fatal(err)
		}
		if batch.State.Final() || batch.State == terminal.BatchDisputed || batch.State == terminal.BatchOpen {
			items, err := b.journal.Items(b.t.Context(), s.owner.Name(), number)
			if err != nil {
				b.t.Fatal(err)
			}
			return batch, terminal.MakeReport(batch, items, time.Now())
		}
		time.Sleep(5 * time.Millisecond)
	}
	b.t.Fatalf("batch %d came to no end: %+v", number, s.lane.Snapshot().Batch)
	return terminal.Batch{}, terminal.Report{}
}

// told is what the host was sent, without network management.
func (b *bank) told() string {
	var all []string
	for _, m := range b.host.Messages() {
		if m.Direction == host.In && !strings.HasPrefix(m.MTI, "08") {
			all = append(all, m.MTI)
		}
	}
	return strings.Join(all, " ")
}

// TestSettlementInBalance: totals that the host has too close the batch, and the next sale goes into the next one.
func TestSettlementInBalance(t *testing.T) {
	b := newBank(t, nil)
	s := b.terminal()
	sellOne(t, s, 1_300)
	sellOne(t, s, 2_500)
	if _, err := s.lane.DecideBatch(t.Context(), terminal.BatchDecision{Event: terminal.BatchCallOff}); err == nil {
		t.Error("a batch that nobody settles was called off")
	}
	if st := s.lane.Snapshot().Batch; st == nil || st.Number != 1 || st.Count != 2 || st.Sum.Minor != 3_800 || len(st.Settling) != 0 {
		t.Errorf("before: %+v", st)
	}
	batch, report := b.settle(s, terminal.BatchDecision{})
	if batch.State != terminal.BatchClosed || !batch.Balanced || batch.Code != "00" || report.Proof.Result != terminal.ProofBalanced || !report.Proof.Total.Same {
		t.Errorf("%+v\n%+v", batch, report)
	}
	if total := report.Proof.Total; total.Journal.Sales != 2 || total.Journal.SalesSum != 3_800 || total.Host == nil || !total.Host.Same(total.Journal) {
		t.Errorf("proof: %+v", total)
	}
	if got := b.told(); got != "0200 0200 0500" {
		t.Errorf("on the wire: %s", got)
	}
	sellOne(t, s, 1_400)
	if sale := *s.lane.Snapshot().Last; sale.Batch != 2 {
		t.Errorf("the next sale is in batch %d", sale.Batch)
	}
	if _, err := b.journal.Items(t.Context(), s.owner.Name(), 1); err != nil {
		t.Error(err)
	}
	_, report = b.settle(s, terminal.BatchDecision{})
	if report.Proof.Result != terminal.ProofBalanced || report.Proof.Total.Journal.Sales != 1 {
		t.Errorf("the next batch: %+v", report.Proof)
	}
}

// posted is how many transactions stand at the host, and what they come to.
func (b *bank) posted() (n int, sum int64) {
	for _, p := range b.host.Ledger() {
		if p.State == host.Posted {
			n, sum = n+1, sum+p.Amount.Minor
		}
	}
	return n, sum
}

// soldAt are a batch's sales, each with its message as it went to the host.
func soldAt(t *testing.T, b *bank, s *stack, amounts ...int64) (all []terminal.Sale) {
	t.Helper()
	for _, minor := range amounts {
		sellOne(t, s, minor)
		all = append(all, *s.lane.Snapshot().Last)
	}
	return all
}

// lose makes the host forget a sale.
func (b *bank) lose(sale terminal.Sale) {
	b.t.Helper()
	if err := b.host.Lose(sale.TerminalID, fmt.Sprintf("%06d", sale.STAN)); err != nil {
		b.t.Fatal(err)
	}
}

// original is what DE 60 of an upload has to say of a sale.
func original(s terminal.Sale) string { return fmt.Sprintf("0200%06d%-12s", s.STAN, s.RRN) }

// uploads are the DE 60 of what was uploaded, and their trace numbers, in order.
func (m *meddler) uploads(t *testing.T) (originals, traces []string) {
	t.Helper()
	for _, frame := range m.frames(t, "0320", "0321") {
		message, err := m.codec.Unpack(frame)
		if err != nil {
			t.Fatal(err)
		}
		of, _ := message.Get(60)
		trace, _ := message.Get(11)
		originals, traces = append(originals, of), append(traces, trace)
	}
	return originals, traces
}

// TestPitfall08OutOfBalance: the host has lost a sale. It answers 95, gets every sale once with the original's data, and then the closing
// totals; the proof names the sale.
func TestPitfall08OutOfBalance(t *testing.T) {
	b, m := newMeddled(t, func(_ *meddler, _ *iso8583.Message, frame []byte) []segment { return []segment{{bytes: whole(frame)}} })
	s := b.terminal(func(p *parts) { p.acquirer.NAC.HostTotals = true })
	sales := soldAt(t, b, s, 1_300, 2_500, 3_700)
	b.lose(sales[1])
	batch, report := b.settle(s, terminal.BatchDecision{})
	if batch.State != terminal.BatchClosed || !batch.Balanced || batch.Uploaded != 3 {
		t.Errorf("%+v", batch)
	}
	if got := b.told(); got != "0200 0200 0200 0500 0320 0320 0320 0500" {
		t.Errorf("on the wire: %s", got)
	}
	var want []string
	for _, sale := range sales {
		want = append(want, original(sale))
	}
	if got, _ := m.uploads(t); !slices.Equal(got, want) {
		t.Errorf("uploaded %q, want %q", got, want)
	}
	closing := m.frames(t, "0500")
	for i, code := range []string{"920000", "960000"} {
		message, err := m.codec.Unpack(closing[i])
		if got, _ := message.Get(3); err != nil || got != code {
			t.Errorf("totals %d have %s, want %s", i, got, code)
		}
	}
	if f := report.Proof.Findings; len(f) != 1 || f[0].Sale != sales[1].ID || f[0].Amount.Minor != 2_500 || !strings.Contains(f[0].Why, "did not have this payment; it was sent again") {
		t.Errorf("found %+v", f)
	}
	if n, sum := b.posted(); n != 3 || sum != 7_500 {
		t.Errorf("%d stand with %d", n, sum)
	}
	if before := report.Proof.Before; before == nil || before.Sales != 2 || before.SalesSum != 5_000 || report.Proof.Result != terminal.ProofBalanced {
		t.Errorf("%+v", report.Proof)
	}
	b.settled(s, 3)
}

// TestSettlementOfEveryKind: a batch with every kind of transaction balances; where the host has lost one, whichever, all that stands is
// uploaded as what it was, nothing is refused, and it balances then.
func TestSettlementOfEveryKind(t *testing.T) {
	for _, two := range []bool{false, true} {
		for lost := -1; ; lost++ {
			if !everyKindSettled(t, two, lost) {
				break
			}
		}
	}
}

// everyKindSettled settles a batch of which the host has lost the so-many-th payment; -1: none. false: there are not so many.
func everyKindSettled(t *testing.T, two bool, lost int) (more bool) {
	t.Helper()
	t.Run(fmt.Sprintf("two messages %v, lost %d", two, lost), func(t *testing.T) {
		b := newBank(t, nil)
		s := b.terminal(everyKind(two), func(p *parts) { p.acquirer.NAC.HostTotals = true })
		kwd, err := money.ByCode("KWD")
		if err != nil {
			t.Fatal(err)
		}
		order := func(o terminal.Order) terminal.Sale {
			t.Helper()
			o.Amount.Currency = kwd
			sale, err := s.lane.Start(t.Context(), o)
			if err == nil {
				sale, err = watch(t.Context(), s.lane, sale.ID)
			}
			if err != nil || sale.State != terminal.Approved {
				t.Fatalf("%s: %s, %+v, %v", o.Kind, sale.State, sale.Outcome, err)
			}
			b.drained(s)
			return sale
		}
		amount := func(minor int64) money.Amount { return money.New(minor, kwd) }
		sold := order(terminal.Order{Kind: terminal.KindSale, Amount: amount(10_300)})
		rich := order(terminal.Order{Kind: terminal.KindSale, Amount: amount(8_300), Tip: amount(1_000), Cashback: amount(2_000)})
		refund := order(terminal.Order{Kind: terminal.KindRefund, Amount: amount(1_300), Of: sold.ID})
		held := order(terminal.Order{Kind: terminal.KindPreauth, Amount: amount(20_300)})
		order(terminal.Order{Kind: terminal.KindIncrement, Amount: amount(2_000), Of: held.ID})
		taken := order(terminal.Order{Kind: terminal.KindCompletion, Amount: amount(21_300), Of: held.ID})
		forced := order(terminal.Order{Kind: terminal.KindForced, Amount: amount(3_300), AuthCode: "A1B2C3"})
		undone := order(terminal.Order{Kind: terminal.KindSale, Amount: amount(4_300)})
		order(terminal.Order{Kind: terminal.KindVoid, Of: undone.ID})
		order(terminal.Order{Kind: terminal.KindBalance})
		all := []terminal.Sale{rich, refund, taken, forced}
		if more = lost < len(all); !more {
			return
		}
		if lost >= 0 {
			b.lose(all[lost])
		}
		batch, report := b.settle(s, terminal.BatchDecision{})
		total := report.Proof.Total.Journal
		if !batch.Balanced || total.Sales != 4 || total.SalesSum != 10_300+11_300+21_300+3_300 || total.Refunds != 1 || total.RefundsSum != 1_300 {
			t.Errorf("%+v\n%+v", batch, report.Proof)
		}
		f := report.Proof.Findings
		if lost >= 0 && (len(f) != 1 || f[0].Sale != all[lost].ID || batch.Uploaded != 5) || lost < 0 && (len(f) != 0 || batch.Uploaded != 0) {
			t.Errorf("uploaded %d, found %+v", batch.Uploaded, f)
		}
		for _, entry := range b.host.Trial() {
			if entry.Off != 0 {
				t.Errorf("the host's books do not balance: %+v", entry)
			}
		}
	})
	return more
}

// drained waits until nothing is owed.
func (b *bank) drained(s *stack) {
	b.t.Helper()
	for range 1000 {
		if s.lane.Snapshot().Owed == 0 {
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
	b.t.Fatal("something is still owed")
}
