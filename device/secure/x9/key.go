package x9

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"math/bits"
)

// ErrComponents says that key components cannot be put together: too few or too many, of unlike or wrong lengths, or
// cancelling each other out.
var ErrComponents = errors.New("key components do not make a key")

// ErrWeakKey says that a key has less strength than its length pretends.
var ErrWeakKey = errors.New("weak key")

// KCVAES is the check value of an AES key: the first five bytes of the CMAC of a block of zeros (X9.24-1:2017, Annex A);
// many systems show the first three. Error: ErrKey.
func KCVAES(key []byte) ([5]byte, error) {
	c, err := CMACAES(key, make([]byte, AESBlockSize))
	if err != nil {
		return [5]byte{}, err
	}
	return [5]byte(c[:5]), nil
}

// KCVAESZeros is the older check value of an AES key: the first three bytes of a block of zeros enciphered under it. It is
// there to compare with systems that show it; X9.24-1:2017 replaces it by KCVAES. Error: ErrKey.
func KCVAESZeros(key []byte) ([3]byte, error) {
	b, err := aesCipher(key)
	if err != nil {
		return [3]byte{}, err
	}
	var block [AESBlockSize]byte
	b.Encrypt(block[:], block[:])
	return [3]byte(block[:3]), nil
}

// CombineComponents adds two or three full-length key components modulo 2 (X9.24-1, key components). They have one
// length of 16, 24 or 32 bytes. A component of zeros, or two that cancel out, would leave the key with fewer people than
// it seems: both are refused. Error: ErrComponents.
func CombineComponents(components ...[]byte) ([]byte, error) {
	if len(components) < 2 || len(components) > 3 {
		return nil, fmt.Errorf("%d components, two or three make a key: %w", len(components), ErrComponents)
	}
	n := len(components[0])
	if n != 16 && n != 24 && n != 32 {
		return nil, fmt.Errorf("component of %d bytes: %w", n, ErrComponents)
	}
	key, zeros := make([]byte, n), make([]byte, n)
	for i, c := range components {
		if len(c) != n {
			return nil, fmt.Errorf("component %d has %d bytes, the first %d: %w", i+1, len(c), n, ErrComponents)
		}
		if subtle.ConstantTimeCompare(c, zeros) == 1 {
			return nil, fmt.Errorf("component %d is zeros: %w", i+1, ErrComponents)
		}
		for j := range i {
			if subtle.ConstantTimeCompare(c, components[j]) == 1 {
				return nil, fmt.Errorf("components %d and %d are the same: %w", j+1, i+1, ErrComponents)
			}
		}
		subtle.XORBytes(key, key, c)
	}
	if subtle.ConstantTimeCompare(key, zeros) == 1 {
		return nil, fmt.Errorf("the sum is zeros: %w", ErrComponents)
	}
	return key, nil
}

// CheckTDESKey refuses a triple DES key that is single DES in truth: 16 bytes with both halves equal, or 24 bytes with
// neighbouring thirds equal. Parity bits do not count. A 24-byte key with K1 = K3 is a double-length key and passes.
// Errors: ErrKey, ErrWeakKey.
func CheckTDESKey(key []byte) error {
	if len(key) != 16 && len(key) != 24 {
		return fmt.Errorf("%d bytes, triple DES takes 16 or 24: %w", len(key), ErrKey)
	}
	for i := 0; i+16 <= len(key); i += 8 {
		var differ byte
		for j := range 8 {
			differ |= (key[i+j] ^ key[i+8+j]) & 0xFE
		}
		if differ == 0 {
			return fmt.Errorf("parts %d and %d are equal: %w", i/8+1, i/8+2, ErrWeakKey)
		}
	}
	return nil
}

// SetOddParity sets the lowest bit of each byte so that the byte has an odd number of one bits, in place (X3.92).
func SetOddParity(key []byte) {
	for i, b := range key {
		key[i] = b&0xFE | byte(1-bits.OnesCount8(b>>1)%2)
	}
}
