package lane

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tillway/device"
	"tillway/device/magstripe"
	"tillway/emv"
	"tillway/terminal"
)

// StripeRules says whether and how cards may be swiped. The zero value takes none.
type StripeRules struct {
	Reader device.Reader // of stripes, beside the one for chips; nil: none

	// FallbackAfter is after how many tries of one sale that a chip did not survive (no answer to reset, or no application in
	// common) the stripe of a chip card is taken; 0: never.
	FallbackAfter int

	// Methods are how the holder of a swiped card may be verified: emv.OnlinePIN, emv.Signature.
	Methods []emv.Method
}

// maxChipTries bounds how often one sale goes back to waiting for a card because of a chip without an application in common.
const maxChipTries = 20

// fallback says that the stripe of a chip card is taken by now.
func (l *Lane) fallback(r *run) bool {
	n := l.cfg.Stripe.FallbackAfter
	return l.cfg.Stripe.Reader != nil && n > 0 && r.chipFailed >= n
}

// leaveIn is the advice while card or bank are talked with; a card that was swiped is not in a reader.
func (r *run) leaveIn() string {
	if r.card == nil {
		return ""
	}
	return "Leave the card in the reader."
}

// present waits for a card at either reader. A chip wins over a swipe of the same moment.
func (l *Lane) present(ctx context.Context) (device.Presented, error) {
	if l.cfg.Stripe.Reader == nil {
		return l.cfg.Reader.Present(ctx)
	}
	type result struct {
		device.Presented
		err error
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	from := func(reader device.Reader) <-chan result {
		got := make(chan result, 1)
		go func() {
			p, err := reader.Present(ctx)
			got <- result{p, err}
		}()
		return got
	}
	chip, stripe := from(l.cfg.Reader), from(l.cfg.Stripe.Reader)
	select {
	case c := <-chip:
		stop()
		<-stripe
		return c.Presented, c.err
	case s := <-stripe:
		stop()
		if c := <-chip; c.err == nil || errors.Is(c.err, device.ErrMute) {
			return c.Presented, c.err
		}
		return s.Presented, s.err
	}
}

// swiped judges a swipe: the chip comes first (Book 4, 6.6 leaves the stripe of a chip card to the case that its chip cannot be
// read). It returns what to tell the cashier when the stripe is not taken, and keeps the card otherwise.
func (l *Lane) swiped(r *run, s magstripe.Swipe) (advice string) {
	service := s.Two.ServiceCode()
	switch err := s.Two.Check(l.cfg.Clock()); {
	case errors.Is(err, magstripe.ErrCheckDigit):
		return "The stripe was misread. Swipe the card again."
	case errors.Is(err, magstripe.ErrExpired):
		return "The card has expired. Ask for another card."
	case err != nil:
		return "The card's stripe is not one to pay with. Ask for another card."
	case !service.Purchases():
		return "The card is for cash only. Ask for another card."
	case service.HasChip() && !l.fallback(r):
		return "The card has a chip: insert it."
	}
	tag57 := s.Two.Tag57()
	track, err := emv.NewTrack2(tag57)
	if err != nil {
		return "The card's stripe is not one to pay with. Ask for another card."
	}
	r.stripe, r.tag57, r.service = track, tag57, service
	r.rec.Entry, r.note = terminal.EnteredStripe, "stripe"
	if service.HasChip() {
		r.rec.Entry = terminal.EnteredFallback
		r.note = fmt.Sprintf("stripe of a chip card, after %d tries of a chip that failed", r.chipFailed)
	}
	if r.rec.ClearStripe {
		r.note += ", read in clear: a TEST"
	}
	return ""
}

// stripeTalk is cardTalk for a card that was swiped: there is no kernel and nothing to ask the card, so it is always the host that
// decides. The cardholder is verified as service code and rules say.
func (l *Lane) stripeTalk(ctx, talk context.Context, r *run) (terminal.Event, error) {
	wait, limit := newCardTime(talk, l.cfg.CardTalk)
	defer limit.stop()
	now := l.cfg.Clock()
	r.rec.LocalTime = now
	params := l.cfg.Params(r.order(), now, r.rec.ID)
	pan := r.stripe.PAN()
	r.rec.MaskedPAN = pan.Masked()
	refuse := func(happened string) (terminal.Event, error) {
		r.cause = terminal.Refusal(terminal.CodeCardDeclined, happened)
		return terminal.Refused, nil
	}
	scheme, pinOnly, taken := acceptance(params.Applications, pan)
	if !taken {
		return refuse("The shop does not take this kind of card.")
	}
	if params.ExceptionFile != nil {
		listed, err := params.ExceptionFile.Listed(wait, pan, -1)
		if err != nil || listed {
			return refuse("The card is on the list of cards that are not taken.")
		}
	}
	out := emv.Outcome{Decision: emv.Online, Scheme: scheme, Label: strings.ToUpper(scheme)} // a stripe has no label, and paper wants one
	out.Data.Put(tagTrack2, r.tag57)
	var err error
	if out.Method, err = l.verifyStripe(wait, r, limit, pinOnly || r.service.PINRequired()); err != nil {
		return l.cardFailed(ctx, wait, r, err)
	}
	if out.Method == emv.NoVerification {
		return refuse("The cardholder cannot be verified at this terminal.")
	}
	out.SignatureDue = out.Method == emv.Signature
	r.txn, r.kernel = swipedCard{out}, out
	r.take(out)
	r.onlineOnly = slices.ContainsFunc(params.Applications, func(a emv.Application) bool { return a.OnlineOnly && emv.BrandFits(a.AID, pan) })
	if r.rec.Kind == terminal.KindForced {
		return l.voice(ctx, talk, r)
	}
	return l.prepare(ctx, talk, r)
}

// verifyStripe verifies the cardholder by online PIN where the service code asks for one (ISO/IEC 7813, third digit), where the
// application must have it or where there is no other method; else by signature, which is due once the host has approved. No
// method fits: emv.NoVerification.
func (l *Lane) verifyStripe(ctx context.Context, r *run, limit *cardTime, must bool) (emv.Method, error) {
	pin := slices.Contains(l.cfg.Stripe.Methods, emv.OnlinePIN)
	signature := slices.Contains(l.cfg.Stripe.Methods, emv.Signature)
	if !pin || signature && !must && !r.service.PINWhereFeasible() {
		if signature && !must {
			return emv.Signature, nil
		}
		return emv.NoVerification, nil
	}
	entry, err := (&holder{lane: l, run: r, limit: limit}).OnlinePIN(ctx, emv.PINRequest{
		PAN: r.stripe.PAN(), Amount: r.rec.Amount, Required: must || !signature,
	})
	switch {
	case err != nil:
		return emv.NoVerification, err
	case entry == emv.PINEntered:
		return emv.OnlinePIN, nil
	case signature && !must:
		return emv.Signature, nil
	}
	return emv.NoVerification, nil
}

// swipedCard is the transaction of a card that is asked for nothing after the host.
type swipedCard struct{ out emv.Outcome }

// Complete implements emv.Transaction: the host's word is the outcome, and without it there is none.
func (c swipedCard) Complete(_ context.Context, answer emv.HostAnswer) (emv.Outcome, error) {
	out := c.out
	out.Decision, out.Reason = emv.Declined, "a swiped card is not sold to without the host"
	if answer.Result == emv.HostApproved {
		out.Decision, out.Reason = emv.Approved, ""
	}
	return out, nil
}

// acceptance finds the scheme of a card number among the applications that the terminal takes: one whose numbers are known before
// one that takes any. pinOnly says that an online PIN is the only way to verify the holder: one of the applications that the
// number fits is taken with nothing else, or the first of them has no signature among its own methods. A stripe names no
// application, so the strictest counts.
func acceptance(applications []emv.Application, pan emv.PAN) (scheme string, pinOnly, taken bool) {
	for _, known := range []bool{true, false} {
		for _, a := range applications {
			if emv.BrandKnown(a.AID) != known || !emv.BrandFits(a.AID, pan) {
				continue
			}
			if own := emv.Capabilities(a.Capabilities); !taken {
				scheme, taken = a.Scheme, true
				pinOnly = own != (emv.Capabilities{}) && !own.Has(emv.CapabilitySignature)
			}
			pinOnly = pinOnly || a.PINRequired
		}
		if taken {
			break
		}
	}
	return scheme, pinOnly, taken
}

// awaitAnother takes the power off a chip that has no application in common with the terminal; the customer is asked for another
// try, or the stripe.
func (l *Lane) awaitAnother(ctx context.Context, r *run) terminal.Event {
	if err := l.cfg.Reader.Release(context.WithoutCancel(ctx)); err != nil {
		l.cfg.Log.Warn("taking the power off the card", "err", err)
	}
	r.chipFailed++
	r.card, l.cardLeft = nil, true
	return terminal.OtherInterface
}

// misread is what the cashier is told of a pass that was of no use: to swipe again, or what is wrong with the reader.
func (l *Lane) misread() string {
	if l.cfg.Stripe.Reader == nil {
		return "The card was not read. Try again."
	}
	if cause := l.cfg.Stripe.Reader.Status().Cause; cause != "" {
		return "The stripe reader is of no use now: " + cause + "."
	}
	return "The stripe was not read. Swipe the card again."
}

// refuseSwipe says why a swipe is not taken, and waits a moment, so that a reader that repeats itself is not asked without end.
func (l *Lane) refuseSwipe(ctx context.Context, r *run, prompt terminal.Prompt, advice string) {
	l.cfg.Log.Info("swipe not taken", "sale", r.rec.ID, "why", advice)
	l.board.show(*r.rec, prompt, advice, false)
	select {
	case <-time.After(errorPause):
	case <-ctx.Done():
	}
}
