package emulator_test

import (
	"bytes"
	"testing"

	"tillway/device/emulator"
)

// commands cuts fuzz input into APDUs: a length, then that many bytes.
func commands(in []byte) [][]byte {
	var out [][]byte
	for len(in) > 1 && len(out) < 24 {
		n := min(int(in[0]), len(in)-1)
		out = append(out, in[1:1+n])
		in = in[1+n:]
	}
	return out
}

// A card answers whatever it is sent with a response that ISO/IEC 7816-4 allows, or not at all after a fault; and the
// same twice when it is asked the same twice: the simulation rests on that.
func FuzzTransmit(f *testing.F) {
	session := func(apdus ...[]byte) []byte {
		var b []byte
		for _, a := range apdus {
			b = append(append(b, byte(len(a))), a...)
		}
		return b
	}
	aid := []byte{0xA0, 0, 0, 0, 3, 0x10, 0x10}
	f.Add("credit", session(
		command(0x00, 0xA4, 4, 0, aid),
		command(0x80, 0xA8, 0, 0, []byte{0x83, 0}),
		command(0x00, 0xB2, 1, 0x14, nil),
		command(0x80, 0xAE, 0x80, 0, make([]byte, 29)),
		command(0x00, 0x82, 0, 0, make([]byte, 10)),
		command(0x80, 0xAE, 0x40, 0, make([]byte, 31)),
	))
	f.Add("debit", session(command(0x00, 0xA4, 4, 0, []byte("1PAY.SYS.DDF01")), command(0x00, 0xB2, 1, 0x0C, nil)))
	for _, name := range []string{"oda-dda", "cda-online", "pin-plain", "pin-enciphered", "script", "sel-two"} {
		f.Add(name, session(
			command(0x00, 0xA4, 4, 0, aid),
			command(0x80, 0xA8, 0, 0, []byte{0x83, 0}),
			command(0x00, 0x88, 0, 0, make([]byte, 4)),
			command(0x00, 0x84, 0, 0, nil),
			command(0x00, 0x20, 0, 0x88, make([]byte, 128)),
			command(0x00, 0x20, 0, 0x80, make([]byte, 8)),
			command(0x80, 0xAE, 0x90, 0, make([]byte, 29)),
			command(0x04, 0xDA, 0x9F, 0x58, []byte{1}),
			command(0x04, 0xDC, 1, 0x14, []byte{0x70, 0}),
			command(0x84, 0x24, 0, 0, nil),
			command(0x80, 0xAE, 0x50, 0, make([]byte, 31)),
		))
	}
	f.Fuzz(func(t *testing.T, name string, in []byte) {
		p, err := emulator.Ready(name)
		if err != nil {
			return
		}
		one, two := emulator.NewCard(p), emulator.NewCard(p)
		for _, apdu := range commands(in) {
			before := bytes.Clone(apdu)
			a, b := one.Transmit(apdu), two.Transmit(apdu)
			if !bytes.Equal(a, b) || one.Left() != two.Left() {
				t.Fatalf("%X: %X and %X", apdu, a, b)
			}
			if !bytes.Equal(apdu, before) {
				t.Fatalf("the command was changed: %X, was %X", apdu, before)
			}
			if a == nil && !one.Left() && name != "mute-at-ac" {
				t.Fatalf("%X: no answer", apdu)
			}
			if a != nil && (len(a) < 2 || len(a) > 258 || a[len(a)-2]>>4 != 6 && a[len(a)-2] != 0x90) {
				t.Fatalf("%X: answer %X", apdu, a)
			}
		}
	})
}
