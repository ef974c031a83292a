package main

import (
	"context"
	"sync"
	"time"

	"tillway/device/emulator"
	"tillway/device/emulator/usbreader"
)

// ccidSlot is the USB card reader's.
type ccidSlot struct {
	reader *usbreader.Reader
	port   *usbPort
	hand   emulator.Hand

	mu   sync.Mutex    // guards what follows, and keeps orders and the hand apart
	chip emulator.Chip // in the slot
	away emulator.Chip // while the hand holds it
	left time.Time     // when the slot became empty; zero: it always was
}

// newCCIDSlot puts a reader on USB and the first card into it.
func newCCIDSlot(p *player, f usbFlags) (*ccidSlot, error) {
	s := &ccidSlot{hand: p.hand}
	var err error
	s.reader, err = usbreader.New(usbreader.Config{
		Level: usbreader.Level(f.reader), NoInterrupt: f.noInterrupt, Watch: p.watch,
		Unplug: func() { _ = s.Unplug() }, // pulled already: nothing to do
	})
	if err != nil {
		return nil, err
	}
	if err := p.usb.add("reader", s.reader); err != nil {
		return nil, err
	}
	s.port = p.usb[len(p.usb)-1]
	p.reader = s
	if p.first != nil {
		return s, s.Insert(p.first)
	}
	return s, nil
}

func (s *ccidSlot) Insert(c emulator.Chip) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.chip, s.away = c, nil
	s.reader.Insert(c)
	return nil
}

func (s *ccidSlot) Remove() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.chip != nil {
		s.left = time.Now()
	}
	s.chip, s.away = nil, nil
	s.reader.Remove()
	return nil
}

func (s *ccidSlot) Unplug() error { return s.port.unplug() }
func (s *ccidSlot) Replug() error { return s.port.replug() }
func (s *ccidSlot) Close() error  { return nil }

func (s *ccidSlot) Fault(kind string, exchange int, fromNow bool) error {
	if fromNow {
		return s.reader.FaultNext(emulator.WireFault(kind), exchange)
	}
	return s.reader.Fault(emulator.WireFault(kind), exchange)
}

func (*ccidSlot) Faults() []string { return texts(usbreader.Faults()) }

// seenAfter is when every driver has looked at an empty slot.
const seenAfter = 400 * time.Millisecond

func (s *ccidSlot) State() (state, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.reader.Status()
	out := state{Kind: "usb", Link: s.port.device.BusID, Card: r.Card, Powered: r.Powered, Carried: r.Carried, Armed: r.Armed}
	out.Seen = !r.Card && time.Since(s.left) >= seenAfter
	if r.Card {
		out.Name = nameOf(s.chip)
	}
	if s.port.device.Imported() {
		out.Port = s.port.device.BusID
	}
	return out, nil
}

func nameOf(c emulator.Chip) string {
	if card, ok := c.(*emulator.Card); ok {
		return card.Name()
	}
	return ""
}

// handLooks is how often the hand looks whether the terminal is done with the card.
const handLooks = 50 * time.Millisecond

// move is the customer's hand, until the context ends: a card that was used and has no power any more is taken out, and comes back.
func (s *ccidSlot) move(ctx context.Context) error {
	if s.hand == emulator.StillHand() {
		return nil
	}
	look := time.NewTicker(handLooks)
	defer look.Stop()
	var since time.Time // when what is waited for began; zero: it has not
	for {
		select {
		case <-look.C:
		case <-ctx.Done():
			return nil
		}
		since = s.look(since)
	}
}

// look does what is due and says since when the next thing is waited for.
func (s *ccidSlot) look(since time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.reader.Status()
	if s.chip != nil && !r.Card { // it left by itself, or a fault took it
		s.chip, s.away = nil, s.chip
		return time.Now()
	}
	done := r.Card && !r.Powered && r.Carried > 0
	switch {
	case !done && s.away == nil:
		return time.Time{}
	case since.IsZero():
		return time.Now()
	case done && time.Since(since) >= s.hand.TakeOut:
		s.chip, s.away = nil, s.chip
		s.reader.Remove()
		return time.Now()
	case s.away != nil && s.hand.PutBack > 0 && time.Since(since) >= s.hand.PutBack:
		s.chip, s.away = s.away, nil
		s.reader.Insert(s.chip)
		return time.Time{}
	}
	return since
}
