package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tillway/till"
	certs "tillway/till/certificate"
)

// shop is a real posd with a door for cash registers, an administrator at its socket and no reader.
type shop struct {
	t     *testing.T
	dir   string
	url   string // of the door, with / at its end
	admin string // a session's token
	local *http.Client
}

func openShop(t *testing.T, more string) *shop {
	t.Helper()
	s := &shop{t: t, dir: t.TempDir()}
	path := filepath.Join(s.dir, "posd.toml")
	write(t, path, strings.Replace(benchConfig(t, s.dir), "[acquirer]\n", "[ecr]\nlisten = \"127.0.0.1:0\"\n"+more+"[acquirer]\n", 1))
	ctx, stop := context.WithCancel(t.Context())
	ready, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		ended <- serve(ctx, path, writerFunc(func(b []byte) (int, error) { ready <- string(b); return len(b), nil }), io.Discard)
	}()
	select {
	case line := <-ready:
		_, url, ok := strings.Cut(strings.TrimSpace(line), ", cash registers ")
		if !ok || !strings.HasPrefix(url, "https://127.0.0.1:") {
			t.Errorf("ready line %q", line)
		}
		s.url = url
	case err := <-ended:
		stop()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("posd ended with %v", err)
		}
	})
	s.local = &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", filepath.Join(s.dir, "posd.sock"))
	}}}
	s.socket("POST", "/v1/users/init", `{"name":"amal","secret":"blue.kettle9"}`, nil)
	var in till.LoggedIn
	s.socket("POST", "/v1/login", `{"name":"amal","secret":"blue.kettle9"}`, &in)
	s.admin = in.Token
	return s
}

// socket is a request of the administrator's at the socket.
func (s *shop) socket(method, path, body string, into any) {
	s.t.Helper()
	status, text := s.send(s.local, "http://posd", s.admin, method, path, strings.NewReader(body))
	if status >= 300 {
		s.t.Fatalf("%s %s: %d %s", method, path, status, text)
	}
	if into != nil {
		if err := json.Unmarshal(text, into); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *shop) send(c *http.Client, base, token, method, path string, body io.Reader) (int, []byte) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, base+path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := c.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return res.StatusCode, text
}

// trust is what a register does with the file it was given.
func (s *shop) trust() *tls.Config {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, "state", "ecr", certs.CAFile))
	if err != nil {
		s.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
}

func client(t *tls.Config) *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: t, DisableKeepAlives: true}}
}

// ask is a request of a register's.
func (s *shop) ask(token, method, path, body string) (int, string) {
	s.t.Helper()
	status, text := s.send(client(s.trust()), strings.TrimSuffix(s.url, "/"), token, method, path, strings.NewReader(body))
	return status, string(text)
}

func (s *shop) refused(token, method, path, body string, status int, code string) {
	s.t.Helper()
	got, text := s.ask(token, method, path, body)
	if got != status || !strings.Contains(text, `"code":"`+code+`"`) {
		s.t.Errorf("%s %s: %d %s, want %d %s", method, path, got, text, status, code)
	}
}

func (s *shop) add(body string) string {
	s.t.Helper()
	var e till.ECRToken
	s.socket("POST", "/v1/ecrs", body, &e)
	return e.Token
}

// audited says how many rows of the audit log hold all the words.
func (s *shop) audited(words ...string) (n int) {
	s.t.Helper()
	var all till.AuditRows
	s.socket("GET", "/v1/audit?limit=1000", "", &all)
	for _, r := range all.Rows {
		line, has := fmt.Sprintf("%s %s %s %s", r.Actor, r.Event, r.Result, r.Note), true
		for _, w := range words {
			has = has && strings.Contains(line, w)
		}
		if has {
			n++
		}
	}
	return n
}

const (
	freeRefund = `{"kind":"refund","amount":{"minor":10525,"currency":"KWD"}}`
	saleOrder  = `{"kind":"sale","amount":{"minor":10525,"currency":"KWD"},"key":"order-1"}`
)

// Attack 17: who has no token, a wrong or a revoked one, or not the right, gets 401 or 403 and a row in the audit log; who has both pays.
func TestNetworkAttackerAtTheECRDoor(t *testing.T) {
	s := openShop(t, "")
	token := s.add(`{"name":"till-3"}`)
	gone := s.add(`{"name":"till-4"}`)
	s.socket("POST", "/v1/ecrs/till-4/revoke", "{}", nil)
	s.refused("", "POST", "/v1/sales", freeRefund, 401, "log_in")
	if s.audited("nobody refused denied", "ecr door", "POST /v1/sales") != 1 {
		t.Error("an unauthenticated refund is not in the audit log")
	}
	for _, wrong := range []string{gone, strings.Repeat("0", 64), token[:63], token + "0", strings.ToUpper(token) + "x", "a b"} {
		s.refused(wrong, "POST", "/v1/sales", freeRefund, 401, "log_in")
	}
	if n := s.audited("nobody refused denied", "ecr door", "POST /v1/sales"); n != 7 {
		t.Errorf("%d refusals are audited, want 7", n)
	}
	s.refused("", "GET", "/v1/status", "", 401, "log_in") // anybody may ask for it at the machine, and nobody from the network
	s.refused(token, "POST", "/v1/sales", freeRefund, 403, "not_allowed")
	if s.audited("ecr:till-3 refused denied", "unreferenced_refund") != 1 {
		t.Error("a refund without the right is not in the audit log")
	}
	for _, path := range []string{"/v1/users", "/v1/audit", "/v1/ecrs"} {
		s.refused(token, "GET", path, "", 403, "not_allowed")
	}
	for _, path := range []string{"/v1/drawer", "/v1/keys/exchange", "/v1/queue/1/write-off", "/v1/settle", "/v1/users/init"} {
		if status, text := s.ask(token, "POST", path, `{}`); status < 400 {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
	if status, text := s.ask(token, "GET", "/v1/me", ""); status != 200 || !strings.Contains(text, `"name":"till-3"`) || !strings.Contains(text, `"ecr":true`) {
		t.Errorf("me: %d %s", status, text)
	}
	status, text := s.ask(token, "POST", "/v1/sales", saleOrder)
	if status != 201 || !strings.Contains(text, `"by":"ecr:till-3"`) || !strings.Contains(text, `"key":"order-1"`) {
		t.Errorf("a sale: %d %s", status, text)
	}
	if status, text := s.ask(s.admin, "GET", "/v1/ecrs", ""); status != 200 {
		t.Errorf("a person's session at this door: %d %s", status, text)
	}
	s.ask(token, "POST", "/v1/cancel", "")
}

// An address with ten wrong tokens is not judged any more until the minute is over, with the right one neither; the machine's socket is
// no part of that.
func TestWrongTokensAreBounded(t *testing.T) {
	s := openShop(t, "")
	token := s.add(`{"name":"till-3"}`)
	for range till.MaxWrong {
		s.refused(strings.Repeat("0", 64), "GET", "/v1/status", "", 401, "log_in")
	}
	s.refused(token, "GET", "/v1/status", "", 429, "too_many_tries")
	status, text := s.ask(token, "POST", "/nexo", "{}")
	if status != 429 || !strings.HasPrefix(text, `{"errors":[`) {
		t.Errorf("nexo: %d %s", status, text)
	}
	if s.audited("nobody lock denied", "wrong tokens from 127.0.0.1") != 1 {
		t.Error("that is not in the audit log, or more than once")
	}
	s.socket("GET", "/v1/status", "", nil)
}

// A register's own key is in its answers; another's never is, and neither meets the other's.
func TestKeysAreTheirRegisters(t *testing.T) {
	s := openShop(t, "")
	one, two := s.add(`{"name":"till-1"}`), s.add(`{"name":"till-2"}`)
	status, first := s.ask(one, "POST", "/v1/sales", saleOrder)
	if status != 201 {
		t.Fatal(first)
	}
	var sale struct{ ID uint64 }
	if err := json.Unmarshal([]byte(first), &sale); err != nil {
		t.Fatal(err)
	}
	s.refused(two, "POST", "/v1/sales", saleOrder, 409, "busy") // another order, whatever its key
	if status, again := s.ask(one, "POST", "/v1/sales", saleOrder); status != 201 || !strings.Contains(again, fmt.Sprintf(`"id":%d,`, sale.ID)) {
		t.Errorf("the same key: %d %s", status, again)
	}
	s.ask(one, "POST", "/v1/cancel", "")
	for token, sees := range map[string]bool{one: true, two: false, s.admin: true} {
		_, text := s.ask(token, "GET", "/v1/sales?last=5", "")
		if strings.Contains(text, "order-1") != sees || strings.Contains(text, "ecr:till-1:") {
			t.Errorf("sees %s", text)
		}
	}
	s.refused(s.admin, "POST", "/v1/sales", strings.Replace(saleOrder, "order-1", "ecr:till-1:order-1", 1), 422, "order_refused")
}

// Bodies without a length are read; ones that are too long, headers that are, plain HTTP, old TLS and pages are refused; who is slow holds
// nobody up.
func TestHowTheECRDoorIsSpokenTo(t *testing.T) {
	s := openShop(t, "")
	token := s.add(`{"name":"till-3"}`)
	address := strings.TrimSuffix(strings.TrimPrefix(s.url, "https://"), "/")
	for range 40 { // they say nothing, or begin and go on
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
	}
	half, err := tls.Dial("tcp", address, s.trust())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = half.Close() }()
	if _, err := half.Write([]byte("POST /v1/sales HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer " + token + "\r\nContent-Length: 100\r\n\r\n{")); err != nil {
		t.Fatal(err)
	}
	chunked := struct{ io.Reader }{strings.NewReader(saleOrder)} // of no known length
	if status, text := s.send(client(s.trust()), strings.TrimSuffix(s.url, "/"), token, "POST", "/v1/sales", chunked); status != 201 {
		t.Errorf("chunked: %d %s", status, text)
	}
	s.ask(token, "POST", "/v1/cancel", "")
	s.refused(token, "POST", "/v1/sales", strings.Repeat(" ", till.MaxBody+1), 413, "too_large")
	endless := struct{ io.Reader }{io.LimitReader(blanks{}, 64<<20)}
	r, err := http.NewRequestWithContext(t.Context(), "POST", s.url+"v1/sales", endless)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+token)
	if res, err := client(s.trust()).Do(r); err == nil { // it may be cut off before it has read the answer
		if _ = res.Body.Close(); res.StatusCode != 413 {
			t.Errorf("endless: %d", res.StatusCode)
		}
	}
	s.refusedHeader("Origin", "https://shop.example", 403)
	s.refusedHeader("Sec-Fetch-Site", "cross-site", 403)
	s.refusedHeader("X-Long", strings.Repeat("x", 64<<10), 431)
	old := s.trust()
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	if c, err := tls.Dial("tcp", address, old); err == nil {
		_ = c.Close()
		t.Error("TLS 1.1 is spoken")
	}
	if c, err := tls.Dial("tcp", address, &tls.Config{MinVersion: tls.VersionTLS12}); err == nil {
		_ = c.Close()
		t.Error("it is trusted without its authority")
	}
	plain, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = plain.Close() }()
	if _, err := plain.Write([]byte("GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(plain), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if text, _ := io.ReadAll(res.Body); res.StatusCode != 400 || !bytes.Contains(text, []byte("HTTPS")) {
		t.Errorf("plain HTTP: %d %s", res.StatusCode, text)
	}
}

type blanks struct{}

func (blanks) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func (s *shop) refusedHeader(name, value string, status int) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), "GET", s.url+"v1/status", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set(name, value)
	res, err := client(s.trust()).Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	if _ = res.Body.Close(); res.StatusCode != status {
		s.t.Errorf("%s: %d, want %d", name, res.StatusCode, status)
	}
}

// A revoked or replaced token's event stream ends with bye, at once; another register's goes on.
func TestRevokedStreamEnds(t *testing.T) {
	s := openShop(t, "")
	one, two := s.add(`{"name":"till-1"}`), s.add(`{"name":"till-2"}`)
	follow := func(token string) *bufio.Reader {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), "GET", s.url+"v1/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		res, err := client(s.trust()).Do(r)
		if err != nil || res.StatusCode != 200 {
			t.Fatal(err, res)
		}
		t.Cleanup(func() { _ = res.Body.Close() })
		in := bufio.NewReader(res.Body)
		if line, err := in.ReadString('\n'); err != nil || line != "event: state\n" {
			t.Fatalf("%q %v", line, err)
		}
		return in
	}
	first, other := follow(one), follow(two)
	s.socket("POST", "/v1/ecrs/till-1/revoke", "{}", nil)
	if rest, err := io.ReadAll(first); err != nil || !bytes.HasSuffix(rest, []byte("event: bye\ndata: {}\n\n")) {
		t.Errorf("%.200s %v", rest, err)
	}
	s.socket("POST", "/v1/ecrs/till-2/rotate", "{}", nil)
	if rest, err := io.ReadAll(other); err != nil || !bytes.HasSuffix(rest, []byte("event: bye\ndata: {}\n\n")) {
		t.Errorf("%.200s %v", rest, err)
	}
	s.refused(one, "GET", "/v1/status", "", 401, "log_in")
}

// With client_ca a register shows a certificate beside its token: without one, or with another's, there is no connection.
func TestClientCertificates(t *testing.T) {
	folder := t.TempDir()
	own, _, err := certs.Own(folder, []string{"till-3"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	// The authority signs for servers alone: a register's certificate has to be for clients.
	ca, clientPair := clientAuthority(t)
	write(t, filepath.Join(folder, "clients.pem"), string(ca))
	s := openShop(t, fmt.Sprintf("client_ca = %q\n", filepath.Join(folder, "clients.pem")))
	token := s.add(`{"name":"till-3"}`)
	for name, pair := range map[string][]tls.Certificate{"none": nil, "another authority's": {own}} {
		cfg := s.trust()
		cfg.Certificates = pair
		r, err := http.NewRequestWithContext(t.Context(), "GET", s.url+"v1/status", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		if res, err := client(cfg).Do(r); err == nil {
			_ = res.Body.Close()
			t.Errorf("%s: %s", name, res.Status)
		}
	}
	cfg := s.trust()
	cfg.Certificates = []tls.Certificate{clientPair}
	base := strings.TrimSuffix(s.url, "/")
	if status, text := s.send(client(cfg), base, token, "GET", "/v1/status", http.NoBody); status != 200 {
		t.Errorf("%d %s", status, text)
	}
	if status, text := s.send(client(cfg), base, "", "GET", "/v1/status", http.NoBody); status != 401 {
		t.Errorf("a certificate without a token: %d %s", status, text)
	}
}

// The config's table is read strictly, and every file that is not what it should be is refused in one sentence before anything is open.
func TestECRConfig(t *testing.T) {
	folder := t.TempDir()
	if _, _, err := certs.Own(folder, []string{"localhost"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	own := filepath.Join(folder, "server.pem")
	write(t, filepath.Join(folder, "text"), "no PEM")
	for text, want := range map[string]string{
		`listen = "8443"`:                                       "ecr.listen",
		`listen = "127.0.0.1:99999"`:                            "ecr.listen",
		`listen = "127.0.0.1:x"`:                                "ecr.listen",
		`names = ["till"]`:                                      "no listen",
		"listen = \"127.0.0.1:0\"\ncertificate = \"x\"":         "go together",
		"listen = \"127.0.0.1:0\"\nnames = [\"a b\"]":           "ecr.names",
		"listen = \"127.0.0.1:0\"\nnames = [\"https://x\"]":     "ecr.names",
		"listen = \"127.0.0.1:0\"\nnexo = true":                 "unknown key",
		"listen = \"127.0.0.1:0\"\nclient_ca = \"gone.pem\"":    "ecr.client_ca",
		"listen = \"127.0.0.1:0\"\nclient_ca = \"ca.pem\"\nkey": "line",
		fmt.Sprintf("listen = \"127.0.0.1:0\"\ncertificate = %q\nkey = %q\nnames = [\"till\"]", own, own): "ecr.names",
		fmt.Sprintf("listen = \"127.0.0.1:0\"\ncertificate = %q\nkey = \"gone.pem\"", own):                "ecr.certificate and ecr.key",
		fmt.Sprintf("listen = \"127.0.0.1:0\"\nclient_ca = %q", filepath.Join(folder, "text")):            "holds no certificate",
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "posd.toml")
		write(t, path, strings.Replace(benchConfig(t, dir), "[acquirer]\n", "[ecr]\n"+text+"\n[acquirer]\n", 1))
		err := serve(t.Context(), path, io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", text, err)
		}
	}
	c := &config{}
	c.ECR = ecrConfig{Listen: "127.0.0.1:0", Certificate: own, Key: own}
	if cfg, err := c.ecrTLS(time.Now, slog.New(slog.DiscardHandler)); err != nil || len(cfg.Certificates) != 1 || cfg.MinVersion != tls.VersionTLS12 {
		t.Errorf("one of one's own: %v", err)
	}
}

// A certificate is renewed in a daemon that runs for long, and one that cannot be goes on being shown.
func TestCertificateIsRenewedWhileItRuns(t *testing.T) {
	now := time.Now()
	c := &config{State: t.TempDir()}
	c.ECR.Listen = "127.0.0.1:0"
	cfg, err := c.ecrTLS(func() time.Time { return now }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	first, err := cfg.GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	now = now.Add(certs.Life - certs.Renew - time.Hour)
	if same, err := cfg.GetCertificate(nil); err != nil || same != first {
		t.Error("made anew too early")
	}
	if err := os.Rename(filepath.Join(c.State, "ecr", "ca.key"), filepath.Join(c.State, "ecr", "aside")); err != nil {
		t.Fatal(err)
	}
	now = now.Add(2 * time.Hour)
	if same, err := cfg.GetCertificate(nil); err != nil || same != first {
		t.Errorf("one that cannot be renewed: %v", err)
	}
	if err := os.Rename(filepath.Join(c.State, "ecr", "aside"), filepath.Join(c.State, "ecr", "ca.key")); err != nil {
		t.Fatal(err)
	}
	now = now.Add(2 * time.Hour)
	if next, err := cfg.GetCertificate(nil); err != nil || next == first {
		t.Errorf("not renewed: %v", err)
	}
}

// Nobody on the network takes all connections; one that ends makes room; the machine's own are not counted.
func TestFair(t *testing.T) {
	conns := make(chan net.Conn, 8)
	ln := newFair(given{conns}, 2)
	at := func(text string) *endedConn {
		a, err := net.ResolveTCPAddr("tcp", text)
		if err != nil {
			t.Fatal(err)
		}
		return &endedConn{remote: a}
	}
	accept := func() net.Conn {
		c, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	third := at("192.0.2.7:3")
	conns <- at("192.0.2.7:1")
	conns <- at("192.0.2.7:2")
	conns <- third
	conns <- at("192.0.2.8:1")
	one, two := accept(), accept()
	if c := accept(); c.RemoteAddr().String() != "192.0.2.8:1" || !third.ended {
		t.Errorf("accepted %s, the third of one address ended: %v", c.RemoteAddr(), third.ended)
	}
	_ = one.Close()
	_ = one.Close() // gives nothing back twice
	conns <- at("192.0.2.7:4")
	conns <- at("192.0.2.7:5")
	for range 3 {
		conns <- at("127.0.0.1:9")
	}
	if c := accept(); c.RemoteAddr().String() != "192.0.2.7:4" {
		t.Errorf("accepted %s", c.RemoteAddr())
	}
	for range 3 {
		if c := accept(); c.RemoteAddr().String() != "127.0.0.1:9" {
			t.Errorf("accepted %s", c.RemoteAddr())
		}
	}
	_ = two.Close()
}

type given struct{ conns chan net.Conn }

func (g given) Accept() (net.Conn, error) { return <-g.conns, nil }
func (given) Close() error                { return nil }
func (given) Addr() net.Addr              { return nil }

type endedConn struct {
	net.Conn

	remote net.Addr
	ended  bool
}

func (c *endedConn) RemoteAddr() net.Addr { return c.remote }
func (c *endedConn) Close() error         { c.ended = true; return nil }

// clientAuthority makes an authority and a client's certificate under it.
func clientAuthority(t *testing.T) (ca []byte, pair tls.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "clients"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	rootDER, err := x509.CreateCertificate(rand.Reader, root, root, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "till-3"}, NotBefore: root.NotBefore, NotAfter: root.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, root, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rootDER}), tls.Certificate{Certificate: [][]byte{leafDER}, PrivateKey: key}
}
