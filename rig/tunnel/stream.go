package tunnel

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// Stream is one of a session's streams. Read and Write may be called at once; it is a net.Conn, with deadlines for reading
// alone.
type Stream struct {
	session *Session
	id      uint32

	mu     sync.Mutex
	kept   []byte
	err    error // what Read gives when nothing is kept any more
	wake   chan struct{}
	due    time.Time
	closed bool
}

func newStream(s *Session, id uint32) *Stream {
	return &Stream{session: s, id: id, wake: make(chan struct{})}
}

var errTooMuch = errors.New("tunnel: too much that nobody reads")

// push keeps bytes for Read.
func (st *Stream) push(data []byte) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.err != nil {
		return
	}
	if len(st.kept)+len(data) > maxKept {
		st.err = errTooMuch
	} else {
		st.kept = append(st.kept, data...)
	}
	st.signal()
}

func (st *Stream) end(why error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.err == nil {
		st.err = why
	}
	st.signal()
}

// signal wakes who reads; the lock is held.
func (st *Stream) signal() {
	close(st.wake)
	st.wake = make(chan struct{})
}

// Read gives bytes in their order, then io.EOF when the other side closed the stream, or net.ErrClosed when we did.
func (st *Stream) Read(b []byte) (int, error) {
	for {
		n, wake, due, err := st.take(b)
		if n > 0 || err != nil || len(b) == 0 {
			return n, err
		}
		if due.IsZero() {
			<-wake
			continue
		}
		timer := time.NewTimer(time.Until(due))
		select {
		case <-wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

func (st *Stream) take(b []byte) (n int, wake chan struct{}, due time.Time, err error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	switch {
	case st.closed:
		return 0, nil, due, net.ErrClosed
	case len(st.kept) > 0:
		n = copy(b, st.kept)
		st.kept = st.kept[n:]
		return n, nil, due, nil
	case st.err != nil:
		return 0, nil, due, st.err
	case !st.due.IsZero() && !time.Now().Before(st.due):
		return 0, nil, due, os.ErrDeadlineExceeded
	}
	return 0, st.wake, st.due, nil
}

// Write sends bytes. Errors: net.ErrClosed after Close, io.ErrClosedPipe when the other side has closed the stream, ErrClosed.
func (st *Stream) Write(b []byte) (n int, err error) {
	for n < len(b) {
		st.mu.Lock()
		closed, ended := st.closed, st.err
		st.mu.Unlock()
		switch {
		case closed:
			return n, net.ErrClosed
		case errors.Is(ended, io.EOF):
			return n, io.ErrClosedPipe
		case ended != nil:
			return n, ended
		}
		part := b[n:min(len(b), n+maxFrame)]
		if err := st.session.send(st.id, kindData, part); err != nil {
			return n, err
		}
		n += len(part)
	}
	return n, nil
}

// Close ends the stream at both sides. What the other side has not read yet it still reads. A second call does nothing.
func (st *Stream) Close() error {
	st.mu.Lock()
	was, ended := st.closed, st.err
	st.closed = true
	st.signal()
	st.mu.Unlock()
	if was {
		return nil
	}
	st.session.mu.Lock()
	delete(st.session.streams, st.id)
	st.session.mu.Unlock()
	if ended != nil && !errors.Is(ended, errTooMuch) {
		return nil // the other side knows
	}
	return st.session.send(st.id, kindClose, nil)
}

type address struct{}

func (address) Network() string { return "tunnel" }
func (address) String() string  { return "tunnel" }

// LocalAddr has no meaning here.
func (*Stream) LocalAddr() net.Addr { return address{} }

// RemoteAddr has no meaning here.
func (*Stream) RemoteAddr() net.Addr { return address{} }

// SetDeadline is SetReadDeadline: a write waits for the channel alone.
func (st *Stream) SetDeadline(t time.Time) error { return st.SetReadDeadline(t) }

// SetReadDeadline ends a Read that waits at that time with os.ErrDeadlineExceeded. The zero time is none.
func (st *Stream) SetReadDeadline(t time.Time) error {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.due = t
	st.signal()
	return nil
}

// SetWriteDeadline does nothing.
func (*Stream) SetWriteDeadline(time.Time) error { return nil }
