package nac_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"tillway/emv"
	"tillway/iso8583"
	"tillway/iso8583/dialect/nac"
	"tillway/terminal"
)

// The public totals, composed from what they say: byte for byte what another terminal sent.
func TestPublicTotalsAreComposed(t *testing.T) {
	for name, c := range map[string]struct {
		tpdu, nii, tid, mid string
		digits              int
		req                 terminal.TotalsRequest
	}{
		"mn-settlement-req":         {"6000030000", "003", "12121138", "000000000024638", 30, terminal.TotalsRequest{STAN: 11, Lines: []terminal.TotalsLine{{Sales: 1, SalesSum: 1_000}}}},
		"hpdh-settlement-req":       {"6000100000", "010", "60060060", "600600600600600", 15, terminal.TotalsRequest{STAN: 37, Lines: []terminal.TotalsLine{{Sales: 1, SalesSum: 50_000}}}},
		"hpdh-final-settlement-req": {"6000100000", "010", "60060060", "600600600600600", 15, terminal.TotalsRequest{STAN: 42, Final: true, Lines: []terminal.TotalsLine{{Sales: 1, SalesSum: 50_000}}}},
	} {
		d := dialect(t, func(s *nac.Settings) { s.TPDU, s.NII, s.TotalsDigits = c.tpdu, c.nii, c.digits })
		c.req.Batch, c.req.TerminalID, c.req.MerchantID = 1, c.tid, c.mid
		b, err := d.Totals(c.req)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if want := publicMessages(t)[name]; !bytes.HasSuffix(want, b) || len(want)-len(b) > 2 { // some have their length in front
			t.Errorf("%s:\n%X, want\n%X", name, b, want)
		}
	}
}

// publicMessage is one of the public messages, read.
func publicMessage(t *testing.T, d *nac.Dialect, name string) *iso8583.Message {
	t.Helper()
	b := publicMessages(t)[name]
	m, err := d.Codec().Unpack(b)
	if err != nil {
		m, err = d.Codec().Unpack(b[2:])
	}
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// The public void, composed from what it says, is that message but for DE 60, which has the original's amount there: one
// acquirer's own. So is the upload, but for DE 60's reference number, which that terminal left empty, and DE 3 and 4, which are those
// of a transaction that took nothing.
func TestPublicVoidAndUploadAreComposed(t *testing.T) {
	d := dialect(t, func(s *nac.Settings) { s.OmitCurrency, s.KeptEntry = true, "02" })
	pan, err := emv.NewPAN("9496250000004287")
	if err != nil {
		t.Fatal(err)
	}
	base := terminal.Request{
		Batch: 1, Invoice: 1, TerminalID: "12121138", MerchantID: "000000000024638", Entry: terminal.EnteredStripe,
		Card: terminal.CardData{PAN: pan, Expiry: "1901"},
	}
	same := func(name string, message []byte, err error, but ...int) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := d.Codec().Unpack(message)
		if err != nil {
			t.Fatal(err)
		}
		want := publicMessage(t, d, name)
		if got.MTI() != want.MTI() || !slices.Equal(got.Fields(), want.Fields()) || !bytes.Equal(got.TPDU, want.TPDU) {
			t.Errorf("%s: %s with fields %v, want %s with %v", name, got.MTI(), got.Fields(), want.MTI(), want.Fields())
		}
		for _, n := range want.Fields() {
			mine, _ := got.Get(n)
			if theirs, _ := want.Get(n); (mine != theirs) != slices.Contains(but, n) {
				t.Errorf("%s: field %d is %q, there %q", name, n, mine, theirs)
			}
		}
	}
	void := base
	void.Kind, void.STAN, void.Amount = terminal.KindVoid, 9, dinars(t, 100_000)
	void.Original = terminal.Original{Kind: terminal.KindSale, Invoice: 1, Time: time.Date(2018, 7, 5, 14, 14, 7, 0, time.UTC), RRN: "070541981959", AuthCode: "600976"}
	message, _, err := d.Request(void)
	same("mn-void-req", message, err, 60)

	d = dialect(t, func(s *nac.Settings) { s.OmitCurrency, s.StripeEntry = true, "02" })
	sold := base
	sold.Kind, sold.Way, sold.STAN, sold.Amount, sold.AuthCode = terminal.KindSale, terminal.WayOnline, 2, dinars(t, 100_000), "591964"
	sold.Time = time.Date(2018, 6, 30, 18, 14, 42, 0, time.UTC)
	message, err = d.Upload(terminal.UploadRequest{Request: sold, Trace: 12, RRN: "063041979951", Code: "00"})
	same("mn-batch-upload-req", message, err, 3, 4, 60)
	got, err := d.Codec().Unpack(message)
	if err != nil {
		t.Fatal(err)
	}
	if mine, _ := got.Get(60); mine != "0200000002063041979951" {
		t.Errorf("DE 60 of the upload: %q", mine)
	}
}
