package swipe

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"tillway/device"
	"tillway/device/magstripe"
	"tillway/device/serial"
)

const (
	defaultBaud = 9600
	maxPass     = 256                    // bytes of one pass; three tracks have 226 with their ends
	silence     = 150 * time.Millisecond // ends a pass; a character takes one millisecond at 9600 baud
	reopenEvery = 250 * time.Millisecond
)

// Config is what a Reader needs to know.
type Config struct {
	Port string       // path of the serial port, /dev/ttyS0 or a stable name from /dev/serial/by-id
	Baud int          // 0 means 9600
	Log  *slog.Logger // connection and loss of the reader, never data of a card; nil for none
}

// line is the serial port, as the reader uses it.
type line interface {
	Read(ctx context.Context, b []byte) (int, error)
	Close() error
}

// Reader is one stripe reader. It is safe for concurrent use, as device.Reader asks for.
type Reader struct {
	config Config
	open   func() (line, error)
	life   context.Context // ends with Close
	end    context.CancelFunc
	exited chan struct{}
	passes chan pass // without room: who does not wait for a pass does not get it

	mu     sync.Mutex // guards status
	status device.Status
}

// pass is one pass of a card.
type pass struct {
	swipe magstripe.Swipe
	err   error
}

var _ device.Reader = (*Reader)(nil)

// Open starts the driver. A port that is not there, or may not be opened, is no error: Status says why and Present waits
// for it. The error is a configuration that can never work.
func Open(config Config) (*Reader, error) {
	if config.Port == "" || config.Baud < 0 {
		return nil, errors.New("swipe: no port named, or a speed below zero")
	}
	if config.Baud == 0 {
		config.Baud = defaultBaud
	}
	return start(config, func() (line, error) {
		// Readers without a supply of their own take it from the modem lines.
		return serial.Open(config.Port, serial.Mode{Baud: config.Baud, StopBits: 1, RTS: true, DTR: true})
	}), nil
}

// start is Open over any line.
func start(config Config, open func() (line, error)) *Reader {
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	config.Log = config.Log.With("reader", "swipe", "port", config.Port)
	r := &Reader{
		config: config, open: open, exited: make(chan struct{}), passes: make(chan pass),
		status: device.Status{Condition: device.Absent, Cause: "stripe reader on " + config.Port + " is starting"},
	}
	r.life, r.end = context.WithCancel(context.Background())
	go r.own()
	return r
}

// own is the driver's goroutine.
func (r *Reader) own() {
	defer close(r.exited)
	for r.life.Err() == nil {
		port, err := r.open()
		if err == nil {
			r.publish(device.Status{Condition: device.NoCard})
			err = errors.Join(r.listen(port), port.Close())
		}
		if r.life.Err() != nil {
			return
		}
		r.publish(device.Status{Condition: device.Absent, Cause: err.Error()})
		select {
		case <-time.After(reopenEvery):
		case <-r.life.Done():
		}
	}
}

// publish sets the status, and logs the reader's coming and going.
func (r *Reader) publish(status device.Status) {
	r.mu.Lock()
	before := r.status
	r.status = status
	r.mu.Unlock()
	switch {
	case before == status:
	case status.Condition == device.Absent:
		r.config.Log.Warn("stripe reader absent", "cause", status.Cause)
	default:
		r.config.Log.Info("stripe reader's port open")
	}
}

// listen hands passes over until the port fails.
func (r *Reader) listen(port line) error {
	var buffer [maxPass]byte
	for {
		n, err := r.pass(port, buffer[:])
		if err != nil {
			return err
		}
		p := pass{}
		if p.swipe, p.err = magstripe.Parse(string(buffer[:min(n, maxPass)])); p.err == nil && n > maxPass {
			p.err = magstripe.ErrTrack
		}
		clear(buffer[:])
		if p.err != nil {
			p.err = fmt.Errorf("%w: %w", device.ErrMisread, p.err)
		}
		select {
		case r.passes <- p:
		default:
			r.config.Log.Info("a swipe that nobody waits for")
		}
	}
}

// pass collects the bytes of one pass, from the first to the silence behind the last. It returns how many came, which may be more
// than there was room for: those are lost.
func (r *Reader) pass(port line, buffer []byte) (int, error) {
	n, err := port.Read(r.life, buffer)
	var spill [64]byte
	for err == nil {
		room := buffer[min(n, len(buffer)):]
		if len(room) == 0 {
			room = spill[:]
		}
		ctx, stop := context.WithTimeout(r.life, silence)
		var more int
		more, err = port.Read(ctx, room)
		stop()
		n += more
		if errors.Is(err, context.DeadlineExceeded) && r.life.Err() == nil {
			return n, nil
		}
		if n > 100*len(buffer) {
			return n, fmt.Errorf("%w: a pass without end: is this the stripe reader's port, at the right speed?", device.ErrProtocol)
		}
	}
	return n, err
}

// Name is "swipe" and the port.
func (r *Reader) Name() string { return "swipe " + r.config.Port }

// Status is NoCard while the port is open, Absent with the cause while it is not.
func (r *Reader) Status() device.Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status
}

// Present waits for the next pass of a card; one that was made before does not count. Errors: device.ErrMisread for a pass without a
// good track 2, the context's, device.ErrClosed.
func (r *Reader) Present(ctx context.Context) (device.Presented, error) {
	if err := r.idle(ctx); err != nil {
		return device.Presented{}, err
	}
	select {
	case p := <-r.passes:
		if p.err != nil {
			return device.Presented{}, p.err
		}
		return device.Presented{Technology: device.MagStripe, Stripe: p.swipe, Clear: true}, nil
	case <-ctx.Done():
		return device.Presented{}, ctx.Err()
	case <-r.life.Done():
		return device.Presented{}, device.ErrClosed
	}
}

// AwaitRemoval returns at once: a card that was swiped is in the customer's hand.
func (r *Reader) AwaitRemoval(ctx context.Context) error { return r.idle(ctx) }

// Release does nothing: there is nothing to take the power from.
func (r *Reader) Release(ctx context.Context) error { return r.idle(ctx) }

func (r *Reader) idle(ctx context.Context) error {
	if r.life.Err() != nil {
		return device.ErrClosed
	}
	return ctx.Err()
}

// Close ends the driver and waits for its goroutine.
func (r *Reader) Close() error {
	r.end()
	<-r.exited
	return nil
}
