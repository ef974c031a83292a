package iso8583

// lengthDigits is a length prefix of two or three decimal digits, BCD or characters.
type lengthDigits struct {
	digits int
	bcd    bool
	buf    []byte // three bytes
}

func (p lengthDigits) size() int {
	if p.bcd {
		return (p.digits + 1) / 2
	}
	return p.digits
}

// EncodeLength writes a length of at most most.
func (p lengthDigits) EncodeLength(most, length int) ([]byte, error) {
	if length < 0 || length > most {
		return nil, because("length %d, at most %d", length, most)
	}
	out := p.buf[:p.size()]
	for i := len(out) - 1; i >= 0; i-- {
		if p.bcd {
			out[i] = byte(length/10%10)<<4 | byte(length%10)
			length /= 100
		} else {
			out[i] = '0' + byte(length%10)
			length /= 10
		}
	}
	return out, nil
}

// DecodeLength reads a length and refuses one over most.
func (p lengthDigits) DecodeLength(most int, data []byte) (length, read int, err error) {
	size := p.size()
	if size > len(data) {
		return 0, 0, because("length prefix of %d bytes, %d left", size, len(data))
	}
	for _, c := range data[:size] {
		high, low := c>>4, c&0x0F
		if !p.bcd {
			high, low = 0, c-'0'
		}
		if high > 9 || low > 9 {
			return 0, 0, because("length prefix is not a number")
		}
		if p.bcd {
			length = length*100 + int(high)*10 + int(low)
		} else {
			length = length*10 + int(low)
		}
	}
	if length > most {
		return 0, 0, because("length %d, at most %d", length, most)
	}
	return length, size, nil
}

// Inspect names the prefix for moov's own listings.
func (p lengthDigits) Inspect() string {
	if p.bcd {
		return "BCD." + "LLL"[:p.digits]
	}
	return "ASCII." + "LLL"[:p.digits]
}

// exactly is the prefix of a fixed field: none.
type exactly struct{}

// EncodeLength wants the very length.
func (exactly) EncodeLength(most, length int) ([]byte, error) {
	if length != most {
		return nil, because("length %d, must be %d", length, most)
	}
	return nil, nil
}

// DecodeLength reads nothing.
func (exactly) DecodeLength(most int, _ []byte) (length, read int, err error) { return most, 0, nil }

// Inspect names the prefix for moov's own listings.
func (exactly) Inspect() string { return "Binary.Fixed" }
