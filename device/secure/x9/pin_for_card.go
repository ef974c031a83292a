package x9

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/big"
)

// Bounds of a card's PIN encipherment key in bytes (EMV 4.4 Book 2, 7 and B2.1).
const (
	MinCardKey = 64
	MaxCardKey = 248
)

// ErrCardKey says that a card's key is none that EMV has.
var ErrCardKey = errors.New("card's PIN encipherment key not usable")

const cardPINHeader = 0x7F

// CheckCardKey refuses a modulus of an impossible length or without its highest bit or its lowest, and an exponent other than
// 3 and 65537 (EMV 4.4 Book 2, B2.1): under an exponent of 1 a PIN would leave the module in the clear. Error: ErrCardKey.
func CheckCardKey(modulus, exponent []byte) error {
	if len(modulus) < MinCardKey || len(modulus) > MaxCardKey || modulus[0] < 0x80 || modulus[len(modulus)-1]&1 == 0 ||
		!bytes.Equal(exponent, []byte{3}) && !bytes.Equal(exponent, []byte{1, 0, 1}) {
		return fmt.Errorf("modulus of %d bytes, exponent of %d: %w", len(modulus), len(exponent), ErrCardKey)
	}
	return nil
}

// EncipherPINForCard writes the data field of VERIFY 00 20 00 88 to out, which is as long as the modulus: header, PIN block
// of format 2, the card's challenge and padding from random, under the card's key (EMV 4.4 Book 2, 7.2). The caller wipes
// the PIN. Errors: ErrPIN, ErrCardKey, and those of random.
func EncipherPINForCard(pin, modulus, exponent []byte, challenge [8]byte, random io.Reader, out []byte) error {
	if err := CheckCardKey(modulus, exponent); err != nil {
		return err
	}
	if len(out) != len(modulus) {
		return fmt.Errorf("room for %d bytes: %w", len(out), ErrCardKey)
	}
	block, err := EncodePINBlock(PINFormat2, pin, "", nil)
	if err != nil {
		return err
	}
	plain := make([]byte, len(modulus))
	defer clear(plain)
	defer clear(block[:])
	if _, err := io.ReadFull(random, plain[17:]); err != nil {
		return fmt.Errorf("padding of a PIN: %w", err)
	}
	plain[0] = cardPINHeader // below any modulus, whose highest bit is set
	copy(plain[1:], block[:])
	copy(plain[9:], challenge[:])
	m := new(big.Int).SetBytes(plain)
	new(big.Int).Exp(m, new(big.Int).SetBytes(exponent), new(big.Int).SetBytes(modulus)).FillBytes(out)
	clear(m.Bits())
	return nil
}
