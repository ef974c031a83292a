package lane

import (
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tillway/terminal"
)

// settling is a host of words that answers totals and uploads in the order of its script: "totals" and "upload" answers, a word each;
// "silence" is none. What is not scripted is in balance, or taken.
type settling struct {
	totals, uploads []string
}

func (s *settling) answer(m string) (string, bool, error) {
	next := func(list *[]string, or string) (string, bool, error) {
		word := or
		if len(*list) > 0 {
			word, *list = (*list)[0], (*list)[1:]
		}
		if word == "silence" {
			return "", true, errors.New("no answer in time")
		}
		return word, true, nil
	}
	switch {
	case strings.HasPrefix(m, "totals"):
		return next(&s.totals, "balanced")
	case strings.HasPrefix(m, "upload"):
		return next(&s.uploads, "00")
	}
	return "00", true, nil
}

// events are what became of batch 1, and of no other.
func events(b *bench) string {
	var words []string
	for _, e := range b.rows() {
		if e.Batch != nil && e.Batch.Number == 1 {
			words = append(words, e.Event)
		}
	}
	return strings.Join(words, " ")
}

// settlements are the wire's messages about batches.
func settlements(b *bench) (all []string) {
	for _, m := range b.sent() {
		if strings.HasPrefix(m, "totals") || strings.HasPrefix(m, "upload") {
			all = append(all, m)
		}
	}
	return all
}

// scenario is a settlement that takes certain rows of the table: decisions, with an hour behind each, and what becomes of the batch.
type scenario struct {
	name   string
	host   settling
	decide []terminal.BatchDecision
	want   string
}

var wanted = terminal.BatchDecision{Event: terminal.BatchSettle, By: "sara"}

func scenarios() []scenario {
	again, byHand := wanted, terminal.BatchDecision{Event: terminal.BatchCloseByHand, Batch: 1, By: "sara", Note: "by phone"}
	again.Batch = 1
	return []scenario{
		{"in balance", settling{}, []terminal.BatchDecision{wanted}, "Settle Drained InBalance"},
		{"the host closes with others", settling{totals: []string{"differs"}}, []terminal.BatchDecision{wanted}, "Settle Drained Differs"},
		{"silence", settling{totals: []string{"silence", "91"}}, []terminal.BatchDecision{wanted}, "Settle Drained NoAnswer NoAnswer InBalance"},
		{
			"out of balance",
			settling{totals: []string{"upload", "silence"}, uploads: []string{"00", "silence", "12"}},
			[]terminal.BatchDecision{wanted},
			"Settle Drained OutOfBalance Uploaded NoAnswer UploadRefused AllUploaded NoAnswer InBalance",
		},
		{"closed with others behind the upload", settling{totals: []string{"upload", "differs"}}, []terminal.BatchDecision{wanted}, "Settle Drained OutOfBalance Uploaded Uploaded AllUploaded Differs"},
		{
			"out of balance behind the upload",
			settling{totals: []string{"upload", "upload", "12"}},
			[]terminal.BatchDecision{wanted, again, byHand},
			"Settle Drained OutOfBalance Uploaded Uploaded AllUploaded OutOfBalance Settle RefusedForGood CloseByHand",
		},
		{"closing refused", settling{totals: []string{"upload", "30"}}, []terminal.BatchDecision{wanted}, "Settle Drained OutOfBalance Uploaded Uploaded AllUploaded RefusedForGood"},
	}
}

// play runs a scenario under a table and says what became of the batch, and how the terminal ended.
func play(t *testing.T, c scenario, table []terminal.BatchRow) (got string, ended error) {
	t.Helper()
	host := settling{slices.Clone(c.host.totals), slices.Clone(c.host.uploads)}
	b := start(t, approves, slot{}, host.answer, func(_ *Config, o *OwnerConfig) { o.Batches = table })
	b.sell(1000, "")
	b.last()
	b.sell(2500, "")
	b.last()
	for _, d := range c.decide {
		if _, err := b.lane.DecideBatch(t.Context(), d); err != nil {
			ended = err
			break
		}
		pass(time.Hour)
	}
	b.stop()
	return events(b), errors.Join(ended, <-b.ended)
}

// Every way through a settlement, and every row of the table switched off: the settlement that needs it is seen to fail.
func TestSettlements(t *testing.T) {
	for _, c := range scenarios() {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if got, err := play(t, c, nil); got != c.want || err != nil {
					t.Errorf("%s (%v), want %s", got, err, c.want)
				}
			})
		})
	}
	for i, row := range terminal.BatchTable() {
		if row.Event == terminal.BatchCallOff {
			continue // TestCallOff has it
		}
		without := slices.Delete(terminal.BatchTable(), i, i+1)
		noticed := false
		for _, c := range scenarios() {
			synctest.Test(t, func(t *testing.T) {
				got, err := play(t, c, without)
				noticed = noticed || got != c.want || err != nil
			})
		}
		if !noticed {
			t.Errorf("nothing needs the row %+v", row)
		}
	}
}

// While something of the batch cannot be delivered, its end can be called off; without the row it cannot.
func TestCallOff(t *testing.T) {
	for _, off := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			table := terminal.BatchTable()
			if off {
				table = slices.DeleteFunc(table, func(r terminal.BatchRow) bool { return r.Event == terminal.BatchCallOff })
			}
			b := start(t, approves, slot{}, func(m string) (string, bool, error) {
				if m == "sale" || m == "reversal" {
					return "", true, errors.New("no answer in time")
				}
				return "balanced", true, nil
			}, func(_ *Config, o *OwnerConfig) { o.Batches = table })
			b.sell(1000, "")
			b.last()
			if _, err := b.lane.DecideBatch(t.Context(), wanted); err != nil {
				t.Fatal(err)
			}
			pass(time.Hour)
			callOff := terminal.BatchDecision{Event: terminal.BatchCallOff, By: "sara"}
			_, err := b.lane.DecideBatch(t.Context(), callOff)
			if (err != nil) != off {
				t.Errorf("off %v: %v", off, err)
			}
			if !off {
				if got := events(b); got != "Settle CallOff" || len(settlements(b)) != 0 {
					t.Errorf("%s, on the wire %v", got, settlements(b))
				}
				if _, err := b.lane.DecideBatch(t.Context(), callOff); !errors.Is(err, terminal.ErrBatchState) {
					t.Errorf("again: %v", err)
				}
			}
			b.stop()
			if err := <-b.ended; (err != nil) != off {
				t.Errorf("off %v: ended with %v", off, err)
			}
		})
	}
}

// Every sending of one message has one number; the next message has another; totals that were fixed stay the same.
func TestSettlementNumbers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host := settling{totals: []string{"silence", "upload", "silence"}, uploads: []string{"silence"}}
		b := start(t, approves, slot{}, host.answer)
		defer b.end()
		for _, minor := range []int64{1000, 2500} {
			b.sell(minor, "")
			b.last()
		}
		if _, err := b.lane.DecideBatch(t.Context(), wanted); err != nil {
			t.Fatal(err)
		}
		pass(time.Hour)
		all := settlements(b)
		if len(all) != 7 || all[0] != all[1] || all[2] != all[3] || all[5] != all[6] {
			t.Fatalf("on the wire: %v", all)
		}
		distinct := slices.Compact(slices.Clone(all))
		slices.Sort(distinct)
		if len(slices.Compact(distinct)) != 4 {
			t.Errorf("on the wire: %v", all)
		}
	})
}

// A customer who comes while a batch is uploaded waits for one message at most, and his sale is in the next batch.
func TestCustomersGoBeforeABatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host := settling{totals: []string{"upload"}}
		b := start(t, approves, slot{}, host.answer)
		defer b.end()
		const many = 20
		for n := range int64(many) {
			b.sell(1000+n, "")
			b.last()
		}
		if _, err := b.lane.DecideBatch(t.Context(), wanted); err != nil {
			t.Fatal(err)
		}
		pass(5 * time.Second) // a few of the upload are gone
		before := len(b.sent())
		s := b.sell(9000, "")
		if sale := b.last(); sale.State != terminal.Approved || sale.Batch != 2 {
			t.Errorf("%s in batch %d", sale.State, sale.Batch)
		}
		at := slices.Index(b.sent()[before:], "sale")
		if at < 0 || at > 3 { // the kernel takes a second, and so does each message
			t.Errorf("sale %s went out behind %d messages: %v", s.ID, at, b.sent()[before:])
		}
		pass(time.Hour)
		if got := strings.Count(events(b), " Uploaded"); got != many {
			t.Errorf("%d uploaded of %d: %s", got, many, events(b))
		}
	})
}

// The totals are fixed in a moment without a sale: one that runs when its batch's end is wanted is in it, and none reaches the host behind
// its totals.
func TestNoSaleBehindItsTotals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, approves, slot{}, (&settling{}).answer)
		defer b.end()
		b.sell(1000, "")
		b.last()
		b.sell(2500, "")
		if _, err := b.lane.DecideBatch(t.Context(), wanted); err != nil {
			t.Fatal(err)
		}
		b.last()
		pass(time.Hour)
		var order []string
		for _, m := range b.sent() {
			if m != "signon" {
				order = append(order, strings.Fields(m)[0])
			}
		}
		if got := strings.Join(order, " "); got != "sale sale totals" {
			t.Errorf("on the wire: %s", got)
		}
		for _, e := range b.rows() {
			if e.Event == string(terminal.BatchDrained) {
				if all := terminal.SumLines(e.Batch.Totals); all.Sales != 2 || all.SalesSum != 3500 {
					t.Errorf("totals %+v", all)
				}
			}
		}
	})
}

// A payment that the bank has refused for good stops a settlement, and is named; told to leave it, the terminal settles without it.
func TestParkedStopsASettlement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := parked(t)
		defer b.end()
		_, err := b.lane.DecideBatch(t.Context(), wanted)
		if !errors.Is(err, terminal.ErrParkedItems) || !strings.Contains(err.Error(), "sale 1 of KWD 1.000") {
			t.Errorf("%v", err)
		}
		if events(b) != "" {
			t.Errorf("it is %s", events(b))
		}
		leave := wanted
		leave.LeaveParked = true
		if _, err := b.lane.DecideBatch(t.Context(), leave); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		if got := events(b); got != "Settle Drained RefusedForGood" {
			t.Errorf("it is %s", got)
		}
		if _, err := b.lane.Decide(t.Context(), terminal.DebtDecision{Debt: 1, Event: terminal.DebtRequeued, By: "sara"}); !errors.Is(err, terminal.ErrSettling) {
			t.Errorf("sent again behind its batch's totals: %v", err)
		}
		byHand := terminal.BatchDecision{Event: terminal.BatchCloseByHand, Batch: 1, By: "sara", Note: "by phone"}
		if _, err := b.lane.DecideBatch(t.Context(), byHand); err != nil {
			t.Error(err)
		}
		if _, err := b.lane.Decide(t.Context(), terminal.DebtDecision{Debt: 1, Event: terminal.DebtRequeued, By: "sara"}); err != nil {
			t.Errorf("behind the batch's end: %v", err)
		}
	})
}

// Wishes that cannot be carried out change nothing.
func TestBatchDecisionsThatAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, approves, slot{}, (&settling{}).answer)
		defer b.end()
		pass(time.Minute)
		for name, c := range map[string]struct {
			d    terminal.BatchDecision
			want error
		}{
			"nothing to settle":   {wanted, terminal.ErrEmptyBatch},
			"unknown batch":       {terminal.BatchDecision{Event: terminal.BatchSettle, Batch: 7}, terminal.ErrNoBatch},
			"nothing to call off": {terminal.BatchDecision{Event: terminal.BatchCallOff}, terminal.ErrBatchState},
			"not disputed":        {terminal.BatchDecision{Event: terminal.BatchCloseByHand, Batch: 1, Note: "x"}, terminal.ErrBatchState},
			"without a note":      {terminal.BatchDecision{Event: terminal.BatchCloseByHand, Batch: 1}, terminal.ErrNote},
			"a card number in it": {terminal.BatchDecision{Event: terminal.BatchCloseByHand, Batch: 1, Note: "4761739001010119"}, terminal.ErrNote},
		} {
			if _, err := b.lane.DecideBatch(t.Context(), c.d); !errors.Is(err, c.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if events(b) != "" {
			t.Errorf("it is %s", events(b))
		}
	})
}

// The totals wait for a reversal as every request does.
func TestReversalGoesBeforeTotals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var silent atomic.Bool
		b := start(t, approves, slot{}, func(m string) (string, bool, error) {
			if silent.Load() && (m == "sale" || m == "reversal") {
				return "", true, errors.New("no answer in time")
			}
			if strings.HasPrefix(m, "totals") && !silent.Load() {
				silent.Store(true)
				return "91", true, nil
			}
			return (&settling{}).answer(m)
		}, func(_ *Config, o *OwnerConfig) { o.Retry, o.RetryMax = 20*time.Second, time.Minute })
		defer b.end()
		b.sell(1000, "")
		b.last()
		if _, err := b.lane.DecideBatch(t.Context(), wanted); err != nil {
			t.Fatal(err)
		}
		pass(10 * time.Second) // the totals are to go again later
		b.sell(2500, "")
		b.last()
		pass(time.Hour)
		if got := settlements(b); len(got) != 1 {
			t.Errorf("totals went out %d times while a reversal waited", len(got))
		}
		silent.Store(false)
		pass(time.Hour)
		if got := events(b); got != "Settle Drained NoAnswer InBalance" && got != "Settle Drained NoAnswer NoAnswer InBalance" {
			t.Errorf("it is %s", got)
		}
	})
}

// A payment that the host has not got before the upload, and not behind it either, is one payment that differs.
func TestWhatDiffersIsNamedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host := settling{totals: []string{"short", "short"}}
		b := start(t, approves, slot{}, host.answer)
		defer b.end()
		b.sell(1000, "")
		b.last()
		b.sell(2500, "")
		missing := b.last()
		if _, err := b.lane.DecideBatch(t.Context(), wanted); err != nil {
			t.Fatal(err)
		}
		pass(time.Hour)
		var last terminal.Batch
		for _, e := range b.rows() {
			if e.Batch != nil && e.Batch.Number == 1 {
				last = *e.Batch
			}
		}
		if last.State != terminal.BatchDisputed || len(last.Findings) != 1 || last.Findings[0].Sale != missing.ID {
			t.Errorf("%s: %+v", last.State, last.Findings)
		}
	})
}

// left is a terminal with two offline approvals, of which the bank refuses the word of the first for good; the batch is settled without it.
func left(t *testing.T) (*bench, *answers) {
	t.Helper()
	a := &answers{}
	a.set("advice 000001", "30")
	b, _ := filled(t, 2, a)
	b.wire.mu.Lock()
	b.wire.answer = func(m string) (string, bool, error) {
		if strings.HasPrefix(m, "totals") {
			return "balanced", true, nil
		}
		return a.answer(m)
	}
	b.wire.mu.Unlock()
	b.wire.set(false, nil)
	b.owner.Poke()
	pass(time.Minute)
	leave := wanted
	leave.LeaveParked = true
	if _, err := b.lane.DecideBatch(t.Context(), leave); err != nil {
		t.Fatal(err)
	}
	pass(time.Minute)
	if got := events(b); got != "Settle Drained InBalance" {
		t.Fatalf("it is %s", got)
	}
	return b, a
}

// A payment that its batch is settled without goes over into the next: sent again, its word names that one, whose totals count it.
func TestPaymentThatIsLeftOutGoesOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, a := left(t)
		defer b.end()
		s, err := b.journal.Sale(t.Context(), 1)
		if err != nil || s.Batch != 2 || s.LeftOut != 1 || s.State != terminal.Approved || s.STAN != 1 {
			t.Fatalf("%+v (%v)", s, err)
		}
		for _, e := range b.rows() {
			if e.Event == string(terminal.BatchDrained) && (len(e.Batch.LeftOut) != 1 || e.Batch.LeftOut[0].Sale != 1 || len(e.Batch.Counted) != 1 || e.Batch.Counted[0] != terminal.SaleRange{2, 2}) {
				t.Errorf("%+v", e.Batch)
			}
		}
		if _, err := b.lane.DecideBatch(t.Context(), wanted); !errors.Is(err, terminal.ErrEmptyBatch) {
			t.Errorf("a batch that has nothing else: %v", err)
		}
		a.forget()
		again := terminal.DebtDecision{Debt: 1, Event: terminal.DebtRequeued, By: "sara"}
		if _, err := b.lane.Decide(t.Context(), again); !errors.Is(err, terminal.ErrAskBank) {
			t.Errorf("it was sent in batch 1, and nobody has asked the bank: %v", err)
		}
		again.Asked = true
		if _, err := b.lane.Decide(t.Context(), again); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		if _, err := b.lane.DecideBatch(t.Context(), wanted); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		b.wantWire("advice 000001", "advice 000002", "totals 000001 1", "advice 000001 in 2", "totals 000002 2")
		for _, e := range b.rows() {
			if e.Event == string(terminal.BatchDrained) && e.Batch.Number == 2 && terminal.SumLines(e.Batch.Totals).SalesSum != 1000 {
				t.Errorf("%+v", e.Batch)
			}
		}
	})
}
