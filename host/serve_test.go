package host_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// dial gives a connection to the host inside a bubble, and ends the host's side before the test does.
func (r *rig) dial() net.Conn {
	r.t.Helper()
	here, there := net.Pipe()
	ctx, cancel := context.WithCancel(r.t.Context())
	var serving sync.WaitGroup
	serving.Go(func() { r.h.ServeConn(ctx, there) })
	r.t.Cleanup(func() { cancel(); serving.Wait(); _ = here.Close() })
	return here
}

func (r *rig) write(c net.Conn, b []byte) {
	r.t.Helper()
	if _, err := c.Write(b); err != nil {
		r.t.Fatal(err)
	}
}

// next reads one answer: STAN and code.
func (r *rig) next(c net.Conn) (stan, code string) {
	r.t.Helper()
	b, err := readFrame(c)
	if err != nil {
		r.t.Fatal(err)
	}
	a, err := r.codec.Unpack(b)
	if err != nil {
		r.t.Fatal(err)
	}
	return get(r.t, a, 11), get(r.t, a, 39)
}

// TestFrames: a frame may come byte by byte, and several in one segment, their answers in order.
func TestFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		c := r.dial()
		m, _ := r.sale(credit, 1, 10_525)
		for _, b := range frame(r.pack(m)) {
			r.write(c, []byte{b})
			time.Sleep(time.Millisecond)
		}
		if stan, code := r.next(c); stan != "000001" || code != "00" {
			t.Errorf("byte by byte: %s %s", stan, code)
		}
		second, _ := r.sale(credit, 2, 10_051)
		third, _ := r.sale(debit, 3, 10_525)
		segment := append(frame(r.pack(second)), frame([]byte("garbage"))...)
		r.write(c, append(segment, frame(r.pack(third))...))
		if stan, code := r.next(c); stan != "000002" || code != "51" {
			t.Errorf("first of the segment: %s %s", stan, code)
		}
		if stan, code := r.next(c); stan != "000003" || code != "00" {
			t.Errorf("second of the segment: %s %s", stan, code)
		}
		if list := r.h.Connections(); len(list) != 1 || list[0].Frames != 4 {
			t.Errorf("connections %+v", list)
		}
		_ = c.Close()
		synctest.Wait()
		if list := r.h.Connections(); len(list) != 0 {
			t.Errorf("still open: %+v", list)
		}
	})
}

// TestLateAnswer: while an answer waits for its time, the reversal and the next request are answered; then it comes.
func TestLateAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		c := r.dial()
		start := time.Now()
		m, _ := r.sale(credit, 1, 10_102)
		r.write(c, frame(r.pack(m)))
		time.Sleep(time.Second)
		r.write(c, frame(r.pack(reversal(m, credit))))
		if stan, code := r.next(c); stan != "000001" || code != "00" {
			t.Errorf("reversal: %s %s", stan, code)
		}
		next, _ := r.sale(credit, 2, 10_525)
		r.write(c, frame(r.pack(next)))
		if stan, code := r.next(c); stan != "000002" || code != "00" {
			t.Errorf("next request: %s %s", stan, code)
		}
		if stan, code := r.next(c); stan != "000001" || code != "00" || time.Since(start) != late {
			t.Errorf("late answer: %s %s after %v", stan, code, time.Since(start))
		}
		if r.books() != 1 {
			t.Error("the reversed sale stands")
		}
	})
}

// TestCutOff: the reset leaves half an answer behind.
func TestCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		c := r.dial()
		m, _ := r.sale(credit, 1, 10_103)
		r.write(c, frame(r.pack(m)))
		b, err := io.ReadAll(c)
		if err != nil || len(b) < 3 || len(b) >= int(b[0])<<8+int(b[1])+2 {
			t.Errorf("%d bytes (%v), want a part of a frame", len(b), err)
		}
		if r.books() != 1 {
			t.Error("not posted")
		}
	})
}

// TestConnectionEnded: lengths that no message has, frames that never end and peers that never speak lose the connection.
func TestConnectionEnded(t *testing.T) {
	for name, c := range map[string]struct {
		send  []byte
		after time.Duration
	}{
		"length zero":     {[]byte{0, 0}, 0},
		"length too long": {[]byte{0x10, 0x01}, 0},
		"frame cut":       {[]byte{0x00, 0x50, 0x60}, 10 * time.Second},
		"half a length":   {[]byte{0x00}, 10 * time.Second},
		"silence":         {nil, 30 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				conn := r.dial()
				start := time.Now()
				if c.send != nil {
					r.write(conn, c.send)
				}
				if b, err := io.ReadAll(conn); len(b) != 0 || err != nil || time.Since(start) != c.after {
					t.Errorf("%d bytes (%v) after %v, want the end after %v", len(b), err, time.Since(start), c.after)
				}
			})
		})
	}
}

// TestPeerDoesNotRead: a peer that takes no answers loses the connection; the host goes on.
func TestPeerDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		c := r.dial()
		m, _ := r.sale(credit, 1, 10_525)
		r.write(c, frame(r.pack(m)))
		time.Sleep(11 * time.Second)
		if _, err := c.Write(frame(r.pack(m))); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("write: %v, want a closed pipe", err)
		}
		again := r.dial()
		r.write(again, frame(r.pack(m)))
		if stan, code := r.next(again); stan != "000001" || code != "00" || r.books() != 1 {
			t.Errorf("on a new connection: %s %s", stan, code)
		}
	})
}

// TestTooManyConnections: the 65th is turned away, the others live.
func TestTooManyConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		first := r.dial()
		for range 63 {
			r.dial()
		}
		synctest.Wait()
		if b, err := io.ReadAll(r.dial()); len(b) != 0 || err != nil {
			t.Errorf("the 65th: %d bytes, %v", len(b), err)
		}
		m, _ := r.sale(credit, 1, 10_525)
		r.write(first, frame(r.pack(m)))
		if _, code := r.next(first); code != "00" {
			t.Errorf("the first: %s", code)
		}
	})
}

// TestServe: over TCP, two connections at a time, a reset that the peer sees as one, and an end that waits for all.
func TestServe(t *testing.T) {
	r := newRig(t)
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.h.Serve(ctx, l) }()
	dial := func() net.Conn {
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		return c
	}
	one, two := dial(), dial()
	m1, _ := r.sale(credit, 1, 10_525)
	m2, _ := r.sale(debit, 2, 10_103)
	r.write(one, frame(r.pack(m1)))
	if stan, code := r.next(one); stan != "000001" || code != "00" {
		t.Errorf("first connection: %s %s", stan, code)
	}
	r.write(two, frame(r.pack(m2)))
	if b, err := io.ReadAll(two); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("second connection: %d bytes, %v, want a reset", len(b), err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("ended with %v", err)
	}
	if b, err := io.ReadAll(one); len(b) != 0 || err != nil {
		t.Errorf("first connection at the end: %d bytes, %v", len(b), err)
	}
	if len(r.h.Connections()) != 0 || r.books() != 2 {
		t.Error("connections left or postings lost")
	}
	_ = l.Close()
	if err := r.h.Serve(t.Context(), l); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a closed listener: %v", err)
	}
}

// TestAnswerAtOnce: many connections at a time, the same request on all: posted once, the same answer for all.
func TestAnswerAtOnce(t *testing.T) {
	r := newRig(t)
	m, _ := r.sale(credit, 1, 10_525)
	request := r.pack(m)
	answers := make([][]byte, 16)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() {
			if p := r.h.Answer(request); len(p) == 1 {
				answers[i] = p[0].Frame
			}
		})
	}
	all.Wait()
	for _, a := range answers {
		if !bytes.Equal(a, answers[0]) || len(a) == 0 {
			t.Error("answers differ")
		}
	}
	if r.books() != 1 {
		t.Error("posted more than once")
	}
}
