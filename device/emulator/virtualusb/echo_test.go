package virtualusb_test

import (
	"context"
	"errors"
	"testing"

	"tillway/device/emulator/virtualusb"
	"tillway/device/usb"
)

// echo is a device with one interface in two settings: bulk 02 and 81, and an interrupt 83 in setting 0. What goes in comes out.
type echo struct {
	virtualusb.Queue // of 81
	moves            virtualusb.Queue
	resets           int
	block            bool // Out is never ready
	raw              []byte
}

var configuration = []byte{
	9, 2, 62, 0, 1, 1, 0, 0xC0, 50,
	9, 4, 0, 0, 3, 0xFF, 1, 2, 0,
	7, 5, 0x02, 2, 64, 0, 0,
	7, 5, 0x81, 2, 64, 0, 0,
	7, 5, 0x83, 3, 8, 0, 10,
	9, 4, 0, 1, 1, 0xFF, 1, 2, 0,
	7, 5, 0x02, 2, 32, 0, 0,
	7, 5, 0x84, 1, 64, 0, 1, // isochronous
}

func (e *echo) Descriptors() virtualusb.Descriptors {
	return virtualusb.Descriptors{
		Device: [18]byte{18, 1, 0, 2, 0, 0, 0, 64, 0xE6, 0x08, 0x37, 0x34, 0, 1, 1, 2, 0, 1},
		// the length is the real one, whatever the table above has
		Configuration: append([]byte{9, 2, byte(len(configuration)), 0}, configuration[4:]...),
		Strings:       []string{"Tillway", "Echo é𐐷"},
	}
}

func (e *echo) Control(_ context.Context, setup [8]byte, data []byte) ([]byte, error) {
	s := virtualusb.ParseSetup(setup)
	switch s.RequestType {
	case 0x40:
		e.raw = data
		return nil, nil
	case 0xC0:
		return append(e.raw, make([]byte, 300)...), nil
	case 0x81:
		return []byte{0x06, 0x8E}, nil
	}
	return nil, virtualusb.ErrStall
}

func (e *echo) Out(ctx context.Context, _ uint8, data []byte) error {
	if e.block {
		<-ctx.Done()
		return ctx.Err()
	}
	if len(data) == 1 && data[0] == 0 {
		return virtualusb.ErrStall
	}
	e.Put(data)
	return nil
}

func (e *echo) In(ctx context.Context, endpoint uint8, maxPacket int) ([]byte, error) {
	switch endpoint {
	case 0x81:
		return e.Next(ctx, maxPacket)
	case 0x83:
		return e.moves.Next(ctx, maxPacket)
	}
	return nil, errors.New("no such endpoint")
}

func (e *echo) Reset() { e.resets++ }

// plugged is an echo on a bus, open and claimed.
func plugged(t *testing.T) (*echo, *virtualusb.Plug, usb.Device) {
	t.Helper()
	bus, e := virtualusb.NewBus(), &echo{}
	p := bus.Plug(e)
	t.Cleanup(p.Unplug)
	list, err := bus.List(t.Context())
	if err != nil || len(list) != 1 {
		t.Fatalf("%v, %v", list, err)
	}
	d, err := bus.Open(t.Context(), list[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	if err := d.Claim(t.Context(), 0, 0); err != nil {
		t.Fatal(err)
	}
	return e, p, d
}
