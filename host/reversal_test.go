package host_test

import (
	"bytes"
	"testing"

	"tillway/host"
)

// TestRepeat: the same request again gets the very answer of before and posts nothing, whichever repeat it is.
func TestRepeat(t *testing.T) {
	r := newRig(t)
	for stan, amount := range map[int]int64{1: 10_525, 2: 10_051} {
		m, _ := r.sale(credit, stan, amount)
		first := r.pack(r.one(m))
		if again := r.pack(r.one(m)); !bytes.Equal(first, again) {
			t.Errorf("amount %d: the repeat is answered differently", amount)
		}
		m.SetMTI("0201")
		if again := r.pack(r.one(m)); !bytes.Equal(first, again) {
			t.Errorf("amount %d: the marked repeat is answered differently", amount)
		}
	}
	if r.books() != 1 || r.balance(credit) != opening-10_525 {
		t.Errorf("balance %d", r.balance(credit))
	}
}

// TestDuplicate: another transaction under the same terminal, batch and STAN is refused; another batch is another matter.
func TestDuplicate(t *testing.T) {
	for _, firstAmount := range []int64{10_525, 10_051} { // posted, declined
		r := newRig(t)
		m, _ := r.sale(credit, 1, firstAmount)
		r.one(m)
		posted := r.books()
		for n, v := range map[int]string{4: "000000000600", 62: "000009", 25: "01"} {
			other, _ := r.sale(credit, 1, 500)
			other.Set(n, v)
			if got := r.code(other); got != "94" {
				t.Errorf("field %d different: %s, want 94", n, got)
			}
		}
		fresh, _ := r.sale(credit, 1, 500) // the same STAN with a new cryptogram is not a repeat
		if got := r.code(fresh); got != "94" {
			t.Errorf("new cryptogram: %s, want 94", got)
		}
		if r.books() != posted {
			t.Error("a duplicate was posted")
		}
		next, _ := r.sale(credit, 1, 500)
		next.Set(60, "000002")
		if got := r.code(next); got != "00" || r.books() != posted+1 {
			t.Errorf("next batch: %s, want 00", got)
		}
	}
}

// TestReversal: the balance comes back once, however often the reversal comes, marked as a repeat or not.
func TestReversal(t *testing.T) {
	r := newRig(t)
	kept, _ := r.sale(credit, 1, 5_000)
	r.one(kept)
	m, _ := r.sale(credit, 2, 10_525)
	rrn := get(t, r.one(m), 37)
	for _, mti := range []string{"0400", "0401", "0400"} {
		back := reversal(m, credit)
		back.SetMTI(mti)
		a := r.one(back)
		if a.MTI() != "0410" || get(t, a, 39) != "00" || get(t, a, 37) != rrn || get(t, a, 11) != "000002" || a.Has(55) || a.Has(38) {
			t.Errorf("%s is answered %v with %s", mti, a, get(t, a, 39))
		}
		if r.balance(credit) != opening-5_000 || r.books() != 1 {
			t.Fatalf("balance %d after %s", r.balance(credit), mti)
		}
	}
	states := []host.State{}
	for _, p := range r.h.Ledger() {
		states = append(states, p.State)
	}
	if len(states) != 2 || states[0] != host.Posted || states[1] != host.Reversed {
		t.Errorf("ledger %v", states)
	}
	if got := r.code(m); got != "00" || r.books() != 1 { // the stored answer; nothing is posted again
		t.Errorf("repeat of a reversed sale: %s", got)
	}
}

// TestReversalOfDeclined: nothing stands, nothing comes back.
func TestReversalOfDeclined(t *testing.T) {
	r := newRig(t)
	m, _ := r.sale(credit, 1, 10_051)
	r.one(m)
	if got := r.code(reversal(m, credit)); got != "00" || r.balance(credit) != opening {
		t.Errorf("code %s, balance %d", got, r.balance(credit))
	}
}

// TestReversalFirst: a reversal that overtakes its original is remembered; the original is refused when it comes.
func TestReversalFirst(t *testing.T) {
	for _, batch := range []bool{true, false} {
		r := newRig(t)
		m, _ := r.sale(credit, 1, 10_525)
		back := reversal(m, credit)
		if !batch {
			back.Delete(60)
		}
		for range 2 {
			if got := r.code(back); got != "25" {
				t.Errorf("reversal without an original: %s, want 25", got)
			}
		}
		if got := r.code(m); got != "94" {
			t.Errorf("late original: %s, want 94", got)
		}
		if got := r.code(back); got != "25" || r.balance(credit) != opening || len(r.h.Ledger()) != 0 {
			t.Errorf("reversal once more: %s, balance %d", got, r.balance(credit))
		}
	}
}

// TestReversalWithoutBatch: dialects whose reversals carry no DE 60 mean the latest with the STAN, and only if invoice and
// amount are the same.
func TestReversalWithoutBatch(t *testing.T) {
	r := newRig(t)
	m, _ := r.sale(credit, 1, 10_525)
	r.one(m)
	other := reversal(m, credit)
	other.Delete(60)
	other.Set(62, "000777")
	if got := r.code(other); got != "25" || r.books() != 1 {
		t.Errorf("another invoice: %s, want 25", got)
	}
	r = newRig(t)
	m, _ = r.sale(credit, 1, 10_525)
	r.one(m)
	back := reversal(m, credit)
	back.Delete(60)
	if got := r.code(back); got != "00" || r.books() != 0 {
		t.Errorf("same invoice: %s, want 00", got)
	}
}

// TestReversalMismatch: a reversal that names another card or amount than its original changes nothing.
func TestReversalMismatch(t *testing.T) {
	r := newRig(t)
	m, _ := r.sale(credit, 1, 10_525)
	r.one(m)
	for n, v := range map[int]string{4: "000000010524", 2: debit.pan} {
		back := reversal(m, credit)
		back.Set(n, v)
		if got := r.code(back); got != "76" {
			t.Errorf("field %d different: %s, want 76", n, got)
		}
	}
	for n, want := range map[int]string{41: "89", 42: "58"} {
		back := reversal(m, credit)
		v, _ := back.Get(n)
		back.Set(n, v[:len(v)-1]+"9")
		if got := r.code(back); got != want {
			t.Errorf("field %d of another: %s, want %s", n, got, want)
		}
	}
	if r.books() != 1 || r.balance(credit) != opening-10_525 {
		t.Error("money moved")
	}
}
