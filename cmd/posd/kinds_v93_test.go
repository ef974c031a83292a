package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tillway/device/secure"
	"tillway/host"
	"tillway/money"
	"tillway/terminal"
)

// everyKind lets the terminal do all there is, a sale in two steps where said.
func everyKind(two bool) func(*parts) {
	return func(p *parts) {
		p.profile.Transactions.Kinds, p.profile.Transactions.TwoStep = terminal.Kinds(), two
		p.profile.Transactions.TipPercent, p.profile.Transactions.Cashback = 50, money.New(20_000, p.profile.Currency)
		p.profile.Transactions.SameCard = 0
	}
}

// counter93 is the cashier of a terminal that speaks v93, and the host at the other end.
type counter93 struct {
	*testing.T
	*stack
	*farSide
}

func newCounter93(t *testing.T, pad secure.Keypad, change func(*v93Config, *host.Config), otherwise ...func(*parts)) counter93 {
	t.Helper()
	s, w := v93Terminal(t, pad, change, otherwise...)
	return counter93{t, s, w}
}

// order runs an order to its end, which must be the one wanted, and lets what is owed go out. Taken is what the cardholder then has
// paid, and held what is held of the account besides.
func (c counter93) order(what string, o terminal.Order, state terminal.State, code string, taken, held int64) terminal.Sale {
	c.Helper()
	kwd := money.Currency{Code: "KWD", Numeric: 414, Exponent: 3}
	for _, a := range []*money.Amount{&o.Amount, &o.Tip, &o.Cashback} {
		if a.Minor != 0 {
			a.Currency = kwd
		}
	}
	sale, err := c.lane.Start(c.Context(), o)
	if err != nil {
		c.Fatalf("%s: %v", what, err)
	}
	// A signature matches, and of a part the rest is paid otherwise.
	said := false
	agree := func(s terminal.Snapshot) error {
		if said || (s.State != terminal.AgreementOnline && s.State != terminal.AgreementOffline) {
			return nil
		}
		said = true
		return c.lane.Agree(c.Context(), s.Sale, terminal.Agreement{Matches: true, By: "cashier"})
	}
	if sale, err = watch(c.Context(), c.lane, sale.ID, agree); err != nil {
		c.Fatalf("%s: %v", what, err)
	}
	if sale.State != state || sale.ResponseCode != code {
		c.Errorf("%s: %s with %q, want %s with %q: %+v", what, sale.State, sale.ResponseCode, state, code, sale.Outcome)
	}
	time.Sleep(time.Minute)
	if snap := c.lane.Snapshot(); snap.Owed != 0 || snap.Parked != 0 {
		c.Errorf("%s: %d debts are owed and %d are parked", what, snap.Owed, snap.Parked)
	}
	gotTaken, gotHeld := c.books()
	if gotTaken != taken || gotHeld != held {
		c.Errorf("%s: the host has %d taken and %d held, want %d and %d", what, gotTaken, gotHeld, taken, held)
	}
	return sale
}

// books is what the issuer owes for what was taken, and what is held.
func (c counter93) books() (taken, held int64) {
	for _, line := range c.host.Trial()[0].Lines {
		switch {
		case line.Account == "issuer:settlement":
			taken += line.Balance
		case strings.HasPrefix(line.Account, "held:"):
			held += line.Balance
		}
	}
	return taken, held
}

func goods(minor int64) terminal.Order {
	return terminal.Order{Kind: terminal.KindSale, Amount: money.Amount{Minor: minor}}
}

func of(kind terminal.Kind, s terminal.Sale, minor int64) terminal.Order {
	return terminal.Order{Kind: kind, Of: s.ID, Amount: money.Amount{Minor: minor}}
}

// TestKindsInV93: every kind of transaction, over a link, under MACs, to a host with its own idea of the 1993 version: what the
// terminal says has been taken and what is held is what the host's books have, after each.
func TestKindsInV93(t *testing.T) {
	const approved, declined = terminal.Approved, terminal.Declined
	for name, two := range map[string]bool{"in one": false, "in two": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCounter93(t, always{}, nil, everyKind(two))
				first := c.order("sale", goods(10_300), approved, "000", 10_300, 0)
				extra := goods(5_300)
				extra.Tip, extra.Cashback = money.Amount{Minor: 1_000}, money.Amount{Minor: 2_000}
				second := c.order("sale with tip and cash", extra, approved, "000", 18_600, 0)
				c.order("sale without money", goods(5_000_300), declined, "116", 18_600, 0)
				c.order("void", of(terminal.KindVoid, second, 0), approved, "000", 10_300, 0)
				c.order("refund of a part", of(terminal.KindRefund, first, 4_300), approved, "000", 6_000, 0)
				refund := c.order("refund of none", terminal.Order{Kind: terminal.KindRefund, Amount: money.Amount{Minor: 1_000}}, approved, "000", 5_000, 0)
				c.order("its void", of(terminal.KindVoid, refund, 0), approved, "000", 6_000, 0)
				held := c.order("pre-authorisation", terminal.Order{Kind: terminal.KindPreauth, Amount: money.Amount{Minor: 20_300}}, approved, "000", 6_000, 20_300)
				c.order("increment", of(terminal.KindIncrement, held, 5_000), approved, "000", 6_000, 25_300)
				done := c.order("completion", of(terminal.KindCompletion, held, 22_300), approved, "", 28_300, 0)
				c.order("void of the completion", of(terminal.KindVoid, done, 0), approved, "000", 6_000, 25_300)
				let := c.order("another", terminal.Order{Kind: terminal.KindPreauth, Amount: money.Amount{Minor: 3_300}}, approved, "000", 6_000, 28_600)
				c.order("let go", of(terminal.KindVoid, let, 0), approved, "000", 6_000, 25_300)
				balance := c.order("balance", terminal.Order{Kind: terminal.KindBalance}, approved, "000", 6_000, 25_300)
				if balance.Balance.Minor != 1_000_000-6_000-25_300 {
					t.Errorf("balance %s", balance.Balance.Format())
				}
				forced := c.order("forced sale", terminal.Order{Kind: terminal.KindForced, Amount: money.Amount{Minor: 7_300}, AuthCode: "V12345"}, approved, "", 13_300, 25_300)
				c.order("void of the forced sale", of(terminal.KindVoid, forced, 0), approved, "000", 6_000, 25_300)
				for _, mti := range c.types() {
					if mti[0] != '1' {
						t.Errorf("a message of type %s", mti)
					}
				}
			})
		})
	}
}

// TestKindsInV93NotAnswered: what the host has taken and not answered is reversed, whatever kind it is: the earlier transaction
// stands as before.
func TestKindsInV93NotAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCounter93(t, always{}, nil, everyKind(false))
		const reversed = terminal.Reversed
		held := c.order("pre-authorisation", terminal.Order{Kind: terminal.KindPreauth, Amount: money.Amount{Minor: 20_300}}, terminal.Approved, "000", 0, 20_300)
		c.order("increment", of(terminal.KindIncrement, held, 5_101), reversed, "", 0, 20_300)
		c.order("another pre-authorisation", terminal.Order{Kind: terminal.KindPreauth, Amount: money.Amount{Minor: 4_101}}, reversed, "", 0, 20_300)
		sold := c.order("sale", goods(10_300), terminal.Approved, "000", 10_300, 20_300)
		c.order("refund", of(terminal.KindRefund, sold, 4_101), reversed, "", 10_300, 20_300)
		c.order("refund of none, under a wrong MAC", terminal.Order{Kind: terminal.KindRefund, Amount: money.Amount{Minor: 3_104}}, reversed, "", 10_300, 20_300)
		c.order("sale in its stead", goods(5_102), reversed, "", 10_300, 20_300)
	})
}

// TestPartialInV93: the host approves what there is, the customer pays the rest otherwise, and a void gives back what was taken.
func TestPartialInV93(t *testing.T) {
	for name, two := range map[string]bool{"in one": false, "in two": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCounter93(t, always{}, func(v *v93Config, h *host.Config) { v.Partial, h.Terminals[0].Partial = true, true }, everyKind(two))
				sold := c.order("sale", goods(10_010), terminal.Approved, "002", 5_005, 0)
				if sold.Approved.Minor != 5_005 || sold.Amount.Minor != 10_010 {
					t.Errorf("approved %s of %s", sold.Approved.Format(), sold.Amount.Format())
				}
				c.order("void", of(terminal.KindVoid, sold, 0), terminal.Approved, "000", 0, 0)
			})
		})
	}
}

// TestVoidIsToldInV93: where a void is an advice, it is done when it is on disk, goes out when the host can be reached, and its
// repeat takes nothing back twice.
func TestVoidIsToldInV93(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCounter93(t, always{}, func(v *v93Config, _ *host.Config) { v.Void = "cancellation" }, everyKind(false))
		sold := c.order("sale", goods(10_300), terminal.Approved, "000", 10_300, 0)
		c.order("void", of(terminal.KindVoid, sold, 0), terminal.Approved, "", 0, 0)
		if _, err := c.lane.Start(t.Context(), of(terminal.KindVoid, sold, 0)); !errors.Is(err, terminal.ErrOrder) {
			t.Errorf("a second void: %v", err)
		}
		refund := c.order("refund", terminal.Order{Kind: terminal.KindRefund, Amount: money.Amount{Minor: 1_000}}, terminal.Approved, "000", -1_000, 0)
		c.order("its void", of(terminal.KindVoid, refund, 0), terminal.Approved, "", 0, 0)
		held := c.order("pre-authorisation", terminal.Order{Kind: terminal.KindPreauth, Amount: money.Amount{Minor: 4_300}}, terminal.Approved, "000", 0, 4_300)
		c.order("let go", of(terminal.KindVoid, held, 0), terminal.Approved, "", 0, 0)
		c.order("sale", goods(2_300), terminal.Approved, "000", 2_300, 0)
		if batch, report := c.settled(1); !batch.Balanced || report.Proof.Total.Journal.Sales != 1 {
			t.Errorf("%+v", report.Proof)
		}
		if got := strings.Join(c.types(), " "); !strings.Contains(got, "1200 1210 1420 1430 1200 1210 1420 1430 1100 1110 1420 1430 1200 1210 1520 1530") {
			t.Errorf("messages: %s", got)
		}
	})
}

// TestVoidOfWhatIsNotThereInV93: a void that is told and that the host cannot relate to anything is for people: the customer's money may
// still be gone. The reversal of a sale that never came is not.
func TestVoidOfWhatIsNotThereInV93(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCounter93(t, always{}, func(v *v93Config, _ *host.Config) { v.Void = "cancellation" }, everyKind(false))
		sold := c.order("sale", goods(10_300), terminal.Approved, "000", 10_300, 0)
		if err := c.host.Lose(sold.TerminalID, fmt.Sprintf("%06d", sold.STAN)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.lane.Start(t.Context(), of(terminal.KindVoid, sold, 0)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		debts, err := c.store.Debts(t.Context())
		if snap := c.lane.Snapshot(); err != nil || snap.Parked != 1 || len(debts) != 1 || !strings.Contains(debts[0].Reason, "914") {
			t.Errorf("%d are parked: %+v, %v", snap.Parked, debts, err)
		}
	})
}

// settled ends a batch and waits, in the bubble's time, for what became of it.
func (c counter93) settled(number uint32) (terminal.Batch, terminal.Report) {
	c.Helper()
	if _, err := c.lane.DecideBatch(c.Context(), terminal.BatchDecision{Event: terminal.BatchSettle, By: "sara"}); err != nil {
		c.Fatal(err)
	}
	time.Sleep(10 * time.Minute)
	batch, err := c.store.BatchRecord(c.Context(), c.owner.Name(), number)
	items, ierr := c.store.Items(c.Context(), c.owner.Name(), number)
	if err := errors.Join(err, ierr); err != nil {
		c.Fatal(err)
	}
	return batch, terminal.MakeReport(batch, items, time.Now())
}

// TestSettlementInV93: a batch ends in balance with 500; where the host has lost a sale, with 501 and the host's own totals, at once
// and without an upload, and the proof says what differs. Sales go on in the next batch.
func TestSettlementInV93(t *testing.T) {
	for _, mti := range []string{"1520", "1524"} {
		t.Run(mti, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCounter93(t, always{}, func(v *v93Config, _ *host.Config) { v.Reconcile = mti }, everyKind(false))
				c.order("sale", goods(10_300), terminal.Approved, "000", 10_300, 0)
				void := c.order("another", goods(2_300), terminal.Approved, "000", 12_600, 0)
				c.order("its void", of(terminal.KindVoid, void, 0), terminal.Approved, "000", 10_300, 0)
				c.order("refund", terminal.Order{Kind: terminal.KindRefund, Amount: money.Amount{Minor: 1_000}}, terminal.Approved, "000", 9_300, 0)
				held := c.order("pre-authorisation", terminal.Order{Kind: terminal.KindPreauth, Amount: money.Amount{Minor: 4_300}}, terminal.Approved, "000", 9_300, 4_300)
				batch, report := c.settled(1)
				if batch.State != terminal.BatchClosed || !batch.Balanced || batch.Code != "500" || report.Proof.Result != terminal.ProofBalanced {
					t.Errorf("in balance: %+v, %+v", batch, report.Proof)
				}
				c.order("completion in the next batch", of(terminal.KindCompletion, held, 4_300), terminal.Approved, "", 4_300, 0)
				lost := c.order("sale", goods(5_300), terminal.Approved, "000", 9_600, 0)
				if err := c.host.Lose(lost.TerminalID, fmt.Sprintf("%06d", lost.STAN)); err != nil {
					t.Fatal(err)
				}
				batch, report = c.settled(2)
				if batch.State != terminal.BatchClosed || batch.Balanced || batch.Code != "501" || batch.Uploaded != 0 {
					t.Errorf("out of balance: %+v", batch)
				}
				if host := terminal.SumLines(batch.Host); host.Sales != 1 || host.SalesSum != 4_300 {
					t.Errorf("the host's totals: %+v", batch.Host)
				}
				if found := report.Proof.Findings; len(found) != 1 || found[0].Sale != lost.ID || found[0].Amount.Minor != 5_300 {
					t.Errorf("found %+v", found)
				}
				sent := 0
				for _, m := range c.types() {
					if m == mti {
						sent++
					}
				}
				if sent != 2 {
					t.Errorf("messages: %v", c.types())
				}
				c.order("the next batch", goods(1_300), terminal.Approved, "000", 1_300, 0)
			})
		})
	}
}
