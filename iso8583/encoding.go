package iso8583

import (
	"github.com/moov-io/iso8583/encoding"
	"github.com/moov-io/iso8583/prefix"
)

// The types here are passed to moov as a field's Enc and Pref. Each belongs to one field of one workspace and gives out
// its own buffer, good until its next call: moov copies what it is given before it asks again.
var (
	_ encoding.Encoder = (*nibbles)(nil)
	_ encoding.Encoder = (*characters)(nil)
	_ encoding.Encoder = (*bitmapBytes)(nil)
	_ prefix.Prefixer  = lengthDigits{}
	_ prefix.Prefixer  = exactly{}
)

// nibbles packs digits, and for track 2 the separator D, two a byte. A spare nibble stands left and is zero, or stands
// right and is the filler; reading accepts either filler and says in seen which it was.
type nibbles struct {
	buf       []byte
	separator bool // D is allowed
	right     bool
	filler    byte // for packing
	seen      seenFiller
}

// Encode packs characters.
func (e *nibbles) Encode(digits []byte) ([]byte, error) {
	out := e.buf[:0]
	var high byte
	pending := len(digits)%2 == 1 && !e.right // the spare nibble stands for a first zero
	for i, c := range digits {
		var d byte
		switch {
		case c >= '0' && c <= '9':
			d = c - '0'
		case c == 'D' && e.separator:
			d = 0x0D
		default:
			return nil, because("character %d of %d is no digit", i+1, len(digits))
		}
		if pending {
			out = append(out, high<<4|d)
			high, pending = 0, false
		} else {
			high, pending = d, true
		}
	}
	if pending {
		out = append(out, high<<4|e.filler)
	}
	e.buf = out
	return out, nil
}

// Decode unpacks n digits and says how many bytes they took.
func (e *nibbles) Decode(data []byte, n int) ([]byte, int, error) {
	size := (n + 1) / 2
	if n < 0 || size > len(data) {
		return nil, 0, because("%d digits in %d bytes, %d bytes left", n, size, len(data))
	}
	out := e.buf[:0]
	e.seen = seenNone
	for i := range 2 * size {
		d := data[i/2] >> 4
		if i%2 == 1 {
			d = data[i/2] & 0x0F
		}
		switch {
		case n%2 == 1 && !e.right && i == 0:
			if d != 0 {
				return nil, 0, because("spare nibble of %d digits is not zero", n)
			}
		case n%2 == 1 && e.right && i == n:
			switch d {
			case 0x0F:
				e.seen = seenF
			case 0:
				e.seen = seenZero
			default:
				return nil, 0, because("filler behind %d digits is neither F nor 0", n)
			}
		case d <= 9:
			out = append(out, '0'+d)
		case d == 0x0D && e.separator:
			out = append(out, 'D')
		default:
			return nil, 0, because("nibble %d of %d is no digit", i+1, 2*size)
		}
	}
	e.buf = out
	return out, size, nil
}

// characters carries bytes as they are; with digitsOnly it refuses all but digits (and D where separator is set).
type characters struct {
	digitsOnly bool
	separator  bool
}

func (e *characters) check(b []byte) error {
	if !e.digitsOnly {
		return nil
	}
	for i, c := range b {
		if (c < '0' || c > '9') && (!e.separator || c != 'D') {
			return because("character %d of %d is no digit", i+1, len(b))
		}
	}
	return nil
}

// Encode checks and passes on.
func (e *characters) Encode(b []byte) ([]byte, error) {
	if err := e.check(b); err != nil {
		return nil, err
	}
	return b, nil
}

// Decode takes n bytes.
func (e *characters) Decode(data []byte, n int) ([]byte, int, error) {
	if n < 0 || n > len(data) {
		return nil, 0, because("%d bytes of value, %d left", n, len(data))
	}
	if err := e.check(data[:n]); err != nil {
		return nil, 0, err
	}
	return data[:n], n, nil
}

// bitmapBytes is the bitmap's encoding. With wide it writes a second bitmap that no field asked for.
type bitmapBytes struct {
	buf  []byte
	hex  bool
	wide bool
}

const hexDigits = "0123456789ABCDEF"

// Encode writes one or two bitmaps.
func (e *bitmapBytes) Encode(b []byte) ([]byte, error) {
	out := e.buf[:0]
	write := func(c byte) {
		if e.hex {
			out = append(out, hexDigits[c>>4], hexDigits[c&0x0F])
		} else {
			out = append(out, c)
		}
	}
	widen := e.wide && len(b) == 8
	for i, c := range b {
		if i == 0 && widen {
			c |= 0x80
		}
		write(c)
	}
	for range 8 {
		if widen {
			write(0)
		}
	}
	e.buf = out
	return out, nil
}

// Decode reads one bitmap of n bytes.
func (e *bitmapBytes) Decode(data []byte, n int) ([]byte, int, error) {
	if !e.hex {
		if n < 0 || n > len(data) {
			return nil, 0, because("%d bytes, %d left", n, len(data))
		}
		return data[:n], n, nil
	}
	if n < 0 || 2*n > len(data) {
		return nil, 0, because("%d characters, %d left", 2*n, len(data))
	}
	out := e.buf[:0]
	for i := range n {
		high, ok1 := hexValue(data[2*i])
		low, ok2 := hexValue(data[2*i+1])
		if !ok1 || !ok2 {
			return nil, 0, because("characters %d and %d are not upper-case hexadecimal", 2*i+1, 2*i+2)
		}
		out = append(out, high<<4|low)
	}
	e.buf = out
	return out, 2 * n, nil
}

func hexValue(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}
