package x9

import (
	"crypto/subtle"
	"encoding/binary"
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
	Pad3 Padding = 3 // a block with the length in bits before the data, zeros behind them as Pad1
)

// ErrPadding says that a Padding is none of the three.
var ErrPadding = errors.New("unknown padding")

// Pad returns a padded copy of data. Error: ErrPadding.
func Pad(data []byte, p Padding) ([]byte, error) {
	n, before := len(data), 0
	switch p {
	case Pad1:
		n = max(n, 1)
	case Pad2:
		n++
	case Pad3:
		n, before = max(n, 1), BlockSize
	default:
		return nil, fmt.Errorf("padding %d: %w", p, ErrPadding)
	}
	out := make([]byte, before+(n+BlockSize-1)/BlockSize*BlockSize)
	copy(out[before:], data)
	if p == Pad2 {
		out[len(data)] = 0x80
	}
	if p == Pad3 {
		binary.BigEndian.PutUint64(out, 8*uint64(len(data)))
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
// key, its last block deciphered with the right half and enciphered with the left again. A key of 32 bytes is the same
// algorithm with double-length triple DES as its cipher. Errors: ErrKey, ErrPadding.
func MAC3(key, data []byte, p Padding) ([8]byte, error) {
	var sum [8]byte
	cipherOf := singleDES
	switch len(key) {
	case 16:
	case 32:
		cipherOf = tdes
	default:
		return sum, fmt.Errorf("%d bytes, MAC algorithm 3 takes 16 or 32: %w", len(key), ErrKey)
	}
	padded, err := Pad(data, p)
	if err != nil {
		return sum, err
	}
	left, errL := cipherOf(key[:len(key)/2])
	right, errR := cipherOf(key[len(key)/2:])
	if errL != nil || errR != nil {
		return sum, fmt.Errorf("MAC algorithm 3: %w", ErrKey)
	}
	for i := 0; i < len(padded); i += BlockSize {
		subtle.XORBytes(sum[:], sum[:], padded[i:i+BlockSize])
		left.Encrypt(sum[:], sum[:])
	}
	right.Decrypt(sum[:], sum[:])
	left.Encrypt(sum[:], sum[:])
	return sum, nil
}
