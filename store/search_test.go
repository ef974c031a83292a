package store_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"tillway/money"
	"tillway/store"
	"tillway/terminal"
)

// sold is a journal of ten sales: odd numbers approved, even ones declined, each with its own key, reference and amount.
func sold(t *testing.T) (*folder, *store.Store) {
	t.Helper()
	f := newFolder(t)
	s := f.open()
	for id := terminal.SaleID(1); id <= 10; id++ {
		k := newTeller(t, s, id)
		k.sale.Key, k.sale.Reference = fmt.Sprintf("key-%d", id), fmt.Sprintf("table %d", id%3)
		k.sale.Amount = money.New(1000*int64(id), k.sale.Amount.Currency) //nolint:gosec // small
		k.sale.RRN, k.sale.AuthCode = fmt.Sprintf("6327160000%02d", id), fmt.Sprintf("A%05d", id)
		if id == 4 {
			k.sale.MaskedPAN = "541333******4111"
		}
		if id%2 == 0 {
			k.do(refused...)
		} else {
			k.do(approved...)
		}
	}
	return f, s
}

func idsOf(sales []terminal.Sale) (ids []terminal.SaleID) {
	for _, s := range sales {
		ids = append(ids, s.ID)
	}
	return ids
}

// TestSearch: each question finds what it asks for and nothing else, newest first.
func TestSearch(t *testing.T) {
	_, s := sold(t)
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.FixedZone("AST", 3*3600))
	minor := func(n int64) *int64 { return &n }
	for name, c := range map[string]struct {
		want terminal.Search
		ids  []terminal.SaleID
	}{
		"everything":        {terminal.Search{Limit: 100}, []terminal.SaleID{10, 9, 8, 7, 6, 5, 4, 3, 2, 1}},
		"key":               {terminal.Search{Limit: 5, Key: "key-3"}, []terminal.SaleID{3}},
		"key of none":       {terminal.Search{Limit: 5, Key: "key-33"}, nil},
		"key, other amount": {terminal.Search{Limit: 5, Key: "key-3", Minor: minor(1)}, nil},
		"reference":         {terminal.Search{Limit: 5, Reference: "table 1"}, []terminal.SaleID{10, 7, 4, 1}},
		"a part of one":     {terminal.Search{Limit: 5, Reference: "table"}, nil},
		"quote":             {terminal.Search{Limit: 5, Reference: "' OR 1=1 --"}, nil},
		"amount":            {terminal.Search{Limit: 5, Minor: minor(7000)}, []terminal.SaleID{7}},
		"no amount":         {terminal.Search{Limit: 5, Minor: minor(0)}, nil},
		"card":              {terminal.Search{Limit: 5, Last4: "4111"}, []terminal.SaleID{4}},
		"rrn":               {terminal.Search{Limit: 5, RRN: "632716000008"}, []terminal.SaleID{8}},
		"auth":              {terminal.Search{Limit: 5, Auth: "A00002"}, []terminal.SaleID{2}},
		"stan":              {terminal.Search{Limit: 5, STAN: 9}, []terminal.SaleID{9}},
		"state":             {terminal.Search{Limit: 3, State: terminal.Declined}, []terminal.SaleID{10, 8, 6}},
		"kind":              {terminal.Search{Limit: 5, Kind: terminal.KindRefund}, nil},
		"state below":       {terminal.Search{Limit: 5, State: terminal.Declined, Before: 6}, []terminal.SaleID{4, 2}},
		"from":              {terminal.Search{Limit: 5, From: start.Add(9 * time.Minute)}, []terminal.SaleID{10, 9}},
		"just after":        {terminal.Search{Limit: 5, From: start.Add(9*time.Minute + 1)}, []terminal.SaleID{10}},
		"to":                {terminal.Search{Limit: 5, To: start.Add(3 * time.Minute)}, []terminal.SaleID{2, 1}},
		"in another zone":   {terminal.Search{Limit: 5, From: start.Add(9 * time.Minute).UTC()}, []terminal.SaleID{10, 9}},
		"several":           {terminal.Search{Limit: 5, Reference: "table 1", State: terminal.Approved}, []terminal.SaleID{7, 1}},
	} {
		found, err := s.Search(t.Context(), c.want)
		if err != nil || !slices.Equal(idsOf(found.Sales), c.ids) {
			t.Errorf("%s: %v, %v; want %v", name, idsOf(found.Sales), err, c.ids)
		}
	}
}

// TestSearchGoesOn: pages follow one another without a gap and without a sale twice.
func TestSearchGoesOn(t *testing.T) {
	_, s := sold(t)
	var all []terminal.SaleID
	want := terminal.Search{Limit: 3}
	for range 10 {
		found, err := s.Search(t.Context(), want)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, idsOf(found.Sales)...)
		if want.Before = found.Next; found.Next == 0 {
			break
		}
	}
	if !slices.Equal(all, []terminal.SaleID{10, 9, 8, 7, 6, 5, 4, 3, 2, 1}) || want.Before != 0 {
		t.Errorf("%v, and then %d", all, want.Before)
	}
}

// TestSearchIsBounded: at a hundred thousand sales a request looks at its bound of them and no more, says where to go on, and a key finds
// its sale at once. The many do not authenticate: none of them is given out, whatever it says.
func TestSearchIsBounded(t *testing.T) {
	const many = 100_000
	f := newFolder(t)
	s := f.open()
	old := newTeller(t, s, 1)
	old.sale.Key, old.sale.Reference = "the oldest", "the oldest"
	old.do(approved...)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db := raw(t, f.path())
	for _, change := range []string{
		fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
			INSERT INTO journal SELECT 5 + i, j.time, j.kind, j.acquirer, 1 + i, 0, j.was, j.event, j.becomes, j.duties, j.note,
			'{"v":1,"id":' || (1 + i) || ',"started":"2020-01-01T00:00:00Z","reference":"made up ' || (i %% 1000) || '"}' FROM n, journal j WHERE j.seq = 5`, many),
		fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
			INSERT INTO sale (id, acquirer, batch, state, final, seq) SELECT 1 + i, 'acquirer', 1, 'Approved', 1, 5 + i FROM n`, many),
	} {
		if _, err := db.Exec(change); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s = f.open()
	newest := newTeller(t, s, many+2)
	newest.sale.Reference = "the newest"
	newest.do(approved...)

	found, err := s.Search(t.Context(), terminal.Search{Limit: 10, Reference: "the newest"})
	if err != nil || !slices.Equal(idsOf(found.Sales), []terminal.SaleID{many + 2}) || found.Looked > store.MaxLooked {
		t.Errorf("the newest: %v %v, looked at %d", idsOf(found.Sales), err, found.Looked)
	}
	if found, err = s.Search(t.Context(), terminal.Search{Limit: 10, Key: "the oldest"}); err != nil || len(found.Sales) != 1 || found.Looked != 1 {
		t.Errorf("by key: %v %v, looked at %d", idsOf(found.Sales), err, found.Looked)
	}
	if found, err = s.Search(t.Context(), terminal.Search{Limit: 10, Reference: "made up 7"}); err != nil || len(found.Sales) != 0 {
		t.Errorf("what does not authenticate: %v %v", idsOf(found.Sales), err)
	}
	since := terminal.Search{Limit: 10, From: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	if found, err = s.Search(t.Context(), since); err != nil || !slices.Equal(idsOf(found.Sales), []terminal.SaleID{many + 2}) || found.Next != 0 || found.Looked > 250 {
		t.Errorf("of this year: %v %v, on at %d, looked at %d", idsOf(found.Sales), err, found.Next, found.Looked)
	}
	want, looked, asked := terminal.Search{Limit: 10, Reference: "the oldest"}, 0, 0
	for {
		found, err := s.Search(t.Context(), want)
		if err != nil || found.Looked > store.MaxLooked {
			t.Fatalf("%v, looked at %d", err, found.Looked)
		}
		asked++
		looked += found.Looked
		if found.Next == 0 {
			if !slices.Equal(idsOf(found.Sales), []terminal.SaleID{1}) {
				t.Errorf("at the end: %v", idsOf(found.Sales))
			}
			break
		}
		if found.Next >= want.Before && want.Before != 0 || asked > many {
			t.Fatalf("it goes on at %d, and was at %d", found.Next, want.Before)
		}
		want.Before = found.Next
	}
	if looked != many+2 || asked != (many+2)/store.MaxLooked+1 {
		t.Errorf("looked at %d in %d requests", looked, asked)
	}
}

// TestSearchLeavesOutWhatIsChanged: a sale whose record was changed is not found by what it says now; by its key it is said that it
// is there and cannot be believed.
func TestSearchLeavesOutWhatIsChanged(t *testing.T) {
	f, s := sold(t)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db := raw(t, f.path())
	for _, change := range []string{
		"DROP TRIGGER journal_never_changed",
		`UPDATE journal SET record = replace(record, '"minor":7000', '"minor":7777') WHERE sale = 7`,
		`UPDATE journal SET record = 'no JSON at all' WHERE sale = 5`,
	} {
		if _, err := db.Exec(change); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s = f.open()
	minor := int64(7777)
	if found, err := s.Search(t.Context(), terminal.Search{Limit: 10, Minor: &minor}); err != nil || len(found.Sales) != 0 {
		t.Errorf("%v %v", idsOf(found.Sales), err)
	}
	found, err := s.Search(t.Context(), terminal.Search{Limit: 100})
	if err != nil || !slices.Equal(idsOf(found.Sales), []terminal.SaleID{10, 9, 8, 6, 4, 3, 2, 1}) {
		t.Errorf("%v %v", idsOf(found.Sales), err)
	}
	if _, err := s.Search(t.Context(), terminal.Search{Limit: 1, Key: "key-7"}); !errors.Is(err, terminal.ErrQuarantined) {
		t.Errorf("by its key: %v", err)
	}
}
