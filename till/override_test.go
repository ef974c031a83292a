package till

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tillway/terminal"
	"tillway/terminal/people"
)

// counter is a closed till whose cashier may do nothing but sell and look.
func counter(t *testing.T, s both) (*desk, map[people.Role]string) {
	t.Helper()
	return staffed(t, s, func(p *people.Policy) {
		for _, a := range []people.Action{people.Void, people.Refund, people.Preauth, people.Report, people.Print, people.Receipt} {
			tight, err := p.With(a, []people.Role{people.Supervisor})
			if err != nil {
				t.Fatal(err)
			}
			*p = tight
		}
	})
}

// askWith asks with somebody's yes.
func (d *desk) askWith(token, override, method, path, body string) *httptest.ResponseRecorder {
	d.t.Helper()
	r := httptest.NewRequestWithContext(d.t.Context(), method, path, strings.NewReader(body))
	r.Host = Host
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(OverrideHeader, override)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	d.h.ServeHTTP(w, r)
	return w
}

// yes is a supervisor's, for the session of a token.
func (d *desk) yes(token, name string, action people.Action) string {
	d.t.Helper()
	w := d.ask(token, "POST", "/v1/override", fmt.Sprintf(`{"name":%q,"secret":%q,"action":%q}`, name, adminSecret, action))
	var out Override
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Code != http.StatusCreated || out.Expires != 60 || len(out.Override) != 64 {
		d.t.Fatalf("override: %d %s", w.Code, w.Body)
	}
	return out.Override
}

// TestOverride: everything that a cashier's role lacks, and somebody else may lend, is refused without a yes, done with one, and
// refused with the same one again; both names stand in the audit log before anything is done, and what came of it after.
func TestOverride(t *testing.T) {
	reached := false
	d, tokens := counter(t, far{&reached})
	cashier := tokens[people.Cashier]
	for _, c := range []struct {
		method, path, body string
		action             people.Action
	}{
		{"POST", "/v1/sales", `{"kind":"void","of":5}`, people.Void},
		{"POST", "/v1/sales", `{"kind":"refund","amount":{"minor":1,"currency":"KWD"},"of":5}`, people.Refund},
		{"POST", "/v1/sales", `{"kind":"refund","amount":{"minor":1,"currency":"KWD"}}`, people.RefundFree},
		{"POST", "/v1/sales", `{"kind":"preauth","amount":{"minor":1,"currency":"KWD"}}`, people.Preauth},
		{"POST", "/v1/sales", `{"kind":"forced","amount":{"minor":1,"currency":"KWD"},"auth":"A1"}`, people.Forced},
		{"GET", "/v1/queue", "", people.Queue},
		{"POST", "/v1/queue/send", "{}", people.Send},
		{"POST", "/v1/queue/3/retry", "{}", people.Send},
		{"POST", "/v1/queue/3/park", "{}", people.WriteOff},
		{"POST", "/v1/queue/3/write-off", `{"note":"x"}`, people.WriteOff},
		{"POST", "/v1/settle", "{}", people.Settle},
		{"POST", "/v1/settle/call-off", "{}", people.Settle},
		{"POST", "/v1/settle/3/close", `{"note":"x"}`, people.CloseBatch},
		{"GET", "/v1/settle", "", people.Report},
		{"GET", "/v1/report/x", "", people.Report},
		{"POST", "/v1/drawer", "{}", people.Drawer},
		{"POST", "/v1/printer/resume", "{}", people.Print},
		{"POST", "/v1/printer/print", `{"what":"test"}`, people.Print},
		{"POST", "/v1/printer/print", `{"what":"report","report":"x"}`, people.Report},
		{"GET", "/v1/sales/7/receipt", "", people.Receipt},
	} {
		t.Run(string(c.action)+" "+c.path, func(t *testing.T) {
			d.now, d.book.rows, reached = d.now.Add(3*time.Second), nil, false
			isProblem(t, d.ask(cashier, c.method, c.path, c.body), 403, "not_allowed")
			if reached {
				t.Fatal("refused, and done")
			}
			token := d.yes(cashier, "sara", c.action)
			if w := d.askWith(cashier, token, c.method, c.path, c.body); w.Code == 401 || w.Code == 403 {
				t.Fatalf("with a yes: %d %s", w.Code, w.Body)
			}
			log := d.book.words()
			for _, says := range []string{"sara override sara done carim asks to " + c.action.Words(), "carim override  tried asks to " + c.action.Words() + " with a yes of sara: "} {
				if !strings.Contains(log, says) {
					t.Errorf("not audited: %s\n%s", says, log)
				}
			}
			if !strings.Contains(log, "carim override  done to ") && !strings.Contains(log, "carim override  failed to ") && c.path != "/v1/printer/print" {
				t.Errorf("what came of it is not audited: %s", log)
			}
			reached = false
			isProblem(t, d.askWith(cashier, token, c.method, c.path, c.body), 403, "override_refused")
			if reached {
				t.Error("a used yes was good again")
			}
		})
	}
}

// TestOverrideNamesTheSale: the audit log has both names, the sale that it was about, and the number of what was begun.
func TestOverrideNamesTheSale(t *testing.T) {
	reached := false
	d, tokens := counter(t, far{&reached})
	token := d.yes(tokens[people.Cashier], "sara", people.Void)
	if w := d.askWith(tokens[people.Cashier], token, "POST", "/v1/sales", `{"kind":"void","of":5,"key":"k1"}`); w.Code != http.StatusCreated {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	for _, says := range []string{"with a yes of sara: void of KWD 0.000, about sale 5", "carim override  done to void with a yes of sara: sale 7 was begun"} {
		if log := d.book.words(); !strings.Contains(log, says) {
			t.Errorf("not audited: %s\n%s", says, log)
		}
	}
	// The answer was lost: the same order goes through again, and another one does not.
	if w := d.askWith(tokens[people.Cashier], token, "POST", "/v1/sales", `{"kind":"void","of":5,"key":"k1"}`); w.Code != http.StatusCreated {
		t.Errorf("the same order again: %d %s", w.Code, w.Body)
	}
	for _, other := range []string{`{"kind":"void","of":6,"key":"k2"}`, `{"kind":"void","of":6,"key":"k1"}`} { // also under the same key
		isProblem(t, d.askWith(tokens[people.Cashier], token, "POST", "/v1/sales", other), 403, "override_refused")
	}
}

// TestOverrideIsNarrow: a yes is of one session, for one action, for a minute; and an order that cannot be read does not use it up.
func TestOverrideIsNarrow(t *testing.T) {
	const void = `{"kind":"void","of":5}`
	reached := false
	d, tokens := counter(t, far{&reached})
	cashier := tokens[people.Cashier]
	refused := func(what, token, override, body string) {
		t.Helper()
		reached = false
		isProblem(t, d.askWith(token, override, "POST", "/v1/sales", body), 403, "override_refused")
		if reached || !strings.Contains(d.book.words(), "refused  denied asked for") {
			t.Errorf("%s: reached %t, audited %s", what, reached, d.book.words())
		}
	}
	token := d.yes(cashier, "sara", people.Void)
	refused("another session", d.logIn("carim", cashierSecret), token, void)
	refused("another person", tokens[people.Technician], token, void)
	refused("another action", cashier, token, `{"kind":"forced","amount":{"minor":1,"currency":"KWD"},"auth":"A1"}`)
	refused("made up", cashier, strings.Repeat("0", 64), void)
	refused("no token", cashier, "yes", void)
	isProblem(t, d.askWith(cashier, token, "POST", "/v1/sales", `{"kind":"void"`), 400, "bad_order")
	if w := d.askWith(cashier, token, "POST", "/v1/sales", void); w.Code != http.StatusCreated {
		t.Errorf("still good: %d %s", w.Code, w.Body)
	}
	token = d.yes(cashier, "sara", people.Void)
	d.now = d.now.Add(time.Minute)
	refused("expired", cashier, token, void)
	token = d.yes(cashier, "sara", people.Void)
	d.ok(cashier, "POST", "/v1/logout", "")
	refused("after the log-out", d.logIn("carim", cashierSecret), token, void)
	// Who may by themselves uses nobody's yes up.
	if w := d.askWith(tokens[people.Supervisor], token, "POST", "/v1/sales", void); w.Code != http.StatusCreated {
		t.Errorf("the supervisor: %d %s", w.Code, w.Body)
	}
}

// TestOverrideRefuses: whose role lacks it cannot lend it, some things nobody lends, and nobody asks who is nobody.
func TestOverrideRefuses(t *testing.T) {
	reached := false
	d, tokens := counter(t, far{&reached})
	const path = "/v1/override"
	body := func(name, secret string, action people.Action) string {
		return fmt.Sprintf(`{"name":%q,"secret":%q,"action":%q}`, name, secret, action)
	}
	for name, c := range map[string]struct {
		token, body string
		status      int
		code        string
	}{
		"nobody":              {"", body("sara", adminSecret, people.Void), 401, "log_in"},
		"a role without it":   {tokens[people.Cashier], body("tariq", adminSecret, people.Void), 403, "not_allowed"},
		"themselves":          {tokens[people.Cashier], body("carim", cashierSecret, people.Void), 403, "not_allowed"},
		"a wrong secret":      {tokens[people.Cashier], body("sara", "not that one", people.Void), 401, "wrong_secret"},
		"somebody who is not": {tokens[people.Cashier], body("zed", adminSecret, people.Void), 401, "wrong_secret"},
		"people":              {tokens[people.Cashier], body("amal", adminSecret, people.Users), 403, "no_override"},
		"keys":                {tokens[people.Cashier], body("amal", adminSecret, people.Keys), 403, "no_override"},
		"the audit log":       {tokens[people.Cashier], body("amal", adminSecret, people.Audit), 403, "no_override"},
		"nothing there is":    {tokens[people.Cashier], body("sara", adminSecret, "steal"), 400, "bad_body"},
		"no action":           {tokens[people.Cashier], `{"name":"sara","secret":"` + adminSecret + `"}`, 400, "bad_body"},
		"a member twice":      {tokens[people.Cashier], `{"name":"sara","secret":"a","secret":"b","action":"void"}`, 400, "bad_body"},
		"a member too many":   {tokens[people.Cashier], `{"name":"sara","secret":"a","action":"void","for":"ever"}`, 400, "bad_body"},
	} {
		w := d.ask(c.token, "POST", path, c.body)
		isProblem(t, w, c.status, c.code)
		if strings.Contains(w.Body.String(), adminSecret) {
			t.Errorf("%s: the secret is said back", name)
		}
	}
	if len(d.cfg.Access.yeses) != 0 {
		t.Errorf("%d yeses were made", len(d.cfg.Access.yeses))
	}
	if log := d.book.words(); !strings.Contains(log, "tariq override tariq denied carim asks to void") {
		t.Errorf("audited %s", log)
	}
}

// TestOverrideLocks: five wrong secrets in a row lock the name, wherever they were typed.
func TestOverrideLocks(t *testing.T) {
	reached := false
	d, tokens := counter(t, far{&reached})
	wrong := `{"name":"sara","secret":"not that one","action":"void"}`
	for range people.MaxFailures - 1 {
		isProblem(t, d.ask(tokens[people.Cashier], "POST", "/v1/override", wrong), 401, "wrong_secret")
	}
	isProblem(t, d.ask(tokens[people.Cashier], "POST", "/v1/override", wrong), 403, "locked")
	isProblem(t, d.ask(tokens[people.Cashier], "POST", "/v1/override", `{"name":"sara","secret":"`+adminSecret+`","action":"void"}`), 403, "locked")
	d.refused("", "POST", "/v1/login", `{"name":"sara","secret":"`+adminSecret+`"}`, 403, "locked")
	if w := d.ask(tokens[people.Supervisor], "GET", "/v1/queue", ""); w.Code != 401 {
		t.Errorf("the locked one's session goes on: %d", w.Code)
	}
	if !d.book.people["sara"].Locked {
		t.Error("she is not locked")
	}
}

// TestOverrideAtAnOpenTill: where nobody logs in, a refund of no sale takes a supervisor's yes; a register gets none.
func TestOverrideAtAnOpenTill(t *testing.T) {
	reached := false
	d, _ := staffed(t, far{&reached}, func(p *people.Policy) { p.Open = true })
	const refund = `{"kind":"refund","amount":{"minor":1,"currency":"KWD"}}`
	isProblem(t, d.ask("", "POST", "/v1/sales", refund), 401, "log_in")
	if w := d.askWith("", d.yes("", "sara", people.RefundFree), "POST", "/v1/sales", refund); w.Code != http.StatusCreated {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if log := d.book.words(); !strings.Contains(log, "nobody override  tried asks to refund without a sale with a yes of sara: refund of KWD 0.001") {
		t.Errorf("audited %s", log)
	}
	d.cfg.Access.register = registersOf(map[string]people.ECR{"abc": {Name: "till3", May: people.DefaultGrants()}})
	w := browser{host: "x", bearer: "abc", kind: "application/json"}.ask(t, New(d.cfg).ECR(), "POST", "/v1/override", `{"name":"sara","secret":"`+adminSecret+`","action":"unreferenced_refund"}`)
	isProblem(t, w, 403, "no_override")
}

// TestOverrideWithoutAudit: what cannot be written is not done.
func TestOverrideWithoutAudit(t *testing.T) {
	reached := false
	d, tokens := counter(t, far{&reached})
	token := d.yes(tokens[people.Cashier], "sara", people.Void)
	d.book.fail = fmt.Errorf("disk full: %w", terminal.ErrNote)
	if w := d.askWith(tokens[people.Cashier], token, "POST", "/v1/sales", `{"kind":"void","of":5}`); w.Code < 400 || reached {
		t.Errorf("%d, reached %t", w.Code, reached)
	}
}
