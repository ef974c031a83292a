package usbip_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"tillway/device/emulator/usbip"
	"tillway/device/emulator/virtualusb"
)

// gadget is a device with interrupt endpoints 01 and 81, and bulk ones 02 and 82, of 64 bytes. What comes in is kept; what goes out is queued.
type gadget struct {
	interrupt, bulk virtualusb.Queue
	came            chan []byte
}

func newGadget() *gadget { return &gadget{came: make(chan []byte, 8)} }

func (*gadget) Descriptors() virtualusb.Descriptors {
	return virtualusb.Descriptors{
		Device: [18]byte{18, 1, 0, 2, 0xEF, 2, 1, 64, 0x34, 0x12, 0x78, 0x56, 0x10, 0x02, 1, 2, 0, 1},
		Configuration: []byte{
			9, 2, 46, 0, 1, 1, 0, 0x80, 50,
			9, 4, 0, 0, 4, 3, 1, 2, 0,
			7, 5, 0x01, 3, 64, 0, 4,
			7, 5, 0x81, 3, 64, 0, 4,
			7, 5, 0x02, 2, 64, 0, 0,
			7, 5, 0x82, 2, 64, 0, 0,
		},
	}
}

func (*gadget) Control(context.Context, [8]byte, []byte) ([]byte, error) {
	return nil, virtualusb.ErrStall
}

func (g *gadget) Out(_ context.Context, _ uint8, data []byte) error {
	g.came <- data
	return nil
}

func (g *gadget) In(ctx context.Context, endpoint uint8, maxPacket int) ([]byte, error) {
	if endpoint == 0x82 {
		return g.bulk.Next(ctx, maxPacket)
	}
	return g.interrupt.Next(ctx, maxPacket)
}

// client is a USB/IP client written from usbip_protocol.rst: it knows words on a wire and nothing of the server.
type client struct {
	t    *testing.T
	conn net.Conn
}

// carried is a client of a device that was imported, and configured.
func carried(t *testing.T, f virtualusb.Function) (*client, *virtualusb.Controller, <-chan error) {
	t.Helper()
	ours, theirs := net.Pipe()
	c := virtualusb.Connect(f)
	ended := make(chan error, 1)
	go func() { ended <- usbip.Carry(context.Background(), theirs, c) }()
	t.Cleanup(func() {
		_ = ours.Close()
		c.Disconnect()
	})
	cl := &client{t, ours}
	cl.send(submit(1, 0, 0, 0, 0, [8]byte{0, 9, 1}))
	cl.expect("configured", words(3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0))
	return cl, c, ended
}

func words(w ...uint32) []byte {
	var b []byte
	for _, v := range w {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return b
}

// submit is USBIP_CMD_SUBMIT without data.
func submit(seq, in, endpoint, flags, length uint32, setup [8]byte) []byte {
	return append(words(1, seq, 0x10002, in, endpoint, flags, length, 0, 0, 0), setup[:]...)
}

func unlink(seq, victim uint32) []byte {
	return append(words(2, seq, 0x10002, 0, 0, victim), make([]byte, 24)...)
}

// submitted is USBIP_RET_SUBMIT of a transfer that ended with a status.
func submitted(seq uint32, status int32, actual uint32, data []byte) []byte {
	return append(words(3, seq, 0, 0, 0, uint32(status), actual, 0, 0, 0, 0, 0), data...)
}

func unlinked(seq uint32, status int32) []byte {
	return append(words(4, seq, 0, 0, 0, uint32(status)), make([]byte, 24)...)
}

func (c *client) send(b ...[]byte) {
	c.t.Helper()
	if _, err := c.conn.Write(bytes.Join(b, nil)); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) expect(what string, want ...[]byte) {
	c.t.Helper()
	all := bytes.Join(want, nil)
	got := make([]byte, len(all))
	if n, err := io.ReadFull(c.conn, got); err != nil || !bytes.Equal(got, all) {
		c.t.Fatalf("%s: %v\ngot  %X\nwant %X", what, err, got[:n], all)
	}
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestCapture repeats the exchange with a HID device that usbip_protocol.rst has from a real wire, byte for byte.
func TestCapture(t *testing.T) {
	g := newGadget()
	c, _, _ := carried(t, g)
	question := unhex(t, "ffffffff860008a784ce5ae212376300"+strings.Repeat("00", 48))
	reply := unhex(t, "ffffffff860011a784ce5ae2123763612891b10201000004"+strings.Repeat("00", 40))
	c.send(unhex(t, "00000001 00000d05 0001000f 00000001 00000001 00000200 00000040 ffffffff 00000000 00000004 00000000 00000000"))
	c.send(unhex(t, "00000001 00000d06 0001000f 00000000 00000001 00000000 00000040 ffffffff 00000000 00000004 00000000 00000000"), question)
	c.expect("RetIntrOut", unhex(t, "00000003 00000d06 00000000 00000000 00000000 00000000 00000040 ffffffff 00000000 00000000 00000000 00000000"))
	if got := <-g.came; !bytes.Equal(got, question) {
		t.Errorf("the device got % X", got)
	}
	g.interrupt.PutWithoutEnd(reply)
	c.expect("RetIntrIn", unhex(t, "00000003 00000d05 00000000 00000000 00000000 00000000 00000040 ffffffff 00000000 00000000 00000000 00000000"), reply)
}

// TestStatus proves the numbers that transfers end with.
func TestStatus(t *testing.T) {
	g := newGadget()
	c, controller, _ := carried(t, g)
	none := [8]byte{}
	g.bulk.Put([]byte{1, 2, 3})
	c.send(submit(2, 1, 2, 0, 64, none))
	c.expect("short", submitted(2, 0, 3, []byte{1, 2, 3}))
	g.bulk.Put([]byte{1, 2, 3})
	c.send(submit(3, 1, 2, 1, 64, none))
	c.expect("short, and not OK", submitted(3, -121, 3, []byte{1, 2, 3}))
	g.bulk.Put(make([]byte, 20))
	c.send(submit(4, 1, 2, 0, 10, none))
	c.expect("babble", submitted(4, -75, 10, make([]byte, 10)))
	g.bulk.Stall()
	c.send(submit(5, 1, 2, 0, 64, none))
	c.expect("stall", submitted(5, -32, 0, nil))
	c.send(submit(6, 1, 2, 0, 64, none))
	c.expect("halted", submitted(6, -32, 0, nil))
	c.send(submit(7, 0, 0, 0, 0, [8]byte{2, 1, 0, 0, 0x82}))
	c.expect("cleared", submitted(7, 0, 0, nil))
	g.bulk.Put([]byte{9})
	c.send(submit(8, 1, 2, 0, 64, none))
	c.expect("well again", submitted(8, 0, 1, []byte{9}))
	c.send(submit(9, 1, 5, 0, 64, none))
	c.expect("no such endpoint", submitted(9, -2, 0, nil))
	c.send(submit(10, 1, 0, 0, 18, [8]byte{0x80, 6, 0, 1, 0, 0, 18}))
	device := g.Descriptors().Device
	c.expect("device descriptor", submitted(10, 0, 18, device[:]))
	c.send(submit(11, 1, 0, 0, 4, [8]byte{0x80, 6, 0, 1, 0, 0, 18}))
	c.expect("a buffer that is less than wLength", submitted(11, -75, 4, device[:4]))
	c.send(submit(12, 1, 0, 0, 8, [8]byte{0xC0, 1, 0, 0, 0, 0, 8}))
	c.expect("refused by the device", submitted(12, -32, 0, nil))
	if err := controller.Arm(virtualusb.Fault{Kind: virtualusb.FaultGarbage, Endpoint: 0x82, Transfer: 1}); err != nil {
		t.Fatal(err)
	}
	g.bulk.Put([]byte{0})
	c.send(submit(13, 1, 2, 0, 64, none))
	c.expect("a fault", submitted(13, 0, 1, []byte{0xA5}))
	c.send(append(words(1, 14, 0x10002, 1, 2, 2, 8, 0, 2, 0), none[:]...), make([]byte, 32))
	c.expect("isochronous", words(3, 14, 0, 0, 0, 0xFFFFFFEA, 0, 0, 2, 2, 0, 0), words(0, 0, 0, 0xFFFFFFEA, 0, 0, 0, 0xFFFFFFEA))
	c.send(append(words(1, 15, 0x10002, 0, 2, 0, 1, 0, 0xFFFFFFFF, 0), none[:]...), []byte{5})
	c.expect("out, as newer kernels say that it is not isochronous", words(3, 15, 0, 0, 0, 0, 1, 0, 0xFFFFFFFF, 0, 0, 0))
}

// TestUnlink proves what usbip_protocol.rst says of it: ECONNRESET and no other answer for one that waits, 0 for one that has been answered.
func TestUnlink(t *testing.T) {
	g := newGadget()
	c, _, _ := carried(t, g)
	none := [8]byte{}
	c.send(submit(2, 1, 2, 0, 64, none), submit(3, 1, 2, 0, 64, none), unlink(4, 2))
	c.expect("one that waits", unlinked(4, -104))
	g.bulk.Put([]byte{7})
	c.expect("the one behind it", submitted(3, 0, 1, []byte{7}))
	c.send(unlink(5, 3))
	c.expect("one that was answered", unlinked(5, 0))
	c.send(unlink(6, 99))
	c.expect("one that never was", unlinked(6, 0))
}

// TestContinuation: libusb cuts a long transfer into several, of which all but the last may not be short; when one is, the rest of
// them wait to be unlinked and do not take what comes next.
func TestContinuation(t *testing.T) {
	g := newGadget()
	c, _, _ := carried(t, g)
	none := [8]byte{}
	c.send(submit(2, 1, 2, 1, 64, none), submit(3, 1, 2, 1, 64, none), submit(4, 1, 2, 0, 64, none), submit(5, 1, 2, 0, 64, none))
	c.send(unlink(6, 77))
	c.expect("all are there", unlinked(6, 0))
	g.bulk.Put([]byte{1})
	c.expect("the short one", submitted(2, -121, 1, []byte{1}))
	g.bulk.Put([]byte{2})
	c.expect("the next transfer", submitted(5, 0, 1, []byte{2}))
	c.send(unlink(7, 3), unlink(8, 4))
	got := make([]byte, 96)
	if _, err := io.ReadFull(c.conn, got); err != nil {
		t.Fatal(err)
	}
	one, two := unlinked(7, -104), unlinked(8, -104)
	if !bytes.Equal(got, append(bytes.Clone(one), two...)) && !bytes.Equal(got, append(bytes.Clone(two), one...)) {
		t.Errorf("unlinked: %X", got)
	}
}

// TestHostileClient: what no client may send ends its connection, with a reason.
func TestHostileClient(t *testing.T) {
	none := [8]byte{}
	for name, b := range map[string][]byte{
		"an answer":            append(words(3, 2, 0, 0, 0, 0), make([]byte, 24)...),
		"direction 2":          submit(2, 2, 2, 0, 64, none),
		"endpoint 16":          submit(2, 1, 16, 0, 64, none),
		"a transfer of 4 GB":   submit(2, 1, 2, 0, 0xFFFFFFFF, none),
		"two million packets":  append(words(1, 2, 0, 1, 2, 0, 64, 0, 2_000_000, 0), none[:]...),
		"one number twice":     append(submit(2, 1, 2, 0, 64, none), submit(2, 1, 2, 0, 64, none)...),
		"more than it answers": many(600),
	} {
		t.Run(name, func(t *testing.T) {
			c, controller, ended := carried(t, newGadget())
			go func() { _, _ = c.conn.Write(b) }() // it may end before all is written
			if err := <-ended; !errors.Is(err, usbip.ErrProtocol) {
				t.Error(err)
			}
			select {
			case <-controller.Gone():
				t.Error("the device was pulled by its client")
			default:
			}
		})
	}
}

func many(n uint32) []byte {
	var b []byte
	for seq := range n {
		b = append(b, submit(seq+2, 1, 2, 0, 64, [8]byte{})...)
	}
	return b
}

// TestUnplug: the device that is pulled ends the connection, without an error.
func TestUnplug(t *testing.T) {
	c, controller, ended := carried(t, newGadget())
	c.send(submit(2, 1, 2, 0, 64, [8]byte{}))
	go func() { _, _ = io.Copy(io.Discard, c.conn) }()
	controller.Disconnect()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// FuzzCarry: whatever a client sends, the connection ends with it and nothing is left running; what is answered is well formed.
func FuzzCarry(f *testing.F) {
	f.Add(submit(2, 1, 2, 0, 64, [8]byte{}))
	f.Add(append(submit(2, 0, 2, 0, 3, [8]byte{}), 1, 2, 3))
	f.Add(append(submit(2, 1, 0, 0, 64, [8]byte{0x80, 6, 0, 2, 0, 0, 64}), unlink(3, 2)...))
	f.Fuzz(func(t *testing.T, sent []byte) {
		ours, theirs := net.Pipe()
		c := virtualusb.Connect(&echoing{})
		ended := make(chan error, 1)
		go func() { ended <- usbip.Carry(context.Background(), theirs, c) }()
		answers := make(chan []byte, 1)
		go func() { b, _ := io.ReadAll(ours); answers <- b }()
		_, _ = ours.Write(sent)
		_ = ours.Close()
		if err := <-ended; err != nil && len(sent) == 0 {
			t.Fatal(err)
		}
		c.Disconnect()
		for b := <-answers; len(b) >= 48; b = b[48:] {
			switch kind, actual := binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[24:]); {
			case kind == 3 && actual <= virtualusb.MaxTransfer:
				return // data follow, or not: the request said so
			case kind != 4:
				t.Fatalf("answer %X", b[:48])
			}
		}
	})
}

// echoing takes everything and answers at once.
type echoing struct{ gadget }

func (*echoing) Out(context.Context, uint8, []byte) error { return nil }

func (*echoing) In(context.Context, uint8, int) ([]byte, error) { return []byte{1}, nil }
