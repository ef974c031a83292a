package ledger

import (
	"errors"
	"fmt"

	"tillway/money"
)

// ErrFee says that a table of fees cannot be used.
var ErrFee = errors.New("table of fees")

// Fee is one row of what a merchant pays for a sale. The row with the card's brand (else the one without a brand) and the
// highest From that the amount reaches counts.
type Fee struct {
	Brand       string // "visa", "mastercard" and so on, as Brand says it; empty: every brand that has no row of its own
	From        int64  // smallest amount in minor units
	BasisPoints int64  // 0 to 10000: hundredths of a per cent
	Fixed       int64  // minor units, added after rounding
}

// CheckFees says why a table cannot be used. Error: ErrFee.
func CheckFees(table []Fee) error {
	type place struct {
		brand string
		from  int64
	}
	seen := map[place]bool{}
	for i, f := range table {
		at := place{f.Brand, f.From}
		switch {
		case f.BasisPoints < 0 || f.BasisPoints > 10_000:
			return fmt.Errorf("%w: row %d: basis points are 0 to 10000", ErrFee, i+1)
		case f.Fixed < 0 || f.Fixed > money.MaxMinor || f.From < 0 || f.From > money.MaxMinor:
			return fmt.Errorf("%w: row %d: fixed part and smallest amount are 0 to %d", ErrFee, i+1, int64(money.MaxMinor))
		case seen[at]:
			return fmt.Errorf("%w: row %d: brand %q from %d is there twice", ErrFee, i+1, f.Brand, f.From)
		}
		seen[at] = true
	}
	return nil
}

// FeeOf is the fee on one sale in minor units: the hundredths of a per cent rounded half up to a whole minor unit, then the
// fixed part, and never more than the amount itself. Without a row that fits there is none. minor is 0 to money.MaxMinor.
func FeeOf(table []Fee, brand string, minor int64) int64 {
	var row *Fee
	for i := range table {
		f := &table[i]
		if minor < f.From || (f.Brand != "" && f.Brand != brand) {
			continue
		}
		if row == nil || (f.Brand != "" && row.Brand == "") || (f.Brand == row.Brand && f.From > row.From) {
			row = f
		}
	}
	if row == nil {
		return 0
	}
	return min(minor, (minor*row.BasisPoints+5_000)/10_000+row.Fixed) // sixteen digits: far from the end of 64 bits
}

// Brand is the card scheme of a number by its first digits (ISO/IEC 7812: the issuer identification number), or "other".
func Brand(number string) string {
	lead := func(n int) int {
		v := 0
		for i := range n {
			if i >= len(number) || number[i] < '0' || number[i] > '9' {
				return -1
			}
			v = v*10 + int(number[i]-'0')
		}
		return v
	}
	two, four := lead(2), lead(4)
	switch {
	case lead(1) == 4:
		return "visa"
	case two >= 51 && two <= 55, four >= 2221 && four <= 2720:
		return "mastercard"
	case two == 34, two == 37:
		return "amex"
	case four >= 3528 && four <= 3589:
		return "jcb"
	case two == 62:
		return "unionpay"
	case two == 36, two == 38, two == 39, two == 30:
		return "diners"
	case two == 65, four == 6011:
		return "discover"
	}
	return "other"
}
