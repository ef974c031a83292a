package devicetest

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"tillway/device"
)

// Run runs the suite: one subtest a promise of device.Reader and device.Card, and one a way in which things go wrong.
func Run(t *testing.T, connect Connect) {
	t.Helper()
	for _, c := range []struct {
		name string
		test func(b *bench)
	}{
		{"a card in T=0", func(b *bench) { aCard(b, atrT0) }},
		{"a card in T=1", func(b *bench) { aCard(b, atrT1) }},
		{"waits for the card", waitsForTheCard},
		{"the context ends every wait", contextEndsWaits},
		{"release", release},
		{"close", closing},
		{"a malformed command is the caller's", malformedCommand},
		{"removed before it has power", removedBeforePower},
		{"removed before the answer to reset", removedAtReset},
		{"removed in an exchange", removedInExchange},
		{"removed between exchanges", removedBetween},
		{"swapped between exchanges", swapped},
		{"mute", mute},
		{"mute once", muteOnce},
		{"an answer to reset that EMV refuses", refusedATR},
		{"cold and warm reset", coldAndWarm},
		{"slow", func(b *bench) { harmless(b, Slow) }},
		{"more time without end", stalled},
		{"garbage", func(b *bench) { harmless(b, Garbage) }},
		{"a stale answer", func(b *bench) { harmless(b, Stale) }},
		{"the reader wants a command again", func(b *bench) { harmless(b, Refused) }},
		{"wrong checksum", func(b *bench) { damagedAnswer(b, BadChecksum) }},
		{"parity", func(b *bench) { damagedAnswer(b, Parity) }},
		{"short frame", func(b *bench) { damagedAnswer(b, ShortFrame) }},
		{"the answer is lost", func(b *bench) { lostAnswer(b, Lost) }},
		{"the reader starts anew", func(b *bench) { lostAnswer(b, Reset) }},
		{"given up in an exchange", givenUp},
		{"unplugged in an exchange", unpluggedInExchange},
		{"unplugged while waiting", unpluggedWaiting},
		{"cards moved while unplugged", movedUnplugged},
		{"unplugged a hundred times", unpluggedHundred},
	} {
		t.Run(c.name, func(t *testing.T) {
			reader, harness := connect(t)
			defer func() {
				if err := reader.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			}()
			c.test(newBench(t, reader, harness))
		})
	}
	t.Run("a thousand cards", func(t *testing.T) { thousand(t, connect) })
}

func aCard(b *bench, atr []byte) {
	b.condition(device.NoCard)
	b.harness.Insert(atr, respond)
	p := b.present()
	if p.Technology != device.Contact || !bytes.Equal(p.ATR, atr) {
		b.Fatalf("presented %v %X", p.Technology, p.ATR)
	}
	b.condition(device.CardIn)
	b.works(p.Card)
	b.harness.Remove()
	b.removed()
	b.condition(device.NoCard)
}

func waitsForTheCard(b *bench) {
	presented := during(func() error {
		_, err := b.reader.Present(b.Context())
		return err
	})
	b.condition(device.NoCard)
	b.harness.Insert(atrT0, respond)
	if err := <-presented; err != nil {
		b.Fatal(err)
	}
	gone := during(func() error { return b.reader.AwaitRemoval(b.Context()) })
	b.harness.Remove()
	if err := <-gone; err != nil {
		b.Fatal(err)
	}
}

func contextEndsWaits(b *bench) {
	for _, wait := range []func(context.Context) error{
		func(ctx context.Context) error { _, err := b.reader.Present(ctx); return err },
		func(ctx context.Context) error {
			b.harness.Insert(atrT0, respond)
			b.present()
			return b.reader.AwaitRemoval(ctx)
		},
	} {
		ctx, cancel := context.WithTimeout(b.Context(), 50*time.Millisecond)
		if err := wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			b.Errorf("%v, want the deadline", err)
		}
		cancel()
		if err := wait(ctx); !oneOf(err, []error{context.Canceled, context.DeadlineExceeded}) {
			b.Errorf("%v after the context's end", err)
		}
	}
}

func release(b *bench) {
	if err := b.reader.Release(b.Context()); err != nil {
		b.Fatalf("Release without a card: %v", err)
	}
	b.harness.Insert(atrT0, respond)
	first := b.present()
	for range 2 {
		if err := b.reader.Release(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := b.transmit(first.Card, readCommand); err == nil {
		b.Fatal("a released card answers")
	}
	b.condition(device.CardIn)
	second := b.present() // without having been taken out
	b.works(second.Card)
	third := b.present() // without having been released
	if _, err := b.transmit(second.Card, readCommand); err == nil {
		b.Fatal("a card answers after the next Present")
	}
	b.works(third.Card)
}

func closing(b *bench) {
	b.harness.Insert(atrT0, respond)
	p := b.present()
	b.harness.Remove()
	b.removed()
	presented := during(func() error {
		_, err := b.reader.Present(b.Context())
		return err
	})
	for range 2 {
		if err := b.reader.Close(); err != nil {
			b.Fatal(err)
		}
	}
	if err := <-presented; !errors.Is(err, device.ErrClosed) {
		b.Errorf("Present ended with %v", err)
	}
	b.presentFails(device.ErrClosed)
	if err := b.reader.AwaitRemoval(b.Context()); !errors.Is(err, device.ErrClosed) {
		b.Errorf("AwaitRemoval: %v", err)
	}
	if err := b.reader.Release(b.Context()); !errors.Is(err, device.ErrClosed) {
		b.Errorf("Release: %v", err)
	}
	if _, err := b.transmit(p.Card, readCommand); err == nil {
		b.Error("a card answers after Close")
	}
}

func malformedCommand(b *bench) {
	b.harness.Insert(atrT0, respond)
	p := b.present()
	for _, command := range [][]byte{nil, {0, 0xB2, 1}, append(bytes.Clone(writeCommand), 0, 0), {0, 0xA4, 4, 0, 9, 1}} {
		if _, err := b.transmit(p.Card, command); err == nil || errors.Is(err, device.ErrRemoved) {
			b.Errorf("command %X: %v", command, err)
		}
	}
	b.works(p.Card)
}

// removedBeforePower: a card that is gone before anybody asked for it was never presented.
func removedBeforePower(b *bench) {
	for range 3 {
		b.harness.Insert(atrT0, respond)
		b.condition(device.CardIn)
		b.harness.Remove()
		b.condition(device.NoCard)
	}
	b.harness.Insert(atrT0, respond)
	b.harness.Remove() // perhaps between two looks of the reader
	presented := during(func() error {
		_, err := b.reader.Present(b.Context())
		return err
	})
	b.condition(device.NoCard)
	if len(presented) != 0 {
		b.Fatalf("presented a card that is gone: %v", <-presented)
	}
	b.harness.Insert(atrT1, respond)
	if err := <-presented; err != nil {
		b.Fatal(err)
	}
}

func removedAtReset(b *bench) {
	b.harness.Fault(Removed, 0)
	b.harness.Insert(atrT0, respond)
	presented := during(func() error {
		_, err := b.reader.Present(b.Context())
		return err
	})
	b.condition(device.NoCard)
	b.harness.Insert(atrT0, respond)
	if err := <-presented; err != nil {
		b.Fatal(err)
	}
}

func removedInExchange(b *bench) {
	for _, atr := range [][]byte{atrT0, atrT1} {
		for n := 1; n <= 4; n++ {
			exchange := n
			if bytes.Equal(atr, atrT1) && !b.limits.APDU {
				exchange++ // the first block tells the block size
			}
			b.harness.Insert(atr, respond)
			b.harness.Fault(Removed, exchange)
			p := b.present()
			b.fails(p.Card, n, device.ErrRemoved)
			b.removed()
			b.condition(device.NoCard)
		}
	}
	b.harness.Insert(atrT0, respond)
	b.works(b.present().Card)
}

func removedBetween(b *bench) {
	b.harness.Insert(atrT0, respond)
	p := b.present()
	b.works(p.Card)
	b.harness.Remove()
	b.fails(p.Card, 1, device.ErrRemoved)
	b.condition(device.NoCard)
}

func swapped(b *bench) {
	b.harness.Insert(atrT0, respond)
	p := b.present()
	b.harness.Remove()
	b.harness.Insert(atrT0, respond)
	b.fails(p.Card, 1, device.ErrRemoved)
	b.works(b.present().Card)
}

func mute(b *bench) {
	b.harness.Insert(nil, respond)
	b.presentFails(device.ErrMute)
	if status := b.condition(device.CardFailed); status.Cause == "" {
		b.Error("no cause")
	}
	b.presentFails(device.ErrMute)
	gone := during(func() error { return b.reader.AwaitRemoval(b.Context()) })
	b.harness.Remove()
	if err := <-gone; err != nil {
		b.Fatal(err)
	}
	b.condition(device.NoCard)
	b.harness.Insert(atrT0, respond)
	b.works(b.present().Card)
}

func muteOnce(b *bench) {
	b.harness.Fault(Mute, 0) // the next reset, cold again, works
	b.harness.Insert(atrT0, respond)
	p := b.present()
	b.harness.Fault(Mute, 2)
	b.fails(p.Card, 2, device.ErrMute)
	b.condition(device.CardIn)
	b.harness.Remove()
	b.removed()
	b.harness.Fault(Mute, 3)
	b.harness.Insert(atrT1, respond)
	if p := b.present(); b.limits.APDU {
		b.fails(p.Card, 3, device.ErrMute)
	} else {
		b.works(p.Card) // T=1 asks again
	}
}

func refusedATR(b *bench) {
	b.needsResets()
	b.harness.Insert([]byte{0x3B, 0x02, 0x14, 0x50}, respond) // TB1 absent: refused cold, accepted warm
	b.works(b.present().Card)
	b.harness.Remove()
	b.removed()
	for _, atr := range [][]byte{
		{0x3B, 0xE0, 0x00, 0xFF, 0x81, 0x31, 0x7C, 0x41, 0x93},       // wrong TCK
		{0x3B, 0xE0, 0x00, 0xFF, 0x81, 0x71, 0x7C, 0x41, 0x01, 0xD3}, // CRC
		{0x3B, 0x60, 0x00},                                             // cut short
		{0x3B, 0xE0, 0x00, 0x00, 0x8E, 0x0E, 0x60},                     // T=14
		append(append([]byte{0x3B, 0x6F, 0, 0}, pattern(15)...), 0, 1), // too long
	} {
		b.harness.Insert(atr, respond)
		b.presentFails(device.ErrMute)
		b.condition(device.CardFailed)
		b.harness.Remove()
		b.removed()
	}
}

// coldAndWarm: an answer to a cold reset that EMV refuses gets one warm reset, and the protocol is that of the answer which was
// accepted; an accepted one gets none (EMV Contact Interface Specification, 8.4).
func coldAndWarm(b *bench) {
	b.needsResets()
	noTB1 := []byte{0x3B, 0x02, 0x14, 0x50}
	t14 := []byte{0x3B, 0xE0, 0x00, 0x00, 0x8E, 0x0E, 0x60}
	for _, c := range []struct{ cold, warm, want []byte }{
		{t14, atrT0, atrT0},
		{t14, atrT1, atrT1},
		{noTB1, atrT1, atrT1},
		{atrT0, t14, atrT0},
		{atrT1, noTB1, atrT1},
		{t14, noTB1, noTB1},
		{noTB1, t14, nil},
		{t14, nil, nil},
	} {
		b.harness.InsertWarm(c.cold, c.warm, respond)
		if c.want == nil {
			b.presentFails(device.ErrMute)
			b.condition(device.CardFailed)
		} else {
			p := b.present()
			if !bytes.Equal(p.ATR, c.want) {
				b.Fatalf("cold %X, warm %X: presented %X", c.cold, c.warm, p.ATR)
			}
			b.works(p.Card)
		}
		b.harness.Remove()
		b.removed()
	}
	// A mute card has lost its power: what it says after that is the answer to a cold reset again.
	b.harness.Fault(Mute, 0)
	b.harness.InsertWarm(noTB1, t14, respond)
	b.presentFails(device.ErrMute)
	b.harness.Remove()
	b.removed()
	b.harness.Fault(Mute, 0)
	b.harness.InsertWarm(t14, atrT1, respond)
	b.works(b.present().Card)
}

func harmless(b *bench, kind Fault) {
	b.needs(kind)
	for _, atr := range [][]byte{atrT0, atrT1} {
		for exchange := range 4 {
			b.harness.Fault(kind, exchange)
			b.harness.Insert(atr, respond)
			b.works(b.present().Card)
			b.harness.Remove()
			b.removed()
		}
	}
}

func damagedAnswer(b *bench, kind Fault) {
	b.needs(kind)
	b.harness.Fault(kind, 0) // a reset may be repeated
	b.harness.Insert(atrT0, respond)
	p := b.present()
	b.harness.Fault(kind, 2) // a T=0 command may not
	b.fails(p.Card, 2, device.ErrProtocol)
	b.works(b.present().Card)
	b.harness.Remove()
	b.removed()
	for exchange := 1; exchange <= 3; exchange++ {
		b.harness.Fault(kind, exchange)
		b.harness.Insert(atrT1, respond)
		if p := b.present(); b.limits.APDU {
			b.fails(p.Card, exchange, device.ErrProtocol)
			b.works(b.present().Card)
		} else {
			b.works(p.Card) // T=1 asks for the block again
		}
		b.harness.Remove()
		b.removed()
	}
}

// stalled: a reader may ask for time, and not for ever. What it had to say is over; the next card is another matter.
func stalled(b *bench) {
	b.needs(Stalled)
	b.harness.Insert(atrT0, respond)
	p := b.present()
	b.harness.Fault(Stalled, 2)
	b.fails(p.Card, 2, device.ErrTimeout, device.ErrProtocol)
	b.works(b.present().Card)
}

func lostAnswer(b *bench, kind Fault) {
	b.needs(kind)
	b.harness.Insert(atrT0, respond)
	p := b.present()
	b.harness.Fault(kind, 2)
	b.fails(p.Card, 2, device.ErrTimeout, device.ErrProtocol)
	b.works(b.present().Card)
}

func givenUp(b *bench) {
	b.harness.Insert(atrT0, respond)
	p := b.present()
	b.harness.Fault(Lost, 1)
	ctx, cancel := context.WithTimeout(b.Context(), 30*time.Millisecond)
	defer cancel()
	if _, err := p.Card.Transmit(ctx, readCommand); !errors.Is(err, context.DeadlineExceeded) {
		b.Fatalf("%v, want the deadline", err)
	}
	if _, err := b.transmit(p.Card, readCommand); err == nil {
		b.Fatal("the card answers after an exchange that was given up")
	}
	b.works(b.present().Card)
}
