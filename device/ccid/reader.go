package ccid

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"tillway/device"
)

// ReaderConfig is what a driver tells of its readers: how one is reached, and what its troubles are called.
type ReaderConfig struct {
	Driver string       // "gempc"; the first word of the reader's name
	Port   string       // where the reader is, in the words of the configuration; may be empty
	Log    *slog.Logger // connection and loss of the reader, never data of a card; nil for none

	// Patience is the longest silence of a reader that owes an answer, the card's own waiting time not included;
	// 0 means DefaultPatience.
	Patience time.Duration

	// Connect reaches the reader. Its error is the cause that Status tells: device.ErrUnplugged when there is none, and what
	// to do in any case.
	Connect func(ctx context.Context) (*Connection, error)

	Plugged <-chan struct{} // a value: readers came or went, look now; nil where nobody tells
	Reopen  time.Duration   // how often a reader that is not there is looked for
	Retry   time.Duration   // how often one is that is there and cannot be used
	// Tap, when there, is told each message. It must not block, nor keep b. It sees card data: it is for recordings.
	Tap func(out bool, b []byte)

	Silent string // why a reader that is there does not answer, and what to do
}

// Connection is a reader that was reached. The Reader that reached it closes it.
type Connection struct {
	Transport Transport
	Features  Features

	// Greet makes sure that the right reader is there and sets it up; it returns what tells a technician which one it is, its
	// firmware's version perhaps. It is called first of all, and again after the reader was silent.
	Greet func(ctx context.Context, slot *Slot) (version string, err error)

	Changed <-chan struct{} // a value: the reader has something to tell, look now; nil for one that tells nothing
	Poll    time.Duration   // how often the slot is looked at, besides
	Close   func() error
}

// Reader is one reader with one slot, driven over whatever wire its driver connects. One goroutine owns wire, slot and
// card; it watches the slot while nobody asks anything, so that Status is true also between sales, and connects again when
// the reader comes back. Methods hand it their work and wait. It is safe for concurrent use, as device.Reader asks for.
type Reader struct {
	config ReaderConfig

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

// NewReader starts a reader. One that is not there is no error: Status says why, and Present waits for it.
func NewReader(config ReaderConfig) *Reader {
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	config.Log = config.Log.With("reader", config.Driver, "port", config.Port)
	r := &Reader{
		config: config,
		ops:    make(chan op), exited: make(chan struct{}), changed: make(chan struct{}),
		name: config.label(),
	}
	r.life, r.end = context.WithCancel(context.Background())
	r.connect()
	go r.own()
	return r
}

// label is the reader's name before it has told its version.
func (c ReaderConfig) label() string { return strings.TrimSpace(c.Driver + " " + c.Port) }

// Name is the driver, the port and, once read, the reader's version in brackets.
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
			if err := device.Await(ctx, r.life, changed, time.After(time.Second)); err != nil {
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
		if err := device.Await(ctx, r.life, changed, nil); err != nil {
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
		return nil, fmt.Errorf("card in %s: %w", c.reader.config.label(), err)
	}
	return response, nil
}

// conditionOf words a slot's state.
func conditionOf(icc ICC, fault string) device.Status {
	switch {
	case icc == NoICC:
		return device.Status{Condition: device.NoCard}
	case fault != "":
		return device.Status{Condition: device.CardFailed, Cause: fault}
	}
	return device.Status{Condition: device.CardIn}
}
