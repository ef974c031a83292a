package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"tillway/device/secure"
	"tillway/store"
	"tillway/terminal/selftest"
)

// seeded is one fault that is made for real, and what pos selftest has to say of it.
type seeded struct {
	name  string
	make  func(t *testing.T, f *broken)
	fault string   // its id
	says  []string // words of cause and remedy
}

// broken is a terminal with one thing wrong.
type broken struct {
	*world
	kept string // folder of what it all was like
	then func() // goes on with the fault once the terminal runs; nil: there is nothing more
}

// set changes the terminal's configuration.
func (f *broken) set(t *testing.T, old, replacement string) {
	t.Helper()
	text, err := os.ReadFile(f.config)
	if err != nil || !strings.Contains(string(text), old) {
		t.Fatalf("the configuration has no %q: %v", old, err)
	}
	f.write(t, "posd.toml", strings.Replace(string(text), old, replacement, 1))
}

func (f *broken) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(f.path(name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// host starts the bank in place of the one that runs.
func (f *broken) host(t *testing.T, more ...string) {
	t.Helper()
	f.stopHost()
	args := []string{"--listen", f.world.host, "--http", f.hostHTTP, "--state", f.path("host"), "--partial", "--require-mac"}
	if f.stack.keys != "" {
		args = append(args, "--keys", f.stack.keys)
	}
	if err := f.start(t.Context(), "hostsim", append(args, more...)...); err != nil {
		t.Fatal(err)
	}
}

// shows has the bank show a certificate of an authority that the terminal trusts.
func (f *broken) shows(t *testing.T, name string, from, until time.Time) {
	t.Helper()
	authority, leaf := issued(t, name, from, until)
	f.write(t, "other-ca.pem", authority)
	f.write(t, "leaf.pem", leaf[0])
	f.write(t, "leaf-key.pem", leaf[1])
	f.set(t, `ca = "host/ca.pem"`, `ca = "other-ca.pem"`)
	f.host(t, "--certificate", f.path("leaf.pem"), "--certificate-key", f.path("leaf-key.pem"))
}

// issued is an authority, and a certificate with its key under it, as PEM.
func issued(t *testing.T, name string, from, until time.Time) (authority string, leaf [2]string) {
	t.Helper()
	var keys [2]*ecdsa.PrivateKey
	for i := range keys {
		var err error
		if keys[i], err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			t.Fatal(err)
		}
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "another authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().AddDate(-1, 0, 0), NotAfter: time.Now().AddDate(1, 0, 0), KeyUsage: x509.KeyUsageCertSign,
	}
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotBefore: from, NotAfter: until,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if ip := net.ParseIP(name); ip != nil {
		cert.IPAddresses = []net.IP{ip}
	} else {
		cert.DNSNames = []string{name}
	}
	block := func(kind string, der []byte, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, &keys[0].PublicKey, keys[0])
	authority = block("CERTIFICATE", der, err)
	der, err = x509.CreateCertificate(rand.Reader, cert, ca, &keys[1].PublicKey, keys[0])
	leaf[0] = block("CERTIFICATE", der, err)
	der, err = x509.MarshalECPrivateKey(keys[1])
	leaf[1] = block("EC PRIVATE KEY", der, err)
	return authority, leaf
}

// deaf takes connections on a port of its own and says nothing; its address.
func deaf(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			context.AfterFunc(ctx, func() { _ = c.Close() })
		}
	}()
	t.Cleanup(func() { stop(); _ = l.Close(); <-done })
	return l.Addr().String()
}

// closed is an address at which nobody listens.
func closed(t *testing.T) string {
	t.Helper()
	at, err := freePort(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// linkFaults are what is wrong between terminal and host.
func linkFaults() []seeded {
	day := 24 * time.Hour
	dates := func(name string, from, until time.Duration) func(*testing.T, *broken) {
		return func(t *testing.T, f *broken) { f.shows(t, name, time.Now().Add(from), time.Now().Add(until)) }
	}
	return []seeded{
		{"wrong CA", func(t *testing.T, f *broken) {
			authority, _ := issued(t, "127.0.0.1", time.Now(), time.Now().Add(day))
			f.write(t, "other-ca.pem", authority)
			f.set(t, `ca = "host/ca.pem"`, `ca = "other-ca.pem"`)
		}, "wrong_ca", []string{"not issued by the authority in acquirer.ca", "acquirer's CA certificate"}},
		{"certificate expired", dates("127.0.0.1", -20*day, -day), "certificate_expired", []string{"ended on " + time.Now().Add(-day).UTC().Format(time.DateOnly), "new one"}},
		{"certificate not valid yet", dates("127.0.0.1", day, 20*day), "certificate_not_yet", []string{"not valid before", "clock"}},
		{"certificate ends soon", dates("127.0.0.1", -day, 10*day), "certificate_ends", []string{"ends on", "acquirer"}},
		{"certificate for another name", dates("pos.example.com", -day, 90*day), "certificate_name", []string{"pos.example.com", "127.0.0.1", "acquirer.server_name"}},
		{"clock a day off", func(t *testing.T, f *broken) { f.host(t, "--ahead", "24h") }, "clock_skew", []string{"behind the bank's", "This machine's clock says", "time server"}},
		{"host port closed", func(t *testing.T, f *broken) { f.set(t, f.world.host, closed(t)) }, "host_closed", []string{"Nobody listens at 127.0.0.1:", "acquirer.address"}},
		{"host silent", func(t *testing.T, f *broken) { f.set(t, f.world.host, deaf(t)) }, "host_silent", []string{"begins no TLS", "port"}},
		{"standby down", func(t *testing.T, f *broken) {
			f.set(t, "answer_timeout", fmt.Sprintf("standby = [%q]\nanswer_timeout", closed(t)))
		}, "standby_down", []string{"sales go to another", "Nobody listens"}},
		{"wrong NII", func(t *testing.T, f *broken) { f.host(t, "--nii", "007") }, "wrong_tpdu", []string{`tpdu = "6000030000", nii = "003"`, "acquirer.nac.tpdu"}},
		{"wrong terminal id", func(t *testing.T, f *broken) {
			f.host(t, "--terminal", "TILL0042:KW0000000000001")
		}, "wrong_terminal_id", []string{"does not know the terminal TILL0001", "code 89", "terminal.id"}},
	}
}

// keptFaults are what is wrong with what the terminal keeps.
func keptFaults() []seeded {
	return []seeded{
		{"keyd gone", func(t *testing.T, f *broken) {
			f.set(t, "[pin]", "[keys]\nprogram = \"nowhere/keyd\"\n\n[pin]")
		}, "keyd_gone", []string{"secure module", "nowhere/keyd"}},
		{"row changed", func(t *testing.T, f *broken) {
			f.flip(t, "journal", "record", "seq = (SELECT max(seq) FROM journal WHERE record <> '' AND sale = 1)")
		}, "row_corrupt", []string{"journal", "call support"}},
		{"database cut off", func(t *testing.T, f *broken) {
			info, err := os.Stat(f.path("state/journal.db"))
			if err == nil {
				err = os.Truncate(f.path("state/journal.db"), info.Size()/8192*4096)
			}
			if err != nil {
				t.Fatal(err)
			}
		}, "database_corrupt", []string{"backup"}},
		{"counter gone", func(t *testing.T, f *broken) {
			if err := os.Remove(f.path("state/sale.counter")); err != nil {
				t.Fatal(err)
			}
		}, "database_missing", []string{"sale.counter", "backup"}},
		{"counter behind witness", func(t *testing.T, f *broken) {
			old, err := os.ReadFile(f.path("state/stan.counter"))
			if err != nil {
				t.Fatal(err)
			}
			f.count(t, 500)
			f.write(t, "state/stan.counter", string(old))
		}, "counter_behind", []string{"stan.counter stood at", "older state folder"}},
		{"folder open to all", func(t *testing.T, f *broken) {
			if err := os.Chmod(f.path("state"), 0o755); err != nil { //nolint:gosec // that is the fault
				t.Fatal(err)
			}
		}, "folder_open", []string{"rwxr-xr-x", "chmod 700"}},
		{"authorities' keys expired", func(*testing.T, *broken) {}, "ca_keys_ended", []string{"A000000003", "ended on", "ca_keys"}},
		{"parameters changed since", func(t *testing.T, f *broken) {
			f.then = func() { f.set(t, `profile = "demo.toml"`, `profile = "kuwait"`) }
		}, "parameters_old", []string{"changed after posd had started", "Start posd again"}},
		{"configuration misspelt", func(t *testing.T, f *broken) { f.set(t, "answer_timeout", "answer_time") }, "config_wrong", []string{"answer_time"}},
	}
}

// count uses trace numbers up, as the terminal does, before the witness's eyes.
func (f *broken) count(t *testing.T, n int) {
	t.Helper()
	c, err := store.OpenCounter(f.path("state/stan.counter"), 200)
	if err != nil {
		t.Fatal(err)
	}
	w, err := secure.OpenWitness(f.path("state.witness/counters"))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Witnessed(t.Context(), w, "stan"); err != nil {
		t.Fatal(err)
	}
	for range n {
		if _, err := c.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, thing := range []io.Closer{c, w} {
		if err := thing.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSeededFaults makes one fault after the other for real, against the real programs, and has pos selftest find each: by its id, in a
// sentence that names it and one that says what to do. Mended, nothing is left of it.
func TestSeededFaults(t *testing.T) {
	t.Parallel()
	w := whole(t, io.Discard)
	w.sale(t, 0, "1.000")
	w.stopTerminal(t)
	f := &broken{world: w, kept: t.TempDir()}
	f.set(t, "answer_timeout", "connect_timeout = \"1s\"\nanswer_timeout")
	f.stopHost()
	for _, what := range kept() {
		copyTree(t, w.path(what), f.kept+"/"+what)
	}
	for _, c := range slices.Concat(linkFaults(), keptFaults()) {
		t.Run(c.name, func(t *testing.T) { f.seed(t, c) })
	}
	f.mend(t)
	if err := w.startTerminal(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := w.selftest(t); r.Faults > 0 {
		t.Errorf("all is mended, and it says %s", r.Text())
	}
	w.sale(t, 0, "2.000")
}

// kept is what a fault may change, terminal and bank together: neither is behind the other then.
func kept() []string { return []string{"state", "state.witness", "host", "posd.toml"} }

// seed makes a fault and looks for it. The terminal is stopped behind it.
func (f *broken) seed(t *testing.T, c seeded) {
	t.Helper()
	f.mend(t)
	c.make(t, f)
	if err := f.startTerminal(t.Context()); err == nil {
		defer f.stopTerminal(t)
	} else {
		f.running = slices.DeleteFunc(f.running, func(p *program) bool { return p.name == "posd" })
	}
	if f.then != nil {
		f.then()
		f.then = nil
	}
	f.finds(t, c)
}

// finds runs pos selftest.
func (f *broken) finds(t *testing.T, c seeded) {
	t.Helper()
	reports(t, f.selftest(t), c)
}

// reports finds a fault in a report.
func reports(t *testing.T, found selftest.Report, c seeded) {
	t.Helper()
	at := slices.IndexFunc(found.Findings, func(f selftest.Finding) bool { return f.Fault == c.fault })
	if at < 0 {
		t.Fatalf("%s was not found: %s", c.fault, found.Text())
	}
	said := found.Findings[at].Cause + " " + found.Findings[at].Fix
	for _, word := range c.says {
		if !strings.Contains(said, word) {
			t.Errorf("it says nothing of %q: %s", word, said)
		}
	}
}

// mend puts folders and configuration back, and the bank up.
func (f *broken) mend(t *testing.T) {
	t.Helper()
	f.stopHost()
	for _, what := range kept() {
		if err := os.RemoveAll(f.path(what)); err != nil {
			t.Fatal(err)
		}
		copyTree(t, f.kept+"/"+what, f.path(what))
	}
	f.host(t)
}

func (f *broken) stopHost() {
	if p, err := f.take("hostsim"); err == nil {
		p.end()
	}
}

// copyTree copies a file, or a folder with all in it, with rights.
func copyTree(t *testing.T, from, to string) {
	t.Helper()
	info, err := os.Stat(from)
	if err != nil {
		t.Fatal(err)
	}
	if !info.IsDir() {
		text, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(to, text, info.Mode().Perm())
		}
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	all, err := os.ReadDir(from)
	if err == nil {
		err = os.MkdirAll(to, info.Mode().Perm())
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		copyTree(t, from+"/"+e.Name(), to+"/"+e.Name())
	}
}
