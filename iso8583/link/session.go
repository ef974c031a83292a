package link

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"tillway/iso8583"
)

// What Exchange's and Ready's errors wrap, beside the context's and the network's own.
var (
	ErrNotConnected = errors.New("no connection to the host")
	ErrClosed       = errors.New("connection closed")
	ErrNoAnswer     = errors.New("no answer within the time allowed")
	ErrBusy         = errors.New("an exchange is under way")
	ErrFrame        = errors.New("host sent a frame that cannot be one")
)

// Stray is something that arrived and is no answer to what is outstanding. It carries no card data.
type Stray struct {
	Time   time.Time
	MTI    string // empty when the bytes are no message
	STAN   string // DE 11
	Code   string // DE 39
	Reason string // one sentence: why it was not taken
}

// Config is what a Session needs. Codec and either Dial or Hosts must be given; a nil Quarantine or Log drops what it would get.
type Config struct {
	Dial          func(ctx context.Context) (net.Conn, error) // of the one host, where Hosts is empty
	Hosts         []Host                                      // in the order in which they are tried
	HostRest      time.Duration                               // a host that did not answer is tried after the others for this long; zero means 5 min
	Codec         *iso8583.Codec
	Framing       Framing       // zero: two binary bytes that count TPDU and message
	TPDU          TPDUAnswer    // of answers; empty: either
	WriteTimeout  time.Duration // for one frame; zero means 5 s
	AnswerTimeout time.Duration // from the last byte written to the answer; zero means 30 s
	Quarantine    func(Stray)   // called on the reading goroutine: it must not call the Session
	Log           *slog.Logger
}

// Session is the link to one acquirer, over one connection after another. Ready, ReadyAt and Exchange are for one goroutine, the
// acquirer's owner; Close may be called from any.
type Session struct {
	cfg Config

	mu    sync.Mutex // guards what follows; held over no I/O
	conn  *connection
	hosts hosts
	peer  Peer
}

// New makes a session without a connection; Ready makes one. A Config without hosts or Codec, or with an unknown framing, is a defect of the caller.
func New(cfg Config) *Session {
	if (cfg.Dial == nil) == (len(cfg.Hosts) == 0) || cfg.Codec == nil {
		panic("link: Config without Codec, or without one of Dial and Hosts")
	}
	if err := errors.Join(cfg.Framing.Check(), cfg.TPDU.Check()); err != nil {
		panic("link: " + err.Error())
	}
	if cfg.WriteTimeout <= 0 {
		cfg.WriteTimeout = 5 * time.Second
	}
	if cfg.AnswerTimeout <= 0 {
		cfg.AnswerTimeout = 30 * time.Second
	}
	if cfg.HostRest <= 0 {
		cfg.HostRest = 5 * time.Minute
	}
	if cfg.Quarantine == nil {
		cfg.Quarantine = func(Stray) {}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Session{cfg: cfg, hosts: newHosts(cfg)}
}

// Ready connects where there is no connection, or where the last one has ended; fresh says that it made a new one. Of several
// hosts it takes the first that can be reached, those last whose connection failed lately, or ended with a request unanswered.
func (s *Session) Ready(ctx context.Context) (fresh bool, err error) {
	if c := s.current(); c != nil {
		if !c.ended() {
			return false, nil
		}
		s.drop(c)
	}
	raw, at, err := s.dial(ctx)
	if err != nil {
		return false, err
	}
	s.took(raw, at)
	return true, nil
}

// took makes a fresh connection to one of the hosts the session's.
func (s *Session) took(raw net.Conn, at int) {
	c := newConnection(s.cfg, raw)
	c.at = at
	s.mu.Lock()
	s.conn, s.peer = c, peerOf(s.hosts.all[at].Name, raw)
	s.mu.Unlock()
	go c.read()
}

// Exchange sends one message (a frame without its length) and returns the answer that matches it. sent says whether any
// byte may have left: it is false only where nothing was handed to the connection. Errors: ErrNotConnected, ErrBusy and
// the codec's (nothing sent); ErrNoAnswer, ErrClosed, ErrFrame, the context's and the network's.
func (s *Session) Exchange(ctx context.Context, message []byte) (answer []byte, sent bool, err error) {
	c := s.current()
	if c == nil {
		return nil, false, ErrNotConnected
	}
	if err := ctx.Err(); err != nil {
		return nil, false, fmt.Errorf("before sending: %w", err)
	}
	request, err := s.cfg.Codec.Unpack(message)
	if err != nil {
		return nil, false, fmt.Errorf("message to send: %w", err)
	}
	frame, err := s.cfg.Framing.Append(nil, message)
	if err != nil {
		return nil, false, fmt.Errorf("message to send: %w", err)
	}
	waiting, err := c.expect(request)
	if err != nil {
		return nil, false, err
	}
	w := waiting[0]
	if err := c.write(ctx, frame); err != nil {
		c.giveUp(w, true)
		return nil, true, fmt.Errorf("send %s: %w", request.MTI(), err)
	}
	answer, err = c.await(ctx, w)
	if err != nil {
		return nil, true, fmt.Errorf("answer to %s: %w", request.MTI(), err)
	}
	return answer, true, nil
}

// Close closes the connection, if there is one, and waits until its goroutine has ended. Ready makes a new one.
func (s *Session) Close() error {
	if c := s.current(); c != nil {
		s.drop(c)
	}
	return nil
}

func (s *Session) current() *connection {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conn
}

// drop ends a connection and waits for its goroutine.
func (s *Session) drop(c *connection) {
	c.end(ErrClosed)
	<-c.done
	silent := c.silent()
	s.mu.Lock()
	defer s.mu.Unlock()
	if silent {
		s.hosts.failed[c.at] = time.Now()
	}
	if s.conn == c {
		s.conn = nil
	}
}
