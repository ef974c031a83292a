package main

import (
	"strings"
	"testing"
	"time"

	"tillway/host"
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
