package till

import (
	"encoding/json"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"tillway/money"
	"tillway/terminal"
	"tillway/terminal/people"
)

// TestSearchQuery: what a query says reaches the journal, and the answer says where to go on.
func TestSearchQuery(t *testing.T) {
	zone := time.FixedZone("Kuwait", 3*3600)
	minor := int64(10_525)
	for query, want := range map[string]terminal.Search{
		"key=k1":                             {Limit: 20, Key: "k1"},
		"key=ecr:till3:k1":                   {Limit: 20, Key: "ecr:till3:k1"},
		"reference=table+7&last=5":           {Limit: 5, Reference: "table 7"},
		"amount=10525":                       {Limit: 20, Minor: &minor},
		"amount=0":                           {Limit: 20, Minor: new(int64)},
		"pan=0119":                           {Limit: 20, Last4: "0119"},
		"rrn=632716000001&auth=A12345":       {Limit: 20, RRN: "632716000001", Auth: "A12345"},
		"stan=42":                            {Limit: 20, STAN: 42},
		"state=Declined&kind=refund":         {Limit: 20, State: terminal.Declined, Kind: terminal.KindRefund},
		"before=1042":                        {Limit: 20, Before: 1042},
		"from=2026-11-23":                    {Limit: 20, From: time.Date(2026, 11, 23, 0, 0, 0, 0, zone)},
		"to=2026-11-23":                      {Limit: 20, To: time.Date(2026, 11, 24, 0, 0, 0, 0, zone)},
		"from=2026-11-23&to=2026-11-23":      {Limit: 20, From: time.Date(2026, 11, 23, 0, 0, 0, 0, zone), To: time.Date(2026, 11, 24, 0, 0, 0, 0, zone)},
		"reference=%D8%B7%D8%A7%D9%88%D9%84": {Limit: 20, Reference: "طاول"},
	} {
		s := newScript(t, call{"Current", nil, []any{terminal.Sale{}, false}},
			call{"Search", []any{want}, []any{terminal.Found{Sales: []terminal.Sale{aSale(t, 1041, terminal.Approved)}, Next: 1041}, nil}})
		w := ask(t, handlerFor(t, s, func(c *Config) { c.Header.Zone = zone }), "GET", "/v1/sales?"+query, "")
		var got Sales
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusOK || len(got.Sales) != 1 || got.Next != 1041 {
			t.Errorf("%s: %d %s", query, w.Code, w.Body)
		}
	}
}

// TestSearchRefuses: a query that could be read in two ways, or finds everything because it is misspelt, finds nothing.
func TestSearchRefuses(t *testing.T) {
	for _, query := range []string{
		"referense=table+7", "key=", "key=a&key=b", "last=0", "last=1001", "amount=-1", "amount=1.5", "amount=1e3", "pan=4761739001010119", "pan=011", "pan=01a9",
		"stan=0", "stan=1000000", "state=approved", "state=Lost", "kind=theft", "from=23.11.2026", "from=2026-02-30", "from=2026-11-24&to=2026-11-23",
		"before=0", "before=-1", "before=x", "rrn=1234567890123", "auth=1234567", "reference=" + strings.Repeat("r", 65), "card_of=7&key=k", "card_of=x",
	} {
		w := ask(t, handlerFor(t, newScript(t)), "GET", "/v1/sales?"+query, "")
		var p Problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != http.StatusBadRequest || p.Do == "" {
			t.Errorf("%s: %d %s", query, w.Code, w.Body)
		}
		if strings.Contains(w.Body.String(), "4761739001010119") {
			t.Error("a card number is said back")
		}
	}
}

// TestSearchFindsTheRunningSale: a sale that is not on disk yet is found by its key and its reference, once.
func TestSearchFindsTheRunningSale(t *testing.T) {
	running := aSale(t, 1042, terminal.Sending)
	running.Key, running.Reference = "k1", "table 7"
	older := aSale(t, 1041, terminal.Approved)
	older.Reference = "table 7"
	for query, c := range map[string]struct {
		want    terminal.Search
		on      []terminal.Sale
		ids     []terminal.SaleID
		goingOn terminal.SaleID
	}{
		"key=k1":                   {terminal.Search{Limit: 20, Key: "k1"}, []terminal.Sale{running}, []terminal.SaleID{1042}, 0},
		"reference=table+7":        {terminal.Search{Limit: 20, Reference: "table 7"}, []terminal.Sale{older}, []terminal.SaleID{1042, 1041}, 0},
		"reference=table+7&last=1": {terminal.Search{Limit: 1, Reference: "table 7"}, []terminal.Sale{older}, []terminal.SaleID{1042}, 1042},
		"key=k2":                   {terminal.Search{Limit: 20, Key: "k2"}, nil, nil, 0},
	} {
		s := newScript(t, call{"Current", nil, []any{running, true}}, call{"Search", []any{c.want}, []any{terminal.Found{Sales: c.on}, nil}})
		w := ask(t, handlerFor(t, s), "GET", "/v1/sales?"+query, "")
		var got Sales
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		var ids []terminal.SaleID
		for _, sale := range got.Sales {
			ids = append(ids, sale.ID)
		}
		if !reflect.DeepEqual(ids, c.ids) || got.Next != c.goingOn {
			t.Errorf("%s: %v, on at %d", query, ids, got.Next)
		}
	}
}

// TestSearchOfRegisters: a register finds its own key, and not another's by saying its name.
func TestSearchOfRegisters(t *testing.T) {
	for key, inside := range map[string]string{"k1": "ecr:till3:k1", "ecr:till4:k1": "ecr:till3:ecr:till4:k1"} {
		s := newScript(t, call{"Current", nil, []any{terminal.Sale{}, false}}, call{"Search", []any{terminal.Search{Limit: 20, Key: inside}}, []any{terminal.Found{}, nil}})
		var h http.Handler
		handlerFor(t, s, func(c *Config) {
			c.Access.register = registersOf(map[string]people.ECR{"abc": {Name: "till3", May: people.DefaultGrants()}})
			h = New(*c).ECR()
		})
		if w := (browser{host: "x", bearer: "abc"}).ask(t, h, "GET", "/v1/sales?key="+key, ""); w.Code != http.StatusOK {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
}

// TestListGoesOn: a plain list says where it goes on, when it is full.
func TestListGoesOn(t *testing.T) {
	sales := []terminal.Sale{aSale(t, 1042, terminal.Approved), aSale(t, 1041, terminal.Approved)}
	for last, next := range map[string]terminal.SaleID{"2": 1041, "3": 0} {
		n := 2
		if last == "3" {
			n = 3
		}
		w := ask(t, handlerFor(t, newScript(t, call{"Last", []any{n}, []any{sales, nil}})), "GET", "/v1/sales?last="+last, "")
		var got Sales
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got.Next != next || len(got.Sales) != 2 {
			t.Errorf("last=%s: %s", last, w.Body)
		}
	}
}

// FuzzSearch: whatever a query says, what is taken of it is a search that is bounded, and finds what it was made of.
func FuzzSearch(f *testing.F) {
	for _, seed := range []string{"key=k1", "reference=table+7&last=5", "amount=10525&from=2026-11-23", "pan=0119&before=3", "state=Approved&stan=42", "a=%zz;&&"} {
		f.Add(seed)
	}
	h := &handler{cfg: Config{Access: openAccess()}}
	f.Fuzz(func(t *testing.T, query string) {
		r := &http.Request{URL: &url.URL{Path: "/v1/sales", RawQuery: query}}
		s, err := h.readSearch(r)
		if err != nil {
			return
		}
		if s.Limit < 1 || s.Limit > MaxRows || len(s.Key) > maxSearchWord || len(s.Reference) > maxSearchWord || len(s.Last4) > 4 {
			t.Errorf("%q is %+v", query, s)
		}
		sale := terminal.Sale{
			ID: 1, Key: s.Key, Reference: s.Reference, MaskedPAN: "476173******" + s.Last4, RRN: s.RRN, AuthCode: s.Auth, STAN: s.STAN, State: s.State, Kind: s.Kind, Started: s.From,
		}
		if s.From.IsZero() && !s.To.IsZero() {
			sale.Started = s.To.Add(-1)
		}
		if s.Minor != nil {
			sale.Amount = money.Amount{Minor: *s.Minor}
		}
		if !s.Matches(sale) && s.Before != 1 {
			t.Errorf("%q does not find what it asks for: %+v", query, s)
		}
	})
}
