package nac

import (
	"fmt"
	"slices"

	"tillway/emv"
	"tillway/emv/tlv"
	"tillway/iso8583/dialect"
	"tillway/terminal"
)

// chipData is DE 55: the tags of the settings in their order, and others behind them. What the issuer's cryptogram check needs
// must be there, and must be of this amount and currency: a message that says two amounts is not sent.
func (d *Dialect) chipData(req terminal.Request, more ...tlv.Tag) ([]byte, error) {
	minor, err := req.Amount.N12()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	same := map[tlv.Tag]string{
		emv.TagAmountAuthorised:        minor,
		emv.TagAmountOther:             fmt.Sprintf("%012d", req.Cashback.Minor),
		emv.TagTransactionCurrencyCode: fmt.Sprintf("%04d", req.Amount.Currency.Numeric),
	}
	out, err := dialect.ChipData(req.Tags, append(slices.Clone(d.brand(req).ChipTags), more...), same, true)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	return out, nil
}
