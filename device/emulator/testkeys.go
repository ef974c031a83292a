package emulator

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"math/big"
)

// testKeys are RSA keys for test cards, two primes each. They are public with this program and vouch for nothing.
//
//go:embed testkeys.json
var testKeys []byte

// capk is what TestAuthorityKeys finds to say the same as testKeys.
//
//go:embed capk.json
var capk []byte

// AuthorityKeys is the key file of the certification authorities that the ready cards' certificates come from, in the
// form that posd and pos card run --capk read (JSON: keys, revoked). Their indexes are E0 to E3 of Visa's and of
// Mastercard's RID, which no payment system uses. They are test keys whose private halves are public: a terminal that
// takes real cards must not have them.
func AuthorityKeys() []byte { return append([]byte(nil), capk...) }

// authorities are the keys that a profile's rsa.authority may name, by index (8F). The last is in no key file.
var authorities = map[byte]string{
	0xE0: "authority-1984",
	0xE1: "authority-1408",
	0xE2: "authority-1152",
	0xE3: "authority-old", // expired at the end of 2020
	0xE4: "authority-unknown",
}

// rsaKey is a key pair: what is below the modulus is the private half, as the Chinese remainder theorem uses it.
type rsaKey struct {
	modulus, exponent  []byte
	p, q, dp, dq, qInv *big.Int
}

// rsaKeyNamed finds a test key. Error: ErrProfile.
func rsaKeyNamed(name string) (*rsaKey, error) {
	var file struct {
		Keys []struct {
			Name, P, Q string
			Exponent   string
		}
	}
	must(json.Unmarshal(testKeys, &file))
	for _, k := range file.Keys {
		if k.Name != name {
			continue
		}
		p, okP := new(big.Int).SetString(k.P, 16)
		q, okQ := new(big.Int).SetString(k.Q, 16)
		e, okE := new(big.Int).SetString(k.Exponent, 16)
		if !okP || !okQ || !okE {
			return nil, fmt.Errorf("%w: rsa: key %q is no key", ErrProfile, name)
		}
		return newRSAKey(p, q, e), nil
	}
	return nil, fmt.Errorf("%w: rsa: no test key %q", ErrProfile, name)
}

func newRSAKey(p, q, e *big.Int) *rsaKey {
	one := big.NewInt(1)
	p1, q1 := new(big.Int).Sub(p, one), new(big.Int).Sub(q, one)
	return &rsaKey{
		modulus: new(big.Int).Mul(p, q).Bytes(), exponent: e.Bytes(), p: p, q: q,
		dp: new(big.Int).ModInverse(e, p1), dq: new(big.Int).ModInverse(e, q1), qInv: new(big.Int).ModInverse(q, p),
	}
}

// private is the private operation on a number below the modulus (Book 2, B2.1.2): a signature, or a PIN deciphered.
func (k *rsaKey) private(in []byte) []byte {
	x := new(big.Int).SetBytes(in)
	m1, m2 := new(big.Int).Exp(x, k.dp, k.p), new(big.Int).Exp(x, k.dq, k.q)
	h := new(big.Int).Sub(m1, m2)
	h.Mul(h, k.qInv).Mod(h, k.p)
	return m2.Add(m2, h.Mul(h, k.q)).FillBytes(make([]byte, len(k.modulus)))
}
