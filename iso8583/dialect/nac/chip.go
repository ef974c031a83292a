package nac

import (
	"bytes"
	"fmt"
	"slices"

	"tillway/emv"
	"tillway/emv/tlv"
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
	var out []byte
	for _, tag := range append(slices.Clone(d.brand(req).ChipTags), more...) {
		v, ok := req.Tags.Get(tag)
		if !ok {
			if slices.Contains(emv.CryptogramTags(), tag) {
				return nil, fmt.Errorf("%w: DE 55: tag %s is missing", ErrRequest, tag)
			}
			continue
		}
		if want, ok := same[tag]; ok && !bytes.Equal(v, hexBytes(want)) {
			return nil, fmt.Errorf("%w: DE 55: tag %s is not the request's", ErrRequest, tag)
		}
		out = tlv.Append(out, tag, v)
	}
	if len(out) > maxChipData {
		return nil, fmt.Errorf("%w: DE 55: %d bytes, at most %d", ErrRequest, len(out), maxChipData)
	}
	return out, nil
}

// cryptogram is which one the card has calculated (tag 9F27).
func cryptogram(tags emv.Data) (emv.Cryptogram, bool) {
	v, ok := tags.Get(emv.TagCID)
	if !ok || len(v) != 1 {
		return 0, false
	}
	return emv.CID(v[0]).Cryptogram(), true
}
