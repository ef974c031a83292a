package devicetest

import (
	"bytes"

	"tillway/device"
)

func unpluggedInExchange(b *bench) {
	for exchange := 1; exchange <= 2; exchange++ {
		b.harness.Insert(atrT0, respond)
		p := b.present()
		b.harness.Fault(Unplugged, exchange)
		b.fails(p.Card, exchange, device.ErrUnplugged)
		if status := b.condition(device.Absent); status.Cause == "" {
			b.Error("no cause")
		}
		b.removed() // an unplugged reader has an empty slot
		if err := b.reader.Release(b.Context()); err != nil {
			b.Errorf("Release: %v", err)
		}
		b.harness.Replug()
		b.works(b.present().Card)
		b.harness.Remove()
		b.removed()
	}
}

func unpluggedWaiting(b *bench) {
	presented := during(func() error {
		_, err := b.reader.Present(b.Context())
		return err
	})
	b.condition(device.NoCard)
	for range 2 {
		b.harness.Unplug()
		b.condition(device.Absent)
		b.harness.Replug()
		b.condition(device.NoCard)
	}
	b.harness.Insert(atrT0, respond)
	if err := <-presented; err != nil {
		b.Fatal(err)
	}
	b.condition(device.CardIn)
	b.harness.Unplug() // nobody asks: the driver notices by itself
	b.condition(device.Absent)
	b.harness.Replug()
	b.works(b.present().Card)
}

// movedUnplugged: what happened to the card while nobody could see it is seen when the reader is back.
func movedUnplugged(b *bench) {
	b.harness.Unplug()
	b.condition(device.Absent)
	b.harness.Insert(atrT0, respond)
	b.harness.Replug()
	p := b.present()
	b.works(p.Card)
	b.harness.Unplug()
	b.condition(device.Absent)
	b.harness.Remove()
	b.harness.Replug()
	b.condition(device.NoCard)
	b.fails(p.Card, 1, device.ErrUnplugged, device.ErrRemoved)
	b.harness.Insert(atrT1, respond)
	b.works(b.present().Card)
}

// unpluggedHundred looks for what is lost with each time that the reader goes and comes back: between exchanges, in the
// middle of one, and while the driver waits for a card.
func unpluggedHundred(b *bench) {
	b.harness.Insert(atrT0, respond)
	b.works(b.present().Card)
	before := weigh(b.T)
	for i := range 100 {
		switch i % 3 {
		case 0:
			b.harness.Unplug()
		case 1:
			p := b.present()
			b.harness.Fault(Unplugged, 1)
			b.fails(p.Card, 1, device.ErrUnplugged)
		case 2:
			b.harness.Remove()
			b.removed()
			b.harness.Unplug()
			b.harness.Insert(atrT0, respond)
		}
		if status := b.condition(device.Absent); status.Cause == "" {
			b.Fatalf("unplugged for the %d. time: no cause", i+1)
		}
		b.harness.Replug()
		b.harness.Remove()
		b.condition(device.NoCard)
		b.harness.Insert(atrT0, respond)
		p := b.present()
		if got, err := b.transmit(p.Card, readCommand); err != nil || !bytes.Equal(got, respond(readCommand)) {
			b.Fatalf("replugged for the %d. time: %X, %v", i+1, got, err)
		}
		b.harness.Remove()
		b.removed()
		b.harness.Insert(atrT0, respond)
	}
	before.grown(b.T, "a hundred times unplugged")
}
