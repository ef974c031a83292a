package till

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tillway/terminal"
	"tillway/terminal/people"
)

// book keeps people and audit rows in memory as the store does.
type book struct {
	people map[string]people.Person
	rows   []people.Row
	fail   error // what every write answers
}

func (b *book) Person(_ context.Context, name string) (people.Person, error) {
	p, ok := b.people[name]
	if !ok {
		return p, people.ErrNoPerson
	}
	return p, nil
}

func (b *book) People(context.Context) ([]people.Person, error) {
	var all []people.Person
	for _, p := range b.people {
		all = append(all, p)
	}
	return all, nil
}

func (b *book) HasPeople(context.Context) (bool, error) { return len(b.people) > 0, nil }

func (b *book) PutPerson(ctx context.Context, p people.Person, entries ...people.Entry) error {
	if b.fail != nil {
		return b.fail
	}
	old, known := b.people[p.Name]
	switch {
	case p.Seq == 0 && known:
		return people.ErrExists
	case p.Seq != old.Seq:
		return errors.New("written over a newer record")
	case len(entries) == 0 || entries[len(entries)-1].Person != p.Name:
		return errors.New("written without saying why")
	}
	if err := b.Audit(ctx, entries...); err != nil {
		return err
	}
	p.Seq = int64(len(b.rows))
	b.people[p.Name] = p
	return p.Check()
}

func (b *book) Audit(_ context.Context, entries ...people.Entry) error {
	for _, e := range entries {
		if b.fail != nil {
			return b.fail
		}
		e.Time = time.Unix(1, 0)
		if err := e.Check(); err != nil {
			return err
		}
		var last people.Row
		if len(b.rows) > 0 {
			last = b.rows[len(b.rows)-1]
		}
		b.rows = append(b.rows, last.After(e))
	}
	return nil
}

func (b *book) AuditRows(_ context.Context, after int64, limit int) ([]people.Row, error) {
	rows := b.rows[min(after, int64(len(b.rows))):]
	return rows[:min(limit, len(rows))], nil
}

// words are the audit log's entries, a line each.
func (b *book) words() string {
	var lines []string
	for _, r := range b.rows {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s %s %s %s", r.Actor, r.Event, r.Person, r.Result, r.Note)))
	}
	return strings.Join(lines, "\n")
}

// desk is a closed till with its book and its clock.
type desk struct {
	t    *testing.T
	book *book
	now  time.Time
	cfg  Config
	h    http.Handler
}

// both is a lane and its journal.
type both interface {
	Lane
	Journal
}

func newDesk(t *testing.T, s both, change ...func(*people.Policy)) *desk {
	t.Helper()
	d := &desk{t: t, book: &book{people: map[string]people.Person{}}, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	p := people.DefaultPolicy()
	for _, c := range change {
		c(&p)
	}
	d.cfg = Config{
		Lane: s, Journal: s, Currency: kwd(t), Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
		Access: NewAccess(AccessConfig{
			People: d.book, Policy: p, Cost: people.LeastCost(), Clock: func() time.Time { return d.now },
			Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
		}),
		Verify: func(context.Context) (Verified, error) { return Verified{Rows: 7, Findings: []people.Finding{}}, nil },
		ExchangeKeys: func(ctx context.Context, anew bool) bool {
			if f, ok := s.(far); ok {
				f.touch()
			}
			return anew
		},
		KeysTicket: func(_ context.Context, person string) (string, error) {
			if f, ok := s.(far); ok {
				f.touch()
			}
			return "ticket of " + person, nil
		},
	}
	d.h = New(d.cfg).Socket()
	return d
}

func (d *desk) ask(token, method, path, body string) *httptest.ResponseRecorder {
	d.t.Helper()
	r := httptest.NewRequestWithContext(d.t.Context(), method, path, strings.NewReader(body))
	r.Host = Host
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	d.h.ServeHTTP(w, r)
	return w
}

func (d *desk) ok(token, method, path, body string) []byte {
	d.t.Helper()
	w := d.ask(token, method, path, body)
	if w.Code >= 300 {
		d.t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
	return w.Body.Bytes()
}

func (d *desk) refused(token, method, path, body string, status int, code string) {
	d.t.Helper()
	isProblem(d.t, d.ask(token, method, path, body), status, code)
}

const (
	adminSecret   = "blue.kettle9"
	cashierSecret = "481526"
)

func (d *desk) logIn(name, secret string) string {
	d.t.Helper()
	var in LoggedIn
	if err := json.Unmarshal(d.ok("", "POST", "/v1/login", fmt.Sprintf(`{"name":%q,"secret":%q}`, name, secret)), &in); err != nil {
		d.t.Fatal(err)
	}
	return in.Token
}

// staffed is a desk with amal, administrator, and one of every other role.
func staffed(t *testing.T, s both, change ...func(*people.Policy)) (d *desk, tokens map[people.Role]string) {
	t.Helper()
	d = newDesk(t, s, change...)
	d.ok("", "POST", "/v1/users/init", `{"name":"amal","secret":"`+adminSecret+`"}`)
	tokens = map[people.Role]string{people.Administrator: d.logIn("amal", adminSecret), "": ""}
	for role, name := range map[people.Role]string{people.Cashier: "carim", people.Supervisor: "sara", people.Technician: "tariq"} {
		secret := adminSecret
		if role == people.Cashier {
			secret = cashierSecret
		}
		d.ok(tokens[people.Administrator], "POST", "/v1/users", fmt.Sprintf(`{"name":%q,"role":%q,"secret":%q}`, name, role, secret))
		tokens[role] = d.logIn(name, secret)
	}
	return d, tokens
}

// far is a lane and a journal that note that they were reached.
type far struct{ reached *bool }

func (f far) touch() { *f.reached = true }

func (f far) Start(context.Context, terminal.Order) (terminal.Sale, error) {
	f.touch()
	return terminal.Sale{ID: 7}, nil
}

func (f far) Agree(context.Context, terminal.SaleID, terminal.Agreement) error {
	f.touch()
	return nil
}

func (f far) Confirm(context.Context, terminal.SaleID, bool, string) error {
	f.touch()
	return nil
}
func (f far) Cancel(context.Context) error    { f.touch(); return nil }
func (f far) Current() (terminal.Sale, bool)  { f.touch(); return terminal.Sale{}, false }
func (f far) SendQueue(context.Context) error { f.touch(); return nil }
func (f far) Decide(context.Context, terminal.DebtDecision) (terminal.Debt, error) {
	f.touch()
	return terminal.Debt{}, terminal.ErrNoDebt
}

func (f far) Snapshot() terminal.Snapshot {
	f.touch()
	return terminal.Snapshot{Version: 1, Sale: 7, Last: &terminal.Sale{ID: 6, MaskedPAN: "476173******0119"}}
}
func (f far) Watch(context.Context, uint64) (terminal.Snapshot, error) { return f.Snapshot(), nil }
func (f far) Sale(context.Context, terminal.SaleID) (terminal.Sale, error) {
	f.touch()
	return terminal.Sale{}, terminal.ErrNoSale
}
func (f far) Last(context.Context, int) ([]terminal.Sale, error) { f.touch(); return nil, nil }
func (f far) Search(context.Context, terminal.Search) (terminal.Found, error) {
	f.touch()
	return terminal.Found{}, nil
}

func (f far) OfCard(context.Context, terminal.SaleID, int) ([]terminal.Sale, error) {
	f.touch()
	return nil, nil
}

func (f far) Rows(context.Context, int64, int) ([]terminal.JournalRow, error) {
	f.touch()
	return nil, nil
}

func (f far) SaleRows(context.Context, terminal.SaleID) ([]terminal.JournalRow, error) {
	f.touch()
	return nil, terminal.ErrNoSale
}

func (f far) About(context.Context, terminal.SaleID) ([]terminal.Sale, error) {
	f.touch()
	return nil, nil
}
func (f far) Debts(context.Context) ([]terminal.Debt, error) { f.touch(); return nil, nil }

func (f far) DecideBatch(context.Context, terminal.BatchDecision) (terminal.Batch, error) {
	f.touch()
	return terminal.Batch{}, nil
}

func (f far) Batches(context.Context, string) ([]terminal.Batch, error) { f.touch(); return nil, nil }

func (f far) BatchRecord(context.Context, string, uint32) (terminal.Batch, error) {
	f.touch()
	return terminal.Batch{}, terminal.ErrNoBatch
}

func (f far) Items(context.Context, string, uint32) ([]terminal.Item, error) {
	f.touch()
	return nil, nil
}

// Every route, asked by nobody and by every role, on a closed till: who gets through is this table and nothing else, and
// behind a refusal nothing is reached.
func TestEveryRouteAsksForItsRole(t *testing.T) {
	reached := false
	d, tokens := staffed(t, far{&reached})
	for _, c := range []struct {
		method, path, body string
		may                string // first letters of the roles; - nobody logged in
	}{
		{"POST", "/v1/sales", `{"kind":"sale","amount":{"minor":1,"currency":"KWD"}}`, "cs"},
		{"POST", "/v1/sales", `{"kind":"refund","amount":{"minor":1,"currency":"KWD"},"of":5}`, "cs"},
		{"POST", "/v1/sales", `{"kind":"refund","amount":{"minor":1,"currency":"KWD"}}`, "s"},
		{"POST", "/v1/sales", `{"kind":"void","of":5}`, "cs"},
		{"POST", "/v1/sales", `{"kind":"preauth","amount":{"minor":1,"currency":"KWD"}}`, "cs"},
		{"POST", "/v1/sales", `{"kind":"increment","amount":{"minor":1,"currency":"KWD"},"of":5}`, "cs"},
		{"POST", "/v1/sales", `{"kind":"completion","amount":{"minor":1,"currency":"KWD"},"of":5}`, "cs"},
		{"POST", "/v1/sales", `{"kind":"balance"}`, "cs"},
		{"POST", "/v1/sales", `{"kind":"forced","amount":{"minor":1,"currency":"KWD"},"auth":"A1"}`, "s"},
		{"POST", "/v1/sales", `{"kind":"no such kind","amount":{"minor":1,"currency":"KWD"}}`, "cs"},
		{"POST", "/v1/sales", `no order`, "cs"},
		{"GET", "/v1/sales", "", "csta"},
		{"GET", "/v1/sales?card_of=7", "", "csta"},
		{"GET", "/v1/sales/7", "", "csta"},
		{"GET", "/v1/sales/7/receipt", "", "cs"},
		{"GET", "/v1/sales/7/why", "", "csta"},
		{"GET", "/v1/sales/7/transcript", "", "csta"},
		{"GET", "/v1/kernel", "", "-csta"},
		{"GET", "/v1/journal", "", "csta"},
		{"GET", "/v1/status", "", "-csta"},
		{"GET", "/v1/watch?after=9", "", "-csta"},
		{"POST", "/v1/cancel", "", "cs"},
		{"POST", "/v1/sales/7/signature", `{"matches":true}`, "cs"},
		{"POST", "/v1/sales/7/agreement", `{"agreed":true}`, "cs"},
		{"POST", "/v1/sales/7/confirmation", `{"meant":true}`, "cs"},
		{"GET", "/v1/queue", "", "sta"},
		{"POST", "/v1/queue/send", "", "st"},
		{"POST", "/v1/queue/3/retry", "", "st"},
		{"POST", "/v1/queue/3/park", "", "s"},
		{"POST", "/v1/queue/3/write-off", `{"note":"x"}`, "s"},
		{"POST", "/v1/settle", "", "s"},
		{"GET", "/v1/settle", "", "cs"},
		{"POST", "/v1/settle/call-off", "", "s"},
		{"POST", "/v1/settle/3/close", `{"note":"x"}`, "s"},
		{"GET", "/v1/report/x", "", "cs"},
		{"GET", "/v1/report/z", "", "cs"},
		{"GET", "/v1/users", "", "a"},
		{"POST", "/v1/users", `{"name":"x"}`, "a"},
		{"POST", "/v1/users/nobody", `{"lock":false}`, "a"},
		{"POST", "/v1/host/test", "", "sta"},
		{"POST", "/v1/keys/exchange", `{"anew":true}`, "ta"},
		{"POST", "/v1/keys/ticket", "", "ta"},
		{"GET", "/v1/log", "", "ta"},
		{"POST", "/v1/log", `{"level":"debug"}`, "ta"},
		{"POST", "/v1/support", "{}", "ta"},
		{"GET", "/v1/provision", "", "-csta"},
		{"GET", "/v1/provision/package", "", "ta"},
		{"POST", "/v1/provision", "", "ta"},
		{"POST", "/v1/provision/rollback", "", "a"},
		{"GET", "/v1/audit", "", "a"},
		{"POST", "/v1/audit/verify", "", "a"},
		{"HEAD", "/v1/sales", "", "csta"},
	} {
		for _, role := range append([]people.Role{""}, people.Roles()...) {
			d.now = d.now.Add(3 * time.Second) // at most so many refusals a minute are written one by one
			reached, d.book.rows = false, nil
			w := d.ask(tokens[role], c.method, c.path, c.body)
			may := strings.Contains(c.may, (string(role) + "-")[:1])
			refused := w.Code == 401 || w.Code == 403
			switch {
			case may == refused:
				t.Errorf("%s %s by %q: %d", c.method, c.path, role, w.Code)
			case !may && reached:
				t.Errorf("%s %s by %q was refused and done", c.method, c.path, role)
			case !may && role == "" && c.method != "HEAD":
				isProblem(t, w, 401, "log_in")
			case !may && c.method != "HEAD":
				isProblem(t, w, 403, "not_allowed")
			}
			if audited := strings.Contains(d.book.words(), "refused  denied asked for"); audited == may {
				t.Errorf("%s %s by %q: audited %v: %q", c.method, c.path, role, audited, d.book.words())
			}
		}
	}
}

// A refund of no sale is the supervisor's also where roles are open, and is audited before the lane hears of it and after; the
// order says who asked.
func TestRefundOfNoSale(t *testing.T) {
	const body = `{"kind":"refund","amount":{"minor":3000,"currency":"KWD"}}`
	reached := false
	d, tokens := staffed(t, far{&reached}, func(p *people.Policy) { p.Open = true })
	d.refused("", "POST", "/v1/sales", body, 401, "log_in")
	d.refused(tokens[people.Cashier], "POST", "/v1/sales", body, 403, "not_allowed")
	if reached {
		t.Error("the lane was reached")
	}
	d.ok("", "POST", "/v1/sales", `{"kind":"refund","amount":{"minor":3000,"currency":"KWD"},"of":5}`)
	d.book.rows = nil
	d.ok(tokens[people.Supervisor], "POST", "/v1/sales", body)
	if words := d.book.words(); !strings.Contains(words, "asks for a refund of KWD 3.000") || !strings.Contains(words, "refund 7 of KWD 3.000") || !strings.Contains(words, "sara") {
		t.Errorf("audited: %q", words)
	}
}

// What nobody may see of a sale is not in the status either.
func TestStatusWithoutLogInShowsNoSale(t *testing.T) {
	reached := false
	d, tokens := staffed(t, far{&reached})
	for _, path := range []string{"/v1/status", "/v1/watch?after=9"} {
		if got := d.ok("", "GET", path, ""); strings.Contains(string(got), "0119") || strings.Contains(string(got), `"sale"`) {
			t.Errorf("%s shows a sale to nobody: %s", path, got)
		}
		if got := d.ok(tokens[people.Cashier], "GET", path, ""); !strings.Contains(string(got), "0119") {
			t.Errorf("%s shows the cashier nothing: %s", path, got)
		}
	}
}

func TestOpenTillKeepsKeysPeopleAndAuditClosed(t *testing.T) {
	reached := false
	d, _ := staffed(t, far{&reached}, func(p *people.Policy) { p.Open = true })
	d.ok("", "POST", "/v1/sales", `{"kind":"sale","amount":{"minor":1,"currency":"KWD"}}`)
	d.ok("", "POST", "/v1/cancel", "")
	d.ok("", "GET", "/v1/journal", "")
	if got := d.ok("", "GET", "/v1/status", ""); !strings.Contains(string(got), `"open":true`) {
		t.Errorf("an open till does not say so: %s", got)
	}
	for _, path := range []string{"/v1/users", "/v1/audit"} {
		d.refused("", "GET", path, "", 401, "log_in")
	}
	d.refused("", "POST", "/v1/audit/verify", "", 401, "log_in")
	d.refused("", "POST", "/v1/queue/3/write-off", `{"note":"x"}`, 401, "log_in")
	d.refused("", "POST", "/v1/queue/3/retry", "", 404, "no_such_debt") // let through, as sending is
	d.refused("", "POST", "/v1/users", `{"name":"new","role":"administrator","secret":"blue.kettle9"}`, 401, "log_in")
}

func TestFirstAdministratorIsMadeOnce(t *testing.T) {
	d := newDesk(t, newScript(t))
	d.refused("", "POST", "/v1/login", `{"name":"admin","secret":"admin"}`, 401, "wrong_secret") // no default
	for body, code := range map[string]string{
		`{"name":"amal","secret":""}`:              "weak_secret",
		`{"name":"amal","secret":"short1"}`:        "weak_secret",
		`{"name":"amal","secret":"amal.kettle9"}`:  "weak_secret",
		`{"name":"A mal","secret":"blue.kettle9"}`: "bad_name",
	} {
		d.refused("", "POST", "/v1/users/init", body, 422, code)
	}
	if len(d.book.people) != 0 {
		t.Fatal("a refused one was made")
	}
	d.ok("", "POST", "/v1/users/init", `{"name":"amal","role":"cashier","secret":"blue.kettle9"}`)
	if p := d.book.people["amal"]; p.Role != people.Administrator {
		t.Errorf("the first is a %s", p.Role)
	}
	d.refused("", "POST", "/v1/users/init", `{"name":"eve","secret":"blue.kettle9"}`, 409, "not_first")
	if len(d.book.people) != 1 || !strings.Contains(d.book.words(), "nobody refused  denied") {
		t.Errorf("a second first: %v, %s", d.book.people, d.book.words())
	}
}

func TestFiveWrongSecretsLock(t *testing.T) {
	d, tokens := staffed(t, newScript(t))
	wrong := `{"name":"carim","secret":"000000"}`
	for range people.MaxFailures - 1 {
		d.refused("", "POST", "/v1/login", wrong, 401, "wrong_secret")
	}
	d.logIn("carim", cashierSecret) // the count begins anew
	for range people.MaxFailures - 1 {
		d.refused("", "POST", "/v1/login", wrong, 401, "wrong_secret")
	}
	d.refused("", "POST", "/v1/login", wrong, 403, "locked")
	d.refused("", "POST", "/v1/login", `{"name":"carim","secret":"`+cashierSecret+`"}`, 403, "locked")
	d.refused(tokens[people.Cashier], "GET", "/v1/sales", "", 401, "log_in") // the session went too
	if words := d.book.words(); !strings.Contains(words, "login  failed carim, try 4 of 5") || !strings.Contains(words, "terminal lock carim done") || !strings.Contains(words, "carim is locked") {
		t.Errorf("audited: %s", words)
	}
	d.refused(tokens[people.Supervisor], "POST", "/v1/users/carim", `{"lock":false}`, 403, "not_allowed")
	d.ok(tokens[people.Administrator], "POST", "/v1/users/carim", `{"lock":false}`)
	d.logIn("carim", cashierSecret)
	d.ok(tokens[people.Administrator], "POST", "/v1/users/carim", `{"lock":true}`)
	d.refused("", "POST", "/v1/login", `{"name":"carim","secret":"`+cashierSecret+`"}`, 403, "locked")
}

// A try is on disk before it is judged: when it cannot be written, the right secret opens nothing.
func TestNoTryWithoutItsCount(t *testing.T) {
	d, _ := staffed(t, newScript(t))
	d.book.fail = errors.New("disk full")
	for _, secret := range []string{cashierSecret, "000000"} {
		w := d.ask("", "POST", "/v1/login", `{"name":"carim","secret":"`+secret+`"}`)
		isProblem(t, w, 500, "internal")
		if strings.Contains(w.Body.String(), "token") {
			t.Errorf("a session without its count: %s", w.Body)
		}
	}
}

// Nobody learns from the answer whether a name is there, and what was typed as a name is not audited.
func TestUnknownNameIsLikeAWrongSecret(t *testing.T) {
	d, _ := staffed(t, newScript(t))
	a := d.ask("", "POST", "/v1/login", `{"name":"carim","secret":"000000"}`)
	b := d.ask("", "POST", "/v1/login", `{"name":"my-secret-in-the-wrong-field","secret":"000000"}`)
	if a.Code != b.Code || a.Body.String() != b.Body.String() {
		t.Errorf("%d %s and %d %s", a.Code, a.Body, b.Code, b.Body)
	}
	if strings.Contains(d.book.words(), "my-secret") {
		t.Errorf("audited: %s", d.book.words())
	}
}

func TestSessionsEnd(t *testing.T) {
	reached := false
	d, tokens := staffed(t, far{&reached})
	cashier := tokens[people.Cashier]
	d.ok(cashier, "GET", "/v1/sales", "")
	for _, wrong := range []string{cashier[:62], cashier + "00", strings.Repeat("0", 64), "x"} {
		d.refused(wrong, "GET", "/v1/sales", "", 401, "log_in")
	}
	d.now = d.now.Add(people.DefaultIdle - time.Second)
	d.ok(cashier, "GET", "/v1/sales", "")
	d.now = d.now.Add(people.DefaultIdle)
	d.refused(cashier, "GET", "/v1/sales", "", 401, "log_in")
	cashier = d.logIn("carim", cashierSecret)
	d.ok(cashier, "POST", "/v1/logout", "")
	d.refused(cashier, "GET", "/v1/sales", "", 401, "log_in")
	d.refused(cashier, "POST", "/v1/logout", "", 401, "log_in")
	admin := d.logIn("amal", adminSecret)
	for _, change := range []string{`{"lock":true}`, `{"lock":false}`, `{"secret":"937104"}`} {
		if change == `{"secret":"937104"}` {
			cashier = d.logIn("carim", cashierSecret)
		}
		d.ok(admin, "POST", "/v1/users/carim", change)
		d.refused(cashier, "GET", "/v1/sales", "", 401, "log_in")
	}
	d.refused("", "POST", "/v1/login", `{"name":"carim","secret":"`+cashierSecret+`"}`, 401, "wrong_secret")
	d.logIn("carim", "937104")
}

func TestChangesOfPeople(t *testing.T) {
	d, tokens := staffed(t, newScript(t))
	admin := tokens[people.Administrator]
	for _, c := range []struct {
		path, body string
		status     int
		code       string
	}{
		{"/v1/users/amal", `{"lock":true}`, 409, "last_administrator"},
		{"/v1/users/amal", `{"role":"cashier"}`, 409, "last_administrator"},
		{"/v1/users/carim", `{"role":"administrator"}`, 409, "secret_first"},
		{"/v1/users/carim", `{"role":"owner"}`, 422, "bad_role"},
		{"/v1/users/carim", `{}`, 400, "bad_body"},
		{"/v1/users/carim", `{"lock":true,"role":"cashier"}`, 400, "bad_body"},
		{"/v1/users/carim", `{"lock":true,"LOCK":false}`, 400, "bad_body"},
		{"/v1/users/carim", `{"hash":"x"}`, 400, "bad_body"},
		{"/v1/users/carim", `{"lock":true}{}`, 400, "bad_body"},
		{"/v1/users/sara", `{"secret":"481526"}`, 422, "weak_secret"},
		{"/v1/users/zaid", `{"lock":true}`, 404, "no_such_person"},
		{"/v1/users", `{"name":"carim","role":"cashier","secret":"481526"}`, 409, "name_taken"},
		{"/v1/users", `{"name":"zaid","role":"","secret":"481526"}`, 422, "bad_role"},
		{"/v1/users", `{"name":"zaid","role":"cashier"}`, 422, "weak_secret"},
	} {
		d.refused(admin, "POST", c.path, c.body, c.status, c.code)
	}
	d.ok(admin, "POST", "/v1/users/sara", `{"role":"administrator"}`)
	d.ok(d.logIn("sara", adminSecret), "POST", "/v1/users/amal", `{"role":"technician"}`)
	d.refused(admin, "GET", "/v1/users", "", 401, "log_in") // the old role's session ended
	if p := d.book.people["amal"]; p.Role != people.Technician {
		t.Errorf("amal is %s", p.Role)
	}
	if words := d.book.words(); !strings.Contains(words, "sara role amal done administrator becomes technician") {
		t.Errorf("audited: %s", words)
	}
}

// Everybody changes their own secret with the old one, and a wrong old one counts as a wrong try.
func TestOwnSecret(t *testing.T) {
	d, tokens := staffed(t, newScript(t))
	cashier := tokens[people.Cashier]
	d.refused("", "POST", "/v1/secret", `{"old":"481526","new":"937104"}`, 401, "log_in")
	d.refused(cashier, "POST", "/v1/secret", `{"old":"000000","new":"937104"}`, 401, "wrong_secret")
	if p := d.book.people["carim"]; p.Failures != 1 {
		t.Errorf("%d failures after a wrong old secret", p.Failures)
	}
	d.refused(cashier, "POST", "/v1/secret", `{"old":"481526","new":"481526"}`, 422, "weak_secret")
	d.refused(cashier, "POST", "/v1/secret", `{"old":"481526","new":"111111"}`, 422, "weak_secret")
	d.ok(cashier, "POST", "/v1/secret", `{"old":"481526","new":"937104"}`)
	d.refused(cashier, "GET", "/v1/sales", "", 401, "log_in")
	d.logIn("carim", "937104")
}

// Refusals without end fill no disk: thirty a minute are written, the rest counted.
func TestRefusalsAreBounded(t *testing.T) {
	d := newDesk(t, newScript(t))
	for range 500 {
		d.refused("", "GET", "/v1/audit", "", 401, "log_in")
	}
	if len(d.book.rows) != maxRefusals {
		t.Errorf("%d rows for 500 refusals, want %d", len(d.book.rows), maxRefusals)
	}
	d.now = d.now.Add(time.Minute)
	d.refused("", "GET", "/v1/audit", "", 401, "log_in")
	if words := d.book.words(); !strings.Contains(words, "470 more refusals") {
		t.Errorf("the rest is not counted: %s", words)
	}
}

// No answer and no audit row holds a secret or a hash.
func TestNoAnswerHoldsASecret(t *testing.T) {
	reached := false
	d, tokens := staffed(t, far{&reached})
	admin := tokens[people.Administrator]
	var all strings.Builder
	for _, c := range []struct{ method, path, body string }{
		{"GET", "/v1/users", ""},
		{"POST", "/v1/login", `{"name":"carim","secret":"canary-77-secret"}`},
		{"POST", "/v1/login", `{"name":"carim","secret":"canary-77-secret","more":"canary-77-secret"}`},
		{"POST", "/v1/login", `{"name":"carim","secret":["canary-77-secret"]}`},
		{"POST", "/v1/users", `{"name":"zaid","role":"cashier","secret":"canary-77-secret"}`},
		{"POST", "/v1/users", `{"name":"zaid","role":"canary-77-secret","secret":"canary-77-secret`},
		{"POST", "/v1/users/sara", `{"secret":"canary-77-secret"}`},
		{"GET", "/v1/audit", ""},
	} {
		all.Write(d.ask(admin, c.method, c.path, c.body).Body.Bytes())
	}
	all.WriteString(d.book.words())
	for _, canary := range []string{"canary", "argon2id", adminSecret, cashierSecret, admin} {
		if strings.Contains(all.String(), canary) {
			t.Errorf("%q is in an answer or in the audit log", canary)
		}
	}
}

// A request that a web page makes, or for another host, reaches nothing.
func TestForeignRequestsAreRefused(t *testing.T) {
	for name, change := range map[string]func(*http.Request){
		"origin":      func(r *http.Request) { r.Header.Set("Origin", "http://example.com") },
		"null origin": func(r *http.Request) { r.Header.Set("Origin", "null") },
		"fetch":       func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
		"host":        func(r *http.Request) { r.Host = "rebound.example.com" },
		"no host":     func(r *http.Request) { r.Host = "" },
	} {
		reached := false
		d := newDesk(t, far{&reached}, func(p *people.Policy) { p.Open = true })
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/v1/cancel", nil)
		r.Host = Host
		change(r)
		w := httptest.NewRecorder()
		d.h.ServeHTTP(w, r)
		isProblem(t, w, 403, "not_local")
		if reached {
			t.Errorf("%s: refused and done", name)
		}
	}
}

// FuzzBearer: no header but the token itself is a session.
func FuzzBearer(f *testing.F) {
	f.Add("Bearer 00")
	f.Add("bearer " + strings.Repeat("0", 64))
	f.Add("Basic YTpi")
	a := NewAccess(AccessConfig{People: nobody{}, Policy: people.DefaultPolicy(), Log: slog.New(slog.DiscardHandler)})
	token := people.NewToken([32]byte{7, 7, 7})
	a.sessions.Begin(token, "carim", people.Cashier, time.Now())
	f.Fuzz(func(t *testing.T, header string) {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/v1/sales", nil)
		r.Header.Set("Authorization", header)
		if c := a.identify(r, &door{}); c.role != "" && !strings.EqualFold(header, "Bearer "+token.Clear()) {
			t.Errorf("%q is %s", header, c.name)
		}
	})
}

// TestKeysTicket: a ticket is its caller's, and nobody has one that the audit log does not know of.
func TestKeysTicket(t *testing.T) {
	reached := false
	d, tokens := staffed(t, far{&reached})
	for role, name := range map[people.Role]string{people.Technician: "tariq", people.Administrator: "amal"} {
		if got := string(d.ok(tokens[role], "POST", "/v1/keys/ticket", "")); got != `{"person":"`+name+`","ticket":"ticket of `+name+`"}`+"\n" {
			t.Errorf("%s got %s", name, got)
		}
		if log := d.book.words(); !strings.Contains(log, name+" keys  done takes a ticket for loading keys") {
			t.Errorf("audited: %s", log)
		}
	}
	d.book.fail, reached = errors.New("disk full"), false
	if w := d.ask(tokens[people.Technician], "POST", "/v1/keys/ticket", ""); w.Code != 500 || reached {
		t.Errorf("without the audit log: %d, made %t", w.Code, reached)
	}
}

// TestKeyExchangeByHand: who asked stands in the audit log before anything is asked; an acquirer without session keys says so.
func TestKeyExchangeByHand(t *testing.T) {
	reached := false
	d, tokens := staffed(t, far{&reached})
	d.ok(tokens[people.Technician], "POST", "/v1/keys/exchange", `{"anew":true}`)
	if log := d.book.words(); !strings.Contains(log, "tariq keys  tried asks for new session keys, as a terminal without keys") {
		t.Errorf("audited: %s", log)
	}
	d.refused(tokens[people.Technician], "POST", "/v1/keys/exchange", `{"anew":false}`, 409, "no_session_keys")
	d.refused(tokens[people.Technician], "POST", "/v1/keys/exchange", `{"what":1}`, 400, "bad_body")
	d.book.fail = errors.New("disk full")
	reached = false
	if w := d.ask(tokens[people.Technician], "POST", "/v1/keys/exchange", `{"anew":true}`); w.Code != 500 || reached {
		t.Errorf("without the audit log: %d, asked %t", w.Code, reached)
	}
}
