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

	"tillway/emv"
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

// twice is a terminal whose sale had no answer and was approved by its card then (Y3), whose reversal the bank refuses for good: the bank
// may have booked the request, and the advice of the same sale waits.
func twice(t *testing.T) (*bench, *answers) {
	t.Helper()
	a := &answers{}
	a.set("sale", "")
	a.set("reversal", "12")
	b := start(t, &changing{offline{first: emv.Online}}, slot{}, a.answer, keeping(ample))
	b.sell(1000, "")
	if s := b.last(); s.State != terminal.Approved || s.Way != terminal.WayOffline {
		t.Fatalf("%s, %s", s.State, s.Way)
	}
	pass(time.Minute)
	return b, a
}

// What the bank may have booked already is not told a second time: the advice waits for a decision about its sale's reversal, holds nothing
// else up, and goes once the reversal is taken or written off.
func TestAdviceWaitsForItsParkedReversal(t *testing.T) {
	for name, d := range map[string]terminal.DebtDecision{
		"sent again":  {Debt: 1, Event: terminal.DebtRequeued, By: "sara"},
		"written off": {Debt: 1, Event: terminal.DebtWrittenOff, By: "sara", Note: "the bank has it off"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, a := twice(t)
				defer b.end()
				b.owner.Poke()
				pass(2 * time.Hour)
				b.wantWire("sale", "reversal")
				due, err := b.journal.Due(t.Context(), "acquirer")
				if err != nil || len(due) != 1 || due[0].Behind != 1 || due[0].State != terminal.Owed {
					t.Fatalf("%+v (%v)", due, err)
				}
				if r := b.owner.Request(t.Context(), []byte("void"), keysOfAny, true); r.Event != terminal.HostApproved {
					t.Errorf("a request behind what is owed: %+v", r)
				}
				a.forget()
				if _, err := b.lane.Decide(t.Context(), d); err != nil {
					t.Fatal(err)
				}
				pass(5 * time.Second)
				want := []string{"sale", "reversal", "void", "advice 000002"}
				if d.Event == terminal.DebtRequeued {
					want = slices.Insert(want, 3, "reversal")
				}
				b.wantWire(want...)
				if s := b.lane.Snapshot(); s.Owed != 0 || s.Parked != 0 {
					t.Errorf("owed %d, parked %d", s.Owed, s.Parked)
				}
			})
		})
	}
}

// A reversal that is refused again goes on holding its sale's advice.
func TestAdviceWaitsOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := twice(t)
		defer b.end()
		if _, err := b.lane.Decide(t.Context(), terminal.DebtDecision{Debt: 1, Event: terminal.DebtRequeued, By: "sara"}); err != nil {
			t.Fatal(err)
		}
		pass(time.Hour)
		b.wantWire("sale", "reversal", "reversal")
		if got := b.states(); !slices.Equal(got, []terminal.DebtState{terminal.Parked, terminal.Owed}) {
			t.Error(got)
		}
	})
}

// What the bank puts off again and again somebody can put aside: what is behind it goes on. It can be sent again.
func TestDebtThatIsPutAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &answers{}
		a.set("advice 000001", "91")
		b, _ := filled(t, 2, a)
		defer b.end()
		b.wire.set(false, nil)
		b.owner.Poke()
		pass(5 * time.Second)
		put := terminal.DebtDecision{Debt: 1, Event: terminal.DebtPut, By: "sara"}
		d, err := b.lane.Decide(t.Context(), put)
		if err != nil || d.State != terminal.Parked || !strings.Contains(d.Reason, "sara") || !strings.Contains(d.Reason, "91") {
			t.Fatalf("%+v (%v)", d, err)
		}
		pass(5 * time.Second)
		if got := b.states(); !slices.Equal(got, []terminal.DebtState{terminal.Parked, terminal.Acknowledged}) {
			t.Error(got)
		}
		if _, err := b.lane.Decide(t.Context(), put); !errors.Is(err, terminal.ErrParked) {
			t.Errorf("a second time: %v", err)
		}
		for _, n := range []int64{2, 9} {
			put.Debt = n
			if _, err := b.lane.Decide(t.Context(), put); !errors.Is(err, terminal.ErrNoDebt) {
				t.Errorf("debt %d: %v", n, err)
			}
		}
		a.forget()
		if _, err := b.lane.Decide(t.Context(), terminal.DebtDecision{Debt: 1, Event: terminal.DebtRequeued, By: "sara"}); err != nil {
			t.Fatal(err)
		}
		pass(5 * time.Second)
		if got := b.states(); !slices.Equal(got, []terminal.DebtState{terminal.Acknowledged, terminal.Acknowledged}) {
			t.Error(got)
		}
	})
}

// What never left was not sent: it does not count, and goes out unmarked the next time. The wait between two tries grows all the same.
func TestWhatNeverLeftIsNoTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := filled(t, 1, &answers{})
		defer b.end()
		b.wire.mu.Lock()
		answer := b.wire.answer
		b.wire.answer = func(m string) (string, bool, error) { return "", false, errors.New("closed under our hands") }
		b.wire.mu.Unlock()
		b.wire.set(false, nil)
		b.owner.Poke()
		pass(time.Hour)
		if n := len(b.messages()); n < 30 || n > 140 { // a minute and less between two of them
			t.Errorf("tried %d times in an hour", n)
		}
		if d := lastDebt(t, b).Debt; d.Attempts != 0 || d.State != terminal.Owed {
			t.Errorf("%d tries, %s", d.Attempts, d.State)
		}
		b.wire.mu.Lock()
		b.wire.answer = answer
		b.wire.mu.Unlock()
		pass(2 * time.Minute)
		if d := lastDebt(t, b).Debt; d.Attempts != 1 || d.State != terminal.Acknowledged {
			t.Errorf("%d tries, %s", d.Attempts, d.State)
		}
	})
}
