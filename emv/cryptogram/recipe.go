package cryptogram

import (
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"

	"tillway/emv"
	"tillway/emv/tlv"
)

// What Verify and Answer refuse.
var (
	ErrCryptogram = errors.New("cryptogram is not the card's")
	ErrVersion    = errors.New("cryptogram version without a recipe")
	ErrMissing    = errors.New("data object missing or of a wrong length")
	ErrIssuer     = errors.New("issuer authentication data is not the issuer's")
)

// Version is a cryptogram version number out of the issuer application data (tag 9F10): its third byte in the form that
// starts with 06, its second in the form that starts with 1F.
type Version byte

// The versions with a recipe.
const (
	Version10 Version = 0x0A // the card's key itself, zeros as padding, ARPC method 1
	Version18 Version = 0x12 // common session key, padding 80, ARPC method 2
	Version22 Version = 0x22 // as version 18, over issuer application data of 32 bytes
)

// element is a data object that goes into a cryptogram, and its length in bytes.
type element struct {
	tag    tlv.Tag
	length int
}

// elements are what both recipes take, in this order; the card's own part follows (Book 2, 8.1.1, Table 26 names the
// minimum set).
var elements = [...]element{
	{emv.TagAmountAuthorised, 6},
	{emv.TagAmountOther, 6},
	{emv.TagTerminalCountryCode, 2},
	{emv.TagTVR, 5},
	{emv.TagTransactionCurrencyCode, 2},
	{emv.TagTransactionDate, 3},
	{emv.TagTransactionType, 1},
	{emv.TagUnpredictableNumber, 4},
	{emv.TagAIP, 2},
	{emv.TagATC, 2},
}

// VersionOf reads the cryptogram version number out of tag 9F10. It is ErrMissing where that is neither of the form 06, key
// index, version, four bytes of card verification results, nor of the form 1F, version and thirty bytes more; and
// ErrVersion where there is no recipe for it.
func VersionOf(iad []byte) (Version, error) {
	if len(iad) == 32 && iad[0] == 0x1F {
		if Version(iad[1]) != Version22 {
			return 0, fmt.Errorf("version %d: %w", iad[1], ErrVersion)
		}
		return Version22, nil
	}
	if len(iad) < 7 || len(iad) > 32 || iad[0] != 6 {
		return 0, fmt.Errorf("issuer application data of %d bytes: %w", len(iad), ErrMissing)
	}
	switch v := Version(iad[2]); v {
	case Version10, Version18:
		return v, nil
	default:
		return 0, fmt.Errorf("version %d: %w", iad[2], ErrVersion)
	}
}

// Input concatenates the data of the cryptogram as the version in 9F10 wants them: the elements, then the card
// verification results (version 10) or all of 9F10 (versions 18 and 22). Errors: ErrMissing, ErrVersion.
// Reads: 9F02, 9F03, 9F1A, 95, 5F2A, 9A, 9C, 9F37, 82, 9F36, 9F10.
func Input(d emv.Data) ([]byte, Version, error) {
	iad := d.Value(emv.TagIssuerApplicationData)
	v, err := VersionOf(iad)
	if err != nil {
		return nil, 0, err
	}
	in := make([]byte, 0, 64)
	for _, e := range elements {
		value, _ := d.Get(e.tag)
		if len(value) != e.length {
			return nil, 0, fmt.Errorf("tag %s with %d bytes in place of %d: %w", e.tag, len(value), e.length, ErrMissing)
		}
		in = append(in, value...)
	}
	if v == Version10 {
		return append(in, iad[3:7]...), v, nil
	}
	return append(in, iad...), v, nil
}

// Keys is one card's key for application cryptograms, as the card has it and the issuer derives it. It shows itself as
// "card key" in every format.
type Keys struct{ mk []byte }

// ForCard derives a card's key from the issuer master key of 16 bytes (MasterKey). Error: ErrInput.
func ForCard(imk []byte, pan, psn string) (Keys, error) {
	mk, err := MasterKey(imk, pan, psn)
	return Keys{mk}, err
}

// Format keeps every verb from printing the key.
func (k Keys) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte("card key")) }

// MarshalText keeps the key out of JSON.
func (k Keys) MarshalText() ([]byte, error) { return []byte("card key"), nil }

// session is the key that makes this transaction's cryptograms.
func (k Keys) session(v Version, d emv.Data) ([]byte, error) {
	if v == Version10 {
		return k.mk, nil
	}
	atc := d.Value(emv.TagATC)
	if len(atc) != 2 {
		return nil, fmt.Errorf("tag 9F36: %w", ErrMissing)
	}
	return SessionKey(k.mk, binary.BigEndian.Uint16(atc))
}

// Compute makes the cryptogram over the data by the recipe of the version in 9F10; it is an ARQC, TC or AAC as the data
// say. Errors: ErrMissing, ErrVersion. Reads: what Input reads.
func (k Keys) Compute(d emv.Data) ([8]byte, error) {
	in, v, err := Input(d)
	if err != nil {
		return [8]byte{}, err
	}
	key, err := k.session(v, d)
	if err != nil {
		return [8]byte{}, err
	}
	pad := Pad80
	if v == Version10 {
		pad = PadZeros
	}
	return AC(key, in, pad)
}

// Verify says whether tag 9F26 is this card's cryptogram over the data: nil when it is, else ErrCryptogram, ErrMissing or
// ErrVersion. Reads: 9F26 and what Input reads.
func (k Keys) Verify(d emv.Data) error {
	want, err := k.Compute(d)
	if err != nil {
		return err
	}
	got := d.Value(emv.TagApplicationCryptogram)
	if len(got) != len(want) {
		return fmt.Errorf("tag 9F26 of %d bytes: %w", len(got), ErrMissing)
	}
	if subtle.ConstantTimeCompare(got, want[:]) != 1 {
		return ErrCryptogram
	}
	return nil
}

// arqc reads tag 9F26.
func arqc(d emv.Data) ([8]byte, error) {
	b := d.Value(emv.TagApplicationCryptogram)
	if len(b) != 8 {
		return [8]byte{}, fmt.Errorf("tag 9F26 of %d bytes: %w", len(b), ErrMissing)
	}
	return [8]byte(b), nil
}

// Reply is what the issuer tells the card: the authorisation response code for version 10, the card status update for
// versions 18 and 22. The other one is not used.
type Reply struct {
	ARC [2]byte
	CSU [4]byte
}

// Answer builds the value of tag 91 for the ARQC in 9F26: ARPC by method 1 and response code (version 10, ten bytes), or
// ARPC by method 2 and card status update (versions 18 and 22, eight bytes). It does not verify the ARQC: call Verify first.
// Errors: ErrMissing, ErrVersion. Reads: 9F10, 9F26, 9F36.
func (k Keys) Answer(d emv.Data, r Reply) ([]byte, error) {
	v, err := VersionOf(d.Value(emv.TagIssuerApplicationData))
	if err != nil {
		return nil, err
	}
	q, err := arqc(d)
	if err != nil {
		return nil, err
	}
	key, err := k.session(v, d)
	if err != nil {
		return nil, err
	}
	if v == Version10 {
		p, err := ARPC1(key, q, r.ARC)
		return append(p[:], r.ARC[:]...), err
	}
	p, err := ARPC2(key, q, r.CSU, nil)
	return append(p[:], r.CSU[:]...), err
}

// CheckAnswer is the card's side of Answer: it says whether the value of tag 91 was made by this card's issuer for the
// ARQC in 9F26, and what it tells the card. Errors: ErrIssuer, ErrMissing, ErrVersion. Reads: 9F10, 9F26, 9F36.
func (k Keys) CheckAnswer(d emv.Data, issuerAuthenticationData []byte) (Reply, error) {
	v, err := VersionOf(d.Value(emv.TagIssuerApplicationData))
	if err != nil {
		return Reply{}, err
	}
	var r Reply
	switch {
	case v == Version10 && len(issuerAuthenticationData) == 10:
		r.ARC = [2]byte(issuerAuthenticationData[8:])
	case v != Version10 && len(issuerAuthenticationData) == 8:
		r.CSU = [4]byte(issuerAuthenticationData[4:])
	default:
		return Reply{}, fmt.Errorf("tag 91 of %d bytes: %w", len(issuerAuthenticationData), ErrIssuer)
	}
	want, err := k.Answer(d, r)
	if err != nil {
		return Reply{}, err
	}
	if subtle.ConstantTimeCompare(want, issuerAuthenticationData) != 1 {
		return Reply{}, ErrIssuer
	}
	return r, nil
}
