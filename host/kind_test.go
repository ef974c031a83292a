package host_test

import (
	"fmt"
	"testing"
	"time"

	"tillway/emv"
	"tillway/host"
	"tillway/host/ledger"
	"tillway/iso8583"
)

// request is any request with the card's number in the clear and no chip data, as voids, advices and refunds come.
func (r *rig) message(mti, code string, c card, stan int, amount int64) *iso8583.Message {
	r.t.Helper()
	m := iso8583.NewMessage(mti)
	m.TPDU = unhex(r.t, "6000030000")
	for n, v := range map[int]string{
		2: c.pan, 3: code, 4: fmt.Sprintf("%012d", amount), 11: fmt.Sprintf("%06d", stan), 14: c.expiry, 22: "012", 24: "003", 25: "00",
		41: tid, 42: mid, 49: "414", 60: "000001", 62: fmt.Sprintf("%06d", stan),
	} {
		m.Set(n, v)
	}
	return m
}

// naming lets a message name an earlier one by the reference number of its answer.
func naming(m, answer *iso8583.Message) *iso8583.Message {
	rrn, _ := answer.Get(37)
	m.Set(37, rrn)
	return m
}

// back is the reversal of any message.
func back(of *iso8583.Message, c card) *iso8583.Message {
	m := reversal(of, c)
	return m
}

// want sends a message and checks its answer's code, and what the card has afterwards; the books add up each time.
func (r *rig) want(what string, m *iso8583.Message, code string, c card, balance int64) *iso8583.Message {
	r.t.Helper()
	a := r.one(m)
	if got := get(r.t, a, 39); got != code || r.balance(c) != balance {
		r.t.Errorf("%s: %s and balance %d, want %s and %d", what, got, r.balance(c), code, balance)
	}
	r.trial()
	return a
}

// inBooks is an account's balance in the books.
func (r *rig) inBooks(account string) int64 {
	for _, line := range r.h.Trial()[0].Lines {
		if line.Account == account {
			return line.Balance
		}
	}
	return 0
}

// TestRefund: money goes back to the card, once for all repeats; linked to a sale, never more than it, and never of another
// card. A reversal takes it off again.
func TestRefund(t *testing.T) {
	r := newRig(t)
	m, _ := r.sale(credit, 1, 10_000)
	sold := r.want("sale", m, "00", credit, opening-10_000)
	free := r.message("0200", "200000", credit, 2, 500)
	a := r.want("refund without a sale", free, "00", credit, opening-9_500)
	if !a.Has(38) || a.Has(55) {
		t.Errorf("answer %v", a)
	}
	r.want("its repeat", free, "00", credit, opening-9_500)
	r.want("its reversal", back(free, credit), "00", credit, opening-10_000)
	r.want("its reversal again", back(free, credit), "00", credit, opening-10_000)
	first := naming(r.message("0200", "200000", credit, 3, 4_000), sold)
	r.want("part of the sale", first, "00", credit, opening-6_000)
	r.want("more than is left", naming(r.message("0200", "200000", credit, 4, 6_200), sold), "13", credit, opening-6_000)
	r.want("another card", naming(r.message("0200", "200000", debit, 5, 100), sold), "25", debit, opening)
	r.want("the sale's reversal", back(m, credit), "12", credit, opening-6_000)
	r.want("the rest", naming(r.message("0200", "200000", credit, 6, 6_000), sold), "00", credit, opening)
	r.want("reversal of the first", back(first, credit), "00", credit, opening-4_000)
	r.want("the first again", naming(r.message("0200", "200000", credit, 7, 4_000), sold), "00", credit, opening)
	r.want("nothing", r.message("0200", "200000", credit, 8, 0), "13", credit, opening)
	r.want("card not known", r.message("0200", "200000", unknown, 9, 100), "14", credit, opening)
	r.want("test amount", r.message("0200", "200000", credit, 10, 10_051), "51", credit, opening)
	if got := r.h.Ledger(); got[1].Kind != host.KindRefund || got[1].State != host.Reversed {
		t.Errorf("listed as %+v", got[1])
	}
}

// TestVoid: a void gives back once, only what stands in the open batch, of the same card and amount; reversed, the sale stands
// again, and can be voided again.
func TestVoid(t *testing.T) {
	r := newRig(t)
	m, _ := r.sale(credit, 1, 10_000)
	sold := r.want("sale", m, "00", credit, opening-10_000)
	r.want("another card's", naming(r.message("0200", "020000", debit, 2, 10_000), sold), "76", credit, opening-10_000)
	r.want("another amount", naming(r.message("0200", "020000", credit, 3, 9_999), sold), "76", credit, opening-10_000)
	other := naming(r.message("0200", "020000", credit, 4, 10_000), sold)
	other.Set(60, "000002")
	r.want("another batch", other, "25", credit, opening-10_000)
	r.want("void of a refund", naming(r.message("0200", "220000", credit, 5, 10_000), sold), "12", credit, opening-10_000)
	void := naming(r.message("0200", "020000", credit, 6, 10_000), sold)
	voided := r.want("void", void, "00", credit, opening)
	r.want("its repeat", void, "00", credit, opening)
	r.want("a second void", naming(r.message("0200", "020000", credit, 7, 10_000), sold), "12", credit, opening)
	r.want("void of the void", naming(r.message("0200", "020000", credit, 8, 10_000), voided), "12", credit, opening)
	r.want("reversal of the sale", back(m, credit), "00", credit, opening)
	r.want("reversal of the void", back(void, credit), "00", credit, opening-10_000)
	r.want("again", back(void, credit), "00", credit, opening-10_000)
	r.want("void with amount zero", naming(r.message("0200", "020000", credit, 9, 0), sold), "00", credit, opening)
	r.want("reversal of that", back(m, credit), "00", credit, opening)
	byInvoice, _ := r.sale(credit, 20, 3_000)
	r.want("sale", byInvoice, "00", credit, opening-3_000)
	named := r.message("0200", "020000", credit, 21, 3_000)
	named.Set(62, "000020")
	other = r.message("0200", "020000", debit, 22, 3_000)
	other.Set(62, "000020")
	r.want("another card's, by its invoice", other, "76", credit, opening-3_000)
	r.want("void by the invoice", named, "00", credit, opening)
	r.want("its repeat", named, "00", credit, opening)
	r.want("its reversal", back(named, credit), "00", credit, opening-3_000)
	named = r.message("0200", "020000", credit, 23, 3_000)
	named.Set(62, "000020")
	r.want("and again", named, "00", credit, opening)
	named = r.message("0200", "020000", credit, 24, 3_000)
	named.Set(62, "000020")
	r.want("of what does not stand", named, "25", credit, opening)
	refund := r.message("0200", "200000", credit, 10, 700)
	refunded := r.want("refund", refund, "00", credit, opening+700)
	r.want("its void", naming(r.message("0200", "220000", credit, 11, 700), refunded), "00", credit, opening)
}

// preauthorise holds an amount.
func (r *rig) preauthorise(c card, stan int, amount int64) *iso8583.Message {
	m, _ := r.sale(c, stan, amount)
	m.SetMTI("0100")
	m.Set(25, "06")
	return m
}

// TestPreauthorisation: the amount is held, the completion takes it or part of it once, what is left comes back; a void or a
// reversal releases it, and of nothing there is nothing to complete.
func TestPreauthorisation(t *testing.T) {
	r := newRig(t)
	complete := func(answer *iso8583.Message, stan int, amount int64) *iso8583.Message {
		m := naming(r.message("0220", "000000", credit, stan, amount), answer)
		m.Set(25, "06")
		return m
	}
	pre := r.preauthorise(credit, 1, 10_000)
	held := r.want("pre-authorisation", pre, "00", credit, opening-10_000)
	if held.MTI() != "0110" || r.inBooks("held:credit") != 10_000 || r.inBooks("issuer:settlement") != 0 {
		t.Errorf("%s, held %d", held.MTI(), r.inBooks("held:credit"))
	}
	r.want("more than held", complete(held, 2, 10_001), "13", credit, opening-10_000)
	c := complete(held, 3, 7_000)
	if a := r.want("completion", c, "00", credit, opening-7_000); a.MTI() != "0230" {
		t.Errorf("answered %s", a.MTI())
	}
	if r.inBooks("held:credit") != 0 || r.inBooks("issuer:settlement") != 7_000 {
		t.Errorf("held %d, owed %d", r.inBooks("held:credit"), r.inBooks("issuer:settlement"))
	}
	c.SetMTI("0221")
	r.want("its repeat", c, "00", credit, opening-7_000)
	r.want("a second completion", complete(held, 4, 1_000), "12", credit, opening-7_000)
	r.want("reversal of what was completed", back(pre, credit), "00", credit, opening-7_000)
	c.SetMTI("0220")
	r.want("reversal of the completion", back(c, credit), "00", credit, opening-10_000)
	r.want("release", complete(held, 5, 0), "00", credit, opening)
	nothing := r.message("0220", "000000", credit, 6, 500)
	nothing.Set(25, "06")
	r.want("completion of nothing", nothing, "25", credit, opening)

	again := r.preauthorise(credit, 7, 2_000)
	a := r.want("another", again, "00", credit, opening-2_000)
	r.want("another card's completion", naming(r.message("0220", "000000", debit, 8, 500), a), "25", debit, opening)
	r.want("its void", naming(r.message("0200", "020000", credit, 9, 2_000), a), "00", credit, opening)
	r.want("completion after the void", complete(a, 10, 2_000), "12", credit, opening)
	third := r.preauthorise(credit, 11, 3_000)
	r.want("a third", third, "00", credit, opening-3_000)
	r.want("its reversal", back(third, credit), "00", credit, opening)
	r.want("more than there is", r.preauthorise(credit, 12, opening+500), "51", credit, opening)
}

// TestAdvice: what was approved offline is posted once, whatever the balance; a refusal is taken note of and posts nothing.
func TestAdvice(t *testing.T) {
	r := newRig(t)
	m := r.message("0220", "000000", credit, 1, opening+500)
	m.Set(39, "Y1")
	first := r.want("advice", m, "00", credit, -500)
	if first.MTI() != "0230" {
		t.Errorf("answered %s", first.MTI())
	}
	m.SetMTI("0221")
	if again := r.want("its repeat", m, "00", credit, -500); get(t, again, 37) != get(t, first, 37) {
		t.Error("the repeat has another reference number")
	}
	other := r.message("0220", "000000", credit, 1, 900)
	r.want("another under its STAN", other, "94", credit, -500)
	m.SetMTI("0220")
	r.want("its reversal", back(m, credit), "00", credit, opening)
	refused := r.message("0220", "000000", credit, 2, 900)
	refused.Set(39, "Z1")
	r.want("advice of a refusal", refused, "00", credit, opening)
	r.want("card not known", r.message("0220", "000000", unknown, 3, 900), "14", credit, opening)
	r.want("nothing", r.message("0220", "000000", credit, 4, 0), "13", credit, opening)
	r.want("refund", r.message("0220", "200000", credit, 5, 900), "00", credit, opening+900)
	r.want("test amounts mean nothing here", r.message("0220", "000000", credit, 6, 1_051), "00", credit, opening-151)
}

// TestCertificate: the TC of an advice is checked over its data; a wrong one is posted all the same, and marked.
func TestCertificate(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(d *emv.Data)
		want  string
	}{
		"right":               {func(*emv.Data) {}, host.Verified},
		"of an ARQC":          {func(d *emv.Data) { d.Put(0x9F27, []byte{0x80}) }, host.Wrong},
		"of other TVR":        {func(d *emv.Data) { d.Put(0x95, []byte{0, 0, 0, 0, 1}) }, host.Wrong},
		"of another amount":   {func(d *emv.Data) { d.Put(0x9F02, []byte{0, 0, 0, 0, 0x30, 1}) }, host.Wrong},
		"of another currency": {func(d *emv.Data) { d.Put(0x5F2A, []byte{8, 0x40}) }, host.Wrong},
		"none":                {func(d *emv.Data) { d.Delete(0x9F26) }, host.Wrong},
	} {
		d := newDurable(t, nil)
		m := d.message("0220", "000000", credit, 1, 3_000)
		chip := d.chip(credit, 3_000)
		chip.Put(0x9F27, []byte{0x40})
		c.spoil(&chip)
		m.SetBytes(55, field55(chip))
		d.want(name, m, "00", credit, opening-3_000)
		d.again()
		if got := d.h.Ledger(); len(got) != 1 || got[0].Certificate != c.want {
			t.Errorf("%s: posted as %+v, want a certificate that is %s", name, got, c.want)
		}
	}
	r := newRig(t)
	r.want("without chip data", r.message("0220", "000000", credit, 1, 3_000), "00", credit, opening-3_000)
	if got := r.h.Ledger()[0].Certificate; got != "" {
		t.Errorf("without chip data: %s", got)
	}
}

// TestCashback: the cash is part of the amount, in DE 54 and under the cryptogram.
func TestCashback(t *testing.T) {
	sale := func(r *rig, amounts, signed string) *iso8583.Message {
		m, d := r.sale(credit, 1, 10_000)
		d.Put(emv.TagAmountOther, unhex(t, signed))
		ac, err := credit.keys(t).Compute(d)
		if err != nil {
			t.Fatal(err)
		}
		d.Put(0x9F26, ac[:])
		m.SetBytes(55, field55(d))
		m.Set(3, "090000")
		m.Set(54, amounts)
		return m
	}
	for name, c := range map[string]struct{ amounts, signed, code string }{
		"twelve digits":           {"000000003000", "000000003000", "00"},
		"an additional amount":    {"0040414D000000003000", "000000003000", "00"},
		"another than was signed": {"000000003001", "000000003000", "13"},
		"more than all":           {"000000010001", "000000010001", "13"},
		"none":                    {"000000000000", "000000000000", "30"},
		"another currency":        {"0040840D000000003000", "000000003000", "30"},
		"another type":            {"0044414D000000003000", "000000003000", "30"},
		"beside a tip":            {"0044414D0000000010000040414D000000003000", "000000003000", "00"},
		"twice":                   {"0040414D0000000010000040414D000000003000", "000000003000", "30"},
		"beside a tip of another": {"0044840D0000000010000040414D000000003000", "000000003000", "30"},
		"as a credit":             {"0040414C000000003000", "000000003000", "30"},
		"no number":               {"0000000030x0", "000000003000", "30"},
		"empty":                   {"", "000000003000", "30"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			m, balance := sale(r, c.amounts, c.signed), int64(opening)
			if name == "an additional amount" {
				m.Set(3, "170000")
			}
			if c.code == "00" {
				balance -= 10_000
			}
			r.want("cash back", m, c.code, credit, balance)
			if c.code == "00" {
				if got := r.h.Ledger()[0].Kind; got != host.KindCashback {
					t.Errorf("posted as %s", got)
				}
				r.want("its reversal", back(m, credit), "00", credit, opening)
			}
		})
	}
}

// TestBalance: the answer has what is available and what is on the account; nothing moves, and a wrong card is told nothing.
func TestBalance(t *testing.T) {
	for _, mti := range []string{"0100", "0200"} {
		r := newRig(t)
		r.want("pre-authorisation", r.preauthorise(credit, 1, 10_000), "00", credit, opening-10_000)
		m, _ := r.sale(credit, 2, 0)
		m.SetMTI(mti)
		m.Set(3, "310000")
		a := r.want("balance", m, "00", credit, opening-10_000)
		if got := get(t, a, 54); got != "0001414C000001000000"+"0002414C000000990000" || a.Has(38) {
			t.Errorf("DE 54 %q", got)
		}
		if again := r.one(m); get(t, again, 54) != get(t, a, 54) {
			t.Error("the repeat is answered differently")
		}
		strange, _ := r.sale(unknown, 3, 0)
		strange.SetMTI(mti)
		strange.Set(3, "310000")
		if a := r.want("card not known", strange, "14", credit, opening-10_000); a.Has(54) {
			t.Error("told a balance")
		}
		amount, _ := r.sale(credit, 4, 500)
		amount.SetMTI(mti)
		amount.Set(3, "310000")
		if a := r.want("with an amount", amount, "13", credit, opening-10_000); a.Has(54) {
			t.Error("told a balance")
		}
	}
}

// TestPartial: where the terminal takes it, less is approved than was asked for, and that is what a reversal gives back; where
// not, nothing is.
func TestPartial(t *testing.T) {
	for _, takes := range []bool{true, false} {
		cfg := config(t)
		cfg.Terminals[0].Partial = takes
		h, err := host.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		r := &rig{t: t, h: h, codec: cfg.Codec}
		m, d := r.sale(credit, 1, opening+500)
		if !takes {
			r.want("too much", m, "51", credit, opening)
			continue
		}
		a := r.want("too much", m, "10", credit, 0)
		if get(t, a, 4) != "000001000000" || get(t, a, 54) != "0057414C000001000500" || !a.Has(38) {
			t.Errorf("answer %v: %s of %s", a, get(t, a, 4), get(t, a, 54))
		}
		chip, _ := a.Bytes(55)
		if reply, err := credit.keys(t).CheckAnswer(d, chip[2:]); err != nil || string(reply.ARC[:]) != "10" {
			t.Errorf("the card is told %+v: %v", reply, err)
		}
		if again := r.want("its repeat", m, "10", credit, 0); get(t, again, 4) != "000001000000" {
			t.Error("the repeat has another amount")
		}
		r.want("its reversal", back(m, credit), "00", credit, opening)
		half, _ := r.sale(credit, 3, 10_010)
		r.want("test amount for half of it", half, "10", credit, opening-5_005)
		r.want("its reversal", back(half, credit), "00", credit, opening)
		m, _ = r.sale(credit, 4, opening+500)
		r.want("too much", m, "10", credit, 0)
		empty, _ := r.sale(credit, 2, 500)
		r.want("nothing left", empty, "51", credit, 0)
		r.want("its reversal", back(m, credit), "00", credit, opening)
	}
}

// TestLimits: so many payments and so much a day, and again the next; what was reversed does not count, and a restart forgets
// nothing.
func TestLimits(t *testing.T) {
	clock := today
	d := newDurable(t, func(c *host.Config) {
		c.Accounts[0].MostADay, c.Accounts[0].SumADay = 3, 10_000
		c.Clock = func() time.Time { return clock }
	})
	stan := 0
	pay := func(amount int64) *iso8583.Message { stan++; m, _ := d.sale(credit, stan, amount); return m }
	big := pay(10_200)
	d.want("too much at once", big, "61", credit, opening)
	first := pay(4_000)
	d.want("first", first, "00", credit, opening-4_000)
	d.want("second", pay(6_000), "00", credit, opening-10_000)
	d.want("a little more", pay(200), "61", credit, opening-10_000)
	d.again()
	d.want("after a restart", pay(200), "61", credit, opening-10_000)
	d.want("reversal", back(first, credit), "00", credit, opening-6_000)
	d.again()
	d.want("what was given back", pay(1_000), "00", credit, opening-7_000)
	d.want("third", pay(1_000), "00", credit, opening-8_000)
	d.want("fourth", pay(1_000), "65", credit, opening-8_000)
	d.want("another card", func() *iso8583.Message { stan++; m, _ := d.sale(debit, stan, 50_000); return m }(), "00", debit, opening-50_000)
	clock = clock.AddDate(0, 0, 1)
	d.want("the next day", pay(10_000), "00", credit, opening-18_000)
	d.want("and no more", pay(200), "61", credit, opening-18_000)
}

// TestSettlement: what stands is cleared less its fee and paid out once; what is taken back afterwards is taken off the next
// settlement.
func TestSettlement(t *testing.T) {
	d := newDurable(t, func(c *host.Config) {
		c.Fees = []ledger.Fee{{BasisPoints: 100}, {Brand: "visa", BasisPoints: 150, Fixed: 5}}
	})
	payable, account := "merchant:"+mid+":payable", "merchant:"+mid+":account"
	settle := func(paid, owed int64) {
		t.Helper()
		if err := d.h.Settle(); err != nil {
			t.Fatal(err)
		}
		d.trial()
		if d.inBooks(account) != paid || d.inBooks(payable) != owed || d.inBooks("clearing") != 0 || d.inBooks("issuer:settlement") != 0 {
			t.Errorf("paid %d, owed %d, clearing %d, settlement %d; want %d paid and %d owed", d.inBooks(account), d.inBooks(payable),
				d.inBooks("clearing"), d.inBooks("issuer:settlement"), paid, owed)
		}
	}
	settle(0, 0)
	m, _ := d.sale(credit, 1, 10_500) // 157.5 and 5: 163
	sold := d.want("sale", m, "00", credit, opening-10_500)
	other, _ := d.sale(debit, 2, 2_000) // 20
	d.want("sale", other, "00", debit, opening-2_000)
	d.want("held", d.preauthorise(debit, 3, 900), "00", debit, opening-2_900)
	settle(12_500-183, 0)
	if d.inBooks("income:fees") != 183 {
		t.Errorf("fees %d", d.inBooks("income:fees"))
	}
	d.again()
	settle(12_500-183, 0) // nothing twice
	d.want("void of what was paid out", naming(d.message("0200", "020000", credit, 4, 0), sold), "00", credit, opening)
	if d.inBooks(payable) != 163-10_500 || d.inBooks("income:fees") != 20 {
		t.Errorf("owed %d, fees %d", d.inBooks(payable), d.inBooks("income:fees"))
	}
	settle(12_500-183, 163-10_500) // the merchant owes
	third, _ := d.sale(debit, 5, 20_000)
	d.want("sale", third, "00", debit, opening-22_900)
	d.want("refund", d.message("0200", "200000", debit, 6, 1_000), "00", debit, opening-21_900)
	settle(12_500-183+163-10_500+20_000-200-1_000, 0)
	d.again()
	d.trial()
	list := d.h.Statements()
	if len(list) != 3 || list[0].Paid != 12_317 || list[0].Gross != 12_500 || list[0].Fees != 183 || len(list[0].Lines) != 2 {
		t.Fatalf("statements %+v", list)
	}
	if s := list[1]; s.Paid != 8_463 || s.Gross != -10_500+20_000-1_000 || s.Fees != -163+200 || s.Left != 0 || s.Merchant != mid {
		t.Errorf("second statement %+v", s)
	}
}
