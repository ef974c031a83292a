package nexo

import (
	"encoding/json"
	"math/big"

	"tillway/money"
)

// Bounds of a number's text: a double that is printed whole has fewer digits, and an exponent beyond this is no amount of money.
const (
	maxNumber   = 64
	maxExponent = 40
)

// nearly is how far a number may be from a whole minor unit, in major units: 0.1+0.2 arrives as 0.30000000000000004 from a till that
// computes with doubles. A tie between two minor units is always further away, so that rounding never has to choose.
func nearly() *big.Rat { return big.NewRat(1, 1_000_000) }

// minorOf reads an amount in major units, like 12.345, into minor units of a currency. The error is a failure of the message's format.
func minorOf(n json.Number, field string, c money.Currency) (int64, error) {
	text := n.String()
	if !plainNumber(text) {
		return 0, badField(field, "is no amount")
	}
	value, ok := new(big.Rat).SetString(text)
	if !ok {
		return 0, badField(field, "is no amount")
	}
	unit := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(c.Exponent)), nil))
	scaled := new(big.Rat).Mul(value, unit)
	half := new(big.Rat).Add(scaled, big.NewRat(1, 2))
	whole := new(big.Int).Div(half.Num(), half.Denom()) // Euclid's: the floor, for a divisor above zero
	off := new(big.Rat).Sub(scaled, new(big.Rat).SetInt(whole))
	if off.Abs(off).Cmp(new(big.Rat).Mul(nearly(), unit)) > 0 {
		return 0, badField(field, "has more decimals than "+c.Code)
	}
	if whole.Sign() < 0 || !whole.IsInt64() || whole.Int64() > money.MaxMinor {
		return 0, badField(field, "is out of range")
	}
	return whole.Int64(), nil
}

// plainNumber says that a text is a JSON number of bounded length and exponent.
func plainNumber(s string) bool {
	if s == "" || len(s) > maxNumber {
		return false
	}
	exponent, digits := 0, 0
	for i := range len(s) {
		switch c := s[i]; {
		case c == 'e' || c == 'E':
			for _, d := range []byte(s[i+1:]) {
				if d >= '0' && d <= '9' {
					exponent = min(exponent*10+int(d-'0'), maxExponent+1)
				}
			}
			return digits > 0 && exponent <= maxExponent
		case c >= '0' && c <= '9':
			digits++
		case c != '.' && c != '-' && c != '+':
			return false
		}
	}
	return digits > 0
}

// major is an amount as a message has it: a number with all the currency's decimals, written from its digits.
func major(a money.Amount) json.Number { return json.Number(a.String()) }
