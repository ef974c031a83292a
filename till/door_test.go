package till

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"tillway/terminal"
	"tillway/terminal/people"
)

// here is where the screen's door of the tests is.
const here = "127.0.0.1:8580"

// browser is what one sends for a page of the screen's own.
type browser struct {
	host, origin, site, kind, cookie, bearer string
}

func ownPage() browser {
	return browser{host: here, origin: "http://" + here, site: "same-origin", kind: "application/json"}
}

func (p browser) request(t *testing.T, method, path, body string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	r.Host = p.host
	for name, value := range map[string]string{"Origin": p.origin, "Sec-Fetch-Site": p.site, "Content-Type": p.kind} {
		if value != "" && (name != "Origin" || method != http.MethodGet) {
			r.Header.Set(name, value)
		}
	}
	if p.cookie != "" {
		r.Header.Set("Cookie", cookieName+"="+p.cookie)
	}
	if p.bearer != "" {
		r.Header.Set("Authorization", "Bearer "+p.bearer)
	}
	return r
}

func (p browser) ask(t *testing.T, h http.Handler, method, path, body string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, p.request(t, method, path, body))
	return w
}

func screenOf(cfg Config) http.Handler {
	return New(cfg).Screen(netip.MustParseAddrPort(here), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "page "+r.URL.Path)
	}))
}

// logIn logs somebody in at the screen, and gives the cookie.
func logIn(t *testing.T, h http.Handler, name, secret string) string {
	t.Helper()
	w := ownPage().ask(t, h, "POST", "/v1/login", `{"name":"`+name+`","secret":"`+secret+`"}`)
	if w.Code != http.StatusOK {
		t.Fatalf("log-in: %d %s", w.Code, w.Body)
	}
	cookies := w.Result().Cookies()
	if len(cookies) != 1 || cookies[0].Name != cookieName || len(cookies[0].Value) != 64 || !cookies[0].HttpOnly ||
		cookies[0].SameSite != http.SameSiteStrictMode || cookies[0].Path != "/" || cookies[0].Domain != "" {
		t.Fatalf("cookies %v", cookies)
	}
	if strings.Contains(w.Body.String(), cookies[0].Value) || strings.Contains(w.Body.String(), "token") {
		t.Fatalf("a script can read the token: %s", w.Body)
	}
	return cookies[0].Value
}

func meOf(t *testing.T, w *httptest.ResponseRecorder) Me {
	t.Helper()
	var m Me
	if err := json.Unmarshal(w.Body.Bytes(), &m); err != nil || w.Code != http.StatusOK {
		t.Fatalf("%d %s: %v", w.Code, w.Body, err)
	}
	return m
}

// TestCookieSession: a browser is who its cookie says, until it logs out; the cookie is good at no other door.
func TestCookieSession(t *testing.T) {
	reached := false
	d, _ := staffed(t, far{&reached})
	socket := New(d.cfg).Socket()
	h := screenOf(d.cfg)
	p := ownPage()
	if m := meOf(t, p.ask(t, h, "GET", "/v1/me", "")); m.Name != "" || m.Role != "" || m.ECR || m.Open || len(m.May) != 1 || m.May[0] != people.Status {
		t.Errorf("before the log-in: %+v", m)
	}
	p.cookie = logIn(t, h, "carim", cashierSecret)
	if m := meOf(t, p.ask(t, h, "GET", "/v1/me", "")); m.Name != "carim" || m.Role != people.Cashier || len(m.May) < 10 {
		t.Errorf("after the log-in: %+v", m)
	}
	r := p.request(t, "GET", "/v1/me", "")
	r.Host = Host
	r.Header.Del("Origin")
	r.Header.Del("Sec-Fetch-Site")
	w := httptest.NewRecorder()
	socket.ServeHTTP(w, r)
	if m := meOf(t, w); m.Name != "" {
		t.Errorf("the cookie is good at the socket: %+v", m)
	}
	w = p.ask(t, h, "POST", "/v1/logout", "{}")
	if c := w.Result().Cookies(); w.Code != http.StatusOK || len(c) != 1 || c[0].MaxAge >= 0 || c[0].Value != "" {
		t.Errorf("log-out: %d %v", w.Code, c)
	}
	if m := meOf(t, p.ask(t, h, "GET", "/v1/me", "")); m.Name != "" {
		t.Errorf("after the log-out: %+v", m)
	}
}

// TestScreenTakesNoForeignRequest: whatever another page can have a browser send is refused, and reaches nothing.
func TestScreenTakesNoForeignRequest(t *testing.T) {
	reached := false
	d, tokens := staffed(t, far{&reached}, func(p *people.Policy) { p.Open = true })
	for name, c := range map[string]struct {
		method, path string
		change       func(*browser)
		status       int
		code         string
	}{
		"rebound host":            {"GET", "/v1/status", func(p *browser) { p.host = "rebound.example:8580" }, 403, "not_local"},
		"rebound page":            {"GET", "/", func(p *browser) { p.host = "rebound.example:8580" }, 403, "not_local"},
		"another port":            {"GET", "/v1/status", func(p *browser) { p.host = "127.0.0.1:80" }, 403, "not_local"},
		"no port":                 {"GET", "/v1/status", func(p *browser) { p.host = "127.0.0.1" }, 403, "not_local"},
		"another loopback":        {"GET", "/v1/status", func(p *browser) { p.host = "127.0.0.2:8580" }, 403, "not_local"},
		"no host":                 {"GET", "/v1/status", func(p *browser) { p.host = "" }, 403, "not_local"},
		"the socket's host":       {"GET", "/v1/status", func(p *browser) { p.host = Host }, 403, "not_local"},
		"foreign origin":          {"POST", "/v1/cancel", func(p *browser) { p.origin = "http://evil.example" }, 403, "not_local"},
		"null origin":             {"POST", "/v1/cancel", func(p *browser) { p.origin = "null" }, 403, "not_local"},
		"https origin":            {"POST", "/v1/cancel", func(p *browser) { p.origin = "https://" + here }, 403, "not_local"},
		"the other name's origin": {"POST", "/v1/cancel", func(p *browser) { p.origin = "http://localhost:8580" }, 403, "not_local"},
		"another port's origin":   {"POST", "/v1/cancel", func(p *browser) { p.origin = "http://127.0.0.1:3000"; p.site = "same-site" }, 403, "not_local"},
		"cross-site":              {"POST", "/v1/cancel", func(p *browser) { p.site = "cross-site" }, 403, "not_local"},
		"same-site":               {"POST", "/v1/cancel", func(p *browser) { p.site = "same-site" }, 403, "not_local"},
		"a post typed in":         {"POST", "/v1/cancel", func(p *browser) { p.site = "none" }, 403, "not_local"},
		"an answer typed in":      {"GET", "/v1/status", func(p *browser) { p.site = "none" }, 403, "not_local"},
		"events across sites":     {"GET", "/v1/events", func(p *browser) { p.site = "cross-site" }, 403, "not_local"},
		"page across sites":       {"GET", "/", func(p *browser) { p.site = "cross-site" }, 403, "not_local"},
		"a form":                  {"POST", "/v1/cancel", func(p *browser) { p.kind = "application/x-www-form-urlencoded" }, 415, "not_json"},
		"a form with files":       {"POST", "/v1/cancel", func(p *browser) { p.kind = "multipart/form-data; boundary=x" }, 415, "not_json"},
		"a form of text":          {"POST", "/v1/cancel", func(p *browser) { p.kind = "text/plain" }, 415, "not_json"},
		"text that says JSON":     {"POST", "/v1/cancel", func(p *browser) { p.kind = "text/plain; application/json" }, 415, "not_json"},
		"a beacon":                {"POST", "/v1/cancel", func(p *browser) { p.kind = "" }, 415, "not_json"},
		"log-in by a form":        {"POST", "/v1/login", func(p *browser) { p.kind = "text/plain" }, 415, "not_json"},
		"log-in across sites":     {"POST", "/v1/login", func(p *browser) { p.origin = "http://evil.example"; p.site = "" }, 403, "not_local"},
		"old browser with cookie": {"POST", "/v1/cancel", func(p *browser) { p.origin, p.site = "", "" }, 403, "not_local"},
		"preflight":               {"OPTIONS", "/v1/cancel", func(p *browser) { p.origin, p.site = "http://evil.example", "cross-site" }, 403, "not_local"},
		"own preflight":           {"OPTIONS", "/v1/cancel", func(*browser) {}, 405, "method"},
		"delete":                  {"DELETE", "/v1/sales/1", func(*browser) {}, 405, "method"},
	} {
		t.Run(name, func(t *testing.T) {
			reached = false
			p := ownPage()
			p.cookie = tokens[people.Cashier]
			c.change(&p)
			w := p.ask(t, screenOf(d.cfg), c.method, c.path, `{"name":"carim","secret":"x"}`)
			isProblem(t, w, c.status, c.code)
			if reached {
				t.Error("refused, and done all the same")
			}
			for name := range w.Header() {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("%s lets another page in", name)
				}
			}
		})
	}
}

// TestScreenTakesItsOwn: the same requests from the screen's own pages, by both of its names, go through.
func TestScreenTakesItsOwn(t *testing.T) {
	reached := false
	d, _ := staffed(t, far{&reached})
	for name, c := range map[string]struct {
		method, path string
		change       func(*browser)
		says         string
	}{
		"by the address":     {"GET", "/v1/me", func(*browser) {}, `"name":"carim"`},
		"by localhost":       {"GET", "/v1/me", func(p *browser) { p.host, p.origin = "localhost:8580", "http://localhost:8580" }, `"name":"carim"`},
		"a post":             {"POST", "/v1/logout", func(*browser) {}, `"name":"carim"`},
		"a post with utf-8":  {"POST", "/v1/logout", func(p *browser) { p.kind = "application/json; charset=utf-8" }, `"name":"carim"`},
		"no origin":          {"POST", "/v1/logout", func(p *browser) { p.origin = "" }, `"name":"carim"`},
		"no fetch metadata":  {"POST", "/v1/logout", func(p *browser) { p.site = "" }, `"name":"carim"`},
		"a page typed in":    {"GET", "/", func(p *browser) { p.site = "none" }, "page /"},
		"the customer's":     {"GET", "/customer", func(*browser) {}, "page /customer"},
		"an old browser":     {"GET", "/", func(p *browser) { p.site = "" }, "page /"},
		"a program's bearer": {"POST", "/v1/logout", func(p *browser) { *p = browser{host: here, bearer: p.cookie} }, `"name":"carim"`},
	} {
		t.Run(name, func(t *testing.T) {
			p := ownPage()
			p.cookie = d.logIn("carim", cashierSecret)
			c.change(&p)
			if w := p.ask(t, screenOf(d.cfg), c.method, c.path, "{}"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), c.says) {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
	}
}

// TestPageHeaders: what a browser may do with a page is said with it, and a page may be framed by nobody.
func TestPageHeaders(t *testing.T) {
	reached := false
	d, _ := staffed(t, far{&reached})
	h := screenOf(d.cfg)
	for path, policy := range map[string]string{
		"/": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; " +
			"frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
		"/v1/me": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
	} {
		head := ownPage().ask(t, h, "GET", path, "").Header()
		for name, want := range map[string]string{
			"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
		} {
			if got := head.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
	}
	isProblem(t, ownPage().ask(t, h, "POST", "/", "{}"), 405, "method")
}

// TestFirstAdministratorAtTheSocketOnly: whoever reaches a port of the machine makes nobody an administrator.
func TestFirstAdministratorAtTheSocketOnly(t *testing.T) {
	reached := false
	d := newDesk(t, far{&reached})
	isProblem(t, ownPage().ask(t, screenOf(d.cfg), "POST", "/v1/users/init", `{"name":"mallory","secret":"blue.kettle9"}`), 403, "not_here")
	if len(d.book.people) != 0 {
		t.Errorf("there is %v", d.book.people)
	}
	d.ok("", "POST", "/v1/users/init", `{"name":"amal","secret":"blue.kettle9"}`)
}

// TestTwoCookies: a second cookie of that name was put there by another program of the machine: neither is believed.
func TestTwoCookies(t *testing.T) {
	reached := false
	d, tokens := staffed(t, far{&reached})
	r := ownPage().request(t, "GET", "/v1/me", "")
	r.Header.Set("Cookie", cookieName+"="+tokens[people.Cashier]+"; "+cookieName+"="+tokens[people.Administrator])
	w := httptest.NewRecorder()
	screenOf(d.cfg).ServeHTTP(w, r)
	if m := meOf(t, w); m.Name != "" {
		t.Errorf("two cookies are %+v", m)
	}
}

// registersOf makes the registers of a table, by token.
func registersOf(all map[string]people.ECR) func(context.Context, string) (people.ECR, error) {
	return func(_ context.Context, token string) (people.ECR, error) {
		if e, ok := all[token]; ok {
			return e, nil
		}
		return people.ECR{}, people.ErrECRToken
	}
}

// TestRegisterDoor: nobody comes in without a token, whatever the roles say; a register does what its list has; every refusal is
// audited (attack 17).
func TestRegisterDoor(t *testing.T) {
	reached := false
	d, tokens := staffed(t, far{&reached}, func(p *people.Policy) { p.Open = true })
	d.cfg.Access.register = registersOf(map[string]people.ECR{"abc": {Name: "till3", May: []people.Action{people.Status, people.Journal}}})
	h := New(d.cfg).ECR()
	door := browser{host: "192.0.2.7:8443"}
	const refund = `{"kind":"refund","amount":{"minor":9000,"currency":"KWD"}}`
	for token, who := range map[string]string{"": "nobody", "wrong": "nobody", strings.Repeat("0", 64): "nobody"} {
		rows := len(d.book.rows)
		p := door
		p.bearer, p.kind = token, "application/json"
		w := p.ask(t, h, "POST", "/v1/sales", refund)
		isProblem(t, w, 401, "log_in")
		if reached || len(d.book.rows) != rows+1 || !strings.Contains(d.book.words(), who+" refused  denied came to the ecr door") || w.Header().Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("token %q: reached %t, audited %s", token, reached, d.book.words())
		}
	}
	p := door
	p.bearer = "abc"
	if m := meOf(t, p.ask(t, h, "GET", "/v1/me", "")); m.Name != "till3" || !m.ECR || m.Role != "" || len(m.May) != 2 {
		t.Errorf("the register is %+v", m)
	}
	p.kind = "application/json"
	isProblem(t, p.ask(t, h, "POST", "/v1/sales", refund), 403, "not_allowed")
	isProblem(t, p.ask(t, h, "GET", "/v1/users", ""), 403, "not_allowed")
	isProblem(t, p.ask(t, h, "POST", "/v1/drawer", "{}"), 403, "not_allowed")
	if log := d.book.words(); reached || !strings.Contains(log, "ecr:till3 refused  denied asked for unreferenced_refund") {
		t.Errorf("reached %t, audited %s", reached, log)
	}
	p.bearer = tokens[people.Administrator]
	if m := meOf(t, p.ask(t, h, "GET", "/v1/me", "")); m.Name != "amal" || m.ECR {
		t.Errorf("a person is %+v", m)
	}
	p.origin, p.site = "https://evil.example", "cross-site"
	isProblem(t, p.ask(t, h, "POST", "/v1/cancel", "{}"), 403, "not_local")
}

// TestKeysOfRegisters: a register's key is its own inside, and without the scope outside.
func TestKeysOfRegisters(t *testing.T) {
	person, till3, till4 := caller{name: "maryam", role: people.Cashier}, caller{name: "ecr:till3", ecr: "till3"}, caller{name: "ecr:till4", ecr: "till4"}
	if k, err := person.scoped("k1"); k != "k1" || err != nil {
		t.Errorf("%q %v", k, err)
	}
	if k, err := till3.scoped("k1"); k != "ecr:till3:k1" || err != nil {
		t.Errorf("%q %v", k, err)
	}
	if k, err := till3.scoped(""); k != "" || err != nil {
		t.Errorf("%q %v", k, err)
	}
	if k, err := till3.scoped("ecr:till4:k1"); k != "ecr:till3:ecr:till4:k1" || err != nil {
		t.Errorf("%q %v", k, err)
	}
	for _, bad := range []string{"ecr:till3:k1", "ecr:", strings.Repeat("k", maxKey+1)} {
		if _, err := person.scoped(bad); err == nil {
			t.Errorf("a person has key %q", bad)
		}
	}
	for _, c := range []struct {
		who      caller
		key, see string
	}{
		{person, "k1", "k1"},
		{person, "ecr:till3:k1", "k1"},
		{till3, "ecr:till3:k1", "k1"},
		{till4, "ecr:till3:k1", ""},
		{till3, "k1", ""},
		{till3, "", ""},
		{till3, "ecr:till3:a:b", "a:b"},
	} {
		if got := c.who.unscoped(c.key); got != c.see {
			t.Errorf("%s sees %q of %q, want %q", c.who, got, c.key, c.see)
		}
	}
}

// TestRegisterSells: a register's sale is in its name, under its own key, and its answer has the key that it sent.
func TestRegisterSells(t *testing.T) {
	order := orderOf(t)
	order.By, order.Key = "ecr:till3", "ecr:till3:k1"
	sale := aSale(t, 1042, terminal.AwaitCard)
	sale.Key = order.Key
	s := newScript(t, call{"Start", []any{order}, []any{sale, nil}})
	var h http.Handler
	handlerFor(t, s, func(c *Config) {
		c.Access.register = registersOf(map[string]people.ECR{"abc": {Name: "till3", May: people.DefaultGrants()}})
		h = New(*c).ECR()
	})
	w := browser{host: "x", bearer: "abc", kind: "application/json"}.ask(t, h, "POST", "/v1/sales", goodOrder)
	if w.Code != http.StatusCreated || !strings.Contains(w.Body.String(), `"key":"k1"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// FuzzScreenDoor: what goes through the screen's door names the screen as its host, comes from no other page, and changes something only
// as JSON or with a token in its header.
func FuzzScreenDoor(f *testing.F) {
	f.Add("POST", here, "http://"+here, "same-origin", "application/json", "")
	f.Add("GET", "evil.example", "", "none", "", "")
	f.Add("POST", here, "null", "cross-site", "text/plain", "Bearer x")
	f.Fuzz(func(t *testing.T, method, host, origin, site, kind, token string) {
		r := &http.Request{Method: method, Host: host, URL: &url.URL{Path: "/v1/cancel"}, Header: http.Header{}}
		for name, value := range map[string]string{"Origin": origin, "Sec-Fetch-Site": site, "Content-Type": kind, "Authorization": token} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		if foreign(r, []string{here, "localhost:8580"}) != nil {
			return
		}
		looks := method == http.MethodGet || method == http.MethodHead
		if host != here && host != "localhost:8580" || origin != "" && origin != "http://"+host || site != "" && site != "same-origin" ||
			!looks && token == "" && !strings.Contains(strings.ToLower(kind), "application/json") {
			t.Errorf("%s from host %q, origin %q, site %q, type %q goes through", method, host, origin, site, kind)
		}
	})
}
