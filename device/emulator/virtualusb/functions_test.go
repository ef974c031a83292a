package virtualusb_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"testing"

	"tillway/device"
	"tillway/device/emulator/virtualusb"
	"tillway/device/usb"
)

// on plugs a function in and claims its interfaces.
func on(t *testing.T, f virtualusb.Function) (*virtualusb.Plug, usb.Device) {
	t.Helper()
	bus := virtualusb.NewBus()
	p := bus.Plug(f)
	t.Cleanup(p.Unplug)
	d, err := bus.Open(t.Context(), p.Info())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	c, err := d.Configuration(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	settings, err := usb.ParseConfiguration(c) // read by who did not write it
	if err != nil || len(settings) == 0 {
		t.Fatal(settings, err)
	}
	for _, s := range settings {
		if err := d.Claim(t.Context(), s.Number, s.Alternate); err != nil {
			t.Fatal(err)
		}
	}
	return p, d
}

func TestSerial(t *testing.T) {
	line, far := net.Pipe()
	s := virtualusb.StartSerial(virtualusb.TestIdentity("PIN pad"), line)
	p, d := on(t, s)
	ctx := t.Context()
	if info := p.Info(); info.Product != "PIN pad" || info.Serial != "0001" || len(info.Interfaces) != 2 || info.Interfaces[1].Class != 0x0A {
		t.Errorf("%+v", info)
	}
	coding := []byte{0, 0xC2, 1, 0, 0, 0, 8} // 115200 8N1
	if _, err := d.Control(ctx, 0x21, 0x20, 0, 0, coding); err != nil {
		t.Error(err)
	}
	got := make([]byte, 7)
	if n, err := d.Control(ctx, 0xA1, 0x21, 0, 0, got); err != nil || n != 7 || !bytes.Equal(got, coding) {
		t.Errorf("% X, %v", got, err)
	}
	if _, err := d.Control(ctx, 0x21, 0x22, 3, 0, nil); err != nil {
		t.Error(err)
	}
	if rate, dtr, rts := s.Settings(); rate != 115200 || !dtr || !rts {
		t.Errorf("%d %v %v", rate, dtr, rts)
	}
	for _, refused := range [][]byte{{1, 2, 3}, nil} {
		if _, err := d.Control(ctx, 0x21, 0x20, 0, 0, refused); !errors.Is(err, usb.ErrStall) {
			t.Errorf("a line coding of %d bytes: %v", len(refused), err)
		}
	}
	heard := make(chan []byte, 1)
	go func() {
		b := make([]byte, 5)
		_, _ = io.ReadFull(far, b)
		heard <- b
		_, _ = far.Write(bytes.Repeat([]byte{7}, 100))
	}()
	if _, err := d.Write(ctx, 0x02, []byte("hello")); err != nil {
		t.Error(err)
	}
	if b := <-heard; string(b) != "hello" {
		t.Errorf("%q", b)
	}
	room := make([]byte, 512)
	if n, err := d.Read(ctx, 0x81, room); n != 100 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := d.Write(ctx, 0x02, []byte("gone")); !errors.Is(err, device.ErrProtocol) {
		t.Errorf("after the end: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestBridgeWaits: a line that nobody reads holds the host up, as NAK does, until the host gives up.
func TestBridgeWaits(t *testing.T) {
	line, far := net.Pipe()
	defer far.Close()
	s := virtualusb.StartSerial(virtualusb.TestIdentity("PIN pad"), line)
	defer s.Close()
	_, d := on(t, s)
	if _, err := d.Write(t.Context(), 0x02, []byte{1}); err != nil { // the writer has it in hand
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.Write(ctx, 0x02, []byte{2}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestPrinter(t *testing.T) {
	line, far := net.Pipe()
	p := virtualusb.StartPrinter(virtualusb.TestIdentity("printer"), "MFG:X;CMD:ESC/POS;", line)
	defer p.Close()
	plug, d := on(t, p)
	ctx := t.Context()
	if i := plug.Info().Interfaces; len(i) != 1 || i[0].Class != 7 || i[0].Protocol != 2 {
		t.Errorf("%+v", i)
	}
	b := make([]byte, 64)
	if n, err := d.Control(ctx, 0xA1, 0, 0, 0, b); err != nil || string(b[:n]) != "\x00\x14MFG:X;CMD:ESC/POS;" {
		t.Errorf("device id %q, %v", b[:n], err)
	}
	p.SetPortStatus(virtualusb.PortWell | virtualusb.PortPaperEmpty)
	if n, err := d.Control(ctx, 0xA1, 1, 0, 0, b[:1]); err != nil || n != 1 || b[0] != 0x38 {
		t.Errorf("port status %X, %v", b[0], err)
	}
	for _, recipient := range []uint8{0x21, 0x23} { // the class's own mistake: 1.0 has the wrong recipient
		if _, err := d.Control(ctx, recipient, 2, 0, 0, nil); err != nil {
			t.Error(err)
		}
	}
	if p.SoftResets() != 2 {
		t.Errorf("%d soft resets", p.SoftResets())
	}
	go func() { _, _ = io.ReadFull(far, make([]byte, 2)); _, _ = far.Write([]byte{0x12}) }()
	if _, err := d.Write(ctx, 0x02, []byte{0x1B, 0x40}); err != nil {
		t.Error(err)
	}
	if n, err := d.Read(ctx, 0x81, b); err != nil || n != 1 || b[0] != 0x12 {
		t.Errorf("status % X, %v", b[:n], err)
	}
}

// feature is one feature report, number 0.
type feature struct{ data []byte }

func (f *feature) GetFeature(report uint8) ([]byte, error) {
	if report != 0 {
		return nil, errors.New("no such report")
	}
	return f.data, nil
}

func (f *feature) SetFeature(report uint8, data []byte) error {
	if report != 0 {
		return errors.New("no such report")
	}
	f.data = data
	return nil
}

func TestHID(t *testing.T) {
	report := []byte{0x06, 0x00, 0xFF, 0x09, 0x01, 0xA1, 0x01, 0xC0}
	h := &virtualusb.HID{ID: virtualusb.TestIdentity("stripe reader"), Report: report, MaxPacket: 8, InputBytes: 337, Features: &feature{}}
	_, d := on(t, h)
	ctx := t.Context()
	b := make([]byte, 512)
	if n, err := d.Control(ctx, 0x81, 6, 0x2200, 0, b); err != nil || !bytes.Equal(b[:n], report) {
		t.Errorf("report descriptor % X, %v", b[:n], err)
	}
	if n, err := d.Control(ctx, 0x81, 6, 0x2100, 0, b); err != nil || !bytes.Equal(b[:n], []byte{9, 0x21, 0x11, 1, 0, 1, 0x22, 8, 0}) {
		t.Errorf("HID descriptor % X, %v", b[:n], err)
	}
	if err := h.Send(make([]byte, 336)); !errors.Is(err, virtualusb.ErrReport) {
		t.Error(err)
	}
	swipe := bytes.Repeat([]byte{0x5A}, 337)
	if err := h.Send(swipe); err != nil {
		t.Fatal(err)
	}
	if n, err := d.Read(ctx, 0x81, b[:337]); err != nil || !bytes.Equal(b[:n], swipe) {
		t.Errorf("input report of %d bytes, %v", n, err)
	}
	if _, err := d.Control(ctx, 0x21, 9, 0x0300, 0, []byte{1, 2, 3}); err != nil {
		t.Error(err)
	}
	if n, err := d.Control(ctx, 0xA1, 1, 0x0300, 0, b[:24]); err != nil || !bytes.Equal(b[:n], []byte{1, 2, 3}) {
		t.Errorf("feature % X, %v", b[:n], err)
	}
	if _, err := d.Control(ctx, 0x21, 10, 0, 0, nil); err != nil {
		t.Errorf("idle: %v", err)
	}
	for name, refused := range map[string][3]uint16{"feature 1": {0xA1, 1, 0x0301}, "output": {0x21, 9, 0x0200}, "physical": {0x81, 6, 0x2300}} {
		if _, err := d.Control(ctx, uint8(refused[0]), uint8(refused[1]), refused[2], 0, nil); !errors.Is(err, usb.ErrStall) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
