package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	crand "crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"tillway/host"
	"tillway/iso8583"
	"tillway/iso8583/dialect/nac"
	"tillway/iso8583/link"
	"tillway/money"
	"tillway/terminal"
)

// bank is a host behind a real socket, TLS and the terminal's certificate in front of it.
type bank struct {
	t       *testing.T
	host    *host.Host
	codec   *iso8583.Codec
	address string
	trust   *x509.CertPool
	own     *tls.Certificate // the terminal's
	stop    func()           // closes the socket and every connection
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
	b.stop = func() { cancel(); <-ended }
	t.Cleanup(b.stop)
	return b
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
	s, _ := quickSecured(b.t, "credit", answerAll, nil, append([]func(*parts){func(p *parts) {
		p.dial = b.dial()
		p.acquirer.AnswerTimeout = duration(time.Second)
		p.acquirer.Retry, p.acquirer.RetryMax = duration(10*time.Millisecond), duration(20*time.Millisecond)
	}}, change...)...)
	return s
}

// Whatever framing an acquirer has, a sale goes out and its approval comes back, over TLS with certificates on both sides; a
// terminal that frames otherwise than its host sells nothing, and owes nothing.
func TestSalesInEveryFraming(t *testing.T) {
	for _, f := range []link.Framing{
		{}, {Length: link.BinaryLength, Counts: link.CountBody}, {Length: link.BCDLength}, {Length: link.BCDLength, Counts: link.CountAll},
		{Length: link.ASCIILength}, {Length: link.ASCIILength, Counts: link.CountBody},
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
		s := b.terminal(func(p *parts) { p.acquirer.Length = "ascii"; p.acquirer.AnswerTimeout = duration(200 * time.Millisecond) })
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
