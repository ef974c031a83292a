package host_test

import (
	"fmt"
	"testing"

	"tillway/host"
	"tillway/iso8583"
)

// end is the 0500 of a batch.
func (r *rig) end(code string, stan int, number, totals string) *iso8583.Message {
	r.t.Helper()
	m := iso8583.NewMessage("0500")
	m.TPDU = unhex(r.t, "6000030000")
	for n, v := range map[int]string{3: code, 11: fmt.Sprintf("%06d", stan), 24: "003", 41: tid, 42: mid, 60: number, 63: totals} {
		m.Set(n, v)
	}
	return m
}

// uploaded is the 0320 of a sale that was answered with a reference number.
func (r *rig) uploaded(stan, original int, c card, amount int64, rrn string) *iso8583.Message {
	m := r.message("0320", "000000", c, stan, amount)
	m.Set(60, fmt.Sprintf("0200%06d%-12s", original, rrn))
	m.Set(37, rrn)
	return m
}

// closes sends an 0500 and checks the code.
func (r *rig) closes(what string, m *iso8583.Message, code string) {
	r.t.Helper()
	a := r.one(m)
	total, _ := m.Get(63)
	if code == "95" { // the host's own, in the terminal's layout
		for _, b := range r.h.Batches() {
			if number, _ := m.Get(60); b.Batch == number {
				total = b.Totals[:len(total)]
			}
		}
	}
	if got := get(r.t, a, 39); got != code || a.MTI() != "0510" || get(r.t, a, 63) != total {
		r.t.Errorf("%s: %s with %s, want %s", what, a.MTI(), got, code)
	}
	r.trial()
}

// TestBatchInBalance: equal totals close the batch, in each form of DE 63; then it takes nothing more, a repeat is answered as
// before, and its number does not come again.
func TestBatchInBalance(t *testing.T) {
	for _, totals := range []string{
		"002000000015000" + "001000000000700",
		"001000000010000" + "000000000000000" + "001000000005000" + "001000000000700" + "000000000000000" + "000000000000000",
	} {
		d := newDurable(t, nil)
		for i, amount := range []int64{10_000, 5_000, 3_000, 10_051} {
			m, _ := d.sale(credit, i+1, amount)
			d.one(m)
			if i == 2 {
				d.one(reversal(m, credit))
			}
		}
		d.one(d.message("0200", "200000", credit, 5, 700))
		d.one(d.preauthorise(credit, 6, 400)) // held, not taken: no part of the totals
		d.closes("equal totals", d.end("920000", 7, "000001", totals), "00")
		d.again()
		d.closes("repeat", d.end("920000", 8, "000001", totals), "00")
		d.closes("other totals", d.end("920000", 9, "000001", "002000000015000"), "80")
		m, _ := d.sale(credit, 10, 1_000)
		if got := d.code(m); got != "80" {
			t.Errorf("sale in the closed batch: %s, want 80", got)
		}
		if got := d.code(d.message("0220", "000000", credit, 11, 1_000)); got != "80" {
			t.Errorf("advice in the closed batch: %s, want 80", got)
		}
		m.Set(60, "000002")
		if got := d.code(m); got != "00" {
			t.Errorf("sale in the next batch: %s, want 00", got)
		}
		if owed := d.inBooks("merchant:" + mid + ":payable"); owed != 14_300 || d.inBooks("clearing") != 0 {
			t.Errorf("owed to the merchant: %d", owed)
		}
		list := d.h.Batches()
		if len(list) != 2 || list[0].State != "closed" || list[0].Totals != "002000000015000001000000000700" || list[1].State != "open" {
			t.Errorf("batches %+v", list)
		}
		d.closes("the next", d.end("920000", 12, "000002", "001000000001000"), "00")
		d.closes("an empty one", d.end("920000", 13, "000003", "000000000000000"), "00")
	}
}

// TestBatchUpload: a sale is missing here and another is missing there. 95; the upload one by one posts the first once, and
// the close takes back the second; interrupted, it goes on; nothing is closed before the final 00.
func TestBatchUpload(t *testing.T) {
	d := newDurable(t, nil)
	kept, _ := d.sale(credit, 1, 10_000)
	rrn := get(t, d.one(kept), 37)
	lost, _ := d.sale(credit, 2, 5_000) // the terminal does not know it
	d.one(lost)
	totals := "002000000010700" // it knows the first, and an offline sale of 700 that never came here
	if got := d.code(d.uploaded(3, 1, credit, 10_000, rrn)); got != "12" {
		t.Errorf("upload before the 95: %s, want 12", got)
	}
	d.closes("final before all", d.end("960000", 3, "000001", "000000000000000"), "95")
	d.closes("out of balance", d.end("920000", 4, "000001", totals), "95")
	d.closes("final without an upload", d.end("960000", 5, "000001", totals), "95")
	upload := func(what string, m *iso8583.Message, code string, balance int64) {
		t.Helper()
		if a := d.want(what, m, code, credit, balance); a.MTI() != "0330" || code == "00" && get(t, a, 37) != m1(m, 60)[10:] {
			t.Errorf("%s: answered %v", what, a)
		}
	}
	upload("the first", d.uploaded(6, 1, credit, 10_000, rrn), "00", opening-15_000)
	d.again() // power cut in the middle
	d.closes("half of it", d.end("960000", 7, "000001", totals), "95")
	d.closes("once more", d.end("920000", 8, "000001", totals), "95")
	upload("the first again", d.uploaded(9, 1, credit, 10_000, rrn), "00", opening-15_000)
	upload("with another amount", d.uploaded(10, 1, credit, 10_001, rrn), "76", opening-15_000)
	upload("with another card", d.uploaded(11, 1, debit, 10_000, rrn), "76", opening-15_000)
	upload("what was not here", d.uploaded(12, 33, credit, 700, "110718000118"), "00", opening-15_700)
	upload("and again", d.uploaded(13, 33, credit, 700, "110718000118"), "00", opening-15_700)
	upload("of a card not known", d.uploaded(14, 34, unknown, 700, "110718000119"), "14", opening-15_700)
	upload("of nothing", d.uploaded(15, 35, credit, 0, "110718000120"), "12", opening-15_700)
	d.closes("other totals", d.end("960000", 16, "000001", "002000000010800"), "95")
	if d.inBooks("merchant:"+mid+":payable") != 0 {
		t.Error("cleared before the end")
	}
	d.closes("final", d.end("960000", 17, "000001", totals), "00")
	d.again()
	d.closes("its repeat", d.end("960000", 18, "000001", totals), "00")
	if d.balance(credit) != opening-10_700 || d.inBooks("merchant:"+mid+":payable") != 10_700 {
		t.Errorf("balance %d, owed %d", d.balance(credit), d.inBooks("merchant:"+mid+":payable"))
	}
	if got := d.code(d.uploaded(19, 36, credit, 700, "110718000121")); got != "12" {
		t.Errorf("upload after the end: %s, want 12", got)
	}
	states := map[string]host.State{}
	for _, p := range d.h.Ledger() {
		states[p.STAN] = p.State
	}
	if states["000001"] != host.Posted || states["000002"] != host.Reversed || states["000033"] != host.Posted {
		t.Errorf("states %v", states)
	}
	d.want("late reversal of the lost one", reversal(lost, credit), "00", credit, opening-10_700)
	d.want("late reversal of what was cleared", reversal(kept, credit), "00", credit, opening-700)
	if owed := d.inBooks("merchant:" + mid + ":payable"); owed != 700 {
		t.Errorf("owed %d", owed)
	}
}

func m1(m *iso8583.Message, n int) string { v, _ := m.Get(n); return v }

// TestBatchMalformed: what is no total, no batch and no reference is refused with 30 and changes nothing.
func TestBatchMalformed(t *testing.T) {
	r := newRig(t)
	for _, totals := range []string{"", "00100000001000", "0010000000100000", "00100000001000x", "001000000010000001000000010000001000000010000"} {
		m := r.end("920000", 1, "000001", totals)
		if got := r.code(m); got != "30" {
			t.Errorf("totals %q: %s, want 30", totals, got)
		}
	}
	for _, number := range []string{"", "1", "00000x"} {
		if got := r.code(r.end("920000", 1, number, "000000000000000")); got != "30" {
			t.Errorf("batch %q: %s, want 30", number, got)
		}
	}
	for _, ref := range []string{"", "0200", "0200000001", "02000000x1110718000118", "0200000001110718000118x"} {
		m := r.uploaded(1, 1, credit, 100, "110718000118")
		m.Set(60, ref)
		if got := r.code(m); got != "30" {
			t.Errorf("reference %q: %s, want 30", ref, got)
		}
	}
	if len(r.h.Batches()) != 0 {
		t.Error("a batch was made")
	}
	m := r.end("920000", 1, "000001", "000000000000000")
	m.Set(41, "TILL0002")
	if got := r.code(m); got != "89" {
		t.Errorf("terminal not known: %s, want 89", got)
	}
}
