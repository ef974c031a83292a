package host_test

import (
	"testing"

	"tillway/host"
	"tillway/iso8583"
)

// raised is the request to hold more for what an answer approved.
func (r *rig) raised(c card, stan int, amount int64, held *iso8583.Message) *iso8583.Message {
	m := naming(r.message("0100", "300000", c, stan, amount), held)
	m.Set(25, "06")
	return m
}

func (r *rig) completion(c card, stan int, amount int64, held *iso8583.Message) *iso8583.Message {
	m := naming(r.message("0220", "000000", c, stan, amount), held)
	m.Set(25, "06")
	return m
}

// TestIncrement: more is held, up to what there is; a completion takes up to the raised sum; a reversal of the increment takes
// that much off again, and one of the pre-authorisation gives all back. A restart in between changes nothing.
func TestIncrement(t *testing.T) {
	d := newDurable(t, nil)
	held := d.want("pre-authorisation", d.preauthorise(credit, 1, 10_000), "00", credit, opening-10_000)
	more := d.raised(credit, 2, 5_000, held)
	if a := d.want("increment", more, "00", credit, opening-15_000); a.MTI() != "0110" || !a.Has(38) || d.inBooks("held:credit") != 15_000 {
		t.Errorf("%s, held %d", a.MTI(), d.inBooks("held:credit"))
	}
	d.want("its repeat", more, "00", credit, opening-15_000)
	d.again()
	d.want("its repeat after a restart", more, "00", credit, opening-15_000)
	d.want("more than there is", d.raised(credit, 3, opening, held), "51", credit, opening-15_000)
	d.want("another card's", d.raised(debit, 4, 100, held), "25", debit, opening)
	d.want("of nothing", d.raised(credit, 5, 100, with37(t, held, "999999999999")), "25", credit, opening-15_000)
	d.want("nothing more", d.raised(credit, 6, 0, held), "13", credit, opening-15_000)
	d.want("test amount", d.raised(credit, 7, 1_051, held), "51", credit, opening-15_000)
	second := d.raised(credit, 8, 2_000, held)
	d.want("a second", second, "00", credit, opening-17_000)
	d.want("its reversal", back(second, credit), "00", credit, opening-15_000)
	d.want("again", back(second, credit), "00", credit, opening-15_000)
	d.want("its void is none", naming(d.message("0200", "020000", credit, 9, 5_000), d.one(more)), "12", credit, opening-15_000)
	d.want("more than is held", d.completion(credit, 10, 15_001, held), "13", credit, opening-15_000)
	c := d.completion(credit, 11, 14_000, held)
	d.want("completion of more than the first sum", c, "00", credit, opening-14_000)
	if d.inBooks("held:credit") != 0 || d.inBooks("issuer:settlement") != 14_000 {
		t.Errorf("held %d, owed %d", d.inBooks("held:credit"), d.inBooks("issuer:settlement"))
	}
	d.want("increment of what was completed", d.raised(credit, 12, 100, held), "12", credit, opening-14_000)
	d.want("reversal of an increment of it", back(more, credit), "00", credit, opening-14_000)
	d.again()
	d.want("reversal of the completion", back(c, credit), "00", credit, opening-15_000)
	d.want("reversal of the increment", back(more, credit), "00", credit, opening-10_000)
	d.want("the increment again, under another number", d.raised(credit, 13, 5_000, held), "00", credit, opening-15_000)
	void := naming(d.message("0200", "020000", credit, 14, 15_000), held)
	d.want("void of all", void, "00", credit, opening)
	d.want("reversal of the void", back(void, credit), "00", credit, opening-15_000)
	d.again()
	d.want("reversal of the pre-authorisation", back(preauthOf(d.rig, held), credit), "00", credit, opening)
	d.want("reversal of what went with it", back(more, credit), "00", credit, opening)
	states := map[string]host.State{}
	for _, p := range d.h.Ledger() {
		states[p.STAN] = p.State
	}
	if states["000002"] != host.Reversed || states["000008"] != host.Reversed || states["000013"] != host.Reversed {
		t.Errorf("states %v", states)
	}
	d.books()
}

// preauthOf is what the pre-authorisation with number 1 was, for its reversal.
func preauthOf(r *rig, _ *iso8583.Message) *iso8583.Message {
	m := r.message("0100", "000000", credit, 1, 10_000)
	m.Set(25, "06")
	return m
}

// with37 is an answer as if it had another reference number.
func with37(t *testing.T, of *iso8583.Message, rrn string) *iso8583.Message {
	t.Helper()
	m := iso8583.NewMessage(of.MTI())
	m.Set(37, rrn)
	return m
}

// TestIncrementIsWhole: no part of an increment is held, and the amount that asks for one gets all of it.
func TestIncrementIsWhole(t *testing.T) {
	d := newDurable(t, nil)
	held := d.want("pre-authorisation", d.preauthorise(credit, 1, 4_000), "00", credit, opening-4_000)
	more := d.raised(credit, 2, 2_010, held)
	d.want("increment", more, "00", credit, opening-6_010)
	d.want("its reversal", back(more, credit), "00", credit, opening-4_000)
}

// TestIncrementCountsOnce: against the limits of a card a raised pre-authorisation is one payment of the whole sum.
func TestIncrementCountsOnce(t *testing.T) {
	d := newDurable(t, func(c *host.Config) { c.Accounts[0].MostADay, c.Accounts[0].SumADay = 2, 10_000 })
	held := d.want("pre-authorisation", d.preauthorise(credit, 1, 4_000), "00", credit, opening-4_000)
	more := d.raised(credit, 2, 5_000, held)
	d.want("increment", more, "00", credit, opening-9_000)
	d.want("more than a day's sum", d.raised(credit, 3, 2_000, held), "61", credit, opening-9_000)
	d.again()
	d.want("after a restart", d.raised(credit, 4, 2_000, held), "61", credit, opening-9_000)
	d.want("its reversal", back(more, credit), "00", credit, opening-4_000)
	m, _ := d.sale(credit, 5, 6_000)
	d.want("the second payment", m, "00", credit, opening-10_000)
	third, _ := d.sale(credit, 6, 200)
	d.want("the third", third, "65", credit, opening-10_000)
	d.want("reversal of the first", back(preauthOf(d.rig, held), credit), "76", credit, opening-10_000) // of another amount
	first := d.message("0100", "000000", credit, 1, 4_000)
	d.want("reversal of the first", back(first, credit), "00", credit, opening-6_000)
	again, _ := d.sale(credit, 7, 3_200)
	d.want("another in its place", again, "00", credit, opening-9_200)
}

// TestSaleInTwoSteps: the first step holds, the second takes; a void or a refund may name either; a void takes both back, and its
// reversal puts both into force again.
func TestSaleInTwoSteps(t *testing.T) {
	d := newDurable(t, func(c *host.Config) { c.Accounts[0].MostADay = 2 })
	first := func(stan int, amount int64) (m, a *iso8583.Message) {
		t.Helper()
		m, _ = d.sale(credit, stan, amount)
		m.SetMTI("0100")
		return m, d.want("first step", m, "00", credit, opening-amount)
	}
	second := func(stan int, amount int64, a *iso8583.Message) *iso8583.Message {
		m := naming(d.message("0220", "000000", credit, stan, amount), a)
		m.Set(38, get(t, a, 38))
		return m
	}
	m, a := first(1, 8_000)
	d.want("its reversal", back(m, credit), "00", credit, opening)
	d.want("second step of what was reversed", second(2, 8_000, a), "12", credit, opening)
	for i, named := range []int{0, 1} {
		_, a := first(10*i+11, 8_000)
		c := d.want("second step", second(10*i+12, 8_000, a), "00", credit, opening-8_000)
		if get(t, c, 38) != get(t, a, 38) || d.inBooks("held:credit") != 0 || d.inBooks("issuer:settlement") != 8_000 {
			t.Errorf("approval code %s, held %d, owed %d", get(t, c, 38), d.inBooks("held:credit"), d.inBooks("issuer:settlement"))
		}
		void := naming(d.message("0200", "020000", credit, 10*i+13, 8_000), []*iso8583.Message{a, c}[named])
		d.want("void", void, "00", credit, opening)
		d.again()
		d.want("reversal of the void", back(void, credit), "00", credit, opening-8_000)
		d.want("and again", back(void, credit), "00", credit, opening-8_000)
		if d.inBooks("held:credit") != 0 || d.inBooks("issuer:settlement") != 8_000 {
			t.Errorf("held %d, owed %d", d.inBooks("held:credit"), d.inBooks("issuer:settlement"))
		}
		d.want("void once more", naming(d.message("0200", "020000", credit, 10*i+14, 0), []*iso8583.Message{c, a}[named]), "00", credit, opening)
		d.books()
	}
	_, a = first(31, 6_000) // of two a day: what was voided does not count
	c := d.want("second step", second(32, 6_000, a), "00", credit, opening-6_000)
	d.want("refund by the first", naming(d.message("0200", "200000", credit, 33, 2_000), a), "00", credit, opening-4_000)
	d.want("refund by the second", naming(d.message("0200", "200000", credit, 34, 4_000), c), "00", credit, opening)
	d.want("and of no more", naming(d.message("0200", "200000", credit, 35, 200), a), "13", credit, opening)
	d.closes("its batch", d.end("920000", 36, "000001", "001000000006000002000000006000"), "00")
	d.books()
}

// TestDeferred: a request that was kept has the card's number and chip data and no track; it is decided as if it had come at once.
func TestDeferred(t *testing.T) {
	r := newRig(t)
	kept := func(stan int, amount int64) *iso8583.Message {
		m, _ := r.sale(credit, stan, amount)
		m.Delete(35)
		m.Set(2, credit.pan)
		m.Set(14, credit.expiry)
		m.Set(12, "081500")
		m.Set(13, "1122")
		return m
	}
	m := kept(1, 3_000)
	a := r.want("approved", m, "00", credit, opening-3_000)
	if !a.Has(55) {
		t.Error("no issuer authentication data")
	}
	m.SetMTI("0201")
	r.want("its repeat", m, "00", credit, opening-3_000)
	r.want("declined", kept(2, opening+500), "51", credit, opening-3_000)
	m.SetMTI("0200")
	r.want("its reversal", back(m, credit), "00", credit, opening)
	bare := kept(3, 3_000)
	bare.Delete(55)
	r.want("without chip data", bare, "30", credit, opening)
}

// TestForcedSale: an advice with the approval code that was said by voice is posted, and answered with that code.
func TestForcedSale(t *testing.T) {
	r := newRig(t)
	m := r.message("0220", "000000", credit, 1, 5_000)
	m.Set(38, "V12345")
	a := r.want("forced sale", m, "00", credit, opening-5_000)
	if get(t, a, 38) != "V12345" || r.h.Ledger()[0].AuthCode != "V12345" {
		t.Errorf("approval code %q, posted with %q", get(t, a, 38), r.h.Ledger()[0].AuthCode)
	}
	r.want("its void", naming(r.message("0200", "020000", credit, 2, 0), a), "00", credit, opening)
}

// TestPartialVoid: what was approved in part is voided by the sum that was asked for, or by the one that was approved.
func TestPartialVoid(t *testing.T) {
	d := newDurable(t, func(c *host.Config) { c.Terminals[0].Partial = true })
	for i, amount := range []int64{0, opening, opening + 500} {
		m, _ := d.sale(credit, 10*i+1, opening+500)
		part := d.want("in part", m, "10", credit, 0)
		d.want("another sum", naming(d.message("0200", "020000", credit, 10*i+2, 700), part), "76", credit, 0)
		d.want("its void", naming(d.message("0200", "020000", credit, 10*i+3, amount), part), "00", credit, opening)
	}
}
