package virtualusb_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"tillway/device"
	"tillway/device/emulator/virtualusb"
	"tillway/device/usb"
)

// TestFaults: each fault happens to the transfer for which it was ordered, to no other, and the next is well.
func TestFaults(t *testing.T) {
	message := []byte{1, 2, 3, 4}
	for _, row := range []struct {
		kind virtualusb.FaultKind
		got  []byte
		err  error
		next []byte // what the next read gives; message: the device is well again
	}{
		{virtualusb.FaultStall, nil, usb.ErrStall, nil},
		{virtualusb.FaultMute, nil, context.Canceled, []byte{9}},
		{virtualusb.FaultLate, nil, context.Canceled, message},
		{virtualusb.FaultGarbage, []byte{0xA4, 0xA7, 0xA6, 0xA1}, nil, []byte{9}},
		{virtualusb.FaultShort, []byte{1, 2}, nil, []byte{9}},
		{virtualusb.FaultEmpty, nil, nil, message},
		{virtualusb.FaultBabble, message, device.ErrProtocol, []byte{9}},
		{virtualusb.FaultUnplug, nil, device.ErrUnplugged, nil},
	} {
		t.Run(string(row.kind), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e, p, d := plugged(t)
				if err := p.Arm(virtualusb.Fault{Kind: row.kind, Endpoint: 0x81, Transfer: 2}); err != nil {
					t.Fatal(err)
				}
				b := make([]byte, 64)
				e.Put([]byte{8})
				if n, err := d.Read(t.Context(), 0x81, b); n != 1 || err != nil || p.Armed() != 1 {
					t.Fatalf("before: %d, %v", n, err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				ended := make(chan struct{})
				var n int
				var err error
				go func() { n, err = d.Read(ctx, 0x81, b); close(ended) }()
				synctest.Wait()
				e.Put(message)
				synctest.Wait()
				cancel()
				<-ended
				if !bytes.Equal(b[:n], row.got) || !errors.Is(err, row.err) || p.Armed() != 0 {
					t.Errorf("% X, %v", b[:n], err)
				}
				e.Put([]byte{9})
				switch n, err = d.Read(t.Context(), 0x81, b); {
				case row.next == nil && err == nil, row.next != nil && (err != nil || !bytes.Equal(b[:n], row.next)):
					t.Errorf("next: % X, %v", b[:n], err)
				}
			})
		})
	}
}

// TestDelay: a late answer comes when the test says so.
func TestDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, p, d := plugged(t)
		now := make(chan struct{})
		if err := p.Arm(virtualusb.Fault{Kind: virtualusb.FaultLate, Endpoint: 0x81, Transfer: 1, Until: now}); err != nil {
			t.Fatal(err)
		}
		e.Put([]byte{5})
		got := make(chan int)
		go func() { n, _ := d.Read(t.Context(), 0x81, make([]byte, 64)); got <- n }()
		synctest.Wait()
		select {
		case <-got:
			t.Error("came at once")
		default:
		}
		close(now)
		if n := <-got; n != 1 {
			t.Errorf("%d bytes", n)
		}
	})
}

// TestFaultsElsewhere: on the control pipe, to the device, and what cannot be ordered.
func TestFaultsElsewhere(t *testing.T) {
	e, p, d := plugged(t)
	arm := func(kind virtualusb.FaultKind, endpoint uint8, transfer int) error {
		return p.Arm(virtualusb.Fault{Kind: kind, Endpoint: endpoint, Transfer: transfer})
	}
	if err := errors.Join(arm(virtualusb.FaultStall, 0, 1), arm(virtualusb.FaultShort, 0x02, 1)); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Control(t.Context(), 0x40, 1, 0, 0, []byte{1, 2}); !errors.Is(err, usb.ErrStall) || e.raw != nil {
		t.Errorf("control: %v, % X", err, e.raw)
	}
	if _, err := d.Control(t.Context(), 0x40, 1, 0, 0, []byte{1, 2}); err != nil || !bytes.Equal(e.raw, []byte{1, 2}) {
		t.Errorf("next control: %v, % X", err, e.raw)
	}
	if _, err := d.Write(t.Context(), 0x02, []byte{1, 2}); err != nil {
		t.Error(err)
	}
	if packet, err := e.Next(t.Context(), 64); err != nil || !bytes.Equal(packet, []byte{1}) {
		t.Errorf("short: % X, %v", packet, err)
	}
	for _, err := range []error{arm("sulk", 0x81, 1), arm(virtualusb.FaultMute, 0x81, 0), arm(virtualusb.FaultLate, 0x02, 1), arm(virtualusb.FaultBabble, 0, 1)} {
		if !errors.Is(err, virtualusb.ErrFault) {
			t.Errorf("ordered: %v", err)
		}
	}
}

// FuzzFunction: whatever a device says of itself and a host asks of it, answers keep to the length asked for.
func FuzzFunction(f *testing.F) {
	f.Add(configuration, []byte{0x80, 6, 0, 2, 0, 0, 255, 0})
	f.Add([]byte{9, 2, 0xFF, 0xFF, 1, 1, 0, 0x80, 50, 7, 5, 0x81, 2, 0, 0, 0}, []byte{0, 9, 1, 0, 0, 0, 0, 0})
	f.Add([]byte{}, []byte{0x82, 0, 0, 0, 0x81, 0, 2, 0})
	f.Fuzz(func(t *testing.T, described, setup []byte) {
		if len(setup) < 8 {
			return
		}
		c := virtualusb.Connect(&liar{described: described})
		defer c.Disconnect()
		packet := [8]byte(setup)
		s := virtualusb.ParseSetup(packet)
		if s.Packet() != packet {
			t.Fatalf("% X is taken apart as %+v", packet, s)
		}
		var data []byte
		if s.RequestType&virtualusb.ToHost == 0 {
			data = make([]byte, s.Length)
		}
		if answer, err := c.Control(t.Context(), packet, data); len(answer) > int(s.Length) || err != nil && answer != nil {
			t.Fatalf("% X: %d bytes, %v", packet, len(answer), err)
		}
		for _, address := range []uint8{0x81, 0x82, setup[0] | 0x80} {
			if got, err := c.In(t.Context(), address, 100); len(got) > 100 {
				t.Fatalf("%d bytes, %v", len(got), err)
			}
		}
	})
}

// liar is an echo that describes itself as it is told.
type liar struct {
	echo
	described []byte
}

func (l *liar) Descriptors() virtualusb.Descriptors {
	return virtualusb.Descriptors{Configuration: l.described}
}

func (l *liar) In(context.Context, uint8, int) ([]byte, error) { return make([]byte, 70), nil }
