package x9_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"tillway/device/secure/x9"
)

// TestPINBlocksReturn: every format gives back what was put in, for every length of PIN and account number, and another
// account number does not open a block that is bound to one.
func TestPINBlocksReturn(t *testing.T) {
	const digits = "1234567890123456789"
	random := bytes.NewReader(bytes.Repeat([]byte{0x5A, 0xC3, 0xFF, 0x10}, 4096))
	for f := x9.PINFormat0; f <= x9.PINFormat3; f++ {
		for n := x9.MinPIN; n <= x9.MaxPIN; n++ {
			for m := 8; m <= 19; m++ {
				pin, pan := digits[:n], digits[:m]
				fill := must(x9.PINFill(f, n, random))(t)
				block := must(x9.EncodePINBlock(f, []byte(pin), pan, fill))(t)
				if got, err := x9.DecodePINBlock(f, block, pan); err != nil || string(got) != pin {
					t.Fatalf("format %d, PIN of %d, PAN of %d: %v", f, n, m, err)
				}
				for other := x9.PINFormat0; other <= x9.PINFormat3; other++ {
					if _, err := x9.DecodePINBlock(other, block, pan); other != f && !errors.Is(err, x9.ErrPINBlock) {
						t.Errorf("format %d opens as %d: %v", f, other, err)
					}
				}
				bound := f == x9.PINFormat0 && n <= 5 && m >= 13 // filler and account number meet in this many digits
				if got, err := x9.DecodePINBlock(f, block, strings.Repeat("9", m)); bound && err == nil {
					t.Errorf("format %d opens for another account: %d digits", f, len(got))
				}
			}
		}
	}
}

// TestPINBlock4Returns: as above for format 4, whose wrong key, account number and flipped bit all spoil the block.
func TestPINBlock4Returns(t *testing.T) {
	const digits = "1234567890123456789"
	key := unhex(t, aesBDK)
	spoilt := 0
	for n := x9.MinPIN; n <= x9.MaxPIN; n++ {
		for m := 1; m <= 19; m++ {
			pin, pan := digits[:n], digits[:m]
			block := must(x9.EncryptPINBlock4(key, []byte(pin), pan, [8]byte{1, 2, 3, 4, 5, 6, 7, byte(m)}))(t)
			if got, err := x9.DecryptPINBlock4(key, block, pan); err != nil || string(got) != pin {
				t.Fatalf("PIN of %d, PAN of %d: %v", n, m, err)
			}
			if _, err := x9.DecryptPINBlock4(key, block, strings.Repeat("9", m)); errors.Is(err, x9.ErrPINBlock) {
				spoilt++
			}
			block[m%16] ^= 1
			if _, err := x9.DecryptPINBlock4(key, block, pan); errors.Is(err, x9.ErrPINBlock) {
				spoilt++
			}
		}
	}
	if spoilt != 2*9*19 {
		t.Errorf("%d of %d spoilt blocks refused", spoilt, 2*9*19)
	}
}

// TestPINFill: format 3 draws A to F, each of them; formats 0 and 2 none; a source that ends is an error.
func TestPINFill(t *testing.T) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	seen := map[byte]int{}
	random := bytes.NewReader(bytes.Repeat(all, 10))
	for range 200 {
		for _, n := range must(x9.PINFill(x9.PINFormat3, 4, random))(t) {
			seen[n]++
		}
	}
	if len(seen) != 6 || seen[0xA] == 0 || seen[0xF] == 0 {
		t.Errorf("nibbles drawn: %v", seen)
	}
	if fill, err := x9.PINFill(x9.PINFormat0, 4, bytes.NewReader(nil)); err != nil || fill != nil {
		t.Errorf("format 0: %d nibbles (%v)", len(fill), err)
	}
	if _, err := x9.PINFill(x9.PINFormat1, 4, bytes.NewReader(all[:3])); err == nil {
		t.Error("a source that ends is not seen")
	}
}

// TestPINBlockRefusals: what is no PIN, account number, fill or format makes no block; no error says anything of the PIN.
func TestPINBlockRefusals(t *testing.T) {
	const pan = "4761739001010119"
	encode := func(f x9.PINFormat, pin, pan string, fill ...byte) func() error {
		return func() error { _, err := x9.EncodePINBlock(f, []byte(pin), pan, fill); return err }
	}
	key := unhex(t, aesBDK)
	for name, c := range map[string]struct {
		run  func() error
		want error
	}{
		"PIN of 3":           {encode(x9.PINFormat0, "987", pan), x9.ErrPIN},
		"PIN of 13":          {encode(x9.PINFormat0, "9876543210987", pan), x9.ErrPIN},
		"PIN with a letter":  {encode(x9.PINFormat2, "987A", pan), x9.ErrPIN},
		"PAN of 7":           {encode(x9.PINFormat0, "9876", pan[:7]), x9.ErrPAN},
		"PAN of 20":          {encode(x9.PINFormat3, "9876", pan+"1234", 10, 10, 10, 10, 10, 10, 10, 10, 10, 10), x9.ErrPAN},
		"PAN with a letter":  {encode(x9.PINFormat0, "9876", "476173900101011X"), x9.ErrPAN},
		"fill in format 0":   {encode(x9.PINFormat0, "9876", pan, 15), x9.ErrFill},
		"short fill":         {encode(x9.PINFormat1, "9876", pan, 1, 2), x9.ErrFill},
		"fill beyond F":      {encode(x9.PINFormat1, "98765432109", pan, 1, 2, 16), x9.ErrFill},
		"fill 9 in format 3": {encode(x9.PINFormat3, "98765432109", pan, 10, 9, 15), x9.ErrFill},
		"format 4 here":      {encode(4, "9876", pan), x9.ErrFormat},
		"decode format 4":    {func() error { _, err := x9.DecodePINBlock(4, [8]byte{}, pan); return err }, x9.ErrFormat},
		"decode PAN":         {func() error { _, err := x9.DecodePINBlock(0, [8]byte{}, "1"); return err }, x9.ErrPAN},
		"fill for PIN of 3":  {func() error { _, err := x9.PINFill(x9.PINFormat1, 3, nil); return err }, x9.ErrPIN},
		"fill for format 9":  {func() error { _, err := x9.PINFill(9, 4, nil); return err }, x9.ErrFormat},
		"4: PIN":             {func() error { _, err := x9.EncryptPINBlock4(key, []byte("987"), pan, [8]byte{}); return err }, x9.ErrPIN},
		"4: PAN":             {func() error { _, err := x9.EncryptPINBlock4(key, []byte("9876"), "", [8]byte{}); return err }, x9.ErrPAN},
		"4: PAN of 20":       {func() error { _, err := x9.DecryptPINBlock4(key, [16]byte{}, pan+"1234"); return err }, x9.ErrPAN},
		"4: key":             {func() error { _, err := x9.EncryptPINBlock4(key[:8], []byte("9876"), pan, [8]byte{}); return err }, x9.ErrKey},
		"4: decode key":      {func() error { _, err := x9.DecryptPINBlock4(key[:8], [16]byte{}, pan); return err }, x9.ErrKey},
	} {
		err := c.run()
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "987") {
			t.Errorf("%s: the error shows the PIN", name)
		}
	}
}

// FuzzPINBlock: a block that opens is the one that its PIN makes again (with its own fill).
func FuzzPINBlock(f *testing.F) {
	f.Add(uint8(0), []byte{0x04, 0x12, 0x74, 0xED, 0xCB, 0xA9, 0x87, 0x6F}, "4012345678909")
	f.Add(uint8(3), []byte{0x34, 0x12, 0x61, 0xAA, 0xAA, 0xED, 0xCB, 0xA9}, "5555555551234567")
	f.Add(uint8(2), []byte{0x24, 0x12, 0x34, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}, "")
	f.Add(uint8(4), []byte{0x44, 0x12, 0x34, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA}, "")
	f.Fuzz(func(t *testing.T, format uint8, raw []byte, pan string) {
		var block [8]byte
		copy(block[:], raw)
		if format == 4 {
			field := [16]byte{8: 1}
			copy(field[:8], raw)
			if pin, err := x9.ReadPINField4(field); err == nil {
				if again, err := x9.PINField4(pin, [8]byte(field[8:])); err != nil || again != field {
					t.Errorf("field made again: %v", err)
				}
			}
			return
		}
		pin, err := x9.DecodePINBlock(x9.PINFormat(format), block, pan)
		if err != nil {
			return
		}
		var fill []byte
		if format == 1 || format == 3 {
			clear0 := block
			if format == 3 {
				empty := must(x9.EncodePINBlock(x9.PINFormat0, []byte("0000"), pan, nil))(t)
				for i, b := range [8]byte{0x04, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF} {
					clear0[i] ^= empty[i] ^ b // the account's part of the block
				}
			}
			for i := 2 + len(pin); i < 16; i++ {
				fill = append(fill, clear0[i/2]>>(4*(1-i%2))&15)
			}
		}
		if again, err := x9.EncodePINBlock(x9.PINFormat(format), pin, pan, fill); err != nil || again != block {
			t.Errorf("format %d made again: %X (%v), want %X", format, again, err, block)
		}
	})
}
