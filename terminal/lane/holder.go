package lane

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tillway/emv"
	"tillway/terminal"
)

// errNoPIN says that the customer entered no PIN in time.
var errNoPIN = errors.New("no PIN in time")

// holder answers for the cardholder of one sale: at the PIN pad where there is one, and by rule where a screen would be
// asked.
type holder struct {
	lane  *Lane
	run   *run
	limit *cardTime

	entries int // PINs asked for
}

// Choose implements emv.Cardholder while there is no screen to ask on: the first application that needs no confirmation
// (Book 1, 12.4, terminals without cardholder selection).
func (*holder) Choose(_ context.Context, candidates []emv.Candidate) (int, bool, error) {
	for i, c := range candidates {
		if !c.MustConfirm {
			return i, true, nil
		}
	}
	return 0, false, nil
}

// OnlinePIN implements emv.Cardholder: the pad takes the PIN while the card's own time stands still. The block stays with
// the sale until its request is composed; the kernel learns how the entry ended.
func (h *holder) OnlinePIN(ctx context.Context, ask emv.PINRequest) (emv.PINEntry, error) {
	l := h.lane
	if h.run.rec.Kind == terminal.KindForced { // no host is asked that could compare it
		return emv.PINPadMissing, nil
	}
	question := terminal.PINAsk{PAN: ask.PAN, Amount: ask.Amount, Language: l.language([]byte(ask.Language)), Tries: -1, Bypass: l.cfg.PINBypass && !ask.Required}
	if l.wrong.pan != "" && l.wrong.pan == ask.PAN.Masked() {
		question.Retry, question.Tries = true, l.wrong.tries
	}
	keys := l.cfg.Owner.generation.Load() // before the pad enciphers: a change on the way is one after it
	entry, block, err := h.enter(ctx, question)
	if h.run.pin = block; !block.IsZero() {
		h.run.pinKeys = keys
	}
	return entry, err
}

// CardPIN implements emv.Cardholder: the pad enciphers the PIN for the card. A PIN in plaintext would have to be sent by a pad
// that holds the card, and there is none: for such a one the pad is missing.
func (h *holder) CardPIN(ctx context.Context, ask emv.CardPINRequest) (emv.CardPINAnswer, error) {
	if h.lane.cfg.PINPad == nil || ask.Encipherment == nil {
		return emv.CardPINAnswer{Entry: emv.PINPadMissing}, nil
	}
	with, err := ask.Encipherment(ctx) // before anybody is asked: the pad enciphers at once
	if err != nil {
		return emv.CardPINAnswer{}, err
	}
	entry, block, err := h.enter(ctx, terminal.PINAsk{
		Card: &with, Amount: ask.Amount, Language: h.lane.language([]byte(ask.Language)), Retry: ask.Retry, Tries: ask.Tries, Bypass: h.lane.cfg.PINBypass && !ask.Required,
	})
	return emv.CardPINAnswer{Entry: entry, Data: block.Block}, err
}

// enter has the pad take one PIN, and shows the cashier that it does.
func (h *holder) enter(ctx context.Context, question terminal.PINAsk) (emv.PINEntry, terminal.PINBlock, error) {
	l, none := h.lane, terminal.PINBlock{}
	if l.cfg.PINPad == nil {
		return emv.PINPadMissing, none, nil
	}
	h.limit.pause()
	defer h.limit.resume()
	h.entries++
	progress := terminal.PINProgress{Entry: h.entries, Socket: l.cfg.PINSocket}
	advice := pinAdvice(question)
	show := func(digits int) {
		now := progress
		now.Digits = digits
		prompt := terminal.PromptEnterPIN
		if question.Card != nil && question.Tries == 1 {
			prompt = terminal.PromptLastPINTry
		}
		if question.Card != nil && question.Retry && digits == 0 { // until the next one is begun
			prompt = terminal.PromptWrongPIN
		}
		l.board.change(func(s *terminal.Snapshot) {
			s.Prompt, s.Advice, s.PIN = prompt, advice, &now
		})
	}
	show(0)
	defer func() {
		l.board.change(func(s *terminal.Snapshot) {
			s.Prompt, s.Advice, s.PIN = terminal.PromptWait, h.run.leaveIn(), nil
		})
	}()
	question.Timeout, question.Progress = l.cfg.PINTimeout, show
	end, block, err := l.cfg.PINPad.EnterPIN(ctx, question)
	switch {
	case ctx.Err() != nil:
		return "", none, fmt.Errorf("at the PIN pad: %w", ctx.Err())
	case err != nil:
		l.cfg.Log.Warn("no PIN can be taken", "sale", h.run.rec.ID, "err", err)
		return emv.PINPadMissing, none, nil
	}
	switch end {
	case terminal.PINEntered:
		return emv.PINEntered, block, nil
	case terminal.PINBypassed:
		if question.Bypass {
			return emv.PINBypassed, none, nil
		}
		return "", none, emv.ErrCancelled // a pad that offers what it was not asked to
	case terminal.PINCancelled:
		return "", none, emv.ErrCancelled
	case terminal.PINTimedOut:
		return "", none, errNoPIN
	}
	return "", none, fmt.Errorf("the PIN pad ended with %q: %w", end, emv.ErrCancelled)
}

// pinAdvice says what the cashier has to know of one entry.
func pinAdvice(question terminal.PINAsk) string {
	advice := "Let the customer enter the PIN, and look away."
	switch {
	case question.Card == nil: // what the issuer counts it says with its answer
	case question.Tries == 1 && question.Retry:
		advice = "The PIN was wrong. One try is left: after another wrong PIN the card is blocked. " + advice
	case question.Tries == 1:
		advice = "One try is left: after a wrong PIN the card is blocked. " + advice
	case question.Retry:
		advice = fmt.Sprintf("The PIN was wrong, tries left: %d. %s", question.Tries, advice)
	}
	return advice
}

// wrongPIN remembers the card whose PIN the issuer refused, by its masked number, for the next prompt.
type wrongPIN struct {
	pan   string
	tries int
}

// dropPIN forgets the PIN block once it stands in the request.
func (r *run) dropPIN() {
	clear(r.pin.Block)
	r.pin = terminal.PINBlock{}
}

// cardTime limits how long the kernel talks with a card. The time that a person takes at the PIN pad does not count.
type cardTime struct {
	timer *time.Timer
	left  time.Duration
	since time.Time
	stop  context.CancelFunc
}

// newCardTime gives a context that ends with errTimeOut as its cause.
func newCardTime(ctx context.Context, limit time.Duration) (context.Context, *cardTime) {
	ctx, cancel := context.WithCancelCause(ctx)
	t := &cardTime{left: limit, since: time.Now()}
	t.timer = time.AfterFunc(limit, func() { cancel(errTimeOut) })
	t.stop = func() {
		t.timer.Stop()
		cancel(context.Canceled)
	}
	return ctx, t
}

func (t *cardTime) pause() {
	t.timer.Stop()
	t.left -= time.Since(t.since)
}

func (t *cardTime) resume() {
	t.since = time.Now()
	t.timer.Reset(max(t.left, 0))
}
