package v93

import (
	"bytes"
	"fmt"
	"strings"

	"tillway/emv"
	"tillway/iso8583"
	"tillway/iso8583/dialect"
	"tillway/money"
	"tillway/terminal"
)

// amountTip is the additional amount (DE 54) of a tip, where an acquirer has no other.
const amountTip = "44"

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
	if other, ok := req.Tags.Get(emv.TagAmountOther); ok && !bytes.Equal(other, dialect.Hex(minor)) {
		return fmt.Errorf("%w: DE 54: tag %s is not the request's cash", ErrRequest, emv.TagAmountOther)
	}
	var text strings.Builder
	for _, part := range []struct {
		what  string
		minor int64
	}{{dialect.AmountCash, cash}, {d.settings.TipType, tip}} {
		if part.minor > 0 && part.what != noTip {
			text.WriteString(dialect.Additional(part.what, money.New(part.minor, req.Amount.Currency)))
		}
	}
	if text.Len() > 0 {
		m.Set(additional, text.String())
	}
	return nil
}
