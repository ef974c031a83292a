package contact

import (
	"bytes"

	"tillway/emv"
)

// cvmCondition says whether a rule applies (Book 3, C3). Amounts are compared as the book words it, "under" and "over": at
// the very amount neither holds, and neither does in a currency other than the application's, or when the card does not
// say which that is. A condition that is not known does not hold. The amount is cashback and all; X and Y are the card's,
// and a card that names another currency than the transaction's has set no limit in it.
func (s *session) cvmCondition(rule cvRule, x, y uint32) bool {
	var (
		amount, _  = number(s.data.Value(emv.TagAmountAuthorised))
		cash       = s.data.Value(emv.TagTransactionType)[0] == typeCash
		unattended = emv.TerminalType(s.data.Value(emv.TagTerminalType)[0]).Unattended()
		own, known = s.data.Get(emv.TagApplicationCurrencyCode)
		same       = known && bytes.Equal(own, s.data.Value(emv.TagTransactionCurrencyCode))
	)
	switch rule.condition {
	case 0x00: // always
		return true
	case 0x01: // unattended cash
		return cash && unattended
	case 0x02: // not unattended cash, not manual cash, not purchase with cashback
		return !cash && !s.cashback()
	case 0x03: // terminal supports the CVM
		return rule.recognised() && s.supports(rule)
	case 0x04: // manual cash
		return cash && !unattended
	case 0x05: // purchase with cashback
		return s.cashback()
	case 0x06: // in the application's currency, under X
		return same && amount < int64(x)
	case 0x07: // over X
		return same && amount > int64(x)
	case 0x08: // under Y
		return same && amount < int64(y)
	case 0x09: // over Y
		return same && amount > int64(y)
	}
	return false
}
