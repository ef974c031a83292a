package virtualusb

import (
	"bytes"
	"context"
	"sync"
)

// Queue holds what a function has to say on one IN endpoint and cuts it into packets. The zero value is ready. One goroutine
// calls Next; the others may be called from any.
type Queue struct {
	mu      sync.Mutex
	waiting []message     // what is left of each, in order
	stall   bool          // the next call of Next stalls
	wake    chan struct{} // closed when there is something new; nil until somebody waits
}

// message is what is left of one message; with end, an empty packet follows a last one that is full.
type message struct {
	rest []byte
	end  bool
}

// Put adds a message, which is copied. It goes out in full packets and a shorter last one, an empty one if need be, so that the host's transfer ends.
func (q *Queue) Put(m []byte) { q.put(m, true) }

// PutWithoutEnd adds a message that ends with its last byte: without an empty packet behind one that is full, as
// readers do that trust in the length inside the message.
func (q *Queue) PutWithoutEnd(m []byte) { q.put(m, false) }

func (q *Queue) put(m []byte, end bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, message{rest: bytes.Clone(m), end: end})
	q.signal()
}

// Stall makes the next packet a STALL, before what is queued.
func (q *Queue) Stall() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stall = true
	q.signal()
}

// Clear forgets what is queued.
func (q *Queue) Clear() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting, q.stall = nil, false
}

func (q *Queue) signal() {
	if q.wake != nil {
		close(q.wake)
		q.wake = nil
	}
}

// Next waits for the next packet, of at most maxPacket bytes: what Function.In returns.
func (q *Queue) Next(ctx context.Context, maxPacket int) ([]byte, error) {
	for {
		packet, wake, err := q.take(maxPacket)
		if wake == nil {
			return packet, err
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// take gives a packet, or the channel that is closed when it is worth asking again.
func (q *Queue) take(maxPacket int) (packet []byte, wake <-chan struct{}, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.stall {
		q.stall = false
		return nil, nil, ErrStall
	}
	if len(q.waiting) == 0 {
		if q.wake == nil {
			q.wake = make(chan struct{})
		}
		return nil, q.wake, nil
	}
	m := q.waiting[0]
	if len(m.rest) > maxPacket || len(m.rest) == maxPacket && m.end {
		q.waiting[0].rest = m.rest[maxPacket:]
		return m.rest[:maxPacket:maxPacket], nil, nil
	}
	q.waiting = q.waiting[1:]
	return m.rest, nil, nil
}
