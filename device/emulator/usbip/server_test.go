package usbip_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"testing"

	"tillway/device/emulator/usbip"
	"tillway/device/emulator/virtualusb"
)

// serving is a server of two devices on a loopback port, and their functions.
func serving(t *testing.T) (dial func() *client, devices []*usbip.Device, functions []*gadget) {
	t.Helper()
	for _, id := range []string{"1-1", "1-2"} {
		g := newGadget()
		d, err := usbip.NewDevice(id, g)
		if err != nil {
			t.Fatal(err)
		}
		devices, functions = append(devices, d), append(functions, g)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- usbip.Serve(ctx, l, devices, nil) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	dial = func() *client {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return &client{t, conn}
	}
	return dial, devices, functions
}

// block is the device block of usbip_protocol.rst, field by field, of the gadget.
func block(busID string, number byte) []byte {
	b := make([]byte, 312)
	copy(b, "/sys/devices/virtual/tillway/"+busID)
	copy(b[0x100:], busID)
	b[0x123] = 1
	b[0x127] = number
	b[0x12B] = 2                                           // full speed
	copy(b[0x12C:], []byte{0x12, 0x34, 0x56, 0x78, 2, 16}) // vendor, product, bcdDevice: big-endian
	copy(b[0x132:], []byte{0xEF, 2, 1, 1, 1, 1})           // class, subclass, protocol, configuration, configurations, interfaces
	return b
}

func importOf(busID string) []byte {
	b := append([]byte{1, 0x11, 0x80, 3, 0, 0, 0, 0}, make([]byte, 32)...)
	copy(b[8:], busID)
	return b
}

// TestOperations: the list, an import, one that somebody has, one that there is not; and that the end of the connection frees the device.
func TestOperations(t *testing.T) {
	dial, devices, functions := serving(t)
	list := []byte{1, 0x11, 0x80, 5, 0, 0, 0, 0}
	c := dial()
	c.send(list)
	c.expect("the list", []byte{1, 0x11, 0, 5, 0, 0, 0, 0}, words(2), block("1-1", 2), []byte{3, 1, 2, 0}, block("1-2", 3), []byte{3, 1, 2, 0})
	if n, err := c.conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("after the list: %d, %v", n, err)
	}
	holder := dial()
	holder.send(importOf("1-2"))
	holder.expect("import", []byte{1, 0x11, 0, 3, 0, 0, 0, 0}, block("1-2", 3))
	if !devices[1].Imported() || devices[0].Imported() {
		t.Error("who is imported?")
	}
	for _, id := range []string{"1-2", "1-3", ""} {
		c := dial()
		c.send(importOf(id))
		c.expect("import of "+id, []byte{1, 0x11, 0, 3, 0, 0, 0, 1})
	}
	holder.send(submit(1, 0, 0, 0, 0, [8]byte{0, 9, 1}))
	holder.expect("configured", submitted(1, 0, 0, nil))
	functions[1].bulk.Put([]byte{4})
	holder.send(submit(2, 1, 2, 0, 64, [8]byte{}))
	holder.expect("data", submitted(2, 0, 1, []byte{4}))
	devices[1].Unplug()
	if _, err := holder.conn.Read(make([]byte, 1)); err == nil {
		t.Error("the connection outlives the device")
	}
	c = dial()
	c.send(list)
	c.expect("the list without it", []byte{1, 0x11, 0, 5, 0, 0, 0, 0}, words(1), block("1-1", 2), []byte{3, 1, 2, 0})
	if err := devices[1].Arm(virtualusb.Fault{Kind: virtualusb.FaultStall, Endpoint: 0x82, Transfer: 1}); err != nil {
		t.Fatal(err)
	}
	devices[1].Replug()
	holder = dial()
	holder.send(importOf("1-2"))
	holder.expect("import again", []byte{1, 0x11, 0, 3, 0, 0, 0, 0}, block("1-2", 3))
	holder.send(submit(1, 0, 0, 0, 0, [8]byte{0, 9, 1}))
	holder.expect("configured", submitted(1, 0, 0, nil))
	functions[1].bulk.Put([]byte{5})
	holder.send(submit(2, 1, 2, 0, 64, [8]byte{}))
	holder.expect("the fault that was ordered before", submitted(2, -32, 0, nil))
}

// TestRefusedOperations: another version, another operation, and less than an operation end the connection and nothing else.
func TestRefusedOperations(t *testing.T) {
	dial, _, _ := serving(t)
	for _, b := range [][]byte{{1, 0x10, 0x80, 5, 0, 0, 0, 0}, {1, 0x11, 0x80, 9, 0, 0, 0, 0}, bytes.Repeat([]byte{0xFF}, 8)} {
		c := dial()
		c.send(b)
		if n, err := c.conn.Read(make([]byte, 1)); err == nil {
			t.Errorf("% X: %d bytes", b, n)
		}
	}
	for _, id := range []string{"", "1-1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1"} {
		if _, err := usbip.NewDevice(id, newGadget()); err == nil {
			t.Errorf("%q is taken", id)
		}
	}
}
