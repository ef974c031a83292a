package ccid

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"tillway/device"
	"tillway/device/iso7816"
)

// mostDoublings bounds how much rarer a reader is tried that cannot be used.
const mostDoublings = 10

// powerTries is how often a card is powered anew when the reader's answer is damaged.
const powerTries = 3

// owner is what the driver's one goroutine owns.
type owner struct {
	reader  *Reader
	conn    *Connection   // nil while the reader is absent
	slot    *Slot         // nil with it
	greeted bool          // the reader has told its version since it was reached
	card    *card         // powered, or nil
	fault   string        // why the card in the slot cannot be used
	moves   int           // of cards, as the slot had counted them when last looked at
	next    time.Duration // until the owner looks by itself
	refused int           // times in a row that a reader was there and could not be used, since the last plugging
}

// own is the owner's loop. It ends with the driver's life and closes the connection.
func (r *Reader) own() {
	defer close(r.exited)
	o := &r.owner
	timer := time.NewTimer(0)
	defer timer.Stop()
	plugged := r.config.Plugged
	for {
		var told <-chan struct{}
		if o.conn != nil {
			told = o.conn.Changed
		}
		looked := true
		select {
		case <-r.life.Done():
			o.drop(device.ErrClosed)
			return
		case work := <-r.ops:
			was := o.conn
			r.carryOut(work)
			looked = o.conn != nil || was != nil // to a working reader, work is a look; it does not put off looking for another
		case <-timer.C:
			o.look(r.life)
		case <-told:
			o.look(r.life)
		case _, open := <-plugged:
			if !open {
				plugged = nil
			}
			o.refused = 0
			if o.look(r.life); o.conn == nil {
				o.look(r.life) // the one that was lost may be back already, and this was its only word
			}
		}
		if looked {
			timer.Reset(o.next)
		}
	}
}

// carryOut does somebody's work. It ends with the driver's life, too.
func (r *Reader) carryOut(work op) {
	ctx, cancel := context.WithCancel(work.ctx)
	defer cancel()
	defer context.AfterFunc(r.life, cancel)()
	err := work.do(ctx)
	if err != nil && r.life.Err() != nil {
		err = device.ErrClosed
	}
	work.result <- err
}

// connect reaches the reader and publishes what comes of it.
func (r *Reader) connect() {
	o := &r.owner
	o.reader = r
	conn, err := r.config.Connect(r.life)
	if err != nil {
		o.next = r.config.Reopen
		if !errors.Is(err, device.ErrUnplugged) {
			// Permissions come a moment after the plugging in; what is still so later stays so for long.
			o.next = min(r.config.Retry<<o.refused, max(r.config.Retry, r.config.Reopen))
			o.refused = min(o.refused+1, mostDoublings)
		}
		o.absent(err)
		return
	}
	o.refused = 0
	o.conn, o.next = conn, conn.Poll
	transport := conn.Transport
	if r.config.Tap != nil {
		transport = tapped{transport, r.config.Tap}
	}
	o.slot = NewSlot(transport, r.config.Patience)
	o.slot.features = conn.Features
	o.greeted, o.moves = false, 0
	if status := r.Status(); status.Condition == "" {
		r.publish(device.Status{Condition: device.Absent, Cause: r.config.label() + " is starting"}, false)
	}
}

// absent publishes that the reader is not there and why, and logs it once.
func (o *owner) absent(cause error) {
	status := device.Status{Condition: device.Absent, Cause: cause.Error()}
	if o.reader.Status() != status && !errors.Is(cause, device.ErrClosed) {
		o.reader.config.Log.Warn("reader absent", "cause", cause)
	}
	o.reader.publish(status, false)
}

// drop gives the reader up; it is looked for again later.
func (o *owner) drop(cause error) {
	o.end(cause)
	o.fault = ""
	if o.conn != nil {
		if err := o.conn.Close(); err != nil {
			o.reader.config.Log.Debug("closing the reader", "error", err)
		}
	}
	o.conn, o.slot, o.greeted = nil, nil, false
	o.next = o.reader.config.Reopen
	if !errors.Is(cause, device.ErrUnplugged) && !errors.Is(cause, device.ErrClosed) {
		o.next = o.reader.config.Retry
		cause = fmt.Errorf("%w: %s", device.ErrTimeout, o.reader.config.Silent)
	}
	o.absent(cause)
}

// end makes the powered card, if there is one, useless.
func (o *owner) end(cause error) {
	if o.card != nil {
		o.card.ended = cause
		o.card = nil
	}
}

// look is what the owner does by itself: reach the reader, greet it, ask for the slot.
func (o *owner) look(ctx context.Context) {
	if o.conn == nil {
		o.reader.connect()
	}
	if err := o.refresh(ctx); err != nil && ctx.Err() == nil {
		o.reader.config.Log.Debug("asking for the slot", "error", err)
	}
}

// refresh brings the slot's state up to date. An absent reader is no error.
func (o *owner) refresh(ctx context.Context) error {
	if o.conn == nil {
		return nil
	}
	fresh := !o.greeted
	if fresh {
		if err := o.greet(ctx); err != nil {
			return o.failed(ctx, err)
		}
	}
	_, err := o.slot.Refresh(ctx)
	if errors.Is(err, device.ErrProtocol) {
		_, err = o.slot.Refresh(ctx) // a damaged answer: once more
	}
	if err != nil {
		return o.failed(ctx, err)
	}
	o.settle()
	if fresh && o.card == nil {
		return o.release(ctx) // a program that died has left its card with power
	}
	return nil
}

// greet makes sure that the reader is there and sets it up.
func (o *owner) greet(ctx context.Context) error {
	version, err := o.conn.Greet(ctx, o.slot)
	if err != nil {
		return err
	}
	o.greeted = true
	name := o.reader.config.label()
	if version = printable(version); version != "" {
		name += " (" + version + ")"
	}
	o.reader.mu.Lock()
	fresh := o.reader.name != name || o.reader.status.Condition == device.Absent
	o.reader.name = name
	o.reader.mu.Unlock()
	if fresh {
		o.reader.config.Log.Info("reader connected", "firmware", version)
	}
	return nil
}

// printable is a version as it may be shown: at most 80 characters of ASCII.
func printable(version string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return -1
		}
		return c
	}, version[:min(len(version), 80)])
}

// settle draws the conclusions from the slot's state.
func (o *owner) settle() {
	moved := o.slot.Moves() != o.moves
	o.moves = o.slot.Moves()
	if moved || o.slot.ICC() == NoICC {
		o.fault = "" // it was another card's
	}
	if o.card != nil {
		if gone := o.slot.Gone(); gone != nil {
			o.end(gone)
		}
	}
	o.reader.publish(conditionOf(o.slot.ICC(), o.fault), moved)
}

// failed draws the conclusions from an exchange with the reader that failed. A reader that is gone is dropped. One that
// did not answer is greeted again, which tells a reader that started anew from one that is gone too; the greeting's
// answers bring the slot's state. The only error left is the context's: an absent reader is an empty slot.
func (o *owner) failed(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, device.ErrUnplugged), !o.greeted:
		o.drop(err)
		return nil
	}
	o.greeted = false
	o.end(err)
	if err := o.greet(ctx); err != nil {
		return o.failed(ctx, err)
	}
	o.settle()
	return nil
}

// present powers the card in the slot. Errors: errNotNow, device.ErrMute, the context's.
func (o *owner) present(ctx context.Context, r *Reader) (device.Presented, error) {
	o.end(fmt.Errorf("%w: presented again", device.ErrRemoved))
	if err := o.refresh(ctx); err != nil {
		return device.Presented{}, err
	}
	if o.conn == nil || o.slot.ICC() == NoICC {
		return device.Presented{}, errNotNow
	}
	var atr iso7816.ATR
	var err error
	for range powerTries {
		atr, err = o.slot.PowerOn(ctx)
		if !errors.Is(err, device.ErrProtocol) {
			break
		}
	}
	switch {
	case err == nil:
		o.fault = ""
		o.card = &card{reader: r, protocol: o.protocol(atr)}
		o.settle()
		return device.Presented{Technology: device.Contact, ATR: atr.Append(nil), Card: o.card}, nil
	case ctx.Err() != nil:
		return device.Presented{}, ctx.Err()
	case errors.Is(err, device.ErrRemoved):
		o.settle()
		return device.Presented{}, errNotNow
	case errors.Is(err, device.ErrMute), errors.Is(err, device.ErrProtocol):
		o.settle()
		o.fault = "the card's chip does not answer, or not as EMV demands: put it in the right way round, or take another card"
		o.settle()
		o.reader.config.Log.Info("card cannot be used", "cause", err)
		if !errors.Is(err, device.ErrMute) {
			err = fmt.Errorf("%w: %w", device.ErrMute, err)
		}
		return device.Presented{}, err
	}
	if err := o.failed(ctx, err); err != nil {
		return device.Presented{}, err
	}
	return device.Presented{}, errNotNow
}

// protocol is the side of the card that its answer to reset offers first, at the level of the reader.
func (o *owner) protocol(atr iso7816.ATR) protocol {
	switch {
	case o.slot.features.Level != TPDU:
		return &apdus{o.slot, atr.Protocol() == 0}
	case atr.Protocol() == 1:
		return iso7816.NewT1(o.slot, atr)
	}
	return iso7816.NewT0(o.slot)
}

// transmit is one APDU with the powered card. An error ends the card, a malformed command excepted.
func (o *owner) transmit(ctx context.Context, c *card, command []byte) ([]byte, error) {
	if o.card != c {
		return nil, c.ended
	}
	response, err := c.protocol.Transmit(ctx, command)
	if err == nil || errors.Is(err, iso7816.ErrCommand) {
		return response, err
	}
	return nil, o.lost(ctx, err)
}

// lost ends the card, whose exchange has failed, and draws the conclusions for the reader.
func (o *owner) lost(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		err = ctx.Err()
		o.end(fmt.Errorf("%w: an exchange was given up", device.ErrProtocol))
	case errors.Is(err, device.ErrUnplugged):
		o.drop(err)
	case errors.Is(err, device.ErrTimeout):
		o.end(err)
		if failed := o.failed(ctx, err); failed != nil {
			o.reader.config.Log.Debug("greeting the reader again", "error", failed)
		}
	default:
		o.end(err)
		o.settle()
		o.deactivate(ctx)
	}
	return err
}

// deactivate takes the power off a card whose session has failed (EMV Contact Interface Specification, 9.2.5 and 9.3.1: the
// session ends with the contacts deactivated). The failure is known already; another one here is logged.
func (o *owner) deactivate(ctx context.Context) {
	if o.slot.ICC() != Active {
		return
	}
	if err := o.slot.PowerOff(ctx); err != nil {
		o.reader.config.Log.Debug("taking the power off a card that failed", "error", err)
	}
	o.settle()
}

// release takes the power off the card.
func (o *owner) release(ctx context.Context) error {
	o.end(fmt.Errorf("%w: released", device.ErrRemoved))
	if o.conn == nil || o.slot.ICC() != Active {
		return nil
	}
	err := o.slot.PowerOff(ctx)
	if errors.Is(err, device.ErrProtocol) {
		err = o.slot.PowerOff(ctx) // a damaged answer: once more
	}
	if err != nil {
		return o.failed(ctx, err)
	}
	o.settle()
	return nil
}
