package emv

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

// ErrPAN says that a primary account number is not 8 to 19 digits.
var ErrPAN = errors.New("not a primary account number")

// PAN is a clear primary account number. It masks itself wherever it is printed, logged or marshalled; Clear is the one
// way to the digits, and is called only where they go to the host, a key derivation or the secure module.
type PAN struct{ digits string }

// NewPAN checks 8 to 19 digits. Luhn is not checked: not every issuer keeps it. Error: ErrPAN.
func NewPAN(digits string) (PAN, error) {
	if len(digits) < 8 || len(digits) > 19 || strings.Trim(digits, "0123456789") != "" {
		return PAN{}, fmt.Errorf("%d characters: %w", len(digits), ErrPAN)
	}
	return PAN{digits}, nil
}

// Clear is the digits themselves.
func (p PAN) Clear() string { return p.digits }

// IsZero says that there is no PAN.
func (p PAN) IsZero() bool { return p.digits == "" }

// Masked is the first six and last four with stars between, for journal and log ("476134******0050"); for fewer than
// 14 digits, only the last four. The receipt shows only the last four.
func (p PAN) Masked() string {
	n := len(p.digits)
	switch {
	case n == 0:
		return ""
	case n < 14:
		return strings.Repeat("*", n-4) + p.digits[n-4:]
	}
	return p.digits[:6] + strings.Repeat("*", n-10) + p.digits[n-4:]
}

// Last4 is the last four digits.
func (p PAN) Last4() string { return p.digits[max(0, len(p.digits)-4):] }

func (p PAN) String() string { return p.Masked() }

// GoString keeps %#v from printing the digits.
func (p PAN) GoString() string { return p.Masked() }

// Format keeps every verb (%x, %d, %+v, …) from printing the digits.
func (p PAN) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(p.Masked())) }

// LogValue masks in log/slog.
func (p PAN) LogValue() slog.Value { return slog.StringValue(p.Masked()) }

// MarshalText masks in JSON and TOML.
func (p PAN) MarshalText() ([]byte, error) { return []byte(p.Masked()), nil }

// Track2 is clear track 2 equivalent data: digits and one D, without filler ("4761340000000050D1712201…"). It masks
// itself as PAN does.
type Track2 struct{ digits string }

// NewTrack2 reads tag 57 (Book 3, Annex A: PAN, D, expiry YYMM, service code, discretionary data, F if odd). It
// returns ErrPAN when no PAN stands before the separator.
func NewTrack2(tag57 []byte) (Track2, error) {
	s := strings.TrimSuffix(strings.ToUpper(fmt.Sprintf("%x", tag57)), "F")
	pan, rest, ok := strings.Cut(s, "D")
	if _, err := NewPAN(pan); err != nil || !ok || len(s) > 37 || strings.Trim(rest, "0123456789") != "" {
		return Track2{}, fmt.Errorf("track 2 of %d bytes: %w", len(tag57), ErrPAN)
	}
	return Track2{s}, nil
}

// Clear is PAN, D and the rest, at most 37 characters.
func (t Track2) Clear() string { return t.digits }

// IsZero says that there is no track.
func (t Track2) IsZero() bool { return t.digits == "" }

// PAN is the account number before the separator.
func (t Track2) PAN() PAN {
	pan, _, _ := strings.Cut(t.digits, "D")
	return PAN{pan}
}

// Expiry is YYMM behind the separator, or empty.
func (t Track2) Expiry() string {
	_, rest, _ := strings.Cut(t.digits, "D")
	if len(rest) < 4 {
		return ""
	}
	return rest[:4]
}

func (t Track2) String() string {
	if t.IsZero() {
		return ""
	}
	return t.PAN().Masked() + "D***"
}

// GoString keeps %#v from printing the digits.
func (t Track2) GoString() string { return t.String() }

// Format keeps every verb from printing the digits.
func (t Track2) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(t.String())) }

// LogValue masks in log/slog.
func (t Track2) LogValue() slog.Value { return slog.StringValue(t.String()) }

// MarshalText masks in JSON and TOML.
func (t Track2) MarshalText() ([]byte, error) { return []byte(t.String()), nil }
