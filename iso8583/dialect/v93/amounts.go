package v93

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"tillway/emv"
	"tillway/iso8583"
	"tillway/money"
	"tillway/terminal"
)

// Additional amounts (DE 54) come in twenties: account type n2, amount type n2, currency n3, C or D, amount n12.
const (
	amountLedger    = "01"
	amountAvailable = "02"
	amountCash      = "40"
	amountTip       = "44"

	oneAmount   = 20
	mostAmounts = 6
)

// setAmounts says in DE 54 what of the amount is cash that the customer gets back, and what is a tip. What the card signed as
// other amount (tag 9F03) must be that cash. What is about an earlier transaction does not repeat its parts, and of a part that the
// host has approved nobody knows whose it is.
func (d *Dialect) setAmounts(m *iso8583.Message, req terminal.Request) error {
	cash, tip := req.Cashback.Minor, req.Tip.Minor
	if req.Kind.WithoutCard() {
		return nil
	}
	if signedAmount(req) != req.Amount {
		tip = 0
	}
	if req.Kind == terminal.KindBalance && req.Amount.Minor != 0 {
		return fmt.Errorf("%w: DE 4: an amount in a balance inquiry", ErrRequest)
	}
	if (cash != 0 && req.Cashback.Currency != req.Amount.Currency) || (tip != 0 && req.Tip.Currency != req.Amount.Currency) {
		return fmt.Errorf("%w: DE 54: cash or a tip in another currency", ErrRequest)
	}
	if cash < 0 || tip < 0 || cash > req.Amount.Minor || tip > req.Amount.Minor-cash {
		return fmt.Errorf("%w: DE 54: cash and tip are no parts of the amount", ErrRequest)
	}
	if sold := req.Kind == terminal.KindSale; cash > 0 && !sold || tip > 0 && !sold && req.Kind != terminal.KindForced {
		return fmt.Errorf("%w: DE 54: cash or a tip with a %s", ErrRequest, req.Kind)
	}
	minor := fmt.Sprintf("%012d", cash)
	if other, ok := req.Tags.Get(emv.TagAmountOther); ok && !bytes.Equal(other, hexBytes(minor)) {
		return fmt.Errorf("%w: DE 54: tag %s is not the request's cash", ErrRequest, emv.TagAmountOther)
	}
	var text strings.Builder
	for _, part := range []struct {
		what  string
		minor int64
	}{{amountCash, cash}, {d.settings.TipType, tip}} {
		if part.minor > 0 && part.what != noTip {
			fmt.Fprintf(&text, "00%s%03dD%012d", part.what, req.Amount.Currency.Numeric, part.minor)
		}
	}
	if text.Len() > 0 {
		m.Set(additional, text.String())
	}
	return nil
}

// readAmounts reads DE 54: every amount by its type, in minor units and below zero for a debit. Error: ErrAnswer.
func readAmounts(text string) (map[string]money.Amount, error) {
	if len(text)%oneAmount != 0 || len(text) > oneAmount*mostAmounts {
		return nil, fmt.Errorf("%w: DE 54 of %d characters is no row of additional amounts", ErrAnswer, len(text))
	}
	out := map[string]money.Amount{}
	for ; text != ""; text = text[oneAmount:] {
		one := text[:oneAmount]
		numeric, err := strconv.ParseUint(one[4:7], 10, 16)
		if err != nil || !digits(one[:4], 4) || !digits(one[8:], 12) || (one[7] != 'C' && one[7] != 'D') {
			return nil, fmt.Errorf("%w: DE 54: an additional amount that is none", ErrAnswer)
		}
		c, err := money.ByNumeric(uint16(numeric))
		if err != nil {
			return nil, fmt.Errorf("%w: DE 54: currency %d is not known", ErrAnswer, numeric)
		}
		minor, err := strconv.ParseInt(one[8:], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%w: DE 54: an amount that is none", ErrAnswer)
		}
		if one[7] == 'D' {
			minor = -minor
		}
		if _, twice := out[one[2:4]]; !twice { // of several accounts the first is the one that was asked for
			out[one[2:4]] = money.New(minor, c)
		}
	}
	return out, nil
}
