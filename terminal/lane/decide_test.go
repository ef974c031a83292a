package lane

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tillway/terminal"
)

// parked is a terminal whose first sale's reversal the bank has refused for good; code is what the bank says to it from
// then on.
func parked(t *testing.T, change ...func(*Config, *OwnerConfig)) (b *bench, code *atomic.Value) {
	t.Helper()
	code = &atomic.Value{}
	code.Store("12")
	b = start(t, approves, slot{}, func(m string) (string, bool, error) {
		switch m {
		case "sale":
			return "", true, errors.New("no answer in time")
		case "reversal":
			c, _ := code.Load().(string)
			return c, true, nil
		}
		return "00", true, nil
	}, change...)
	b.sell(1000, "")
	b.last()
	pass(time.Minute)
	if s := b.lane.Snapshot(); s.Parked != 1 || s.Owed != 0 {
		t.Fatalf("parked %d, owed %d", s.Parked, s.Owed)
	}
	return b, code
}

// lastDebt is the newest journal row about a debt.
func lastDebt(t *testing.T, b *bench) terminal.Entry {
	t.Helper()
	for _, e := range slices.Backward(b.rows()) {
		if e.Debt != nil {
			return e
		}
	}
	t.Fatal("no row about a debt")
	return terminal.Entry{}
}

func reversals(b *bench) (n int) {
	for _, m := range b.sent() {
		if m == "reversal" {
			n++
		}
	}
	return n
}

// A parked debt goes out again when somebody says so, at once; what the bank then says decides as it did the first time.
func TestParkedDebtIsSentAgain(t *testing.T) {
	for answer, want := range map[string]terminal.DebtState{"00": terminal.Acknowledged, "12": terminal.Parked} {
		t.Run(answer, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, code := parked(t)
				defer b.end()
				code.Store(answer)
				d, err := b.lane.Decide(t.Context(), terminal.DebtDecision{Debt: 1, Event: terminal.DebtRequeued, By: "sara"})
				if err != nil || d.State != terminal.Owed || d.Message != nil {
					t.Fatalf("%+v (%v)", d, err)
				}
				e := lastDebt(t, b)
				if e.Event != "Requeue" || e.Debt.State != terminal.Owed || !strings.Contains(e.Note, "sara") {
					t.Errorf("journal: %+v", e)
				}
				pass(5 * time.Second) // not when the owner looks next
				if e := lastDebt(t, b); e.Debt.State != want || e.Debt.Attempts != 2 || reversals(b) != 2 {
					t.Errorf("%s after %d tries, sent %d times", e.Debt.State, e.Debt.Attempts, reversals(b))
				}
			})
		})
	}
}

// What was written off never goes out again; the journal says who and why, whole.
func TestParkedDebtIsWrittenOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, code := parked(t)
		defer b.end()
		code.Store("00")
		note := strings.Repeat("ب", terminal.MaxDecisionNote)
		off := terminal.DebtDecision{Debt: 1, Event: terminal.DebtWrittenOff, By: "sara", Note: note}
		d, err := b.lane.Decide(t.Context(), off)
		if err != nil || d.State != terminal.WrittenOff {
			t.Fatalf("%+v (%v)", d, err)
		}
		e := lastDebt(t, b)
		if e.Event != "WriteOff" || e.Debt.State != terminal.WrittenOff || e.Note != "written off by sara: "+note || e.Debt.Reason != e.Note || len(e.Note) > 1000 {
			t.Errorf("journal: %+v", e)
		}
		b.owner.Poke()
		pass(2 * time.Hour)
		if s := b.lane.Snapshot(); s.Parked != 0 || s.Owed != 0 || reversals(b) != 1 {
			t.Errorf("parked %d, owed %d, sent %d times", s.Parked, s.Owed, reversals(b))
		}
		for _, event := range []terminal.DebtEvent{terminal.DebtRequeued, terminal.DebtWrittenOff} {
			off.Event = event
			if _, err := b.lane.Decide(t.Context(), off); !errors.Is(err, terminal.ErrNoDebt) {
				t.Errorf("%s after that: %v", event, err)
			}
		}
	})
}

// A decision that cannot be carried out changes nothing, and the owner goes on.
func TestDecisionsThatAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, code := parked(t)
		defer b.end()
		before := len(b.rows())
		for name, c := range map[string]struct {
			d    terminal.DebtDecision
			want error
		}{
			"unknown":            {terminal.DebtDecision{Debt: 9, Event: terminal.DebtRequeued}, terminal.ErrNoDebt},
			"no note":            {terminal.DebtDecision{Debt: 1, Event: terminal.DebtWrittenOff}, terminal.ErrNote},
			"blank note":         {terminal.DebtDecision{Debt: 1, Event: terminal.DebtWrittenOff, Note: "  "}, terminal.ErrNote},
			"long note":          {terminal.DebtDecision{Debt: 1, Event: terminal.DebtWrittenOff, Note: strings.Repeat("x", 201)}, terminal.ErrNote},
			"two lines":          {terminal.DebtDecision{Debt: 1, Event: terminal.DebtWrittenOff, Note: "by\nphone"}, terminal.ErrNote},
			"C1 control":         {terminal.DebtDecision{Debt: 1, Event: terminal.DebtWrittenOff, Note: "by\u009bphone"}, terminal.ErrNote},
			"not text":           {terminal.DebtDecision{Debt: 1, Event: terminal.DebtWrittenOff, Note: "by \xff"}, terminal.ErrNote},
			"card number":        {terminal.DebtDecision{Debt: 1, Event: terminal.DebtWrittenOff, Note: "card 4761739001010119"}, terminal.ErrNote},
			"card number spaced": {terminal.DebtDecision{Debt: 1, Event: terminal.DebtWrittenOff, Note: "4761 7390 0101 0119 by phone"}, terminal.ErrNote},
		} {
			if _, err := b.lane.Decide(t.Context(), c.d); !errors.Is(err, c.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if len(b.rows()) != before {
			t.Errorf("journal: %+v", b.rows()[before:])
		}
		code.Store("91")
		again := terminal.DebtDecision{Debt: 1, Event: terminal.DebtRequeued, By: "sara"}
		if _, err := b.lane.Decide(t.Context(), again); err != nil {
			t.Fatal(err)
		}
		pass(5 * time.Second)
		for _, event := range []terminal.DebtEvent{terminal.DebtRequeued, terminal.DebtWrittenOff} { // it waits, and is the terminal's to send
			again.Event, again.Note = event, "x"
			if _, err := b.lane.Decide(t.Context(), again); !errors.Is(err, terminal.ErrNotParked) {
				t.Errorf("%s of one that waits: %v", event, err)
			}
		}
	})
}

// A debt to an acquirer that this terminal has no link to any more can only be written off.
func TestParkedDebtOfAnotherAcquirer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := parked(t)
		defer b.end()
		b.journal.mu.Lock()
		for i, e := range b.journal.rows {
			if e.Debt != nil {
				d := *e.Debt
				d.Acquirer = "former"
				b.journal.rows[i].Debt = &d
			}
		}
		b.journal.mu.Unlock()
		if _, err := b.lane.Decide(t.Context(), terminal.DebtDecision{Debt: 1, Event: terminal.DebtRequeued}); !errors.Is(err, terminal.ErrOtherAcquirer) {
			t.Errorf("sent again: %v", err)
		}
		d, err := b.lane.Decide(t.Context(), terminal.DebtDecision{Debt: 1, Event: terminal.DebtWrittenOff, By: "sara", Note: "by phone"})
		if err != nil || d.State != terminal.WrittenOff {
			t.Errorf("%+v (%v)", d, err)
		}
	})
}

// Without a journal nothing is decided: the process ends. After its end, and before the owner had time, nobody waits.
func TestDecisionWithoutAnOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := parked(t)
		again := terminal.DebtDecision{Debt: 1, Event: terminal.DebtRequeued, By: "sara"}
		given, giveUp := context.WithCancel(t.Context())
		giveUp()
		if _, err := NewOwner(OwnerConfig{}).Decide(given, again); !errors.Is(err, context.Canceled) {
			t.Errorf("given up: %v", err)
		}
		b.journal.mu.Lock()
		b.journal.fail = errors.New("disk full")
		b.journal.mu.Unlock()
		for range 2 {
			if _, err := b.lane.Decide(t.Context(), again); !errors.Is(err, context.Canceled) {
				t.Errorf("without a journal: %v", err)
			}
		}
		b.stop()
		if err := <-b.ended; err == nil {
			t.Error("the owner did not end")
		}
	})
}
