package lane

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tillway/terminal"
)

const (
	trialTime = 20 * time.Second // of one address: a sale that comes in the middle waits for it
	afterward = 2 * time.Second  // from the last trial to the next look, which connects again
)

// TrialStep is how far a trial of an address came.
type TrialStep string

// The steps, in their order.
const (
	TrialConnect TrialStep = "connect"
	TrialSignOn  TrialStep = "sign-on"
	TrialEcho    TrialStep = "echo"
	TrialDone    TrialStep = "done"
)

// Trial is what one try of one address of the acquirer's host has shown.
type Trial struct {
	Address string
	Step    TrialStep // that failed, or TrialDone
	Err     error     // why; nil: the host is there
	Refused string    // the host's response code, where it answered and refused
	Forged  bool      // it answered, and not with the MAC that the answer must have
	NoKeys  bool      // the terminal has no key for what it has to send

	Connect, SignOn, Echo time.Duration // zero: not done, or the dialect has no such message
}

type trialCall struct {
	ctx   context.Context //nolint:containedctx // of whoever asks
	at    int
	reply chan trialReply
}

type trialReply struct {
	trial Trial
	err   error
}

// Hosts are the addresses that TestHost takes, in the order in which they are tried for a sale.
func (o *Owner) Hosts() []string { return o.cfg.Hosts }

// TestHost connects to one address of the acquirer, by its place in Hosts, signs on there and sends an echo test, on a connection
// made for that. No sale is tried on the way and nothing that is owed goes there. Errors: terminal.ErrBusy while a sale runs,
// or its keys are being changed; the context's; the journal's, with which the process ends.
func (o *Owner) TestHost(ctx context.Context, at int) (Trial, error) {
	if at < 0 || at >= len(o.cfg.Hosts) || o.cfg.ReadyAt == nil {
		return Trial{}, fmt.Errorf("there is no host %d of %d", at, len(o.cfg.Hosts))
	}
	call := trialCall{ctx, at, make(chan trialReply, 1)}
	ended := fmt.Errorf("the terminal is stopping: %w", context.Canceled)
	select {
	case o.trials <- call:
	case <-o.done:
		return Trial{}, ended
	case <-ctx.Done():
		return Trial{}, ctx.Err()
	}
	select {
	case r := <-call.reply:
		return r.trial, r.err
	case <-o.done:
		return Trial{}, ended
	case <-ctx.Done():
		return Trial{}, ctx.Err()
	}
}

// Hosts is Owner.Hosts, and TestHost is Owner.TestHost.
func (l *Lane) Hosts() []string { return l.cfg.Owner.Hosts() }

// TestHost is Owner.TestHost.
func (l *Lane) TestHost(ctx context.Context, at int) (Trial, error) {
	return l.cfg.Owner.TestHost(ctx, at)
}

// trial is one, in Run's goroutine. A connection to the first address is kept, because a sale would take that one; any other ends.
func (o *Owner) trial(call trialCall) doing {
	return func(ctx context.Context) (time.Duration, bool, error) {
		if o.busy() {
			call.reply <- trialReply{err: fmt.Errorf("%w: the host is not tested while a sale runs", terminal.ErrBusy)}
			return 0, true, nil
		}
		if call.ctx.Err() != nil { // nobody waits for it any more
			return 0, true, nil
		}
		limit, stop := context.WithTimeout(ctx, trialTime)
		defer stop()
		t := Trial{Address: o.cfg.Hosts[call.at]}
		err := o.tryHost(limit, call.at, &t)
		if errors.Is(err, errJournal) {
			return 0, true, err
		}
		if err == nil {
			t.Step = TrialDone
			o.signedOn()
			o.failures = 0
			o.setHealth(true, "connected", "")
		}
		t.Err, t.Forged, t.NoKeys = err, errors.Is(err, errForged), errors.Is(err, terminal.ErrNoKeys)
		if err != nil || call.at != 0 {
			if cerr := o.cfg.Link.Close(); cerr != nil {
				o.cfg.Log.Warn("closing the link", "err", cerr)
			}
		}
		note := "test of " + t.Address
		if err == nil {
			note += ": it is there"
		} else {
			err = fmt.Errorf("%s: %w", note, err)
		}
		if err := o.record(ctx, note, err); err != nil {
			return 0, true, err
		}
		call.reply <- trialReply{trial: t}
		return afterward, false, nil
	}
}

// tryHost does one trial's three steps.
func (o *Owner) tryHost(ctx context.Context, at int, t *Trial) error {
	from := time.Now()
	took := func(d *time.Duration) {
		now := time.Now()
		*d, from = max(now.Sub(from), 1), now
	}
	t.Step = TrialConnect
	if err := o.cfg.ReadyAt(ctx, at); err != nil {
		return err
	}
	took(&t.Connect)
	t.Step = TrialSignOn
	if err := o.signOn(ctx); err != nil {
		t.Refused = refusedBy(err)
		return err
	}
	took(&t.SignOn)
	t.Step = TrialEcho
	message, err := o.composeNetwork(ctx, terminal.Echo, nil)
	if err != nil || message == nil {
		return err
	}
	from = time.Now()
	res, _, err := o.exchange(ctx, message)
	if err == nil && res.Verdict != terminal.VerdictApproved {
		err = fmt.Errorf("the bank refused the echo test: %w", refusal(res.Code))
	}
	if err != nil {
		t.Refused = refusedBy(err)
		return err
	}
	took(&t.Echo)
	return nil
}

// refusal is a response code with which the host refused a message of network management.
type refusal string

func (r refusal) Error() string { return "code " + string(r) }

func refusedBy(err error) string {
	r, _ := errors.AsType[refusal](err)
	return string(r)
}
