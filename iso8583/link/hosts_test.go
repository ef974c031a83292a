package link_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tillway/iso8583"
	"tillway/iso8583/dialect/nac"
	"tillway/iso8583/link"
)

// pair is a session with a first and a second host.
type pair struct {
	t      *testing.T
	s      *link.Session
	rig    *rig
	down   [2]error
	dialed []string
	ends   chan *end
}

func inPair(t *testing.T, test func(t *testing.T, p *pair)) {
	t.Helper()
	codec, err := iso8583.Compile(nac.Table(nac.Settings{}))
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		p := &pair{t: t, ends: make(chan *end, 8)}
		var all []link.Host
		for i, name := range []string{"first:8583", "second:8583"} {
			all = append(all, link.Host{Name: name, Dial: func(context.Context) (net.Conn, error) {
				p.dialed = append(p.dialed, name)
				if p.down[i] != nil {
					return nil, p.down[i]
				}
				near, far := net.Pipe()
				p.ends <- &end{Conn: far}
				return near, nil
			}})
		}
		p.s = link.New(link.Config{Hosts: all, Codec: codec, AnswerTimeout: answerTimeout})
		p.rig = &rig{t: t, s: p.s, codec: codec, hosts: p.ends}
		test(t, p)
		if err := p.s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// connect connects, and gives the host's end; it wants these addresses tried, and the last of them reached.
func (p *pair) connect(tried ...string) *end {
	p.t.Helper()
	p.dialed = nil
	h := p.rig.connect()
	if !slices.Equal(p.dialed, tried) || p.s.Peer().Host != tried[len(tried)-1] {
		p.t.Errorf("tried %v and reached %s, want %v", p.dialed, p.s.Peer().Host, tried)
	}
	return h
}

// answered is a sale that a host answers.
func (p *pair) answered(h *end) {
	p.t.Helper()
	done := p.rig.exchange(p.t.Context(), p.rig.sale())
	h.receive(p.t)
	h.send(p.t, framed(p.rig.approval(nil)))
	p.rig.want(<-done, p.rig.approval(nil))
}

const first, second = "first:8583", "second:8583"

// A host that cannot be reached is stepped over, and asked last for a while; then the first is the first again.
func TestFailover(t *testing.T) {
	inPair(t, func(t *testing.T, p *pair) {
		h := p.connect(first)
		p.answered(h)
		_ = p.s.Close()
		h = p.connect(first) // an end after an answer is no failure
		p.answered(h)
		_ = p.s.Close()
		p.down[0] = errors.New("connection refused")
		h = p.connect(first, second)
		p.answered(h)
		_ = p.s.Close()
		p.down[0] = nil
		time.Sleep(time.Minute)
		h = p.connect(second)
		p.answered(h)
		_ = p.s.Close()
		time.Sleep(5 * time.Minute)
		p.connect(first)
	})
}

// A request that may have left is no other host's: it ends without an answer, and the next connection is to the next host, on
// which nothing is sent by itself.
func TestNoRequestGoesToTwoHosts(t *testing.T) {
	inPair(t, func(t *testing.T, p *pair) {
		h := p.connect(first)
		done := p.rig.exchange(t.Context(), p.rig.sale())
		h.receive(t)
		_ = h.Close() // taken, and gone without an answer
		p.rig.wantError(<-done, true, link.ErrClosed)
		h = p.connect(second)
		if err := h.SetReadDeadline(time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if n, err := h.Read(make([]byte, 1)); n != 0 || err == nil {
			t.Errorf("the second host was sent %d bytes, %v", n, err)
		}
	})
}

// When no host answers the error has them all on one line, and nothing was sent.
func TestNoHostAnswers(t *testing.T) {
	inPair(t, func(t *testing.T, p *pair) {
		refused := errors.New("first refuses")
		p.down = [2]error{refused, errors.New("second refuses")}
		_, err := p.s.Ready(t.Context())
		if !errors.Is(err, refused) || !strings.Contains(err.Error(), "second refuses") || strings.Contains(err.Error(), "\n") {
			t.Errorf("error %v", err)
		}
		if _, sent, err := p.s.Exchange(t.Context(), p.rig.sale()); sent || !errors.Is(err, link.ErrNotConnected) {
			t.Errorf("sent %v, %v", sent, err)
		}
	})
}

// An answer that comes over the next connection, to another host even, is as late as one over its own: while the reversal with its
// trace number is outstanding, and while nothing is.
func TestLateAnswerOverTheNextConnection(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		h := r.connect()
		done := r.exchange(t.Context(), r.sale())
		h.receive(t)
		_ = h.Close()
		r.wantError(<-done, true, link.ErrClosed)
		h = r.connect()
		h.send(t, framed(r.approval(nil)))
		r.stray("0210", "no request is outstanding")
		reversal := r.pack("0400", with(nil))
		done = r.exchange(t.Context(), reversal)
		h.receive(t)
		h.send(t, framed(r.approval(nil)))
		r.stray("0210", "does not answer 0400")
		taken := with(map[int]string{39: "00"})
		h.send(t, framed(r.pack("0410", taken)))
		r.want(<-done, r.pack("0410", taken))
	})
}

// TestReadyAt: one address is reached whatever the order is, on a connection made for that; what cannot be reached is remembered as that.
func TestReadyAt(t *testing.T) {
	inPair(t, func(t *testing.T, p *pair) {
		if got := p.s.Hosts(); !slices.Equal(got, []string{first, second}) {
			t.Errorf("%v", got)
		}
		p.answered(p.connect(first))
		p.dialed = nil
		if err := p.s.ReadyAt(t.Context(), 1); err != nil || p.s.Peer().Host != second || !slices.Equal(p.dialed, []string{second}) {
			t.Fatalf("%v, %v, %v", err, p.s.Peer(), p.dialed)
		}
		p.answered(<-p.ends)
		if fresh, err := p.s.Ready(t.Context()); fresh || err != nil {
			t.Errorf("it is connected: %v, %v", fresh, err)
		}
		p.down[0] = errors.New("cable")
		if err := p.s.ReadyAt(t.Context(), 0); !errors.Is(err, p.down[0]) {
			t.Errorf("%v", err)
		}
		if _, _, err := p.s.Exchange(t.Context(), p.rig.sale()); !errors.Is(err, link.ErrNotConnected) {
			t.Errorf("without a connection: %v", err)
		}
		p.down[0] = nil
		p.connect(second) // the first rests
		for _, at := range []int{-1, 2} {
			if err := p.s.ReadyAt(t.Context(), at); err == nil {
				t.Errorf("host %d was reached", at)
			}
		}
	})
}
