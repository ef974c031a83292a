package gempc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"tillway/device"
	"tillway/device/ccid"
	"tillway/device/serial"
)

// Config is what a Reader needs to know.
type Config struct {
	Port string       // path of the serial port, /dev/ttyS0 or a stable name from /dev/serial/by-id
	Log  *slog.Logger // connection and loss of the reader, never data of a card; nil for none

	// Patience is the longest silence of a reader that owes an answer, the card's own waiting time not included;
	// 0 means ccid.DefaultPatience.
	Patience time.Duration
}

// Reader is one GemPC Twin. It is safe for concurrent use, as device.Reader asks for.
type Reader struct {
	config Config
	open   func() (line, error)

	life   context.Context // ends with Close
	end    context.CancelFunc
	ops    chan op
	exited chan struct{} // closed when the owner has left

	mu      sync.Mutex
	status  device.Status
	name    string
	turns   int           // how often a card has moved
	changed chan struct{} // closed and replaced when one of these changes

	owner owner // touched only by the goroutine that runs own, once that is started
}

var _ device.Reader = (*Reader)(nil)

// op is work for the owner.
type op struct {
	ctx    context.Context
	do     func(ctx context.Context) error
	result chan error
}

// Open starts the driver. A port that is not there, or may not be opened, is no error: Status says why and Present
// waits for it. The error is a configuration that can never work.
func Open(config Config) (*Reader, error) {
	if config.Port == "" {
		return nil, errors.New("gempc: no port named")
	}
	return start(config, func() (line, error) {
		// RTS low keeps the reader from sending its plug and play string; DTR powers it on some cables.
		return serial.Open(config.Port, serial.Mode{Baud: 115200, StopBits: 2, RTS: false, DTR: true})
	}), nil
}

// start is Open over any line.
func start(config Config, open func() (line, error)) *Reader {
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	config.Log = config.Log.With("reader", "gempc", "port", config.Port)
	r := &Reader{
		config: config, open: open,
		ops: make(chan op), exited: make(chan struct{}), changed: make(chan struct{}),
		name: "gempc " + config.Port,
	}
	r.life, r.end = context.WithCancel(context.Background())
	r.connect()
	go r.own()
	return r
}

// Name is "gempc", the port and, once read, the firmware version in brackets.
func (r *Reader) Name() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.name
}

// Status is the last known condition, not older than a fraction of a second.
func (r *Reader) Status() device.Status {
	status, _, _ := r.current()
	return status
}

// current is the status, how often a card has moved, and a channel that is closed when either changes.
func (r *Reader) current() (device.Status, int, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status, r.turns, r.changed
}

// publish sets the status, counts a card that has moved, and wakes whoever waits for either.
func (r *Reader) publish(status device.Status, moved bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if status == r.status && !moved {
		return
	}
	if moved {
		r.turns++
	}
	r.status = status
	close(r.changed)
	r.changed = make(chan struct{})
}

// errNotNow says that there is nothing to power: no reader or no card.
var errNotNow = errors.New("no card to power")

// Present waits for a card and powers it; see device.Reader.
func (r *Reader) Present(ctx context.Context) (device.Presented, error) {
	for {
		_, _, changed := r.current()
		var presented device.Presented
		err := r.call(ctx, func(ctx context.Context) (err error) {
			presented, err = r.owner.present(ctx, r)
			return err
		})
		switch {
		case err == nil:
			return presented, nil
		case errors.Is(err, errNotNow):
			// Once a second without any change too: a card may have stayed in while the reader started anew.
			if err := r.await(ctx, changed, time.After(time.Second)); err != nil {
				return device.Presented{}, err
			}
		default:
			return device.Presented{}, err
		}
	}
}

// AwaitRemoval waits until the slot is empty; see device.Reader. A card that is swapped for another between two looks at
// the slot was removed, too.
func (r *Reader) AwaitRemoval(ctx context.Context) error {
	if err := r.call(ctx, r.owner.refresh); err != nil {
		return err
	}
	_, before, _ := r.current()
	for {
		status, turns, changed := r.current()
		if status.Condition == device.NoCard || status.Condition == device.Absent || turns != before {
			return nil
		}
		if err := r.await(ctx, changed, nil); err != nil {
			return err
		}
	}
}

// Release takes the power off the card; see device.Reader. A reader that is gone has taken it already.
func (r *Reader) Release(ctx context.Context) error { return r.call(ctx, r.owner.release) }

// Close ends the driver and waits for its goroutine.
func (r *Reader) Close() error {
	r.end()
	<-r.exited
	return nil
}

// await waits for a change or the time, the context's end or Close.
func (r *Reader) await(ctx context.Context, changed <-chan struct{}, at <-chan time.Time) error {
	select {
	case <-changed:
		return nil
	case <-at:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-r.life.Done():
		return device.ErrClosed
	}
}

// call has the owner do something. It returns when that is done; what is done ends with the context.
func (r *Reader) call(ctx context.Context, do func(ctx context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	o := op{ctx, do, make(chan error, 1)}
	select {
	case r.ops <- o:
		return <-o.result
	case <-ctx.Done():
		return ctx.Err()
	case <-r.life.Done():
		return device.ErrClosed
	}
}

// card is one powered card.
type card struct {
	reader   *Reader
	protocol protocol
	ended    error // why it can be used no more; the owner's
}

// protocol is T=0 or T=1.
type protocol interface {
	Transmit(ctx context.Context, command []byte) ([]byte, error)
}

// Transmit sends a command APDU; see device.Card.
func (c *card) Transmit(ctx context.Context, command []byte) (response []byte, err error) {
	err = c.reader.call(ctx, func(ctx context.Context) (err error) {
		response, err = c.reader.owner.transmit(ctx, c, command)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("card in %s: %w", c.reader.config.Port, err)
	}
	return response, nil
}

// conditionOf words a slot's state.
func conditionOf(icc ccid.ICC, fault string) device.Status {
	switch {
	case icc == ccid.NoICC:
		return device.Status{Condition: device.NoCard}
	case fault != "":
		return device.Status{Condition: device.CardFailed, Cause: fault}
	}
	return device.Status{Condition: device.CardIn}
}
