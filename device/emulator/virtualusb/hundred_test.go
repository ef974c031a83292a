package virtualusb_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"tillway/device"
	"tillway/device/emulator/virtualusb"
	"tillway/device/usb"
)

// TestHundredUnplugs pulls a device a hundred times, with transfers pending and without, by hand and by a fault. The bubble does not end
// while a goroutine is left; the bus shows nothing at the end.
func TestHundredUnplugs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := virtualusb.NewBus()
		for round := range 100 {
			e := &echo{block: round%3 == 0}
			p := bus.Plug(e)
			d, err := bus.Open(t.Context(), p.Info())
			if err != nil {
				t.Fatal(err)
			}
			if err := d.Claim(t.Context(), 0, 0); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 2)
			go func() { _, err := d.Read(t.Context(), 0x83, make([]byte, 8)); ended <- err }()
			if e.block {
				go func() { _, err := d.Write(t.Context(), 0x02, []byte{1}); ended <- err }()
			} else {
				ended <- device.ErrUnplugged
			}
			synctest.Wait()
			if round%2 == 0 {
				p.Unplug()
			} else if err := p.Arm(virtualusb.Fault{Kind: virtualusb.FaultUnplug, Endpoint: 0x83, Transfer: 1}); err != nil {
				t.Fatal(err)
			} else {
				e.moves.Put([]byte{1})
			}
			for range 2 {
				if err := <-ended; !errors.Is(err, device.ErrUnplugged) {
					t.Fatalf("round %d: %v", round, err)
				}
			}
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		if list, err := bus.List(t.Context()); err != nil || len(list) != 0 {
			t.Errorf("%v, %v", list, err)
		}
	})
}

// BenchmarkExchange is what the bus inside the process costs: 64 bytes out and in.
func BenchmarkExchange(b *testing.B) {
	bus := virtualusb.NewBus()
	p := bus.Plug(&echo{})
	defer p.Unplug()
	var d usb.Device
	var err error
	if d, err = bus.Open(b.Context(), p.Info()); err == nil {
		err = d.Claim(b.Context(), 0, 0)
	}
	if err != nil {
		b.Fatal(err)
	}
	room := make([]byte, 512)
	message := make([]byte, 63)
	for b.Loop() {
		if _, err := d.Write(b.Context(), 0x02, message); err != nil {
			b.Fatal(err)
		}
		if n, err := d.Read(b.Context(), 0x81, room); n != 63 || err != nil {
			b.Fatal(n, err)
		}
	}
}
