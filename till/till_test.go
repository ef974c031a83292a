package till

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tillway/emv"
	"tillway/money"
	"tillway/terminal"
	"tillway/terminal/receipt"
)

const goodOrder = `{"kind":"sale","amount":{"minor":10525,"currency":"KWD"},"reference":"table 7","key":"k1"}`

func orderOf(t *testing.T) terminal.Order {
	t.Helper()
	return terminal.Order{Kind: terminal.KindSale, Amount: money.New(10_525, kwd(t)), Reference: "table 7", Key: "k1"}
}

func TestStartGivesTheSaleAndItsPlace(t *testing.T) {
	sale := aSale(t, 1042, terminal.AwaitCard)
	h := handlerFor(t, newScript(t, call{"Start", []any{orderOf(t)}, []any{sale, nil}}))
	w := ask(t, h, "POST", "/v1/sales", goodOrder)
	if w.Code != http.StatusCreated || w.Header().Get("Location") != "/v1/sales/1042" {
		t.Fatalf("status %d, Location %q: %s", w.Code, w.Header().Get("Location"), w.Body)
	}
	var got terminal.Sale
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got.ID != 1042 || got.State != terminal.AwaitCard {
		t.Errorf("sale %+v, %v", got, err)
	}
	if w.Header().Get("Cache-Control") != "no-store" {
		t.Error("an answer may be kept by a cache")
	}
}

// Every kind's order reaches the lane as it was sent; a void and a balance inquiry have no amount of their own.
func TestOrdersOfEveryKind(t *testing.T) {
	amount := func(minor int64) money.Amount { return money.New(minor, kwd(t)) }
	for body, want := range map[string]terminal.Order{
		`{"kind":"sale","amount":{"minor":9000,"currency":"KWD"},"tip":{"minor":1000,"currency":"KWD"},"cashback":{"minor":5000,"currency":"KWD"}}`: {
			Kind: terminal.KindSale, Amount: amount(9000), Tip: amount(1000), Cashback: amount(5000),
		},
		`{"kind":"refund","amount":{"minor":9000,"currency":"KWD"},"of":1041}`: {Kind: terminal.KindRefund, Amount: amount(9000), Of: 1041},
		`{"kind":"void","of":1041}`:                                                {Kind: terminal.KindVoid, Amount: amount(0), Of: 1041},
		`{"kind":"preauth","amount":{"minor":9000,"currency":"KWD"}}`:              {Kind: terminal.KindPreauth, Amount: amount(9000)},
		`{"kind":"increment","amount":{"minor":9000,"currency":"KWD"},"of":1041}`:  {Kind: terminal.KindIncrement, Amount: amount(9000), Of: 1041},
		`{"kind":"completion","amount":{"minor":9000,"currency":"KWD"},"of":1041}`: {Kind: terminal.KindCompletion, Amount: amount(9000), Of: 1041},
		`{"kind":"balance"}`: {Kind: terminal.KindBalance, Amount: amount(0)},
		`{"kind":"forced","amount":{"minor":9000,"currency":"KWD"},"auth":"A12345"}`: {Kind: terminal.KindForced, Amount: amount(9000), AuthCode: "A12345"},
	} {
		sale := aSale(t, 1042, terminal.AwaitCard)
		h := handlerFor(t, newScript(t, call{"Start", []any{want}, []any{sale, nil}}))
		if w := ask(t, h, "POST", "/v1/sales", body); w.Code != http.StatusCreated {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
	}
}

// What the lane refuses reaches the client with a status, a word and advice; its own trouble is not told in detail.
func TestRefusalsOfTheLane(t *testing.T) {
	for _, row := range []struct {
		err    error
		status int
		code   string
	}{
		{fmt.Errorf("%w: sale 7", terminal.ErrBusy), 409, "busy"},
		{fmt.Errorf("%w: sale 7, KWD 1.000", terminal.ErrKeyReused), 409, "key_reused"},
		{fmt.Errorf("%w: amount 0.000", terminal.ErrOrder), 422, "order_refused"},
		{context.Canceled, 503, "stopping"},
		{errors.New("disk /secret/path gone"), 500, "internal"},
	} {
		t.Run(row.code, func(t *testing.T) {
			h := handlerFor(t, newScript(t, call{"Start", []any{orderOf(t)}, []any{terminal.Sale{}, row.err}}))
			p := isProblem(t, ask(t, h, "POST", "/v1/sales", goodOrder), row.status, row.code)
			if strings.Contains(p.Detail, "secret") {
				t.Errorf("internals told to a client: %q", p.Detail)
			}
		})
	}
}

// Bodies that must never reach the lane: the script expects no call.
func TestOrdersThatAreRefused(t *testing.T) {
	for _, row := range []struct {
		name, body, contentType string
		status                  int
		code                    string
	}{
		{"not JSON by its type", goodOrder, "text/plain", 415, "not_json"},
		{"no type at all", goodOrder, "", 415, "not_json"},
		{"empty", "", "application/json", 400, "bad_order"},
		{"cut off", goodOrder[:30], "application/json", 400, "bad_order"},
		{"another order behind it", goodOrder + goodOrder, "application/json", 400, "bad_order"},
		{"a list", "[" + goodOrder + "]", "application/json", 400, "bad_order"},
		{"unknown member", `{"kind":"sale","amount":{"minor":1,"currency":"KWD"},"tips":1}`, "application/json", 400, "bad_order"},
		{"tip as a number", `{"kind":"sale","amount":{"minor":1,"currency":"KWD"},"tip":1}`, "application/json", 400, "bad_order"},
		{"tip without currency", `{"kind":"sale","amount":{"minor":1,"currency":"KWD"},"tip":{"minor":1}}`, "application/json", 400, "bad_order"},
		{"tip in another currency", `{"kind":"sale","amount":{"minor":1,"currency":"KWD"},"tip":{"minor":1,"currency":"USD"}}`, "application/json", 400, "bad_order"},
		{"cashback in another currency", `{"kind":"sale","amount":{"minor":1,"currency":"KWD"},"cashback":{"minor":1,"currency":"USD"}}`, "application/json", 400, "bad_order"},
		{"of nothing", `{"kind":"void","of":0}`, "application/json", 400, "bad_order"},
		{"of less than nothing", `{"kind":"void","of":-1}`, "application/json", 400, "bad_order"},
		{"of past 63 bits", `{"kind":"void","of":9223372036854775808}`, "application/json", 400, "bad_order"},
		{"of as text", `{"kind":"void","of":"1041"}`, "application/json", 400, "bad_order"},
		{"a refund without an amount", `{"kind":"refund","of":1041}`, "application/json", 400, "bad_order"},
		{"somebody else's name", `{"kind":"void","of":1041,"by":"sara"}`, "application/json", 400, "bad_order"},
		{"unknown member of the amount", `{"kind":"sale","amount":{"minor":1,"currency":"KWD","exponent":2}}`, "application/json", 400, "bad_order"},
		{"amount twice", `{"kind":"sale","amount":{"minor":1,"currency":"KWD"},"amount":{"minor":9,"currency":"KWD"}}`, "application/json", 400, "bad_order"},
		{"minor twice, in two cases", `{"kind":"sale","amount":{"minor":1,"MINOR":9,"currency":"KWD"}}`, "application/json", 400, "bad_order"},
		{"amount with a point", `{"kind":"sale","amount":{"minor":10.525,"currency":"KWD"}}`, "application/json", 400, "bad_order"},
		{"amount as text", `{"kind":"sale","amount":{"minor":"10525","currency":"KWD"}}`, "application/json", 400, "bad_order"},
		{"amount past 64 bits", `{"kind":"sale","amount":{"minor":99999999999999999999,"currency":"KWD"}}`, "application/json", 400, "bad_order"},
		{"amount null", `{"kind":"sale","amount":null}`, "application/json", 400, "bad_order"},
		{"no minor", `{"kind":"sale","amount":{"currency":"KWD"}}`, "application/json", 400, "bad_order"},
		{"no currency", `{"kind":"sale","amount":{"minor":1}}`, "application/json", 400, "bad_order"},
		{"currency of no country", `{"kind":"sale","amount":{"minor":1,"currency":"XXX"}}`, "application/json", 400, "bad_order"},
		{"no kind", `{"amount":{"minor":1,"currency":"KWD"}}`, "application/json", 400, "bad_order"},
		{"nested to the sky", strings.Repeat("[", 4000), "application/json", 400, "bad_order"},
		{"too long", `{"kind":"` + strings.Repeat("x", MaxBody) + `"}`, "application/json", 413, "too_large"},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := handlerFor(t, newScript(t))
			r := httptest.NewRequestWithContext(t.Context(), "POST", "/v1/sales", strings.NewReader(row.body))
			r.Host = Host
			if row.contentType != "" {
				r.Header.Set("Content-Type", row.contentType)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			isProblem(t, w, row.status, row.code)
		})
	}
}

func TestSaleComesFromTheLaneWhileItRunsThenFromTheJournal(t *testing.T) {
	running, done := aSale(t, 7, terminal.CardTalk), aSale(t, 6, terminal.Approved)
	s := newScript(t,
		call{"Current", nil, []any{running, true}},
		call{"Current", nil, []any{running, true}},
		call{"Sale", []any{terminal.SaleID(6)}, []any{done, nil}},
		call{"Current", nil, []any{running, true}},
		call{"Sale", []any{terminal.SaleID(99)}, []any{terminal.Sale{}, terminal.ErrNoSale}})
	h := handlerFor(t, s)
	for _, row := range []struct {
		path string
		want terminal.Sale
	}{{"/v1/sales/7", running}, {"/v1/sales/6", done}} {
		var got terminal.Sale
		w := ask(t, h, "GET", row.path, "")
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != 200 || got.ID != row.want.ID || got.State != row.want.State {
			t.Errorf("%s: %d %+v %v", row.path, w.Code, got, err)
		}
	}
	isProblem(t, ask(t, h, "GET", "/v1/sales/99", ""), 404, "no_such_sale")
}

// A refund's receipt has the numbers of the sale that it is of; where that record is lost, the rest is printed all the same.
func TestReceiptNamesTheOriginal(t *testing.T) {
	refund, sale := aSale(t, 1042, terminal.Approved), aSale(t, 1041, terminal.Approved)
	refund.Kind, refund.Of, sale.RRN = terminal.KindRefund, 1041, "632709000040"
	for _, lost := range []error{nil, terminal.ErrQuarantined} {
		h := handlerFor(t, newScript(t,
			call{"Current", nil, []any{terminal.Sale{}, false}},
			call{"Sale", []any{terminal.SaleID(1042)}, []any{refund, nil}},
			call{"Snapshot", nil, []any{terminal.Snapshot{}}},
			call{"About", []any{terminal.SaleID(1042)}, []any{[]terminal.Sale(nil), nil}},
			call{"Sale", []any{terminal.SaleID(1041)}, []any{sale, lost}}))
		w := ask(t, h, "GET", "/v1/sales/1042/receipt?format=text", "")
		if text := w.Body.String(); w.Code != 200 || !strings.Contains(text, "REFUND") || !strings.Contains(text, "1041") ||
			strings.Contains(text, "632709000040") != (lost == nil) {
			t.Errorf("%v: %d %s", lost, w.Code, text)
		}
	}
}

func TestQueriesThatAreRefused(t *testing.T) {
	for _, path := range []string{
		"/v1/journal?after=-1", "/v1/journal?after=x", "/v1/journal?limit=0", "/v1/journal?limit=100000",
		"/v1/sales?last=0", "/v1/watch?after=-3", "/v1/sales/6/receipt?copy=bank", "/v1/sales/6/receipt?format=pdf",
		"/v1/sales/6/receipt?format=text&width=5000", "/v1/sales/6/receipt?format=png&dots=100000", "/v1/sales/6/receipt?lang=fr",
	} {
		isProblem(t, ask(t, handlerFor(t, newScript(t)), "GET", path, ""), 400, "bad_query")
	}
	for _, path := range []string{"/v1/sales/0", "/v1/sales/-1", "/v1/sales/x", "/v1/sales/99999999999999999999"} {
		isProblem(t, ask(t, handlerFor(t, newScript(t)), "GET", path, ""), 400, "bad_id")
	}
	for _, path := range []string{"/", "/v1", "/v1/refunds", "/v1/sales/6/pan"} {
		isProblem(t, ask(t, handlerFor(t, newScript(t)), "GET", path, ""), 404, "no_such_path")
	}
	w := ask(t, handlerFor(t, newScript(t)), "GET", "/v1/cancel", "")
	isProblem(t, w, 405, "method")
	if w.Header().Get("Allow") != "POST" {
		t.Errorf("Allow %q", w.Header().Get("Allow"))
	}
	isProblem(t, ask(t, handlerFor(t, newScript(t)), "DELETE", "/v1/sales/6", ""), 405, "method")
}

// A reprint tells what has become of the sale: a void that stands, not one that failed, and a refund only while it was not voided itself.
func TestReprintTellsWhatBecameOfTheSale(t *testing.T) {
	of := func(id terminal.SaleID, kind terminal.Kind, state terminal.State) terminal.Sale {
		s := aSale(t, id, state)
		s.Kind, s.Of = kind, 6
		return s
	}
	void, failed, refund := of(9, terminal.KindVoid, terminal.Approved), of(8, terminal.KindVoid, terminal.Declined), of(7, terminal.KindRefund, terminal.Approved)
	about := func(id terminal.SaleID, err error, sales ...terminal.Sale) call {
		return call{"About", []any{id}, []any{sales, err}}
	}
	for name, row := range map[string]struct {
		calls     []call
		must, not string
	}{
		"voided":              {[]call{about(6, nil, failed, void)}, "APPROVED, AND VOIDED LATER", "\u0000"},
		"a void that failed":  {[]call{about(6, nil, failed)}, "APPROVED", "VOID"},
		"refunded":            {[]call{about(6, nil, refund), about(7, nil)}, "REFUND 7", "VOID"},
		"refunded, and taken": {[]call{about(6, nil, refund), about(7, nil, void)}, "APPROVED", "REFUND"},
		"quarantined":         {[]call{about(6, terminal.ErrQuarantined)}, "What has become of it since", "VOID"},
	} {
		calls := append([]call{
			{"Current", nil, []any{terminal.Sale{}, false}},
			{"Sale", []any{terminal.SaleID(6)}, []any{aSale(t, 6, terminal.Approved), nil}},
			{"Snapshot", nil, []any{terminal.Snapshot{}}},
		}, row.calls...)
		w := ask(t, handlerFor(t, newScript(t, calls...)), "GET", "/v1/sales/6/receipt?format=text", "")
		if text := w.Body.String(); w.Code != 200 || !strings.Contains(text, row.must) || strings.Contains(text, row.not) {
			t.Errorf("%s: %d\n%s", name, w.Code, text)
		}
	}
}

// Only the last sale's receipt can be an original, and only when it is asked for as one.
func TestReceiptIsADuplicateUnlessItIsTheLastSales(t *testing.T) {
	last, older := aSale(t, 7, terminal.Approved), aSale(t, 6, terminal.Approved)
	snap := terminal.Snapshot{Last: &last}
	for _, row := range []struct {
		path      string
		sale      terminal.Sale
		duplicate bool
	}{
		{"/v1/sales/7/receipt?format=text&original=true", last, false},
		{"/v1/sales/7/receipt?format=text", last, true},
		{"/v1/sales/6/receipt?format=text&original=true", older, true},
	} {
		calls := []call{
			{"Current", nil, []any{terminal.Sale{}, false}},
			{"Sale", []any{row.sale.ID}, []any{row.sale, nil}},
			{"Snapshot", nil, []any{snap}},
		}
		if row.duplicate {
			calls = append(calls, call{"About", []any{row.sale.ID}, []any{[]terminal.Sale(nil), nil}})
		}
		h := handlerFor(t, newScript(t, calls...))
		w := ask(t, h, "GET", row.path, "")
		if w.Code != 200 || strings.Contains(w.Body.String(), "DUPLICATE") != row.duplicate {
			t.Errorf("%s: %d\n%s", row.path, w.Code, w.Body)
		}
	}
}

func TestReceiptOfARunningSaleIsRefused(t *testing.T) {
	running := aSale(t, 7, terminal.Sending)
	h := handlerFor(t, newScript(t,
		call{"Current", nil, []any{running, true}}, call{"Snapshot", nil, []any{terminal.Snapshot{}}}))
	isProblem(t, ask(t, h, "GET", "/v1/sales/7/receipt", ""), 409, "still_running")
}

func TestWhyTellsStepsAndReasons(t *testing.T) {
	sale := aSale(t, 6, terminal.Declined)
	sale.Why = []emv.Why{{Bit: "TVR byte 1 bit 8", Reason: "not performed", Section: "Book 3, 10.3"}}
	rows := []terminal.JournalRow{{Seq: 9, Time: sale.Started, Kind: terminal.SaleEntry, Sale: 6, From: terminal.CardTalk, Event: "GoOnline", To: "Sending", Duties: []terminal.Duty{terminal.OweReversal}}}
	h := handlerFor(t, newScript(t,
		call{"Current", nil, []any{terminal.Sale{}, false}},
		call{"Sale", []any{terminal.SaleID(6)}, []any{sale, nil}},
		call{"SaleRows", []any{terminal.SaleID(6)}, []any{rows, nil}}))
	var got Why
	if err := json.Unmarshal(ask(t, h, "GET", "/v1/sales/6/why", "").Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.State != terminal.Declined || !reflect.DeepEqual(got.Reasons, sale.Why) || len(got.Steps) != 1 || got.Steps[0].To != "Sending" || got.Steps[0].Duties[0] != "+R" {
		t.Errorf("%+v", got)
	}
}

func TestJournalPages(t *testing.T) {
	rows := []terminal.JournalRow{{Seq: 11, Kind: terminal.StartEntry}, {Seq: 12, Kind: terminal.SignOnEntry}}
	h := handlerFor(t, newScript(t,
		call{"Rows", []any{int64(10), 2}, []any{rows, nil}},
		call{"Rows", []any{int64(12), 100}, []any{[]terminal.JournalRow(nil), nil}}))
	var got Rows
	if err := json.Unmarshal(ask(t, h, "GET", "/v1/journal?after=10&limit=2", "").Body.Bytes(), &got); err != nil || got.Next != 12 || len(got.Rows) != 2 {
		t.Errorf("%+v %v", got, err)
	}
	if body := ask(t, h, "GET", "/v1/journal?after=12", "").Body.String(); body != `{"rows":[],"next":12}`+"\n" {
		t.Errorf("an empty page: %s", body)
	}
}

func TestCommandsAndLists(t *testing.T) {
	snap := terminal.Snapshot{Version: 3, State: terminal.AwaitCard}
	h := handlerFor(t, newScript(t,
		call{"Cancel", nil, []any{nil}}, call{"Snapshot", nil, []any{snap}},
		call{"Cancel", nil, []any{terminal.ErrNotCancelable}},
		call{"Cancel", nil, []any{terminal.ErrNothingRuns}},
		call{"SendQueue", nil, []any{nil}}, call{"Snapshot", nil, []any{snap}},
		call{"Debts", nil, []any{[]terminal.Debt{{ID: 4, Sale: 6, Kind: terminal.ReversalDebt, Message: []byte("4761739001010119")}}, nil}},
		call{"Snapshot", nil, []any{snap}}, call{"Sale", []any{terminal.SaleID(6)}, []any{aSale(t, 6, terminal.Reversed), nil}},
		call{"Debts", nil, []any{[]terminal.Debt(nil), nil}},
		call{"Last", []any{2}, []any{[]terminal.Sale{aSale(t, 6, terminal.Approved)}, nil}}))
	if w := ask(t, h, "POST", "/v1/cancel", ""); w.Code != 202 {
		t.Errorf("cancel: %d", w.Code)
	}
	isProblem(t, ask(t, h, "POST", "/v1/cancel", ""), 409, "not_cancelable")
	isProblem(t, ask(t, h, "POST", "/v1/cancel", ""), 409, "nothing_runs")
	if w := ask(t, h, "POST", "/v1/queue/send", ""); w.Code != 202 {
		t.Errorf("send: %d", w.Code)
	}
	body := ask(t, h, "GET", "/v1/queue", "").Body.String()
	if !strings.Contains(body, `"kind":"reversal"`) || strings.Contains(body, "4761739001") || strings.Contains(body, "essage") {
		t.Errorf("queue: %s", body)
	}
	if body := ask(t, h, "GET", "/v1/queue", "").Body.String(); body != `{"waiting":0,"parked":0,"sum":{"minor":0,"currency":"KWD"},"debts":[]}`+"\n" {
		t.Errorf("empty queue: %s", body)
	}
	if body := ask(t, h, "GET", "/v1/sales?last=2", "").Body.String(); !strings.Contains(body, `"id":6`) {
		t.Errorf("last: %s", body)
	}
}

// The shape of the status is what clients are written against.
func TestStatusShape(t *testing.T) {
	keys := func(c *Config) {
		c.Keys = func(context.Context) terminal.Health {
			return terminal.Health{Name: "nac", State: "not loaded", Cause: "MAC"}
		}
	}
	h := handlerFor(t, newScript(t, call{"Snapshot", nil, []any{terminal.Snapshot{
		Version: 2, State: terminal.Ready, Reader: terminal.Health{OK: true, Name: "twin", State: "no card"},
		Host: terminal.LinkHealth{Health: terminal.Health{Name: "nac", State: "down", Cause: "refused"}}, Owed: 1,
	}}}), keys)
	want := `{"terminal":{"tid":"TILL0001","mid":"KW0000000000001","merchant":"TILLWAY TEST SHOP","location":["Salmiya, Kuwait"],` +
		`"currency":"KWD","exponent":3,"kinds":[],"profile":"kuwait","version":"test","kernel":{"name":"contact","version":"1.0.0","checksum":"0123abcd"},"ca_keys":{"environment":"test","keys":12,"revoked":1}},` +
		`"snapshot":{"version":2,"state":"Ready","reader":{"ok":true,"name":"twin","state":"no card"},` +
		`"host":{"ok":false,"name":"nac","state":"down","cause":"refused"},"journal":0,"owed":1,"parked":0},"keys":{"ok":false,"name":"nac","state":"not loaded","cause":"MAC"},"open":true}` + "\n"
	if got := ask(t, h, "GET", "/v1/status", "").Body.String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestWatchAnswersAtOnceToWhoKnowsAnotherVersion(t *testing.T) {
	snap := terminal.Snapshot{Version: 3}
	s := newScript(t, call{"Snapshot", nil, []any{snap}}, call{"Snapshot", nil, []any{snap}})
	h := handlerFor(t, s)
	for _, after := range []string{"2", "900"} { // older, and of an earlier daemon
		if body := ask(t, h, "GET", "/v1/watch?after="+after, "").Body.String(); !strings.Contains(body, `"version":3`) {
			t.Errorf("after=%s: %s", after, body)
		}
	}
}

// quiet is a lane on which nothing happens.
type quiet struct {
	*script
	snap terminal.Snapshot
}

func (q quiet) Snapshot() terminal.Snapshot { return q.snap }

func (q quiet) Watch(ctx context.Context, _ uint64) (terminal.Snapshot, error) {
	<-ctx.Done()
	return q.snap, ctx.Err()
}

func TestWatchAnswersTheSameAfterAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t)
		lane := quiet{s, terminal.Snapshot{Version: 3}}
		h := New(Config{Lane: lane, Journal: s, Access: openAccess(), Log: nil}).Socket()
		before := time.Now()
		w := ask(t, h, "GET", "/v1/watch?after=3", "")
		if w.Code != 200 || !strings.Contains(w.Body.String(), `"version":3`) || time.Since(before) != longestWatch {
			t.Errorf("%d after %s: %s", w.Code, time.Since(before), w.Body)
		}
	})
}

// unplugged is a lane whose reader goes away while nothing else happens.
type unplugged struct {
	quiet
	at time.Time
}

func (u unplugged) Snapshot() terminal.Snapshot {
	u.snap.Reader.OK = time.Now().Before(u.at)
	return u.snap
}

func TestWatchTellsOfAReaderThatWentAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t)
		before := time.Now()
		lane := unplugged{quiet{s, terminal.Snapshot{Version: 3}}, before.Add(4500 * time.Millisecond)}
		w := ask(t, New(Config{Lane: lane, Journal: s, Access: openAccess(), Log: nil}).Socket(), "GET", "/v1/watch?after=3", "")
		if took := time.Since(before); w.Code != 200 || !strings.Contains(w.Body.String(), `"ok":false`) || took != 5*time.Second {
			t.Errorf("%d after %s: %s", w.Code, took, w.Body)
		}
	})
}

func TestWatchEndsWithItsClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t)
		h := New(Config{Lane: quiet{s, terminal.Snapshot{Version: 3}}, Journal: s, Access: openAccess()}).Socket()
		ctx, leave := context.WithCancel(t.Context())
		done := make(chan *httptest.ResponseRecorder)
		go func() {
			w := httptest.NewRecorder()
			r := httptest.NewRequestWithContext(ctx, "GET", "/v1/watch?after=3", nil)
			r.Host = Host
			h.ServeHTTP(w, r)
			done <- w
		}()
		synctest.Wait()
		leave()
		isProblem(t, <-done, 503, "stopping")
	})
}

// A record that holds what it must not is not answered, in whole or in part.
func TestSecretsAreNeverAnswered(t *testing.T) {
	sale := aSale(t, 6, terminal.Approved)
	sale.Tags.Put(emv.TagPAN, []byte{0x47, 0x61, 0x73, 0x90, 0x01, 0x01, 0x01, 0x19})
	h := handlerFor(t, newScript(t, call{"Current", nil, []any{sale, true}}))
	w := ask(t, h, "GET", "/v1/sales/6", "")
	isProblem(t, w, 500, "internal")
	if strings.Contains(w.Body.String(), "4761739001010119") {
		t.Error("the card number got out")
	}
}

// Whatever the body, the decoder takes an order only if writing that order again gives the same order.
func FuzzOrder(f *testing.F) {
	f.Add([]byte(goodOrder))
	f.Add([]byte(`{"kind":"sale","amount":{"minor":1,"minor":2,"currency":"KWD"}}`))
	f.Add([]byte(`{"Kind":"sale","amount":{"minor":-1,"currency":"USD"},"key":"é"}`))
	f.Add([]byte(`[[[{"a":1}]]]`))
	f.Add([]byte(`{"kind":"sale","amount":{"minor":1,"currency":"KWD"},"tip":{"minor":2,"currency":"KWD"},"cashback":{"minor":3,"currency":"KWD"}}`))
	f.Add([]byte(`{"kind":"void","of":1041}`))
	f.Add([]byte(`{"kind":"forced","amount":{"minor":1,"currency":"KWD"},"auth":"A12345"}`))
	own, err := money.ByCode("KWD")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if len(body) > MaxBody {
			return
		}
		order, err := parseOrder(body, own)
		if err != nil {
			if p := (*Problem)(nil); !errors.As(err, &p) || p.Do == "" || p.Status != 400 {
				t.Fatalf("refused without a problem: %v", err)
			}
			return
		}
		if name, twice := repeated(body); twice {
			t.Fatalf("taken although %q is there twice", name)
		}
		again, err := json.Marshal(order)
		if err != nil {
			t.Fatal(err)
		}
		back, err := parseOrder(again, own)
		if err != nil || back != order {
			t.Fatalf("%+v came back as %+v, %v", order, back, err)
		}
	})
}

// Times go out in the shop's zone, whatever zone the records are in; what the lane and the journal hold is not changed.
func TestTimesAreTheShops(t *testing.T) {
	utc := time.Date(2026, 11, 22, 21, 30, 0, 0, time.UTC)
	sale := aSale(t, 6, terminal.Approved)
	sale.Started, sale.Updated, sale.LocalTime = utc, utc, time.Time{}
	rows := []terminal.JournalRow{{Seq: 1, Time: utc, Record: &sale, Debt: &terminal.Debt{NotBefore: utc}}}
	snap := terminal.Snapshot{Version: 2, Last: &sale, Oldest: utc}
	s := newScript(t,
		call{"Current", nil, []any{sale, true}},
		call{"Rows", []any{int64(0), 100}, []any{rows, nil}},
		call{"Current", nil, []any{sale, true}}, call{"SaleRows", []any{terminal.SaleID(6)}, []any{rows, nil}}, call{"About", []any{terminal.SaleID(6)}, []any{[]terminal.Sale(nil), nil}},
		call{"BatchRecord", []any{sale.Acquirer, sale.Batch}, []any{terminal.Batch{}, terminal.ErrNoBatch}},
		call{"Snapshot", nil, []any{snap}},
		call{"Snapshot", nil, []any{snap}},
		call{"Debts", nil, []any{[]terminal.Debt{{NotBefore: utc, Since: utc}}, nil}},
		call{"Snapshot", nil, []any{snap}}, call{"Sale", []any{terminal.SaleID(0)}, []any{terminal.Sale{}, terminal.ErrNoSale}},
		call{"Last", []any{20}, []any{[]terminal.Sale{sale}, nil}})
	h := New(Config{Lane: s, Journal: s, Access: openAccess(), Header: receipt.Header{Zone: time.FixedZone("Kuwait", 3*3600)}}).Socket()
	for _, path := range []string{"/v1/sales/6", "/v1/journal", "/v1/sales/6/why", "/v1/status", "/v1/watch", "/v1/queue", "/v1/sales"} {
		body := ask(t, h, "GET", path, "").Body.String()
		if !strings.Contains(body, "2026-11-23T00:30:00+03:00") || strings.Contains(body, "21:30:00Z") {
			t.Errorf("%s: %s", path, body)
		}
	}
	if !sale.Started.Equal(utc) || sale.Started.Location() != time.UTC || rows[0].Time.Location() != time.UTC {
		t.Error("the records were changed")
	}
}
