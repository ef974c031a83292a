package gempc

import (
	"context"
	"fmt"
	"slices"
	"time"

	"tillway/device"
	"tillway/device/ccid"
)

// line is the serial port, as the wire uses it.
type line interface {
	Read(ctx context.Context, b []byte) (int, error)
	Write(ctx context.Context, b []byte) error
	Close() error
}

// The bounds of the wire.
const (
	maxSends   = 3                      // a command is sent at most this often when the reader refuses it
	maxGarbage = 4096                   // bytes that belong to nothing, for one answer
	maxGap     = 500 * time.Millisecond // silence in the middle of a frame, after which it is not going on
	writeLimit = 2 * time.Second        // a frame takes 25 ms at 115200 baud; longer, and the line is stuck
)

// wire carries CCID messages in GemPC frames. It is a ccid.Transport, owned by one goroutine.
type wire struct {
	line     line
	in       []byte // received, not yet taken apart; a part of buffer
	buffer   [2 * maxFrame]byte
	sent     []byte // last command, for when the reader refuses it
	seq      byte   // its sequence number
	sends    int
	garbage  int
	awaiting bool // the echo of the last command has not come yet
	moves    []byte
}

// Send sends a command. What is left of an earlier answer is thrown away; movements in it are kept.
func (w *wire) Send(ctx context.Context, m ccid.Message) error {
	for {
		k, n, _ := next(w.in)
		if k == incomplete {
			break
		}
		if k == movement {
			w.keep(w.in[1])
		}
		w.in = w.in[n:]
	}
	w.in = w.in[:0]
	w.sent = appendFrame(w.sent[:0], m)
	w.seq, w.sends, w.garbage = m.Seq, 0, 0
	return w.send(ctx)
}

// keep remembers a movement for the next Receive. Only the last two can matter.
func (w *wire) keep(move byte) {
	w.moves = append(w.moves, move)
	w.moves = slices.Delete(w.moves, 0, max(0, len(w.moves)-2))
}

// send sends the last command, again perhaps.
func (w *wire) send(ctx context.Context) error {
	if w.sends++; w.sends > maxSends {
		return fmt.Errorf("%w: the reader refused a command %d times", device.ErrProtocol, maxSends)
	}
	w.awaiting = true
	within, cancel := context.WithTimeout(ctx, writeLimit)
	defer cancel()
	err := w.line.Write(within, w.sent)
	if err != nil && within.Err() != nil && ctx.Err() == nil {
		return fmt.Errorf("%w: the line takes no bytes", device.ErrTimeout)
	}
	return err
}

// Receive returns the next message, movement or time request. It drops the echo of the command and bytes that belong to
// nothing, and sends the command again when the reader did not understand it.
func (w *wire) Receive(ctx context.Context) (ccid.Message, error) {
	for {
		if len(w.moves) > 0 {
			state := w.moves[0]
			w.moves = w.moves[1:]
			return ccid.Message{Type: ccid.NotifySlotChange, Params: [3]byte{state}}, nil
		}
		k, n, m := next(w.in)
		at := w.in[:n]
		w.in = w.in[n:]
		switch k {
		case incomplete:
			if err := w.fill(ctx); err != nil {
				return ccid.Message{}, err
			}
		case frame:
			if w.awaiting && slices.Equal(at, w.sent) {
				w.awaiting = false
				continue
			}
			m.Data = slices.Clone(m.Data)
			return m, nil
		case damaged:
			if w.awaiting && at[2] < ccid.DataBlock {
				w.awaiting = false // the echo; the command may have arrived all the same
				continue
			}
			return ccid.Message{}, fmt.Errorf("%w: wrong check byte from the reader", device.ErrProtocol)
		case refused:
			if err := w.send(ctx); err != nil {
				return ccid.Message{}, err
			}
		case movement:
			w.keep(at[1])
		case moreTime:
			status := ccid.Status{Command: ccid.TimeExtension, Error: 1}
			return ccid.Message{Type: ccid.SlotStatus, Seq: w.seq, Params: status.Params(0)}, nil
		case garbage:
			if w.garbage++; w.garbage > maxGarbage {
				return ccid.Message{}, fmt.Errorf("%w: the reader sends bytes without sense", device.ErrProtocol)
			}
		}
	}
}

// fill waits for bytes from the line. In the middle of a frame it does not wait long.
func (w *wire) fill(ctx context.Context) error {
	within, cancel := ctx, func() {}
	if len(w.in) > 0 {
		within, cancel = context.WithTimeout(ctx, maxGap)
	}
	defer cancel()
	kept := copy(w.buffer[:], w.in) // an unfinished frame: less than half of the buffer
	w.in = w.buffer[:kept]
	n, err := w.line.Read(within, w.buffer[kept:])
	if err != nil && within.Err() != nil && ctx.Err() == nil {
		w.in = nil
		return fmt.Errorf("%w: the reader's answer breaks off", device.ErrProtocol)
	}
	if err != nil {
		return err
	}
	w.in = w.buffer[:kept+n]
	return nil
}
