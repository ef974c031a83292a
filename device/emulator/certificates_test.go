package emulator_test

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // EMV signs with it
	"encoding/json"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"

	"tillway/device/emulator"
	"tillway/emv/tlv"
)

// authority finds a key of the committed key file, whose check sum must be right (Book 2, 11.2.2).
func authority(t *testing.T, rid []byte, index byte) publicKey {
	t.Helper()
	var file struct {
		Keys []struct{ RID, Index, Modulus, Exponent, SHA1 string }
	}
	if err := json.Unmarshal(emulator.AuthorityKeys(), &file); err != nil {
		t.Fatal(err)
	}
	for _, k := range file.Keys {
		if !bytes.Equal(unhex(t, k.RID), rid) || unhex(t, k.Index)[0] != index {
			continue
		}
		sum := sha1.Sum(unhex(t, k.RID+k.Index+k.Modulus+k.Exponent)) //nolint:gosec // EMV signs with it
		if hexOf(sum[:]) != k.SHA1 {
			t.Fatalf("check sum of key %s", k.Index)
		}
		return publicKey{unhex(t, k.Modulus), unhex(t, k.Exponent)}
	}
	t.Fatalf("no key %02X in the key file", index)
	return publicKey{}
}

type publicKey struct{ modulus, exponent []byte }

// recovered undoes a signature by the book's own words (Book 2, A2.1.2): what is signed, and whether the hash over it and more
// is right.
func (k publicKey) recovered(t *testing.T, signed []byte, format byte, more ...[]byte) []byte {
	t.Helper()
	n := new(big.Int).SetBytes(k.modulus)
	x := new(big.Int).Exp(new(big.Int).SetBytes(signed), new(big.Int).SetBytes(k.exponent), n).FillBytes(make([]byte, len(k.modulus)))
	last := len(x) - 1
	if len(signed) != len(x) || x[0] != 0x6A || x[1] != format || x[last] != 0xBC {
		t.Fatalf("signature of %d bytes under a key of %d: %X…%X", len(signed), len(x), x[:2], x[last])
	}
	sum := sha1.Sum(slices.Concat(x[1:last-20], slices.Concat(more...))) //nolint:gosec // EMV signs with it
	if !bytes.Equal(sum[:], x[last-20:last]) {
		t.Fatal("wrong hash")
	}
	return x[2 : last-20]
}

// chain takes the certificates of a card that was read apart: the issuer's, the card's and the PIN key.
func chain(t *testing.T, x *terminal) (issuer, card, pin publicKey) {
	t.Helper()
	v := x.data.Value
	take := func(by publicKey, certificate, rest, exponent tlv.Tag, format byte, fields int, static []byte) publicKey {
		body := by.recovered(t, v(certificate), format, v(rest), v(exponent), static)
		n := int(body[fields-2])
		field := body[fields:]
		key := append(bytes.Clone(field[:min(n, len(field))]), v(rest)...)
		if len(key) != n || body[fields-4] != 1 || body[fields-3] != 1 || int(body[fields-1]) != len(v(exponent)) {
			t.Fatalf("certificate %s: key of %d bytes in place of %d", certificate, len(key), n)
		}
		if pad := field[min(n, len(field)):]; bytes.Trim(pad, "\xBB") != nil && len(bytes.Trim(pad, "\xBB")) > 0 {
			t.Fatalf("certificate %s: padding %X", certificate, pad)
		}
		return publicKey{key, v(exponent)}
	}
	issuer = take(authority(t, v(0x84)[:5], v(0x8F)[0]), 0x90, 0x92, 0x9F32, 2, 13, nil)
	if x.data.Has(0x9F46) {
		card = take(issuer, 0x9F46, 0x9F48, 0x9F47, 4, 19, x.static)
	}
	if x.data.Has(0x9F2D) {
		pin = take(issuer, 0x9F2D, 0x9F2F, 0x9F2E, 4, 19, nil)
	}
	return issuer, card, pin
}

// Book 2, 5 and 6: the chain of certificates of every size holds, the signed static data and both dynamic signatures too.
func TestChain(t *testing.T) {
	for _, row := range []struct {
		name         string
		issuer, card int // bytes
	}{
		{"oda-cda", 144, 128},
		{"oda-cda-1984", 247, 205},
		{"oda-cda-remainders", 144, 144},
		{"oda-cda-65537", 144, 128},
		{"oda-aip-signed", 144, 128},
		{"oda-sda", 144, 0},
		{"oda-dda-format1", 144, 128},
	} {
		t.Run(row.name, func(t *testing.T) {
			x := insert(t, row.name)
			x.read(visa)
			issuer, card, _ := chain(t, x)
			if len(issuer.modulus) != row.issuer || len(card.modulus) != row.card {
				t.Fatalf("keys of %d and %d bytes", len(issuer.modulus), len(card.modulus))
			}
			if x.data.Has(0x93) {
				if body := issuer.recovered(t, x.data.Value(0x93), 3, x.static); !bytes.Equal(body[:3], []byte{1, 0xDA, 0xC0}) {
					t.Errorf("signed static data %X", body[:3])
				}
			}
			if row.card == 0 {
				x.send(0x6D00, command(0x00, 0x88, 0, 0, unhex(t, "D3173A1F")))
				return
			}
			answer := x.send(0x9000, command(0x00, 0x88, 0, 0, unhex(t, "D3173A1F")))
			items, err := tlv.Parse(answer)
			if err != nil {
				t.Fatal(err)
			}
			signed := items[0].Value
			if items[0].Tag == 0x77 {
				x.absorb(answer)
				signed = x.data.Value(0x9F4B)
			}
			if body := card.recovered(t, signed, 5, unhex(t, "D3173A1F")); body[0] != 1 || body[1] != 9 || body[2] != 8 {
				t.Errorf("dynamic data %X", body[:3])
			}
		})
	}
}

// Book 2, 6.6: at both cryptograms the combined signature holds the cryptogram, and the hash over all that was said.
func TestCombined(t *testing.T) {
	x := insert(t, "cda-online")
	x.read(visa)
	_, card, _ := chain(t, x)
	said := x.fill(0x9F38)
	for _, row := range []struct {
		p1   byte
		list tlv.Tag
		want byte
	}{{arqc | 0x10, 0x8C, arqc}, {tc | 0x10, 0x8D, tc}} {
		x.data.Put(0x8A, []byte("00"))
		said = append(said, x.fill(row.list)...)
		r := x.send(0x9000, command(0x80, 0xAE, row.p1, 0, x.fill(row.list)))
		x.absorb(r)
		items, err := tlv.Parse(r)
		if err != nil || items[0].Tag != 0x77 {
			t.Fatalf("answer %X", r)
		}
		inner, err := tlv.Parse(items[0].Value)
		if err != nil {
			t.Fatal(err)
		}
		hashed := bytes.Clone(said)
		for _, it := range inner {
			if it.Tag != 0x9F4B {
				hashed = tlv.Append(hashed, it.Tag, it.Value)
			}
			if it.Tag == 0x9F26 {
				t.Error("the cryptogram stands outside the signature too")
			}
		}
		body := card.recovered(t, x.data.Value(0x9F4B), 5, x.data.Value(0x9F37))
		sum := sha1.Sum(hashed) //nolint:gosec // EMV signs with it
		if body[1] != 38 || body[11] != row.want || !bytes.Equal(body[20:40], sum[:]) {
			t.Fatalf("dynamic data %X", body[:40])
		}
		x.data.Put(0x9F26, body[12:20])
		if err := x.issuer().Verify(x.data); err != nil {
			t.Fatal(err)
		}
	}
	declines := insert(t, "cda-declines")
	declines.read(visa)
	declines.send(0x9000, command(0x80, 0xAE, tc|0x10, 0, declines.fill(0x8C)))
	declines = insert(t, "cda-declines")
	declines.read(visa)
	declines.wants(declines.ask(tc|0x10, 0x8C), aac)
	if declines.data.Has(0x9F4B) || !declines.data.Has(0x9F26) {
		t.Error("a refusal with a signature")
	}
}

// What a profile may not say of keys.
func TestRSARefused(t *testing.T) {
	base := "like = \"oda-cda\"\nname = \"x\"\n[[application]]\n"
	for _, row := range []struct{ text, says string }{
		{"[application.rsa]\nauthority = 1", "test key"},
		{"[application.rsa]\nissuer = \"mine\"", "mine"},
		{"[application.rsa]\ncard = \"issuer-1976\"", "too long"},
		{"[application.rsa]\nissuer_serial = \"01\"", "issuer_serial"},
		{"[application.rsa]\ndefects = [\"issuer smell\"]", "issuer smell"},
		{"[application.rsa]\nsfi = 2", "file 2"},
		{"[application.rsa]\nsfi = 44", "sfi"},
		{"pin = \"12\"", "pin"},
		{"pin = \"12x4\"", "pin"},
		{"pin = \"1234\"\npin_tries = 4", "pin_tries"},
		{"[application.key]\nimk_smi = \"00\"", "imk_smi"},
		{"[application.key]\nscript_mac = 4", "imk_smi"},
		{"[application.data]\n\"5\" = \"00\"", "data"},
		{"[application.tamper]\n\"9F4A\" = \"zz\"", "hex"},
		{"like = \"platinum\"", "platinum"},
		{"smell = 1", "smell"},
	} {
		_, err := emulator.ParseProfile([]byte(base + row.text))
		if !errors.Is(err, emulator.ErrProfile) || !strings.Contains(err.Error(), row.says) {
			t.Errorf("%s: %v", row.text, err)
		}
	}
}
