package cryptogram

import (
	"crypto/sha1" //nolint:gosec // option B is defined with it
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tillway/device/secure/x9"
)

// ErrInput says that an argument is not of the form that the derivation is defined for; it names lengths, never contents.
var ErrInput = errors.New("not fit for key derivation")

// MasterKey derives a card's master key from an issuer master key of 16 bytes: by option A for a PAN of up to 16 digits,
// by option B for a longer one (Book 2, A1.4.2). psn is two digits; empty means that the card has none, and counts as 00.
// Error: ErrInput.
func MasterKey(imk []byte, pan, psn string) ([]byte, error) {
	if len(pan) <= 16 {
		return MasterKeyA(imk, pan, psn)
	}
	x, err := panAndSequence(pan, psn)
	if err != nil {
		return nil, err
	}
	if len(x)%2 != 0 {
		x = "0" + x
	}
	b, err := hex.DecodeString(x)
	if err != nil {
		return nil, fmt.Errorf("account and sequence number: %w", ErrInput)
	}
	sum := sha1.Sum(b) //nolint:gosec // Book 2, A1.4.2 names it
	return diversify(imk, decimalize(hex.EncodeToString(sum[:]), 16))
}

// MasterKeyA derives a card's master key by option A whatever the length of the PAN: the rightmost 16 digits of PAN and
// sequence number count (Book 2, A1.4.1). Some issuers stay with it for long PANs. Error: ErrInput.
func MasterKeyA(imk []byte, pan, psn string) ([]byte, error) {
	x, err := panAndSequence(pan, psn)
	if err != nil {
		return nil, err
	}
	x = strings.Repeat("0", max(0, 16-len(x))) + x
	return diversify(imk, x[len(x)-16:])
}

func panAndSequence(pan, psn string) (string, error) {
	if psn == "" {
		psn = "00"
	}
	x := pan + psn
	if len(pan) < 8 || len(pan) > 19 || len(psn) != 2 || strings.Trim(x, "0123456789") != "" {
		return "", fmt.Errorf("account number of %d and sequence number of %d characters: %w", len(pan), len(psn), ErrInput)
	}
	return x, nil
}

// decimalize takes the first n decimal digits of hexadecimal text; where there are fewer, its letters follow as digits a=0
// to f=5 (Book 2, A1.4.2; the same rule makes CVV and PVV). It gives fewer than n when the text is shorter than that.
func decimalize(text string, n int) string {
	digits := make([]byte, 0, n)
	for _, c := range []byte(text) {
		if c <= '9' && len(digits) < n {
			digits = append(digits, c)
		}
	}
	for _, c := range []byte(text) {
		if c >= 'a' && len(digits) < n {
			digits = append(digits, c-'a'+'0')
		}
	}
	return string(digits)
}

// diversify enciphers sixteen digits and their complement under the issuer master key, and sets odd parity.
func diversify(imk []byte, digits string) ([]byte, error) {
	y, err := hex.DecodeString(digits)
	if err != nil || len(y) != 8 || len(imk) != 16 {
		return nil, fmt.Errorf("issuer master key of %d bytes: %w", len(imk), ErrInput)
	}
	for _, b := range slices.Clone(y) {
		y = append(y, b^0xFF)
	}
	mk, err := x9.EncryptECB(imk, y)
	if err != nil {
		return nil, fmt.Errorf("master key: %w", err)
	}
	x9.SetOddParity(mk)
	return mk, nil
}

// SessionKey is the EMV common session key of one transaction: SessionKeyFrom with the ATC and six zeros (Book 2, A1.3.1).
// Error: ErrInput.
func SessionKey(mk []byte, atc uint16) ([]byte, error) {
	return SessionKeyFrom(mk, [8]byte{byte(atc >> 8), byte(atc)})
}

// SessionKeyFrom derives a session key from a diversification value: its third byte becomes F0 for the left half and 0F
// for the right one, and both are enciphered under the master key (Book 2, A1.3.1). Error: ErrInput.
func SessionKeyFrom(mk []byte, r [8]byte) ([]byte, error) {
	if len(mk) != 16 {
		return nil, fmt.Errorf("master key of %d bytes: %w", len(mk), ErrInput)
	}
	left, right := r, r
	left[2], right[2] = 0xF0, 0x0F
	sk, err := x9.EncryptECB(mk, append(left[:], right[:]...))
	if err != nil {
		return nil, fmt.Errorf("session key: %w", err)
	}
	return sk, nil
}

// SessionKeyMChip is the session key of M/Chip: SessionKeyFrom with the ATC, two zeros and the unpredictable number.
// Error: ErrInput.
func SessionKeyMChip(mk []byte, atc uint16, unpredictable [4]byte) ([]byte, error) {
	r := [8]byte{byte(atc >> 8), byte(atc)}
	copy(r[4:], unpredictable[:])
	return SessionKeyFrom(mk, r)
}
