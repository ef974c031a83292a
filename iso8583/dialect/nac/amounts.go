package nac

import (
	"fmt"

	"tillway/iso8583"
	"tillway/iso8583/dialect"
	"tillway/money"
	"tillway/terminal"
)

// setAmounts puts in DE 4, all that the card pays, and DE 54, what of it is tip or cash. Errors: ErrRequest.
func (d *Dialect) setAmounts(fields map[int]string, req terminal.Request) error {
	bad := func(why string) error { return fmt.Errorf("%w: %s", ErrRequest, why) }
	minor, err := req.Amount.N12()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRequest, err)
	}
	if req.Kind == terminal.KindVoid { // of all, whatever was tip and cash of it
		req.Tip, req.Cashback = money.Amount{}, money.Amount{}
	}
	switch tip, cash := req.Tip.Minor, req.Cashback.Minor; {
	case req.Kind == terminal.KindBalance && req.Amount.Minor != 0:
		return bad("an amount in a balance inquiry")
	case tip < 0 || cash < 0 || tip > req.Amount.Minor || cash > req.Amount.Minor-tip:
		return bad("tip and cash are more than the amount that they are part of, or below zero")
	case tip > 0 && req.Tip.Currency != req.Amount.Currency, cash > 0 && req.Cashback.Currency != req.Amount.Currency:
		return bad("tip or cash in another currency than the amount")
	case cash > 0 && req.Kind != terminal.KindSale, tip > 0 && req.Kind != terminal.KindSale && req.Kind != terminal.KindForced:
		return bad(fmt.Sprintf("tip or cash of the kind %q", req.Kind))
	case tip > 0 && cash > 0 && d.settings.Amounts == amountsDigits:
		return bad("tip and cash in one sale: twelve digits in DE 54 say one of them only")
	case cash > 0 && d.settings.Amounts == amountsNone:
		return bad("cash that the host is not told of: the settings have no DE 54")
	}
	if fields[amount] = minor; req.Kind == terminal.KindVoid && d.settings.VoidAmount == amountZero {
		fields[amount] = fmt.Sprintf("%012d", 0)
	}
	if text := d.writeAmount(d.settings.TipType, req.Tip) + d.writeAmount(dialect.AmountCash, req.Cashback); text != "" {
		fields[moreAmounts] = text
	}
	return nil
}

// writeAmount is one amount of DE 54, nothing where there is none or the settings have no DE 54.
func (d *Dialect) writeAmount(kind string, a money.Amount) string {
	switch {
	case a.Minor == 0 || d.settings.Amounts == amountsNone:
		return ""
	case d.settings.Amounts == amountsDigits:
		return fmt.Sprintf("%012d", a.Minor)
	}
	return dialect.Additional(kind, a)
}

// amountOf finds an amount of a type in an answer's DE 54; the zero value, without a currency, where there is none.
func amountOf(m *iso8583.Message, kind string) money.Amount {
	text, _ := m.Get(moreAmounts)
	all, _ := dialect.ParseAdditional(text)
	return all[kind]
}
