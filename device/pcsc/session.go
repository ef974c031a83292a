package pcsc

import (
	"context"
	"errors"
	"fmt"

	"tillway/device"
	"tillway/device/iso7816"
)

// Why Present waits on.
var (
	errNoCard = errors.New("no card in the slot, or no reader") // until something changes
	errLater  = errors.New("not now")                           // until something changes, or a moment has passed
)

// What Status says of a card that cannot be used.
const (
	causeFault = "the card's chip does not answer, or not as EMV demands: put it in the right way round, or take another card"
	causeBusy  = "another program uses the reader: end it (often gpg-agent's scdaemon, a browser or a banking program)"
)

// card is one powered card: a handle at pcscd, held exclusively.
type card struct {
	reader   *Reader
	state    readerState // in which it was found
	handle   uint32
	protocol uint32
	t0       *iso7816.T0 // nil: T=1
	ended    error       // why it can be used no more; whoever has the turn
}

// look asks pcscd how the reader is. errLater: there is none, or no pcscd.
func (r *Reader) look(ctx context.Context) (readerState, error) {
	if r.talk == nil {
		c, err := dial(ctx, r.config.Socket)
		if err != nil && ctx.Err() != nil {
			return readerState{}, ctx.Err()
		}
		if err != nil {
			return readerState{}, fmt.Errorf("%w: %w", errLater, err)
		}
		r.talk = c
	}
	all, err := r.table(ctx, r.talk.states)
	if err != nil {
		r.lost(err)
		if ctx.Err() != nil {
			return readerState{}, ctx.Err()
		}
		return readerState{}, fmt.Errorf("%w: %w", errLater, err)
	}
	state, err := pick(all, r.config.Port)
	if err != nil {
		return readerState{}, fmt.Errorf("%w: %w", errLater, err)
	}
	return state, nil
}

// lost gives the connection up when an error is no answer of pcscd's.
func (r *Reader) lost(err error) {
	if _, answered := errors.AsType[Code](err); !answered {
		r.endCard(err)
		r.drop()
	}
}

// drop closes the connection. pcscd then resets the card, and takes its power off after a few seconds.
func (r *Reader) drop() {
	if r.talk != nil {
		r.talk.close()
		r.talk = nil
	}
}

// endCard makes the powered card, if there is one, useless.
func (r *Reader) endCard(cause error) {
	if r.card != nil {
		r.card.ended = cause
		r.card = nil
	}
}

// finish ends the powered card and takes its power off (EMV Contact Interface Specification, 6.1.5). A pcscd that does not do so loses the
// connection, which has the same effect.
func (r *Reader) finish(ctx context.Context, cause error) {
	if r.card == nil {
		return
	}
	handle := r.card.handle
	r.endCard(cause)
	r.hangUp(ctx, handle, unpowerCard)
}

// hangUp gives a handle back.
func (r *Reader) hangUp(ctx context.Context, handle, disposition uint32) {
	if r.talk == nil {
		return
	}
	within, cancel := context.WithTimeoutCause(ctx, r.config.Patience, errPatience)
	defer cancel()
	if err := r.talk.disconnect(within, handle, disposition); err != nil {
		r.config.Log.Debug("giving the card back", "error", err)
		r.drop()
	}
}

func (r *Reader) release(ctx context.Context) error {
	r.finish(ctx, fmt.Errorf("%w: released", device.ErrRemoved))
	return ctx.Err()
}

// errPatience says that pcscd owed an answer for too long.
var errPatience = &trouble{"pcscd does not answer: unplug the reader, or systemctl restart pcscd", device.ErrTimeout}

// present powers the card in the slot. Errors: errNoCard, errLater, device.ErrMute, the context's.
func (r *Reader) present(ctx context.Context) (device.Presented, error) {
	r.finish(ctx, fmt.Errorf("%w: presented again", device.ErrRemoved))
	state, err := r.look(ctx)
	switch {
	case errors.Is(err, errLater) && r.talk != nil:
		return device.Presented{}, errNoCard // pcscd tells when the reader comes
	case err != nil:
		return device.Presented{}, err
	case !state.cardIn():
		return device.Presented{}, errNoCard
	}
	within, cancel := context.WithTimeoutCause(ctx, r.config.Patience, errPatience)
	defer cancel()
	c, atr, err := r.activate(within, state)
	switch {
	case err == nil:
		r.card = c
		r.blame("", state)
		return device.Presented{Technology: device.Contact, ATR: atr.Append(nil), Card: c}, nil
	case ctx.Err() != nil:
		r.drop()
		return device.Presented{}, ctx.Err()
	case errors.Is(err, errNotEMV), errors.Is(err, device.ErrMute):
		if now, err := r.look(ctx); err != nil || !now.cardIn() || now.events != state.events {
			return device.Presented{}, errLater // it left meanwhile
		}
		r.blame(causeFault, state)
		r.config.Log.Info("card cannot be used", "cause", err)
		if !errors.Is(err, device.ErrMute) {
			err = fmt.Errorf("%w: %w", device.ErrMute, err)
		}
		return device.Presented{}, err
	case errors.Is(err, device.ErrBusy):
		r.blame(causeBusy, state)
	case errors.Is(err, errGone):
		r.lost(err)
		if _, err := r.look(ctx); err == nil { // it lives: it does not let this user at the card
			r.blame(errRefused.Error(), state)
		}
		return device.Presented{}, errLater
	}
	r.config.Log.Debug("powering the card", "error", err)
	r.lost(err)
	return device.Presented{}, errLater
}

// errNotEMV says that the card's answer to reset is none that EMV accepts.
var errNotEMV = errors.New("answer to reset refused")

// activate takes the reader and resets the card cold, and once more warm when EMV refuses its answer; a mute card is tried cold once more
// (EMV Contact Interface Specification, 8.4).
func (r *Reader) activate(ctx context.Context, state readerState) (*card, iso7816.ATR, error) {
	handle, err := r.take(ctx, state)
	if err != nil {
		return nil, iso7816.ATR{}, err
	}
	c := &card{reader: r, state: state, handle: handle}
	atr, err := c.reset(ctx, unpowerCard, preferred(state.atr))
	if errors.Is(err, device.ErrMute) {
		atr, err = c.reset(ctx, unpowerCard, protocolT0|protocolT1)
	}
	if errors.Is(err, errNotEMV) {
		atr, err = c.reset(ctx, resetCard, protocolT0|protocolT1)
	}
	if err != nil {
		disposition := uint32(unpowerCard)
		if errors.Is(err, device.ErrBusy) {
			disposition = leaveCard // it is another program's
		}
		r.hangUp(ctx, handle, disposition)
		return nil, atr, err
	}
	if c.protocol == protocolT0 {
		c.t0 = iso7816.NewT0(c)
	}
	return c, atr, nil
}

// take opens a handle. It asks for the whole reader first, because a reset would pass another program's card by without a question;
// where pcscd cannot make anything of the card's first answer, it opens one without touching the card, so that a reset can follow.
func (r *Reader) take(ctx context.Context, state readerState) (handle uint32, err error) {
	handle, err = r.talk.connect(ctx, state.name, shareExclusive, preferred(state.atr))
	if errors.Is(err, codeProtoMismatch) || errors.Is(err, device.ErrMute) {
		return r.talk.connect(ctx, state.name, shareDirect, 0)
	}
	return handle, err
}

// preferred is the protocol of an answer to reset that pcscd has read already: the one it offers first. pcscd would take T=1 wherever it is
// offered, and talk the card into it, which EMV does not.
func preferred(raw []byte) uint32 {
	if atr, err := iso7816.ParseATR(raw); err == nil && atr.Protocol() <= 1 {
		return 1 << atr.Protocol()
	}
	return protocolT0 | protocolT1
}

// reset resets the card, reads its answer and judges it. Errors: errNotEMV, a Code.
func (c *card) reset(ctx context.Context, how, protocols uint32) (iso7816.ATR, error) {
	for range 2 {
		taken, err := c.reader.talk.reconnect(ctx, c.handle, protocols, how)
		if err != nil && !errors.Is(err, codeProtoMismatch) {
			return iso7816.ATR{}, err
		}
		state, lookErr := c.reader.look(ctx)
		if lookErr != nil {
			return iso7816.ATR{}, lookErr
		}
		atr, bad := iso7816.ParseATR(state.atr)
		if bad == nil {
			bad = atr.CheckEMV(how == resetCard)
		}
		switch {
		case bad != nil:
			return iso7816.ATR{}, fmt.Errorf("%w: %w", errNotEMV, bad)
		case err == nil && taken == 1<<atr.Protocol():
			c.protocol = taken
			return atr, nil
		}
		protocols = 1 << atr.Protocol()
	}
	return iso7816.ATR{}, fmt.Errorf("%w: pcscd does not take the protocol that the card offers first", errNotEMV)
}

// Transmit sends a command APDU; see device.Card.
func (c *card) Transmit(ctx context.Context, command []byte) (response []byte, err error) {
	err = c.reader.with(ctx, func(ctx context.Context) (err error) {
		response, err = c.reader.transmit(ctx, c, command)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("card in %s: %w", c.reader.Name(), err)
	}
	return response, nil
}

// transmit is one APDU with the powered card. An error ends the card, a malformed command excepted.
func (r *Reader) transmit(ctx context.Context, c *card, command []byte) (response []byte, err error) {
	if r.card != c {
		return nil, c.ended
	}
	if c.t0 != nil {
		response, err = c.t0.Transmit(ctx, command)
	} else {
		response, err = c.apdu(ctx, command)
	}
	switch {
	case err == nil, errors.Is(err, iso7816.ErrCommand):
		return response, err
	case ctx.Err() != nil:
		err = ctx.Err()
		r.endCard(fmt.Errorf("%w: an exchange was given up", device.ErrProtocol))
		r.drop() // the answer may still come, and is nobody's then
		return nil, err
	}
	err = r.settle(ctx, c, err)
	r.finish(ctx, err)
	return nil, err
}

// settle finds out what an exchange failed of. pcscd calls most things a failed exchange, and learns of a card or reader that has gone only
// when it looks next.
func (r *Reader) settle(ctx context.Context, c *card, failed error) error {
	r.lost(failed)
	within, cancel := context.WithTimeout(ctx, r.times.settle)
	defer cancel()
	for r.talk != nil && (errors.Is(failed, codeNotTransacted) || errors.Is(failed, codeCommError)) {
		changed := r.change()
		now, err := r.look(within)
		switch {
		case within.Err() != nil:
			return failed
		case err != nil:
			return fmt.Errorf("%w: %v", device.ErrUnplugged, failed) //nolint:errorlint // what it was taken for is no longer so
		case !now.cardIn(), now.events != c.state.events:
			return fmt.Errorf("%w: %v", device.ErrRemoved, failed) //nolint:errorlint // the same
		}
		if err := device.Await(within, r.life, changed, nil); err != nil {
			return failed
		}
	}
	return failed
}

// apdu is one command at T=1, whose blocks are pcscd's business.
func (c *card) apdu(ctx context.Context, command []byte) ([]byte, error) {
	if !wellFormed(command) {
		return nil, fmt.Errorf("%w: %d bytes", iso7816.ErrCommand, len(command))
	}
	response, err := c.TransmitTPDU(ctx, command, 0)
	if err == nil && len(response) > iso7816.MaxResponse {
		return nil, fmt.Errorf("%w: T=1 response of %d bytes", device.ErrProtocol, len(response))
	}
	return response, err
}

// wellFormed says whether a command is one of the four cases of a short APDU (ISO/IEC 7816-3, 12.1.3).
func wellFormed(command []byte) bool {
	n := len(command)
	if n <= 5 {
		return n >= 4
	}
	lc := int(command[4])
	return lc != 0 && (n == 5+lc || n == 6+lc)
}

// TransmitTPDU carries bytes to the card; it makes card an iso7816.TPDU.
func (c *card) TransmitTPDU(ctx context.Context, tpdu []byte, _ byte) ([]byte, error) {
	within, cancel := context.WithTimeoutCause(ctx, c.reader.config.Patience, errPatience)
	defer cancel()
	answer, err := c.reader.talk.transmit(within, c.handle, c.protocol, tpdu)
	if err == nil && len(answer) < 2 { // some of pcscd's drivers say it like that
		return nil, fmt.Errorf("%d bytes in answer: %w", len(answer), codeNotTransacted)
	}
	return answer, err
}
