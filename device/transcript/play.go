package transcript

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"tillway/emv"
)

// ErrExhausted is wrapped when a kernel asks for more than the session had: a random number, a choice, a PIN.
var ErrExhausted = errors.New("the session has no more of it")

// Play is everything beside the card that a strict replay of the session takes: the parameters, with the recorded random
// numbers and what the terminal remembered, and the cardholder (nil where there was nobody to ask). Each can be used for one run.
func (s *Session) Play() (emv.Params, emv.Cardholder) {
	p := s.Params.Params
	p.Random = &playedRandom{s.Random}
	p.History = &playedHistory{s.Sales}
	if len(s.Sales) == 0 {
		p.History = nil
	}
	p.ExceptionFile = &playedExceptions{s.Listed}
	if len(s.Listed) == 0 {
		p.ExceptionFile = nil
	}
	p.Offline = &playedGate{s.Gate}
	if len(s.Gate) == 0 {
		p.Offline = nil
	}
	if s.Nobody {
		return p, nil
	}
	return p, &playedHolder{choices: s.Choices, online: s.OnlinePINs, card: s.CardPINs}
}

// Answer is the issuer's answer; ok is false where the kernel was given none.
func (s *Session) Answer() (answer emv.HostAnswer, ok bool) {
	if s.Host == nil {
		return answer, false
	}
	answer = emv.HostAnswer{Result: s.Host.Result, IssuerData: s.Host.IssuerData}
	copy(answer.ARC[:], s.Host.ARC)
	return answer, true
}

// Differences compares how a kernel ended now with how it ended then, a sentence each; none means the same outcome, TVR,
// TSI, data objects and reasons.
func (s *Session) Differences(out emv.Outcome) []string {
	then, now := s.Outcome, outcomeOf(out)
	var list []string
	differ := func(what, was, is string) {
		if was != is {
			list = append(list, fmt.Sprintf("%s was %q, and is %q", what, was, is))
		}
	}
	differ("the decision", string(then.Decision), string(now.Decision))
	differ("the reason", then.Reason, now.Reason)
	differ("the application", upper(then.AID), upper(now.AID))
	differ("the cardholder verification", string(then.Method), string(now.Method))
	differ("the signature", fmt.Sprint(then.SignatureDue), fmt.Sprint(now.SignatureDue))
	differ("offline data authentication", fmt.Sprint(then.ODA), fmt.Sprint(now.ODA))
	for _, tag := range sortedTags(then.Tags, now.Tags) {
		differ("tag "+tag, then.Tags[tag], now.Tags[tag])
	}
	for i := range max(len(then.Why), len(now.Why)) {
		var was, is emv.Why
		if i < len(then.Why) {
			was = then.Why[i]
		}
		if i < len(now.Why) {
			is = now.Why[i]
		}
		if was != is {
			differ(fmt.Sprintf("reason %d", i+1), was.Bit+" "+was.Reason, is.Bit+" "+is.Reason)
			break // the rest is shifted
		}
	}
	return list
}

func sortedTags(a, b map[string]string) []string {
	all := maps.Clone(a)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, b)
	return slices.Sorted(maps.Keys(all))
}

type playedRandom struct{ left []Hex }

func (p *playedRandom) Read(b []byte) (int, error) {
	if len(p.left) == 0 {
		return 0, fmt.Errorf("random number: %w", ErrExhausted)
	}
	next := p.left[0]
	if len(next) > len(b) {
		return 0, fmt.Errorf("a random number of %d bytes where %d were drawn: %w", len(b), len(next), ErrExhausted)
	}
	p.left = p.left[1:]
	return copy(b, next), nil
}

var _ io.Reader = (*playedRandom)(nil)

type playedHolder struct {
	choices []Choice
	online  []OnlinePIN
	card    []CardPIN
}

// Choose implements emv.Cardholder.
func (h *playedHolder) Choose(context.Context, []emv.Candidate) (int, bool, error) {
	if len(h.choices) == 0 {
		return 0, false, fmt.Errorf("choice of an application: %w", ErrExhausted)
	}
	c := h.choices[0]
	h.choices = h.choices[1:]
	return c.Index, c.OK, failed(c.Failure)
}

// OnlinePIN implements emv.Cardholder.
func (h *playedHolder) OnlinePIN(context.Context, emv.PINRequest) (emv.PINEntry, error) {
	if len(h.online) == 0 {
		return "", fmt.Errorf("online PIN: %w", ErrExhausted)
	}
	p := h.online[0]
	h.online = h.online[1:]
	return p.Entry, failed(p.Failure)
}

// CardPIN implements emv.Cardholder: what the pad sent to the card is sent again.
func (h *playedHolder) CardPIN(ctx context.Context, ask emv.CardPINRequest) (emv.CardPINAnswer, error) {
	if len(h.card) == 0 {
		return emv.CardPINAnswer{}, fmt.Errorf("PIN for the card: %w", ErrExhausted)
	}
	p := h.card[0]
	h.card = h.card[1:]
	answer := emv.CardPINAnswer{Entry: p.Entry, Data: p.Data}
	for range min(p.Keys, most) {
		if ask.Encipherment == nil {
			return answer, fmt.Errorf("the pad asked for the card's key, and there is none: %w", ErrUnexpected)
		}
		if _, err := ask.Encipherment(ctx); err != nil {
			return answer, err
		}
	}
	for _, c := range p.Commands {
		if ask.Card == nil {
			return answer, fmt.Errorf("the pad sent a command, and there is no card to send it to: %w", ErrUnexpected)
		}
		var err error
		if answer.Response, err = ask.Card.Transmit(ctx, c); err != nil {
			return answer, err
		}
	}
	return answer, failed(p.Failure)
}

type playedHistory struct{ left []Known }

// LastSale implements emv.History.
func (p *playedHistory) LastSale(context.Context, emv.PAN, int) (int64, error) {
	if len(p.left) == 0 {
		return 0, fmt.Errorf("earlier sale: %w", ErrExhausted)
	}
	k := p.left[0]
	p.left = p.left[1:]
	return k.Value, failed(k.Failure)
}

type playedExceptions struct{ left []Known }

// Listed implements emv.ExceptionFile.
func (p *playedExceptions) Listed(context.Context, emv.PAN, int) (bool, error) {
	if len(p.left) == 0 {
		return false, fmt.Errorf("exception file: %w", ErrExhausted)
	}
	k := p.left[0]
	p.left = p.left[1:]
	return k.Value != 0, failed(k.Failure)
}

type playedGate struct{ left []Gate }

// Closed implements emv.OfflineGate.
func (p *playedGate) Closed(context.Context, emv.OfflineQuestion) (string, error) {
	if len(p.left) == 0 {
		return "", fmt.Errorf("limits of offline approvals: %w", ErrExhausted)
	}
	g := p.left[0]
	p.left = p.left[1:]
	return g.Closed, failed(g.Failure)
}
