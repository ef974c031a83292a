package lane

import (
	"context"
	"encoding/hex"
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

// errLeft ends a sale that the daemon's stop found before its request could leave: nothing of it is on disk.
var errLeft = errors.New("sale left: the terminal is stopping")

// run is one running sale: its record and what must not be kept.
type run struct {
	rec    *terminal.Sale
	card   emv.Card
	taken  bool // the card was taken out before the sale's end
	txn    emv.Transaction
	kernel emv.Outcome
	reply  Reply

	stripe     emv.Track2            // of a card that was swiped
	tag57      []byte                // the same, as the dialect takes it
	service    magstripe.ServiceCode // with it
	chipFailed int                   // tries of a chip in this sale that it did not survive

	earlier    *earlier // the transaction that this one is about; nil: none
	onlineOnly bool     // its application is never in the queue of what the host has yet to hear of

	pin     terminal.PINBlock // until the request is composed
	pinKeys int64             // generation of the session keys that it is under; keysOfAny: there is none
	data    terminal.CardData // of the card, once it is known
	sealed  bool              // they are on disk
	request []byte            // composed, in memory and sealed in the journal until the answer
	secret  *terminal.Secret  // to be sealed with the next row that owes something, or asks
	closed  string            // why this sale is not approved without the host; empty: it may be, or nobody asked

	cause  terminal.Outcome // what the final state will say, where the table's own words are not enough
	detail string           // one whole sentence for the cashier about card or reader
	note   string           // of the journal row: a technician's words
}

// sell brings one sale to a final state. ctx ends when the daemon stops, talk also when the cashier cancels.
func (l *Lane) sell(ctx, talk context.Context, r *run) error {
	rec := r.rec
	defer r.dropPIN()
	for !rec.State.Final() {
		event, err := l.act(ctx, talk, r)
		if err != nil {
			return err
		}
		if err := l.step(context.WithoutCancel(ctx), r, event); err != nil {
			return err
		}
	}
	if rec.State == terminal.Reversed && ctx.Err() == nil { // a daemon that stops leaves it for the next start
		l.cfg.Owner.Poke()
	}
	if r.card != nil {
		if err := l.cfg.Reader.Release(context.WithoutCancel(ctx)); err != nil {
			l.cfg.Log.Warn("taking the power off the card", "err", err)
		}
	}
	return nil
}

// act does the one action of the sale's state and says what came of it. Its error is errLeft or a defect.
func (l *Lane) act(ctx, talk context.Context, r *run) (terminal.Event, error) {
	switch r.rec.State {
	case terminal.Ready:
		return l.begin(ctx, r)
	case terminal.AwaitCard:
		return l.awaitCard(ctx, talk, r)
	case terminal.CardTalk:
		return l.cardTalk(ctx, talk, r)
	case terminal.Sending:
		return l.sending(ctx, r), nil
	case terminal.Asking:
		return l.asking(ctx, r), nil
	case terminal.FinishApproved:
		return l.finish(ctx, r, emv.HostApproved)
	case terminal.FinishDeclined:
		return l.finish(ctx, r, emv.HostDeclined)
	case terminal.FinishUnable, terminal.FinishUnanswered:
		return l.finish(ctx, r, emv.HostUnable)
	case terminal.AgreementOnline, terminal.AgreementOffline:
		return l.agreement(ctx, r), nil
	case terminal.Approved, terminal.Declined, terminal.Cancelled, terminal.Reversed:
	}
	return "", fmt.Errorf("state %s has no action: defect", r.rec.State)
}

// step takes the table's row for an event: record, journal, then show.
func (l *Lane) step(ctx context.Context, r *run, event terminal.Event) error {
	row, err := terminal.Next(l.table, r.rec.State, event)
	if err != nil {
		return err
	}
	now := l.cfg.Clock()
	rec := *r.rec
	rec.State, rec.Updated = row.To, now
	if row.To == terminal.Approved && rec.Way == "" {
		rec.Way = terminal.WayOnline
	}
	if row.To.Final() {
		rec.Outcome = terminal.Conclude(row, rec, r.cause, r.detail)
	}
	entry := terminal.Entry{
		Time: now, Kind: terminal.SaleEntry, From: row.From, Event: string(event), Duties: row.Duties,
		Sale: &rec, Note: brief(r.note), Erase: row.From == terminal.Sending || row.From == terminal.Asking,
	}
	owes := slices.ContainsFunc(row.Duties, func(d terminal.Duty) bool { return d != terminal.DischargeReversal })
	seals := owes || row.To == terminal.Asking
	if seals {
		entry.Secret = r.secret
	}
	if err := l.cfg.Journal.Append(ctx, row.Commit, entry); err != nil {
		return fmt.Errorf("%w: %w", errJournal, err)
	}
	if r.note = ""; seals {
		r.secret, r.sealed = nil, true
	}
	*r.rec = rec
	l.cfg.Log.Info("sale", "sale", rec.ID, "from", row.From, "event", event, "to", row.To, "duties", row.Duties)
	l.show(r)
	return nil
}

// show publishes the sale's state. A final state is on disk by now.
func (l *Lane) show(r *run) {
	prompt, advice := terminal.PromptNone, ""
	switch s := r.rec.State; s {
	case terminal.AwaitCard:
		prompt, advice = terminal.PromptInsertCard, "Ask the customer to insert the card."
		if l.fallback(r) {
			advice = "The chip does not work here: swipe the card, or insert another."
		}
		if l.cardLeft {
			prompt, advice = terminal.PromptRemoveCard, "Take the last card out of the reader first."
		}
	case terminal.CardTalk, terminal.FinishApproved, terminal.FinishDeclined, terminal.FinishUnable, terminal.FinishUnanswered:
		prompt, advice = terminal.PromptWait, r.leaveIn()
	case terminal.Sending, terminal.Asking:
		prompt, advice = terminal.PromptAuthorising, r.leaveIn()
	case terminal.Approved:
		prompt, advice = terminal.FinalPrompt(*r.rec), r.rec.Outcome.Do
	case terminal.Declined, terminal.Cancelled, terminal.Reversed:
		prompt, advice = terminal.FinalPrompt(*r.rec), r.rec.Outcome.Do
		switch res := r.reply.Response; {
		case res.WrongPIN:
			prompt, advice = terminal.PromptWrongPIN, r.rec.Outcome.Happened+" "+r.rec.Outcome.Do
		case res.PINBlocked, s == terminal.Declined && pinBlocked(r.kernel):
			prompt = terminal.PromptPINBlocked
		}
	case terminal.AgreementOnline, terminal.AgreementOffline:
		prompt, advice = terminal.Question(*r.rec, l.cfg.AgreementWait)
	case terminal.Ready:
	}
	if r.rec.State.Final() && !r.rec.Kind.WithoutCard() {
		l.cardLeft = r.card != nil && !r.taken
	}
	l.board.show(*r.rec, prompt, advice, r.rec.State.Final() && l.cardLeft)
}

// awaitCard waits for a card: for the last one to leave, then for this one to come.
func (l *Lane) awaitCard(ctx, talk context.Context, r *run) (terminal.Event, error) {
	wait, stop := context.WithTimeoutCause(talk, l.cfg.CardWait, errTimeOut)
	defer stop()
	for {
		if l.cardLeft {
			if err := l.cfg.Reader.AwaitRemoval(wait); err != nil {
				return l.interrupted(ctx, wait, r, err)
			}
			l.takenOut()
			l.show(r)
		}
		p, err := l.present(wait)
		switch {
		case err == nil && p.Technology == device.MagStripe:
			r.rec.ClearStripe = p.Clear
			advice := l.swiped(r, p.Stripe)
			if advice == "" {
				return terminal.Presented, nil
			}
			l.refuseSwipe(wait, r, terminal.PromptInsertCard, advice)
			continue
		case err == nil:
			r.card = p.Card
			r.rec.Entry, r.rec.ClearStripe = terminal.EnteredChip, false
			r.note = fmt.Sprintf("ATR %X", p.ATR)
			return terminal.Presented, nil
		case wait.Err() != nil:
			return l.interrupted(ctx, wait, r, err)
		case errors.Is(err, device.ErrClosed):
			return "", fmt.Errorf("waiting for a card: %w", err)
		case errors.Is(err, device.ErrMisread):
			l.cfg.Log.Warn("swipe not read", "err", err)
			l.refuseSwipe(wait, r, terminal.PromptCardError, l.misread())
			continue
		case errors.Is(err, device.ErrMute):
			r.chipFailed++
		}
		// A card that does not answer, or a reader that went away: say so and wait for another try.
		l.cfg.Log.Warn("card not usable", "err", err)
		l.cardLeft = true
		l.board.show(*r.rec, terminal.PromptCardError, sentence(err)+" Take the card out and try again.", false)
		select {
		case <-time.After(errorPause):
		case <-wait.Done():
		}
	}
}

// errorPause keeps a reader that fails at once from being asked without end.
const errorPause = 250 * time.Millisecond

var errTimeOut = errors.New("time is over")

// interrupted says why a wait of the sale ended: cashier, time-out, or the daemon's stop.
func (l *Lane) interrupted(ctx, wait context.Context, r *run, err error) (terminal.Event, error) {
	switch cause := context.Cause(wait); {
	case ctx.Err() != nil:
		return "", errLeft
	case errors.Is(cause, errCancelled):
		return terminal.Cancel, nil
	case errors.Is(cause, errTimeOut):
		if st := l.cfg.Reader.Status(); st.Condition == device.Absent {
			r.detail, r.note = "The reader is not connected.", st.Cause
		}
		return terminal.TimeOut, nil
	}
	return "", fmt.Errorf("waiting for a card: %w", err)
}

// cardTalk runs the kernel up to the first cryptogram and, when it wants the host, prepares the messages.
func (l *Lane) cardTalk(ctx, talk context.Context, r *run) (terminal.Event, error) {
	if !r.stripe.IsZero() {
		return l.stripeTalk(ctx, talk, r)
	}
	wait, limit := newCardTime(talk, l.cfg.CardTalk)
	defer limit.stop()
	now := l.cfg.Clock()
	r.rec.LocalTime = now
	params := l.cfg.Params(r.order(), now, r.rec.ID)
	if params.Offline = (gate{l, r}); l.cfg.Offline.Approvals.Count > 0 {
		params.History = history{l}
	}
	txn, out, err := l.cfg.Kernel.Begin(wait, l.hear(r.card), params, &holder{lane: l, run: r, limit: limit})
	if err != nil {
		r.take(out) // as far as it came: for whoever asks why
		return l.cardFailed(ctx, wait, r, err)
	}
	r.txn, r.kernel = txn, out
	r.take(out)
	r.onlineOnly = keptOut(params.Applications, out.AID)
	if r.rec.Kind == terminal.KindForced && (out.Decision == emv.Online || out.Decision == emv.Approved) {
		return l.voice(ctx, talk, r)
	}
	switch out.Decision {
	case emv.Online:
		return l.prepare(ctx, talk, r)
	case emv.Approved:
		if event, err := l.known(ctx, talk, r); event != "" || err != nil {
			return event, err
		}
		switch taken, err := l.approvedAlone(ctx, r); {
		case err != nil:
			return "", err
		case taken && out.SignatureDue:
			return terminal.AgreementNeeded, nil
		case taken:
			return terminal.OfflineApproved, nil
		}
		r.cause = terminal.Refusal(terminal.CodeCardError, r.detail)
		return terminal.Refused, nil
	case emv.OtherInterface:
		r.note = out.Reason
		if l.cfg.Stripe.Reader != nil && l.cfg.Stripe.FallbackAfter > 0 && r.chipFailed < maxChipTries {
			return l.awaitAnother(ctx, r), nil
		}
		r.cause = terminal.Refusal(terminal.CodeCardError, "The card cannot be used here.")
		return terminal.Refused, nil
	case emv.Terminated:
		r.cause = terminal.Refusal(terminal.CodeCardError, "The card cannot be used.")
		r.note = out.Reason
		return terminal.Refused, nil
	case emv.Declined:
		r.note = out.Reason
		return terminal.Refused, nil
	}
	return "", fmt.Errorf("kernel decided %q: defect", out.Decision)
}

// cardFailed sorts what can go wrong while card and terminal talk, before anything is sent.
func (l *Lane) cardFailed(ctx, wait context.Context, r *run, err error) (terminal.Event, error) {
	l.cfg.Log.Warn("talking with the card", "sale", r.rec.ID, "err", err)
	r.note = err.Error()
	switch {
	case errors.Is(err, errJournal): // of the terminal's own limits, not the card's doing
		return "", err
	case wait.Err() != nil:
		return l.interrupted(ctx, wait, r, err)
	case errors.Is(err, emv.ErrCancelled):
		r.cause = terminal.NoPIN(terminal.PINCancelled)
		return terminal.Cancel, nil
	case errors.Is(err, errNoPIN):
		r.cause = terminal.NoPIN(terminal.PINTimedOut)
		return terminal.TimeOut, nil
	case errors.Is(err, device.ErrRemoved), errors.Is(err, device.ErrUnplugged):
		r.detail = sentence(err)
		return terminal.Removed, nil
	}
	r.cause = terminal.Refusal(terminal.CodeCardError, "The card or the reader failed. "+sentence(err))
	return terminal.Refused, nil
}

// fault ends a transaction that the terminal itself cannot carry on with, before anything is sent.
func (l *Lane) fault(r *run, what string, err error) terminal.Event {
	l.cfg.Log.Error(what, "sale", r.rec.ID, "err", err)
	r.cause, r.note = terminal.Refusal(terminal.CodeTerminalFault, what+"."), err.Error()
	return terminal.Refused
}

// prepare gives the sale its STAN and composes request and reversal. What it cannot compose is refused here, with
// nothing sent.
func (l *Lane) prepare(ctx, talk context.Context, r *run) (terminal.Event, error) {
	if event, err := l.known(ctx, talk, r); event != "" || err != nil {
		return event, err
	}
	r.rec.TwoStep = r.rec.Kind == terminal.KindSale && l.cfg.Transactions.TwoStep && l.cfg.Owner.can().TwoStep && !r.onlineOnly
	if err := l.number(ctx, r); err != nil {
		return l.fault(r, "There is no number for the request", err), nil
	}
	req := r.asks()
	req.PIN = r.pin
	request, reversal, err := l.cfg.Owner.compose(req)
	r.dropPIN()
	r.data.Track2 = emv.Track2{} // nothing after the request needs it
	if err != nil {
		return l.fault(r, "The request cannot be composed", err), nil
	}
	if !l.board.pointOfNoReturn(talk) {
		return l.interrupted(ctx, talk, r, talk.Err())
	}
	r.request = request
	r.secret = &terminal.Secret{Card: r.data, Request: request, Reversal: reversal}
	if r.rec.Kind == terminal.KindBalance {
		r.secret.Reversal = nil
		return terminal.Inquire, nil
	}
	return terminal.GoOnline, nil
}

// sending has the owner send the request. It waits the link's deadline out also when the daemon is stopping.
func (l *Lane) sending(ctx context.Context, r *run) terminal.Event {
	r.reply = l.cfg.Owner.Request(context.WithoutCancel(ctx), r.request, r.pinKeys, r.earlier != nil)
	r.request = nil
	r.note = r.reply.Note
	res := r.reply.Response
	r.rec.ResponseCode, r.rec.RRN, r.rec.AuthCode, r.rec.HostText = res.Code, res.RRN, res.AuthCode, res.Text
	r.rec.Host, r.rec.HostTime = r.reply.Host, res.Time
	if r.reply.Event == terminal.HostApproved && !r.inPart(res.Approved) {
		r.reply.Event, r.note = terminal.NoAnswer, "the bank approved an amount that was not asked for: its answer is put aside"
	}
	if l.wrong = (wrongPIN{}); res.WrongPIN {
		l.wrong = wrongPIN{r.rec.MaskedPAN, res.PINTries}
	}
	switch r.reply.Event {
	case terminal.HostDeclined:
		r.cause = res.Advice
		if pinBlocked(r.kernel) { // the issuer's "declined" alone leaves cashier and customer in the dark
			r.cause.Happened = strings.TrimSpace(r.cause.Happened + " The card's PIN is blocked.")
		}
	case terminal.NotSent: // and why the terminal did not approve by itself, where it might have
		r.cause = terminal.Unreachable(strings.TrimSpace(r.reply.Detail + " " + r.closed))
		if r.reply.Fault {
			r.cause = terminal.Refusal(terminal.CodeTerminalFault, r.reply.Detail)
		}
	default: // the state says it all
	}
	return r.reply.Event
}

// pinBlocked says that the card takes no PIN any more: its counter of tries is at zero (TVR byte 3, bit 6).
func pinBlocked(out emv.Outcome) bool {
	v := out.Data.Value(emv.TagTVR)
	return len(v) == len(emv.TVR{}) && emv.TVR(v).Has(emv.TVRPINTryLimitExceeded)
}

// finish has the kernel finish with the card, and says what follows. A transaction without a card agrees with its host at once. Its
// error is the journal's.
func (l *Lane) finish(ctx context.Context, r *run, result emv.HostResult) (terminal.Event, error) {
	if r.txn == nil {
		if result == emv.HostUnable {
			return terminal.CardRefuses, nil
		}
		return terminal.CardAgrees, nil
	}
	wait, stop := context.WithTimeout(context.WithoutCancel(ctx), l.cfg.CardTalk)
	defer stop()
	out, err := r.txn.Complete(wait, emv.HostAnswer{Result: result, ARC: r.reply.Response.ARC, IssuerData: r.reply.Response.Issuer})
	if err != nil {
		l.cfg.Log.Warn("finishing with the card", "sale", r.rec.ID, "err", err)
		r.detail, r.note = sentence(err), err.Error()
		if len(out.Why) > 0 {
			r.take(out)
		}
		return terminal.Removed, nil
	}
	asked := r.kernel
	r.kernel = out
	r.take(out)
	if out.Decision != emv.Approved {
		r.note = out.Reason
		if result == emv.HostUnable {
			return l.deferred(context.WithoutCancel(ctx), r, asked)
		}
		return terminal.CardRefuses, nil
	}
	switch result {
	case emv.HostApproved:
		if out.SignatureDue || r.rec.Approved.Minor > 0 {
			return terminal.AgreementNeeded, nil
		}
		return l.capture(ctx, r, terminal.CardAgrees, terminal.CardRefuses), nil
	case emv.HostDeclined:
		return terminal.CardAgrees, nil
	case emv.HostUnable:
	}
	switch taken, err := l.approvedAlone(context.WithoutCancel(ctx), r); {
	case err != nil:
		return "", err
	case !taken:
		return terminal.CardRefuses, nil
	case out.SignatureDue:
		return terminal.AgreementNeeded, nil
	}
	return terminal.CardApproves, nil
}

// take copies what journal and receipt may keep of a kernel's outcome.
func (r *run) take(out emv.Outcome) {
	r.rec.AID = strings.ToUpper(hex.EncodeToString(out.AID))
	r.rec.Label, r.rec.Scheme, r.rec.Method, r.rec.ODA = out.Label, out.Scheme, out.Method, out.ODA
	r.rec.Signature = out.SignatureDue
	r.rec.Tags, r.rec.Why = out.Data.Without(), out.Why
	r.rec.Language = printable(out.Data.Value(tagLanguagePreference))
	if card, err := cardData(&out.Data); err == nil { // also of a card that the bank never hears of: its receipt names it
		r.rec.MaskedPAN = card.PAN.Masked()
	}
}

func stan(n uint64) uint32 { return uint32((n-1)%999_999) + 1 }
