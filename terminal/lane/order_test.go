package lane

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tillway/emv"
	"tillway/terminal"
)

// TestOrderToDestroy: the host's order is carried out once nothing is owed, the word goes out before, and nothing is sold in
// between; one that is forged, unauthenticated or played again is refused and audited.
func TestOrderToDestroy(t *testing.T) {
	replayed := func(string) string { return ";destroy=33333333" }
	for _, c := range []struct {
		name   string
		add    func(string) string
		change func(*OwnerConfig)
		spoil  func(kind string, b *keyBank, answer string) (string, bool)
		done   bool
		heard  string
	}{
		{"in earnest", func(challenge string) string { return ";destroy=" + challenge }, nil, nil, true, "destroyed on the bank's order"},
		{"an answer played again", replayed, nil, nil, false, "not the answer to this sign-on"},
		{"without a challenge", func(string) string { return ";destroy=" }, nil, nil, false, "not the answer to this sign-on"},
		{"sign-on without MAC", func(challenge string) string { return ";destroy=" + challenge }, func(o *OwnerConfig) {
			o.Dialect = orders{words{macs: true}, true}
		}, nil, false, "without a MAC"},
		{"orders are not taken", func(challenge string) string { return ";destroy=" + challenge }, func(o *OwnerConfig) { o.Destroy = nil }, nil, false, "does not do that"},
		{"forged", func(challenge string) string { return ";destroy=" + challenge }, nil, func(kind string, _ *keyBank, a string) (string, bool) {
			if kind == "signon" {
				a, _, _ = strings.Cut(a, "#")
			}
			return a, true
		}, false, "not the bank's"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v, bank := &vault{inForce: "K0"}, &keyBank{inForce: "K0"}
				bank.spoil = func(kind string, _ *keyBank, a string) (string, bool) { return a, kind != "sale" && kind != "reversal" }
				b := start(t, approves, slot{}, bank.answer, session(v, func(o *OwnerConfig) {
					o.Sessions = nil
					if c.change != nil {
						c.change(o)
					}
				}))
				defer b.end()
				pass(1500 * time.Millisecond)
				b.wire.set(false, nil)
				b.sell(1000, "") // no answer: a reversal is owed
				b.last()
				synctest.Wait()
				bank.turn(c.spoil, c.add)
				b.wire.set(true, nil)
				b.owner.Poke()
				pass(1500 * time.Millisecond)
				b.wire.set(false, nil)
				pass(30 * time.Second)
				if ok, times := v.heard(c.done, c.heard); (times == 1) != c.done || !ok {
					t.Errorf("destroyed %d times, audited %t; wire %v", times, ok, bank.seen())
				}
				if !c.done {
					return
				}
				if at := slices.Index(bank.seen(), "reversal K0"); at < 0 || slices.Index(bank.seen(), "done K0") < at {
					t.Errorf("the reversal did not go first, or nobody said that it is done: %v", bank.seen())
				}
				if h := b.lane.Snapshot().Host; h.OK || h.State != keysDestroyed {
					t.Errorf("the status says %+v", h)
				}
				b.wire.set(true, nil)
				b.sell(1000, "")
				if s := b.last(); s.State != terminal.Declined || s.Outcome.Code != terminal.CodeUnreachable {
					t.Errorf("afterwards a sale ends as %s, %+v", s.State, s.Outcome)
				}
			})
		})
	}
}

// TestNothingIsApprovedWithoutABankThatWithdrew: from the order to destroy its keys on, a terminal approves nothing by itself either: nobody
// would take its word for it.
func TestNothingIsApprovedWithoutABankThatWithdrew(t *testing.T) {
	for _, first := range []emv.Decision{emv.Approved, emv.Online} {
		synctest.Test(t, func(t *testing.T) {
			v, bank := &vault{inForce: "K0"}, &keyBank{inForce: "K0", add: func(challenge string) string { return ";destroy=" + challenge }}
			b := start(t, offline{first: first}, slot{}, bank.answer, keeping(ample), session(v, func(o *OwnerConfig) { o.Sessions = nil }))
			defer b.end()
			pass(time.Minute)
			if _, times := v.heard(true, ""); times != 1 {
				t.Fatalf("destroyed %d times", times)
			}
			b.wire.set(true, nil)
			b.sell(1000, "")
			if s := b.last(); s.State == terminal.Approved || len(b.journal.debts(terminal.Owed, terminal.Sent, terminal.Parked)) != 0 {
				t.Errorf("%s, %+v", s.State, s.Outcome)
			}
		})
	}
}

// TestOrderWaitsForTheQueue: while a message cannot be delivered, nothing is destroyed and nothing is sold.
func TestOrderWaitsForTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, bank := &vault{inForce: "K0"}, &keyBank{inForce: "K0"}
		bank.spoil = func(kind string, _ *keyBank, a string) (string, bool) { return a, kind != "sale" && kind != "reversal" }
		b := start(t, chip{first: "online", second: "declined"}, slot{}, bank.answer, session(v, func(o *OwnerConfig) { o.Sessions = nil }))
		defer b.end()
		pass(1500 * time.Millisecond)
		b.wire.set(false, nil)
		b.sell(1000, "")
		b.last()
		synctest.Wait()
		bank.turn(bank.spoil, func(challenge string) string { return ";destroy=" + challenge })
		b.wire.set(true, nil)
		b.owner.Poke()
		pass(10 * time.Minute)
		b.wire.set(false, nil)
		b.sell(1000, "")
		if s := b.last(); s.State == terminal.Approved || v.now() != "K0" {
			t.Errorf("%s; in force is %q", s.State, v.now())
		}
		if h := b.lane.Snapshot().Host; h.OK || !strings.Contains(h.Cause, "destroyed") {
			t.Errorf("the status says %+v", h)
		}
		bank.turn(nil, bank.add)
		b.owner.Poke()
		pass(10 * time.Minute)
		if _, times := v.heard(true, ""); times != 1 {
			t.Errorf("after the queue was sent, keys were destroyed %d times: %v", times, bank.seen())
		}
	})
}

// TestOrderOutlivesAPowerCut: the host forgets its order when it hears that it is done, so the keys have gone by then. A cut
// at that moment leaves no terminal with keys that its host takes for destroyed.
func TestOrderOutlivesAPowerCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, bank := &vault{inForce: "K0"}, &keyBank{inForce: "K0"}
		held := ""
		bank.spoil = func(kind string, _ *keyBank, a string) (string, bool) {
			if kind == "done" {
				held = v.now()
			}
			return a, true
		}
		bank.add = func(challenge string) string { return ";destroy=" + challenge }
		b := start(t, approves, slot{}, bank.answer, session(v, func(o *OwnerConfig) { o.Sessions = nil }))
		defer b.end()
		pass(time.Minute)
		if !slices.Contains(bank.seen(), "done K0") || held != "" {
			t.Errorf("when the host heard that the keys are destroyed, the terminal had %q: %v", held, bank.seen())
		}
	})
}

// TestOrderThatFails: keys that cannot be destroyed are not said to be, and it is tried again.
func TestOrderThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, bank, tries := &vault{inForce: "K0"}, &keyBank{inForce: "K0"}, 0
		bank.add = func(challenge string) string { return ";destroy=" + challenge }
		b := start(t, approves, slot{}, bank.answer, session(v, func(o *OwnerConfig) {
			o.Sessions = nil
			o.Destroy = func(ctx context.Context) error {
				if tries++; tries == 1 {
					return errors.New("the disk is full")
				}
				return v.destroy(ctx)
			}
		}))
		defer b.end()
		pass(2500 * time.Millisecond)
		b.wire.set(false, nil)
		if h := b.lane.Snapshot().Host; slices.Contains(bank.seen(), "done K0") || !strings.Contains(h.Cause, "disk is full") {
			t.Errorf("%v, the status says %+v", bank.seen(), h)
		}
		b.owner.Poke()
		pass(time.Minute)
		if _, times := v.heard(true, ""); times != 1 || !slices.Contains(bank.seen(), "done K0") {
			t.Errorf("destroyed %d times after a second look: %v", times, bank.seen())
		}
	})
}

// TestOrderBesideAParkedDebt: what the host has refused for good needs no key and holds its order up no longer.
func TestOrderBesideAParkedDebt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, bank := &vault{inForce: "K0"}, &keyBank{inForce: "K0"}
		bank.spoil = func(kind string, _ *keyBank, a string) (string, bool) {
			if kind == "reversal" {
				a = strings.Replace(a, "00", "05", 1)
			}
			return a, kind != "sale"
		}
		b := start(t, approves, slot{}, bank.answer, session(v, func(o *OwnerConfig) { o.Sessions = nil }))
		defer b.end()
		pass(1500 * time.Millisecond)
		b.wire.set(false, nil)
		b.sell(1000, "")
		b.last()
		pass(time.Minute)
		if s := b.lane.Snapshot(); s.Parked != 1 {
			t.Fatalf("parked are %d: %v", s.Parked, bank.seen())
		}
		bank.turn(bank.spoil, func(challenge string) string { return ";destroy=" + challenge })
		b.wire.set(true, nil)
		b.owner.Poke()
		pass(time.Minute)
		if _, times := v.heard(true, ""); times != 1 {
			t.Errorf("destroyed %d times: %+v", times, b.lane.Snapshot().Host)
		}
	})
}
