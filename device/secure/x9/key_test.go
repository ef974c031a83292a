package x9_test

import (
	"bytes"
	"errors"
	"testing"

	"tillway/device/secure/x9"
)

// TestComponents: two and three components give the key whatever their order; one alone, one of zeros, and two that are the
// same give none.
func TestComponents(t *testing.T) {
	a, b, c := unhex(t, "0123456789ABCDEFFEDCBA9876543210"), unhex(t, aesBDK), unhex(t, "6AC292FAA1315B4D858AB3A3D7D5933A")
	two := must(x9.CombineComponents(a, b))(t)
	three := must(x9.CombineComponents(c, a, b))(t)
	back := must(x9.CombineComponents(two, a))(t)
	other := must(x9.CombineComponents(b, c, a))(t)
	if !bytes.Equal(back, b) || !bytes.Equal(three, other) || bytes.Equal(two, three) {
		t.Errorf("two %X, three %X and %X", two, three, other)
	}
	zeros := make([]byte, 16)
	for name, parts := range map[string][][]byte{
		"none": nil, "one": {a}, "four": {a, b, c, two}, "lengths": {a, make([]byte, 24)}, "short": {a[:8], b[:8]},
		"zeros": {a, zeros}, "the same": {a, a}, "the same of three": {a, b, a}, "cancelling": {a, b, two}, "empty": {{}, {}},
	} {
		if key, err := x9.CombineComponents(parts...); !errors.Is(err, x9.ErrComponents) || key != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestWeakKeys: what is single DES in truth is no triple DES key, whatever its parity bits.
func TestWeakKeys(t *testing.T) {
	for key, want := range map[string]error{
		"0123456789ABCDEFFEDCBA9876543210":                 nil,
		"0123456789ABCDEFFEDCBA98765432100123456789ABCDEF": nil,
		"0123456789ABCDEF0123456789ABCDEF":                 x9.ErrWeakKey,
		"0123456789ABCDEF0022446688AACCEE":                 x9.ErrWeakKey, // parity apart
		"0123456789ABCDEFFEDCBA9876543210FEDCBA9876543210": x9.ErrWeakKey,
		"0123456789ABCDEF0123456789ABCDEFFEDCBA9876543210": x9.ErrWeakKey,
		"0123456789ABCDEF":                                 x9.ErrKey,
	} {
		if err := x9.CheckTDESKey(unhex(t, key)); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", key, err, want)
		}
	}
}

// TestCheckValues: the AES check value of FIPS 197's key by both methods, lengths that no method takes, and parity.
func TestCheckValues(t *testing.T) {
	key := unhex(t, "2B7E151628AED2A6ABF7158809CF4F3C") // RFC 4493: AES of zeros is 7DF76B0C1AB899B33E42F047B91B546F
	if v, err := x9.KCVAESZeros(key); err != nil || upper(v[:]) != "7DF76B" {
		t.Errorf("by zeros: %X (%v)", v, err)
	}
	long := must(x9.CMACAES(key, make([]byte, 16)))(t)
	if v, err := x9.KCVAES(key); err != nil || !bytes.Equal(v[:], long[:5]) {
		t.Errorf("by CMAC: %X (%v), want %X", v, err, long[:5])
	}
	if _, err := x9.KCVAES(key[:8]); !errors.Is(err, x9.ErrKey) {
		t.Errorf("eight bytes: %v", err)
	}
	if _, err := x9.KCVAESZeros(key[:8]); !errors.Is(err, x9.ErrKey) {
		t.Errorf("eight bytes by zeros: %v", err)
	}
	parity := unhex(t, "00010203FEFF80")
	x9.SetOddParity(parity)
	if upper(parity) != "01010202FEFE80" {
		t.Errorf("parity %X", parity)
	}
}

// TestAESModes: CBC and back; lengths that are no blocks.
func TestAESModes(t *testing.T) {
	key, iv := unhex(t, "2B7E151628AED2A6ABF7158809CF4F3C"), unhex(t, "000102030405060708090A0B0C0D0E0F")
	text := unhex(t, "6BC1BEE22E409F96E93D7E117393172AAE2D8A571E03AC9C9EB76FAC45AF8E51")
	c := must(x9.EncryptCBCAES(key, iv, text))(t) // NIST SP 800-38A, F.2.1
	if upper(c) != "7649ABAC8119B246CEE98E9B12E9197D5086CB9B507219EE95DB113A917678B2" {
		t.Errorf("enciphered %X", c)
	}
	if got, err := x9.DecryptCBCAES(key, iv, c); err != nil || !bytes.Equal(got, text) {
		t.Errorf("deciphered %X (%v)", got, err)
	}
	for name, err := range map[string]error{
		"key":   second(x9.EncryptCBCAES(key[:8], iv, text)),
		"iv":    second(x9.EncryptCBCAES(key, iv[:8], text)),
		"block": second(x9.DecryptCBCAES(key, iv, text[:17])),
	} {
		if !errors.Is(err, x9.ErrKey) && !errors.Is(err, x9.ErrBlock) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := x9.CMACTDES(key[:8], nil); !errors.Is(err, x9.ErrKey) {
		t.Errorf("CMAC key: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

// TestPadding3 is ISO/IEC 9797-1, 6.3.4: the length in bits stands before the data.
func TestPadding3(t *testing.T) {
	for data, want := range map[string]string{
		"": "00000000000000000000000000000000", "1234": "00000000000000101234000000000000",
		"1234567890123456": "00000000000000401234567890123456",
	} {
		if got := upper(must(x9.Pad(unhex(t, data), x9.Pad3))(t)); got != want {
			t.Errorf("%q: %s, want %s", data, got, want)
		}
	}
}
