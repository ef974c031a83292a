package link_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"tillway/iso8583"
	"tillway/iso8583/dialect/nac"
	"tillway/iso8583/link"
)

// authority issues certificates for a test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &authority{cert, key, pool}
}

func (a *authority) issue(t *testing.T, name string, from, to time.Time, usage x509.ExtKeyUsage) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: from, NotAfter: to, ExtKeyUsage: []x509.ExtKeyUsage{usage},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// serve answers connections on loopback until the test ends, and waits for its goroutines.
func serve(t *testing.T, handle func(net.Conn)) (address string) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			handle(c)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return l.Addr().String()
}

func TestTLSDialer(t *testing.T) {
	ours, theirs := newAuthority(t, "acquirer"), newAuthority(t, "somebody")
	now := time.Now()
	good := ours.issue(t, "host.test", now.Add(-time.Hour), now.Add(time.Hour), x509.ExtKeyUsageServerAuth)
	terminal := ours.issue(t, "terminal", now.Add(-time.Hour), now.Add(time.Hour), x509.ExtKeyUsageClientAuth)
	for _, tt := range []struct {
		name   string
		server *tls.Config // nil: a host that speaks no TLS
		client link.TLSConfig
		kind   error // nil: it works
		says   string
	}{
		{
			"good", &tls.Config{Certificates: []tls.Certificate{good}},
			link.TLSConfig{RootCAs: ours.pool, ServerName: "host.test"},
			nil, "",
		},
		{
			"good, TLS 1.2", &tls.Config{Certificates: []tls.Certificate{good}, MaxVersion: tls.VersionTLS12},
			link.TLSConfig{RootCAs: ours.pool, ServerName: "host.test"},
			nil, "",
		},
		{
			"terminal shows its certificate",
			&tls.Config{Certificates: []tls.Certificate{good}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ours.pool},
			link.TLSConfig{RootCAs: ours.pool, ServerName: "host.test", Certificate: &terminal},
			nil, "",
		},
		{
			"expired",
			&tls.Config{Certificates: []tls.Certificate{ours.issue(t, "host.test", now.Add(-2*time.Hour), now.Add(-time.Hour), x509.ExtKeyUsageServerAuth)}},
			link.TLSConfig{RootCAs: ours.pool, ServerName: "host.test"},
			link.ErrHostCertificate, "check this terminal's clock",
		},
		{
			"not valid yet",
			&tls.Config{Certificates: []tls.Certificate{ours.issue(t, "host.test", now.Add(time.Hour), now.Add(2*time.Hour), x509.ExtKeyUsageServerAuth)}},
			link.TLSConfig{RootCAs: ours.pool, ServerName: "host.test"},
			link.ErrHostCertificate, "check this terminal's clock",
		},
		{
			"another name", &tls.Config{Certificates: []tls.Certificate{good}},
			link.TLSConfig{RootCAs: ours.pool, ServerName: "other.test"},
			link.ErrHostCertificate, `not for the name "other.test"`,
		},
		{
			"name of the address", &tls.Config{Certificates: []tls.Certificate{good}},
			link.TLSConfig{RootCAs: ours.pool},
			link.ErrHostCertificate, `not for the name "127.0.0.1"`,
		},
		{
			"another authority",
			&tls.Config{Certificates: []tls.Certificate{theirs.issue(t, "host.test", now.Add(-time.Hour), now.Add(time.Hour), x509.ExtKeyUsageServerAuth)}},
			link.TLSConfig{RootCAs: ours.pool, ServerName: "host.test"},
			link.ErrHostCertificate, "not issued by the configured CA",
		},
		{
			"a client's certificate",
			&tls.Config{Certificates: []tls.Certificate{ours.issue(t, "host.test", now.Add(-time.Hour), now.Add(time.Hour), x509.ExtKeyUsageClientAuth)}},
			link.TLSConfig{RootCAs: ours.pool, ServerName: "host.test"},
			link.ErrHostCertificate, "ask the acquirer for a valid one",
		},
		{
			"no authority configured", &tls.Config{Certificates: []tls.Certificate{good}},
			link.TLSConfig{ServerName: "host.test"},
			link.ErrHostCertificate, "no CA certificate is configured",
		},
		{
			"TLS 1.1",
			&tls.Config{Certificates: []tls.Certificate{good}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, //nolint:gosec // that is the test
			link.TLSConfig{RootCAs: ours.pool, ServerName: "host.test"},
			link.ErrHostTLS, "older than 1.2",
		},
		{
			"no TLS at all", nil,
			link.TLSConfig{RootCAs: ours.pool, ServerName: "host.test"},
			link.ErrHostTLS, "does not speak TLS",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.client.Address = serve(t, func(c net.Conn) {
				if tt.server == nil {
					_, _ = c.Write([]byte("220 mail.test ESMTP\r\n"))
					return
				}
				_, _ = io.Copy(io.Discard, tls.Server(c, tt.server)) // handshakes, and waits for the client to leave
			})
			conn, err := link.TLSDialer(tt.client)(t.Context())
			if tt.kind == nil {
				if err != nil {
					t.Fatal(err)
				}
				if err := conn.Close(); err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q, want one line: %v … %s", err, tt.kind, tt.says)
			}
		})
	}
}

func TestTLSDialerWithoutHost(t *testing.T) {
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	a := newAuthority(t, "acquirer")
	_, err = link.TLSDialer(link.TLSConfig{Address: address, RootCAs: a.pool})(t.Context())
	if err == nil || !strings.Contains(err.Error(), "check network and address") {
		t.Errorf("error %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := link.TLSDialer(link.TLSConfig{Address: address, RootCAs: a.pool})(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
	if _, err := link.TLSDialer(link.TLSConfig{Address: "no port", RootCAs: a.pool})(t.Context()); err == nil {
		t.Error("an address without port is dialled")
	}
}

// A whole exchange over TLS and a socket.
func TestSessionOverTLS(t *testing.T) {
	a := newAuthority(t, "acquirer")
	cert := a.issue(t, "host.test", time.Now().Add(-time.Hour), time.Now().Add(time.Hour), x509.ExtKeyUsageServerAuth)
	codec, err := iso8583.Compile(nac.Table(nac.Settings{}))
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, codec: codec}
	request, answer := r.sale(), r.approval(nil)
	address := serve(t, func(c net.Conn) {
		conn := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}}) //nolint:gosec // the dialer demands 1.2
		buf := make([]byte, 2+len(request))
		if _, err := io.ReadFull(conn, buf); err != nil {
			t.Errorf("host: %v", err)
			return
		}
		if _, err := conn.Write(framed(answer)); err != nil {
			t.Errorf("host: %v", err)
		}
		_, _ = io.Copy(io.Discard, conn) // until the terminal leaves
	})
	s := link.New(link.Config{
		Dial:  link.TLSDialer(link.TLSConfig{Address: address, ServerName: "host.test", RootCAs: a.pool}),
		Codec: codec,
	})
	if fresh, err := s.Ready(t.Context()); err != nil || !fresh {
		t.Fatalf("Ready: fresh %v, %v", fresh, err)
	}
	got, sent, err := s.Exchange(t.Context(), request)
	r.want(exchanged{got, sent, err}, answer)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
