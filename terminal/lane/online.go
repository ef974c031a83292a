package lane

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tillway/emv"
	"tillway/money"
	"tillway/terminal"
)

// begin is a transaction's first step: a card is waited for, or what was composed from an earlier one goes out.
func (l *Lane) begin(ctx context.Context, r *run) (terminal.Event, error) {
	if !r.rec.Kind.WithoutCard() {
		return terminal.Start, nil
	}
	if ctx.Err() != nil {
		return "", errLeft
	}
	if l.tells(r.rec.Kind) {
		return terminal.Capture, nil
	}
	return terminal.Refer, nil
}

// keptOut says that a card's application is one that the profile keeps out of the queue.
func keptOut(applications []emv.Application, aid []byte) bool {
	return slices.ContainsFunc(applications, func(a emv.Application) bool { return a.OnlineOnly && bytes.HasPrefix(aid, a.AID) })
}

// known takes the card's data, and judges what the journal knows of the card: whether it is the earlier transaction's, and whether it
// has paid the same a moment ago. An event ends the transaction, or leaves it to the cashier; nothing has been sent.
func (l *Lane) known(ctx, talk context.Context, r *run) (terminal.Event, error) {
	var err error
	if r.data, err = cardData(&r.kernel.Data); err != nil {
		r.cause, r.note = terminal.Refusal(terminal.CodeCardError, "The card's number cannot be read."), err.Error()
		return terminal.Refused, nil
	}
	k := r.rec.Kind
	if r.onlineOnly && (k == terminal.KindForced || k == terminal.KindPreauth) {
		r.cause = terminal.Refusal(terminal.CodeNotTaken, "Cards of this kind are taken with one question to their bank, and nothing else.")
		return terminal.Refused, nil
	}
	var failed error
	token, twin, err := l.cfg.Journal.ByCard(ctx, r.data.PAN, l.cfg.Clock().Add(-l.cfg.Transactions.SameCard), l.twins(ctx, r, &failed))
	if err = errors.Join(err, failed); err != nil {
		if ctx.Err() != nil {
			return "", errLeft
		}
		return "", fmt.Errorf("%w: sales of the card: %w", errJournal, err)
	}
	r.rec.Token = token
	if r.earlier != nil && r.earlier.Sale.Token != token {
		r.cause = terminal.Refusal(terminal.CodeOtherCard, "This is not the card that paid transaction "+r.earlier.Sale.ID.String()+".")
		r.cause.Do = "Ask for the card " + r.earlier.Sale.MaskedPAN + ", and start again."
		return terminal.Refused, nil
	}
	if twin.ID == 0 {
		return "", nil
	}
	r.rec.Twin = twin.ID
	ago := max(l.cfg.Clock().Sub(twin.Started).Round(time.Minute), time.Minute)
	l.board.warn(terminal.SameCardWarning(twin, int(ago.Minutes())))
	if l.cfg.Transactions.AskSameCard {
		return l.confirmed(ctx, talk, r)
	}
	return "", nil
}

// twins says which sales of a card are warned about: the same card has just paid the same amount, and mostly that is one sale made
// twice. What was voided is none; nil where nothing is warned about. failed takes the journal's error.
func (l *Lane) twins(ctx context.Context, r *run, failed *error) func(terminal.Sale) bool {
	k := r.rec.Kind
	if l.cfg.Transactions.SameCard <= 0 || (k != terminal.KindSale && k != terminal.KindForced && k != terminal.KindPreauth) {
		return nil
	}
	return func(s terminal.Sale) bool {
		if s.Amount != r.rec.Amount || (s.Kind != terminal.KindSale && s.Kind != terminal.KindForced && s.Kind != k) {
			return false
		}
		voided, err := l.voided(ctx, s)
		if err != nil && !errors.Is(err, terminal.ErrOrder) { // what is not sure is warned about
			*failed = err
		}
		return !voided
	}
}

// confirmed waits for somebody to say that the same card is meant to pay the same again. A no, and no word in time, cancel the sale:
// nothing was sent. No event: it goes on.
func (l *Lane) confirmed(ctx, talk context.Context, r *run) (terminal.Event, error) {
	wait, stop := context.WithTimeoutCause(talk, l.cfg.CardWait, errTimeOut)
	defer stop()
	said := l.board.ask()
	select {
	case <-said:
	case <-wait.Done():
	}
	switch meant, by, answered := l.board.told(); {
	case answered && meant:
		r.note = by + " says that the same card is meant to pay the same again"
		return "", nil
	case answered:
		r.cause, r.note = terminal.Unconfirmed(false), by+" says that it is the same sale"
		return terminal.Cancel, nil
	}
	event, err := l.interrupted(ctx, wait, r, wait.Err())
	if event == terminal.TimeOut {
		r.cause = terminal.Unconfirmed(true)
	}
	return event, err
}

// voice finishes a sale that the issuer has approved by telephone: no host is asked, and the card is told of an approval. A card that
// refuses it ends the sale.
func (l *Lane) voice(ctx, talk context.Context, r *run) (terminal.Event, error) {
	if event, err := l.known(ctx, talk, r); event != "" || err != nil {
		return event, err
	}
	if !l.board.pointOfNoReturn(talk) {
		return l.interrupted(ctx, talk, r, talk.Err())
	}
	r.rec.Way = terminal.WayVoice
	if r.txn != nil {
		wait, stop := context.WithTimeout(context.WithoutCancel(ctx), l.cfg.CardTalk)
		defer stop()
		out, err := r.txn.Complete(wait, emv.HostAnswer{Result: emv.HostApproved, ARC: [2]byte{'0', '0'}})
		if err != nil {
			r.detail, r.note = sentence(err), err.Error()
			return terminal.Removed, nil
		}
		r.kernel = out
		r.take(out)
		if out.Decision != emv.Approved {
			r.cause, r.note = terminal.Refusal(terminal.CodeCardRefused, "The card refused what its bank approved by telephone."), out.Reason
			return terminal.Refused, nil
		}
	}
	if err := l.owe(ctx, r, l.cfg.Owner.advice); err != nil {
		return l.fault(r, "The advice cannot be composed", err), nil
	}
	if r.rec.Signature {
		return terminal.AgreementNeeded, nil
	}
	return terminal.VoiceApproved, nil
}

// inPart takes what the host says that it approved. It reports false for an amount that cannot be taken: more than was asked for, or a
// part where the transaction has none.
func (r *run) inPart(approved money.Amount) bool {
	s := r.rec
	switch {
	case approved.Minor == 0, approved == s.Amount:
		return true
	case approved.Minor < 0, approved.Minor > s.Amount.Minor, approved.Currency != s.Amount.Currency:
		return false
	case s.Kind != terminal.KindSale && s.Kind != terminal.KindPreauth:
		return false
	}
	s.Approved = approved
	return true
}

// capture is what follows from yes to the host's approval: agreed, or where the sale is in two its completion advice too. One that
// cannot be composed makes a no of it: what the host has approved is reversed.
func (l *Lane) capture(ctx context.Context, r *run, agreed, not terminal.Event) terminal.Event {
	if !r.rec.TwoStep || r.rec.State == terminal.AgreementOffline {
		return agreed
	}
	note := r.note
	r.rec.Way = terminal.WayOnline
	if err := l.owe(ctx, r, l.cfg.Owner.advice); err != nil {
		l.fault(r, "The advice cannot be composed", err)
		return not
	}
	r.note = note
	return terminal.CaptureDue
}

// asking has the owner send an inquiry, and tells the card what came of it, which ends its transaction; whatever the card says, the
// answer stands.
func (l *Lane) asking(ctx context.Context, r *run) terminal.Event {
	event := l.sending(ctx, r)
	result := emv.HostUnable
	switch event {
	case terminal.HostApproved:
		r.rec.Balance, result = r.reply.Response.Balance, emv.HostApproved
	case terminal.HostDeclined:
		result = emv.HostDeclined
	case terminal.NoAnswer:
		r.cause = terminal.Unanswered(r.reply.Detail)
	default: // not sent: the cause says so
	}
	wait, stop := context.WithTimeout(context.WithoutCancel(ctx), l.cfg.CardTalk)
	defer stop()
	res := r.reply.Response
	out, err := r.txn.Complete(wait, emv.HostAnswer{Result: result, ARC: res.ARC, IssuerData: res.Issuer})
	if err != nil {
		l.cfg.Log.Info("the card did not hear the end of an inquiry", "sale", r.rec.ID, "err", err)
		return event
	}
	r.kernel = out
	r.take(out)
	return event
}
