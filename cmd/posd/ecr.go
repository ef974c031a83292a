package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"tillway/store"
	"tillway/till"
	certs "tillway/till/certificate"
)

// ecrConfig is the door for cash registers.
type ecrConfig struct {
	Listen      string   `toml:"listen"`
	Names       []string `toml:"names"`
	Certificate string   `toml:"certificate"`
	Key         string   `toml:"key"`
	ClientCA    string   `toml:"client_ca"`
	NexoClear   bool     `toml:"nexo_clear"`
	NexoLogin   bool     `toml:"nexo_login"`
	POIID       string   `toml:"poi_id"`
}

func (e ecrConfig) check() error {
	if e.Listen == "" {
		if e.Certificate != "" || e.ClientCA != "" || len(e.Names) > 0 {
			return errors.New("ecr: there is a certificate, client_ca or names, and no listen: add listen, or take them out")
		}
		return nil
	}
	_, port, err := net.SplitHostPort(e.Listen)
	n, bad := strconv.ParseUint(port, 10, 16)
	switch {
	case err != nil || bad != nil || n == 0 && port != "0":
		return fmt.Errorf("ecr.listen %q: write it as address:port, like 192.0.2.7:8443 or 127.0.0.1:8443", e.Listen)
	case (e.Certificate == "") != (e.Key == ""):
		return errors.New("ecr.certificate and ecr.key go together")
	case e.Certificate != "" && len(e.Names) > 0:
		return errors.New("ecr.names is for the certificate that posd makes: take it out, or take ecr.certificate out")
	case len(e.POIID) > maxPOIID || strings.ContainsFunc(e.POIID, func(r rune) bool { return r <= ' ' || r >= 0x7F }):
		return fmt.Errorf("ecr.poi_id %q: at most %d letters, digits and dashes, like P400Plus-123456789", e.POIID, maxPOIID)
	case len(e.Names) > maxNames:
		return fmt.Errorf("ecr.names has %d names: at most %d", len(e.Names), maxNames)
	}
	for _, n := range e.Names {
		if !hostName(n) {
			return fmt.Errorf("ecr.names %q: a name or an IP address of this machine, without port", n)
		}
	}
	return nil
}

// maxNames bounds a certificate's names beside those that the door has by itself.
const maxNames = 16

// hostName says whether a text is an IP address or a name as DNS has them (RFC 1123, 2.1).
func hostName(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	if s == "" || len(s) > 253 || s[0] == '-' || s[0] == '.' {
		return false
	}
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '.' {
			return false
		}
	}
	return true
}

// openECR opens the door for cash registers. Its error is one sentence that says what to do.
func openECR(ctx context.Context, c config, log *slog.Logger) (net.Listener, error) {
	t, err := c.ecrTLS(time.Now, log)
	if err != nil {
		return nil, err
	}
	ln, err := listenTCP(ctx, "ecr", c.ECR.Listen)
	if err != nil {
		return nil, err
	}
	return tls.NewListener(newFair(ln, maxOfAddress), t), nil
}

// ecrTLS is what the door shows and demands: TLS 1.2 or later, HTTP/1.1, and a register's own certificate where client_ca is named.
func (c *config) ecrTLS(now func() time.Time, log *slog.Logger) (*tls.Config, error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
	if c.ECR.ClientCA != "" {
		pool, err := certs.Clients(c.ECR.ClientCA)
		if err != nil {
			return nil, err
		}
		t.ClientCAs, t.ClientAuth = pool, tls.RequireAndVerifyClientCert
	}
	if c.ECR.Certificate != "" {
		cert, err := certs.Load(c.ECR.Certificate, c.ECR.Key, now())
		if err != nil {
			return nil, err
		}
		if left := cert.Leaf.NotAfter.Sub(now()); left < certs.Renew {
			log.Warn("the certificate of the ECR door ends soon: put a new one at ecr.certificate", "ends", cert.Leaf.NotAfter.Format(time.DateOnly))
		}
		t.Certificates = []tls.Certificate{cert}
		return t, nil
	}
	hosts, err := certs.Hosts(c.ECR.Listen, c.ECR.Names, net.InterfaceAddrs)
	if err != nil {
		return nil, fmt.Errorf("ecr.listen %q: %w", c.ECR.Listen, err)
	}
	own := &ownCertificate{folder: filepath.Join(c.State, "ecr"), hosts: hosts, now: now, log: log}
	if err := store.MakeFolder(own.folder); err != nil {
		return nil, fmt.Errorf("certificate of the ECR door: %w", err)
	}
	if err := own.renew(); err != nil {
		return nil, err
	}
	t.GetCertificate = own.get
	return t, nil
}

// ownCertificate is the certificate that posd makes for itself. It is renewed at start and, in a daemon that runs for long, at the first
// connection of its last thirty days.
type ownCertificate struct {
	folder string
	hosts  []string
	now    func() time.Time
	log    *slog.Logger

	mu    sync.Mutex // guards what follows
	cert  *tls.Certificate
	tried time.Time
}

func (o *ownCertificate) renew() error {
	cert, made, err := certs.Own(o.folder, o.hosts, o.now())
	if err != nil {
		return err
	}
	if made {
		o.log.Info("a certificate for the ECR door was made; cash registers trust it by "+certs.CAFile, "folder", o.folder, "ends", cert.Leaf.NotAfter.Format(time.DateOnly))
	}
	o.cert = &cert
	return nil
}

// get is tls.Config's GetCertificate. One that cannot be renewed goes on being shown.
func (o *ownCertificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.now()
	if o.cert.Leaf.NotAfter.Sub(now) < certs.Renew && (o.tried.IsZero() || now.Sub(o.tried) > time.Hour) {
		o.tried = now
		if err := o.renew(); err != nil {
			o.log.Error("the certificate of the ECR door was not renewed", "err", err)
		}
	}
	return o.cert, nil
}

// registers is what answers at the door for cash registers: REST under /v1, nexo under /nexo. Wrong tokens of both are counted together.
func (c *config) registers(rest, messages http.Handler, tries *till.Tries) http.Handler {
	return tries.Guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/nexo" || strings.HasPrefix(r.URL.Path, "/nexo/") {
			messages.ServeHTTP(w, r)
			return
		}
		rest.ServeHTTP(w, r)
	}))
}

// maxOfAddress bounds the connections that one address may have open at the ECR door, so that nobody on the network takes all of them.
const maxOfAddress = 32

// fair is a listener that gives each remote address so many connections; what is more is closed at once. This machine's own have no bound
// of their own.
type fair struct {
	net.Listener

	most int

	mu   sync.Mutex // guards what follows
	open map[netip.Addr]int
}

func newFair(ln net.Listener, most int) *fair {
	return &fair{Listener: ln, most: most, open: map[netip.Addr]int{}}
}

// Accept waits for a connection of an address that has not too many.
func (f *fair) Accept() (net.Conn, error) {
	for {
		c, err := f.Listener.Accept()
		if err != nil {
			return nil, err
		}
		at, err := netip.ParseAddrPort(c.RemoteAddr().String())
		addr := at.Addr().Unmap()
		if err != nil || addr.IsLoopback() {
			return c, nil
		}
		f.mu.Lock()
		room := f.open[addr] < f.most
		if room {
			f.open[addr]++
		}
		f.mu.Unlock()
		if room {
			return &counted{Conn: c, free: func() { f.leave(addr) }}, nil
		}
		_ = c.Close()
	}
}

func (f *fair) leave(addr netip.Addr) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.open[addr]--; f.open[addr] <= 0 {
		delete(f.open, addr)
	}
}
