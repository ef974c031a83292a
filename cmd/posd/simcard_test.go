package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"tillway/device"
	"tillway/device/emulator"
)

// simReader is a slot with a customer before it.
type simReader struct {
	w      *world
	in     bool
	people *rand.Rand
}

func (r *simReader) Name() string { return "simulated" }

func (r *simReader) Status() device.Status { return device.Status{Condition: device.NoCard} }

func (r *simReader) Close() error { return nil }

func (r *simReader) Release(context.Context) error { return nil }

func (r *simReader) AwaitRemoval(ctx context.Context) error {
	if !r.in {
		return nil
	}
	if err := pause(ctx, actorCustomer, time.Duration(r.people.IntN(4000))*time.Millisecond); err != nil {
		return err
	}
	r.in = false
	return nil
}

// simCards are parsed once each: a card's profile does not change.
var simCards sync.Map

func simCardProfile(name string) (emulator.Profile, error) {
	if p, ok := simCards.Load(name); ok {
		return p.(emulator.Profile), nil //nolint:forcetypeassert,errcheck // nothing else is stored
	}
	p, err := emulator.Ready(name)
	if err == nil {
		simCards.Store(name, p)
	}
	return p, err
}

func (r *simReader) Present(ctx context.Context) (device.Presented, error) {
	w, wait := r.w, time.Duration(500+r.people.IntN(6000))*time.Millisecond
	if w.mishap(r.people, 25, "no card") {
		wait = time.Hour
	}
	if err := pause(ctx, actorCustomer, wait); err != nil {
		return device.Presented{}, err
	}
	r.in = true
	if w.mishap(r.people, 25, "mute card") {
		return device.Presented{}, fmt.Errorf("simulated: %w", device.ErrMute)
	}
	names := []string{"credit", "debit", "declines", "expired", "pulled"} // fixed, so that a seed stays the same sale
	if w.alone() {
		names = []string{"oda-cda", "trm-new-card", "oda-dda", "credit", "trm-new-card"} // those that approve alone, at once or when nobody can be asked
	}
	p, err := simCardProfile(names[r.people.IntN(len(names))])
	if err != nil {
		return device.Presented{}, err
	}
	card := emulator.NewCard(p)
	card.Reset()
	c := &simCard{r: r, card: card, leave: -1}
	if !w.calm.Load() {
		c.slow = w.mishap(r.people, 3, "slow card")
		why := []string{"card pulled", "reader unplugged", "card garbage", "card hangs"}
		if i := r.people.IntN(12); i < len(why) {
			c.leave, c.why = r.people.IntN(24), why[i]
		}
	}
	return device.Presented{Technology: device.Contact, ATR: card.ATR(), Card: c}, nil
}

// simCard is the emulator's card with time and accidents.
type simCard struct {
	r     *simReader
	card  *emulator.Card
	n     int
	leave int // exchange at which the accident happens; -1 never
	why   string
	slow  bool
	gone  error
}

func (c *simCard) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	w := c.r.w
	if w.cut.gone() {
		return nil, errCut
	}
	if c.gone != nil {
		if err := pause(ctx, actorCard, 5*time.Millisecond); err != nil { // nothing takes no time: who watches must see it
			return nil, err
		}
		return nil, c.gone
	}
	d := time.Duration(5+c.r.people.IntN(60)) * time.Millisecond
	if c.slow {
		d = time.Duration(200+c.r.people.IntN(1500)) * time.Millisecond
	}
	if c.n == c.leave && w.happens(c.why) {
		switch c.why {
		case "card pulled":
			c.gone, c.r.in = fmt.Errorf("simulated: %w", device.ErrRemoved), false
		case "reader unplugged":
			c.gone, c.r.in = fmt.Errorf("simulated: %w", device.ErrUnplugged), false
		case "card garbage":
			c.gone = fmt.Errorf("simulated: %w", device.ErrProtocol)
		case "card hangs":
			d = simCardTalk + time.Second
		}
	}
	c.n++
	if err := pause(ctx, actorCard, d); err != nil {
		return nil, err
	}
	if c.gone != nil {
		return nil, c.gone
	}
	answer := c.card.Transmit(command)
	if c.card.Left() {
		w.fault("card left by itself")
		c.gone, c.r.in = fmt.Errorf("simulated: %w", device.ErrRemoved), false
		return nil, c.gone
	}
	if answer == nil {
		c.gone = fmt.Errorf("simulated: %w", device.ErrMute)
		return nil, c.gone
	}
	if certificate(command, answer) {
		w.pass(w.now(), 't', nil)
	}
	return answer, nil
}

// certificate says that a card answered GENERATE AC (Book 3, 6.5.5) with a transaction certificate: format 1 begins with the
// cryptogram information data, format 2 has it as 9F27.
func certificate(command, answer []byte) bool {
	if len(command) < 2 || command[1] != 0xAE || len(answer) < 5 {
		return false
	}
	cid := answer[2]
	if answer[0] == 0x77 {
		i := bytes.Index(answer, []byte{0x9F, 0x27, 0x01})
		if i < 0 || i+3 >= len(answer) {
			return false
		}
		cid = answer[i+3]
	}
	return cid&0xC0 == 0x40
}
