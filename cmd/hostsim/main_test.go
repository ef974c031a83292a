package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"tillway/iso8583"
	"tillway/iso8583/dialect/nac"
	v93 "tillway/iso8583/dialect/v93"
	posd "tillway/terminal"
	"tillway/terminal/profile"
)

// running is a hostsim inside the test: where it is, and how it ended.
type running struct {
	tcp, web, ca string
	stop         context.CancelFunc
	code         chan int
	stderr       *bytes.Buffer // read only after code has come
}

var readyLine = regexp.MustCompile(`^hostsim ready: terminals (\S+) \(TLS\), trust (\S+), http (\S+)\n$`)

// start runs hostsim on free ports with its state in dir until the test ends.
func start(t *testing.T, dir string, args ...string) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := &running{stop: cancel, code: make(chan int, 1), stderr: &bytes.Buffer{}}
	out, in := io.Pipe()
	args = append([]string{"--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--state", dir}, args...)
	go func() {
		code := run(ctx, args, in, r.stderr)
		_ = in.Close()
		r.code <- code
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("no ready line (%v): %s", err, r.stderr)
	}
	found := readyLine.FindStringSubmatch(line)
	if found == nil {
		t.Fatalf("ready line %q", line)
	}
	r.tcp, r.ca, r.web = found[1], found[2], found[3]
	t.Cleanup(func() { r.end(t) })
	return r
}

// end ends it as SIGTERM does, and waits.
func (r *running) end(t *testing.T) {
	t.Helper()
	if r.stop == nil {
		return
	}
	r.stop()
	r.stop = nil
	if code := <-r.code; code != 0 {
		t.Errorf("ended with %d: %s", code, r.stderr)
	}
}

func trust(t *testing.T, path string) *x509.CertPool {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(raw) {
		t.Fatalf("%s has no certificate", path)
	}
	return pool
}

func dial(t *testing.T, r *running, config *tls.Config) (*tls.Conn, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	conn, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", r.tcp)
	if err != nil {
		return nil, err
	}
	c, ok := conn.(*tls.Conn)
	if !ok {
		t.Fatal("not TLS")
	}
	t.Cleanup(func() { _ = c.Close() })
	return c, c.SetDeadline(time.Now().Add(10 * time.Second))
}

// TestSignOnOverTLS: a terminal that trusts ca.pem connects by both names and gets its answer; the listings show it.
func TestSignOnOverTLS(t *testing.T) {
	r := start(t, t.TempDir())
	codec, err := iso8583.Compile(nac.Table(nac.Settings{}))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"localhost", "127.0.0.1"} {
		c, err := dial(t, r, &tls.Config{RootCAs: trust(t, r.ca), ServerName: name})
		if err != nil {
			t.Fatalf("by %s: %v", name, err)
		}
		m := iso8583.NewMessage("0800")
		m.TPDU = []byte{0x60, 0, 3, 0, 0}
		for n, v := range map[int]string{3: "920000", 11: "000001", 24: "003", 41: "TILL0001", 42: "KW0000000000001"} {
			m.Set(n, v)
		}
		b, err := codec.Pack(m)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write(append([]byte{byte(len(b) >> 8), byte(len(b))}, b...)); err != nil {
			t.Fatal(err)
		}
		answer := make([]byte, 2)
		if _, err := io.ReadFull(c, answer); err != nil {
			t.Fatal(err)
		}
		answer = make([]byte, int(answer[0])<<8|int(answer[1]))
		if _, err := io.ReadFull(c, answer); err != nil {
			t.Fatal(err)
		}
		a, err := codec.Unpack(answer)
		if err != nil {
			t.Fatal(err)
		}
		if code, _ := a.Get(39); a.MTI() != "0810" || code != "00" {
			t.Errorf("by %s: %v with %s", name, a, code)
		}
	}
	for _, c := range []struct{ name, want string }{
		{"accounts", "pulled    476173******0143  false    KWD 1000.000  KWD 1000.000"},
		{"accounts", "expired   476173******0127  true"},
		{"messages", "0810  000001  TILL0001"},
		{"connections", "127.0.0.1:"},
		{"ledger", "AT  TERMINAL  BATCH  STAN"},
	} {
		if code, out, errs := command(t, c.name, "--http", r.web); code != 0 || !strings.Contains(out, c.want) {
			t.Errorf("%s: %d, %s%s, want a line with %q", c.name, code, out, errs, c.want)
		}
		code, out, _ := command(t, c.name, "--json", "--http", r.web)
		var rows []map[string]any
		if err := json.Unmarshal([]byte(out), &rows); err != nil || code != 0 {
			t.Errorf("%s --json: %d, %v", c.name, code, err)
		}
	}
	r.end(t)
	if log := r.stderr.String(); !strings.Contains(log, "mti=0810") || !strings.Contains(log, "msg=ended") {
		t.Errorf("log: %s", log)
	}
}

// TestSignOnOfLaterDialect: with --dialect v93 a terminal of the 1993 version gets its answer, and one of the other none.
func TestSignOnOfLaterDialect(t *testing.T) {
	r := start(t, t.TempDir(), "--dialect", "v93", "--keys", "none")
	dialect, err := v93.New(v93.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := dial(t, r, &tls.Config{RootCAs: trust(t, r.ca), ServerName: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	b, err := dialect.Network(posd.NetworkRequest{Kind: posd.SignOn, STAN: 1, Time: time.Now(), TerminalID: "TILL0001", MerchantID: "KW0000000000001"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write(append([]byte{byte(len(b) >> 8), byte(len(b))}, b...)); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 2)
	if _, err := io.ReadFull(c, answer); err != nil {
		t.Fatal(err)
	}
	answer = make([]byte, int(answer[0])<<8|int(answer[1]))
	if _, err := io.ReadFull(c, answer); err != nil {
		t.Fatal(err)
	}
	if a, err := dialect.Response(answer); err != nil || a.Code != "800" {
		t.Errorf("%+v, %v", a, err)
	}
	for _, args := range [][]string{{"--dialect", "v03"}, {"--dialect", "v93", "--keys", "session"}, {"--dialect", "v93", "--terminal", "T:M:session-ecb"}} {
		code, _, errs := command(t, append(args, "--state", t.TempDir(), "--listen", "127.0.0.1:0")...)
		if code != 2 || !strings.Contains(errs, "write") {
			t.Errorf("%v: exit %d, %s", args, code, errs)
		}
	}
}

func command(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, &out, &errs)
	return code, out.String(), errs.String()
}

// TestTLSRefusals: no old TLS, and no terminal that trusts another authority or wants another name is let to believe.
func TestTLSRefusals(t *testing.T) {
	r, other := start(t, t.TempDir()), start(t, t.TempDir())
	var unknown x509.UnknownAuthorityError
	if _, err := dial(t, r, &tls.Config{RootCAs: trust(t, other.ca), ServerName: "localhost"}); !errors.As(err, &unknown) {
		t.Errorf("other authority: %v", err)
	}
	var name x509.HostnameError
	if _, err := dial(t, r, &tls.Config{RootCAs: trust(t, r.ca), ServerName: "host.example"}); !errors.As(err, &name) {
		t.Errorf("other name: %v", err)
	}
	old := &tls.Config{RootCAs: trust(t, r.ca), ServerName: "localhost", MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	if _, err := dial(t, r, old); err == nil {
		t.Error("TLS 1.1 was taken")
	}
}

// TestAuthority: kept across restarts, for its owner only, and good for nothing but this machine.
func TestAuthority(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	cert, path, err := certificate(dir, now)
	if err != nil {
		t.Fatal(err)
	}
	first, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]fs.FileMode{dir: 0o700, path: 0o644, filepath.Join(dir, "ca-key.pem"): 0o600} {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %v (%v), want %v", file, info.Mode(), err, want)
		}
	}
	again, _, err := certificate(dir, now.Add(365*24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	second, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(first, second) {
		t.Errorf("the authority changed (%v)", err)
	}
	if bytes.Equal(cert.Certificate[0], again.Certificate[0]) {
		t.Error("the server's certificate was kept")
	}
	if _, _, err := certificate(dir, now.Add(caLife-serverLife+time.Hour)); err != nil {
		t.Fatal(err)
	}
	if third, err := os.ReadFile(path); err != nil || bytes.Equal(first, third) {
		t.Errorf("the authority was not renewed before its end (%v)", err)
	}
	ca, err := loadAuthority(path, filepath.Join(dir, "ca-key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if !ca.cert.IsCA || !ca.cert.MaxPathLenZero || !ca.cert.PermittedDNSDomainsCritical || len(ca.cert.PermittedIPRanges) != 2 {
		t.Error("the authority may sign for others")
	}
}

// TestAuthorityRefused: files that cannot be trusted are named, with what to do, and never overwritten.
func TestAuthorityRefused(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, cert, key string){
		"chmod 600": func(t *testing.T, _, key string) {
			if err := os.Chmod(key, 0o644); err != nil {
				t.Fatal(err)
			}
		},
		"delete it": func(t *testing.T, cert, _ string) {
			if err := os.WriteFile(cert, []byte("nothing"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"do not belong together": func(t *testing.T, cert, _ string) {
			other, _, err := certificate(t.TempDir(), time.Now())
			if err != nil || other.PrivateKey == nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			if _, _, err := certificate(dir, time.Now()); err != nil {
				t.Fatal(err)
			}
			raw, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(cert, raw, 0o600); err != nil {
				t.Fatal(err)
			}
		},
	} {
		dir := t.TempDir()
		if _, _, err := certificate(dir, time.Now()); err != nil {
			t.Fatal(err)
		}
		spoil(t, filepath.Join(dir, "ca.pem"), filepath.Join(dir, "ca-key.pem"))
		before, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := certificate(dir, time.Now()); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("want an error with %q: %v", name, err)
		}
		if after, err := os.ReadFile(filepath.Join(dir, "ca.pem")); err != nil || !bytes.Equal(before, after) {
			t.Errorf("%s: the file was written over (%v)", name, err)
		}
	}
}

// TestOneClearLine: what is wrong with the call or the machine is one line that says what to do.
func TestOneClearLine(t *testing.T) {
	busy, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, c := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"busy port", []string{"--state", dir, "--listen", busy.Addr().String()}, 1, "is in use: end the program"},
		{"busy web port", []string{"--state", dir, "--listen", "127.0.0.1:0", "--http", busy.Addr().String()}, 1, "another --http"},
		{"state is a file", []string{"--state", file}, 1, "give a folder that you can write to"},
		{"state cannot be made", []string{"--state", filepath.Join(file, "x")}, 1, "give a folder that you can write to"},
		{"no state", nil, 2, "--state DIR is needed"},
		{"web for everyone", []string{"--state", dir, "--listen", "127.0.0.1:0", "--http", "0.0.0.0:0"}, 2, "not a loopback address"},
		{"web without port", []string{"--state", dir, "--listen", "127.0.0.1:0", "--http", "localhost"}, 2, "write HOST:PORT"},
		{"address nonsense", []string{"--state", dir, "--listen", "nowhere"}, 1, "write HOST:PORT"},
		{"zone", []string{"--state", dir, "--zone", "Kuwait City"}, 2, "like Asia/Kuwait"},
		{"late", []string{"--state", dir, "--late", "-1s"}, 2, "longer than nothing"},
		{"log", []string{"--state", dir, "--log", "loud"}, 2, "write debug, info, warn or error"},
		{"terminal", []string{"--state", dir, "--terminal", "TILL0001"}, 2, "write TID:MID"},
		{"unknown flag", []string{"--port", "1"}, 2, "unknown flag"},
		{"unknown command", []string{"balance"}, 2, "no command"},
		{"no hostsim there", []string{"ledger", "--http", "127.0.0.1:1"}, 1, "no hostsim answers on 127.0.0.1:1: start it with --http 127.0.0.1:1, or name its address with --http\n"},
		{"order of nothing", []string{"order", "TILL0001"}, 2, "like order TILL0001 exchange"},
		{"keys", []string{"--state", dir, "--keys", "des"}, 2, "session-ecb or none"},
		{"listing elsewhere", []string{"ledger", "--http", "host.example:80"}, 2, "not a loopback address"},
	} {
		code, out, errs := command(t, c.args...)
		if code != c.code || !strings.Contains(errs, c.want) || strings.Count(errs, "\n") != 1 || out != "" {
			t.Errorf("%s: %d, %q, %q; want %d and one line with %q", c.name, code, out, errs, c.code, c.want)
		}
	}
}

// TestLateIsLate: the answer that .102 holds back comes after every ready profile has stopped waiting.
func TestLateIsLate(t *testing.T) {
	for _, name := range profile.ReadyNames() {
		p, err := profile.Ready(name)
		if err != nil || p.Deadlines.Answer >= defaultLate {
			t.Errorf("%s waits %s (%v), and the late answer comes after %s", name, p.Deadlines.Answer, err, defaultLate)
		}
	}
}

// TestOrdersAreTaken: by the command, for a terminal and an order that there are, and from no web page.
func TestOrdersAreTaken(t *testing.T) {
	r := start(t, t.TempDir(), "--keys", "session")
	for _, c := range []struct {
		order []string
		code  int
		want  string
	}{
		{[]string{"TILL0001", "destroy"}, 0, ""}, {[]string{"TILL0001", "sing"}, 2, "no such order"}, {[]string{"TILL/9", "destroy"}, 2, "no such order"},
	} {
		code, out, errs := command(t, append([]string{"order", "--http", r.web}, c.order...)...)
		if code != c.code || !strings.Contains(errs, c.want) || out != "" {
			t.Errorf("%v: %d, %q, %q", c.order, code, out, errs)
		}
	}
	code, out, _ := command(t, "terminals", "--http", r.web)
	if code != 0 || !strings.Contains(out, "session") || !strings.Contains(out, "destroy") {
		t.Errorf("%d, %q", code, out)
	}
	for _, header := range []string{"Origin", "Sec-Fetch-Site"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+r.web+"/terminals/TILL0001/exchange", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set(header, "cross-site")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if _ = resp.Body.Close(); resp.StatusCode != http.StatusForbidden {
			t.Errorf("with %s: %s", header, resp.Status)
		}
	}
}

// TestListingsGuarded: read only, and not for a page that points its own name at this machine.
func TestListingsGuarded(t *testing.T) {
	r := start(t, t.TempDir())
	for _, c := range []struct {
		method, path, host string
		want               int
	}{
		{http.MethodGet, "/accounts", "", 200},
		{http.MethodGet, "/accounts", "localhost", 200},
		{http.MethodGet, "/accounts", "evil.example", 403},
		{http.MethodGet, "/accounts", "evil.example:8584", 403},
		{http.MethodPost, "/accounts", "", 405},
		{http.MethodGet, "/", "", 404},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, "http://"+r.web+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = c.host
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != c.want {
			t.Errorf("%s %s as %q: %d (%v), want %d", c.method, c.path, c.host, resp.StatusCode, err, c.want)
		}
		if strings.Contains(string(body), "4761739001010119") {
			t.Error("a whole card number is shown")
		}
	}
}
