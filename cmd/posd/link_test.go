package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	crand "crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"math/rand/v2"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tillway/host"
	"tillway/iso8583"
	"tillway/iso8583/dialect/nac"
	"tillway/iso8583/link"
	"tillway/money"
	"tillway/store"
	"tillway/terminal"
)

// bank is a host behind a real socket, TLS and the terminal's certificate in front of it.
type bank struct {
	t       *testing.T
	host    *host.Host
	codec   *iso8583.Codec
	address string
	trust   *x509.CertPool
	own     *tls.Certificate                        // the terminal's
	pipe    func(context.Context) (net.Conn, error) // instead of the socket
	journal *store.Store                            // of the terminal that was made last
}

// newBank starts one on loopback; it ends with the test. wrap stands between socket and host; nil: nothing does.
func newBank(t *testing.T, wrap func(net.Conn) net.Conn, change ...func(*host.Config)) *bank {
	t.Helper()
	codec, err := iso8583.Compile(nac.Table(nac.Settings{}))
	if err != nil {
		t.Fatal(err)
	}
	h, err := newSimHost(codec, rand.New(rand.NewPCG(1, 1)), time.Now, change...)
	if err != nil {
		t.Fatal(err)
	}
	b := &bank{t: t, host: h, codec: codec}
	server, terminals := b.certificates()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b.address = l.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	secured := tls.NewListener(l, &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{server}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: terminals,
	})
	go func() {
		defer close(ended)
		if err := h.Serve(ctx, wrapped{secured, wrap}); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return b
}

// newPipedBank is one without socket and TLS, for a bubble of time.
func newPipedBank(t *testing.T, wrap func(net.Conn) net.Conn) *bank {
	t.Helper()
	codec, err := iso8583.Compile(nac.Table(nac.Settings{}))
	if err != nil {
		t.Fatal(err)
	}
	h, err := newSimHost(codec, rand.New(rand.NewPCG(1, 1)), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	t.Cleanup(func() { cancel(); serving.Wait() })
	return &bank{t: t, host: h, codec: codec, pipe: func(context.Context) (net.Conn, error) {
		near, far := net.Pipe()
		serving.Go(func() { h.ServeConn(ctx, wrap(far)) })
		return near, nil
	}}
}

// wrapped is a listener whose connections somebody has his hands on.
type wrapped struct {
	net.Listener
	wrap func(net.Conn) net.Conn
}

func (w wrapped) Accept() (net.Conn, error) {
	c, err := w.Listener.Accept()
	if err != nil || w.wrap == nil {
		return c, err
	}
	return w.wrap(c), nil
}

// certificates are the bank's authority, its host's certificate and the terminal's.
func (b *bank) certificates() (server tls.Certificate, terminals *x509.CertPool) {
	b.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), crand.Reader)
	if err != nil {
		b.t.Fatal(err)
	}
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0), KeyUsage: x509.KeyUsageCertSign,
	}
	issue := func(template *x509.Certificate) tls.Certificate {
		own := key
		if !template.IsCA {
			if own, err = ecdsa.GenerateKey(elliptic.P256(), crand.Reader); err != nil {
				b.t.Fatal(err)
			}
		}
		der, err := x509.CreateCertificate(crand.Reader, template, authority, own.Public(), key)
		if err != nil {
			b.t.Fatal(err)
		}
		leaf, err := x509.ParseCertificate(der)
		if err != nil {
			b.t.Fatal(err)
		}
		return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: own, Leaf: leaf}
	}
	b.trust = x509.NewCertPool()
	b.trust.AddCert(issue(authority).Leaf)
	own := issue(&x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "TILL0001"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(0, 0, 10),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	b.own = &own
	server = issue(&x509.Certificate{
		SerialNumber: big.NewInt(3), Subject: pkix.Name{CommonName: "host"}, DNSNames: []string{"bank.test"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().AddDate(0, 0, 20), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	return server, b.trust
}

// dial is the terminal's way to it.
func (b *bank) dial() func(context.Context) (net.Conn, error) {
	return link.TLSDialer(link.TLSConfig{Address: b.address, ServerName: "bank.test", RootCAs: b.trust, Certificate: b.own, Timeout: 5 * time.Second})
}

// terminal is a till at that bank, on a disk of its own, which has a second to answer.
func (b *bank) terminal(change ...func(*parts)) *stack {
	b.t.Helper()
	return b.terminalWith("credit", change...)
}

// terminalWith is one with another card in its reader.
func (b *bank) terminalWith(card string, change ...func(*parts)) *stack {
	b.t.Helper()
	s, journal := quickSecured(b.t, card, answerAll, nil, append([]func(*parts){func(p *parts) {
		if p.dial = b.pipe; b.pipe == nil {
			p.dial = b.dial()
		}
		p.acquirer.AnswerTimeout = duration(5 * time.Second)
		p.acquirer.Retry, p.acquirer.RetryMax = duration(10*time.Millisecond), duration(20*time.Millisecond)
	}}, change...)...)
	b.journal = journal
	return s
}

// Whatever framing an acquirer has, a sale goes out and its approval comes back, over TLS with certificates on both sides; a
// terminal that frames otherwise than its host sells nothing, and owes nothing.
func TestSalesInEveryFraming(t *testing.T) {
	for _, f := range []link.Framing{
		{},
		{Length: link.BinaryLength, Counts: link.CountBody},
		{Length: link.BCDLength},
		{Length: link.BCDLength, Counts: link.CountAll},
		{Length: link.ASCIILength},
		{Length: link.ASCIILength, Counts: link.CountBody},
	} {
		t.Run(strings.TrimSpace(string(f.Length)+" "+string(f.Counts)), func(t *testing.T) {
			b := newBank(t, nil, func(c *host.Config) { c.Framing = f })
			s := b.terminal(func(p *parts) {
				p.acquirer.Length, p.acquirer.LengthCounts = string(f.Length), string(f.Counts)
				p.acquirer.TPDUAnswer = "kept"
			})
			sellOne(t, s, 1_300)
		})
	}
	t.Run("another than the host's", func(t *testing.T) {
		b := newBank(t, nil)
		s := b.terminal(func(p *parts) {
			p.acquirer.Length = "ascii"
			p.acquirer.AnswerTimeout = duration(200 * time.Millisecond)
		})
		sale := b.sell(s, 1_300)
		if sale.State != terminal.Declined || sale.Outcome.Code != terminal.CodeUnreachable || s.lane.Snapshot().Owed != 0 {
			t.Errorf("%s, %+v, %d owed", sale.State, sale.Outcome, s.lane.Snapshot().Owed)
		}
	})
}

// sell sells, whatever comes of it.
func (b *bank) sell(s *stack, minor int64) terminal.Sale {
	b.t.Helper()
	kwd, _ := money.ByCode("KWD")
	sale, err := s.lane.Start(b.t.Context(), terminal.Order{Kind: terminal.KindSale, Amount: money.New(minor, kwd)})
	if err != nil {
		b.t.Fatal(err)
	}
	if sale, err = watch(b.t.Context(), s.lane, sale.ID); err != nil {
		b.t.Fatal(err)
	}
	return sale
}

// When the first host is gone, sales go to the second, and the journal says which host had which sale. A sale whose request the first
// took and never answered is reversed at the second before anything else goes there: its request is not repeated.
func TestSalesAtTheSecondHost(t *testing.T) {
	var dumb atomic.Bool
	b := newBank(t, nil)
	gate := newGate(t, b.address, &dumb)
	way := func(address string) link.Host {
		return link.Host{Name: address, Dial: link.TLSDialer(link.TLSConfig{
			Address: address, ServerName: "bank.test", RootCAs: b.trust, Certificate: b.own, Timeout: 5 * time.Second,
		})}
	}
	s := b.terminal(func(p *parts) {
		p.dial, p.hosts = nil, []link.Host{way(gate), way(b.address)}
		p.acquirer.AnswerTimeout = duration(time.Second)
	})
	if sale := sellOne(t, s, 1_300); sale.Host != gate || sale.HostTime.IsZero() {
		t.Errorf("first sale at %q, %v", sale.Host, sale.HostTime)
	}
	dumb.Store(true)
	lost := b.sell(s, 1_400)
	if lost.State != terminal.Reversed || lost.Host != gate {
		t.Errorf("%s at %q", lost.State, lost.Host)
	}
	if sale := sellOne(t, s, 1_500); sale.Host != b.address {
		t.Errorf("third sale at %q", sale.Host)
	}
	if got := b.heard(); got != "0800 0200 0200 0400 0800 0400 0200" {
		t.Errorf("the bank heard %s", got)
	}
	b.settled(s, 2)
}

// newGate is an address in front of another, which passes bytes on until it is dumb: then what comes back from there is lost.
func newGate(t *testing.T, to string, dumb *atomic.Bool) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	pass := func(to, from net.Conn, loses bool) {
		defer func() { _, _ = to.Close(), from.Close() }()
		buffer := make([]byte, 4096)
		for {
			n, err := from.Read(buffer)
			if err != nil {
				return
			}
			if loses && dumb.Load() {
				continue
			}
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
	}
	all.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", to)
			if err != nil {
				_ = near.Close()
				continue
			}
			all.Go(func() { pass(far, near, false) })
			all.Go(func() { pass(near, far, true) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); all.Wait() })
	return l.Addr().String()
}

// heard is what the host was sent, message types in order.
func (b *bank) heard() string {
	var all []string
	for _, m := range b.host.Messages() {
		if m.Direction == host.In {
			all = append(all, m.MTI)
		}
	}
	return strings.Join(all, " ")
}

// settled waits until nothing is owed, and wants so many sales to stand at the host, with balances to match.
func (b *bank) settled(s *stack, standing int) {
	b.t.Helper()
	for range 500 {
		if s.lane.Snapshot().Owed == 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if n := s.lane.Snapshot().Owed; n != 0 {
		b.t.Errorf("%d still owed", n)
	}
	var stands, sum, off int64
	for _, p := range b.host.Ledger() {
		if p.State == host.Posted && p.ReversedAt == nil {
			stands++
			sum += p.Amount.Minor
		}
	}
	for _, a := range b.host.Accounts() {
		off += a.Opening.Minor - a.Balance.Minor
	}
	if stands != int64(standing) || off != sum {
		b.t.Errorf("%d sales stand with %d fils, %d are wanted, and %d fils have left the accounts", stands, sum, standing, off)
	}
}

// The files that the link's TLS rests on are read once, and their ends and the host's certificate's are in the status a month before.
func TestCertificatesInTheStatus(t *testing.T) {
	b := newBank(t, nil)
	s := b.terminal(func(p *parts) {
		p.certificates = []terminal.Certificate{{Whose: "this terminal's certificate (acquirer.certificate)", Ends: b.own.Leaf.NotAfter}}
	})
	sellOne(t, s, 1_300)
	all := strings.Join(s.lane.Snapshot().Host.Warnings, "\n")
	for _, part := range []string{"this terminal's certificate (acquirer.certificate) ends on", "in 9 days", "the certificate of the bank's host ends on", "in 19 days"} {
		if !strings.Contains(all, part) {
			t.Errorf("warnings %q do not say %q", all, part)
		}
	}
}

// What trust reads are the certificates of the files and nothing else in them.
func TestTrust(t *testing.T) {
	b, dir := newBank(t, nil), t.TempDir()
	file := func(name string, blocks ...*pem.Block) string {
		var text []byte
		for _, block := range blocks {
			text = append(text, pem.EncodeToMemory(block)...)
		}
		write(t, filepath.Join(dir, name), string(text))
		return filepath.Join(dir, name)
	}
	key, err := x509.MarshalPKCS8PrivateKey(b.own.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	own := &pem.Block{Type: "CERTIFICATE", Bytes: b.own.Certificate[0]}
	a := defaults().Acquirer
	a.CA = file("ca.pem", &pem.Block{Type: "PRIVATE KEY", Bytes: key}, own, own)
	a.Certificate, a.Key = file("own.pem", own), file("own.key", &pem.Block{Type: "PRIVATE KEY", Bytes: key})
	got, err := a.trust()
	if err != nil || len(got.certificates) != 3 || got.own == nil || !got.certificates[2].Ends.Equal(b.own.Leaf.NotAfter) {
		t.Errorf("%+v, %v", got.certificates, err)
	}
	a.CA = file("none.pem", &pem.Block{Type: "PRIVATE KEY", Bytes: key})
	if _, err := a.trust(); err == nil {
		t.Error("a file without a certificate was taken for a CA")
	}
}
