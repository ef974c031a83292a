package lane

import (
	"context"
	"errors"
	"time"

	"tillway/terminal"
)

// A doing is one thing that the owner does. next is when to look again by itself; with stay, when it was going to.
type doing func(context.Context) (next time.Duration, stay bool, err error)

// next is what the owner does now. Where several things wait, their order is no chance: a customer first, then what has come in, a
// person's word, and what the owner does by itself. Where none does, it is the first to come.
func (o *Owner) next(ctx context.Context, pause <-chan time.Time) doing {
	select {
	case q := <-o.ask:
		return o.asked(q)
	default:
	}
	select {
	case s := <-o.strays:
		return o.strayed(s)
	default:
	}
	select {
	case d := <-o.decide:
		return o.decided(d)
	default:
	}
	select {
	case d := <-o.decideBatch:
		return o.batchDecided(d)
	default:
	}
	select {
	case <-o.poke:
		return o.poked
	default:
	}
	select {
	case <-o.free:
		return o.freed
	default:
	}
	select {
	case <-ctx.Done():
		return func(context.Context) (time.Duration, bool, error) { return 0, true, nil }
	case s := <-o.strays:
		return o.strayed(s)
	case q := <-o.ask:
		return o.asked(q)
	case d := <-o.decide:
		return o.decided(d)
	case d := <-o.decideBatch:
		return o.batchDecided(d)
	case <-o.poke:
		return o.poked
	case <-o.free:
		return o.freed
	case anew := <-o.renew:
		return o.renewed(anew)
	case reply := <-o.echoes:
		return o.echoWanted(reply)
	case call := <-o.trials:
		return o.trial(call)
	case p := <-o.probes:
		return o.probeWanted(p)
	case <-pause:
		return o.byItself
	}
}

func (o *Owner) asked(q question) doing {
	return func(ctx context.Context) (time.Duration, bool, error) {
		next, err := o.serve(ctx, q)
		return next, false, err
	}
}

func (o *Owner) strayed(s terminal.Stray) doing {
	return func(ctx context.Context) (time.Duration, bool, error) { return 0, true, o.quarantine(ctx, s) }
}

func (o *Owner) decided(d decision) doing {
	return func(ctx context.Context) (time.Duration, bool, error) { return 0, true, o.settleByHand(ctx, d) }
}

func (o *Owner) batchDecided(d batchDecision) doing {
	return func(ctx context.Context) (time.Duration, bool, error) { return 0, true, o.batchByHand(ctx, d) }
}

func (o *Owner) poked(ctx context.Context) (time.Duration, bool, error) {
	o.hurry = true
	return o.byItself(ctx)
}

// freed is the moment behind a sale, in which what has waited for it goes out.
func (o *Owner) freed(ctx context.Context) (time.Duration, bool, error) {
	if wanted, err := o.wantsToSend(ctx); !wanted && err == nil {
		return 0, true, nil
	}
	return o.byItself(ctx)
}

func (o *Owner) renewed(anew bool) doing {
	return func(ctx context.Context) (time.Duration, bool, error) {
		o.wantKeys("somebody at the terminal asked for new ones")
		o.keys.notBefore, o.keys.anew = time.Time{}, o.keys.anew || anew
		return o.byItself(ctx)
	}
}

func (o *Owner) byItself(ctx context.Context) (time.Duration, bool, error) {
	next, err := o.rest(ctx)
	return next, false, err
}

// ended is how Run ends: a stop between two steps is no error, because what was Sent is Owed again at the next start.
func (*Owner) ended(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}
