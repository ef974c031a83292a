package v93_test

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	v93 "tillway/iso8583/dialect/v93"
	"tillway/terminal"
)

// TestTotalsRefused: a number that does not fit its column is no smaller number.
func TestTotalsRefused(t *testing.T) {
	many := func(n int) (lines []terminal.TotalsLine, brands map[string]v93.Brand) {
		brands = map[string]v93.Brand{}
		for i := range n {
			name := fmt.Sprint(i)
			lines, brands[name] = append(lines, terminal.TotalsLine{Scheme: name}), v93.Brand{Totals: string([]byte{byte('A' + i/26), byte('A' + i%26)})}
		}
		return lines, brands
	}
	for name, edit := range map[string]func(*v93.Settings, *terminal.TotalsRequest){
		"a count of eleven digits": func(_ *v93.Settings, r *terminal.TotalsRequest) { r.Lines[0].Sales = 10_000_000_000 },
		"an amount of sixteen":     func(_ *v93.Settings, r *terminal.TotalsRequest) { r.Lines[1].RefundsSum = 1_000_000_000_000_000 },
		"a sum of sixteen": func(_ *v93.Settings, r *terminal.TotalsRequest) {
			r.Lines[1].SalesSum, r.Lines[2].SalesSum = 999_999_999_999_999, 1
		},
		"a negative amount":         func(_ *v93.Settings, r *terminal.TotalsRequest) { r.Lines[0].SalesSum = -1 },
		"a negative count":          func(_ *v93.Settings, r *terminal.TotalsRequest) { r.Lines[0].Refunds = -1 },
		"a scheme of three letters": func(s *v93.Settings, _ *terminal.TotalsRequest) { s.Brands["visa"] = v93.Brand{Totals: "VCX"} },
		"a line break":              func(s *v93.Settings, _ *terminal.TotalsRequest) { s.Brands["visa"] = v93.Brand{TotalsHouse: "B\n"} },
		"a hundred schemes":         func(s *v93.Settings, r *terminal.TotalsRequest) { r.Lines, s.Brands = many(100) },
		"more than the field's room": func(s *v93.Settings, r *terminal.TotalsRequest) {
			r.Lines, s.Brands = many(11)
		},
		"behind an upload": func(_ *v93.Settings, r *terminal.TotalsRequest) { r.Final = true },
		"no day":           func(_ *v93.Settings, r *terminal.TotalsRequest) { r.Day = time.Time{} },
		"no batch":         func(_ *v93.Settings, r *terminal.TotalsRequest) { r.Batch = 0 },
		"no trace number":  func(_ *v93.Settings, r *terminal.TotalsRequest) { r.STAN = 0 },
	} {
		r, d := batch(t), dialect(t, func(s *v93.Settings) { words(s) })
		if _, err := d.Totals(r); err != nil {
			t.Fatal(err)
		}
		d = dialect(t, func(s *v93.Settings) { words(s); edit(s, &r) })
		if _, err := d.Totals(r); !errors.Is(err, v93.ErrRequest) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTotalsLayout: the acquirer's own columns and field; schemes that it has no words for are one; an empty batch has none.
func TestTotalsLayout(t *testing.T) {
	d := dialect(t, func(s *v93.Settings) {
		words(s)
		s.TotalsColumns, s.TotalsField, s.BatchField = []v93.TotalsColumn{{"acquirer", 6}, {"debits", 3}}, 127, -1
	})
	b, err := d.Totals(batch(t))
	m, uerr := d.Codec().Unpack(b)
	if err != nil || uerr != nil || get(t, m, 127) != "02BNK1  012BNK1  003" || m.Has(60) || m.Has(124) {
		t.Errorf("an own layout: %v, %v", err, uerr)
	}
	d = dialect(t, nil)
	if b, err = d.Totals(batch(t)); err != nil {
		t.Fatal(err)
	}
	if m, err = d.Codec().Unpack(b); err != nil || get(t, m, 124)[:33] != "010000000000000015000000000157875" {
		t.Errorf("one scheme: %s, %v", get(t, m, 124), err)
	}
	none := batch(t)
	none.Lines = nil
	if b, err = d.Totals(none); err != nil {
		t.Fatal(err)
	}
	if m, err = d.Codec().Unpack(b); err != nil || get(t, m, 124) != "00" {
		t.Errorf("an empty batch: %q, %v", get(t, m, 124), err)
	}
	if _, err := d.Upload(terminal.UploadRequest{}); !errors.Is(err, v93.ErrRequest) || d.Can().Upload || !d.Can().Totals {
		t.Errorf("an upload: %v", err)
	}
}

// TestTotalsAnswers: what each code says of the batch, and what the host has.
func TestTotalsAnswers(t *testing.T) {
	d := dialect(t, nil)
	for code, want := range map[string]terminal.Response{
		"500": {Verdict: terminal.VerdictApproved, InBalance: true, Closed: true},
		"501": {Verdict: terminal.VerdictDeclined, Closed: true},
		"502": {Verdict: terminal.VerdictDeclined},
		"503": {Verdict: terminal.VerdictTryLater},
		"504": {Verdict: terminal.VerdictDeclined},
		"000": {Verdict: terminal.VerdictDeclined},
		"904": {Verdict: terminal.VerdictDeclined},
		"909": {Verdict: terminal.VerdictTryLater},
	} {
		r, err := d.Response(answer(t, d, "answer-differs-1530", map[int]string{39: code}))
		if err != nil || r.Verdict != want.Verdict || r.InBalance != want.InBalance || r.Closed != want.Closed || r.Upload {
			t.Errorf("%s: %s, in balance %t, closed %t, upload %t, %v", code, r.Verdict, r.InBalance, r.Closed, r.Upload, err)
		}
		if has := []terminal.TotalsLine{{Sales: 14, SalesSum: 147_350, Refunds: 1, RefundsSum: 5_000}}; !reflect.DeepEqual(r.HostTotal, has) {
			t.Errorf("%s: the host has %+v", code, r.HostTotal)
		}
	}
	for _, gone := range []int{74, 76, 86, 88} {
		if r, err := d.Response(answer(t, d, "answer-differs-1530", map[int]string{gone: ""})); err != nil || r.HostTotal != nil {
			t.Errorf("without field %d: %+v, %v", gone, r.HostTotal, err)
		}
	}
	if r, err := d.Response(answer(t, d, "answer-differs-1530", map[int]string{88: "9999999999999999"})); err != nil || r.HostTotal != nil {
		t.Errorf("more than there is money: %+v, %v", r.HostTotal, err)
	}
	if r, err := d.Response(answer(t, d, "answer-1210", nil)); err != nil || r.Closed || r.InBalance || r.HostTotal != nil {
		t.Errorf("a sale closes a batch: %+v, %v", r, err)
	}
}
