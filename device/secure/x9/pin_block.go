package x9

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
)

// Errors of PIN blocks. None of them says anything of the PIN.
var (
	ErrPIN      = errors.New("PIN is not 4 to 12 decimal digits")
	ErrPAN      = errors.New("PAN is not of decimal digits, or too short or long")
	ErrFill     = errors.New("PIN block fill of a wrong length or value")
	ErrPINBlock = errors.New("PIN block not valid")
	ErrFormat   = errors.New("PIN block format not known")
)

// PINFormat is the format of a PIN block, its control nibble (ISO 9564-1:2017, 9.3). Format 4 has another size and its own
// functions.
type PINFormat uint8

// The formats of eight bytes. Format 1 knows no account and format 2 is for the card alone; neither goes to a host.
const (
	PINFormat0 PINFormat = iota // account-bound, filled with F
	PINFormat1                  // filled with transaction data
	PINFormat2                  // to the card, filled with F
	PINFormat3                  // account-bound, filled with random A to F
)

// Lengths of a PIN in digits (ISO 9564-1, 7.1).
const (
	MinPIN = 4
	MaxPIN = 12
)

// PINFill draws the fill of a block for a PIN of n digits: random nibbles, one a byte; A to F for format 3, none for
// formats 0 and 2. Errors: ErrPIN, ErrFormat, and those of random.
func PINFill(f PINFormat, n int, random io.Reader) ([]byte, error) {
	if n < MinPIN || n > MaxPIN {
		return nil, fmt.Errorf("%d digits: %w", n, ErrPIN)
	}
	var fill []byte
	switch f {
	case PINFormat0, PINFormat2:
		return nil, nil
	case PINFormat1, PINFormat3:
		fill = make([]byte, 0, 14-n)
	default:
		return nil, fmt.Errorf("format %d: %w", f, ErrFormat)
	}
	var one [1]byte
	for len(fill) < cap(fill) {
		if _, err := io.ReadFull(random, one[:]); err != nil {
			return nil, fmt.Errorf("PIN block fill: %w", err)
		}
		switch {
		case f == PINFormat1:
			fill = append(fill, one[0]&15)
		case one[0] < 252: // 42 times six: each of A to F is as likely
			fill = append(fill, 10+one[0]%6)
		}
	}
	return fill, nil
}

// EncodePINBlock makes the clear block of a PIN (ASCII digits). pan counts in formats 0 and 3. fill is PINFill's: one nibble
// a byte, up to sixteen digits; empty in formats 0 and 2. The caller wipes pin and block. Errors: ErrPIN, ErrPAN, ErrFill,
// ErrFormat (ISO 9564-1, 9.3.2 to 9.3.5).
func EncodePINBlock(f PINFormat, pin []byte, pan string, fill []byte) ([8]byte, error) {
	if f > PINFormat3 {
		return [8]byte{}, fmt.Errorf("format %d: %w", f, ErrFormat)
	}
	if err := checkPIN(pin); err != nil {
		return [8]byte{}, err
	}
	var nibbles [16]byte
	defer clear(nibbles[:])
	nibbles[0], nibbles[1] = byte(f), byte(len(pin))
	for i, d := range pin {
		nibbles[2+i] = d - '0'
	}
	if err := fillUp(f, nibbles[2+len(pin):], fill); err != nil {
		return [8]byte{}, err
	}
	var block [8]byte
	packNibbles(block[:], nibbles[:])
	if f == PINFormat0 || f == PINFormat3 {
		account, err := panField(pan)
		if err != nil {
			return [8]byte{}, err
		}
		subtle.XORBytes(block[:], block[:], account[:])
	}
	return block, nil
}

func fillUp(f PINFormat, rest, fill []byte) error {
	if f == PINFormat0 || f == PINFormat2 {
		if len(fill) != 0 {
			return fmt.Errorf("format %d takes no fill: %w", f, ErrFill)
		}
		for i := range rest {
			rest[i] = 0xF
		}
		return nil
	}
	if len(fill) != len(rest) {
		return fmt.Errorf("%d nibbles, %d are wanted: %w", len(fill), len(rest), ErrFill)
	}
	for i, n := range fill {
		if n > 0xF || (f == PINFormat3 && n < 0xA) {
			return fmt.Errorf("nibble %d: %w", i, ErrFill)
		}
		rest[i] = n
	}
	return nil
}

// DecodePINBlock takes the PIN (ASCII digits) out of a clear block. It refuses another format's control nibble, a length
// beyond 4 to 12, a digit that is none, and a filler that the format does not allow: all signs of a wrong key or account.
// The caller wipes the result. Errors: ErrPINBlock, ErrPAN, ErrFormat.
func DecodePINBlock(f PINFormat, block [8]byte, pan string) ([]byte, error) {
	if f > PINFormat3 {
		return nil, fmt.Errorf("format %d: %w", f, ErrFormat)
	}
	if f == PINFormat0 || f == PINFormat3 {
		account, err := panField(pan)
		if err != nil {
			return nil, err
		}
		subtle.XORBytes(block[:], block[:], account[:])
	}
	var nibbles [16]byte
	defer clear(nibbles[:])
	unpackNibbles(nibbles[:], block[:])
	least := [...]byte{PINFormat0: 0xF, PINFormat1: 0, PINFormat2: 0xF, PINFormat3: 0xA}[f]
	return readPIN(nibbles[:], byte(f), least, 0xF)
}

// readPIN reads control nibble, length, digits and filler, which must lie between least and most. What is wrong with a
// block is not said: it would help one who guesses.
func readPIN(nibbles []byte, control, least, most byte) ([]byte, error) {
	n := int(nibbles[1])
	if nibbles[0] != control || n < MinPIN || n > MaxPIN {
		return nil, ErrPINBlock
	}
	pin := make([]byte, n)
	for i := range pin {
		pin[i] = '0' + nibbles[2+i]
		if nibbles[2+i] > 9 {
			clear(pin)
			return nil, ErrPINBlock
		}
	}
	for _, x := range nibbles[2+n:] {
		if x < least || x > most {
			clear(pin)
			return nil, ErrPINBlock
		}
	}
	return pin, nil
}

func checkPIN(pin []byte) error {
	if len(pin) < MinPIN || len(pin) > MaxPIN {
		return ErrPIN
	}
	for _, d := range pin {
		if d < '0' || d > '9' {
			return ErrPIN
		}
	}
	return nil
}

func checkPAN(pan string, least int) error {
	if len(pan) < least || len(pan) > 19 {
		return fmt.Errorf("%d characters: %w", len(pan), ErrPAN)
	}
	for _, d := range []byte(pan) {
		if d < '0' || d > '9' {
			return ErrPAN
		}
	}
	return nil
}

// panField is the account field of formats 0 and 3: two bytes of zeros, then the rightmost twelve digits without the check
// digit, filled with zeros on the left where the account number is shorter; 8 to 19 digits (ISO 9564-1, 9.3.2).
func panField(pan string) ([8]byte, error) {
	if err := checkPAN(pan, 8); err != nil {
		return [8]byte{}, err
	}
	digits := pan[max(0, len(pan)-13) : len(pan)-1]
	var nibbles [16]byte
	for i, d := range []byte(digits) {
		nibbles[16-len(digits)+i] = d - '0'
	}
	var field [8]byte
	packNibbles(field[:], nibbles[:])
	return field, nil
}

// packNibbles fills dst, two nibbles a byte. It makes no copy that would have to be wiped.
func packNibbles(dst, nibbles []byte) {
	for i := range dst {
		dst[i] = nibbles[2*i]<<4 | nibbles[2*i+1]
	}
}

func unpackNibbles(dst, src []byte) {
	for i, b := range src {
		dst[2*i], dst[2*i+1] = b>>4, b&15
	}
}
