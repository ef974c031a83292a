package usbccid_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tillway/device"
	"tillway/device/ccid"
	"tillway/device/emulator"
	"tillway/device/emulator/usbreader"
	"tillway/device/emulator/virtualusb"
	"tillway/device/usb"
	"tillway/device/usbccid"
)

var (
	t0 = []byte{0x3B, 0x60, 0x00, 0x00}
	t1 = []byte{0x3B, 0xE0, 0x00, 0xFF, 0x81, 0x31, 0x7C, 0x41, 0x92}
)

// settled lets the driver do all that it can without time passing, and some time pass.
func settled(after time.Duration) {
	time.Sleep(after)
	synctest.Wait()
}

// driven is a driver on a bus, which ends with the test.
func driven(t *testing.T, config usbccid.Config) *usbccid.Reader {
	t.Helper()
	r, err := usbccid.Open(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func emulated(t *testing.T, cfg usbreader.Config) *usbreader.Reader {
	t.Helper()
	r, err := usbreader.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// keyboard is a device that is no reader.
type keyboard struct{ virtualusb.Queue }

func (*keyboard) Descriptors() virtualusb.Descriptors {
	return virtualusb.Descriptors{
		Device:        [18]byte{18, 1, 0, 2, 0, 0, 0, 64, 0x6D, 0x04, 0x1C, 0xC3, 0, 1, 0, 0, 0, 1},
		Configuration: []byte{9, 2, 25, 0, 1, 1, 0, 0xA0, 50, 9, 4, 0, 0, 1, 3, 1, 1, 0, 7, 5, 0x81, 3, 8, 0, 10},
	}
}

func (*keyboard) Control(context.Context, [8]byte, []byte) ([]byte, error) {
	return nil, virtualusb.ErrStall
}

func (*keyboard) Out(context.Context, uint8, []byte) error { return virtualusb.ErrStall }

func (k *keyboard) In(ctx context.Context, _ uint8, most int) ([]byte, error) {
	return k.Next(ctx, most)
}

// hostile is a reader by its class, whose functional descriptor is cut short.
type hostile struct{ keyboard }

func (h *hostile) Descriptors() virtualusb.Descriptors {
	d := h.keyboard.Descriptors()
	d.Device[8], d.Device[9], d.Device[10], d.Device[11] = 0xE6, 0x08, 0x37, 0x34
	d.Configuration = []byte{9, 2, 32, 0, 1, 1, 0, 0xA0, 50, 9, 4, 0, 0, 1, 0x0B, 0, 0, 0, 7, 0x21, 0, 1, 0, 7, 3, 7, 5, 0x81, 3, 8, 0, 10}
	return d
}

// Each cause is told with its remedy, at once, once in the log, and gone when its reason is.
func TestCauses(t *testing.T) {
	stranger := usb.ID{Vendor: 0x1234, Product: 0x5678}
	for name, c := range map[string]struct {
		id    usb.ID
		bad   func(p *virtualusb.Plug)
		good  func(p *virtualusb.Plug)
		allow []usb.ID
		port  string
		says  []string
	}{
		"no permission": {
			bad: func(p *virtualusb.Plug) { p.Deny(true) }, good: func(p *virtualusb.Plug) { p.Deny(false) }, says: []string{"no permission"},
		},
		"held by another program": {},
		"not on the list":         {id: stranger, says: []string{"1234:5678", "reader.allow"}},
		"allowed":                 {id: stranger, allow: []usb.ID{stranger}},
		"another socket":          {port: "1-4", says: []string{"no USB card reader 1-4", "unplugged"}},
		"another model":           {port: "08e6:3437", says: []string{"no USB card reader 08e6:3437"}},
		"by its model":            {port: "04e6:5116"},
		"by its socket":           {port: "1-2"},
		"by its serial":           {port: "SN 17"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bus := virtualusb.NewBus()
				defer bus.Plug(&keyboard{}).Unplug()
				p := bus.Plug(emulated(t, usbreader.Config{ID: c.id, Serial: "SN 17"}))
				defer p.Unplug()
				if c.bad != nil {
					c.bad(p)
				}
				var l bytes.Buffer
				r := driven(t, usbccid.Config{Bus: bus, Port: c.port, Allow: c.allow, Log: slog.New(slog.NewTextHandler(&l, nil))})
				settled(time.Minute)
				status := r.Status()
				for _, words := range c.says {
					if status.Condition != device.Absent || !strings.Contains(status.Cause, words) {
						t.Errorf("%+v, want %q", status, words)
					}
				}
				if n := strings.Count(l.String(), "msg="); n != 1 {
					t.Errorf("%d lines logged:\n%s", n, l.String())
				}
				if c.good != nil {
					c.good(p)
					settled(5 * time.Second) // the longest that it takes until the driver tries again
				}
				if status := r.Status(); (c.says == nil || c.good != nil) && status.Condition != device.NoCard {
					t.Errorf("%+v", status)
				}
				if c.port == "1-2" && !strings.Contains(r.Name(), "04e6:5116 at 1-2") {
					t.Error(r.Name())
				}
			})
		})
	}
}

// A reader that cannot be opened is tried soon after it was plugged in, for udevd comes a moment later, and rarely afterwards.
func TestRefusedIsTriedRarely(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := virtualusb.NewBus()
		counted := &traffic{Bus: bus}
		r := driven(t, usbccid.Config{Bus: counted})
		settled(time.Minute)
		again := bus.Plug(emulated(t, usbreader.Config{}))
		again.Deny(true)
		defer again.Unplug()
		counted.taken()
		settled(time.Minute)
		if _, lists := counted.taken(); lists < 12 || lists > 20 {
			t.Errorf("%d tries in a minute", lists)
		}
		again.Unplug()
		quick := bus.Plug(emulated(t, usbreader.Config{}))
		quick.Deny(true)
		defer quick.Unplug()
		settled(100 * time.Millisecond)
		quick.Deny(false)
		settled(time.Second)
		if status := r.Status(); status.Condition != device.NoCard {
			t.Errorf("a second after it was permitted: %+v", status)
		}
	})
}

// A device that lies about itself is refused with the reason, and the good one beside it is driven.
func TestHostileBesideGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := virtualusb.NewBus()
		defer bus.Plug(&hostile{}).Unplug()
		r := driven(t, usbccid.Config{Bus: bus})
		settled(time.Second)
		if status := r.Status(); status.Condition != device.Absent || !strings.Contains(status.Cause, "functional descriptor of 7 bytes") {
			t.Errorf("%+v", status)
		}
		defer bus.Plug(emulated(t, usbreader.Config{})).Unplug()
		settled(10 * time.Millisecond) // no wait for a timer: the bus tells
		if status := r.Status(); status.Condition != device.NoCard {
			t.Errorf("%+v", status)
		}
	})
}

// heldBus is a bus on which pcscd has every reader.
type heldBus struct{ usb.Bus }

type heldDevice struct{ usb.Device }

func (b heldBus) Open(ctx context.Context, info usb.Info) (usb.Device, error) {
	d, err := b.Bus.Open(ctx, info)
	return heldDevice{d}, err
}

func (d heldDevice) Claim(context.Context, uint8, uint8) error {
	return &usb.HeldError{Info: d.Info(), Program: "pcscd", PID: 77}
}

func TestHeldByPcscd(t *testing.T) {
	bus := virtualusb.NewBus()
	defer bus.Plug(emulated(t, usbreader.Config{})).Unplug()
	r := driven(t, usbccid.Config{Bus: heldBus{bus}})
	status := r.Status()
	for _, words := range []string{"held by another program", "pcscd (process 77)", "systemctl disable --now pcscd.socket", `driver = "pcsc"`} {
		if status.Condition != device.Absent || !strings.Contains(status.Cause, words) {
			t.Errorf("%+v, want %q", status, words)
		}
	}
}

func TestParsePort(t *testing.T) {
	info := usb.Info{ID: usb.ID{Vendor: 0x08E6, Product: 0x3437}, Path: "1-2.4", Serial: "A1"}
	for text, want := range map[string]bool{"": true, "08e6:3437": true, "08E6:3437": true, "1-2.4": true, "A1": true, "08e6:3438": false, "1-2": false, "A": false} {
		if port, err := usbccid.ParsePort(text); err != nil || port.Is(info) != want {
			t.Errorf("%q: %v, %v", text, port.Is(info), err)
		}
	}
	for _, bad := range []string{"a\nb", " 1-2", "/dev/ttyUSB0", strings.Repeat("x", 200)} {
		if _, err := usbccid.Open(usbccid.Config{Bus: virtualusb.NewBus(), Port: bad}); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

// traffic is a bus that counts what its readers are asked.
type traffic struct {
	usb.Bus
	mu     sync.Mutex
	writes int
	lists  int
}

type countedDevice struct {
	usb.Device
	bus *traffic
}

func (b *traffic) List(ctx context.Context) ([]usb.Info, error) {
	b.mu.Lock()
	b.lists++
	b.mu.Unlock()
	return b.Bus.List(ctx)
}

func (b *traffic) Open(ctx context.Context, info usb.Info) (usb.Device, error) {
	d, err := b.Bus.Open(ctx, info)
	return countedDevice{d, b}, err
}

func (d countedDevice) Write(ctx context.Context, endpoint uint8, data []byte) (int, error) {
	d.bus.mu.Lock()
	d.bus.writes++
	d.bus.mu.Unlock()
	return d.Device.Write(ctx, endpoint, data)
}

func (b *traffic) taken() (writes, lists int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	writes, lists, b.writes, b.lists = b.writes, b.lists, 0, 0
	return writes, lists
}

// What an idle driver asks in a minute: next to nothing of a reader that tells movements, 2.5 a second of one that does not, and
// a list of the bus every five seconds without any. A card is noticed at once all the same, or with the next look.
func TestIdle(t *testing.T) {
	for name, c := range map[string]struct {
		silent bool
		most   int
		notice time.Duration
	}{"tells": {false, 15, time.Millisecond}, "silent": {true, 155, 401 * time.Millisecond}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bus := &traffic{Bus: virtualusb.NewBus()}
				r := driven(t, usbccid.Config{Bus: bus})
				settled(time.Second)
				bus.taken()
				settled(time.Minute)
				if writes, lists := bus.taken(); writes != 0 || lists > 13 {
					t.Errorf("without a reader: %d commands, %d lists", writes, lists)
				}
				reader := emulated(t, usbreader.Config{NoInterrupt: c.silent})
				inner, ok := bus.Bus.(*virtualusb.Bus)
				if !ok {
					t.Fatal("another bus")
				}
				defer inner.Plug(reader).Unplug()
				settled(time.Second)
				bus.taken()
				settled(time.Minute)
				if writes, lists := bus.taken(); writes > c.most || lists != 0 {
					t.Errorf("with one: %d commands, %d lists", writes, lists)
				}
				reader.Insert(chip{t0, t0, func([]byte) []byte { return []byte{0x90, 0x00} }})
				settled(c.notice)
				if status := r.Status(); status.Condition != device.CardIn {
					t.Errorf("%+v", status)
				}
				reader.Remove()
				settled(c.notice)
				if status := r.Status(); status.Condition != device.NoCard {
					t.Errorf("%+v", status)
				}
			})
		})
	}
}

// A reader whose endpoint has stopped is closed, started again and reached anew.
func TestStall(t *testing.T) {
	for _, endpoint := range []uint8{0x02, 0x82, 0x81} {
		t.Run(fmt.Sprintf("%02X", endpoint), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bus := virtualusb.NewBus()
				reader := emulated(t, usbreader.Config{})
				p := bus.Plug(reader)
				defer p.Unplug()
				r := driven(t, usbccid.Config{Bus: bus})
				reader.Insert(chip{t0, t0, func([]byte) []byte { return []byte{0x90, 0x00} }})
				first, err := r.Present(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if err := p.Arm(virtualusb.Fault{Kind: virtualusb.FaultStall, Endpoint: endpoint, Transfer: 1}); err != nil {
					t.Fatal(err)
				}
				if endpoint == 0x81 {
					reader.Remove()
					settled(10 * time.Second) // the look without being told finds the slot empty
					if status := r.Status(); status.Condition != device.NoCard {
						t.Errorf("%+v", status)
					}
					return
				}
				if _, err := first.Card.Transmit(t.Context(), []byte{0, 0xA4, 4, 0}); err == nil {
					t.Error("a stopped endpoint answers")
				}
				again, err := r.Present(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if _, err := again.Card.Transmit(t.Context(), []byte{0, 0xA4, 4, 0}); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// The PIN goes from the reader's keys to the card; what this program sees is the card's status.
func TestVerifyPIN(t *testing.T) {
	entry := ccid.PINEntry{Least: 4, Most: 12, Timeout: 30 * time.Second}
	for name, c := range map[string]struct {
		level usbreader.Level
		atr   []byte
		pad   func() (string, bool)
		entry ccid.PINEntry
		block []byte
		want  error
	}{
		"four digits":       {usbreader.TPDU, t0, func() (string, bool) { return "1234", true }, entry, []byte{0x24, 0x12, 0x34, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}, nil},
		"five, short APDU":  {usbreader.ShortAPDU, t1, func() (string, bool) { return "98765", true }, entry, []byte{0x25, 0x98, 0x76, 0x5F, 0xFF, 0xFF, 0xFF, 0xFF}, nil},
		"cancelled":         {usbreader.ShortAPDU, t0, func() (string, bool) { return "", false }, entry, nil, ccid.ErrPINCancelled},
		"no keys":           {usbreader.ShortAPDU, t0, nil, entry, nil, ccid.ErrNoPINPad},
		"blocks of our own": {usbreader.TPDU, t1, func() (string, bool) { return "1234", true }, entry, nil, ccid.ErrNoPINPad},
		"an entry of three": {usbreader.TPDU, t0, func() (string, bool) { return "1234", true }, ccid.PINEntry{Least: 3, Most: 12, Timeout: time.Second}, nil, ccid.ErrPINEntry},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bus := virtualusb.NewBus()
				reader := emulated(t, usbreader.Config{Level: c.level, PINPad: c.pad})
				defer bus.Plug(reader).Unplug()
				r := driven(t, usbccid.Config{Bus: bus})
				var got []byte
				reader.Insert(chip{c.atr, c.atr, func(command []byte) []byte {
					got = bytes.Clone(command)
					return []byte{0x63, 0xC2}
				}})
				p, err := r.Present(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				verifier, ok := p.Card.(ccid.PINVerifier)
				if !ok {
					t.Fatal("the card has no PIN entry")
				}
				sw, err := verifier.VerifyPIN(t.Context(), c.entry)
				switch {
				case c.want == nil && (err != nil || sw != [2]byte{0x63, 0xC2} || !bytes.Equal(got, append([]byte{0, 0x20, 0, 0x80, 8}, c.block...))):
					t.Errorf("%X, %v, the card got %X", sw, err, got)
				case c.want != nil && !errors.Is(err, c.want):
					t.Errorf("%v, want %v", err, c.want)
				}
				if _, err := p.Card.Transmit(t.Context(), []byte{0, 0xB0, 0, 0}); err != nil {
					t.Errorf("afterwards: %v", err)
				}
			})
		})
	}
}

// direct is the wire's own work: the two messages of an APDU carried over the bus without the driver.
func direct(b *testing.B, bus *virtualusb.Bus) {
	all, err := bus.List(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	d, err := bus.Open(b.Context(), all[0])
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	if err := d.Claim(b.Context(), 0, 0); err != nil {
		b.Fatal(err)
	}
	in := make([]byte, 64)
	exchange := func(m []byte) {
		if _, err := d.Write(b.Context(), 0x02, m); err != nil {
			b.Fatal(err)
		}
		if _, err := d.Read(b.Context(), 0x82, in); err != nil {
			b.Fatal(err)
		}
	}
	exchange([]byte{0x62, 0, 0, 0, 0, 0, 1, 0, 0, 0})
	for b.Loop() {
		exchange([]byte{0x6F, 5, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0xA4, 0, 0, 0})
	}
}

// What the driver adds to an APDU: the difference between the two, T=0 at short APDU level, 2 bytes of answer.
func BenchmarkTransmit(b *testing.B) {
	answer := func([]byte) []byte { return []byte{0x90, 0x00} }
	for _, driver := range []bool{false, true} {
		b.Run(map[bool]string{false: "wire alone", true: "driver"}[driver], func(b *testing.B) {
			reader, err := usbreader.New(usbreader.Config{Level: usbreader.ShortAPDU})
			if err != nil {
				b.Fatal(err)
			}
			bus := virtualusb.NewBus()
			defer bus.Plug(reader).Unplug()
			reader.Insert(chip{t0, t0, answer})
			if !driver {
				direct(b, bus)
				return
			}
			r, err := usbccid.Open(usbccid.Config{Bus: bus})
			if err != nil {
				b.Fatal(err)
			}
			defer r.Close()
			p, err := r.Present(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Card.Transmit(b.Context(), []byte{0, 0xA4, 0, 0, 0}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

var _ emulator.Chip = chip{}
