package usbip_test

import (
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"

	"tillway/device/emulator/usbip"
	"tillway/device/emulator/virtualusb"
)

// TestHundredPluggings imports a device a hundred times, with transfers pending, and ends each in one of three ways: the device is
// pulled, the client hangs up, the server stops. The bubble does not end while a goroutine is left.
func TestHundredPluggings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, err := usbip.NewDevice("1-1", newGadget())
		if err != nil {
			t.Fatal(err)
		}
		for round := range 100 {
			c, err := d.Plug()
			if err != nil {
				t.Fatalf("round %d: %v", round, err)
			}
			ours, theirs := net.Pipe()
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- usbip.Carry(ctx, theirs, c) }()
			cl := &client{t, ours}
			cl.send(submit(1, 0, 0, 0, 0, [8]byte{0, 9, 1}))
			cl.expect("configured", submitted(1, 0, 0, nil))
			cl.send(submit(2, 1, 2, 0, 64, [8]byte{}), submit(3, 1, 2, 1, 64, [8]byte{}), submit(4, 1, 1, 0, 64, [8]byte{}))
			synctest.Wait()
			go func() { _, _ = io.Copy(io.Discard, ours) }()
			switch round % 3 {
			case 0:
				d.Unplug()
				d.Replug()
			case 1:
				_ = ours.Close()
			case 2:
				stop()
			}
			if err := <-ended; err != nil {
				t.Errorf("round %d: %v", round, err)
			}
			stop()
			_ = ours.Close()
			c.Disconnect()
			if d.Imported() {
				t.Errorf("round %d: it is imported still", round)
			}
			synctest.Wait()
		}
	})
}

// BenchmarkTransfers is what the server costs over a socket: 64 bytes in, answered from a queue.
func BenchmarkTransfers(b *testing.B) {
	ours, theirs := net.Pipe()
	c := virtualusb.Connect(&echoing{})
	ended := make(chan error, 1)
	go func() { ended <- usbip.Carry(context.Background(), theirs, c) }()
	answer := make([]byte, 49)
	ask := func(request []byte, n int) {
		if _, err := ours.Write(request); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(ours, answer[:n]); err != nil {
			b.Fatal(err)
		}
	}
	ask(submit(1, 0, 0, 0, 0, [8]byte{0, 9, 1}), 48)
	request := submit(2, 1, 2, 0, 64, [8]byte{})
	for b.Loop() {
		ask(request, 49)
	}
	_ = ours.Close()
	<-ended //nolint:errcheck // the client hung up
	c.Disconnect()
}
