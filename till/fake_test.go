package till

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"tillway/money"
	"tillway/terminal"
	"tillway/terminal/people"
	"tillway/terminal/receipt"
)

// call is one call that a script expects, and what it returns. The script is one list for lane and journal, so that the
// order between the two is compared as well.
type call struct {
	name string
	args []any
	ret  []any
}

// script plays lane and journal. A call that it does not expect fails the test at once; a call left over fails it at the
// end.
type script struct {
	t     *testing.T
	calls []call
}

func newScript(t *testing.T, calls ...call) *script {
	t.Helper()
	s := &script{t: t, calls: calls}
	t.Cleanup(func() {
		for _, c := range s.calls {
			t.Errorf("never called: %s%v", c.name, c.args)
		}
	})
	return s
}

func (s *script) next(name string, args ...any) []any {
	s.t.Helper()
	if len(s.calls) == 0 {
		s.t.Fatalf("unexpected call %s%v", name, args)
	}
	c := s.calls[0]
	if c.name != name || !reflect.DeepEqual(append([]any{}, c.args...), append([]any{}, args...)) {
		s.t.Fatalf("call %s%v, expected %s%v", name, args, c.name, c.args)
	}
	s.calls = s.calls[1:]
	return c.ret
}

func errorOf(v any) error {
	err, ok := v.(error)
	if !ok {
		return nil
	}
	return err
}

// as is what the script returns, in its type: another type is a defect of the test and panics.
func as[T any](v any) T {
	out, ok := v.(T)
	if !ok {
		panic(fmt.Sprintf("script returns %T", v))
	}
	return out
}

func (s *script) Start(ctx context.Context, o terminal.Order) (terminal.Sale, error) {
	r := s.next("Start", o)
	if ctx.Done() != nil {
		s.t.Error("a sale is started with a context that its client's going away ends")
	}
	return as[terminal.Sale](r[0]), errorOf(r[1])
}

func (s *script) Agree(_ context.Context, id terminal.SaleID, a terminal.Agreement) error {
	return errorOf(s.next("Agree", id, a)[0])
}

func (s *script) Confirm(_ context.Context, id terminal.SaleID, meant bool, by string) error {
	return errorOf(s.next("Confirm", id, meant, by)[0])
}
func (s *script) Cancel(context.Context) error    { return errorOf(s.next("Cancel")[0]) }
func (s *script) SendQueue(context.Context) error { return errorOf(s.next("SendQueue")[0]) }
func (s *script) Decide(_ context.Context, d terminal.DebtDecision) (terminal.Debt, error) {
	r := s.next("Decide", d)
	return as[terminal.Debt](r[0]), errorOf(r[1])
}

func (s *script) DecideBatch(_ context.Context, d terminal.BatchDecision) (terminal.Batch, error) {
	r := s.next("DecideBatch", d)
	return as[terminal.Batch](r[0]), errorOf(r[1])
}

func (s *script) Batches(_ context.Context, acquirer string) ([]terminal.Batch, error) {
	r := s.next("Batches", acquirer)
	return as[[]terminal.Batch](r[0]), errorOf(r[1])
}

func (s *script) BatchRecord(_ context.Context, acquirer string, number uint32) (terminal.Batch, error) {
	r := s.next("BatchRecord", acquirer, number)
	return as[terminal.Batch](r[0]), errorOf(r[1])
}

func (s *script) Items(_ context.Context, acquirer string, batch uint32) ([]terminal.Item, error) {
	r := s.next("Items", acquirer, batch)
	return as[[]terminal.Item](r[0]), errorOf(r[1])
}

func (s *script) Snapshot() terminal.Snapshot { return as[terminal.Snapshot](s.next("Snapshot")[0]) }

func (s *script) Current() (terminal.Sale, bool) {
	r := s.next("Current")
	return as[terminal.Sale](r[0]), as[bool](r[1])
}

func (s *script) Watch(_ context.Context, after uint64) (terminal.Snapshot, error) {
	r := s.next("Watch", after)
	return as[terminal.Snapshot](r[0]), errorOf(r[1])
}

func (s *script) Sale(_ context.Context, id terminal.SaleID) (terminal.Sale, error) {
	r := s.next("Sale", id)
	return as[terminal.Sale](r[0]), errorOf(r[1])
}

func (s *script) Last(_ context.Context, n int) ([]terminal.Sale, error) {
	r := s.next("Last", n)
	return as[[]terminal.Sale](r[0]), errorOf(r[1])
}

func (s *script) Rows(_ context.Context, after int64, limit int) ([]terminal.JournalRow, error) {
	r := s.next("Rows", after, limit)
	return as[[]terminal.JournalRow](r[0]), errorOf(r[1])
}

func (s *script) SaleRows(_ context.Context, id terminal.SaleID) ([]terminal.JournalRow, error) {
	r := s.next("SaleRows", id)
	return as[[]terminal.JournalRow](r[0]), errorOf(r[1])
}

func (s *script) About(_ context.Context, id terminal.SaleID) ([]terminal.Sale, error) {
	r := s.next("About", id)
	return as[[]terminal.Sale](r[0]), errorOf(r[1])
}

func (s *script) Debts(context.Context) ([]terminal.Debt, error) {
	r := s.next("Debts")
	return as[[]terminal.Debt](r[0]), errorOf(r[1])
}

func (s *script) Search(_ context.Context, want terminal.Search) (terminal.Found, error) {
	r := s.next("Search", want)
	return as[terminal.Found](r[0]), errorOf(r[1])
}

func (s *script) OfCard(_ context.Context, id terminal.SaleID, n int) ([]terminal.Sale, error) {
	r := s.next("OfCard", id, n)
	return as[[]terminal.Sale](r[0]), errorOf(r[1])
}

// nobody is a terminal without people: asked for one, it fails.
type nobody struct{ keeper }

type keeper = People // under another name, since People has a method of its own

// openAccess is a till without log-in, as in development.
func openAccess() *Access {
	p := people.DefaultPolicy()
	p.Open = true
	return NewAccess(AccessConfig{People: nobody{}, Policy: p, Log: slog.New(slog.DiscardHandler)})
}

func kwd(t *testing.T) money.Currency {
	t.Helper()
	c, err := money.ByCode("KWD")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func handlerFor(t *testing.T, s *script, change ...func(*Config)) http.Handler {
	t.Helper()
	c := Config{
		Lane: s, Journal: s, Access: openAccess(), Currency: kwd(t), TerminalID: "TILL0001", MerchantID: "KW0000000000001",
		Header:  receipt.Header{Name: "TILLWAY TEST SHOP", Location: []string{"Salmiya, Kuwait"}},
		CAKeys:  CAKeys{Environment: "test", Keys: 12, Revoked: 1},
		Profile: "kuwait", Version: "test", Kernel: receipt.Kernel{Name: "contact", Version: "1.0.0", Checksum: "0123abcd"}, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	for _, f := range change {
		f(&c)
	}
	return New(c).Socket()
}

// ask sends one request and returns the answer.
func ask(t *testing.T, h http.Handler, method, path, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	r.Host = Host
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// isProblem checks an error's answer as a whole: status, type, code, and that it says what to do.
func isProblem(t *testing.T, w *httptest.ResponseRecorder, status int, code string) Problem {
	t.Helper()
	var p Problem
	dec := json.NewDecoder(bytes.NewReader(w.Body.Bytes()))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&p); err != nil {
		t.Fatalf("no problem body: %v: %s", err, w.Body)
	}
	if w.Code != status || p.Status != status || p.Code != code || p.Type != "urn:tillway:problem:"+code {
		t.Fatalf("status %d, body %+v; want %d %s", w.Code, p, status, code)
	}
	if got := w.Header().Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("Content-Type %q", got)
	}
	if p.Title == "" || p.Do == "" {
		t.Errorf("a problem without title or advice: %+v", p)
	}
	return p
}

func aSale(t *testing.T, id terminal.SaleID, state terminal.State) terminal.Sale {
	t.Helper()
	at := time.Date(2026, 11, 23, 9, 15, 7, 0, time.FixedZone("", 3*3600))
	return terminal.Sale{
		V: terminal.RecordVersion, ID: id, Kind: terminal.KindSale, State: state, Acquirer: "nac", Batch: 1,
		Amount: money.New(10_525, kwd(t)), Started: at, Updated: at, TerminalID: "TILL0001", MerchantID: "KW0000000000001",
		MaskedPAN: "476173******0119", AID: "A0000000031010", Label: "VISA CREDIT", Entry: "chip", STAN: 42,
		Outcome: terminal.Outcome{Code: "approved", Happened: "Approved.", Do: "Give the customer the receipt."},
	}
}
