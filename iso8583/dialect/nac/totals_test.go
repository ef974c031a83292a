package nac_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"tillway/emv"
	"tillway/iso8583/dialect/nac"
	"tillway/terminal"
)

func totalsRequest() terminal.TotalsRequest {
	return terminal.TotalsRequest{
		STAN: 123, Batch: 1, Time: time.Date(2026, 7, 23, 23, 59, 0, 0, time.UTC), TerminalID: "TILL0001", MerchantID: "KW0000000000001",
		Lines: []terminal.TotalsLine{
			{Scheme: "visa", Sales: 1, SalesSum: 10_525, Refunds: 1, RefundsSum: 4_000, Tips: 1_000},
			{Scheme: "mastercard", Sales: 1, SalesSum: 7_000},
		},
	}
}

func TestTotals(t *testing.T) {
	d := dialect(t, nil)
	b, err := d.Totals(totalsRequest())
	if err != nil {
		t.Fatal(err)
	}
	sameBytes(t, "totals-0500", b)
	final := totalsRequest()
	final.STAN, final.Final = 130, true
	if b, err = d.Totals(final); err != nil {
		t.Fatal(err)
	}
	sameBytes(t, "totals-closing-0500", b)
}

// The three layouts of DE 63, and what fits none.
func TestTotalsLayouts(t *testing.T) {
	const zeros = "000000000000000"
	sales := func(r *terminal.TotalsRequest) { r.Lines[0].Refunds, r.Lines[0].RefundsSum = 0, 0 }
	for _, c := range []struct {
		name   string
		digits int
		edit   func(r *terminal.TotalsRequest)
		want   string // empty: refused
	}{
		{"an empty batch", 30, func(r *terminal.TotalsRequest) { r.Lines = nil }, zeros + zeros},
		{"sales and refunds", 30, nil, "002000000017525" + "001000000004000"},
		{"six pairs", 90, nil, "002000000017525" + "001000000004000" + zeros + zeros + zeros + zeros},
		{"sales alone", 15, sales, "002000000017525"},
		{"sales alone, and there is a refund", 15, nil, ""},
		{"as many as there can be", 30, func(r *terminal.TotalsRequest) { r.Lines[0].Sales = 998 }, "999000000017525" + "001000000004000"},
		{"too many", 30, func(r *terminal.TotalsRequest) { r.Lines[0].Sales = 999 }, ""},
		{"too much", 30, func(r *terminal.TotalsRequest) { r.Lines[0].SalesSum = 999_999_999_999 }, ""},
		{"below zero", 30, func(r *terminal.TotalsRequest) { r.Lines[0].RefundsSum = -1 }, ""},
		{"no batch", 30, func(r *terminal.TotalsRequest) { r.Batch = 0 }, ""},
		{"no trace number", 30, func(r *terminal.TotalsRequest) { r.STAN = 0 }, ""},
		{"no merchant", 30, func(r *terminal.TotalsRequest) { r.MerchantID = "" }, ""},
	} {
		d, req := dialect(t, func(s *nac.Settings) { s.TotalsDigits = c.digits }), totalsRequest()
		if c.edit != nil {
			c.edit(&req)
		}
		b, err := d.Totals(req)
		if c.want == "" {
			if !errors.Is(err, nac.ErrRequest) {
				t.Errorf("%s: %v, want ErrRequest", c.name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		m, err := d.Codec().Unpack(b)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := m.Get(63); got != c.want {
			t.Errorf("%s: DE 63 %q, want %q", c.name, got, c.want)
		}
		if refunds := slices.Contains(d.Can().Kinds, terminal.KindRefund); refunds != (c.digits != 15) {
			t.Errorf("totals of %d digits, refunds %v", c.digits, refunds)
		}
	}
}

// uploadRequest is that of upload-0320.txt.
func uploadRequest(t testing.TB) terminal.UploadRequest {
	t.Helper()
	req := saleRequest(t)
	req.Way, req.AuthCode = terminal.WayOnline, "A1B2C3"
	return terminal.UploadRequest{Request: req, Trace: 125, RRN: "620410000123", Code: "00"}
}

func TestUpload(t *testing.T) {
	b, err := dialect(t, nil).Upload(uploadRequest(t))
	if err != nil {
		t.Fatal(err)
	}
	sameBytes(t, "upload-0320", b)
}

// Each kind that a batch's totals count names the message that its money came by.
func TestUploadedKinds(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(r *terminal.UploadRequest)
		has  map[int]string // nil: refused
	}{
		{"offline approval", func(r *terminal.UploadRequest) { r.Way, r.Code = terminal.WayOffline, "Y1" }, map[int]string{3: "000000", 39: "Y1", 60: "0220000123620410000123"}},
		{"forced sale", func(r *terminal.UploadRequest) { r.Kind, r.Way = terminal.KindForced, terminal.WayVoice }, map[int]string{3: "000000", 60: "0220000123620410000123"}},
		{"completion", func(r *terminal.UploadRequest) { r.Kind = terminal.KindCompletion }, map[int]string{3: "000000", 22: "012", 25: "06", 60: "0220000123620410000123"}},
		{"sale in two", func(r *terminal.UploadRequest) { r.TwoStep = true }, map[int]string{3: "000000", 60: "0220000123620410000123"}},
		{"refund", func(r *terminal.UploadRequest) { r.Kind = terminal.KindRefund }, map[int]string{3: "200000", 60: "0200000123620410000123"}},
		{"refund of an original", func(r *terminal.UploadRequest) {
			r.Kind, r.Original = terminal.KindRefund, earlier(terminal.KindSale)
		}, map[int]string{3: "200000", 37: "620410000123", 60: "0200000123620410000123"}},
		{"deferred", func(r *terminal.UploadRequest) { r.Way = terminal.WayDeferred }, map[int]string{3: "000000", 60: "0200000123620410000123"}},
		{"short reference number, no code", func(r *terminal.UploadRequest) { r.RRN, r.Code = "77", "" }, map[int]string{39: "", 60: "020000012377          "}},
		{"no reference number", func(r *terminal.UploadRequest) { r.RRN = "" }, map[int]string{23: "", 37: "", 60: "0200000123            "}},
		{"approved in part, less than its tip", func(r *terminal.UploadRequest) { r.Tip = dinars(t, 20_000) }, map[int]string{3: "000000", 4: "000000010525", 54: ""}},
		{"with tip and cash", func(r *terminal.UploadRequest) { r.Tip, r.Cashback = dinars(t, 500), dinars(t, 1_000) }, map[int]string{3: "090000", 54: "0044414D0000000005000040414D000000001000"}},
		{"stripe", func(r *terminal.UploadRequest) { r.Entry = terminal.EnteredStripe }, map[int]string{22: "902"}},
		{"void", func(r *terminal.UploadRequest) { r.Kind = terminal.KindVoid }, nil},
		{"pre-authorisation", func(r *terminal.UploadRequest) { r.Kind = terminal.KindPreauth }, nil},
		{"balance inquiry", func(r *terminal.UploadRequest) { r.Kind = terminal.KindBalance }, nil},
		{"no trace number of its own", func(r *terminal.UploadRequest) { r.Trace = 0 }, nil},
		{"no trace number", func(r *terminal.UploadRequest) { r.STAN = 0 }, nil},
		{"no card", func(r *terminal.UploadRequest) { r.Card.PAN = emv.PAN{} }, nil},
		{"code of three", func(r *terminal.UploadRequest) { r.Code = "000" }, nil},
		{"no time", func(r *terminal.UploadRequest) { r.Time = time.Time{} }, nil},
	} {
		d, req := dialect(t, nil), uploadRequest(t)
		c.edit(&req)
		b, err := d.Upload(req)
		if c.has == nil {
			if !errors.Is(err, nac.ErrRequest) {
				t.Errorf("%s: %v, want ErrRequest", c.name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		m, err := d.Codec().Unpack(b)
		if err != nil {
			t.Fatal(err)
		}
		for n, want := range c.has {
			if got, _ := m.Get(n); got != want {
				t.Errorf("%s: field %d is %q, want %q", c.name, n, got, want)
			}
		}
		if m.Has(35) || m.Has(52) || m.Has(55) {
			t.Errorf("%s: an upload with track, PIN or chip data", c.name)
		}
	}
}
