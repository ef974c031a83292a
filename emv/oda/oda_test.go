package oda_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"testing"

	"tillway/emv/oda"
)

type card map[string]string

func cards(t testing.TB) (visa, upi card) {
	t.Helper()
	raw, err := os.ReadFile("testdata/cards.json")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]card
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	return all["visa"], all["upi"]
}

func (c card) bytes(t testing.TB, name string) []byte {
	t.Helper()
	b, err := hex.DecodeString(c[name])
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return b
}

func (c card) authority(t testing.TB) oda.Key {
	t.Helper()
	return oda.Key{Modulus: c.bytes(t, "capk_modulus"), Exponent: c.bytes(t, "capk_exponent")}
}

func (c card) issuer(t testing.TB, certificate []byte, pan string) (oda.Key, error) {
	t.Helper()
	out, err := oda.IssuerCertificate(c.authority(t), certificate, c.bytes(t, "issuer_remainder_92"), c.bytes(t, "issuer_exp_9F32"), pan)
	return out.Key, err
}

// dynamic recovers and checks signed dynamic data.
func dynamic(key oda.Key, signed, terminal []byte) (oda.Dynamic, error) {
	d, err := oda.RecoverDynamic(key, signed)
	if err == nil {
		err = d.Verify(terminal)
	}
	return d, err
}

// TestVisa recovers the published moduli and finds a DDA signature.
func TestVisa(t *testing.T) {
	c, _ := cards(t)
	sum := oda.CheckSum([5]byte(c.bytes(t, "rid")), c.bytes(t, "index")[0], c.authority(t))
	if !bytes.Equal(sum[:], c.bytes(t, "capk_sha1")) {
		t.Errorf("check sum %X", sum)
	}
	issuer, err := c.issuer(t, c.bytes(t, "issuer_cert_90"), c["pan"])
	if err != nil || !bytes.Equal(issuer.Modulus, c.bytes(t, "issuer_modulus")) {
		t.Fatalf("issuer's key of %d bytes (%v)", len(issuer.Modulus), err)
	}
	key, err := oda.CardKeyUnauthenticated(issuer, c.bytes(t, "icc_cert_9F46"), c.bytes(t, "icc_remainder_9F48"), c.bytes(t, "icc_exp_9F47"), c["pan"])
	if err != nil || !bytes.Equal(key.Modulus, c.bytes(t, "icc_modulus")) {
		t.Fatalf("card's key of %d bytes (%v)", len(key.Modulus), err)
	}
	if d, err := dynamic(key, c.bytes(t, "sdad_9F4B"), c.bytes(t, "un")); err != nil || d.Combined || len(d.Number) == 0 {
		t.Errorf("dynamic data %v (%v)", d, err)
	}
	if _, err := dynamic(key, c.bytes(t, "sdad_9F4B"), []byte{1, 2, 3, 4}); !errors.Is(err, oda.ErrSignature) {
		t.Errorf("another unpredictable number: %v", err)
	}
}

// upi is the recorded card, whose static data are known.
func upi(t testing.TB) (c card, issuer oda.Key) {
	t.Helper()
	_, c = cards(t)
	issuer, err := c.issuer(t, c.bytes(t, "issuer_cert_90"), c["pan"])
	if err != nil {
		t.Fatal(err)
	}
	return c, issuer
}

func (c card) key(t testing.TB, issuer oda.Key, certificate, static []byte, pan string) (oda.Key, error) {
	t.Helper()
	out, err := oda.CardCertificate(issuer, certificate, c.bytes(t, "icc_remainder_9F48"), c.bytes(t, "icc_exp_9F47"), pan, static)
	return out.Key, err
}

// TestUPI authenticates a recorded card: static data, its certificate, and its answer to INTERNAL AUTHENTICATE.
func TestUPI(t *testing.T) {
	c, issuer := upi(t)
	static := c.bytes(t, "static_data")
	if _, err := oda.DataAuthenticationCode(issuer, c.bytes(t, "ssad_93"), static); err != nil {
		t.Errorf("static data: %v", err)
	}
	key, err := c.key(t, issuer, c.bytes(t, "icc_cert_9F46"), static, c["pan"])
	if err != nil {
		t.Fatal(err)
	}
	if d, err := dynamic(key, c.bytes(t, "sdad_9F4B"), c.bytes(t, "un")); err != nil || d.Combined {
		t.Errorf("dynamic data: %v", err)
	}
	static[7] ^= 1
	if _, err := c.key(t, issuer, c.bytes(t, "icc_cert_9F46"), static, c["pan"]); !errors.Is(err, oda.ErrCertificate) {
		t.Errorf("changed static data under the certificate: %v", err)
	}
	if _, err := oda.DataAuthenticationCode(issuer, c.bytes(t, "ssad_93"), static); !errors.Is(err, oda.ErrSignature) {
		t.Errorf("changed static data: %v", err)
	}
}

// TestEveryByteCounts: a certificate or signature with any byte changed is refused, and so is another card's number.
func TestEveryByteCounts(t *testing.T) {
	c, issuer := upi(t)
	static := c.bytes(t, "static_data")
	for i := range c.bytes(t, "issuer_cert_90") {
		cert := c.bytes(t, "issuer_cert_90")
		cert[i] ^= 4
		if _, err := c.issuer(t, cert, c["pan"]); err == nil {
			t.Errorf("issuer certificate, byte %d changed", i)
		}
	}
	for i := range c.bytes(t, "icc_cert_9F46") {
		cert := c.bytes(t, "icc_cert_9F46")
		cert[i] ^= 4
		if _, err := c.key(t, issuer, cert, static, c["pan"]); err == nil {
			t.Errorf("card certificate, byte %d changed", i)
		}
	}
	for _, pan := range []string{"", "6210948000000012", "62109480000000110", "621094800000001", "5413330089604111"} {
		if _, err := c.key(t, issuer, c.bytes(t, "icc_cert_9F46"), static, pan); !errors.Is(err, oda.ErrCertificate) {
			t.Errorf("another account number of %d digits: %v", len(pan), err)
		}
	}
	if _, err := c.issuer(t, c.bytes(t, "issuer_cert_90"), "5413330089604111"); !errors.Is(err, oda.ErrCertificate) {
		t.Errorf("another issuer's account number: %v", err)
	}
}

// TestKeyRefusals: keys that EMV does not have.
func TestKeyRefusals(t *testing.T) {
	c, _ := upi(t)
	good := c.authority(t)
	even := append([]byte(nil), good.Modulus...)
	even[len(even)-1] &^= 1
	for name, k := range map[string]oda.Key{
		"empty":       {},
		"short":       {Modulus: good.Modulus[:60], Exponent: good.Exponent},
		"long":        {Modulus: append(good.Modulus, make([]byte, 100)...), Exponent: good.Exponent},
		"exponent 2":  {Modulus: good.Modulus, Exponent: []byte{2}},
		"exponent of": {Modulus: good.Modulus, Exponent: []byte{0, 0, 0, 3}},
		"even":        {Modulus: even, Exponent: good.Exponent},
	} {
		if err := k.Check(); !errors.Is(err, oda.ErrKey) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := dynamic(k, make([]byte, 128), nil); !errors.Is(err, oda.ErrKey) {
			t.Errorf("%s used: %v", name, err)
		}
	}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
}

// FuzzIssuerKey: no bytes but the issuer's certificate are one.
func FuzzIssuerKey(f *testing.F) {
	_, c := cards(f)
	real := c.bytes(f, "issuer_cert_90")
	f.Add(real)
	f.Add(real[1:])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, certificate []byte) {
		if _, err := c.issuer(t, certificate, c["pan"]); err == nil && !bytes.Equal(certificate, real) {
			t.Errorf("%X is taken for a certificate", certificate)
		}
	})
}
