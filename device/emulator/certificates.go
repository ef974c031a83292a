package emulator

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // EMV signs with it
	"fmt"
	"maps"
	"slices"
	"strings"

	"tillway/emv/tlv"
)

// RSA is what a card has for offline data authentication: a chain of test keys from a certification authority's down. All
// certificates and signatures are computed when the card is first selected (Book 2, 5 and 6), over the records that
// have oda, and written into records of a file of their own behind the others.
type RSA struct {
	Authority byte   `toml:"authority"` // 8F: E0 (1984 bits), E1 (1408), E2 (1152), E3 (expired), E4 (in no key file)
	Issuer    string `toml:"issuer"`    // issuer-1976, issuer-1408, issuer-1152, issuer-1024
	Card      string `toml:"card"`      // card-1640, card-1152, card-1024, card-768; empty: no card key, and so SDA only
	PIN       string `toml:"pin"`       // a key of its own for offline PINs, pin-1024; empty: the card's is used
	SDA       bool   `toml:"sda"`       // tag 93 is there
	SFI       byte   `toml:"sfi"`       // of the records with all this; 0: 4

	IssuerID     Hex `toml:"issuer_id"`     // 4 bytes; empty: six digits of the account number, and F
	IssuerSerial Hex `toml:"issuer_serial"` // 3 bytes; empty: 000001. 0BAD01 is revoked in the key file
	IssuerExpiry Hex `toml:"issuer_expiry"` // MMYY; empty: 1230
	CardExpiry   Hex `toml:"card_expiry"`   // MMYY; empty: 1230
	PINExpiry    Hex `toml:"pin_expiry"`    // MMYY; empty: 1230
	CardPAN      Hex `toml:"card_pan"`      // in the card's certificates; empty: the account number

	// Objects stand beside the certificates in the first of their records: 9F49, 9F4A.
	Objects map[string]Hex `toml:"objects"`
	// Defects are words like "issuer hash", of what and where: issuer, card, pin, static (93), dynamic (9F4B) and header,
	// format, hash, trailer, algorithm, key algorithm, length; "dynamic cid", "dynamic data" and "dynamic number" besides.
	Defects []string `toml:"defects"`
}

const (
	tagIssuerCertificate = tlv.Tag(0x90)
	tagIssuerRemainder   = tlv.Tag(0x92)
	tagSSAD              = tlv.Tag(0x93)
	tagAuthorityIndex    = tlv.Tag(0x8F)
	tagPINCertificate    = tlv.Tag(0x9F2D)
	tagPINExponent       = tlv.Tag(0x9F2E)
	tagPINRemainder      = tlv.Tag(0x9F2F)
	tagIssuerExponent    = tlv.Tag(0x9F32)
	tagCardCertificate   = tlv.Tag(0x9F46)
	tagCardExponent      = tlv.Tag(0x9F47)
	tagCardRemainder     = tlv.Tag(0x9F48)
	tagDDOL              = tlv.Tag(0x9F49)
	tagSDATagList        = tlv.Tag(0x9F4A)
	tagSDAD              = tlv.Tag(0x9F4B)
)

// maxCardModulus lets a combined signature and the rest of its answer fit one response (Book 2, D).
const maxCardModulus = 205

// The formats of what is signed (Book 2, 5 and 6).
const (
	formatIssuer  = 0x02
	formatStatic  = 0x03
	formatCard    = 0x04
	formatDynamic = 0x05
)

// signer is a card's keys and what it does wrong with them.
type signer struct {
	RSA
	authority, issuer, card, pin *rsaKey
	defects                      map[string]bool
	pan                          string
}

var defectWords = []string{"header", "format", "hash", "trailer", "algorithm", "key algorithm", "length"}

func newSigner(r *RSA, pan string) (*signer, error) {
	s := &signer{RSA: *r, defects: map[string]bool{}, pan: pan}
	if s.SFI == 0 {
		s.SFI = 4
	}
	var err error
	for _, k := range []struct {
		name string
		key  **rsaKey
		must bool
	}{{authorities[r.Authority], &s.authority, true}, {r.Issuer, &s.issuer, true}, {r.Card, &s.card, false}, {r.PIN, &s.pin, false}} {
		if k.name == "" && !k.must {
			continue
		}
		if *k.key, err = rsaKeyNamed(k.name); err != nil {
			return nil, err
		}
	}
	if s.card != nil && len(s.card.modulus) > maxCardModulus {
		return nil, fmt.Errorf("%w: rsa: card key %q is too long for the answer to GENERATE AC", ErrProfile, r.Card)
	}
	if s.IssuerID == nil {
		s.IssuerID = []byte{digitPair(pan, 0), digitPair(pan, 2), digitPair(pan, 4), 0xFF}
	}
	if s.CardPAN == nil {
		for i := range 10 {
			s.CardPAN = append(s.CardPAN, digitPair(pan, 2*i))
		}
	}
	for _, f := range []struct {
		name  string
		value *Hex
		or    []byte
	}{
		{"issuer_id", &s.IssuerID, make([]byte, 4)},
		{"issuer_serial", &s.IssuerSerial, []byte{0, 0, 1}},
		{"issuer_expiry", &s.IssuerExpiry, []byte{0x12, 0x30}},
		{"card_expiry", &s.CardExpiry, []byte{0x12, 0x30}},
		{"pin_expiry", &s.PINExpiry, []byte{0x12, 0x30}},
		{"card_pan", &s.CardPAN, make([]byte, 10)},
	} {
		if *f.value == nil {
			*f.value = f.or
		}
		if len(*f.value) != len(f.or) {
			return nil, fmt.Errorf("%w: rsa: %s has %d bytes, %d are wanted", ErrProfile, f.name, len(*f.value), len(f.or))
		}
	}
	return s, s.readDefects()
}

func (s *signer) readDefects() error {
	for _, d := range s.Defects {
		what, where, _ := strings.Cut(d, " ")
		known := slices.Contains([]string{"issuer", "card", "pin", "static", "dynamic"}, what) && slices.Contains(defectWords, where) ||
			slices.Contains([]string{"dynamic cid", "dynamic data", "dynamic number"}, d)
		if !known {
			return fmt.Errorf("%w: rsa: no defect %q", ErrProfile, d)
		}
		s.defects[d] = true
	}
	return nil
}

// digitPair is two digits of the account number, packed; F where it has ended.
func digitPair(pan string, i int) byte {
	nibble := func(i int) byte {
		if i < len(pan) {
			return pan[i] - '0'
		}
		return 0x0F
	}
	return nibble(i)<<4 | nibble(i+1)
}

// sign writes 6A, format, body, hash and BC under a key; hashed is what the hash covers beside format and body (Book 2,
// A2.1.1).
func (s *signer) sign(what string, k *rsaKey, format byte, body, hashed []byte) []byte {
	bad := func(word string) bool { return s.defects[what+" "+word] }
	message := append([]byte{format}, body...)
	if bad("format") {
		message[0] ^= 0x10
	}
	sum := sha1.Sum(slices.Concat(message, hashed)) //nolint:gosec // EMV signs with it
	if bad("hash") {
		sum[19] ^= 1
	}
	header, trailer := byte(0x6A), byte(0xBC)
	if bad("header") {
		header = 0x6B
	}
	if bad("trailer") {
		trailer = 0xCC
	}
	signed := k.private(slices.Concat([]byte{header}, message, sum[:], []byte{trailer}))
	if bad("length") {
		return signed[:len(signed)-1]
	}
	return signed
}

func (s *signer) hashAlgorithm(what string) byte {
	if s.defects[what+" algorithm"] {
		return 0x02
	}
	return 0x01
}

// certify signs a public key: tables 2 and 12 of Book 2 without header and trailer. more is the static data to be authenticated, in
// the card's certificate.
func (s *signer) certify(what string, by, key *rsaKey, format byte, identifier, expiry, more []byte) (certificate, remainder []byte) {
	serial := s.IssuerSerial
	if format == formatCard {
		serial = []byte{0, 0, 2}
	}
	algorithm := byte(0x01)
	if s.defects[what+" key algorithm"] {
		algorithm = 0x02
	}
	n := byte(len(key.modulus))                                                                                             //nolint:gosec // at most 248
	body := slices.Concat(identifier, expiry, serial, []byte{s.hashAlgorithm(what), algorithm, n, byte(len(key.exponent))}) //nolint:gosec // 1 or 3
	room := len(by.modulus) - 22 - 1 - len(body)
	field := key.modulus[:min(room, len(key.modulus))]
	remainder = key.modulus[len(field):]
	body = append(append(body, field...), bytes.Repeat([]byte{0xBB}, room-len(field))...)
	return s.sign(what, by, format, body, slices.Concat(remainder, key.exponent, more)), remainder
}

// records are the file with the certificates. static is the static data to be authenticated (Book 3, 10.3); blank gives
// the same lengths without the arithmetic.
func (s *signer) records(static []byte, blank bool) []Record {
	if blank {
		return s.blank()
	}
	issuer, issuerRest := s.certify("issuer", s.authority, s.issuer, formatIssuer, s.IssuerID, s.IssuerExpiry, nil)
	var ssad, card, cardRest, pin, pinRest []byte
	if s.SDA {
		room := len(s.issuer.modulus) - 22 - 4
		body := append([]byte{s.hashAlgorithm("static"), 0xDA, 0xC0}, bytes.Repeat([]byte{0xBB}, room)...)
		ssad = s.sign("static", s.issuer, formatStatic, body, static)
	}
	if s.card != nil {
		card, cardRest = s.certify("card", s.issuer, s.card, formatCard, s.CardPAN, s.CardExpiry, static)
	}
	if s.pin != nil {
		pin, pinRest = s.certify("pin", s.issuer, s.pin, formatCard, s.CardPAN, s.PINExpiry, nil)
	}
	return s.written(issuer, issuerRest, ssad, card, cardRest, pin, pinRest)
}

// blank is records with zeros in place of what is signed.
func (s *signer) blank() []Record {
	zeros := func(there bool) []byte {
		if !there {
			return nil
		}
		return make([]byte, len(s.issuer.modulus))
	}
	rest := func(by, key *rsaKey, fields int) []byte {
		if key == nil {
			return nil
		}
		return make([]byte, max(0, len(key.modulus)-len(by.modulus)+fields))
	}
	return s.written(make([]byte, len(s.authority.modulus)), rest(s.authority, s.issuer, 36),
		zeros(s.SDA), zeros(s.card != nil), rest(s.issuer, s.card, 42), zeros(s.pin != nil), rest(s.issuer, s.pin, 42))
}

// written puts the objects into records, none longer than a record may be.
func (s *signer) written(issuer, issuerRest, ssad, card, cardRest, pin, pinRest []byte) []Record {
	first := map[string]Hex{tagAuthorityIndex.String(): {s.Authority}, tagIssuerExponent.String(): s.issuer.exponent}
	maps.Copy(first, s.Objects)
	put := func(tag tlv.Tag, v []byte) {
		if len(v) > 0 {
			first[tag.String()] = v
		}
	}
	put(tagIssuerRemainder, issuerRest)
	put(tagCardRemainder, cardRest)
	if s.card != nil {
		put(tagCardExponent, s.card.exponent)
	}
	put(tagPINRemainder, pinRest)
	if s.pin != nil {
		put(tagPINExponent, s.pin.exponent)
	}
	out := []Record{{SFI: s.SFI, Data: first}}
	for _, o := range []struct {
		tag   tlv.Tag
		value []byte
	}{{tagIssuerCertificate, issuer}, {tagSSAD, ssad}, {tagCardCertificate, card}, {tagPINCertificate, pin}} {
		if o.value != nil {
			out = append(out, Record{SFI: s.SFI, Data: map[string]Hex{o.tag.String(): o.value}})
		}
	}
	return out
}

// static is the static data to be authenticated: of the records with oda those of files 1 to 10 without the template, the
// others whole, and behind them the AIP where tag 9F4A asks for it (Book 3, 10.3).
func (a *application) static() []byte {
	var b []byte
	seen := map[byte]int{}
	for e := 0; e+4 <= len(a.afl); e += 4 {
		sfi := a.afl[e] >> 3
		for range a.afl[e+3] {
			record := a.files[sfi][seen[sfi]]
			seen[sfi]++
			items, err := tlv.Parse(record)
			if sfi <= 10 && err == nil && len(items) == 1 && items[0].Tag == tagRecord {
				record = items[0].Value
			}
			b = append(b, record...)
		}
	}
	if bytes.Equal(a.signer.Objects[tagSDATagList.String()], []byte{byte(tagAIP)}) {
		b = append(b, a.AIP...)
	}
	return b
}
