package nexo

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tillway/emv"
	"tillway/money"
	"tillway/terminal"
	"tillway/terminal/people"
	"tillway/terminal/receipt"
)

// world is a terminal in memory: what lane, journal and registers promise, and no more. A sale stands at AwaitCard until the test ends it,
// unless ends says how every sale ends. The whole stack's test (cmd/demo) has the real ones.
type world struct {
	t    testing.TB
	h    http.Handler
	cfg  Config
	ends func(*terminal.Sale) // nil: the test ends sales

	mu      sync.Mutex // guards what follows
	sales   []terminal.Sale
	current int // index of the running sale; -1: none
	version uint64
	moved   chan struct{}
	batch   terminal.Batch
	closed  []terminal.Batch
	audited []people.Entry
	agreed  []terminal.Agreement
	shown   []terminal.DisplayLine
	may     []people.Action
	secrets map[int]string // the register's passphrases, by version
	retired []int
	changed chan struct{}
	orders  int
}

const (
	registerName = "till-1"
	passphrase   = "correct horse battery"
)

// The register's token, as people prints one: of 32 bytes that are all 7.
func token() string {
	var b [32]byte
	for i := range b {
		b[i] = 7
	}
	return people.NewToken(b).Clear()
}

func at() time.Time { return time.Date(2026, 11, 23, 9, 15, 7, 0, time.UTC) }

func newWorld(t testing.TB, change ...func(*Config)) *world {
	t.Helper()
	w := &world{
		t: t, current: -1, version: 1, moved: make(chan struct{}), changed: make(chan struct{}), may: people.DefaultGrants(),
		batch:   terminal.Batch{Acquirer: "acquirer", Number: 7, State: terminal.BatchOpen, Currency: currency(t, "KWD"), Opened: at()},
		secrets: map[int]string{1: passphrase},
	}
	w.cfg = Config{
		Lane: w, Journal: w, Registers: w, Context: t.Context(), Clear: true, Acquirer: "acquirer", Currency: currency(t, "KWD"),
		Audit: func(_ context.Context, entries ...people.Entry) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.audited = append(w.audited, entries...)
			return nil
		},
		Display: func(lines []terminal.DisplayLine) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.shown = lines
		},
		Header:     receipt.Header{Name: "TILLWAY TEST SHOP", Location: []string{"Salmiya, Kuwait"}, Zone: time.UTC},
		Languages:  receipt.Languages{OfCard: true, Merchant: receipt.English},
		TerminalID: "TILL0001", MerchantID: "KW0000000000001", Version: "test", KeepAlive: 50 * time.Millisecond, Clock: at,
		Log: slog.New(slog.DiscardHandler),
	}
	for _, f := range change {
		f(&w.cfg)
	}
	w.restart()
	return w
}

// restart makes the handler anew, as after a daemon's restart: journal and registers stay.
func (w *world) restart() { w.h = New(w.cfg) }

func (w *world) news() {
	w.version++
	close(w.moved)
	w.moved = make(chan struct{})
}

func (w *world) Start(_ context.Context, o terminal.Order) (terminal.Sale, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.orders++
	for _, s := range w.sales {
		if s.Key == o.Key {
			if s.Kind != o.Kind || s.Of != o.Of || s.Reference != o.Reference || s.Kind != terminal.KindVoid && s.Amount != o.Total() {
				return s, terminal.ErrKeyReused
			}
			return s, nil
		}
	}
	if w.current >= 0 {
		return terminal.Sale{}, terminal.ErrBusy
	}
	s := terminal.Sale{
		V: 1, ID: terminal.SaleID(len(w.sales) + 1042), Kind: o.Kind, State: terminal.AwaitCard, Acquirer: "acquirer", Batch: w.batch.Number, //nolint:gosec // a few
		Amount: o.Total(), Tip: o.Tip, Cashback: o.Cashback, Of: o.Of, By: o.By, Reference: o.Reference, Key: o.Key, Asked: o.Asked,
		Started: at(), Updated: at(), TerminalID: "TILL0001", MerchantID: "KW0000000000001",
	}
	for _, of := range w.sales {
		if of.ID == s.Of && s.Kind == terminal.KindVoid {
			s.Amount = of.Taken()
		}
	}
	w.sales = append(w.sales, s)
	w.current = len(w.sales) - 1
	w.news()
	if w.ends != nil || s.Kind.WithoutCard() {
		w.end(w.ends)
	}
	return w.sales[len(w.sales)-1], nil
}

// end ends the running sale; the caller holds the lock.
func (w *world) end(how func(*terminal.Sale)) {
	s := &w.sales[w.current]
	if how == nil {
		how = approve
	}
	how(s)
	w.current = -1
	w.news()
}

// finish ends the running sale.
func (w *world) finish(how func(*terminal.Sale)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.current < 0 {
		w.t.Error("no sale runs")
		return
	}
	w.end(how)
}

// change changes the running sale, which goes on.
func (w *world) change(how func(*terminal.Sale)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	how(&w.sales[w.current])
	w.news()
}

func card(s *terminal.Sale) {
	s.MaskedPAN, s.Scheme, s.Label, s.AID, s.Entry = "476173******0119", "visa", "VISA CREDIT", "A0000000031010", terminal.EnteredChip
	s.Method, s.Language, s.STAN, s.Invoice, s.LocalTime = emv.OnlinePIN, "aren", 42, 42, at()
}

func approve(s *terminal.Sale) {
	card(s)
	s.State, s.Way, s.ResponseCode, s.RRN, s.AuthCode = terminal.Approved, terminal.WayOnline, "00", "632709000042", "A1B2C3"
	s.Outcome = terminal.Conclude(terminal.Row{From: terminal.FinishApproved, Event: terminal.CardAgrees, To: terminal.Approved}, *s, terminal.Outcome{}, "")
}

func decline(code, happened string) func(*terminal.Sale) {
	return func(s *terminal.Sale) {
		card(s)
		s.State, s.ResponseCode = terminal.Declined, code
		s.Outcome = terminal.Outcome{Code: terminal.CodeDeclined, Happened: happened, Do: "The customer is not charged. Ask for another way to pay."}
	}
}

func cancel(s *terminal.Sale) {
	s.State = terminal.Cancelled
	s.Outcome = terminal.Conclude(terminal.Row{From: terminal.AwaitCard, Event: terminal.Cancel, To: terminal.Cancelled}, *s, terminal.Outcome{}, "")
}

func (w *world) Agree(_ context.Context, _ terminal.SaleID, a terminal.Agreement) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.agreed = append(w.agreed, a)
	if a.Matches {
		w.end(func(s *terminal.Sale) { approve(s) })
		return nil
	}
	w.end(func(s *terminal.Sale) { card(s); s.State, s.Outcome = terminal.Reversed, terminal.PartRefused(*s) })
	return nil
}

func (w *world) CancelSale(_ context.Context, id terminal.SaleID) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.current < 0 || w.sales[w.current].ID != id:
		return terminal.ErrNothingRuns
	case w.sales[w.current].State != terminal.AwaitCard:
		return terminal.ErrNotCancelable
	}
	w.end(cancel)
	return nil
}

func (w *world) Current() (terminal.Sale, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.current < 0 {
		return terminal.Sale{}, false
	}
	return w.sales[w.current], true
}

func (w *world) Snapshot() terminal.Snapshot {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := terminal.Snapshot{Version: w.version, State: terminal.Ready, Reader: terminal.Health{OK: true}, Host: terminal.LinkHealth{Health: terminal.Health{OK: true}}, Owed: 3}
	if w.current >= 0 {
		s.Sale, s.State, s.Text = w.sales[w.current].ID, w.sales[w.current].State, "INSERT CARD"
	}
	for i := range w.sales {
		if w.sales[i].State.Final() {
			s.Last = &w.sales[i]
		}
	}
	return s
}

func (w *world) Watch(ctx context.Context, after uint64) (terminal.Snapshot, error) {
	for {
		w.mu.Lock()
		version, moved := w.version, w.moved
		w.mu.Unlock()
		if version > after {
			return w.Snapshot(), nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return terminal.Snapshot{}, ctx.Err()
		}
	}
}

func (w *world) DecideBatch(_ context.Context, d terminal.BatchDecision) (terminal.Batch, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	items := w.items(w.batch.Number)
	if len(items) == 0 {
		return w.batch, terminal.ErrEmptyBatch
	}
	b := w.batch
	b.State, b.By, b.Fixed, b.Closed, b.Balanced = terminal.BatchClosed, d.By, at(), at(), true
	b.Counted = terminal.Ranges(terminal.Counted(items))
	w.closed = append(w.closed, b)
	w.batch = terminal.Batch{Acquirer: "acquirer", Number: b.Number + 1, State: terminal.BatchOpen, Currency: b.Currency, Opened: at()}
	w.news()
	return b, nil
}

func (w *world) Sale(_ context.Context, id terminal.SaleID) (terminal.Sale, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, s := range w.sales {
		if s.ID == id && i != w.current {
			return s, nil
		}
	}
	return terminal.Sale{}, terminal.ErrNoSale
}

func (w *world) ByKey(_ context.Context, key string) (terminal.Sale, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, s := range w.sales {
		if s.Key == key && i != w.current {
			return s, nil
		}
	}
	return terminal.Sale{}, terminal.ErrNoSale
}

func (w *world) Last(_ context.Context, n int) ([]terminal.Sale, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := slices.Clone(w.sales)
	if w.current >= 0 {
		all = all[:w.current]
	}
	slices.Reverse(all)
	return all[:min(n, len(all))], nil
}

func (w *world) About(_ context.Context, id terminal.SaleID) (all []terminal.Sale, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.sales {
		if s.Of == id {
			all = append(all, s)
		}
	}
	return all, nil
}

func (w *world) Batches(context.Context, string) ([]terminal.Batch, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return []terminal.Batch{w.batch}, nil
}

func (w *world) BatchRecord(_ context.Context, _ string, n uint32) (terminal.Batch, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, b := range w.closed {
		if b.Number == n || n == 0 && i == len(w.closed)-1 {
			return b, nil
		}
	}
	if n == w.batch.Number {
		return w.batch, nil
	}
	return terminal.Batch{}, terminal.ErrNoBatch
}

// items are a batch's; the caller holds the lock.
func (w *world) items(n uint32) (all []terminal.Item) {
	for _, s := range w.sales {
		if s.Batch == n && s.STAN != 0 && s.State.Final() {
			all = append(all, terminal.Item{Sale: s})
		}
	}
	terminal.TakeBack(all)
	return all
}

func (w *world) Items(_ context.Context, _ string, n uint32) ([]terminal.Item, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.items(n), nil
}

func (w *world) SaleRows(context.Context, terminal.SaleID) ([]terminal.JournalRow, error) {
	return nil, nil
}

// Debts are one of each approval without the bank.
func (w *world) Debts(context.Context) (all []terminal.Debt, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, s := range w.sales {
		if s.Way == terminal.WayOffline {
			all = append(all, terminal.Debt{ID: int64(i) + 71, Sale: s.ID, Kind: terminal.AdviceDebt})
		}
	}
	return all, nil
}

func (w *world) ecr() people.ECR { return people.ECR{Name: registerName, May: w.may} }

func (w *world) ByToken(_ context.Context, text string) (people.ECR, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if text != token() {
		return people.ECR{}, people.ErrECRToken
	}
	return w.ecr(), nil
}

func (w *world) NexoKey(_ context.Context, name string, version int) (people.Passphrase, people.ECR, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch text, ok := w.secrets[version]; {
	case name != registerName:
		return people.Passphrase{}, people.ECR{}, people.ErrNoECR
	case slices.Contains(w.retired, version):
		return people.Passphrase{}, people.ECR{}, people.ErrRetired
	case !ok:
		return people.Passphrase{}, people.ECR{}, people.ErrNoNexoKey
	default:
		p, err := people.NewPassphrase([]byte(text))
		return p, w.ecr(), err
	}
}

func (w *world) Changed() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.changed
}

// register changes the register.
func (w *world) register(how func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	how()
	close(w.changed)
	w.changed = make(chan struct{})
}

// message is a request as the client library writes it.
func message(category, service, body string) string {
	return `{"SaleToPOIRequest":{"MessageHeader":{"ProtocolVersion":"3.0","MessageClass":"` + classOf(category) + `","MessageCategory":"` + category +
		`","MessageType":"Request","ServiceID":"` + service + `","SaleID":"Shop (ID: 3)","POIID":"Tillway-TILL0001"},"` + category + `Request":` + body + `}}`
}

func paymentOf(amount string) string {
	return `{"SaleData":{"SaleTransactionID":{"TransactionID":"order-17","TimeStamp":"2026-11-23T09:15:00.000Z"}},"PaymentTransaction":{"AmountsReq":{"Currency":"KWD","RequestedAmount":` + amount + `}}}`
}

// send posts a body with the register's token, as the client does: without Content-Length.
func (w *world) send(body string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	w.t.Helper()
	r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/nexo/", strings.NewReader(body))
	r.ContentLength = -1
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Api-Key", token())
	for _, f := range change {
		f(r)
	}
	out := httptest.NewRecorder()
	w.h.ServeHTTP(out, r)
	return out
}

// ask sends a message and returns the category's answer.
func (w *world) ask(category, service, body string) map[string]any {
	w.t.Helper()
	out := w.send(message(category, service, body))
	if out.Code != http.StatusOK {
		w.t.Fatalf("%s: %d %s", category, out.Code, out.Body)
	}
	return w.member(out.Body.Bytes(), category)
}

func (w *world) member(text []byte, category string) map[string]any {
	w.t.Helper()
	var answer struct {
		Response map[string]map[string]any `json:"SaleToPOIResponse"`
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&answer); err != nil || answer.Response[category+"Response"] == nil {
		w.t.Fatalf("%s: %v: %s", category, err, text)
	}
	if answer.Response["MessageHeader"]["MessageType"] != "Response" || answer.Response["MessageHeader"]["MessageCategory"] != category {
		w.t.Errorf("header %v", answer.Response["MessageHeader"])
	}
	return answer.Response[category+"Response"]
}

// seal makes an enciphered message of a clear one, as the client library does.
func seal(t testing.TB, clear, secret string, version int, change ...func(*trailer, *string)) string {
	t.Helper()
	k, err := derive([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	nonce := make([]byte, nonceBytes)
	_, _ = rand.Read(nonce)
	blob, tr, err := k.seal([]byte(clear), nonce)
	if err != nil {
		t.Fatal(err)
	}
	tr.KeyIdentifier, tr.KeyVersion = registerName, version
	for _, f := range change {
		f(&tr, &blob)
	}
	e, err := parse([]byte(clear))
	if err != nil {
		t.Fatal(err)
	}
	text, err := encode(map[string]any{"SaleToPOIRequest": map[string]any{"MessageHeader": e.header, "NexoBlob": blob, "SecurityTrailer": tr}})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// result is Result and ErrorCondition of an answer.
func result(answer map[string]any) string {
	r, _ := answer["Response"].(map[string]any)
	text, _ := r["Result"].(string)
	if c, ok := r["ErrorCondition"].(string); ok {
		text += "/" + c
	}
	return text
}

func kwd(t testing.TB, minor int64) money.Amount { return money.New(minor, currency(t, "KWD")) }
