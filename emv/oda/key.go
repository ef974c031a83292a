package oda

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // EMV signs with it
	"errors"
	"fmt"
	"math/big"
)

// What recovery refuses; errors name the check that failed, lengths and positions, never card data.
var (
	ErrKey         = errors.New("public key not usable")
	ErrCertificate = errors.New("certificate not valid")
	ErrSignature   = errors.New("signed data not valid")
	// ErrRemainder is a certificate that is whole but holds only a part of its key, and the remainder is not there.
	ErrRemainder = errors.New("the key's remainder is missing")
)

// Moduli of EMV have at most 248 bytes; below this no certificate has room for its own fields.
const (
	minModulus = 64
	maxModulus = 248
)

// Algorithm indicators (Book 2, Annex B): SHA-1 and RSA are the only ones for these methods.
const (
	hashSHA1 = 1
	keyRSA   = 1
)

// Key is an RSA public key.
type Key struct{ Modulus, Exponent []byte }

// Check refuses a key of impossible length or an exponent other than 3 and 65537 (Book 2, B2.1). Error: ErrKey.
func (k Key) Check() error {
	e := new(big.Int).SetBytes(k.Exponent)
	if len(k.Modulus) < minModulus || len(k.Modulus) > maxModulus || k.Modulus[0] < 0x80 || len(k.Exponent) > 3 ||
		(e.Cmp(big.NewInt(3)) != 0 && e.Cmp(big.NewInt(65537)) != 0) || k.Modulus[len(k.Modulus)-1]&1 == 0 {
		return fmt.Errorf("modulus of %d bytes, exponent of %d: %w", len(k.Modulus), len(k.Exponent), ErrKey)
	}
	return nil
}

// CheckSum is the SHA-1 over RID, index, modulus and exponent that authorities publish with their keys (Book 2, 11.2.2.1).
func CheckSum(rid [5]byte, index byte, k Key) [20]byte {
	return hash(rid[:], []byte{index}, k.Modulus, k.Exponent)
}

func hash(parts ...[]byte) [20]byte {
	return sha1.Sum(bytes.Join(parts, nil)) //nolint:gosec // EMV signs with it
}

// recovered is what a signature holds between its header and its trailer (Book 2, A2.1.2).
type recovered struct{ body, sum []byte }

// recover undoes a signature and checks length, trailer, header and format, in the order of the book.
func (k Key) recover(signed []byte, format byte) (recovered, error) {
	if err := k.Check(); err != nil {
		return recovered{}, err
	}
	n := len(k.Modulus)
	m, s := new(big.Int).SetBytes(k.Modulus), new(big.Int).SetBytes(signed)
	if len(signed) != n || s.Cmp(m) >= 0 {
		return recovered{}, fmt.Errorf("%d bytes under a key of %d: %w", len(signed), n, ErrSignature)
	}
	x := make([]byte, n)
	s.Exp(s, new(big.Int).SetBytes(k.Exponent), m).FillBytes(x)
	switch {
	case x[n-1] != 0xBC:
		return recovered{}, fmt.Errorf("the trailer is not BC: %w", ErrSignature)
	case x[0] != 0x6A:
		return recovered{}, fmt.Errorf("the header is not 6A: %w", ErrSignature)
	case x[1] != format:
		return recovered{}, fmt.Errorf("the format is not %02X: %w", format, ErrSignature)
	}
	return recovered{x[1 : n-21], x[n-21 : n-1]}, nil
}

// hashes says whether the hash inside is that over the body and what follows it. why is ErrCertificate or ErrSignature.
func (r recovered) hashes(why error, more ...[]byte) error {
	got := hash(append([][]byte{r.body}, more...)...)
	if !bytes.Equal(got[:], r.sum) {
		return fmt.Errorf("the hash is another one: %w", why)
	}
	return nil
}
