package usbccid

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"tillway/device"
	"tillway/device/ccid"
	"tillway/device/usb"
)

// The bounds of the wire.
const (
	writeLimit  = 2 * time.Second        // a message takes a millisecond; longer, and the reader takes nothing
	maxGap      = 500 * time.Millisecond // silence in the middle of an answer, after which it is not going on
	maxEmpty    = 100                    // empty transfers for one answer
	mostDrained = 1024                   // packets of an answer that cannot be
	mostDamaged = 10                     // transfers of the interrupt endpoint that fail one after another, before it is given up
	afterDamage = 100 * time.Millisecond // before the next of them
)

// wire carries CCID messages over a USB device. It is a ccid.Transport and a ccid.Aborter, owned by one goroutine; two of its
// own read for it until it is closed.
type wire struct {
	device usb.Device
	layout layout

	wanted  chan struct{} // a value: an answer is to be read
	answers chan arrival  // and what came of it
	reading bool          // an answer was asked for and has not come
	moves   chan byte     // the slots' bits of movements, the last few
	changed chan struct{} // a value: something was told without being asked for

	halted [256]atomic.Bool // endpoints that have stopped, by address

	life    context.Context // ends with close
	end     context.CancelFunc
	readers sync.WaitGroup
	closing sync.Once
	closed  error
}

// arrival is one message from the reader, or why there is none.
type arrival struct {
	message ccid.Message
	err     error
}

// newWire starts reading from a claimed device. close ends that, and closes the device.
func newWire(d usb.Device, l layout) *wire {
	w := &wire{
		device: d, layout: l,
		wanted: make(chan struct{}, 1), answers: make(chan arrival, 1), moves: make(chan byte, 2), changed: make(chan struct{}, 1),
	}
	w.life, w.end = context.WithCancel(context.Background())
	w.readers.Go(w.readAnswers)
	if l.interrupt.Address != 0 {
		w.readers.Go(w.readMoves)
	}
	return w
}

// close ends the reading and closes the device. A second call does nothing.
func (w *wire) close() error {
	w.closing.Do(func() {
		w.end()
		for _, e := range []usb.Endpoint{w.layout.in, w.layout.out, w.layout.interrupt} {
			w.clearHalt(e.Address)
		}
		w.closed = w.device.Close()
		w.readers.Wait()
	})
	return w.closed
}

// clearHalt starts an endpoint again that has stopped (USB 2.0, 9.4.1 and 9.4.5), for the next who opens the device.
func (w *wire) clearHalt(endpoint uint8) {
	const toEndpoint, clearFeature, endpointHalt = 0x02, 0x01, 0
	if !w.halted[endpoint].Load() {
		return
	}
	within, cancel := context.WithTimeout(context.Background(), writeLimit)
	defer cancel()
	_, _ = w.device.Control(within, toEndpoint, clearFeature, endpointHalt, uint16(endpoint), nil) // a device that is gone needs none
}

// Send sends one message; see ccid.Transport.
func (w *wire) Send(ctx context.Context, m ccid.Message) error {
	within, cancel := context.WithTimeout(ctx, writeLimit)
	defer cancel()
	b := ccid.Append(make([]byte, 0, ccid.HeaderLength+len(m.Data)), m)
	n, err := w.device.Write(within, w.layout.out.Address, b)
	switch {
	case err != nil && within.Err() != nil && ctx.Err() == nil:
		return fmt.Errorf("%w: the reader takes no bytes", device.ErrTimeout)
	case err != nil:
		return w.classed(w.layout.out.Address, err)
	case n != len(b):
		return fmt.Errorf("%w: the reader took %d bytes of %d", device.ErrProtocol, n, len(b))
	}
	return nil
}

// classed makes a reader of a stopped endpoint one that does not answer: it is closed then, and reached anew.
func (w *wire) classed(endpoint uint8, err error) error {
	if errors.Is(err, usb.ErrStall) {
		w.halted[endpoint].Store(true)
		return fmt.Errorf("%w: %w", device.ErrTimeout, err)
	}
	return err
}

// Receive returns the next message or movement; see ccid.Transport. A message that comes after the context's end is kept for the
// next call, where its number tells whose it is.
func (w *wire) Receive(ctx context.Context) (ccid.Message, error) {
	select {
	case move := <-w.moves: // before an answer that has come too: it may be about the card that is gone
		return movement(move), nil
	default:
	}
	if !w.reading {
		w.reading = true
		w.wanted <- struct{}{}
	}
	select {
	case a := <-w.answers:
		w.reading = false
		return a.message, a.err
	case move := <-w.moves:
		return movement(move), nil
	case <-ctx.Done():
		return ccid.Message{}, ctx.Err()
	}
}

func movement(state byte) ccid.Message {
	return ccid.Message{Type: ccid.NotifySlotChange, Params: [3]byte{state}}
}

// Abort is the class request that ends a command (CCID 1.1, 5.3.1).
func (w *wire) Abort(ctx context.Context, slot, seq byte) error {
	const toInterface, abort = 0x21, 0x01
	_, err := w.device.Control(ctx, toInterface, abort, uint16(seq)<<8|uint16(slot), uint16(w.layout.setting.Number), nil)
	return err
}

// readAnswers reads one message whenever one is wanted.
func (w *wire) readAnswers() {
	for {
		select {
		case <-w.wanted:
		case <-w.life.Done():
			return
		}
		m, err := w.readMessage()
		w.answers <- arrival{m, err}
		if errors.Is(err, device.ErrUnplugged) || errors.Is(err, usb.ErrStall) {
			notify(w.changed)
		}
	}
}

// readMessage reads a message: its first packet, and then what its length says is still to come, so that it needs neither an
// empty packet behind a full one nor a buffer for the longest message that a reader could announce. Empty packets before it are left over.
func (w *wire) readMessage() (ccid.Message, error) {
	packet := w.layout.in.MaxPacket
	b := make([]byte, packet)
	n := 0
	for range maxEmpty {
		var err error
		if n, err = w.device.Read(w.life, w.layout.in.Address, b); err != nil {
			return ccid.Message{}, w.classed(w.layout.in.Address, err)
		}
		if n > 0 {
			break
		}
	}
	if n < ccid.HeaderLength {
		return ccid.Message{}, fmt.Errorf("%w: answer of %d bytes, its head has %d", device.ErrProtocol, n, ccid.HeaderLength)
	}
	length := binary.LittleEndian.Uint32(b[1:])
	if length > ccid.MaxData {
		if n == packet {
			w.drain()
		}
		return ccid.Message{}, fmt.Errorf("%w: answer with %d bytes of data, %d are the most", device.ErrProtocol, length, ccid.MaxData)
	}
	whole := ccid.HeaderLength + int(length)
	if whole > n && n == packet {
		rest, err := w.readRest(whole - n)
		if err != nil {
			return ccid.Message{}, err
		}
		b, n = slices.Concat(b, rest), n+len(rest)
	}
	if n < whole {
		return ccid.Message{}, fmt.Errorf("%w: answer of %d bytes breaks off after %d", device.ErrProtocol, whole, n)
	}
	m, err := ccid.Parse(b[:whole]) // what stands behind it in its last packet is nobody's
	if err != nil {
		return ccid.Message{}, fmt.Errorf("%w: %w", device.ErrProtocol, err)
	}
	return m, nil
}

// drain throws away what follows the first packet of an answer that cannot be, so that it is not taken for the next one.
func (w *wire) drain() {
	within, cancel := context.WithTimeout(w.life, maxGap)
	defer cancel()
	b := make([]byte, w.layout.in.MaxPacket)
	for range mostDrained {
		if n, err := w.device.Read(within, w.layout.in.Address, b); err != nil || n < len(b) {
			return
		}
	}
}

// readRest reads what is missing of a message, in whole packets.
func (w *wire) readRest(missing int) ([]byte, error) {
	packet := w.layout.in.MaxPacket
	within, cancel := context.WithTimeout(w.life, maxGap)
	defer cancel()
	b := make([]byte, (missing+packet-1)/packet*packet)
	n, err := w.device.Read(within, w.layout.in.Address, b)
	if err != nil && within.Err() != nil && w.life.Err() == nil {
		return nil, fmt.Errorf("%w: the answer breaks off", device.ErrProtocol)
	}
	if err != nil {
		return nil, w.classed(w.layout.in.Address, err)
	}
	return b[:n], nil
}

// readMoves reads the interrupt endpoint until the device is gone.
func (w *wire) readMoves() {
	b := make([]byte, w.layout.interrupt.MaxPacket)
	for damaged := 0; w.life.Err() == nil; {
		n, err := w.device.Read(w.life, w.layout.interrupt.Address, b)
		if err != nil {
			_ = w.classed(w.layout.interrupt.Address, err)
			notify(w.changed) // the next look finds out whether the reader is gone, and what moved meanwhile
			if damaged++; !errors.Is(err, device.ErrProtocol) || damaged > mostDamaged {
				return
			}
			select { // one damaged transfer is no reason to hear of no card any more
			case <-time.After(afterDamage):
			case <-w.life.Done():
			}
			continue
		}
		damaged = 0
		if state, ok := slotChange(b[:n]); ok {
			w.move(state)
			notify(w.changed)
		}
	}
}

// slotChange reads a message of the interrupt endpoint (CCID 1.1, 6.3.1): the first slot's two bits, and whether it moved.
func slotChange(b []byte) (state byte, ok bool) {
	if len(b) < 2 || b[0] != ccid.NotifySlotChange || b[1]&0x02 == 0 {
		return 0, false
	}
	return b[1] & 0x03, true
}

// move keeps a movement; of more than two only the last two can matter.
func (w *wire) move(state byte) {
	for {
		select {
		case w.moves <- state:
			return
		default:
		}
		select {
		case <-w.moves:
		default:
		}
	}
}

func notify(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
