package oda_test

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math/big"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"tillway/emv/oda"
)

// pair is a key pair of the tests.
type pair struct {
	oda.Key
	private, n *big.Int
}

// chain is an authority, an issuer and a card of our own, with the longest keys that EMV has.
type chain struct{ authority, issuer, card pair }

func newChain(t testing.TB) chain {
	t.Helper()
	raw, err := os.ReadFile("testdata/chain.json")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]struct {
		P, Q string
		E    int64
	}
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	make := func(name string) pair {
		k := all[name]
		p, _ := new(big.Int).SetString(k.P, 16)
		q, _ := new(big.Int).SetString(k.Q, 16)
		e, one := big.NewInt(k.E), big.NewInt(1)
		n := new(big.Int).Mul(p, q)
		phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
		return pair{oda.Key{Modulus: n.Bytes(), Exponent: e.Bytes()}, new(big.Int).ModInverse(e, phi), n}
	}
	return chain{make("authority"), make("issuer"), make("card")}
}

// sign makes what Book 2, A2.1.2 describes: 6A, the body, the hash over body and what is hashed with it, BC. edit changes the
// block before it is signed.
func (p pair) sign(body, hashed []byte, edit func([]byte)) []byte {
	sum := sha1.Sum(slices.Concat(body, hashed))
	block := slices.Concat([]byte{0x6A}, body, sum[:], []byte{0xBC})
	if edit != nil {
		edit(block)
	}
	return new(big.Int).Exp(new(big.Int).SetBytes(block), p.private, p.n).FillBytes(make([]byte, len(p.Modulus)))
}

// certify makes a certificate and the remainder: format 02 or 04, subject, expiry, serial, algorithms.
func (p pair) certify(k oda.Key, head string, static []byte) (certificate, remainder []byte) {
	h, err := hex.DecodeString(strings.ReplaceAll(head, " ", ""))
	if err != nil {
		panic(err)
	}
	body := append(h, byte(len(k.Modulus)), byte(len(k.Exponent)))
	room := len(p.Modulus) - 22 - len(body)
	field := bytes.Repeat([]byte{0xBB}, room)
	copy(field, k.Modulus)
	if len(k.Modulus) > room {
		remainder = k.Modulus[room:]
	}
	return p.sign(append(body, field...), slices.Concat(remainder, k.Exponent, static), nil), remainder
}

const pan = "4761739001010119"

func TestIssuerCertificate(t *testing.T) {
	c := newChain(t)
	const rest = " 1217 0A0B0C 01 01"
	for _, r := range []struct {
		name, head, say string
		pan             string
		want            error
	}{
		{name: "eight digits", head: "02 47617390" + rest},
		{name: "six digits", head: "02 476173FF" + rest},
		{name: "three digits", head: "02 476FFFFF" + rest},
		{name: "two digits", head: "02 47FFFFFF" + rest, want: oda.ErrCertificate, say: "issuer identifier"},
		{name: "another issuer's", head: "02 476174FF" + rest, want: oda.ErrCertificate, say: "issuer identifier"},
		{name: "the last of eight digits is another", head: "02 47617391" + rest, want: oda.ErrCertificate, say: "issuer identifier"},
		{name: "a digit behind the padding", head: "02 476F7FFF" + rest, want: oda.ErrCertificate, say: "issuer identifier"},
		{name: "no digits", head: "02 476173AA" + rest, want: oda.ErrCertificate, say: "issuer identifier"},
		{name: "longer than the account number", head: "02 47617390" + rest, pan: "4761739", want: oda.ErrCertificate, say: "issuer identifier"},
		{name: "a card's format", head: "04 476173FF" + rest, want: oda.ErrSignature, say: "format"},
		{name: "hash algorithm", head: "02 476173FF 1217 0A0B0C 02 01", want: oda.ErrCertificate, say: "algorithms"},
		{name: "key algorithm", head: "02 476173FF 1217 0A0B0C 01 10", want: oda.ErrCertificate, say: "algorithms"},
		{name: "month 13", head: "02 476173FF 1317 0A0B0C 01 01", want: oda.ErrCertificate, say: "no month"},
		{name: "month 0", head: "02 476173FF 0017 0A0B0C 01 01", want: oda.ErrCertificate, say: "no month"},
		{name: "no digits in the year", head: "02 476173FF 121A 0A0B0C 01 01", want: oda.ErrCertificate, say: "no month"},
	} {
		certificate, remainder := c.authority.certify(c.issuer.Key, r.head, nil)
		if r.pan == "" {
			r.pan = pan
		}
		got, err := oda.IssuerCertificate(c.authority.Key, certificate, remainder, c.issuer.Exponent, r.pan)
		if r.want != nil {
			if !errors.Is(err, r.want) || !strings.Contains(err.Error(), r.say) {
				t.Errorf("%s: %v", r.name, err)
			}
			continue
		}
		if err != nil || !bytes.Equal(got.Key.Modulus, c.issuer.Modulus) || got.Serial != [3]byte{10, 11, 12} {
			t.Errorf("%s: %v %X", r.name, err, got.Serial)
		}
	}
}

// TestLastDay: a certificate of 12/17 is valid on the last day of that month and not on the next.
func TestLastDay(t *testing.T) {
	c := newChain(t)
	for _, r := range []struct {
		mmyy, last string
	}{{"1217", "2017-12-31"}, {"0228", "2028-02-29"}, {"0249", "2049-02-28"}, {"0150", "1950-01-31"}} {
		certificate, remainder := c.authority.certify(c.issuer.Key, "02 476173FF "+r.mmyy+" 000001 01 01", nil)
		got, err := oda.IssuerCertificate(c.authority.Key, certificate, remainder, c.issuer.Exponent, pan)
		last, _ := time.Parse("2006-01-02", r.last)
		if err != nil || got.On(last) != nil || !errors.Is(got.On(last.AddDate(0, 0, 1)), oda.ErrCertificate) {
			t.Errorf("%s: last day %s (%v)", r.mmyy, got.LastDay, err)
		}
	}
}

// TestRemainder: there when the key is longer than its field, and only then (Book 2, 5.1).
func TestRemainder(t *testing.T) {
	c := newChain(t)
	short := c.card.Key // any odd number with its first bit set is a modulus for a certificate
	short.Modulus = append(bytes.Clone(c.card.Modulus[:127]), 1)
	const head = "02 476173FF 1217 000001 01 01"
	certificate, remainder := c.authority.certify(short, head, nil)
	if remainder != nil {
		t.Fatal("a short key has a remainder")
	}
	if _, err := oda.IssuerCertificate(c.authority.Key, certificate, nil, short.Exponent, pan); err != nil {
		t.Errorf("a short key: %v", err)
	}
	if _, err := oda.IssuerCertificate(c.authority.Key, certificate, []byte{}, short.Exponent, pan); err != nil {
		t.Errorf("a short key, remainder empty: %v", err)
	}
	if _, err := oda.IssuerCertificate(c.authority.Key, certificate, []byte{1}, short.Exponent, pan); !errors.Is(err, oda.ErrCertificate) {
		t.Errorf("a short key with a remainder: %v", err)
	}
	certificate, remainder = c.authority.certify(c.issuer.Key, head, nil)
	for name, r := range map[string]struct {
		remainder, exponent []byte
		want                error
	}{
		"missing":         {nil, c.issuer.Exponent, oda.ErrRemainder},
		"a byte short":    {remainder[1:], c.issuer.Exponent, oda.ErrCertificate},
		"a byte long":     {append(bytes.Clone(remainder), 1), c.issuer.Exponent, oda.ErrCertificate},
		"changed":         {append([]byte{remainder[0] ^ 1}, remainder[1:]...), c.issuer.Exponent, oda.ErrCertificate},
		"exponent":        {remainder, []byte{3}, oda.ErrCertificate},
		"exponent 65539":  {remainder, []byte{1, 0, 3}, oda.ErrKey},
		"exponent absent": {remainder, nil, oda.ErrCertificate},
	} {
		if _, err := oda.IssuerCertificate(c.authority.Key, certificate, r.remainder, r.exponent, pan); !errors.Is(err, r.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

const cardHead = "04 4761739001010119FFFF 1228 000002 01 01"

func TestCardCertificate(t *testing.T) {
	c := newChain(t)
	static := []byte("what the issuer signed")
	certificate, remainder := c.issuer.certify(c.card.Key, cardHead, static)
	got, err := oda.CardCertificate(c.issuer.Key, certificate, remainder, c.card.Exponent, pan, static)
	if err != nil || !bytes.Equal(got.Key.Modulus, c.card.Modulus) {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"static data":    second(oda.CardCertificate(c.issuer.Key, certificate, remainder, c.card.Exponent, pan, static[1:])),
		"no static data": second(oda.CardCertificate(c.issuer.Key, certificate, remainder, c.card.Exponent, pan, nil)),
		"longer number":  second(oda.CardCertificate(c.issuer.Key, certificate, remainder, c.card.Exponent, pan+"0", static)),
		"shorter number": second(oda.CardCertificate(c.issuer.Key, certificate, remainder, c.card.Exponent, pan[:15], static)),
	} {
		if !errors.Is(err, oda.ErrCertificate) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := oda.CardCertificate(c.issuer.Key, certificate, nil, c.card.Exponent, pan, static); !errors.Is(err, oda.ErrRemainder) {
		t.Errorf("no remainder: %v", err)
	}
	// The key that enciphers PINs is certified without static data (Book 2, 7.1).
	certificate, remainder = c.issuer.certify(c.card.Key, cardHead, nil)
	if _, err := oda.CardCertificate(c.issuer.Key, certificate, remainder, c.card.Exponent, pan, nil); err != nil {
		t.Errorf("PIN encipherment key: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

// combined is a combined signature of the chain's card (Book 2, Tables 18 and 19).
func (c chain) combined(number []byte, cid byte, transaction, un []byte, edit func([]byte)) []byte {
	sum := sha1.Sum(transaction)
	data := slices.Concat([]byte{byte(len(number))}, number, []byte{cid}, []byte("cryptogr"), sum[:])
	body := append([]byte{5, 1, byte(len(data))}, data...)
	body = append(body, bytes.Repeat([]byte{0xBB}, len(c.card.Modulus)-22-len(body))...)
	return c.card.sign(body, un, edit)
}

func TestCombinedSignature(t *testing.T) {
	c := newChain(t)
	un, transaction := []byte{1, 2, 3, 4}, []byte("PDOL, CDOL1 and the answer")
	for n := 2; n <= 8; n++ {
		d, err := oda.RecoverDynamic(c.card.Key, c.combined(make([]byte, n), 0x80, transaction, un, nil))
		if err == nil {
			err = d.VerifyCombined(0x80, un, transaction)
		}
		if err != nil || !d.Combined || len(d.Number) != n || string(d.Cryptogram) != "cryptogr" || d.Information != 0x80 {
			t.Errorf("number of %d bytes: %v", n, err)
		}
	}
	d, err := oda.RecoverDynamic(c.card.Key, c.combined([]byte{1, 2}, 0x80, transaction, un, nil))
	if err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"cryptogram information": d.VerifyCombined(0x40, un, transaction),
		"unpredictable number":   d.VerifyCombined(0x80, []byte{1, 2, 3, 5}, transaction),
		"no number":              d.VerifyCombined(0x80, nil, transaction),
		"transaction":            d.VerifyCombined(0x80, un, transaction[1:]),
	} {
		if !errors.Is(err, oda.ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, at := range map[string]int{"header": 0, "format": 1, "hash algorithm": 2, "trailer": len(c.card.Modulus) - 1} {
		signed := c.combined([]byte{1, 2}, 0x80, transaction, un, func(b []byte) { b[at] ^= 2 })
		if _, err := oda.RecoverDynamic(c.card.Key, signed); !errors.Is(err, oda.ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, length := range []byte{0, 1, 3, 255} { // of the dynamic data: none, no number, half a number, past the end
		signed := c.combined([]byte{1, 2, 3}, 0x80, transaction, un, func(b []byte) { b[3] = length })
		if _, err := oda.RecoverDynamic(c.card.Key, signed); !errors.Is(err, oda.ErrSignature) {
			t.Errorf("dynamic data of %d bytes: %v", length, err)
		}
	}
	for _, n := range []byte{0, 1, 9, 255} {
		signed := c.combined([]byte{1, 2, 3}, 0x80, transaction, un, func(b []byte) { b[4] = n })
		if _, err := oda.RecoverDynamic(c.card.Key, signed); !errors.Is(err, oda.ErrSignature) {
			t.Errorf("number of %d bytes: %v", n, err)
		}
	}
	// A signature of DDA has no cryptogram, and is none for CDA.
	body := append([]byte{5, 1, 3, 2, 7, 7}, bytes.Repeat([]byte{0xBB}, len(c.card.Modulus)-28)...)
	d, err = oda.RecoverDynamic(c.card.Key, c.card.sign(body, un, nil))
	if err != nil || d.Combined || d.Verify(un) != nil || !errors.Is(d.VerifyCombined(0, un, nil), oda.ErrSignature) {
		t.Errorf("%+v %v", d, err)
	}
}

// TestLengths: a certificate or signature is as long as its key, and below it.
func TestLengths(t *testing.T) {
	c := newChain(t)
	signed := c.combined([]byte{1, 2}, 0x80, nil, nil, nil)
	for name, b := range map[string][]byte{
		"empty": nil, "short": signed[1:], "long": append([]byte{0}, signed...), "the modulus": c.card.Modulus,
		"all ones": bytes.Repeat([]byte{0xFF}, len(signed)),
	} {
		if _, err := oda.RecoverDynamic(c.card.Key, b); !errors.Is(err, oda.ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzCardCertificate: whatever the four objects and the account number are, only the true ones are a certificate.
func FuzzCardCertificate(f *testing.F) {
	c := newChain(f)
	static := []byte{0x5A, 1, 2}
	certificate, remainder := c.issuer.certify(c.card.Key, cardHead, static)
	f.Add(certificate, remainder, c.card.Exponent, static, pan)
	f.Add(certificate, []byte{}, c.card.Exponent, static, "")
	f.Add([]byte{}, []byte{}, []byte{}, []byte{}, "47")
	f.Fuzz(func(t *testing.T, cert, rest, exponent, data []byte, number string) {
		got, err := oda.CardCertificate(c.issuer.Key, cert, rest, exponent, number, data)
		same := bytes.Equal(cert, certificate) && bytes.Equal(rest, remainder) && bytes.Equal(exponent, c.card.Exponent) &&
			bytes.Equal(data, static) && number == pan
		if (err == nil) != same {
			t.Fatalf("%v for %d bytes: %+v", err, len(cert), got.Serial)
		}
	})
}

// FuzzDynamic: whatever bytes are taken for signed dynamic data, only the card's are.
func FuzzDynamic(f *testing.F) {
	c := newChain(f)
	un, transaction := []byte{1, 2, 3, 4}, []byte("data")
	real := c.combined([]byte{1, 2, 3}, 0x40, transaction, un, nil)
	f.Add(real, byte(0x40), un, transaction)
	f.Add(real[:10], byte(0), []byte{}, []byte{})
	f.Fuzz(func(t *testing.T, signed []byte, cid byte, number, data []byte) {
		d, err := oda.RecoverDynamic(c.card.Key, signed)
		if err == nil {
			err = d.VerifyCombined(cid, number, data)
		}
		same := bytes.Equal(signed, real) && cid == 0x40 && bytes.Equal(number, un) && bytes.Equal(data, transaction)
		if (err == nil) != same {
			t.Fatalf("%v", err)
		}
	})
}

// BenchmarkRecover is what a whole CDA costs in arithmetic with the longest keys: two certificates and one signature.
func BenchmarkRecover(b *testing.B) {
	c := newChain(b)
	issuer, issuerRest := c.authority.certify(c.issuer.Key, "02 476173FF 1230 000001 01 01", nil)
	card, cardRest := c.issuer.certify(c.card.Key, cardHead, nil)
	signed := c.combined([]byte{1, 2, 3}, 0x40, nil, nil, nil)
	b.ReportAllocs()
	for b.Loop() {
		i, err := oda.IssuerCertificate(c.authority.Key, issuer, issuerRest, c.issuer.Exponent, pan)
		if err != nil {
			b.Fatal(err)
		}
		k, err := oda.CardCertificate(i.Key, card, cardRest, c.card.Exponent, pan, nil)
		if err != nil {
			b.Fatal(err)
		}
		d, err := oda.RecoverDynamic(k.Key, signed)
		if err == nil {
			err = d.VerifyCombined(0x40, nil, nil)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
