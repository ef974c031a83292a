package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"tillway/host"
	"tillway/iso8583/link"
	"tillway/terminal/lane"
)

// simConn is the terminal's end of the wire behind the power switch.
type simConn struct {
	net.Conn
	w       *world
	segment *bufio.Reader
}

func (c simConn) Write(b []byte) (int, error) {
	if err := c.w.cut.step("before a write", frameName(b)); err != nil {
		return 0, err
	}
	if len(b) > 2 {
		c.w.pass(c.w.now(), '>', b[2:])
	}
	n, err := c.Conn.Write(b)
	if err != nil {
		return n, err
	}
	return n, c.w.cut.step("after a write", frameName(b))
}

// frameName is a frame's message type: behind two bytes of length and five of TPDU.
func frameName(b []byte) string { return hex.EncodeToString(b[min(7, len(b)):min(9, len(b))]) }

// Read hands on what a segment brought. The power goes, if it does, once for a segment: what the network delivered in one
// instant was delivered.
func (c simConn) Read(b []byte) (int, error) {
	if c.segment.Buffered() == 0 {
		if _, err := c.segment.Peek(1); err != nil {
			return 0, err
		}
		got, _ := c.segment.Peek(c.segment.Buffered())
		if err := c.w.cut.step("after a read", frameName(got)); err != nil {
			return 0, err
		}
	}
	return c.segment.Read(b)
}

// orderlyLink gives whoever waited for an answer a moment of its own: what came in the same segment behind it has been read by then.
type orderlyLink struct{ lane.Link }

func (l orderlyLink) Exchange(ctx context.Context, message []byte) (answer []byte, sent bool, err error) {
	answer, sent, err = l.Link.Exchange(ctx, message)
	time.Sleep(ns(actorOwner, 0))
	return answer, sent, err
}

func (l orderlyLink) Pipeline(ctx context.Context, messages [][]byte) (answers [][]byte, sent int, err error) {
	answers, sent, err = l.Link.Pipeline(ctx, messages)
	time.Sleep(ns(actorOwner, 0))
	return answers, sent, err
}

// sites are the acquirer's two hosts: two ways to one bank.
func (w *world) sites() []link.Host {
	all := make([]link.Host, len(w.down))
	for i := range all {
		all[i] = link.Host{Name: fmt.Sprintf("site-%d", i+1), Dial: func(ctx context.Context) (net.Conn, error) { return w.dial(ctx, i) }}
	}
	return all
}

func (w *world) dial(ctx context.Context, site int) (net.Conn, error) {
	name := fmt.Sprintf("site %d", site+1)
	time.Sleep(ns(actorDial, 0)) // whoever has just seen a sale's end acts before
	if err := w.cut.step("at a dial", name); err != nil {
		return nil, err
	}
	if w.mishap(w.dialer, 12, "host down for a while") {
		w.out(site, w.dialer)
	}
	if w.isOut(site) || w.mishap(w.dialer, 8, "connection refused") {
		if err := pause(ctx, actorNetwork, 100*time.Millisecond); err != nil {
			return nil, err
		}
		return nil, errors.New("connection refused")
	}
	if site > 0 {
		w.fault("other host takes over")
	}
	near, far := net.Pipe()
	w.conns++
	n := &network{w: w, conn: far, site: site, rand: w.rand(uint64(1000 + w.conns))}
	w.hosts.Go(func() {
		n.serve()
		_ = far.Close()
	})
	return simConn{near, w, bufio.NewReader(near)}, nil
}

// out takes a site down: its connections end at their next message, and it takes no new ones.
func (w *world) out(site int, r *rand.Rand) {
	w.down[site].Store(int64(w.now() + time.Duration(5+r.IntN(90))*time.Second))
}

func (w *world) isOut(site int) bool {
	return int64(w.now()) < w.down[site].Load() && !w.calm.Load()
}

// held is an answer that the network has and delivers behind the next one, over whatever connection that takes.
type held struct {
	mu    sync.Mutex // guards frame
	frame []byte
}

func (h *held) swap(frame []byte) (before []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	before, h.frame = h.frame, frame
	return before
}

// network is what lies between a terminal and the hosts, for one connection.
type network struct {
	w    *world
	conn net.Conn
	site int
	rand *rand.Rand
}

// serve is the network and the host behind it. What was written is on its way, whatever becomes of the connection: it is taken
// off the wire at once and waits its turn.
func (n *network) serve() {
	frames := make(chan []byte, 64)
	n.w.hosts.Go(func() {
		defer close(frames)
		head := make([]byte, 2)
		for {
			if _, err := io.ReadFull(n.conn, head); err != nil {
				return
			}
			frame := make([]byte, binary.BigEndian.Uint16(head))
			if _, err := io.ReadFull(n.conn, frame); err != nil {
				return
			}
			frames <- frame
		}
	})
	w, r := n.w, n.rand
	for frame := range frames {
		time.Sleep(ns(actorHost, time.Duration(20+r.IntN(400))*time.Millisecond))
		if w.mishap(r, 40, "host deaf for a while") {
			w.deaf.Store(int64(w.now() + time.Duration(8+r.IntN(30))*time.Second))
		}
		if int64(w.now()) < w.deaf.Load() && !w.calm.Load() {
			continue
		}
		if w.mishap(r, 60, "host lost in mid-connection") {
			w.out(n.site, r)
		}
		if w.isOut(n.site) || !n.request(frame) {
			return
		}
	}
}

// request brings one frame to the host, as well as the network does today. It says whether the connection goes on.
func (n *network) request(frame []byte) bool {
	w, r := n.w, n.rand
	switch {
	case w.mishap(r, 20, "request lost"):
		return true
	case w.mishap(r, 40, "connection lost before the host"):
		return false
	case w.mishap(r, 60, "request truncated"):
		return n.toHost(frame[:r.IntN(len(frame))], true)
	case w.mishap(r, 60, "request overtaken"): // by whatever the terminal sends next, over this connection or another
		wait := time.Duration(6+r.IntN(30)) * time.Second
		w.hosts.Go(func() {
			time.Sleep(ns(actorLate, wait))
			w.pass(w.now(), 'h', frame)
			for _, reply := range w.host.Answer(frame) {
				w.pass(w.now(), 'a', reply.Frame) // to nobody: its connection is no more
			}
		})
		return true
	case w.mishap(r, 50, "request twice"):
		if !n.toHost(frame, false) {
			return false
		}
		time.Sleep(ns(actorHost, 7*time.Millisecond))
	}
	return n.toHost(frame, false)
}

// toHost hands the host a frame, or what is left of one.
func (n *network) toHost(frame []byte, part bool) bool {
	w := n.w
	if part {
		for _, reply := range w.host.Answer(frame) {
			w.fail(fmt.Errorf("the host answered %x to %x, which is no whole message", reply.Frame, frame))
		}
		return true
	}
	if answer := w.refuse(n.rand, frame); answer != nil {
		return n.answer(host.Reply{Frame: answer})
	}
	w.pass(w.now(), 'h', frame)
	replies := w.host.Answer(frame)
	if len(replies) == 0 {
		w.fault("host keeps silent")
	}
	for i, reply := range replies {
		if i > 0 {
			time.Sleep(ns(actorHost, 5*time.Millisecond))
		}
		w.pass(w.now(), 'a', reply.Frame)
		if !n.answer(reply) {
			return false
		}
	}
	return true
}

// answer carries one of the host's replies to the terminal, as well as the network does today.
func (n *network) answer(reply host.Reply) bool {
	w, r, c := n.w, n.rand, n.conn
	reply.Frame = w.tamper(r, reply.Frame)
	if reply.Delay > 0 {
		w.fault("host is late")
		time.Sleep(ns(actorHost, reply.Delay))
	}
	if w.mishap(r, 20, "answer lost") {
		return true
	}
	if w.mishap(r, 25, "answer late") {
		time.Sleep(ns(actorNetwork, simAnswer+time.Duration(r.IntN(900))*time.Millisecond))
	}
	if w.mishap(r, 30, "answer overtaken") {
		w.late.swap(reply.Frame)
		return true
	}
	b := framed(reply.Frame)
	if reply.Cut > 0 {
		b = b[:min(len(b), reply.Cut)]
	}
	if reply.Reset || w.mishap(r, 30, "reset in mid-answer") {
		if reply.Reset {
			w.fault("host resets")
		} else {
			b = b[:1+r.IntN(len(b)-1)]
		}
		_, _ = c.Write(b)
		return false
	}
	if w.mishap(r, 40, "answer truncated") {
		_, err := c.Write(framed(reply.Frame[:1+r.IntN(len(reply.Frame)-1)]))
		return err == nil
	}
	if w.mishap(r, 30, "answer twice in one segment") {
		return w.deliver(c, reply.Frame, append(bytes.Clone(b), b...), len(b))
	}
	if w.mishap(r, 30, "answer byte by byte") {
		return n.byByte(reply.Frame, b)
	}
	return n.whole(reply.Frame, b)
}

// framed is a message behind its length.
func framed(frame []byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(frame))), frame...) //nolint:gosec // a message is shorter than 64 KiB
}

func (n *network) byByte(frame, b []byte) bool {
	for i := range len(b) - 1 {
		if _, err := n.conn.Write(b[i : i+1]); err != nil {
			return false
		}
		time.Sleep(ns(actorNetwork, 100*time.Microsecond))
	}
	return n.w.deliver(n.conn, frame, b[len(b)-1:], 1)
}

// whole delivers an answer, and behind it one that was overtaken, or the same again.
func (n *network) whole(frame, b []byte) bool {
	w := n.w
	again := w.mishap(n.rand, 25, "answer again a moment later")
	if !w.deliver(n.conn, frame, b, len(b)) {
		return false
	}
	before := w.late.swap(nil)
	if before == nil && !again {
		return true
	}
	time.Sleep(ns(actorNetwork, time.Duration(10+n.rand.IntN(200))*time.Millisecond))
	if before != nil && !w.deliver(n.conn, before, framed(before), len(before)+2) {
		return false
	}
	if !again {
		return true
	}
	_, err := n.conn.Write(b)
	return err == nil
}

// deliver writes bytes of which the first whole complete a frame. The frame is noted before the terminal can act on it,
// and taken back when it did not arrive.
func (w *world) deliver(c net.Conn, frame, b []byte, whole int) bool {
	mark := w.pass(w.now(), '<', frame)
	n, err := c.Write(b)
	if err != nil && n < whole {
		w.mu.Lock()
		w.wire[mark].dir = 'x'
		w.mu.Unlock()
	}
	return err == nil
}
