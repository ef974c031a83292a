package lane

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tillway/emv"
	"tillway/terminal"
)

// OfflineRules say what this terminal may approve without the host and keep for it. The zero value: nothing.
type OfflineRules struct {
	Approvals terminal.OfflineLimits // of offline EMV approvals (TC)
	Deferred  terminal.OfflineLimits // of requests that are kept: the card gave an ARQC, and nobody has approved yet

	// Room is how many bytes are free where the journal is, and MinRoom how many there must be: a disk that is full takes the
	// terminal down, and what it then owes waits longer. Room nil: not looked at.
	Room    func(context.Context) (uint64, error)
	MinRoom uint64
}

// gate answers the kernel before the card decides whether this sale may be approved without the host.
type gate struct {
	lane *Lane
	run  *run
}

// Closed implements emv.OfflineGate.
func (g gate) Closed(ctx context.Context, ask emv.OfflineQuestion) (string, error) {
	why, err := g.lane.closed(ctx, g.run, terminal.WayOffline, ask)
	if err != nil {
		return "", err
	}
	if g.run.closed = why; why == onlineOnly {
		g.run.closed = "" // that is how this terminal is, and nothing to tell a cashier every time
	}
	return why, nil
}

// splitWithin is for how long a card's newest sale counts towards the floor limit.
const splitWithin = 24 * time.Hour

// history tells the kernel of the card's newest sale: a sale that is split to stay under the floor limit is seen (Book 3, 10.6.1). It
// knows a card by its number alone, which is stricter than by number and sequence.
type history struct{ lane *Lane }

// LastSale implements emv.History.
func (h history) LastSale(ctx context.Context, pan emv.PAN, _ int) (int64, error) {
	_, sale, err := h.lane.cfg.Journal.ByCard(ctx, pan, h.lane.cfg.Clock().Add(-splitWithin), func(s terminal.Sale) bool {
		return s.Kind == terminal.KindSale || s.Kind == terminal.KindForced
	})
	if err != nil {
		return 0, fmt.Errorf("%w: sales of the card: %w", errJournal, err)
	}
	return sale.Taken().Minor, nil
}

// onlineOnly is why a terminal whose profile keeps nothing approves nothing.
const onlineOnly = "This terminal approves nothing without the bank."

// closed says why a sale is not approved in a way without the host, in one sentence, or nothing. The error is the journal's.
func (l *Lane) closed(ctx context.Context, r *run, way terminal.Way, ask emv.OfflineQuestion) (string, error) {
	sale := r.rec
	limits, can := l.cfg.Offline.Approvals, l.cfg.Owner.can().Offline
	if way == terminal.WayDeferred {
		limits, can = l.cfg.Offline.Deferred, l.cfg.Owner.can().Deferred
	}
	switch {
	case limits.Count <= 0 || !can:
		return onlineOnly, nil
	case l.cfg.Owner.withdrawn.Load():
		return "The bank takes no sales of this terminal any more.", nil
	case r.onlineOnly:
		return "Cards of this kind are taken with their bank's approval only.", nil
	case sale.Kind != terminal.KindSale:
		return "Only a sale is approved without the bank.", nil
	case sale.Cashback.Minor > 0:
		return "Cash is given out with the bank's approval only.", nil
	case ask.Method == emv.OnlinePIN:
		return "The PIN is for the bank to verify.", nil
	}
	if l.cfg.Offline.Room != nil {
		switch room, err := l.cfg.Offline.Room(ctx); {
		case err != nil:
			l.cfg.Log.Warn("how much room there is on the disk", "err", err)
			return "Nobody can say how much room is left on this terminal's disk.", nil
		case room < l.cfg.Offline.MinRoom:
			return "This terminal's disk is nearly full.", nil
		}
	}
	exposure, err := l.cfg.Journal.Exposure(ctx, l.cfg.Owner.Name(), way, ask.PAN)
	if err != nil {
		return "", fmt.Errorf("%w: what waits for the bank: %w", errJournal, err)
	}
	return limits.Closed(exposure, sale.Amount, l.cfg.Clock()), nil
}

// approvedAlone takes an approval that card and terminal came to without the host: with the first cryptogram, or with the
// second after the host could not be asked (Y3). The advice that the host is owed is composed before anybody reads
// "approved". What cannot be kept is refused: the card's TC is then told to nobody. The error is the journal's.
func (l *Lane) approvedAlone(ctx context.Context, r *run) (taken bool, err error) {
	ask := emv.OfflineQuestion{Method: r.kernel.Method, PAN: r.data.PAN}
	// The kernel has asked before the card decided; a card or a kernel that did not wait for the answer is not taken.
	why, err := l.closed(ctx, r, terminal.WayOffline, ask)
	if err != nil || why != "" {
		r.detail, r.note = "The card approved without the bank, which is not taken now. "+why, why
		return false, err
	}
	r.rec.Way, r.rec.TwoStep = terminal.WayOffline, false // one advice says all of it
	if err := l.owe(ctx, r, l.cfg.Owner.advice); err != nil {
		l.cfg.Log.Error("the advice of an offline approval", "sale", r.rec.ID, "err", err)
		r.rec.Way, r.detail, r.note = "", "The word of it for the bank cannot be composed.", err.Error()
		return false, nil
	}
	if arc := r.kernel.Data.Value(emv.TagAuthorisationResponseCode); len(arc) == 2 {
		r.rec.ResponseCode = string(arc) // Y1 or Y3 (Book 4, A6)
	}
	return true, nil
}

// doubtful are the bits of a TVR with which no request is kept: of a card that may be a copy or is listed, of a cardholder
// who did not prove to be one. There is nobody to ask before the goods are gone.
func doubtful() []emv.TVRBit {
	return []emv.TVRBit{
		emv.TVRSDAFailed, emv.TVRDDAFailed, emv.TVRCDAFailed, emv.TVROnExceptionFile, emv.TVRExpired, emv.TVRNotYetEffective,
		emv.TVRServiceNotAllowed, emv.TVRVerificationNotSuccessful, emv.TVRPINTryLimitExceeded, emv.TVRPINNotEntered, emv.TVRPINPadMissing,
	}
}

// deferred keeps the request of a sale that nobody approved, because no byte of it could leave: asked is the card's state with the
// ARQC, which the host will be asked with. Only where the terminal said no for want of the host (Z3): a card that was asked for a TC
// and refused one has decided. What cannot be kept is declined, as the host's absence has it. The error is the journal's.
func (l *Lane) deferred(ctx context.Context, r *run, asked emv.Outcome) (terminal.Event, error) {
	tvr := asked.Data.Value(emv.TagTVR)
	switch {
	case r.rec.State != terminal.FinishUnable || l.cfg.Offline.Deferred.Count <= 0 || r.rec.Kind != terminal.KindSale:
		return terminal.CardRefuses, nil
	case r.reply.Fault || r.rec.Entry != terminal.EnteredChip || asked.SignatureDue:
		return terminal.CardRefuses, nil
	case string(r.kernel.Data.Value(emv.TagAuthorisationResponseCode)) != "Z3":
		return terminal.CardRefuses, nil
	case len(tvr) != len(emv.TVR{}) || slices.ContainsFunc(doubtful(), emv.TVR(tvr).Has):
		return terminal.CardRefuses, nil
	}
	why, err := l.closed(ctx, r, terminal.WayDeferred, emv.OfflineQuestion{PAN: r.data.PAN, Method: asked.Method})
	if err != nil {
		return "", err
	}
	if why != "" {
		r.cause.Happened, r.note = strings.TrimSpace(r.cause.Happened+" "+why), why
		return terminal.CardRefuses, nil
	}
	was, ended := *r.rec, r.kernel
	r.kernel = asked
	r.rec.Way, r.rec.TwoStep, r.rec.Tags = terminal.WayDeferred, false, asked.Data.Without()
	if err := l.owe(ctx, r, l.cfg.Owner.cfg.Dialect.Deferred); err != nil {
		l.cfg.Log.Error("a request that was to be kept", "sale", r.rec.ID, "err", err)
		*r.rec, r.kernel = was, ended
		r.note = err.Error()
		return terminal.CardRefuses, nil
	}
	return terminal.Deferred, nil
}

// owe composes what the host is owed for what is done without asking it, or behind its answer, to be sealed in that transition's own
// commit. Behind a request that may have left it gets a number of its own, which becomes the sale's: the request keeps its number, and so
// does its reversal. Of a sale in two it names the authorisation. The card's data are sealed with it where they were not before. With an
// error the sale is as it was.
func (l *Lane) owe(ctx context.Context, r *run, compose func(terminal.Request) ([]byte, error)) error {
	was := *r.rec
	if was.STAN == 0 || was.State != terminal.FinishUnable {
		if err := l.number(ctx, r); err != nil {
			return fmt.Errorf("no number for the message: %w", err)
		}
	}
	req := r.asks()
	req.Amount, req.Way = r.rec.Taken(), r.rec.Way
	req.Card.Track2 = emv.Track2{} // the host needs no track of what is approved, and the queue keeps none
	if was.TwoStep {               // one STAN authorises, the next takes
		req.Original = was.Original()
	}
	message, err := compose(req)
	if err == nil && len(message) == 0 {
		err = errors.New("the dialect made no message of it")
	}
	if err != nil {
		*r.rec = was
		return err
	}
	r.secret = &terminal.Secret{Advice: message}
	if !r.sealed {
		r.secret.Card = req.Card
	}
	return nil
}
