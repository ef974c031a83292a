// Package money holds amounts as integers in minor units together with their currency.
//
// An amount never exists without its currency, because the exponent gets lost between two integers: 10525 is
// KWD 10.525 and USD 105.25. There is no floating point here and no conversion between currencies.
// Sources: ISO 4217 (codes and exponents); ISO 8583:1987 DE 4 and EMV Book 3 Annex A, tag 9F02 (n 12, minor units).
package money

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// MaxMinor is the largest amount a message can carry: twelve digits (DE 4 and tag 9F02 are n 12).
const MaxMinor = 999_999_999_999

// Errors that Parse and the arithmetic return, wrapped with the text that was refused.
var (
	ErrFormat   = errors.New("not an amount")
	ErrDecimals = errors.New("too many decimals for the currency")
	ErrRange    = errors.New("amount out of range")
	ErrCurrency = errors.New("currency unknown or not the same")
)

// Currency is one row of ISO 4217: alphabetic code, numeric code and the number of decimals.
type Currency struct {
	Code     string // "KWD"
	Numeric  uint16 // 414
	Exponent int    // 3
}

// ByCode finds a currency by its alphabetic code, upper case. Error: ErrCurrency.
func ByCode(code string) (Currency, error) {
	for _, c := range currencies {
		if c.Code == code {
			return c, nil
		}
	}
	return Currency{}, fmt.Errorf("currency %q: %w", code, ErrCurrency)
}

// ByNumeric finds a currency by its ISO 4217 number (414 for KWD). Error: ErrCurrency.
func ByNumeric(numeric uint16) (Currency, error) {
	for _, c := range currencies {
		if c.Numeric == numeric {
			return c, nil
		}
	}
	return Currency{}, fmt.Errorf("currency %03d: %w", numeric, ErrCurrency)
}

// Amount is a count of minor units of one currency. The zero value has no currency and adds to nothing.
type Amount struct {
	Minor    int64
	Currency Currency
}

// New makes an amount from minor units (10525 of KWD is KWD 10.525).
func New(minor int64, c Currency) Amount { return Amount{Minor: minor, Currency: c} }

// Parse reads a decimal such as "10.525" or "5": Latin digits, a point, at most the currency's decimals, no sign,
// from 0 to MaxMinor minor units. Errors: ErrFormat, ErrDecimals, ErrRange.
func Parse(text string, c Currency) (Amount, error) {
	whole, frac, point := strings.Cut(text, ".")
	if whole == "" || (point && frac == "") || !digits(whole) || !digits(frac) {
		return Amount{}, fmt.Errorf("%q: %w: write it like %s", text, ErrFormat, example(c))
	}
	if len(frac) > c.Exponent {
		return Amount{}, fmt.Errorf("%q: %w: %s has %d", text, ErrDecimals, c.Code, c.Exponent)
	}
	whole = strings.TrimLeft(whole, "0")
	if len(whole)+c.Exponent > 12 {
		return Amount{}, fmt.Errorf("%q: %w: at most %s", text, ErrRange, New(MaxMinor, c))
	}
	n, err := strconv.ParseInt("0"+whole+frac+strings.Repeat("0", c.Exponent-len(frac)), 10, 64)
	if err != nil {
		return Amount{}, fmt.Errorf("%q: %w", text, ErrFormat)
	}
	return New(n, c), nil
}

func example(c Currency) string { return New(10_525, c).String() }

func digits(s string) bool {
	for _, r := range s {
		if r < '0' || r > '9' {
			return false
		}
	}
	return true
}

// String is the amount with all the currency's decimals and no code: "10.525".
func (a Amount) String() string {
	sign, n := "", uint64(a.Minor) //nolint:gosec // the sign is taken off in the next line
	if a.Minor < 0 {
		sign, n = "-", uint64(-(a.Minor+1))+1
	}
	s := strconv.FormatUint(n, 10)
	if e := a.Currency.Exponent; e > 0 {
		if len(s) <= e {
			s = strings.Repeat("0", e+1-len(s)) + s
		}
		s = s[:len(s)-e] + "." + s[len(s)-e:]
	}
	return sign + s
}

// Format is the amount with its currency code: "KWD 10.525".
func (a Amount) Format() string { return a.Currency.Code + " " + a.String() }

// N12 is the twelve digits of DE 4 and tag 9F02. Error: ErrRange when negative or longer.
func (a Amount) N12() (string, error) {
	if a.Minor < 0 || a.Minor > MaxMinor {
		return "", fmt.Errorf("%s: %w", a.Format(), ErrRange)
	}
	return fmt.Sprintf("%012d", a.Minor), nil
}

// Add is a plus b. Errors: ErrCurrency when they differ, ErrRange when the sum does not fit.
func (a Amount) Add(b Amount) (Amount, error) {
	if a.Currency != b.Currency {
		return Amount{}, fmt.Errorf("%s plus %s: %w", a.Format(), b.Format(), ErrCurrency)
	}
	if (b.Minor > 0 && a.Minor > math.MaxInt64-b.Minor) || (b.Minor < 0 && a.Minor < math.MinInt64-b.Minor) {
		return Amount{}, fmt.Errorf("%s plus %s: %w", a.Format(), b.Format(), ErrRange)
	}
	return New(a.Minor+b.Minor, a.Currency), nil
}

// MarshalJSON writes the code, "KWD"; of no currency "".
func (c Currency) MarshalJSON() ([]byte, error) { return json.Marshal(c.Code) }

// UnmarshalJSON reads what MarshalJSON wrote, and the object of all three that records before it hold. Error: ErrCurrency, also where the
// object is no row of ISO 4217.
func (c *Currency) UnmarshalJSON(b []byte) error {
	type row Currency
	var whole row
	var code string
	if err := json.Unmarshal(b, &code); err != nil {
		if json.Unmarshal(b, &whole) != nil {
			return fmt.Errorf("currency: %w", err)
		}
		code = whole.Code
	}
	if code == "" {
		*c = Currency{}
		return nil
	}
	found, err := ByCode(code)
	if err != nil || whole != (row{}) && found != Currency(whole) {
		return fmt.Errorf("currency %.10q: %w", code, ErrCurrency)
	}
	*c = found
	return nil
}

type wire struct {
	Minor    int64  `json:"minor"`
	Currency string `json:"currency"`
}

// MarshalJSON writes {"minor": 10525, "currency": "KWD"}.
func (a Amount) MarshalJSON() ([]byte, error) {
	return json.Marshal(wire{a.Minor, a.Currency.Code})
}

// UnmarshalJSON reads what MarshalJSON wrote; an unknown currency is refused (ErrCurrency).
func (a *Amount) UnmarshalJSON(b []byte) error {
	var w wire
	if err := json.Unmarshal(b, &w); err != nil {
		return fmt.Errorf("amount: %w", err)
	}
	if w == (wire{}) {
		*a = Amount{}
		return nil
	}
	c, err := ByCode(w.Currency)
	if err != nil {
		return err
	}
	*a = New(w.Minor, c)
	return nil
}
