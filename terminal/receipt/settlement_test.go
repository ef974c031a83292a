package receipt

import (
	"strings"
	"testing"
	"time"

	"tillway/money"
	"tillway/terminal"
)

// aBatch is a batch of two schemes with a refund, and one payment that the bank has not heard of.
func aBatch(t *testing.T) (terminal.Batch, []terminal.Item) {
	t.Helper()
	kwd, err := money.ByCode("KWD")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 23, 5, 0, 0, 0, time.UTC)
	item := func(id terminal.SaleID, kind terminal.Kind, scheme string, minor int64, debts ...terminal.Debt) terminal.Item {
		return terminal.Item{Debts: debts, Sale: terminal.Sale{
			ID: id, Kind: kind, State: terminal.Approved, Scheme: scheme, Amount: money.New(minor, kwd), STAN: uint32(id), Started: at,
		}}
	}
	items := []terminal.Item{
		item(1041, terminal.KindSale, "visa", 10_525),
		item(1042, terminal.KindSale, "visa", 99_250),
		item(1043, terminal.KindSale, "mastercard", 7_000),
		item(1044, terminal.KindRefund, "mastercard", 1_500),
		item(1045, terminal.KindSale, "visa", 3_000, terminal.Debt{Kind: terminal.AdviceDebt, State: terminal.Parked, Reason: "the bank refused it: code 30"}),
		item(1046, terminal.KindPreauth, "visa", 40_000),
		item(1047, terminal.KindSale, "visa", 5_000),
		item(1048, terminal.KindVoid, "visa", 5_000),
	}
	items[0].Sale.Tip = money.New(525, kwd)
	items[1].Sale.Cashback = money.New(5_000, kwd)
	items[6].Void = 1048
	items = append(items, terminal.Item{Sale: terminal.Sale{ID: 1049, State: terminal.Declined, STAN: 9}})
	return terminal.Batch{Acquirer: "nac", Number: 7, State: terminal.BatchOpen, Currency: kwd, Opened: at}, items
}

// The golden reports and proofs are read as a merchant reads them.
func TestGoldenSettlement(t *testing.T) {
	zone := time.FixedZone("AST", 3*3600)
	head := Header{Name: header.Name, Location: header.Location, Zone: zone}
	at := time.Date(2026, 11, 23, 20, 31, 0, 0, time.UTC)
	open, items := aBatch(t)
	closed := open
	closed.State, closed.Fixed, closed.Closed, closed.By, closed.LeaveParked = terminal.BatchClosed, at.Add(-time.Minute), at, "the terminal: the daily cut-off", true
	closed.Totals, closed.Balanced, closed.Code, closed.Reason = terminal.TotalsOf(terminal.Counted(items)), true, "00", "response code 00"
	closed.Counted = terminal.Ranges(terminal.Counted(items))
	uploaded := closed
	uploaded.By, uploaded.Uploaded = "sara", 4
	uploaded.Host = []terminal.TotalsLine{{Sales: 2, SalesSum: 17_525, Refunds: 1, RefundsSum: 1_500}}
	uploaded.Findings = terminal.Compare(items, uploaded.Totals, uploaded.Host)
	disputed := uploaded
	disputed.State, disputed.Closed, disputed.Balanced, disputed.Code = terminal.BatchDisputed, time.Time{}, false, "95"
	disputed.Reason = "the bank refused the totals: response code 95"
	byHand := disputed
	byHand.State, byHand.Closed, byHand.Note = terminal.BatchClosed, at, "acquirer credits 99.250 by hand, case 8812"
	byHand.Reason = "closed by hand by sara"
	differs := closed
	differs.Balanced, differs.Code = false, "501"
	differs.Host = []terminal.TotalsLine{{Scheme: "visa", Sales: 2, SalesSum: 109_775}, {Scheme: "mastercard", Sales: 1, SalesSum: 7_000, Refunds: 0}}
	differs.Findings, differs.Reason = terminal.Compare(items, differs.Totals, differs.Host), "the bank has closed the batch with other totals: response code 501"
	pending := uploaded
	pending.State, pending.Closed, pending.Balanced, pending.Code, pending.Host, pending.Findings = terminal.BatchTotalling, time.Time{}, false, "", nil, nil
	pending.Reason = "no answer in time"
	for _, row := range []struct {
		file  string
		batch terminal.Batch
		draw  func(terminal.Report, Header, string, string) BatchSlip
		width int
	}{
		{"report-x", open, DrawReport, 0},
		{"report-x-32", open, DrawReport, 32},
		{"report-z", closed, DrawReport, 0},
		{"proof-balanced", closed, DrawProof, 0},
		{"proof-uploaded", uploaded, DrawProof, 0},
		{"proof-disputed", disputed, DrawProof, 0},
		{"proof-by-hand", byHand, DrawProof, 0},
		{"proof-differs", differs, DrawProof, 0},
		{"proof-pending", pending, DrawProof, 0},
	} {
		t.Run(row.file, func(t *testing.T) {
			slip := row.draw(terminal.MakeReport(row.batch, items, at), head, "KW0000000000001", "TILL0001")
			text := slip.Text(row.width)
			golden(t, row.file, text)
			width := row.width
			if width == 0 {
				width = DefaultWidth
			}
			for l := range strings.Lines(text) {
				if n := len([]rune(strings.TrimRight(l, "\n"))); n > width {
					t.Errorf("%d columns: %q", n, l)
				}
			}
			if page := slip.HTML(); !strings.Contains(page, slip.Verdict) && row.batch.State != terminal.BatchOpen || strings.Contains(page, "<script") {
				t.Errorf("%s", page)
			}
		})
	}
}
