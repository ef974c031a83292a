package till

import (
	"bufio"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"tillway/terminal/people"
)

// hostileBodies are bodies that no route may do anything for. The first five are the published ones of the local interface (ids
// ecr-00 to ecr-08 of the bad inputs that card, host, reader and register parsers are held to).
func hostileBodies() map[string]string {
	order := func(minor string) string {
		return `{"kind":"sale","amount":{"minor":` + minor + `,"currency":"KWD"}}`
	}
	return map[string]string{
		"ecr-00 negative":         `{"amount":-100}`,
		"ecr-02 float":            `{"amount":1e3}`,
		"ecr-04 unknown currency": `{"amount":100,"currency":"ZZZ"}`,
		"ecr-06 long field":       `{"txn_id":"` + strings.Repeat("A", 70000) + `"}`,
		"ecr-08 another amount":   "{\"amount\":100,\"txn_id\":\"T1\"}\n{\"amount\":900,\"txn_id\":\"T1\"}",
		"negative":                order("-100"),
		"exponent":                order("1e3"),
		"small exponent":          order("105250e-1"),
		"float":                   order("10.0"),
		"huge number":             order("1" + strings.Repeat("0", 3000)),
		"past 63 bits":            order("9223372036854775808"),
		"hexadecimal":             order("0x10"),
		"leading zero":            order("010"),
		"plus":                    order("+10"),
		"NaN":                     order("NaN"),
		"boolean":                 order("true"),
		"null":                    order("null"),
		"text":                    order(`"10525"`),
		"list":                    order("[1]"),
		"member twice":            `{"kind":"sale","kind":"refund","amount":{"minor":1,"currency":"KWD"}}`,
		"twice in two cases":      `{"kind":"sale","amount":{"minor":1,"Minor":2,"currency":"KWD"}}`,
		"twice by an escape":      `{"kind":"sale","amount":{"minor":1,"\u006dinor":2,"currency":"KWD"}}`,
		"deep list":               strings.Repeat("[", 4000),
		"deep objects":            strings.Repeat(`{"kind":`, 500),
		"deep and closed":         strings.Repeat("[", 2000) + strings.Repeat("]", 2000),
		"NUL":                     "{\"kind\":\"sale\"\x00,\"amount\":{\"minor\":1,\"currency\":\"KWD\"}}",
		"NUL behind":              order("1") + "\x00",
		"invalid UTF-8":           "{\"kind\":\"sale\",\"key\":\"\xff\xfe\",\"amount\":{\"minor\":1,\"currency\":\"KWD\"}}",
		"overlong UTF-8":          "{\"kind\":\"sale\",\"key\":\"\xc0\xaf\",\"amount\":{\"minor\":1,\"currency\":\"KWD\"}}",
		"half a surrogate":        `{"kind":"sale","key":"\ud800","amount":{"minor":1,"currency":"KWD"}}`,
		"a mark of bytes":         "\xef\xbb\xbf" + order("1"),
		"UTF-16":                  "{\x00\"\x00k\x00",
		"comment":                 order("1") + "// what?",
		"single quotes":           `{'kind':'sale'}`,
		"a trailing comma":        `{"kind":"sale",}`,
		"prototype":               `{"__proto__":{"minor":1},"kind":"sale"}`,
		"empty":                   "",
		"a number":                "1",
		"null at all":             "null",
		"too long":                `{"kind":"` + strings.Repeat("x", MaxBody) + `"}`,
		"form":                    "kind=sale&amount=1",
		"XML":                     `<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>`,
	}
}

// TestHostileBodies: at every door, every route that reads a body refuses what is no order of its own, in words, and nothing is done.
func TestHostileBodies(t *testing.T) {
	reached := false
	d, tokens := staffed(t, far{&reached})
	d.cfg.Access.register = registersOf(map[string]people.ECR{"abc": {Name: "till3", May: people.DefaultGrants()}})
	till := New(d.cfg)
	screen := till.Screen(netip.MustParseAddrPort(here), http.NotFoundHandler())
	for _, door := range []struct {
		name string
		h    http.Handler
		from browser
	}{
		{"socket", till.Socket(), browser{host: Host, kind: "application/json", bearer: tokens[people.Supervisor]}},
		{"screen", screen, browser{host: here, origin: "http://" + here, site: "same-origin", kind: "application/json", cookie: tokens[people.Supervisor]}},
		{"register", till.ECR(), browser{host: "x", kind: "application/json", bearer: "abc"}},
	} {
		for _, path := range []string{"/v1/sales", "/v1/sales/7/signature", "/v1/sales/7/confirmation", "/v1/override", "/v1/printer/print"} {
			for name, body := range hostileBodies() {
				reached = false
				w := door.from.ask(t, door.h, "POST", path, body)
				if w.Code < 400 || w.Code >= 500 || w.Header().Get("Content-Type") != "application/problem+json" || reached {
					t.Errorf("%s, %s, %s: %d %.200s, reached %t", door.name, path, name, w.Code, w.Body, reached)
				}
			}
		}
	}
}

// serveOn is a door on a socket of its own, as posd serves it, with what a client may take bounded so that no test waits for it.
func serveOn(t *testing.T, h http.Handler, header time.Duration) string {
	t.Helper()
	var lc net.ListenConfig
	ln, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: header, IdleTimeout: IdleTimeout, MaxHeaderBytes: MaxHeaderBytes, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = srv.Serve(ln) }()
	t.Cleanup(func() { _ = srv.Close(); <-ended })
	return ln.Addr().String()
}

// speak sends bytes and reads what is answered until the other end closes, or the test's own bound.
func speak(t *testing.T, address string, parts ...string) string {
	t.Helper()
	var d net.Dialer
	c, err := d.DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	for _, p := range parts {
		if _, err := io.WriteString(c, p); err != nil {
			break // it has had enough
		}
	}
	answer, _ := io.ReadAll(c) // a reset is an end too
	return string(answer)
}

func host(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Host = Host // the port of a test is none of posd's
		handler.ServeHTTP(w, r)
	})
}

// TestHostileRequests: headers without end, bodies without end and requests of two minds are ended, and the next client is served.
func TestHostileRequests(t *testing.T) {
	reached := false
	d, _ := staffed(t, far{&reached}, func(p *people.Policy) { p.Open = true })
	address := serveOn(t, host(New(d.cfg).Socket()), HeaderTimeout)
	const line = "POST /v1/sales HTTP/1.1\r\nHost: posd\r\nContent-Type: application/json\r\nConnection: close\r\n"
	chunk := "400\r\n" + strings.Repeat("[", 0x400) + "\r\n"
	for name, c := range map[string]struct {
		parts []string
		says  string // of the first answer; empty: the connection may end without one
	}{
		"a header too long":      {[]string{line, "X: " + strings.Repeat("x", 2*MaxHeaderBytes) + "\r\n\r\n"}, "431"},
		"headers without end":    {append([]string{line}, strings.Split(strings.Repeat("X: y\r\n,", 20000), ",")...), "431"},
		"a path too long":        {[]string{"GET /v1/" + strings.Repeat("x", 2*MaxHeaderBytes) + " HTTP/1.1\r\nHost: posd\r\n\r\n"}, "431"},
		"chunks without end":     {append([]string{line + "Transfer-Encoding: chunked\r\n\r\n"}, strings.Split(strings.Repeat(chunk+",", 600), ",")...), "413"},
		"a chunk of no size":     {[]string{line + "Transfer-Encoding: chunked\r\n\r\n", "zz\r\n"}, "400"},
		"a chunk past 64 bits":   {[]string{line + "Transfer-Encoding: chunked\r\n\r\n", "fffffffffffffffff\r\n"}, "400"},
		"length and chunks":      {[]string{line + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"}, "400"},
		"two lengths":            {[]string{line + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc"}, "400"},
		"a length below zero":    {[]string{line + "Content-Length: -3\r\n\r\nabc"}, "400"},
		"a length past 63 bits":  {[]string{line + "Content-Length: 99999999999999999999\r\n\r\nabc"}, "400"},
		"a length that is a lie": {[]string{line + "Content-Length: 5000\r\n\r\n" + strings.Repeat(" ", 5000)}, "413"},
		"no host":                {[]string{"GET /v1/status HTTP/1.1\r\n\r\n"}, "400"},
		"two hosts":              {[]string{"GET /v1/status HTTP/1.1\r\nHost: posd\r\nHost: x\r\n\r\n"}, "400"},
		"a NUL in a header":      {[]string{line + "X: a\x00b\r\n\r\n"}, "400"},
		"a space before a colon": {[]string{line + "Content-Length : 3\r\n\r\nabc"}, "400"},
		"no HTTP":                {[]string{"\x16\x03\x01\x00\x05hello\r\n\r\n"}, "400"},
	} {
		t.Run(name, func(t *testing.T) {
			reached = false
			answer := speak(t, address, c.parts...)
			if !strings.HasPrefix(answer, "HTTP/1.1 "+c.says) && answer != "" || reached {
				t.Errorf("answered %.200q, reached %t", answer, reached)
			}
			if again := speak(t, address, "GET /v1/me HTTP/1.1\r\nHost: posd\r\nConnection: close\r\n\r\n"); !strings.HasPrefix(again, "HTTP/1.1 200") {
				t.Errorf("the next client: %.200q", again)
			}
		})
	}
}

// TestSlowHeader: who never ends a header is dropped, and holds nobody up meanwhile.
func TestSlowHeader(t *testing.T) {
	reached := false
	d, _ := staffed(t, far{&reached})
	address := serveOn(t, host(New(d.cfg).Socket()), 50*time.Millisecond)
	var slow []net.Conn
	var dial net.Dialer
	for range 20 {
		c, err := dial.DialContext(t.Context(), "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		if _, err := io.WriteString(c, "POST /v1/sales HTTP/1.1\r\nHost: posd\r\nX-A: "); err != nil {
			t.Fatal(err)
		}
		slow = append(slow, c)
	}
	if got := speak(t, address, "GET /v1/me HTTP/1.1\r\nHost: posd\r\nConnection: close\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 200") {
		t.Errorf("meanwhile: %.200q", got)
	}
	for _, c := range slow {
		if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if answer, err := io.ReadAll(c); err != nil || strings.Contains(string(answer), "200 OK") {
			t.Errorf("%q, %v", answer, err)
		}
	}
	if reached {
		t.Error("half a request was done")
	}
}

// hanging takes nothing of a stream: it does not read.
type hanging struct {
	net.Conn

	r *bufio.Reader
}

// TestSlowReaderIsDropped: a client that follows and does not read ends its own stream and nobody else's; the place is free again.
func TestSlowReaderIsDropped(t *testing.T) {
	b := newBoard()
	d, _ := staffed(t, b, func(p *people.Policy) { p.Open = true })
	h := New(d.cfg).Socket()
	ended := make(chan struct{})
	here, there := net.Pipe() // holds nothing: a write waits for its reader
	srv := &http.Server{ReadHeaderTimeout: HeaderTimeout, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(ended)
		h.ServeHTTP(impatient{w}, r)
	})}
	t.Cleanup(func() { _ = srv.Close(); _ = here.Close() })
	ln := &oneConn{c: there, done: make(chan struct{})}
	go func() { _ = srv.Serve(ln) }()
	if _, err := io.WriteString(here, "GET /v1/events HTTP/1.1\r\nHost: posd\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := (hanging{here, bufio.NewReaderSize(here, 16)}).r.ReadString('\n'); err != nil || !strings.Contains(line, "200") {
		t.Fatalf("%q %v", line, err)
	}
	select { // it has read a line, and reads no more
	case <-ended:
	case <-time.After(time.Minute):
		t.Fatal("a client that does not read holds its stream for ever")
	}
}

// impatient gives a client next to no time.
type impatient struct{ http.ResponseWriter }

func (i impatient) Unwrap() http.ResponseWriter { return i.ResponseWriter }

func (i impatient) SetWriteDeadline(at time.Time) error {
	if !at.IsZero() {
		at = time.Now().Add(10 * time.Millisecond)
	}
	return http.NewResponseController(i.ResponseWriter).SetWriteDeadline(at)
}

// oneConn is a listener of one connection.
type oneConn struct {
	c    net.Conn
	done chan struct{}
}

func (o *oneConn) Accept() (net.Conn, error) {
	if c := o.c; c != nil {
		o.c = nil
		return c, nil
	}
	<-o.done
	return nil, net.ErrClosed
}

func (o *oneConn) Close() error {
	select {
	case <-o.done:
	default:
		close(o.done)
	}
	return nil
}
func (o *oneConn) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

// TestRefundsAreRefusedAndAudited: money back without a log-in, without the role, or without a token is refused at every door, and
// the audit log says who asked (attacks 17 and 24).
func TestRefundsAreRefusedAndAudited(t *testing.T) {
	reached := false
	d, tokens := counter(t, far{&reached})
	d.cfg.Access.register = registersOf(map[string]people.ECR{"abc": {Name: "till3", May: []people.Action{people.Sell}}})
	till := New(d.cfg)
	screen := till.Screen(netip.MustParseAddrPort(here), http.NotFoundHandler())
	own := func(cookie string) browser {
		b := ownPage()
		b.cookie = cookie
		return b
	}
	for i, c := range []struct {
		h      http.Handler
		from   browser
		status int
		code   string
		who    string
	}{
		{till.Socket(), browser{host: Host, kind: "application/json"}, 401, "log_in", "nobody"},
		{till.Socket(), browser{host: Host, kind: "application/json", bearer: tokens[people.Cashier]}, 403, "not_allowed", "carim"},
		{till.Socket(), browser{host: Host, kind: "application/json", bearer: tokens[people.Administrator]}, 403, "not_allowed", "amal"},
		{screen, own(""), 401, "log_in", "nobody"},
		{screen, own(strings.Repeat("0", 64)), 401, "log_in", "nobody"},
		{screen, own(tokens[people.Cashier]), 403, "not_allowed", "carim"},
		{till.ECR(), browser{host: "x", kind: "application/json"}, 401, "log_in", "nobody"},
		{till.ECR(), browser{host: "x", kind: "application/json", bearer: "abc"}, 403, "not_allowed", "ecr:till3"},
	} {
		for _, body := range []string{
			`{"kind":"refund","amount":{"minor":9000,"currency":"KWD"}}`, `{"kind":"refund","amount":{"minor":9000,"currency":"KWD"},"of":5}`, `{"kind":"void","of":5}`,
		} {
			d.now, d.book.rows, reached = d.now.Add(3*time.Second), nil, false
			isProblem(t, c.from.ask(t, c.h, "POST", "/v1/sales", body), c.status, c.code)
			if log := d.book.words(); reached || !strings.HasPrefix(log, c.who+" refused  denied ") {
				t.Errorf("%d: reached %t, audited %q", i, reached, log)
			}
		}
	}
}
