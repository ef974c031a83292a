package lane

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"tillway/emv"
	"tillway/money"
	"tillway/terminal"
)

func TestVoid(t *testing.T) {
	inBubble(t, "takes back all of it, once", func(t *testing.T) {
		b := startKinds(t, approves, scripted(nil))
		defer b.end()
		b.do(terminal.Order{Kind: terminal.KindSale, Amount: kd(1000), Tip: kd(100)}, terminal.Approved)
		sale := b.do(order(terminal.KindSale, 2000), terminal.Approved)
		v := b.do(about(terminal.KindVoid, 1, 0), terminal.Approved)
		if v.Amount != kd(1100) || v.Of != 1 || v.MaskedPAN != sale.MaskedPAN || v.Token != sale.Token || v.Outcome.Happened != "Voided: KWD 1.100 of transaction 1." {
			t.Errorf("%+v", v)
		}
		req := b.lastAsked()
		if req.Original.STAN != 1 || req.Original.RRN != "RRN" || req.Original.Amount != kd(1100) || req.Card.PAN.IsZero() || !req.PIN.IsZero() || req.STAN == 1 || req.Amount != kd(1100) {
			t.Errorf("asked with %+v", req.Original)
		}
		b.refused(about(terminal.KindVoid, 1, 0), "voided already, by transaction 3")
		b.refused(about(terminal.KindRefund, 1, 100), "voided already")
		b.refused(about(terminal.KindVoid, 3, 0), "cannot be voided")
		b.refused(about(terminal.KindVoid, 9, 0), "no transaction 9")
		b.refused(order(terminal.KindVoid, 0), "give its number")
		b.refused(about(terminal.KindVoid, 2, 500), "no amount of its own")
		b.on("sale", "sale", "void")
	})
	inBubble(t, "declined, the sale stands and may be voided again", func(t *testing.T) {
		script := &hostScript{says: map[string]string{"void": "12"}}
		b := startKinds(t, approves, script.answer)
		defer b.end()
		b.do(order(terminal.KindSale, 1000), terminal.Approved)
		v := b.do(about(terminal.KindVoid, 1, 0), terminal.Declined)
		if !strings.Contains(v.Outcome.Do, "The earlier transaction stands.") || strings.Contains(v.Outcome.Do, "charged") {
			t.Errorf("%+v", v.Outcome)
		}
		b.refused(about(terminal.KindVoid, v.ID, 0), "is Declined")
		script.set("void", "")
		b.do(about(terminal.KindVoid, 1, 0), terminal.Approved)
		b.on("sale", "void", "void")
	})
	inBubble(t, "not answered, it is reversed and the sale stands", func(t *testing.T) {
		script := &hostScript{says: map[string]string{"void": "silence"}}
		b := startKinds(t, approves, script.answer)
		defer b.end()
		b.do(order(terminal.KindSale, 1000), terminal.Approved)
		v := b.do(about(terminal.KindVoid, 1, 0), terminal.Reversed)
		if !strings.Contains(v.Outcome.Do, "The earlier transaction stands.") || !strings.Contains(v.Outcome.Do, "A reversal is on its way") {
			t.Errorf("%+v", v.Outcome)
		}
		b.on("sale", "void", "reversal")
		script.set("void", "")
		b.do(about(terminal.KindVoid, 1, 0), terminal.Approved)
	})
	inBubble(t, "not sent", func(t *testing.T) {
		b := startKinds(t, approves, scripted(map[string]string{"void": "not sent"}))
		defer b.end()
		b.do(order(terminal.KindSale, 1000), terminal.Approved)
		if v := b.do(about(terminal.KindVoid, 1, 0), terminal.Declined); v.Outcome.Code != terminal.CodeUnreachable || strings.Contains(v.Outcome.Do, "way to pay") {
			t.Errorf("%+v", v.Outcome)
		}
		b.on("sale", "void")
	})
	inBubble(t, "of an earlier batch", func(t *testing.T) {
		b := startKinds(t, approves, scripted(nil))
		defer b.end()
		b.do(order(terminal.KindSale, 1000), terminal.Approved)
		b.do(order(terminal.KindPreauth, 1000), terminal.Approved)
		b.newBatch()
		b.refused(about(terminal.KindVoid, 1, 0), "settled or closed: give the money back with a refund of it")
		b.refused(about(terminal.KindVoid, 2, 0), "settled or closed: complete it")
		b.do(about(terminal.KindRefund, 1, 1000), terminal.Approved)
		if c := b.do(about(terminal.KindCompletion, 2, 1000), terminal.Approved); c.Batch != 2 {
			t.Errorf("completed in batch %d", c.Batch)
		}
	})
}

// newBatch closes the open batch behind the lane's back.
func (b *kinds) newBatch() {
	b.t.Helper()
	closed := terminal.Batch{Acquirer: "acquirer", Number: 1, State: terminal.BatchClosed}
	if err := b.journal.Append(b.t.Context(), true, terminal.Entry{Kind: terminal.BatchEntry, Event: string(terminal.BatchDrained), Batch: &closed}); err != nil {
		b.t.Fatal(err)
	}
}

func TestRefund(t *testing.T) {
	inBubble(t, "of a sale, in parts, up to all of it", func(t *testing.T) {
		b := startKinds(t, approves, scripted(nil))
		defer b.end()
		b.do(order(terminal.KindSale, 1000), terminal.Approved)
		r := b.do(about(terminal.KindRefund, 1, 400), terminal.Approved)
		if r.Outcome.Happened != "Refund accepted: KWD 0.400." || b.lastAsked().Original.STAN != 1 {
			t.Errorf("%+v, asked about %+v", r.Outcome, b.lastAsked().Original)
		}
		b.refused(about(terminal.KindVoid, 1, 0), "was refunded, by transaction 2")
		b.refused(about(terminal.KindRefund, 1, 601), "only KWD 0.600 are left")
		b.refused(about(terminal.KindRefund, 2, 1), "took no money")
		b.do(about(terminal.KindRefund, 1, 600), terminal.Approved)
		b.refused(about(terminal.KindRefund, 1, 1), "refunded already")
		b.do(about(terminal.KindVoid, 3, 0), terminal.Approved) // the refund is taken back, and may be made again
		b.do(about(terminal.KindRefund, 1, 600), terminal.Approved)
		b.on("sale", "refund", "refund", "void", "refund")
		if o := b.orders[1]; o.Kind != terminal.KindRefund || o.Amount != kd(400) {
			t.Errorf("the kernel gets %+v", o)
		}
	})
	for kind, o := range map[string]terminal.Order{"refund": about(terminal.KindRefund, 1, 1000), "void": about(terminal.KindVoid, 1, 0)} {
		inBubble(t, "of what a "+kind+" may have paid back already", func(t *testing.T) {
			script := &hostScript{says: map[string]string{kind: "silence", "reversal": "12"}}
			b := startKinds(t, approves, script.answer)
			defer b.end()
			b.do(order(terminal.KindSale, 1000), terminal.Approved)
			b.do(o, terminal.Reversed)
			script.set(kind, "")
			b.refused(about(terminal.KindRefund, 1, 1000), "the reversal of transaction 2, a "+kind)
			b.refused(about(terminal.KindVoid, 1, 0), "the reversal of transaction 2, a "+kind)
			b.on("sale", kind, "reversal")
			script.set("reversal", "")
			d := b.journal.debts(terminal.Parked)[0]
			if _, err := b.lane.Decide(t.Context(), terminal.DebtDecision{Debt: d.ID, Event: terminal.DebtRequeued, By: "supervisor"}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Second)
			b.do(about(terminal.KindRefund, 1, 1000), terminal.Approved)
			b.on("sale", kind, "reversal", "reversal", "refund")
		})
	}
	inBubble(t, "of no sale", func(t *testing.T) {
		b := startKinds(t, approves, scripted(nil))
		defer b.end()
		if r := b.do(order(terminal.KindRefund, 400), terminal.Approved); r.Of != 0 || !b.lastAsked().Original.IsZero() {
			t.Errorf("%+v", r)
		}
	})
	inBubble(t, "to another card", func(t *testing.T) {
		b := startKinds(t, approves, scripted(nil))
		b.do(order(terminal.KindSale, 1000), terminal.Approved)
		left := &memory{rows: b.rows()}
		b.end()
		other := approves
		other.pan = []byte{0x54, 0x13, 0x33, 0x00, 0x89, 0x60, 0x41, 0x11}
		b = startKinds(t, other, scripted(nil), func(c *Config, o *OwnerConfig) { c.Journal, o.Journal, c.Sales = left, left, &counter{n: 1} })
		defer b.end()
		r := b.do(about(terminal.KindRefund, 1, 1000), terminal.Declined)
		if !strings.Contains(r.Outcome.Happened, "not the card that paid transaction 1") || !strings.Contains(r.Outcome.Do, "476173******0119") || strings.Contains(r.Outcome.Do, "charged") {
			t.Errorf("%+v", r.Outcome)
		}
		b.on()
	})
	inBubble(t, "refused by the card after the bank took it", func(t *testing.T) {
		b := startKinds(t, chip{first: emv.Online, second: emv.Declined}, scripted(nil))
		defer b.end()
		r := b.do(order(terminal.KindRefund, 1000), terminal.Reversed)
		if !strings.Contains(r.Outcome.Do, "Nothing is paid back.") {
			t.Errorf("%+v", r.Outcome)
		}
		b.on("refund", "reversal")
	})
	inBubble(t, "approved by the card alone", func(t *testing.T) {
		b := startKinds(t, offline{first: emv.Approved}, scripted(nil), keeping(ample))
		defer b.end()
		b.do(order(terminal.KindRefund, 1000), terminal.Approved)
		b.on("refund")
	})
}

func TestPreauth(t *testing.T) {
	inBubble(t, "held, raised, taken in part", func(t *testing.T) {
		b := startKinds(t, approves, scripted(nil))
		defer b.end()
		b.do(order(terminal.KindPreauth, 1000), terminal.Approved)
		b.do(about(terminal.KindIncrement, 1, 500), terminal.Approved)
		if req := b.lastAsked(); req.Original.Kind != terminal.KindPreauth || req.Original.STAN != 1 || req.Amount != kd(500) {
			t.Errorf("asked with %+v", req.Original)
		}
		b.refused(about(terminal.KindVoid, 2, 0), "void the pre-authorisation, transaction 1")
		b.refused(about(terminal.KindRefund, 1, 1), "is a pre-authorisation, which took no money")
		b.refused(about(terminal.KindCompletion, 1, 1501), "more than the KWD 1.500 that transaction 1 holds")
		b.refused(about(terminal.KindCompletion, 2, 100), "no pre-authorisation")
		c := b.do(about(terminal.KindCompletion, 1, 1200), terminal.Approved)
		if told := b.lastTold(); told.Amount != kd(1200) || told.Original.RRN != "RRN" || told.AuthCode != "AUTH01" || told.Card.PAN.IsZero() || c.Way != terminal.WayOnline {
			t.Errorf("told %+v, %s", told.Original, c.Way)
		}
		b.refused(about(terminal.KindCompletion, 1, 1), "completed already, by transaction 3")
		b.refused(about(terminal.KindIncrement, 1, 1), "completed already")
		b.refused(about(terminal.KindVoid, 1, 0), "void the completion, transaction 3")
		b.do(about(terminal.KindRefund, 3, 1200), terminal.Approved)
		b.on("preauth", "increment", "advice of completion", "refund")
	})
	inBubble(t, "completed while the bank cannot be reached", func(t *testing.T) {
		script := &hostScript{says: map[string]string{}}
		b := startKinds(t, approves, script.answer)
		defer b.end()
		b.do(order(terminal.KindPreauth, 1000), terminal.Approved)
		script.set("advice of completion", "not sent")
		b.do(about(terminal.KindCompletion, 1, 1000), terminal.Approved)
		b.refused(about(terminal.KindVoid, 2, 0), "does not know of transaction 2 yet")
		b.refused(about(terminal.KindRefund, 2, 10), "does not know of transaction 2 yet")
		script.set("advice of completion", "")
		time.Sleep(time.Hour)
		v := b.do(about(terminal.KindVoid, 2, 0), terminal.Approved)
		if v.Amount != kd(1000) || b.lastAsked().Original.RRN != "RRN" {
			t.Errorf("%+v", b.lastAsked().Original)
		}
		b.do(about(terminal.KindCompletion, 1, 800), terminal.Approved) // its completion is taken back: it is held again
	})
	inBubble(t, "an advice that cannot be composed is no completion", func(t *testing.T) {
		b := startKinds(t, approves, scripted(nil))
		defer b.end()
		b.do(order(terminal.KindPreauth, 1000), terminal.Approved)
		b.ears.cannotAdvise = true
		b.refused(about(terminal.KindCompletion, 1, 1000), "call the technician")
	})
}

func TestBalance(t *testing.T) {
	for name, c := range map[string]struct {
		answer   string
		state    terminal.State
		code     string
		happened string
	}{
		"said":       {"00 balance 12345", terminal.Approved, terminal.CodeApproved, "Available: KWD 12.345."},
		"overdrawn":  {"00 balance -5", terminal.Approved, terminal.CodeApproved, "Available: KWD -0.005."},
		"not said":   {"00", terminal.Approved, terminal.CodeApproved, "The bank does not say what is available."},
		"declined":   {"51", terminal.Declined, terminal.CodeDeclined, ""},
		"no answer":  {"silence", terminal.Declined, terminal.CodeNoAnswer, "The bank did not answer."},
		"not sent":   {"not sent", terminal.Declined, terminal.CodeUnreachable, ""},
		"not parsed": {"garbage", terminal.Declined, terminal.CodeNoAnswer, ""},
	} {
		inBubble(t, name, func(t *testing.T) {
			b := startKinds(t, approves, scripted(map[string]string{"balance": c.answer}))
			defer b.end()
			s := b.do(terminal.Order{Kind: terminal.KindBalance}, c.state)
			if s.Outcome.Code != c.code || !strings.Contains(s.Outcome.Happened, c.happened) || strings.Contains(s.Outcome.Do, "charged") || strings.Contains(s.Outcome.Do, "reversal") {
				t.Errorf("%+v", s.Outcome)
			}
			time.Sleep(time.Hour)
			b.on("balance")
			for _, e := range b.rows() {
				if len(e.Duties) > 0 || e.Secret != nil && len(e.Secret.Reversal) > 0 {
					t.Errorf("%s owes %v", e.Event, e.Duties)
				}
			}
		})
	}
}

func TestForcedSale(t *testing.T) {
	forced := terminal.Order{Kind: terminal.KindForced, Amount: kd(1000), AuthCode: "A1B2C3"}
	inBubble(t, "told to the bank, not asked", func(t *testing.T) {
		b := startKinds(t, approves, scripted(nil))
		defer b.end()
		s := b.do(forced, terminal.Approved)
		if told := b.lastTold(); told.Way != terminal.WayVoice || told.AuthCode != "A1B2C3" || !told.Original.IsZero() || s.AuthCode != "A1B2C3" || s.STAN != told.STAN {
			t.Errorf("%s told %+v", describe(s), told)
		}
		b.on("advice of forced")
		if v := b.do(about(terminal.KindVoid, 1, 0), terminal.Approved); v.Amount != kd(1000) || b.lastAsked().Original.RRN != "RRN" {
			t.Errorf("voided as %+v", b.lastAsked().Original)
		}
	})
	inBubble(t, "refused by the card", func(t *testing.T) {
		b := startKinds(t, chip{first: emv.Online, second: emv.Declined}, scripted(nil))
		defer b.end()
		if s := b.do(forced, terminal.Declined); s.Outcome.Code != terminal.CodeCardRefused || !strings.Contains(s.Outcome.Do, "not charged") {
			t.Errorf("%+v", s.Outcome)
		}
		time.Sleep(time.Hour)
		b.on()
	})
	inBubble(t, "declined by the card at once", func(t *testing.T) {
		b := startKinds(t, chip{first: emv.Declined}, scripted(nil))
		defer b.end()
		b.do(forced, terminal.Declined)
		b.on()
	})
	for name, matches := range map[string]bool{"signed": true, "not signed": false} {
		inBubble(t, name, func(t *testing.T) {
			b := startKinds(t, signs, scripted(nil))
			defer b.end()
			s, err := b.lane.Start(t.Context(), forced)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			b.agree(s.ID, matches)
			s = b.last()
			time.Sleep(time.Hour)
			if matches {
				b.on("advice of forced")
			} else {
				b.on()
			}
			if (s.State == terminal.Approved) != matches {
				t.Error(describe(s))
			}
		})
	}
	inBubble(t, "orders", func(t *testing.T) {
		b := startKinds(t, approves, scripted(nil))
		defer b.end()
		for _, code := range []string{"", "1234567", "12 34", "١٢"} {
			b.refused(terminal.Order{Kind: terminal.KindForced, Amount: kd(1), AuthCode: code}, "the code that the bank gave")
		}
		b.refused(terminal.Order{Kind: terminal.KindSale, Amount: kd(1), AuthCode: "1"}, "only a forced sale")
	})
	inBubble(t, "an application that is kept out of the queue", func(t *testing.T) {
		b := startKinds(t, approves, scripted(nil), debit)
		defer b.end()
		b.do(forced, terminal.Declined)
		b.do(order(terminal.KindPreauth, 1000), terminal.Declined)
		b.do(order(terminal.KindSale, 1000), terminal.Approved)
		b.on("sale")
	})
}

// debit is a terminal whose one application is the issuer's to decide on, and which sells in two messages.
func debit(c *Config, _ *OwnerConfig) {
	c.Transactions.TwoStep = true
	c.Params = func(terminal.Order, time.Time, terminal.SaleID) emv.Params {
		return emv.Params{Applications: []emv.Application{{OnlineOnly: true}}}
	}
}

func twoStep(c *Config, _ *OwnerConfig) { c.Transactions.TwoStep = true }

func TestSaleInTwo(t *testing.T) {
	inBubble(t, "authorised, then taken", func(t *testing.T) {
		b := startKinds(t, approves, scripted(nil), twoStep)
		defer b.end()
		s := b.do(order(terminal.KindSale, 1000), terminal.Approved)
		asked, told := b.lastAsked(), b.lastTold()
		if !asked.TwoStep || !told.TwoStep || told.Way != terminal.WayOnline || told.STAN == asked.STAN || told.Original.STAN != asked.STAN ||
			told.Original.RRN != "RRN" || told.AuthCode != "AUTH01" || s.STAN != told.STAN || s.Invoice != asked.STAN || told.Invoice != s.Invoice || told.Amount != kd(1000) {
			t.Errorf("asked %+v\ntold %+v", asked, told)
		}
		b.on("sale", "advice of sale")
		b.do(about(terminal.KindVoid, 1, 0), terminal.Approved)
		if b.lastAsked().Original.STAN != told.STAN {
			t.Errorf("voided as %+v", b.lastAsked().Original)
		}
	})
	inBubble(t, "declined", func(t *testing.T) {
		b := startKinds(t, approves, scripted(map[string]string{"sale": "51"}), twoStep)
		defer b.end()
		b.do(order(terminal.KindSale, 1000), terminal.Declined)
		time.Sleep(time.Hour)
		b.on("sale")
	})
	inBubble(t, "refused by the card", func(t *testing.T) {
		b := startKinds(t, chip{first: emv.Online, second: emv.Declined}, scripted(nil), twoStep)
		defer b.end()
		b.do(order(terminal.KindSale, 1000), terminal.Reversed)
		time.Sleep(time.Hour)
		b.on("sale", "reversal")
	})
	inBubble(t, "a completion that cannot be composed", func(t *testing.T) {
		b := startKinds(t, approves, scripted(nil), twoStep)
		defer b.end()
		b.ears.cannotAdvise = true
		if s := b.do(order(terminal.KindSale, 1000), terminal.Reversed); s.Outcome.Code != terminal.CodeTerminalFault || !strings.Contains(s.Outcome.Do, "A reversal is on its way") || s.STAN != 1 {
			t.Errorf("%+v", s)
		}
		b.on("sale", "reversal")
	})
	inBubble(t, "a refund is one message all the same", func(t *testing.T) {
		b := startKinds(t, approves, scripted(nil), twoStep)
		defer b.end()
		b.do(order(terminal.KindRefund, 1000), terminal.Approved)
		b.on("refund")
	})
}

func TestApprovalInPart(t *testing.T) {
	type row struct {
		kernel chip
		kind   terminal.Kind
		answer string
		say    func(b *kinds, id terminal.SaleID)
		state  terminal.State
		wire   []string
		two    bool
	}
	yes, no := func(b *kinds, id terminal.SaleID) { b.agree(id, true) }, func(b *kinds, id terminal.SaleID) { b.agree(id, false) }
	for name, c := range map[string]row{
		"taken":            {approves, terminal.KindSale, "10 600", yes, terminal.Approved, []string{"sale"}, false},
		"taken, in two":    {approves, terminal.KindSale, "10 600", yes, terminal.Approved, []string{"sale", "advice of sale"}, true},
		"not taken":        {approves, terminal.KindSale, "10 600", no, terminal.Reversed, []string{"sale", "reversal"}, false},
		"not taken, two":   {approves, terminal.KindSale, "10 600", no, terminal.Reversed, []string{"sale", "reversal"}, true},
		"nobody says":      {approves, terminal.KindSale, "10 600", nil, terminal.Reversed, []string{"sale", "reversal"}, false},
		"signed":           {signs, terminal.KindSale, "10 600", yes, terminal.Approved, []string{"sale"}, false},
		"held":             {approves, terminal.KindPreauth, "10 600", yes, terminal.Approved, []string{"preauth"}, false},
		"more than asked":  {approves, terminal.KindSale, "10 1001", nil, terminal.Reversed, []string{"sale", "reversal"}, false},
		"below zero":       {approves, terminal.KindSale, "10 -1", nil, terminal.Reversed, []string{"sale", "reversal"}, false},
		"part of a refund": {approves, terminal.KindRefund, "10 600", nil, terminal.Reversed, []string{"refund", "reversal"}, false},
		"all of it":        {approves, terminal.KindSale, "10 1000", nil, terminal.Approved, []string{"sale"}, false},
	} {
		inBubble(t, name, func(t *testing.T) {
			b := startKinds(t, c.kernel, scripted(map[string]string{string(c.kind): c.answer}), func(cfg *Config, _ *OwnerConfig) { cfg.Transactions.TwoStep = c.two })
			defer b.end()
			s, err := b.lane.Start(t.Context(), order(c.kind, 1000))
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			if c.say != nil {
				if n := b.lane.Snapshot(); n.State != terminal.AgreementOnline || !strings.Contains(n.Advice, "KWD 0.600 of KWD 1.000") || strings.Contains(n.Advice, "signature") != c.kernel.sign {
					t.Errorf("the cashier sees %+v", n)
				}
				c.say(b, s.ID)
			}
			time.Sleep(time.Hour)
			s = b.last()
			if s.State != c.state {
				t.Fatal(describe(s))
			}
			b.on(c.wire...)
			if part := strings.HasSuffix(c.answer, " 600") && c.kind != terminal.KindRefund; part && (s.Approved != kd(600) || s.Amount != kd(1000) || !strings.Contains(s.Outcome.Happened, "KWD 0.600 of KWD 1.000")) {
				t.Errorf("%+v: %+v", s.Approved, s.Outcome)
			}
			if c.two && c.state == terminal.Approved && b.lastTold().Amount != kd(600) {
				t.Errorf("told %v", b.lastTold().Amount)
			}
			if c.state == terminal.Approved && c.kind == terminal.KindSale && s.Approved.Minor > 0 {
				if s.CapturedMinor() != 600 || !strings.Contains(s.Outcome.Do, "KWD 0.400") {
					t.Errorf("adds %d: %+v", s.CapturedMinor(), s.Outcome)
				}
				b.refused(about(terminal.KindRefund, s.ID, 601), "only KWD 0.600")
			}
		})
	}
}

func TestTipAndCash(t *testing.T) {
	inBubble(t, "in the amount that the card pays", func(t *testing.T) {
		b := startKinds(t, approves, scripted(nil))
		defer b.end()
		s := b.do(terminal.Order{Kind: terminal.KindSale, Amount: kd(10_525), Tip: kd(1_000), Cashback: kd(5_000)}, terminal.Approved)
		if req := b.lastAsked(); s.Amount != kd(16_525) || s.Tip != kd(1_000) || s.Cashback != kd(5_000) || req.Amount != kd(16_525) || req.Tip != kd(1_000) || req.Cashback != kd(5_000) {
			t.Errorf("%+v", req)
		}
		if o := b.orders[0]; o.Total() != kd(16_525) || o.Amount != kd(10_525) || o.Cashback != kd(5_000) {
			t.Errorf("the kernel gets %+v", o)
		}
	})
	inBubble(t, "bounds", func(t *testing.T) {
		b := startKinds(t, approves, scripted(nil))
		defer b.end()
		usd, _ := money.ByCode("USD")
		with := func(k terminal.Kind, tip, cash money.Amount) terminal.Order {
			return terminal.Order{Kind: k, Amount: kd(1000), Tip: tip, Cashback: cash}
		}
		b.refused(with(terminal.KindSale, kd(251), money.Amount{}), "more than 25 percent of the goods, which is KWD 0.250")
		b.refused(with(terminal.KindSale, money.Amount{}, kd(50_001)), "KWD 50.000 that this terminal gives out")
		b.refused(with(terminal.KindSale, kd(-1), money.Amount{}), "tip -0.001: more than zero")
		b.refused(with(terminal.KindSale, money.New(1, usd), money.Amount{}), `tip in currency "USD"`)
		b.refused(with(terminal.KindRefund, kd(1), money.Amount{}), "a refund has no tip")
		b.refused(with(terminal.KindPreauth, money.Amount{}, kd(1)), "a preauth has no cashback")
		b.refused(terminal.Order{Kind: terminal.KindSale, Amount: kd(money.MaxMinor), Tip: kd(1)}, "with tip and cash it is")
		b.do(with(terminal.KindSale, kd(250), kd(50_000)), terminal.Approved)
	})
	inBubble(t, "switched off", func(t *testing.T) {
		b := startKinds(t, approves, scripted(nil), func(c *Config, _ *OwnerConfig) {
			c.Transactions.TipPercent, c.Transactions.Cashback = 0, money.Amount{}
		})
		defer b.end()
		b.refused(terminal.Order{Kind: terminal.KindSale, Amount: kd(1), Tip: kd(1)}, "takes no tips")
		b.refused(terminal.Order{Kind: terminal.KindSale, Amount: kd(1), Cashback: kd(1)}, "gives out no cash")
	})
}

// A terminal does what profile and dialect both have.
func TestKindsThatAreNotThere(t *testing.T) {
	inBubble(t, "profile", func(t *testing.T) {
		b := startKinds(t, approves, scripted(nil), func(c *Config, _ *OwnerConfig) { c.Transactions.Kinds = nil })
		defer b.end()
		for _, k := range terminal.Kinds() {
			if k != terminal.KindSale {
				b.refused(about(k, 1, 1), "as its profile says")
			}
		}
		b.do(order(terminal.KindSale, 1), terminal.Approved)
	})
	inBubble(t, "dialect", func(t *testing.T) {
		b := startKinds(t, approves, scripted(nil), func(_ *Config, o *OwnerConfig) { o.Dialect = mute{words{}} })
		defer b.end()
		b.refused(about(terminal.KindVoid, 1, 0), "the acquirer has no message for it")
		b.refused(terminal.Order{Kind: terminal.KindSale, Amount: kd(1), Of: 1}, "about no earlier transaction")
	})
}

// mute is a dialect that sells and does nothing else.
type mute struct{ words }

func (mute) Can() terminal.Abilities {
	return terminal.Abilities{Kinds: []terminal.Kind{terminal.KindSale}}
}

// asksForPIN is a kernel whose card wants the issuer to verify a PIN.
type asksForPIN struct {
	chip
	entry *emv.PINEntry
}

func (a asksForPIN) Begin(ctx context.Context, card emv.Card, p emv.Params, h emv.Cardholder) (emv.Transaction, emv.Outcome, error) {
	var err error
	if *a.entry, err = h.OnlinePIN(ctx, emv.PINRequest{}); err != nil {
		return nil, emv.Outcome{}, err
	}
	return a.chip.Begin(ctx, card, p, h)
}

// No PIN is asked for that nobody can compare: a forced sale asks no host.
func TestForcedSaleAsksForNoPIN(t *testing.T) {
	for kind, want := range map[terminal.Kind]emv.PINEntry{terminal.KindForced: emv.PINPadMissing, terminal.KindRefund: emv.PINEntered} {
		inBubble(t, string(kind), func(t *testing.T) {
			var got emv.PINEntry
			b := startKinds(t, asksForPIN{approves, &got}, scripted(nil), func(c *Config, _ *OwnerConfig) {
				c.PINPad, c.PINTimeout = &pad{end: terminal.PINEntered, time: time.Second}, time.Minute
			})
			defer b.end()
			o := order(kind, 1000)
			if kind == terminal.KindForced {
				o.AuthCode = "1"
			}
			if b.do(o, terminal.Approved); got != want {
				t.Errorf("the kernel hears %q", got)
			}
		})
	}
}

// What the journal cannot vouch for is built on by nobody, and ends no terminal.
func TestEarlierSalesInQuarantine(t *testing.T) {
	for question, why := range map[string]string{
		"Sale": "does not authenticate", "About": "is not sure", "Told": "is not sure", "CardOf": "cannot be read any more",
	} {
		inBubble(t, question, func(t *testing.T) {
			b := startKinds(t, approves, scripted(nil))
			defer b.end()
			b.do(order(terminal.KindSale, 1000), terminal.Approved)
			b.bad(question, true)
			b.refused(about(terminal.KindVoid, 1, 0), why)
			b.bad(question, false)
			b.do(about(terminal.KindVoid, 1, 0), terminal.Approved)
		})
	}
}

func (b *kinds) bad(question string, bad bool) {
	b.journal.mu.Lock()
	defer b.journal.mu.Unlock()
	b.journal.bad = map[string]bool{question: bad}
}

// Sales that another program, currency or acquirer made are not built on.
func TestEarlierSalesOfOthers(t *testing.T) {
	usd, _ := money.ByCode("USD")
	for name, c := range map[string]struct {
		change func(*terminal.Sale)
		order  terminal.Order
		why    string
	}{
		"currency": {func(s *terminal.Sale) { s.Amount = money.New(1000, usd) }, about(terminal.KindRefund, 1, 500), "is in USD"},
		"acquirer": {func(s *terminal.Sale) { s.Acquirer = "other" }, about(terminal.KindVoid, 1, 0), "went to another acquirer, other"},
		"no token": {func(s *terminal.Sale) { s.Token = "" }, about(terminal.KindRefund, 1, 500), "is not known any more"},
		"no card":  {func(*terminal.Sale) {}, about(terminal.KindVoid, 1, 0), "no card data is kept for it"},
	} {
		inBubble(t, name, func(t *testing.T) {
			old := terminal.Sale{
				ID: 1, Kind: terminal.KindSale, State: terminal.Approved, Acquirer: "acquirer", Batch: 1, Amount: kd(1000), STAN: 7, Token: "token of 476173******0119",
			}
			c.change(&old)
			left := &memory{rows: []terminal.Entry{{Kind: terminal.SaleEntry, Sale: &old}}}
			b := startKinds(t, approves, scripted(nil), func(cfg *Config, o *OwnerConfig) { cfg.Journal, o.Journal = left, left })
			defer b.end()
			b.refused(c.order, c.why)
		})
	}
}

// slowToFinish is a card whose second cryptogram takes its time.
type slowToFinish struct{ chip }

func (s slowToFinish) Begin(ctx context.Context, card emv.Card, p emv.Params, h emv.Cardholder) (emv.Transaction, emv.Outcome, error) {
	_, out, err := s.chip.Begin(ctx, card, p, h)
	return s, out, err
}

func (s slowToFinish) Complete(ctx context.Context, a emv.HostAnswer) (emv.Outcome, error) {
	time.Sleep(10 * time.Second)
	return s.chip.Complete(ctx, a)
}

// A forced sale is not cancelled while its card is told of the approval.
func TestForcedSaleIsNotCancelledHalfway(t *testing.T) {
	inBubble(t, "forced", func(t *testing.T) {
		b := startKinds(t, slowToFinish{approves}, scripted(nil))
		defer b.end()
		if _, err := b.lane.Start(t.Context(), terminal.Order{Kind: terminal.KindForced, Amount: kd(1000), AuthCode: "1"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		if err := b.lane.Cancel(t.Context()); !errors.Is(err, terminal.ErrNotCancelable) {
			t.Errorf("cancelled: %v", err)
		}
		if s := b.last(); s.State != terminal.Approved {
			t.Error(describe(s))
		}
	})
}
