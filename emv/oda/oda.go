// Package oda recovers the certificates and signed data of offline data authentication with RSA: issuer and ICC public key
// certificates and signed dynamic application data (EMV 4.4 Book 2, 5 and 6). It is arithmetic and the format checks that
// go with it. It does not know which certification authority keys to trust, does not look at expiry dates and revocation
// lists, and is not part of a transaction: the kernel does not use it.
//
// Sources: EMV 4.4 Book 2, 5.3, 6.3, 6.4, 6.5, 6.6 and Annex A2.1; Book 2, 11.2.2.1 (check sum of authority keys).
package oda

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // EMV signs with it
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
)

// What recovery refuses; errors name lengths and positions, never card data.
var (
	ErrKey         = errors.New("public key not usable")
	ErrCertificate = errors.New("certificate not valid")
	ErrSignature   = errors.New("signed data not valid")
)

// Moduli of EMV have at most 248 bytes; below this no certificate has room for its own fields.
const (
	minModulus = 64
	maxModulus = 248
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

// recover undoes a signature and checks header, trailer and format (Book 2, A2.1.2): what is between them and the hash.
func (k Key) recover(signed []byte, format byte) (body, sum []byte, err error) {
	if err := k.Check(); err != nil {
		return nil, nil, err
	}
	n := len(k.Modulus)
	m, s := new(big.Int).SetBytes(k.Modulus), new(big.Int).SetBytes(signed)
	if len(signed) != n || s.Cmp(m) >= 0 {
		return nil, nil, fmt.Errorf("%d bytes under a key of %d: %w", len(signed), n, ErrSignature)
	}
	x := make([]byte, n)
	s.Exp(s, new(big.Int).SetBytes(k.Exponent), m).FillBytes(x)
	if x[0] != 0x6A || x[1] != format || x[n-1] != 0xBC {
		return nil, nil, fmt.Errorf("header, format or trailer: %w", ErrSignature)
	}
	return x[1 : n-21], x[n-21 : n-1], nil
}

// A certificate body is: format, identifier, expiry (2), serial (3), hash algorithm, key algorithm, key length, exponent
// length, key with filling.
func certified(body, sum []byte, identifier int, remainder, exponent, more []byte) (Key, error) {
	if got := hash(body, remainder, exponent, more); !bytes.Equal(got[:], sum) {
		return Key{}, fmt.Errorf("hash: %w", ErrCertificate)
	}
	return keyOf(body, identifier, remainder, exponent)
}

func keyOf(body []byte, identifier int, remainder, exponent []byte) (Key, error) {
	at := 1 + identifier + 5
	if len(body) < at+4 || body[at] != 1 || body[at+1] != 1 {
		return Key{}, fmt.Errorf("algorithms: %w", ErrCertificate)
	}
	length, field := int(body[at+2]), body[at+4:]
	key := Key{Exponent: exponent}
	if int(body[at+3]) != len(exponent) || length > len(field)+len(remainder) || (length <= len(field) && len(remainder) != 0) {
		return Key{}, fmt.Errorf("key of %d bytes, field of %d, remainder of %d: %w", length, len(field), len(remainder), ErrCertificate)
	}
	key.Modulus = append(append(key.Modulus, field[:min(length, len(field))]...), remainder...)
	if len(key.Modulus) != length {
		return Key{}, fmt.Errorf("key of %d bytes in place of %d: %w", len(key.Modulus), length, ErrCertificate)
	}
	return key, key.Check()
}

// IssuerKey recovers the issuer's public key from tags 90, 92 and 9F32 (Book 2, 5.3 and 6.3), and checks that the issuer
// identifier is the start of the account number. Expiry is the caller's to check. Errors: ErrKey, ErrSignature,
// ErrCertificate.
func IssuerKey(authority Key, certificate, remainder, exponent []byte, pan string) (Key, error) {
	body, sum, err := authority.recover(certificate, 2)
	if err != nil {
		return Key{}, fmt.Errorf("issuer certificate: %w", err)
	}
	for i, b := range body[1:5] {
		for j, d := range [2]byte{b >> 4, b & 15} {
			at := 2*i + j
			if d == 0xF && at >= 3 {
				continue
			}
			if d > 9 || at >= len(pan) || pan[at] != '0'+d {
				return Key{}, fmt.Errorf("issuer identifier: %w", ErrCertificate)
			}
		}
	}
	return certified(body, sum, 4, remainder, exponent, nil)
}

// CardKey recovers the card's public key from tags 9F46, 9F48 and 9F47 (Book 2, 6.4). static is the static data to be
// authenticated, which the certificate's hash covers. Errors: ErrKey, ErrSignature, ErrCertificate.
func CardKey(issuer Key, certificate, remainder, exponent []byte, pan string, static []byte) (Key, error) {
	body, sum, err := cardCertificate(issuer, certificate, pan)
	if err != nil {
		return Key{}, err
	}
	return certified(body, sum, 10, remainder, exponent, static)
}

// CardKeyUnauthenticated is CardKey without the hash, for a calculation that has not the card's static data. It proves
// nothing of the key. Errors: those of CardKey.
func CardKeyUnauthenticated(issuer Key, certificate, remainder, exponent []byte, pan string) (Key, error) {
	body, _, err := cardCertificate(issuer, certificate, pan)
	if err != nil {
		return Key{}, err
	}
	return keyOf(body, 10, remainder, exponent)
}

func cardCertificate(issuer Key, certificate []byte, pan string) (body, sum []byte, err error) {
	if body, sum, err = issuer.recover(certificate, 4); err != nil {
		return nil, nil, fmt.Errorf("card certificate: %w", err)
	}
	for i := range 20 {
		d := body[1+i/2] >> (4 * (1 - i%2)) & 15
		if (i < len(pan) && pan[i] != '0'+d) || (i >= len(pan) && d != 0xF) {
			return nil, nil, fmt.Errorf("account number: %w", ErrCertificate)
		}
	}
	return body, sum, nil
}

// Dynamic is what signed dynamic application data hold.
type Dynamic struct {
	Combined    bool   // with a cryptogram (CDA); else DDA
	Number      []byte // ICC dynamic number
	Information byte   // cryptogram information data, when combined
	Cryptogram  []byte // when combined
}

// DynamicData recovers tag 9F4B under the card's key. terminal is what the hash covers of the terminal: the data of the DDOL,
// or the unpredictable number for a combined signature (Book 2, 6.5.2 and 6.6.2). The hash over the transaction's data
// inside a combined signature is the caller's to check. Error: ErrKey, ErrSignature.
func DynamicData(card Key, signed, terminal []byte) (Dynamic, error) {
	body, sum, err := card.recover(signed, 5)
	if err != nil {
		return Dynamic{}, fmt.Errorf("dynamic data: %w", err)
	}
	if got := hash(body, terminal); !bytes.Equal(got[:], sum) {
		return Dynamic{}, fmt.Errorf("hash: %w", ErrSignature)
	}
	if body[1] != 1 || 3+int(body[2]) > len(body) || body[2] == 0 {
		return Dynamic{}, fmt.Errorf("dynamic data of %d bytes: %w", body[2], ErrSignature)
	}
	data := body[3 : 3+int(body[2])]
	n := int(data[0])
	if n < 2 || n > 8 || 1+n > len(data) {
		return Dynamic{}, fmt.Errorf("dynamic number of %d bytes: %w", n, ErrSignature)
	}
	d := Dynamic{Number: data[1 : 1+n]}
	if rest := data[1+n:]; len(rest) >= 1+8+20 {
		d.Combined, d.Information, d.Cryptogram = true, rest[0], rest[1:9]
	}
	return d, nil
}

// DataAuthenticationCode recovers tag 93 under the issuer's key: the two bytes for tag 9F45 (Book 2, 5.4). static is the
// static data to be authenticated. Errors: ErrKey, ErrSignature.
func DataAuthenticationCode(issuer Key, signed, static []byte) (uint16, error) {
	body, sum, err := issuer.recover(signed, 3)
	if err != nil {
		return 0, fmt.Errorf("static data: %w", err)
	}
	if got := hash(body, static); !bytes.Equal(got[:], sum) || body[1] != 1 {
		return 0, fmt.Errorf("hash: %w", ErrSignature)
	}
	return binary.BigEndian.Uint16(body[2:]), nil
}
