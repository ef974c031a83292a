package terminal

import (
	"slices"
	"strings"
	"testing"
	"time"

	"tillway/money"
)

func batchItem(id SaleID, kind Kind, scheme string, minor int64, debts ...Debt) Item {
	kwd, err := money.ByCode("KWD")
	if err != nil {
		panic(err)
	}
	return Item{Sale: Sale{ID: id, Kind: kind, State: Approved, Scheme: scheme, Amount: money.New(minor, kwd)}, Debts: debts}
}

// Totals count what the host has: approved, of a kind that takes or gives money, not voided, and acknowledged where the host was told of it
// afterwards.
func TestWhatTotalsCount(t *testing.T) {
	debt := func(kind DebtKind, state DebtState) Debt { return Debt{Kind: kind, State: state, Reason: "code 30"} }
	of := func(f func(*Item)) Item { i := batchItem(1, KindSale, "visa", 1000); f(&i); return i }
	for name, c := range map[string]struct {
		item    Item
		counted bool
	}{
		"sale":                  {batchItem(1, KindSale, "visa", 1000), true},
		"refund":                {batchItem(1, KindRefund, "visa", 1000), true},
		"forced sale, told":     {batchItem(1, KindForced, "visa", 1000, debt(AdviceDebt, Acknowledged)), true},
		"completion, told":      {batchItem(1, KindCompletion, "visa", 1000, debt(AdviceDebt, Acknowledged)), true},
		"deferred, taken":       {batchItem(1, KindSale, "visa", 1000, debt(DeferredDebt, Acknowledged)), true},
		"its reversal is gone":  {batchItem(1, KindSale, "visa", 1000, debt(ReversalDebt, Discharged)), true},
		"answered, then Y3":     {batchItem(1, KindSale, "visa", 1000, debt(ReversalDebt, Acknowledged), debt(AdviceDebt, Acknowledged)), true},
		"not told yet":          {batchItem(1, KindSale, "visa", 1000, debt(AdviceDebt, Owed)), false},
		"on its way":            {batchItem(1, KindSale, "visa", 1000, debt(AdviceDebt, Sent)), false},
		"parked":                {batchItem(1, KindSale, "visa", 1000, debt(AdviceDebt, Parked)), false},
		"deferred, declined":    {batchItem(1, KindSale, "visa", 1000, debt(DeferredDebt, Parked)), false},
		"written off":           {batchItem(1, KindSale, "visa", 1000, debt(AdviceDebt, WrittenOff)), false},
		"voided":                {of(func(i *Item) { i.Void = 2 }), false},
		"declined":              {of(func(i *Item) { i.Sale.State = Declined }), false},
		"reversed":              {of(func(i *Item) { i.Sale.State = Reversed }), false},
		"cancelled":             {of(func(i *Item) { i.Sale.State = Cancelled }), false},
		"a void":                {batchItem(1, KindVoid, "visa", 1000), false},
		"a pre-authorisation":   {batchItem(1, KindPreauth, "visa", 1000), false},
		"an increment":          {batchItem(1, KindIncrement, "visa", 1000), false},
		"a balance inquiry":     {batchItem(1, KindBalance, "visa", 0), false},
		"its reversal is owed":  {of(func(i *Item) { i.Sale.State, i.Debts = Reversed, []Debt{debt(ReversalDebt, Owed)} }), false},
		"its reversal's parked": {of(func(i *Item) { i.Sale.State, i.Debts = Reversed, []Debt{debt(ReversalDebt, Parked)} }), false},
	} {
		if got := len(Counted([]Item{c.item})) == 1; got != c.counted || (c.item.Missing() == "") != c.counted {
			t.Errorf("%s: counted %v (%q)", name, got, c.item.Missing())
		}
		if parked := len(ParkedItems([]Item{c.item})) == 1; parked != (len(c.item.Debts) == 1 && c.item.Debts[0].State == Parked) {
			t.Errorf("%s: parked %v", name, parked)
		}
	}
}

// Totals have a line for each scheme, credits apart from debits, and what was approved in part counts as what was approved.
func TestTotalsByScheme(t *testing.T) {
	part := batchItem(3, KindSale, "visa", 9000)
	part.Sale.Approved = money.New(4000, part.Sale.Amount.Currency)
	rich := batchItem(2, KindSale, "mastercard", 2000)
	rich.Sale.Tip.Minor, rich.Sale.Cashback.Minor = 300, 500
	lines := TotalsOf([]Item{batchItem(1, KindSale, "visa", 1000), rich, part, batchItem(4, KindRefund, "visa", 250), batchItem(5, KindForced, "", 70)})
	want := []TotalsLine{
		{Sales: 1, SalesSum: 70},
		{Scheme: "mastercard", Sales: 1, SalesSum: 2000, Tips: 300, Cashback: 500},
		{Scheme: "visa", Sales: 2, SalesSum: 5000, Refunds: 1, RefundsSum: 250},
	}
	if len(lines) != len(want) {
		t.Fatalf("%+v", lines)
	}
	for i := range want {
		if lines[i] != want[i] {
			t.Errorf("%+v, want %+v", lines[i], want[i])
		}
	}
	if all := SumLines(lines); all.Net() != 6820 || all.Sales != 4 || all.Scheme != "" {
		t.Errorf("all: %+v", all)
	}
}

// What makes a difference is named where the numbers prove it, and never guessed where they do not.
func TestCompare(t *testing.T) {
	items := []Item{
		batchItem(1, KindSale, "visa", 1000), batchItem(2, KindSale, "visa", 2500), batchItem(3, KindSale, "mastercard", 7000),
		batchItem(4, KindRefund, "visa", 400), batchItem(5, KindSale, "visa", 2500), batchItem(6, KindSale, "visa", 330),
	}
	reversed := batchItem(7, KindSale, "visa", 910, Debt{Kind: ReversalDebt, State: Parked})
	reversed.Sale.State = Reversed
	items = append(items, reversed)
	ours := TotalsOf(Counted(items)) // 5 sales of 13330, 1 refund of 400
	for name, c := range map[string]struct {
		host  []TotalsLine
		sales []SaleID
	}{
		"says nothing":           {nil, nil},
		"the same":               {[]TotalsLine{{Sales: 5, SalesSum: 13_330, Refunds: 1, RefundsSum: 400}}, nil},
		"one less":               {[]TotalsLine{{Sales: 4, SalesSum: 12_330, Refunds: 1, RefundsSum: 400}}, []SaleID{1}},
		"one of two alike":       {[]TotalsLine{{Sales: 4, SalesSum: 10_830, Refunds: 1, RefundsSum: 400}}, []SaleID{2, 5}},
		"a refund less":          {[]TotalsLine{{Sales: 5, SalesSum: 13_330}}, []SaleID{4}},
		"a sale and a refund":    {[]TotalsLine{{Sales: 4, SalesSum: 6330}}, []SaleID{3, 4}},
		"two less":               {[]TotalsLine{{Sales: 3, SalesSum: 12_000, Refunds: 1, RefundsSum: 400}}, []SaleID{1, 6}},
		"two less, several ways": {[]TotalsLine{{Sales: 3, SalesSum: 9830, Refunds: 1, RefundsSum: 400}}, []SaleID{0}},
		"one less, of no amount": {[]TotalsLine{{Sales: 4, SalesSum: 13_329, Refunds: 1, RefundsSum: 400}}, []SaleID{0}},
		"another amount":         {[]TotalsLine{{Sales: 5, SalesSum: 13_331, Refunds: 1, RefundsSum: 400}}, []SaleID{0}},
		"what we took back":      {[]TotalsLine{{Sales: 6, SalesSum: 14_240, Refunds: 1, RefundsSum: 400}}, []SaleID{7}},
		"one that nobody has":    {[]TotalsLine{{Sales: 6, SalesSum: 14_330, Refunds: 1, RefundsSum: 400}}, []SaleID{0}},
		"three less":             {[]TotalsLine{{Sales: 2, SalesSum: 2830, Refunds: 1, RefundsSum: 400}}, []SaleID{0}},
		"by scheme":              {[]TotalsLine{{Scheme: "visa", Sales: 4, SalesSum: 6330, Refunds: 1, RefundsSum: 400}}, []SaleID{3}},
		"by scheme, the same":    {[]TotalsLine{{Scheme: "mastercard", Sales: 1, SalesSum: 7000}, {Scheme: "visa", Sales: 4, SalesSum: 6330, Refunds: 1, RefundsSum: 400}}, nil},
		"a scheme too many":      {[]TotalsLine{{Scheme: "amex", Sales: 1, SalesSum: 5}, {Scheme: "mastercard", Sales: 1, SalesSum: 7000}, {Scheme: "visa", Sales: 4, SalesSum: 6330, Refunds: 1, RefundsSum: 400}}, []SaleID{0}},
	} {
		found := Compare(items, ours, c.host)
		var got []SaleID
		for _, d := range found {
			got = append(got, d.Sale)
			if d.Why == "" {
				t.Errorf("%s: no word on %+v", name, d)
			}
		}
		if len(got) != len(c.sales) {
			t.Errorf("%s: %+v, want %v", name, found, c.sales)
			continue
		}
		for i := range got {
			if got[i] != c.sales[i] {
				t.Errorf("%s: %+v, want %v", name, found, c.sales)
			}
		}
	}
}

// A batch's record is bounded, whatever the host says of it: hundreds of payments of one price that could each be the one it lacks, and an
// upload of which it refuses each.
func TestFindingsAreBounded(t *testing.T) {
	var items []Item
	for id := SaleID(1); id <= 999; id++ {
		items = append(items, batchItem(id, KindSale, "visa", 1000))
	}
	ours := TotalsOf(items)
	host := []TotalsLine{{Sales: 998, SalesSum: 998_000}}
	found := Compare(items, ours, host)
	if n := len(found); n != mostNamed+1 || found[0].Sale != 1 || found[n-1].Why != "or one of 979 more with that amount" || found[n-1].Sale != 0 {
		t.Errorf("%d findings, the last %+v", n, found[n-1])
	}
	b := Batch{Totals: ours, Host: host}
	b.Find(found...)
	for _, i := range items {
		b.Find(Difference{Sale: i.Sale.ID, Amount: i.Sale.Taken(), Why: strings.Repeat("w", 200)})
	}
	b.Find(Compare(items, ours, host)...)
	if n := len(b.Findings); n != MaxFindings+1 || !strings.HasPrefix(b.Findings[n-1].Why, "there are more findings") {
		t.Errorf("%d findings, the last %+v", n, b.Findings[n-1])
	}
}

// What an upload shows is what the totals counted, in that order: what can be read later or no more changes nobody's place.
func TestUploadKeepsItsPlaces(t *testing.T) {
	item := func(id SaleID) Item { return Item{Sale: Sale{ID: id, Kind: KindSale, State: Approved}} }
	b := Batch{Counted: Ranges([]Item{item(1), item(2), item(4)})}
	if len(b.Counted) != 2 || b.Counted[0] != (SaleRange{1, 2}) || b.Counted[1] != (SaleRange{4, 4}) {
		t.Fatalf("%v", b.Counted)
	}
	var ids []SaleID
	for _, i := range b.ToUpload([]Item{item(1), item(3), item(4)}) { // 2 is in quarantine now, and 3 was then
		if ids = append(ids, i.Sale.ID); (i.Sale.State == "") != (i.Sale.ID == 2) {
			t.Errorf("%+v", i)
		}
	}
	if !slices.Equal(ids, []SaleID{1, 2, 4}) {
		t.Errorf("%v", ids)
	}
	if all := (Batch{}).ToUpload([]Item{item(1), item(3)}); len(all) != 2 {
		t.Errorf("of before: %v", all)
	}
}

// A void that the host is told of takes a payment back until the host has refused it, or was never told: then the host has the payment.
func TestVoidThatTheHostRefused(t *testing.T) {
	for state, stands := range map[DebtState]bool{Owed: true, Acknowledged: true, Parked: false, WrittenOff: false} {
		items := []Item{
			{Sale: Sale{ID: 1, Kind: KindSale, State: Approved}},
			{Sale: Sale{ID: 2, Kind: KindVoid, State: Approved, Of: 1}, Debts: []Debt{{Kind: AdviceDebt, State: state}}},
			{Sale: Sale{ID: 3, Kind: KindSale, State: Approved}},
			{Sale: Sale{ID: 4, Kind: KindVoid, State: Reversed, Of: 3}, Debts: []Debt{{Kind: ReversalDebt, State: Acknowledged}}},
		}
		TakeBack(items)
		if (items[0].Void == 2) != stands || items[2].Void != 0 || len(Counted(items)) != map[bool]int{true: 1, false: 2}[stands] {
			t.Errorf("%s: %+v", state, items)
		}
	}
}

// A report counts what was cancelled beside what was declined and reversed.
func TestTallyOfCancelled(t *testing.T) {
	items := []Item{{Sale: Sale{ID: 1, State: Cancelled}}, {Sale: Sale{ID: 2, State: Declined}}, {Sale: Sale{ID: 3, State: Cancelled}}}
	if got := MakeReport(Batch{}, items, time.Time{}).Tally; got.Cancelled != 2 || got.Declined != 1 || got.Reversed != 0 {
		t.Errorf("%+v", got)
	}
}
