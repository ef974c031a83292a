package usbccid

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"tillway/device/ccid"
	"tillway/device/usb"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The configuration of a reader at TPDU level with T=0 and T=1, in the layout that USB 2.0 and CCID 1.1 give: configuration,
// interface, functional descriptor, bulk out, bulk in, interrupt.
const (
	head       = "0902 5D00 01 01 00 A0 32  0904 00 00 03 0B 00 00 00 "
	functional = "36 21 1001 00 07 03000000 A00F0000 A00F0000 00 80250000 00B00400 00 FE000000 00000000 00000000 30020100 0F010000 00 00 0000 00 01 "
	endpoints  = "0705 02 02 4000 00  0705 82 02 4000 00  0705 81 03 0800 18"
)

var twin = usb.ID{Vendor: 0x08E6, Product: 0x3437}

func TestParse(t *testing.T) {
	l, err := parse(unhex(t, head+functional+endpoints), twin)
	if err != nil {
		t.Fatal(err)
	}
	want := ccid.Features{Level: ccid.TPDU, MaxMessage: 271, Untold: true}
	if l.features != want || l.in.Address != 0x82 || l.out.Address != 0x02 || l.interrupt.Address != 0x81 || l.in.MaxPacket != 64 {
		t.Errorf("%+v", l)
	}
	for name, c := range map[string]struct {
		change func(b []byte) []byte
		id     usb.ID
		check  func(l layout) bool
	}{
		"short APDU":              {set(58, 0xB2, 0x04, 0x02), twin, func(l layout) bool { return l.features.Level == ccid.ShortAPDU && l.features.AutoParameters }},
		"extended APDU":           {set(58, 0x40, 0x08, 0x04), twin, func(l layout) bool { return l.features.Level == ccid.ExtendedAPDU }},
		"automatic voltage":       {set(58, 0x38), twin, func(l layout) bool { return l.features.AutoVoltage }},
		"keys for a PIN":          {set(70, 3), twin, func(l layout) bool { return l.features.PINPad }},
		"APDU level that is none": {set(58, 0xB2, 0x04, 0x02), usb.ID{Vendor: 0x076B, Product: 0x3022}, func(l layout) bool { return l.features.Level == ccid.TPDU }},
		"SCM's 263 bytes":         {set(62, 0x07, 0x01), twin, func(l layout) bool { return l.features.MaxMessage == 271 }},
		"no interrupt endpoint":   {without(86, 7), twin, func(l layout) bool { return l.interrupt.Address == 0 }},
		"vendor's class":          {set(14, 0xFF), twin, func(l layout) bool { return l.setting.Class == 0xFF }},
	} {
		l, err := parse(c.change(unhex(t, head+functional+endpoints)), c.id)
		if err != nil || !c.check(l) {
			t.Errorf("%s: %+v, %v", name, l, err)
		}
	}
}

// set writes bytes into a configuration.
func set(at int, values ...byte) func([]byte) []byte {
	return func(b []byte) []byte { copy(b[at:], values); return b }
}

// without takes bytes out of a configuration, and counts again.
func without(at, n int) func([]byte) []byte {
	return func(b []byte) []byte {
		b = append(b[:at], b[at+n:]...)
		b[2] = byte(len(b)) //nolint:gosec // about a hundred
		return b
	}
}

func TestParseRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(b []byte) []byte
		says   string
	}{
		"nothing":                      {func([]byte) []byte { return nil }, "0 bytes"},
		"a length beyond the end":      {set(18, 0xFF), "bLength 255"},
		"a length of nothing":          {set(18, 0), "bLength 0"},
		"total length of 64 KB":        {set(2, 0xFF, 0xFF), "wTotalLength 65535"},
		"a keyboard":                   {set(14, 3), "no interface of class 0B"},
		"vendor's class, and no more":  {func(b []byte) []byte { return without(18, 54)(set(14, 0xFF)(b)) }, "no interface of class 0B"},
		"no functional descriptor":     {without(18, 54), "no functional descriptor"},
		"one that is cut short":        {func(b []byte) []byte { return without(70, 2)(set(18, 52)(b)) }, "52 bytes"},
		"a token":                      {set(16, 1), "ICCD"},
		"no protocol":                  {set(24, 4), "neither T=0 nor T=1"},
		"256 slots":                    {set(22, 0xFF), "256 slots"},
		"messages of four gigabytes":   {set(62, 0xFF, 0xFF, 0xFF, 0xFF), "dwMaxCCIDMessageLength 4294967295"},
		"messages of no bytes":         {set(62, 0, 0, 0, 0), "dwMaxCCIDMessageLength 0"},
		"character level":              {set(58, 0x30, 0x02, 0x00), "pcsc"},
		"blocks that are too short":    {set(46, 0x20), "dwMaxIFSD 32"},
		"no bulk endpoints":            {set(75, 3), "no pair of bulk endpoints"},
		"both in the same direction":   {set(74, 0x83), "no pair of bulk endpoints"},
		"packets of eight bytes":       {set(83, 8, 0), "packets of 8 bytes"},
		"packets of nothing":           {set(83, 0, 0), "packets of 0 bytes"},
		"an endpoint without a number": {set(74, 0x00), "endpoint 00"},
	} {
		l, err := parse(c.change(unhex(t, head+functional+endpoints)), twin)
		if !errors.Is(err, usb.ErrDescriptor) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %+v, %v, want %q", name, l, err, c.says)
		}
	}
}

// FuzzParse: what is taken for a reader has what the driver relies on.
func FuzzParse(f *testing.F) {
	f.Add(unhex(f, head+functional+endpoints))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := parse(b, twin)
		if err != nil {
			if !errors.Is(err, usb.ErrDescriptor) {
				t.Fatal(err)
			}
			return
		}
		if l.in.Address&0x80 == 0 || l.out.Address&0x80 != 0 || l.in.MaxPacket < ccid.HeaderLength || l.in.MaxPacket > 1024 ||
			l.features.MaxMessage < leastMessage || l.features.MaxMessage > mostMessage || l.interrupt.MaxPacket > movementPacketMost {
			t.Fatalf("%+v", l)
		}
	})
}

// FuzzSlotChange: only the class's message is taken for a movement, and of it the first slot.
func FuzzSlotChange(f *testing.F) {
	f.Add([]byte{0x50, 0x03})
	f.Add([]byte{0x50, 0x02, 0xFF})
	f.Add([]byte{0x51, 0x00, 0x01, 0x02})
	f.Fuzz(func(t *testing.T, b []byte) {
		state, ok := slotChange(b)
		if ok && (len(b) < 2 || b[0] != 0x50 || state != b[1]&3 || state&2 == 0) || !ok && state != 0 {
			t.Fatalf("%X: %02X, %v", b, state, ok)
		}
	})
}
