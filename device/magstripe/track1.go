package magstripe

import (
	"fmt"
	"strings"
)

// Track1 is track 1 in format B, parsed. However it is printed, logged or marshalled, it shows the masked account number alone.
type Track1 struct {
	card
	name string
}

// ParseTrack1 reads exactly one track 1: %, B, account number, ^, name, ^, expiry, service code, discretionary data, ?, and the check
// character where the reader gives it. Errors: ErrTrack, ErrLRC.
func ParseTrack1(text string) (Track1, error) {
	body, err := frame(text, '%', ' ', '_', MaxTrack1)
	if err != nil {
		return Track1{}, fmt.Errorf("track 1: %w", err)
	}
	body, ok := strings.CutPrefix(body, "B")
	if !ok {
		return Track1{}, fmt.Errorf("track 1: %w: its format is not B", ErrTrack)
	}
	parts := strings.SplitN(body, "^", 3)
	if len(parts) != 3 {
		return Track1{}, fmt.Errorf("track 1: %w: it has no two separators", ErrTrack)
	}
	var t Track1
	err = t.number(parts[0])
	if err == nil {
		t.name, err = t.country(parts[1])
	}
	if err == nil && (len(t.name) < minName || len(t.name) > maxName || strings.ContainsAny(t.name, "%")) {
		err = fmt.Errorf("%w: name of %d characters", ErrTrack, len(t.name))
	}
	if err == nil {
		err = t.fields(parts[2], '^')
	}
	if err == nil && strings.ContainsAny(t.rest, "^%") {
		err = fmt.Errorf("%w: a separator in the discretionary data", ErrTrack)
	}
	if err != nil {
		return Track1{}, fmt.Errorf("track 1: %w", err)
	}
	return t, nil
}

// Name is the cardholder's name as the issuer wrote it, surname first ("DOE/JANE"). It is card data.
func (t Track1) Name() string { return strings.TrimRight(t.name, " ") }

// IsZero says that there is no track 1.
func (t Track1) IsZero() bool { return t.pan == "" }

// Clear is the track from start to end sentinel.
func (t Track1) Clear() string {
	if t.IsZero() {
		return ""
	}
	return "%B" + t.pan + "^" + t.land + t.name + "^" + t.tail("^") + "?"
}
