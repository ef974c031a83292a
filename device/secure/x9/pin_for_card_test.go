package x9_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"math/big"
	"testing"

	"tillway/device/secure/x9"
)

// TestEncipherPINForCard: the card deciphers header, PIN block, its challenge and the padding that was drawn (EMV 4.4 Book 2,
// 7.2); what is no PIN, no key or no random number is refused.
func TestEncipherPINForCard(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 1024) //nolint:gosec // cards have such keys
	if err != nil {
		t.Fatal(err)
	}
	modulus, challenge := key.N.Bytes(), [8]byte{1, 2, 3, 4, 5, 6, 7, 8}
	padding := bytes.Repeat([]byte{0x5A}, 111)
	out := make([]byte, 128)
	if err := x9.EncipherPINForCard([]byte("123456"), modulus, []byte{1, 0, 1}, challenge, bytes.NewReader(padding), out); err != nil {
		t.Fatal(err)
	}
	plain := new(big.Int).Exp(new(big.Int).SetBytes(out), key.D, key.N).FillBytes(make([]byte, 128))
	want := append([]byte{0x7F, 0x26, 0x12, 0x34, 0x56, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3, 4, 5, 6, 7, 8}, padding...)
	if !bytes.Equal(plain, want) {
		t.Errorf("the card finds %X, want %X", plain, want)
	}
	flat := bytes.Clone(modulus)
	flat[0] &= 0x7F
	even := bytes.Clone(modulus)
	even[127] &= 0xFE
	for name, c := range map[string]struct {
		pin               string
		modulus, exponent []byte
		random, out       int
		want              error
	}{
		"three digits":      {"123", modulus, []byte{3}, 111, 128, x9.ErrPIN},
		"thirteen digits":   {"1234567890123", modulus, []byte{3}, 111, 128, x9.ErrPIN},
		"no digits":         {"12A4", modulus, []byte{3}, 111, 128, x9.ErrPIN},
		"short key":         {"1234", modulus[:63], []byte{3}, 111, 63, x9.ErrCardKey},
		"long key":          {"1234", append(bytes.Clone(modulus), modulus...), []byte{3}, 300, 256, x9.ErrCardKey},
		"highest bit unset": {"1234", flat, []byte{3}, 111, 128, x9.ErrCardKey},
		"even modulus":      {"1234", even, []byte{3}, 111, 128, x9.ErrCardKey},
		"even exponent":     {"1234", modulus, []byte{2}, 111, 128, x9.ErrCardKey},
		"exponent 1":        {"1234", modulus, []byte{1}, 111, 128, x9.ErrCardKey}, // it would leave in the clear
		"no exponent":       {"1234", modulus, nil, 111, 128, x9.ErrCardKey},
		"long exponent":     {"1234", modulus, []byte{1, 0, 0, 1}, 111, 128, x9.ErrCardKey},
		"no room":           {"1234", modulus, []byte{3}, 111, 127, x9.ErrCardKey},
	} {
		out := make([]byte, c.out)
		if err := x9.EncipherPINForCard([]byte(c.pin), c.modulus, c.exponent, challenge, bytes.NewReader(make([]byte, c.random)), out); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if err := x9.EncipherPINForCard([]byte("1234"), modulus, []byte{3}, challenge, bytes.NewReader(padding[1:]), out); err == nil {
		t.Error("enciphered without enough random bytes")
	}
}
