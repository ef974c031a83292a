package lane

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tillway/terminal"
)

// Way is one address of the acquirer, over a link of its own: the one that sales use is left alone.
type Way struct {
	Name string
	Link Link
}

// Probed is what an echo test over a Way found. Nothing of it is in the journal, and no sale, debt or key rests on it.
type Probed struct {
	Host string

	Skipped string // nothing was tried, and why: a sale runs, or the terminal stops

	Unreached error // there is no connection; wraps the link's error
	Untold    error // there is one, and no message could be composed or authenticated: the terminal's own fault
	Silent    error // the message went out, and no answer came that is one; wraps the link's error

	Connected bool
	Answered  bool              // and the answer can be read: Response has it
	Signed    bool              // the echo test went under a MAC, and so its answer has to
	Forged    error             // the answer has no MAC, or a wrong one; Response is then a hint, and nothing to act on
	Key       terminal.MACKey   // that it was signed with
	Response  terminal.Response //
	Ahead     time.Duration     // the host's clock before ours; of an answer that is not Forged and has a time
	Timed     bool
}

// probing is one wish for a probe.
type probing struct {
	ctx   context.Context //nolint:containedctx // of whoever asks: what runs in Run's goroutine is theirs
	way   Way
	reply chan Probed
}

// Probe asks one address of the acquirer whether it is there, and under the right key, between two sales and in turn with all else
// that the owner does: key serial numbers then go up in the order of the wire. It is as long as ctx; a sale that comes in the middle waits for
// it, so ctx has to be short. Where a sale runs, nothing is tried.
func (o *Owner) Probe(ctx context.Context, w Way) Probed {
	p := probing{ctx, w, make(chan Probed, 1)}
	ended := Probed{Host: w.Name, Skipped: "the terminal is stopping"}
	select {
	case o.probes <- p:
	case <-o.done:
		return ended
	case <-ctx.Done():
		return Probed{Host: w.Name, Skipped: "the acquirer's owner was busy all the while"}
	}
	select {
	case r := <-p.reply:
		return r
	case <-o.done:
		return ended
	}
}

// Probe is Owner.Probe.
func (l *Lane) Probe(ctx context.Context, w Way) Probed { return l.cfg.Owner.Probe(ctx, w) }

// ProbeStopped is Probe of an owner whose Run was never called: nobody else uses its keys and counters.
func (o *Owner) ProbeStopped(ctx context.Context, w Way) Probed { return o.probe(ctx, w) }

func (o *Owner) probeWanted(p probing) doing {
	return func(context.Context) (time.Duration, bool, error) {
		if o.busy() {
			p.reply <- Probed{Host: p.way.Name, Skipped: "a sale runs"}
			return 0, true, nil
		}
		p.reply <- o.probe(p.ctx, p.way)
		return 0, true, nil
	}
}

// probe does it: connect, echo test under the MAC key in force where the dialect has it so, answer.
func (o *Owner) probe(ctx context.Context, w Way) (p Probed) {
	p.Host = w.Name
	defer func() {
		if err := w.Link.Close(); err != nil {
			o.cfg.Log.Debug("closing the link of a probe", "err", err)
		}
	}()
	if _, err := w.Link.Ready(ctx); err != nil {
		p.Unreached = err
		return p
	}
	p.Connected = true
	message, err := o.composeNetwork(ctx, terminal.Echo, nil)
	if err == nil && message == nil {
		err = errors.New("the dialect has no echo test")
	}
	if err != nil {
		p.Untold = err
		return p
	}
	if p.Signed = o.cfg.Dialect.MACed(message); p.Signed {
		if p.Key, message, err = o.authenticate(ctx, message, o.keyInForce); err != nil {
			p.Untold = fmt.Errorf("the echo test cannot be authenticated: %w", err)
			return p
		}
		defer o.cfg.Macs.Release(context.WithoutCancel(ctx), p.Key)
	}
	answer, _, err := w.Link.Exchange(ctx, message)
	if err != nil {
		p.Silent = err
		return p
	}
	return o.judgeProbe(ctx, p, answer)
}

// judgeProbe reads the answer to an echo test.
func (o *Owner) judgeProbe(ctx context.Context, p Probed, answer []byte) Probed {
	if p.Signed {
		a, err := o.cfg.Dialect.AnswerMAC(answer)
		switch {
		case err != nil:
		case len(a.MAC) == 0:
			err = errors.New("it has no MAC")
		default:
			err = o.cfg.Macs.Verify(ctx, p.Key, a.Data, a.MAC)
		}
		if err != nil {
			p.Forged = fmt.Errorf("%w: %w", errForged, err)
		}
	}
	res, err := o.cfg.Dialect.Response(answer)
	if err != nil {
		p.Silent = fmt.Errorf("the answer cannot be read: %w", err)
		return p
	}
	p.Answered, p.Response = true, res
	if p.Forged == nil && !res.Time.IsZero() {
		p.Timed, p.Ahead = true, res.Time.Sub(o.cfg.Clock())
	}
	return p
}
