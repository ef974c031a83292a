package link

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"time"
)

// Host is one address of an acquirer. All hosts of a session are one acquirer's: what one has posted, another can reverse.
type Host struct {
	Name string // for status and journal: its address
	Dial func(ctx context.Context) (net.Conn, error)
}

// Peer is the other end of a session's connection, or of its last one.
type Peer struct {
	Host            string    // its name; empty before the first connection
	CertificateEnds time.Time // of the certificate that it showed; zero without TLS
}

// hosts are a session's hosts, and which of them failed lately. The session's goroutine uses them under its mutex.
type hosts struct {
	all    []Host
	failed []time.Time // when it was last found not to answer; zero: it was not
	rest   time.Duration
}

func newHosts(cfg Config) hosts {
	all := cfg.Hosts
	if len(all) == 0 {
		all = []Host{{Dial: cfg.Dial}}
	}
	return hosts{all: all, failed: make([]time.Time, len(all)), rest: cfg.HostRest}
}

// order is in which the hosts are tried: as configured, but those that failed lately after all others.
func (h hosts) order(now time.Time) []int {
	var first, last []int
	for i, at := range h.failed {
		if !at.IsZero() && now.Sub(at) < h.rest {
			last = append(last, i)
		} else {
			first = append(first, i)
		}
	}
	return append(first, last...)
}

// dial connects to the first host that can be reached. Nothing is sent to any: which host gets a message is decided before it
// is handed over, and never changed for that message.
func (s *Session) dial(ctx context.Context) (net.Conn, int, error) {
	s.mu.Lock()
	order := s.hosts.order(time.Now())
	s.mu.Unlock()
	var errs []error
	for _, i := range order {
		h := s.hosts.all[i]
		conn, err := h.Dial(ctx)
		s.mu.Lock()
		s.hosts.failed[i] = time.Time{}
		if err != nil {
			s.hosts.failed[i] = time.Now()
		}
		s.mu.Unlock()
		if err == nil {
			return conn, i, nil
		}
		errs = append(errs, err)
		if ctx.Err() != nil {
			break
		}
		if len(order) > 1 {
			s.cfg.Log.Warn("host not reached", "host", h.Name, "err", err)
		}
	}
	if len(errs) == 1 {
		return nil, 0, fmt.Errorf("connect to the host: %w", errs[0])
	}
	return nil, 0, fmt.Errorf("connect to the host: none of %d answers: %w", len(order), several{errs})
}

// Hosts are the names of the hosts, in the order in which they are tried.
func (s *Session) Hosts() []string {
	var all []string
	for _, h := range s.hosts.all {
		all = append(all, h.Name)
	}
	return all
}

// ReadyAt is Ready for one host alone, by its place in Hosts: a test of its address, whichever host the session would take. A connection that
// there is ends first, so that what ReadyAt reaches has just been reached. The next Ready keeps the new one as long as it lives.
func (s *Session) ReadyAt(ctx context.Context, at int) error {
	if at < 0 || at >= len(s.hosts.all) {
		return fmt.Errorf("there is no host %d of %d", at, len(s.hosts.all))
	}
	if c := s.current(); c != nil {
		s.drop(c)
	}
	raw, err := s.hosts.all[at].Dial(ctx)
	s.mu.Lock()
	s.hosts.failed[at] = time.Time{}
	if err != nil {
		s.hosts.failed[at] = time.Now()
	}
	s.mu.Unlock()
	if err != nil {
		return fmt.Errorf("connect to the host: %w", err)
	}
	s.took(raw, at)
	return nil
}

// several is a number of errors on one line.
type several struct{ errs []error }

func (s several) Error() string {
	var text []string
	for _, err := range s.errs {
		text = append(text, err.Error())
	}
	return strings.Join(text, "; ")
}

// Unwrap gives them to errors.Is.
func (s several) Unwrap() []error { return s.errs }

// Peer is the other end of the connection, or of the last one. It may be called from any goroutine.
func (s *Session) Peer() Peer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.peer
}

// peerOf is what a fresh connection shows of its other end.
func peerOf(name string, c net.Conn) Peer {
	p := Peer{Host: name}
	if t, ok := c.(interface{ ConnectionState() tls.ConnectionState }); ok {
		for _, cert := range t.ConnectionState().PeerCertificates {
			if p.CertificateEnds.IsZero() || cert.NotAfter.Before(p.CertificateEnds) {
				p.CertificateEnds = cert.NotAfter
			}
		}
	}
	return p
}
