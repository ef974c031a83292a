package lane

import (
	"context"

	"tillway/terminal"
)

type restCall struct {
	ctx   context.Context //nolint:containedctx // of whoever asks: what runs in Run's goroutine is theirs
	do    func(ctx context.Context) (end bool, err error)
	reply chan error
}

// Rest has do run while no sale runs: none can begin before it has returned, the keys do not change, and no batch goes on. Where
// do says so, Run then ends in order, without an order being lost: one that comes later is refused with terminal.ErrStopping.
// Rest waits for a sale that runs, and as long as ctx; do has to be quick. Errors: do's; the context's; terminal.ErrStopping.
func (l *Lane) Rest(ctx context.Context, do func(ctx context.Context) (end bool, err error)) error {
	call := &restCall{ctx, do, make(chan error, 1)}
	select {
	case l.rest <- call:
		return <-call.reply
	case <-l.ended:
		return terminal.ErrStopping
	case <-ctx.Done():
		return ctx.Err()
	}
}

// resting carries one such call out, in Run's goroutine.
func (l *Lane) resting(ctx context.Context, call *restCall) (end bool) {
	release := l.cfg.Owner.hold(ctx)
	defer release()
	end, err := call.do(call.ctx)
	call.reply <- err
	return end && err == nil
}
