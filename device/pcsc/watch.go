package pcsc

import (
	"bytes"
	"context"
	"errors"
	"time"

	"tillway/device"
)

// What Status says where there is no reader, besides what pick and dial say.
var (
	errStarting = errors.New("the reader is being looked for")
	errDeaf     = &trouble{"pcscd does not answer: systemctl restart pcscd", device.ErrTimeout}
	errSilent   = errors.New("pcscd is there, but the reader does not answer it: unplug it and plug it in again")
)

// watch keeps the view up to date until the driver's life ends. It waits for pcscd to tell of changes; only a pcscd that is not there is
// tried again and again.
func (r *Reader) watch() {
	defer close(r.watched)
	for {
		err := r.follow(r.life)
		if r.life.Err() != nil {
			r.see(view{cause: device.ErrClosed})
			return
		}
		r.see(view{cause: err})
		select {
		case <-r.life.Done():
		case <-time.After(r.times.retry):
		}
	}
}

// follow publishes what pcscd tells over one connection, until that ends.
func (r *Reader) follow(ctx context.Context) error {
	c, err := dial(ctx, r.config.Socket)
	if err != nil {
		return err
	}
	defer c.close()
	for {
		all, err := r.table(ctx, c.wait)
		if err != nil {
			return err
		}
		state, err := pick(all, r.config.Port)
		r.see(view{cause: err, state: state})
		if err := c.changed(ctx); err != nil {
			return err
		}
	}
}

// table is one of the questions that pcscd answers without asking a reader: it has little time for that.
func (r *Reader) table(ctx context.Context, ask func(context.Context) ([]readerState, error)) ([]readerState, error) {
	within, cancel := context.WithTimeoutCause(ctx, greetWait, errDeaf)
	defer cancel()
	return ask(within)
}

// see publishes a view, logs what a technician wants to know of it, and wakes whoever waits for a change.
func (r *Reader) see(now view) {
	r.mu.Lock()
	before := r.seen
	r.seen = now
	if now.cause == nil {
		r.name = "pcsc " + printable(now.state.name)
	}
	name := r.name
	if !before.same(now) {
		r.wake()
	}
	r.mu.Unlock()
	switch {
	case errors.Is(now.cause, device.ErrClosed):
	case now.cause != nil && (before.cause == nil || before.cause.Error() != now.cause.Error()):
		r.config.Log.Warn("reader absent", "cause", now.cause)
	case now.cause == nil && before.cause != nil:
		r.config.Log.Info("reader connected", "name", name)
	}
}

// wake tells of a change; mu is held.
func (r *Reader) wake() {
	close(r.changed)
	r.changed = make(chan struct{})
}

// same says whether two views are alike in all that anybody waits for.
func (v view) same(w view) bool {
	switch {
	case v.cause != nil && w.cause != nil:
		return v.cause.Error() == w.cause.Error()
	case v.cause != nil || w.cause != nil:
		return false
	}
	return v.state.name == w.state.name && v.state.events == w.state.events && v.state.bits == w.state.bits && bytes.Equal(v.state.atr, w.state.atr)
}

// blame says why the card in the slot cannot be used, or, with an empty cause, that it can.
func (r *Reader) blame(cause string, in readerState) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := (fault{cause, in.events}); now != r.fault {
		r.fault = now
		r.wake()
	}
}
