package lane

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"tillway/terminal"
)

// keyState is what the owner knows of its acquirer's keys.
type keyState struct {
	since     time.Time // when those in force came; zero: not in this run
	messages  int       // exchanged since
	wanted    string    // why new ones are due; empty: they are not
	notBefore time.Time // after an exchange that failed
	anew      bool      // the next exchange is to be as the first one
	erred     keyError  // the debt that met one last

	order     terminal.HostOrder // of the host, not carried out yet
	challenge []byte             // that it came with
	destroyed time.Time          // when keys were destroyed on the host's order; zero: they were not
}

// keyError is a debt whose message the host could not work with, and the generation of keys that it was under at first.
type keyError struct{ debt, generation int64 }

// wantKeys makes new session keys due.
func (o *Owner) wantKeys(why string) {
	if o.cfg.Sessions != nil && o.keys.wanted == "" {
		o.keys.wanted = why
	}
}

// newKeysMayHelp says that a debt whose message met a key error is worth another sending once the keys have changed: they have
// not since it met the first one.
func (o *Owner) newKeysMayHelp(debt int64) bool {
	now := o.generation.Load()
	if o.keys.erred.debt != debt {
		o.keys.erred = keyError{debt, now}
	}
	return o.cfg.Sessions != nil && o.keys.erred.generation == now
}

// RenewKeys makes the owner ask for new session keys as soon as no sale runs. anew asks without a MAC, as a terminal does that
// has no keys yet: for a host that has lost those in force, which stay until the new ones have proved themselves. false: this
// acquirer has no session keys.
func (o *Owner) RenewKeys(anew bool) bool {
	if o.cfg.Sessions == nil {
		return false
	}
	select {
	case o.renew <- anew:
	default: // one is waiting already
	}
	return true
}

// hold keeps the keys as they are while a sale runs, and waits while they are being changed.
func (o *Owner) hold(ctx context.Context) (release func()) {
	select {
	case o.quiet <- struct{}{}:
		return func() {
			<-o.quiet
			select {
			case o.free <- struct{}{}: // what waited for the sale to end
			default:
			}
		}
	case <-ctx.Done():
		return func() {}
	}
}

// signOn begins a fresh connection. With session keys it also finds out which keys the host has.
func (o *Owner) signOn(ctx context.Context) error {
	if o.cfg.Sessions == nil {
		return o.signOnUnder(ctx, o.keyInForce)
	}
	inForce, proposed, err := o.cfg.Sessions.Held(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("session keys: %w", err)
	case !inForce && !proposed, o.keys.anew:
		o.keys.anew = false
		return o.exchangeKeys(ctx, nil) // nothing to authenticate it with: the keys prove themselves
	case !proposed:
		return o.signOnUnder(ctx, o.keyInForce)
	}
	// An exchange was cut off before anybody knew how it ended: the host may have either.
	switch err := o.signOnUnder(ctx, o.cfg.Sessions.ProposedKey); {
	case err == nil:
		return o.confirm(ctx)
	case !errors.Is(err, errForged):
		return err // no answer says nothing: both stay
	case !inForce:
		return o.exchangeKeys(ctx, nil)
	}
	if err := o.signOnUnder(ctx, o.keyInForce); err != nil {
		return err
	}
	o.wantKeys("the last exchange was cut off")
	return o.cfg.Sessions.Withdraw(ctx)
}

// composeNetwork makes a message of network management with a trace number of its own.
func (o *Owner) composeNetwork(ctx context.Context, kind terminal.NetworkKind, challenge []byte) ([]byte, error) {
	n, err := o.cfg.Traces.Next(ctx)
	if err != nil {
		return nil, fmt.Errorf("no trace number: %w", err)
	}
	return o.cfg.Dialect.Network(terminal.NetworkRequest{
		Kind: kind, STAN: stan(n), Time: o.cfg.Clock(), TerminalID: o.cfg.TerminalID, MerchantID: o.cfg.MerchantID,
		Challenge: challenge, Order: o.keys.order,
	})
}

// signOnUnder signs on under a key, where the dialect signs on with a MAC, and takes the host's word on serial numbers and
// its orders.
func (o *Owner) signOnUnder(ctx context.Context, next keySource) error {
	var challenge []byte
	if o.cfg.Random != nil {
		challenge = make([]byte, terminal.ChallengeBytes)
		if _, err := io.ReadFull(o.cfg.Random, challenge); err != nil {
			return fmt.Errorf("challenge of the sign-on: %w", err)
		}
	}
	message, err := o.composeNetwork(ctx, terminal.SignOn, challenge)
	if err != nil || message == nil {
		return err
	}
	signed := o.cfg.Dialect.MACed(message)
	if !signed {
		next = nil
	}
	res, _, err := o.exchangeUnder(ctx, message, next)
	if errors.Is(err, errForged) {
		o.audit(ctx, false, "an answer to the sign-on that is not the bank's: nothing that it may order was done")
	}
	if err == nil && res.Verdict != terminal.VerdictApproved {
		err = fmt.Errorf("the bank refused the sign-on: %w", refusal(res.Code))
	}
	if errors.Is(err, errJournal) {
		return err
	}
	if err == nil && signed {
		err = o.cfg.Macs.HostSaw(ctx, res.SeenPIN, res.SeenMAC)
	}
	if err == nil {
		o.takeOrder(ctx, res, signed, challenge)
	}
	return errors.Join(err, o.record(ctx, "signed on"+o.at(), err))
}

// record writes what came of a message of network management to the journal. Its error is the journal's.
func (o *Owner) record(ctx context.Context, note string, err error) error {
	if err != nil {
		note = err.Error()
	}
	entry := terminal.Entry{Time: o.cfg.Clock(), Kind: terminal.SignOnEntry, Note: brief(note)}
	if jerr := o.cfg.Journal.Append(context.WithoutCancel(ctx), false, entry); jerr != nil {
		return fmt.Errorf("%w: %w", errJournal, jerr)
	}
	return nil
}

func (o *Owner) audit(ctx context.Context, done bool, note string) {
	if o.cfg.Audit != nil {
		o.cfg.Audit(context.WithoutCancel(ctx), done, note)
	}
}

// takeOrder notes what the host orders in the answer to a sign-on, if it is fresh and under its MAC: an answer of an earlier
// sign-on, played again, has another challenge.
func (o *Owner) takeOrder(ctx context.Context, res terminal.Response, signed bool, challenge []byte) {
	refuse := func(why string) {
		o.audit(ctx, false, fmt.Sprintf("the bank's order to %s was refused: %s", string(res.Order), why))
		o.cfg.Log.Warn("order of the host refused", "order", res.Order, "why", why)
	}
	switch {
	case res.Order == "" || res.Order == o.keys.order:
	case !signed:
		refuse("it came without a MAC")
	case len(challenge) == 0 || !bytes.Equal(res.Challenge, challenge):
		refuse("it is not the answer to this sign-on")
	case res.Order == terminal.OrderExchange && o.cfg.Sessions != nil:
		o.audit(ctx, true, "the bank orders new session keys")
		o.wantKeys("the bank ordered it")
		o.keys.notBefore = time.Time{}
	case res.Order == terminal.OrderDestroy && o.cfg.Destroy != nil:
		o.audit(ctx, true, "the bank orders this terminal's keys destroyed: what is owed to it goes out first")
		o.keys.order, o.keys.challenge = res.Order, challenge
		o.withdrawn.Store(true)
	default:
		refuse("this terminal does not do that")
	}
}

// manage does between sales what changes keys: what the host ordered, or an exchange that is due. Its error is the
// journal's.
func (o *Owner) manage(ctx context.Context) error {
	why := o.exchangeDue()
	if why == "" && o.keys.order == "" {
		return nil
	}
	select {
	case o.quiet <- struct{}{}:
		defer func() { <-o.quiet }()
	default:
		return nil // a sale runs: when it has ended
	}
	if o.keys.order == terminal.OrderDestroy {
		return o.destroy(ctx)
	}
	o.cfg.Log.Info("session keys are due", "why", why)
	next := o.keyInForce
	if o.keys.anew {
		next, o.keys.anew = nil, false
	}
	if err := o.exchangeKeys(ctx, next); errors.Is(err, errJournal) {
		return err
	} else if err != nil {
		o.keys.notBefore = o.cfg.Clock().Add(o.cfg.RetryMax)
		o.cfg.Log.Warn("session keys were not changed: those in force stay", "err", err)
	}
	return nil
}

// exchangeDue says why new session keys are due now, or nothing.
func (o *Owner) exchangeDue() string {
	now := o.cfg.Clock()
	switch k := &o.keys; {
	case o.cfg.Sessions == nil:
		return ""
	case o.cfg.KeyLife > 0 && (now.Sub(k.since) >= o.cfg.KeyLife || k.since.Sub(now) > o.cfg.RetryMax): // or the clock was put back
		o.wantKeys("they are as old as they may become")
	case o.cfg.KeyMessages > 0 && k.messages >= o.cfg.KeyMessages:
		o.wantKeys("they have been used as often as they may be")
	}
	if wait := o.keys.notBefore.Sub(now); wait > 0 && wait <= o.cfg.RetryMax { // more is a clock that was put back
		return ""
	}
	return o.keys.wanted
}

// exchangeKeys asks the host for session keys, has the module take them, and proves them by a sign-on under the new MAC key;
// only then they are in force. next is the MAC key of the question, nil where there is none yet.
func (o *Owner) exchangeKeys(ctx context.Context, next keySource) error {
	err := o.receiveKeys(ctx, next)
	if errors.Is(err, errJournal) {
		return err
	}
	if jerr := o.record(ctx, "session keys received", err); err != nil || jerr != nil {
		return errors.Join(err, jerr)
	}
	if err = o.signOnUnder(ctx, o.cfg.Sessions.ProposedKey); err == nil {
		return o.confirm(ctx)
	}
	// Whether the host has put them in force nobody knows: the next connection begins with that question.
	return errors.Join(fmt.Errorf("the new session keys were not confirmed: %w", err), o.cfg.Link.Close())
}

func (o *Owner) receiveKeys(ctx context.Context, next keySource) error {
	message, err := o.composeNetwork(ctx, terminal.KeyExchange, nil)
	if err != nil {
		return err
	}
	res, _, err := o.exchangeUnder(ctx, message, next)
	switch {
	case errors.Is(err, errForged):
		o.audit(ctx, false, "session keys in an answer that is not the bank's: those in force stay")
		return err
	case err != nil:
		return err
	case res.Verdict != terminal.VerdictApproved:
		return fmt.Errorf("the bank refused the key exchange: %w", refusal(res.Code))
	}
	if err := o.cfg.Sessions.Propose(ctx, res.Keys); err != nil {
		o.audit(ctx, false, "session keys of the bank: "+err.Error())
		return fmt.Errorf("the bank's session keys were refused: %w", err)
	}
	return nil
}

// confirm puts proposed keys in force, which the host has just proved to have.
func (o *Owner) confirm(ctx context.Context) error {
	if err := o.cfg.Sessions.Confirm(ctx); err != nil {
		return errors.Join(fmt.Errorf("session keys: %w", err), o.cfg.Link.Close())
	}
	o.keys.since, o.keys.messages, o.keys.wanted, o.keys.notBefore = o.cfg.Clock(), 0, "", time.Time{}
	o.generation.Add(1)
	return o.record(ctx, "new session keys are in force", nil)
}

// destroy carries out the host's order once nothing is owed to anybody: the queue drains first. The word that it is done gets
// its MAC before, under a key that is still there, and leaves after: the host forgets its order when it hears it, so a power
// cut must not find keys then. Whether it arrives does not matter.
func (o *Owner) destroy(ctx context.Context) error {
	due, err := o.owed(ctx) // what is parked, or waits behind that, the bank has refused for good: it needs no key any more
	if err != nil {
		return err
	}
	if left := len(due); left > 0 {
		o.setHealth(false, "keys withdrawn", fmt.Sprintf("the bank has ordered this terminal's keys destroyed; %d messages are owed to it and go out first (pos queue)", left))
		return nil
	}
	word, unsaid := o.wordOfOrder(ctx)
	if err := o.cfg.Destroy(ctx); err != nil {
		o.setHealth(false, "keys withdrawn", "the bank has ordered this terminal's keys destroyed, and it failed: "+err.Error())
		o.cfg.Log.Error("destroying keys on the host's order", "err", err)
		return nil
	}
	o.keys.order, o.keys.challenge, o.keys.destroyed = "", nil, o.cfg.Clock()
	o.audit(ctx, true, "the acquirer's keys were destroyed on the bank's order")
	if err := o.record(ctx, "the keys were destroyed on the bank's order", nil); err != nil {
		return err
	}
	if unsaid == nil {
		_, _, unsaid = o.cfg.Link.Exchange(ctx, word) // nothing is left to believe an answer with
	}
	if err := o.record(ctx, "told the bank that the keys are destroyed", unsaid); err != nil {
		return err
	}
	if err := o.cfg.Link.Close(); err != nil {
		o.cfg.Log.Warn("closing the link", "err", err)
	}
	o.setHealth(false, keysDestroyed, o.withoutKeys())
	return nil
}

// wordOfOrder is the message that says that the host's order is carried out, with its MAC.
func (o *Owner) wordOfOrder(ctx context.Context) ([]byte, error) {
	message, err := o.composeNetwork(ctx, terminal.OrderDone, o.keys.challenge)
	if err != nil || !o.cfg.Dialect.MACed(message) {
		return message, err
	}
	key, message, err := o.authenticate(ctx, message, o.keyInForce)
	if err == nil {
		o.cfg.Macs.Release(context.WithoutCancel(ctx), key)
	}
	return message, err
}

const keysDestroyed = "keys destroyed"

// withoutKeys is the cause that a status gives when the host had keys destroyed and no others came.
func (o *Owner) withoutKeys() string {
	return "the bank ordered this terminal's keys destroyed, which was done at " + o.keys.destroyed.Format(time.DateTime) + ": load new keys (pos keys)"
}
