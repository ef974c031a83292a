package paper

import (
	"bytes"
	"flag"
	"image/png"
	"os"
	"path/filepath"
	"testing"
	"time"

	"tillway/emv"
	"tillway/emv/tlv"
	"tillway/money"
	"tillway/terminal"
	"tillway/terminal/receipt"
)

var update = flag.Bool("update", false, "write the golden pictures anew")

// golden compares dot for dot. The pictures were looked at, and their letters are HarfBuzz's (TestShapedAsHarfBuzz).
func golden(t *testing.T, name string, p Picture) {
	t.Helper()
	path := filepath.Join("testdata", name+".png")
	made, err := p.PNG()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(path, made, 0o644); err != nil { //nolint:gosec // a test's data
			t.Fatal(err)
		}
		return
	}
	kept, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want, err := png.Decode(bytes.NewReader(kept))
	if err != nil {
		t.Fatal(err)
	}
	got, err := png.Decode(bytes.NewReader(made))
	if err != nil {
		t.Fatal(err)
	}
	if want.Bounds() != got.Bounds() {
		t.Fatalf("%s is %v, want %v", name, got.Bounds(), want.Bounds())
	}
	wrong := 0
	for y := range got.Bounds().Dy() {
		for x := range got.Bounds().Dx() {
			a, _, _, _ := want.At(x, y).RGBA()
			b, _, _, _ := got.At(x, y).RGBA()
			if a != b {
				wrong++
			}
		}
	}
	// Other processors add differently in the last place: a dot on the edge of a letter may fall the other way.
	if wrong > 20 {
		t.Errorf("%s: %d dots differ", name, wrong)
	}
}

// chip is what a merchant's copy has of the chip.
func chip(t *testing.T, s terminal.Sale) terminal.Sale {
	t.Helper()
	for tag, v := range map[tlv.Tag][]byte{
		emv.TagApplicationCryptogram: {0x8C, 0xC4, 0x95, 0xA6, 0x6C, 0xAC, 0xA3, 0x8E}, emv.TagCID: {0x40}, emv.TagATC: {0, 0x11},
		emv.TagTVR: {0x80, 0, 0, 0x80, 0}, emv.TagTSI: {0x68, 0}, emv.TagCVMResults: {0x1F, 0, 2},
		emv.TagAuthorisationResponseCode: []byte("00"), emv.TagIssuerApplicationData: {6, 1, 0x0A, 3, 0xA0, 0, 0},
	} {
		s.Tags.Put(tag, v)
	}
	return s
}

func with(s terminal.Sale, change func(*terminal.Sale)) terminal.Sale {
	change(&s)
	return s
}

func TestGoldenPictures(t *testing.T) {
	typesetter, err := New()
	if err != nil {
		t.Fatal(err)
	}
	declined := with(debit(t), func(s *terminal.Sale) {
		s.State, s.ResponseCode, s.AuthCode = terminal.Declined, "51", ""
		s.Outcome = terminal.Outcome{Code: "declined", Happened: "There is not enough money on the account. (code 51)", Do: "Ask for another card or another way to pay."}
	})
	void := with(sale(t), func(s *terminal.Sale) { s.ID, s.Kind, s.Of = 1043, terminal.KindVoid, 1042 })
	refund := with(debit(t), func(s *terminal.Sale) { s.ID, s.Kind, s.Of = 1044, terminal.KindRefund, 1042 })
	sign := chip(t, with(sale(t), func(s *terminal.Sale) {
		s.State, s.Method, s.Signature = terminal.AgreementOnline, emv.Signature, true
	}))
	offline := with(sale(t), func(s *terminal.Sale) { s.Way, s.ResponseCode, s.RRN, s.AuthCode = terminal.WayOffline, "", "", "" })
	part := with(sale(t), func(s *terminal.Sale) {
		s.Amount, s.Tip, s.Approved, s.ResponseCode = kwd(t, 25_500), kwd(t, 2_000), kwd(t, 4_000), "10"
	})
	reversed := with(sale(t), func(s *terminal.Sale) {
		s.State, s.AuthCode, s.ResponseCode, s.RRN = terminal.Reversed, "", "", ""
		s.Outcome = terminal.Conclude(terminal.Row{From: terminal.FinishUnanswered, Event: terminal.CardRefuses, To: terminal.Reversed}, terminal.Sale{}, terminal.Outcome{}, "")
	})
	training := with(sale(t), func(s *terminal.Sale) { s.ID, s.Training = 900000000000001, true })
	for _, c := range []struct {
		name   string
		sale   terminal.Sale
		copied receipt.Copy
		again  bool
		lang   receipt.Language
		dots   int
		digits money.Digits
	}{
		{"sale-en", sale(t), receipt.Customer, false, receipt.English, Wide, ""},
		{"sale-ar", sale(t), receipt.Customer, false, receipt.Arabic, Wide, ""},
		{"sale-both", debit(t), receipt.Customer, false, receipt.Both, Wide, ""},
		{"sale-ar-digits", debit(t), receipt.Customer, false, receipt.Arabic, Wide, money.ArabicIndic},
		{"sale-both-narrow", debit(t), receipt.Customer, true, receipt.Both, Narrow, ""},
		{"declined-ar", declined, receipt.Customer, false, receipt.Arabic, Wide, ""},
		{"declined-both-merchant", chip(t, declined), receipt.Merchant, false, receipt.Both, Wide, ""},
		{"offline-both", offline, receipt.Customer, false, receipt.Both, Wide, ""},
		{"part-ar", part, receipt.Customer, false, receipt.Arabic, Wide, ""},
		{"sign-both-merchant", sign, receipt.Merchant, false, receipt.Both, Wide, ""},
		{"refund-ar-narrow", refund, receipt.Customer, false, receipt.Arabic, Narrow, ""},
		{"void-both", void, receipt.Customer, false, receipt.Both, Wide, ""},
		{"reversed-ar", reversed, receipt.Customer, false, receipt.Arabic, Wide, ""},
		{"training-both", training, receipt.Customer, false, receipt.Both, Wide, ""},
		{"sale-ar-merchant", chip(t, sale(t)), receipt.Merchant, false, receipt.Arabic, Wide, ""},
	} {
		head := header
		head.Digits = c.digits
		golden(t, c.name, typesetter.Draw(pageOf(t, c.sale, head, c.copied, c.again), c.lang, c.dots))
	}
}

// batch is one of two schemes with a refund, a void, and a payment that the bank has not heard of.
func batch(t *testing.T) (terminal.Batch, []terminal.Item) {
	t.Helper()
	k := kwd(t, 0).Currency
	item := func(id terminal.SaleID, kind terminal.Kind, scheme string, minor int64, debts ...terminal.Debt) terminal.Item {
		return terminal.Item{Debts: debts, Sale: terminal.Sale{ID: id, Kind: kind, State: terminal.Approved, Scheme: scheme, Amount: money.New(minor, k), STAN: uint32(id)}} //nolint:gosec // small
	}
	items := []terminal.Item{
		item(1041, terminal.KindSale, "visa", 10_525), item(1042, terminal.KindSale, "visa", 99_250), item(1043, terminal.KindSale, "mastercard", 7_000),
		item(1044, terminal.KindRefund, "mastercard", 1_500),
		item(1045, terminal.KindSale, "visa", 3_000, terminal.Debt{Kind: terminal.AdviceDebt, State: terminal.Parked, Reason: "the bank refused it: code 30"}),
		item(1047, terminal.KindSale, "visa", 5_000),
	}
	items[0].Sale.Tip, items[5].Void = money.New(525, k), 1048
	return terminal.Batch{Acquirer: "nac", Number: 7, State: terminal.BatchOpen, Currency: k, Opened: time.Date(2026, 11, 23, 5, 0, 0, 0, time.UTC)}, items
}

func TestGoldenReports(t *testing.T) {
	typesetter, err := New()
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 23, 20, 31, 0, 0, time.UTC)
	open, items := batch(t)
	closed := open
	closed.State, closed.Fixed, closed.Closed, closed.By, closed.LeaveParked = terminal.BatchClosed, at.Add(-time.Minute), at, "sara", true
	closed.Totals, closed.Balanced, closed.Code, closed.Reason = terminal.TotalsOf(terminal.Counted(items)), true, "00", "response code 00"
	disputed := closed
	disputed.State, disputed.Closed, disputed.Balanced, disputed.Code = terminal.BatchDisputed, time.Time{}, false, "95"
	disputed.Host = []terminal.TotalsLine{{Sales: 2, SalesSum: 17_525, Refunds: 1, RefundsSum: 1_500}}
	disputed.Findings, disputed.Reason = terminal.Compare(items, disputed.Totals, disputed.Host), "the bank refused the totals: response code 95"
	for _, c := range []struct {
		name  string
		batch terminal.Batch
		draw  func(terminal.Report, receipt.Header, string, string) receipt.BatchSlip
		lang  receipt.Language
	}{
		{"report-x-ar", open, receipt.DrawReport, receipt.Arabic},
		{"report-z-both", closed, receipt.DrawReport, receipt.Both},
		{"proof-en", closed, receipt.DrawProof, receipt.English},
		{"proof-ar", closed, receipt.DrawProof, receipt.Arabic},
		{"proof-disputed-ar", disputed, receipt.DrawProof, receipt.Arabic},
	} {
		slip := c.draw(terminal.MakeReport(c.batch, items, at), header, "KW0000000000001", "TILL0001")
		golden(t, c.name, typesetter.Draw(slip.Page(), c.lang, Wide))
	}
}
