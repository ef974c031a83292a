package lane

import (
	"errors"
	"strings"
	"testing"
	"time"

	"tillway/terminal"
)

func sameCard(ask bool) func(*Config, *OwnerConfig) {
	return func(c *Config, _ *OwnerConfig) {
		c.Transactions.SameCard, c.Transactions.AskSameCard = 5*time.Minute, ask
	}
}

// The same card that pays the same amount again within minutes is warned about, before its request leaves, and no other is.
func TestSameCardIsWarnedAbout(t *testing.T) {
	inBubble(t, "warned", func(t *testing.T) {
		b := startKinds(t, approves, scripted(map[string]string{"preauth": "51"}), sameCard(false))
		defer b.end()
		b.do(order(terminal.KindSale, 1000), terminal.Approved)
		if _, err := b.lane.Start(t.Context(), order(terminal.KindSale, 1000)); err != nil {
			t.Fatal(err)
		}
		for {
			n := b.lane.Snapshot()
			if n.State == terminal.Sending {
				if n.Confirm || !strings.Contains(n.Warning, "The same card paid the same amount, KWD 1.000, in transaction 1, 1 min ago.") {
					t.Errorf("the cashier sees %q", n.Warning)
				}
				break
			}
			if n.State.Final() {
				t.Fatalf("%s", n.State)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if s := b.last(); s.Twin != 1 || s.State != terminal.Approved {
			t.Errorf("twin %d: %s", s.Twin, describe(s))
		}
		time.Sleep(time.Second)
		for _, c := range []struct { // in this order: the last is a twin of its own to what follows
			name  string
			order terminal.Order
			state terminal.State
			twin  terminal.SaleID
		}{
			{"another amount", order(terminal.KindSale, 1001), terminal.Approved, 0},
			{"a refund", order(terminal.KindRefund, 1000), terminal.Approved, 0},
			{"held, what was paid", order(terminal.KindPreauth, 1000), terminal.Declined, 2},
			{"the total, not goods", terminal.Order{Kind: terminal.KindSale, Amount: kd(900), Tip: kd(100)}, terminal.Approved, 2},
		} {
			if s := b.do(c.order, c.state); s.Twin != c.twin {
				t.Errorf("%s: twin %d, want %d", c.name, s.Twin, c.twin)
			}
			if n := b.lane.Snapshot(); c.twin == 0 && n.Warning != "" {
				t.Errorf("%s: %q", c.name, n.Warning)
			}
		}
		time.Sleep(6 * time.Minute)
		if s := b.do(order(terminal.KindSale, 1000), terminal.Approved); s.Twin != 0 {
			t.Errorf("minutes later: twin %d", s.Twin)
		}
	})
	inBubble(t, "not of what was voided or failed", func(t *testing.T) {
		script := &hostScript{says: map[string]string{"sale": "51"}}
		b := startKinds(t, approves, script.answer, sameCard(true))
		defer b.end()
		b.do(order(terminal.KindSale, 1000), terminal.Declined)
		script.set("sale", "")
		b.do(order(terminal.KindSale, 1000), terminal.Approved)
		b.do(about(terminal.KindVoid, 2, 0), terminal.Approved)
		if s := b.do(order(terminal.KindSale, 1000), terminal.Approved); s.Twin != 0 {
			t.Errorf("twin %d", s.Twin)
		}
	})
}

// Where the profile says "ask", nothing leaves before somebody has said that it is meant.
func TestSameCardIsConfirmed(t *testing.T) {
	for name, c := range map[string]struct {
		say   func(b *kinds, id terminal.SaleID) error
		state terminal.State
		code  string
	}{
		"meant":      {func(b *kinds, id terminal.SaleID) error { return b.lane.Confirm(b.t.Context(), id, true, "sara") }, terminal.Approved, terminal.CodeApproved},
		"a mistake":  {func(b *kinds, id terminal.SaleID) error { return b.lane.Confirm(b.t.Context(), id, false, "sara") }, terminal.Cancelled, terminal.CodeCancelled},
		"cancelled":  {func(b *kinds, _ terminal.SaleID) error { return b.lane.Cancel(b.t.Context()) }, terminal.Cancelled, terminal.CodeCancelled},
		"no word":    {func(*kinds, terminal.SaleID) error { time.Sleep(time.Hour); return nil }, terminal.Cancelled, terminal.CodeTimedOut},
		"other sale": {func(b *kinds, id terminal.SaleID) error { return errors.Join(notFor(b, id-1), notFor(b, id+1)) }, terminal.Cancelled, terminal.CodeTimedOut},
	} {
		inBubble(t, name, func(t *testing.T) {
			b := startKinds(t, approves, scripted(nil), sameCard(true))
			defer b.end()
			b.do(order(terminal.KindSale, 1000), terminal.Approved)
			if err := notFor(b, 1); err != nil {
				t.Error(err)
			}
			s, err := b.lane.Start(t.Context(), order(terminal.KindSale, 1000))
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(30 * time.Second)
			if n := b.lane.Snapshot(); !n.Confirm || n.Warning == "" || !strings.Contains(n.Advice, "second purchase") || n.State != terminal.CardTalk {
				t.Errorf("the cashier sees %+v", n)
			}
			b.on("sale")
			if err := c.say(b, s.ID); err != nil {
				t.Error(err)
			}
			time.Sleep(time.Hour)
			s = b.last()
			if s.State != c.state || s.Outcome.Code != c.code || s.Twin != 1 || b.lane.Snapshot().Confirm {
				t.Error(describe(s))
			}
			if c.code == terminal.CodeTimedOut && !strings.Contains(s.Outcome.Happened, "Nobody said in time") {
				t.Error(describe(s))
			}
			if c.state == terminal.Approved {
				b.on("sale", "sale")
			} else {
				b.on("sale")
			}
			if err := notFor(b, s.ID); err != nil {
				t.Error(err)
			}
		})
	}
	inBubble(t, "the terminal stops", func(t *testing.T) {
		b := startKinds(t, approves, scripted(nil), sameCard(true))
		b.do(order(terminal.KindSale, 1000), terminal.Approved)
		if _, err := b.lane.Start(t.Context(), order(terminal.KindSale, 1000)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Second)
		b.end()
		if n := len(b.journal.sales()); n != 1 {
			t.Errorf("%d sales on disk", n)
		}
		b.on("sale")
	})
}

// notFor says that a sale waits for no word.
func notFor(b *kinds, id terminal.SaleID) error {
	if err := b.lane.Confirm(b.t.Context(), id, true, "sara"); !errors.Is(err, terminal.ErrConfirm) {
		return errors.New("a word was taken for " + id.String())
	}
	return nil
}

// The same key gives the same transaction again, whatever its kind, and no other.
func TestSameKeySameKind(t *testing.T) {
	inBubble(t, "void", func(t *testing.T) {
		b := startKinds(t, approves, scripted(nil))
		defer b.end()
		b.do(order(terminal.KindSale, 1000), terminal.Approved)
		v := about(terminal.KindVoid, 1, 0)
		v.Key = "k"
		first := b.do(v, terminal.Approved)
		if again, err := b.lane.Start(t.Context(), v); err != nil || again.ID != first.ID {
			t.Errorf("%v, %v", again.ID, err)
		}
		other := v
		other.Of = 2
		if _, err := b.lane.Start(t.Context(), other); !errors.Is(err, terminal.ErrKeyReused) {
			t.Errorf("another sale: %v", err)
		}
		tip := terminal.Order{Kind: terminal.KindSale, Amount: kd(1000), Tip: kd(100), Key: "t"}
		b.do(tip, terminal.Approved)
		tip.Amount, tip.Tip = kd(1100), kd(0)
		if _, err := b.lane.Start(t.Context(), tip); !errors.Is(err, terminal.ErrKeyReused) {
			t.Errorf("the same total, another tip: %v", err)
		}
		b.on("sale", "void", "sale")
	})
}
