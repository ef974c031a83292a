package lane

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// EchoNow asks the acquirer's host whether it is there: it connects and signs on where there is no connection, else an echo test goes out,
// where the dialect has one. While a sale runs, what the link knows is the answer: its customer is not kept waiting. Nil: the host is there.
// Else one sentence, or the context's error.
func (o *Owner) EchoNow(ctx context.Context) error {
	reply := make(chan error, 1)
	ended := fmt.Errorf("the terminal is stopping: %w", context.Canceled)
	select {
	case o.echoes <- reply:
	case <-o.done:
		return ended
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-reply:
		return err
	case <-o.done:
		return ended
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Echo is Owner.EchoNow.
func (l *Lane) Echo(ctx context.Context) error { return l.cfg.Owner.EchoNow(ctx) }

// echoWanted answers somebody who asks whether the host is there.
func (o *Owner) echoWanted(reply chan<- error) doing {
	return func(ctx context.Context) (time.Duration, bool, error) {
		if o.busy() {
			var err error
			if h := o.Health(); !h.OK {
				err = fmt.Errorf("%s: %s", h.State, h.Cause)
			}
			reply <- err
			return 0, true, nil
		}
		if err := o.connect(ctx); err != nil {
			if errors.Is(err, errJournal) {
				return 0, true, err
			}
			reply <- err
			next, err := o.nextLook(ctx)
			return next, false, err
		}
		refused, err := o.echoed(ctx)
		if err != nil {
			return 0, true, err
		}
		reply <- refused
		next, err := o.nextLook(ctx)
		return next, false, err
	}
}
