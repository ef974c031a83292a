package link

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"tillway/iso8583"
)

// Bounds of a connection's patience.
const (
	maxUnanswered = 2  // requests in a row without an answer
	maxStrays     = 64 // frames in a row that are no answer
)

// connection is one connection of a session.
type connection struct {
	cfg  Config
	net  net.Conn
	at   int           // which of the session's hosts
	done chan struct{} // closed when the reading goroutine has ended

	mu         sync.Mutex // guards what follows; held over no I/O
	waiting    []*waiter  // the outstanding requests, in the order of sending
	last       *iso8583.Message
	err        error // why it ended; nil while it lives
	unanswered int
	strays     int
}

// waiter is one outstanding request. result gets one value.
type waiter struct {
	request *iso8583.Message
	result  chan result
}

type result struct {
	frame []byte
	err   error
}

func newConnection(cfg Config, c net.Conn) *connection {
	return &connection{cfg: cfg, net: c, done: make(chan struct{})}
}

// expect puts requests on the books before the first byte leaves. Each has to have answers of its own.
func (c *connection) expect(requests ...*iso8583.Message) ([]*waiter, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.err != nil:
		return nil, fmt.Errorf("%w: %w", ErrNotConnected, c.err)
	case len(c.waiting) > 0:
		return nil, ErrBusy
	}
	numbers := map[string]bool{}
	var waiting []*waiter
	for _, r := range requests {
		number, _ := r.Get(stan)
		if numbers[number] {
			return nil, fmt.Errorf("%w: two messages with the same DE 11", ErrBusy)
		}
		numbers[number] = true
		waiting = append(waiting, &waiter{request: r, result: make(chan result, 1)})
	}
	c.waiting = waiting
	return slices.Clone(waiting), nil
}

// write sends one frame, length included, with one Write, within WriteTimeout and the context.
func (c *connection) write(ctx context.Context, frame []byte) error {
	if err := c.net.SetWriteDeadline(time.Now().Add(c.cfg.WriteTimeout)); err != nil {
		return err
	}
	cut := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(cut)
		_ = c.net.SetWriteDeadline(time.Unix(1, 0)) // a connection that is closed needs no deadline
	})
	_, err := c.net.Write(frame)
	if !stop() {
		<-cut // or it would cut off the next frame
	}
	if err != nil {
		return errors.Join(ctx.Err(), c.cause(err))
	}
	return nil
}

// cause is why the connection ended, if it has, else err.
func (c *connection) cause(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	return err
}

// await waits for the answer, AnswerTimeout and the context.
func (c *connection) await(ctx context.Context, w *waiter) ([]byte, error) {
	timer := time.NewTimer(c.cfg.AnswerTimeout)
	defer timer.Stop()
	var why error
	select {
	case r := <-w.result:
		return r.frame, r.err
	case <-timer.C:
		why = ErrNoAnswer
	case <-ctx.Done():
		why = ctx.Err()
	}
	c.giveUp(w, false)
	select {
	case r := <-w.result: // it came in between
		return r.frame, r.err
	default:
		return nil, why
	}
}

// giveUp takes a request off the books. The connection ends with it when it cannot be trusted any more.
func (c *connection) giveUp(w *waiter, broken bool) {
	c.mu.Lock()
	if at := slices.Index(c.waiting, w); at >= 0 {
		c.waiting = slices.Delete(c.waiting, at, at+1)
		c.unanswered++
		broken = broken || c.unanswered >= maxUnanswered
	}
	c.mu.Unlock()
	if broken {
		c.end(ErrClosed)
	}
}

// end closes the connection and tells who waits. The first reason stays.
func (c *connection) end(why error) {
	c.mu.Lock()
	if c.err == nil {
		c.err = why
	}
	for _, w := range c.waiting {
		w.result <- result{err: c.err}
	}
	c.waiting = nil
	c.mu.Unlock()
	_ = c.net.Close() // closing twice is harmless
}

// silent says that the last request on it had no answer, or that none ever had one: its host is not the first to try again.
func (c *connection) silent() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last == nil || c.unanswered > 0
}

func (c *connection) ended() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err != nil
}

// read is the reading goroutine: frame after frame until the connection ends.
func (c *connection) read() {
	defer close(c.done)
	for {
		frame, err := c.frame()
		if err != nil {
			c.cfg.Log.Info("host connection ended", "reason", err)
			c.end(err)
			return
		}
		c.deliver(frame)
	}
}

// frame reads a frame's length, however long its first byte takes to come, and the rest within AnswerTimeout.
func (c *connection) frame() ([]byte, error) {
	head := make([]byte, c.cfg.Framing.Bytes())
	if err := c.net.SetReadDeadline(time.Time{}); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrClosed, err)
	}
	switch _, err := io.ReadFull(c.net, head[:1]); {
	case errors.Is(err, io.EOF):
		return nil, fmt.Errorf("%w by the host", ErrClosed)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrClosed, err)
	}
	if err := c.net.SetReadDeadline(time.Now().Add(c.cfg.AnswerTimeout)); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrClosed, err)
	}
	if n, err := io.ReadFull(c.net, head[1:]); err != nil {
		return nil, fmt.Errorf("%w: %d of %d length bytes: %w", ErrClosed, 1+n, len(head), err)
	}
	length, err := c.cfg.Framing.Size(head)
	if err != nil {
		return nil, err
	}
	frame := make([]byte, length)
	if n, err := io.ReadFull(c.net, frame); err != nil {
		return nil, fmt.Errorf("%w: %d of %d bytes of a frame: %w", ErrClosed, n, length, err)
	}
	return frame, nil
}

// deliver gives a frame to the request that it answers, or to quarantine.
func (c *connection) deliver(frame []byte) {
	answer, err := c.cfg.Codec.Unpack(frame)
	if err != nil {
		c.stray(Stray{Reason: fmt.Sprintf("a frame of %d bytes is no message: %v", len(frame), err)})
		return
	}
	c.mu.Lock()
	at, reason := c.asked(answer)
	if reason == "" {
		w := c.waiting[at]
		c.waiting = slices.Delete(c.waiting, at, at+1)
		c.last, c.unanswered, c.strays = bare(w.request), 0, 0
		w.result <- result{frame: frame}
	}
	c.mu.Unlock()
	if reason != "" {
		s := Stray{MTI: answer.MTI(), Reason: reason}
		s.STAN, _ = answer.Get(stan)
		if code, _ := answer.Get(responseCode); printable(code) {
			s.Code = code
		}
		c.stray(s)
	}
}

// asked finds the outstanding request that an answer matches, or says why it matches none. The caller holds mu.
func (c *connection) asked(answer *iso8583.Message) (at int, reason string) {
	for i, w := range c.waiting {
		why := mismatch(w.request, answer)
		if why == "" {
			why = c.cfg.TPDU.mismatch(w.request.TPDU, answer.TPDU)
		}
		if why == "" {
			return i, ""
		}
		if reason == "" {
			reason = why
		}
	}
	switch {
	case reason != "":
	case c.last != nil && mismatch(c.last, answer) == "":
		reason = "a second answer to a request that is answered already"
	default:
		reason = "an answer while no request is outstanding: late, or not ours"
	}
	return -1, reason
}

func (c *connection) stray(s Stray) {
	s.Time = time.Now()
	c.cfg.Log.Warn("answer not taken", "mti", s.MTI, "stan", s.STAN, "reason", s.Reason)
	c.cfg.Quarantine(s)
	c.mu.Lock()
	c.strays++
	tooMany := c.strays >= maxStrays
	c.mu.Unlock()
	if tooMany {
		c.end(fmt.Errorf("%w: %d frames in a row answer nothing", ErrFrame, maxStrays))
	}
}

func printable(s string) bool {
	for _, r := range s {
		if r < ' ' || r > '~' {
			return false
		}
	}
	return true
}
