package lane

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"tillway/terminal"
)

var errForged = errors.New("the answer is not the bank's")

// exchange is the one way over the wire: it takes a MAC key for this sending alone, has the message authenticated, sends
// it, and lets nothing of the answer be read before its MAC has been verified. The key is taken here and not when the
// message is composed, so that serial numbers go up in the order of the wire, and no sending, first or repeated, shares
// one with another. An answer without the MAC that it must have, or with a wrong one, is put aside and is none.
//
// sent says whether any byte may have left. The error is errJournal, or why there is no answer that can be used.
func (o *Owner) exchange(ctx context.Context, message []byte) (res terminal.Response, sent bool, err error) {
	if !o.cfg.Dialect.MACed(message) {
		return o.exchangeUnder(ctx, message, nil)
	}
	return o.exchangeUnder(ctx, message, o.keyInForce)
}

// A keySource takes the MAC key for one message.
type keySource func(context.Context) (terminal.MACKey, error)

// keyInForce is the keySource of all messages but those that prove a new key.
func (o *Owner) keyInForce(ctx context.Context) (terminal.MACKey, error) {
	if o.cfg.Macs == nil {
		return terminal.MACKey{}, errors.New("the terminal has no secure module")
	}
	return o.cfg.Macs.NextKey(ctx)
}

// exchangeUnder is exchange under a key of the caller's choice; nil for a message without a MAC.
func (o *Owner) exchangeUnder(ctx context.Context, message []byte, next keySource) (res terminal.Response, sent bool, err error) {
	var key terminal.MACKey
	signed := next != nil
	if signed {
		if key, message, err = o.authenticate(ctx, message, next); err != nil {
			return res, false, fmt.Errorf("the message cannot be authenticated: %w", err)
		}
		defer o.cfg.Macs.Release(context.WithoutCancel(ctx), key)
	}
	answer, sent, err := o.cfg.Link.Exchange(ctx, message)
	if err != nil {
		o.lost(err)
		return res, sent, err
	}
	res, err = o.believe(ctx, answer, key, signed)
	return res, true, err
}

// believe reads an answer, once its MAC is verified where it has to have one.
func (o *Owner) believe(ctx context.Context, answer []byte, key terminal.MACKey, signed bool) (res terminal.Response, err error) {
	if signed {
		if err := o.verify(ctx, key, answer); err != nil {
			return res, err
		}
	}
	if res, err = o.cfg.Dialect.Response(answer); err != nil {
		return res, fmt.Errorf("the answer cannot be read: %w", err)
	}
	o.keys.messages++
	o.lastUsed = time.Now()
	o.hostSaid(res.Time)
	if res.KeyError {
		o.wantKeys("the bank could not work with a key")
	}
	return res, nil
}

// exchanged is what came of one of several messages.
type exchanged struct {
	res  terminal.Response
	sent bool
	err  error // why there is no answer that can be used
}

// exchangeAll is exchange for several messages, all sent before the first answer is waited for; their MAC keys are taken in the
// order of the wire. The error is errJournal.
func (o *Owner) exchangeAll(ctx context.Context, messages [][]byte) ([]exchanged, error) {
	all := make([]exchanged, len(messages))
	if len(messages) == 1 {
		all[0].res, all[0].sent, all[0].err = o.exchange(ctx, messages[0])
		if errors.Is(all[0].err, errJournal) {
			return nil, all[0].err
		}
		return all, nil
	}
	type signature struct {
		key    terminal.MACKey
		signed bool
	}
	var out [][]byte
	var under []signature
	defer func() {
		for _, u := range under {
			if u.signed {
				o.cfg.Macs.Release(context.WithoutCancel(ctx), u.key)
			}
		}
	}()
	for i, message := range messages {
		u := signature{signed: o.cfg.Dialect.MACed(message)}
		if u.signed {
			var err error
			if u.key, message, err = o.authenticate(ctx, message, o.keyInForce); err != nil { // what is behind it keeps its place behind it
				for j := i; j < len(all); j++ {
					all[j].err = fmt.Errorf("the message cannot be authenticated: %w", err)
				}
				break
			}
		}
		out, under = append(out, message), append(under, u)
	}
	if len(out) == 0 {
		return all, nil
	}
	answers, sent, err := o.cfg.Link.Pipeline(ctx, out)
	if err != nil {
		o.lost(err)
	}
	for i := range out {
		all[i].sent = i < sent
		if i >= len(answers) || answers[i] == nil {
			all[i].err = cmp.Or(err, errNoAnswer)
			continue
		}
		if all[i].res, all[i].err = o.believe(ctx, answers[i], under[i].key, under[i].signed); errors.Is(all[i].err, errJournal) {
			return nil, all[i].err
		}
	}
	return all, nil
}

var errNoAnswer = errors.New("no answer came")

// authenticate gives a message its key's serial number and its MAC.
func (o *Owner) authenticate(ctx context.Context, message []byte, next keySource) (key terminal.MACKey, out []byte, err error) {
	if key, err = next(ctx); err != nil {
		return key, nil, err
	}
	out, err = o.cfg.Dialect.WithMAC(message, key.KSN, func(data []byte) ([]byte, error) { return o.cfg.Macs.MAC(ctx, key, data) })
	if err != nil {
		o.cfg.Macs.Release(context.WithoutCancel(ctx), key)
	}
	return key, out, err
}

// verify believes an answer, or puts it aside.
func (o *Owner) verify(ctx context.Context, key terminal.MACKey, answer []byte) error {
	a, err := o.cfg.Dialect.AnswerMAC(answer)
	switch {
	case err != nil:
	case len(a.MAC) == 0:
		err = errors.New("it has no MAC")
	default:
		err = o.cfg.Macs.Verify(ctx, key, a.Data, a.MAC)
	}
	if err == nil {
		return nil
	}
	err = fmt.Errorf("%w: %w", errForged, err)
	o.lost(err)
	a.Stray.Time, a.Stray.Reason = o.cfg.Clock(), err.Error()
	if jerr := o.quarantine(ctx, a.Stray); jerr != nil {
		return jerr
	}
	return err
}
