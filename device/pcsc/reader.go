package pcsc

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"tillway/device"
)

// Config is what a Reader needs to know.
type Config struct {
	Port   string       // the reader's name in pcscd, or a part of it that no other reader has; capitals do not count
	Socket string       // of pcscd; empty: Socket, the usual one
	Log    *slog.Logger // coming and going of the reader, never data of a card; nil for none

	// Patience bounds one exchange, the card's requests for more time included: pcscd itself waits as long as card and reader ask
	// for. 0 means 30 s.
	Patience time.Duration
}

// times are the driver's own waits, which tests shorten.
type times struct {
	retry  time.Duration // between two tries at a pcscd that is not there, or at a reader that another program has
	settle time.Duration // for the news of a removal after an exchange has failed: pcscd looks at slots every 400 ms
}

var usual = times{retry: time.Second, settle: 700 * time.Millisecond}

// Reader is one reader of pcscd. It is safe for concurrent use, as device.Reader asks for.
type Reader struct {
	config Config
	times  times

	life    context.Context // ends with Close
	end     context.CancelFunc
	watched chan struct{} // closed when the watching goroutine has left

	turn chan struct{} // holds one token; who took it owns talk and card until it is put back
	talk *conn         // nil: not connected
	card *card         // powered, or nil

	mu      sync.Mutex
	seen    view
	fault   fault
	name    string
	changed chan struct{} // closed and replaced when one of these changes
}

var _ device.Reader = (*Reader)(nil)

// view is what the watching goroutine saw last.
type view struct {
	cause error // why there is no reader; nil: there is
	state readerState
}

// fault says why the card in the slot cannot be used. It is over when a card moves.
type fault struct {
	cause  string // empty: none
	events uint32 // of the state it was found in
}

// Open starts the driver. A pcscd or a reader that is not there is no error: Status says why and Present waits for it. The error is a
// configuration that can never work.
func Open(config Config) (*Reader, error) {
	if config.Port == "" {
		return nil, errors.New("pcsc: no reader named: write its name in pcscd, or a part of it, into reader.port (pos readers lists them)")
	}
	return start(config, usual), nil
}

func start(config Config, t times) *Reader {
	if config.Socket == "" {
		config.Socket = Socket
	}
	if config.Patience == 0 {
		config.Patience = 30 * time.Second
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	config.Log = config.Log.With("reader", "pcsc", "port", config.Port)
	r := &Reader{
		config: config, times: t, watched: make(chan struct{}), turn: make(chan struct{}, 1), changed: make(chan struct{}),
		name: "pcsc " + config.Port, seen: view{cause: errStarting},
	}
	r.turn <- struct{}{}
	r.life, r.end = context.WithCancel(context.Background())
	go r.watch()
	return r
}

// Name is "pcsc" and the reader's full name, once pcscd has told it; before, the part of it that is configured.
func (r *Reader) Name() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.name
}

// Status is the last known condition. pcscd itself may learn of a move up to half a second late.
func (r *Reader) Status() device.Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen.status(r.fault)
}

// status words a view.
func (v view) status(f fault) device.Status {
	switch {
	case v.cause != nil:
		return device.Status{Condition: device.Absent, Cause: v.cause.Error()}
	case v.state.cardIn() && f.cause != "" && f.events == v.state.events:
		return device.Status{Condition: device.CardFailed, Cause: f.cause}
	case v.state.cardIn():
		return device.Status{Condition: device.CardIn}
	case v.state.bits&stateUnknown != 0:
		return device.Status{Condition: device.Absent, Cause: errSilent.Error()}
	}
	return device.Status{Condition: device.NoCard}
}

// change is a channel that is closed when what Status says, or a card, has changed from now on.
func (r *Reader) change() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.changed
}

// Present waits for a card, resets it cold and returns it; see device.Reader. A reader that another program holds is waited for, too:
// Status says so.
func (r *Reader) Present(ctx context.Context) (device.Presented, error) {
	for {
		changed := r.change()
		var presented device.Presented
		err := r.with(ctx, func(ctx context.Context) (err error) {
			presented, err = r.present(ctx)
			return err
		})
		switch {
		case err == nil:
			return presented, nil
		case errors.Is(err, errNoCard):
			err = device.Await(ctx, r.life, changed, nil)
		case errors.Is(err, errLater):
			err = device.Await(ctx, r.life, changed, time.After(r.times.retry))
		}
		if err != nil {
			return device.Presented{}, err
		}
	}
}

// AwaitRemoval waits until the slot is empty; see device.Reader. A card that was swapped for another was removed, too.
func (r *Reader) AwaitRemoval(ctx context.Context) error {
	var first *readerState
	for {
		changed := r.change()
		var now readerState
		err := r.with(ctx, func(ctx context.Context) (err error) {
			now, err = r.look(ctx)
			return err
		})
		switch {
		case errors.Is(err, errLater): // no pcscd, no reader: an empty slot
			return nil
		case err != nil:
			return err
		case !now.cardIn(), first != nil && first.events != now.events:
			return nil
		}
		if first == nil {
			first = &now
		}
		if err := device.Await(ctx, r.life, changed, nil); err != nil {
			return err
		}
	}
}

// Release takes the power off the card and lets other programs have the reader; see device.Reader.
func (r *Reader) Release(ctx context.Context) error { return r.with(ctx, r.release) }

// Close ends the driver and waits for its goroutine. A card that is powered loses its power.
func (r *Reader) Close() error {
	r.end()
	<-r.watched
	<-r.turn // whoever had it ends soon, because the driver's life has ended
	if r.talk != nil {
		ctx, cancel := context.WithTimeout(context.Background(), closeWait)
		r.finish(ctx, device.ErrClosed)
		cancel()
		r.drop()
	}
	r.turn <- struct{}{}
	return nil
}

// closeWait bounds the last words to pcscd, which takes the card back by itself when the connection closes.
const closeWait = 2 * time.Second

// with does something with connection and card. What is done ends with the context and with Close.
func (r *Reader) with(ctx context.Context, do func(ctx context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-r.turn:
	case <-ctx.Done():
		return ctx.Err()
	case <-r.life.Done():
		return device.ErrClosed
	}
	defer func() { r.turn <- struct{}{} }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(r.life, cancel)()
	if r.life.Err() != nil {
		return device.ErrClosed
	}
	err := do(ctx)
	if err != nil && r.life.Err() != nil {
		return device.ErrClosed
	}
	return err
}
