package magstripe

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// Track2 is track 2, parsed. However it is printed, logged or marshalled, it shows the masked account number alone.
type Track2 struct{ card }

// ParseTrack2 reads exactly one track 2: ;, account number, =, expiry, service code, discretionary data, ?, and the check character
// where the reader gives it. Errors: ErrTrack, ErrLRC.
func ParseTrack2(text string) (Track2, error) {
	body, err := frame(text, ';', '0', '?', MaxTrack2)
	if err != nil {
		return Track2{}, fmt.Errorf("track 2: %w", err)
	}
	number, rest, ok := strings.Cut(body, "=")
	if !ok {
		return Track2{}, fmt.Errorf("track 2: %w: it has no separator", ErrTrack)
	}
	var t Track2
	err = t.number(number)
	if err == nil {
		rest, err = t.country(rest)
	}
	if err == nil {
		err = t.fields(rest, '=')
	}
	if err == nil && !numeric(t.rest) {
		err = fmt.Errorf("%w: discretionary data that is not digits", ErrTrack)
	}
	if err != nil {
		return Track2{}, fmt.Errorf("track 2: %w", err)
	}
	return t, nil
}

// FromTag57 reads track 2 equivalent data as a chip has it (EMV Book 3, Annex A: D for the separator, F to fill up). Errors:
// ErrTrack.
func FromTag57(value []byte) (Track2, error) {
	digits := strings.TrimSuffix(strings.ToUpper(hex.EncodeToString(value)), "F")
	if strings.ContainsAny(digits, "ABCEF") {
		return Track2{}, fmt.Errorf("track 2: %w: a digit that it cannot have", ErrTrack)
	}
	return ParseTrack2(";" + strings.ReplaceAll(digits, "D", "=") + "?")
}

// IsZero says that there is no track 2.
func (t Track2) IsZero() bool { return t.pan == "" }

// Clear is the track from start to end sentinel.
func (t Track2) Clear() string {
	if t.IsZero() {
		return ""
	}
	return ";" + t.pan + "=" + t.land + t.tail("=") + "?"
}

// Tag57 is the track as tag 57 and DE 35 have it: digits two a byte, D for the separator, F to fill up. It is clear card data.
func (t Track2) Tag57() []byte {
	digits := strings.ReplaceAll(strings.Trim(t.Clear(), ";?"), "=", "D")
	if len(digits)%2 == 1 {
		digits += "F"
	}
	out, err := hex.DecodeString(digits)
	if err != nil {
		panic("magstripe: a parsed track with characters that are none: " + err.Error())
	}
	return out
}
