package dialect

import (
	"fmt"
	"strconv"

	"tillway/money"
)

// The types of additional amounts (DE 54) that the dialects know.
const (
	AmountLedger    = "01" // balance of the account
	AmountAvailable = "02" // what of it can be spent
	AmountCash      = "40" // cash given out
	AmountOriginal  = "57" // what was asked for, where less was approved
)

// An additional amount has account type n2, amount type n2, currency n3, C or D, and amount n12; a field has six at most.
const (
	additionalLength = 20
	mostAdditional   = 6
)

// Additional writes one amount that the cardholder pays: of no account in particular, a debit.
func Additional(kind string, a money.Amount) string {
	return fmt.Sprintf("00%s%03dD%012d", kind, a.Currency.Numeric, a.Minor)
}

// ParseAdditional reads a row of additional amounts by their types, below zero for a debit; of several accounts the first is the one
// that was asked for. One in a currency that nobody knows is passed over; false where it is no such row.
func ParseAdditional(text string) (map[string]money.Amount, bool) {
	if text == "" || len(text)%additionalLength != 0 || len(text) > additionalLength*mostAdditional {
		return nil, false
	}
	out := map[string]money.Amount{}
	for ; text != ""; text = text[additionalLength:] {
		one := text[:additionalLength]
		numeric, err := strconv.ParseUint(one[4:7], 10, 16)
		minor, merr := strconv.ParseInt(one[8:], 10, 64)
		if err != nil || merr != nil || !Digits(one[:7], 7) || !Digits(one[8:], 12) || (one[7] != 'C' && one[7] != 'D') {
			return nil, false
		}
		c, err := money.ByNumeric(uint16(numeric))
		if err != nil { // of an account that we know nothing of
			continue
		}
		if one[7] == 'D' {
			minor = -minor
		}
		if _, twice := out[one[2:4]]; !twice {
			out[one[2:4]] = money.New(minor, c)
		}
	}
	return out, true
}
