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

// TestStandardRequests proves USB 2.0, 9.4, request by request; an empty answer is a stall.
func TestStandardRequests(t *testing.T) {
	_, _, d := plugged(t)
	c, err := d.Configuration(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := usb.ParseConfiguration(c); err != nil {
		t.Error(err)
	}
	for _, row := range []struct {
		name                 string
		requestType, request uint8
		value, index         uint16
		length               int
		want                 []byte
	}{
		{"device descriptor, first 8 bytes", 0x80, 6, 0x0100, 0, 8, []byte{18, 1, 0, 2, 0, 0, 0, 64}},
		{"configuration, first 9 bytes", 0x80, 6, 0x0200, 0, 9, c[:9]},
		{"second configuration", 0x80, 6, 0x0201, 0, 9, nil},
		{"languages", 0x80, 6, 0x0300, 0, 255, []byte{4, 3, 9, 4}},
		{"string 2", 0x80, 6, 0x0302, 0x0409, 255, []byte{18, 3, 'E', 0, 'c', 0, 'h', 0, 'o', 0, ' ', 0, 0xE9, 0, 0x01, 0xD8, 0x37, 0xDC}},
		{"string 3", 0x80, 6, 0x0303, 0x0409, 255, nil},
		{"device qualifier of a full-speed device", 0x80, 6, 0x0600, 0, 10, nil},
		{"report descriptor: the function's", 0x81, 6, 0x2200, 0, 100, []byte{0x06, 0x8E}},
		{"status of the device", 0x80, 0, 0, 0, 2, []byte{1, 0}},
		{"status of the interface", 0x81, 0, 0, 0, 2, []byte{0, 0}},
		{"configuration in force", 0x80, 8, 0, 0, 1, []byte{1}},
		{"setting", 0x81, 10, 0, 0, 1, []byte{0}},
		{"setting of no interface", 0x81, 10, 0, 7, 1, nil},
		{"unknown", 0x80, 12, 0, 0, 2, nil},
		{"vendor request, cut to its length", 0xC0, 1, 0, 0, 3, []byte{0, 0, 0}},
		{"class request: refused by the function", 0xA1, 1, 0, 0, 3, nil},
	} {
		b := make([]byte, row.length)
		n, err := d.Control(t.Context(), row.requestType, row.request, row.value, row.index, b)
		if row.want == nil {
			if !errors.Is(err, usb.ErrStall) {
				t.Errorf("%s: % X, %v", row.name, b[:n], err)
			}
			continue
		}
		if err != nil || !bytes.Equal(b[:n], row.want) {
			t.Errorf("%s: % X, %v", row.name, b[:n], err)
		}
	}
	for name, refused := range map[string][4]uint16{
		"set configuration 2": {0x00, 9, 2, 0}, "set setting 2": {0x01, 11, 2, 0}, "set descriptor": {0x00, 7, 0x0100, 0},
	} {
		if _, err := d.Control(t.Context(), uint8(refused[0]), uint8(refused[1]), refused[2], refused[3], nil); !errors.Is(err, usb.ErrStall) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTransfers proves USB 2.0, 5.8.3 and 8.7.4: a transfer ends with a short packet or when it is full, and never runs over.
func TestTransfers(t *testing.T) {
	for _, row := range []struct {
		name         string
		sent         int
		room         int
		first, rest  int
		firstError   error
		noSecondRead bool
	}{
		{name: "short", sent: 10, room: 64, first: 10, noSecondRead: true},
		{name: "several packets", sent: 130, room: 512, first: 130, noSecondRead: true},
		{name: "a multiple of 64, ended by an empty packet", sent: 128, room: 512, first: 128, noSecondRead: true},
		{name: "a multiple of 64 read in its length leaves the empty packet", sent: 128, room: 128, first: 128, rest: 0},
		{name: "read packet by packet", sent: 100, room: 64, first: 64, rest: 36},
		{name: "babble", sent: 100, room: 10, first: 10, firstError: device.ErrProtocol, rest: 36},
		{name: "babble in the second packet", sent: 128, room: 100, first: 100, firstError: device.ErrProtocol, rest: 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			e, _, d := plugged(t)
			message := make([]byte, row.sent)
			for i := range message {
				message[i] = byte(i + 1)
			}
			if n, err := d.Write(t.Context(), 0x02, message); err != nil || n != row.sent {
				t.Fatal(n, err)
			}
			b := make([]byte, row.room)
			n, err := d.Read(t.Context(), 0x81, b)
			if n != row.first || !errors.Is(err, row.firstError) || !bytes.Equal(b[:n], message[:n]) {
				t.Fatalf("%d bytes, %v", n, err)
			}
			if row.noSecondRead {
				e.Put([]byte{0xEE})
				n, err = d.Read(t.Context(), 0x81, b)
				if n != 1 || err != nil || b[0] != 0xEE {
					t.Errorf("next: %d bytes, %v", n, err)
				}
				return
			}
			if n, err = d.Read(t.Context(), 0x81, make([]byte, 64)); n != row.rest || err != nil {
				t.Errorf("rest: %d bytes, %v", n, err)
			}
		})
	}
}

// TestEndpoints: an endpoint is there in its own setting only, one way only, and stands still after a stall until it is cleared.
func TestEndpoints(t *testing.T) {
	_, p, d := plugged(t)
	ctx := t.Context()
	if _, err := d.Write(ctx, 0x02, []byte{0}); !errors.Is(err, usb.ErrStall) {
		t.Errorf("stall: %v", err)
	}
	status := make([]byte, 2)
	if _, err := d.Control(ctx, 0x82, 0, 0, 0x02, status); err != nil || status[0] != 1 {
		t.Errorf("halted: % X, %v", status, err)
	}
	if _, err := d.Write(ctx, 0x02, []byte{1}); !errors.Is(err, usb.ErrStall) {
		t.Errorf("still halted: %v", err)
	}
	if _, err := d.Control(ctx, 0x02, 1, 0, 0x02, nil); err != nil {
		t.Error(err)
	}
	if n, err := d.Write(ctx, 0x02, []byte{1}); err != nil || n != 1 {
		t.Errorf("cleared: %d, %v", n, err)
	}
	if err := d.Claim(ctx, 0, 1); err != nil {
		t.Error(err)
	}
	for _, address := range []uint8{0x81, 0x83, 0x84, 0x85, 0x02} {
		if _, err := d.Read(ctx, address, status); !errors.Is(err, device.ErrProtocol) {
			t.Errorf("%02X in setting 1: %v", address, err)
		}
	}
	if _, err := d.Write(ctx, 0x81, status); !errors.Is(err, device.ErrProtocol) {
		t.Errorf("write to 81: %v", err)
	}
	if err := d.Claim(ctx, 3, 0); !errors.Is(err, device.ErrProtocol) {
		t.Errorf("interface 3: %v", err)
	}
	if p.Speed() != virtualusb.FullSpeed {
		t.Errorf("speed %d", p.Speed())
	}
}

// TestUnplugEndsTransfers: what is pending ends, what comes later is refused, and the bus tells it.
func TestUnplugEndsTransfers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus, e := virtualusb.NewBus(), &echo{block: true}
		ctx, cancel := context.WithCancel(t.Context())
		changes := bus.Changes(ctx)
		p := bus.Plug(e)
		<-changes
		d, err := bus.Open(ctx, p.Info())
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Claim(ctx, 0, 0); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 3)
		go func() { _, err := d.Read(ctx, 0x81, make([]byte, 64)); ended <- err }()
		go func() { _, err := d.Read(ctx, 0x83, make([]byte, 8)); ended <- err }()
		go func() { _, err := d.Write(ctx, 0x02, []byte{1}); ended <- err }()
		synctest.Wait()
		p.Unplug()
		for range 3 {
			if err := <-ended; !errors.Is(err, device.ErrUnplugged) {
				t.Errorf("pending: %v", err)
			}
		}
		<-changes
		if _, err := d.Control(ctx, 0x80, 0, 0, 0, make([]byte, 2)); !errors.Is(err, device.ErrUnplugged) {
			t.Errorf("later: %v", err)
		}
		if _, err := bus.Open(ctx, p.Info()); !errors.Is(err, device.ErrUnplugged) {
			t.Errorf("open: %v", err)
		}
		again := bus.Plug(e)
		if a, b := p.Info(), again.Info(); a.Path != b.Path || a.Address == b.Address || e.resets != 2 {
			t.Errorf("%v and %v, %d resets", a, b, e.resets)
		}
		again.Unplug()
		cancel()
		synctest.Wait()
		if _, open := <-changes; open { // the two changes above are one value
			if _, open = <-changes; open {
				t.Error("changes go on after the end")
			}
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestCancel: a transfer that is given up loses nothing.
func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, _, d := plugged(t)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { _, err := d.Read(ctx, 0x81, make([]byte, 64)); ended <- err }()
		synctest.Wait()
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		e.Put([]byte{7})
		b := make([]byte, 64)
		if n, err := d.Read(t.Context(), 0x81, b); n != 1 || err != nil || b[0] != 7 {
			t.Errorf("%d, %v", n, err)
		}
		go func() { _, err := d.Read(t.Context(), 0x81, make([]byte, 64)); ended <- err }()
		synctest.Wait()
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; !errors.Is(err, device.ErrClosed) {
			t.Error(err)
		}
		if _, err := d.Write(t.Context(), 0x02, b); !errors.Is(err, device.ErrClosed) {
			t.Error(err)
		}
	})
}

// TestHolders: permission, other programs, and kernel drivers, which let go and get their interface back.
func TestHolders(t *testing.T) {
	bus := virtualusb.NewBus()
	p := bus.Plug(&echo{})
	defer p.Unplug()
	ctx := t.Context()
	p.Deny(true)
	if _, err := bus.Open(ctx, p.Info()); !errors.Is(err, device.ErrPermission) {
		t.Errorf("denied: %v", err)
	}
	p.Deny(false)
	open := func() usb.Device {
		d, err := bus.Open(ctx, p.Info())
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	first, second := open(), open()
	defer second.Close()
	if _, err := first.Read(ctx, 0x81, make([]byte, 64)); !errors.Is(err, device.ErrProtocol) {
		t.Errorf("not claimed: %v", err)
	}
	p.Hold(0, "usbfs")
	if err := first.Claim(ctx, 0, 0); !errors.Is(err, device.ErrBusy) {
		t.Errorf("held by a program: %v", err)
	}
	p.Hold(0, "usbhid")
	if err := first.Claim(ctx, 0, 0); err != nil || p.Info().Interfaces[0].Driver != "usbfs" {
		t.Errorf("held by a driver: %v, %v", err, p.Info())
	}
	if err := second.Claim(ctx, 0, 0); !errors.Is(err, device.ErrBusy) {
		t.Errorf("claimed twice: %v", err)
	}
	if err := first.Close(); err != nil || p.Driver(0) != "usbhid" {
		t.Errorf("given back to %q, %v", p.Driver(0), err)
	}
	if err := second.Claim(ctx, 0, 0); err != nil {
		t.Error(err)
	}
}
