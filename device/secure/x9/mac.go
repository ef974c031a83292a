package x9

import (
	"crypto/des" //nolint:gosec // as above: the trade's cipher
	"crypto/subtle"
	"errors"
	"fmt"
)

// Padding is the way data are brought to whole blocks (ISO/IEC 9797-1, 6.3).
type Padding uint8

// The paddings. Pad1 says nothing of the data's own length, so that two messages can share a MAC: it is for recipes whose
// data have one fixed length.
const (
	Pad1 Padding = 1 // zeros up to the next block boundary; none behind whole blocks, one block when there are no data
	Pad2 Padding = 2 // a byte 80, then zeros up to the next block boundary; never nothing
)

// ErrPadding says that a Padding is neither Pad1 nor Pad2.
var ErrPadding = errors.New("unknown padding")

// Pad returns a padded copy of data. Error: ErrPadding.
func Pad(data []byte, p Padding) ([]byte, error) {
	n := len(data)
	switch p {
	case Pad1:
		n = max(n, 1)
	case Pad2:
		n++
	default:
		return nil, fmt.Errorf("padding %d: %w", p, ErrPadding)
	}
	out := make([]byte, (n+BlockSize-1)/BlockSize*BlockSize)
	copy(out, data)
	if p == Pad2 {
		out[len(data)] = 0x80
	}
	return out, nil
}

// MAC1 is MAC algorithm 1 of ISO/IEC 9797-1 with triple DES as its cipher: the last block of a CBC chain from zeros. The
// key has 16 or 24 bytes. Callers take the leftmost bytes that their message has room for. Errors: ErrKey, ErrPadding.
func MAC1(key, data []byte, p Padding) ([8]byte, error) {
	padded, err := Pad(data, p)
	if err != nil {
		return [8]byte{}, err
	}
	c, err := EncryptCBC(key, make([]byte, BlockSize), padded)
	if err != nil {
		return [8]byte{}, err
	}
	return [8]byte(c[len(c)-BlockSize:]), nil
}

// MAC3 is MAC algorithm 3 of ISO/IEC 9797-1 with DES, the "retail MAC": a single-DES chain under the left half of a 16-byte
// key, its last block deciphered with the right half and enciphered with the left again. Errors: ErrKey, ErrPadding.
func MAC3(key, data []byte, p Padding) ([8]byte, error) {
	var sum [8]byte
	if len(key) != 16 {
		return sum, fmt.Errorf("%d bytes, MAC algorithm 3 takes 16: %w", len(key), ErrKey)
	}
	padded, err := Pad(data, p)
	if err != nil {
		return sum, err
	}
	left, errL := des.NewCipher(key[:8])
	right, errR := des.NewCipher(key[8:])
	if errL != nil || errR != nil {
		return sum, fmt.Errorf("single DES: %w", ErrKey)
	}
	for i := 0; i < len(padded); i += BlockSize {
		subtle.XORBytes(sum[:], sum[:], padded[i:i+BlockSize])
		left.Encrypt(sum[:], sum[:])
	}
	right.Decrypt(sum[:], sum[:])
	left.Encrypt(sum[:], sum[:])
	return sum, nil
}
