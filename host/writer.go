package host

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"time"

	"tillway/iso8583/link"
)

// Why a writer ends by itself.
var (
	errReset   = errors.New("reset on purpose")
	errPending = errors.New("too many answers wait for their time")
)

// writer owns the writing side of one connection: answers at once, and late ones at their time, while frames go on being
// read and answered in between.
type writer struct {
	conn    net.Conn
	log     *slog.Logger
	framing link.Framing
	gone    chan struct{} // closed when it has ended
	pending []scheduled   // by time
}

type scheduled struct {
	due   time.Time
	reply Reply
}

// run writes until replies is closed or writing fails; then it closes the connection. Answers whose time has not come are
// then never sent.
func (w *writer) run(replies <-chan Reply) {
	defer close(w.gone)
	defer w.conn.Close()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		if len(w.pending) > 0 {
			timer.Reset(time.Until(w.pending[0].due))
		} else {
			timer.Reset(time.Hour)
		}
		var err error
		select {
		case r, ok := <-replies:
			if !ok {
				if n := len(w.pending); n > 0 {
					w.log.Warn("late answers never sent: the connection is closed", slog.Int("answers", n))
				}
				return
			}
			err = w.take(r)
		case <-timer.C:
			err = w.flush()
		}
		if err != nil {
			w.log.Info("writing ended", slog.Any("reason", err))
			return
		}
	}
}

// take writes a reply at once or puts it where its time is.
func (w *writer) take(r Reply) error {
	if r.Delay <= 0 {
		return w.write(r)
	}
	if len(w.pending) >= maxPending {
		return fmt.Errorf("%d late answers wait already: %w", maxPending, errPending)
	}
	due := time.Now().Add(r.Delay)
	at, _ := slices.BinarySearchFunc(w.pending, due, func(s scheduled, t time.Time) int { return s.due.Compare(t) })
	w.pending = slices.Insert(w.pending, at, scheduled{due, r})
	return nil
}

// flush writes what is due.
func (w *writer) flush() error {
	for len(w.pending) > 0 && time.Until(w.pending[0].due) <= 0 {
		r := w.pending[0].reply
		w.pending = w.pending[1:]
		if err := w.write(r); err != nil {
			return err
		}
	}
	return nil
}

// write sends prefix and message in one write, or the part of it that the reply asks for.
func (w *writer) write(r Reply) error {
	b, err := w.framing.Append(nil, r.Frame)
	if err != nil {
		return fmt.Errorf("frame: %w", err)
	}
	if r.Cut > 0 {
		b = b[:min(r.Cut, len(b))]
	}
	if err := w.conn.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return fmt.Errorf("deadline: %w", err)
	}
	if _, err := w.conn.Write(b); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	if r.Reset {
		return w.reset()
	}
	return nil
}

// reset breaks the connection so that the peer sees a reset and not an orderly end: TCP without lingering.
func (w *writer) reset() error {
	conn := w.conn
	if t, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = t.NetConn()
	}
	if t, ok := conn.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	_ = conn.Close()
	return errReset
}
