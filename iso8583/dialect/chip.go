package dialect

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"tillway/emv"
	"tillway/emv/tlv"
	"tillway/iso8583"
	"tillway/terminal"
)

// MaxChipData is the most bytes that integrated circuit card data of a request carries: DE 55 is b..255, and the networks stay at it.
const MaxChipData = 255

// CheckTags refuses a list of tags that has card data in it, which has no place in DE 55, or a tag twice.
func CheckTags(tags []tlv.Tag) error {
	for i, t := range tags {
		if emv.SecretTag(t) {
			return fmt.Errorf("tag %s is card data and has no place in DE 55", t)
		}
		if slices.Contains(tags[:i], t) {
			return fmt.Errorf("tag %s is listed twice for DE 55", t)
		}
	}
	return nil
}

// ChipData is DE 55: the tags of the list, in its order; what the card lacks is left out. With whole, what the issuer's cryptogram
// check needs must be there. A tag in same that is there must have that value, in hexadecimal: a message that says two amounts is
// not sent.
func ChipData(tags emv.Data, list []tlv.Tag, same map[tlv.Tag]string, whole bool) ([]byte, error) {
	var out []byte
	for _, tag := range list {
		v, ok := tags.Get(tag)
		if !ok {
			if whole && slices.Contains(emv.CryptogramTags(), tag) {
				return nil, fmt.Errorf("DE 55: tag %s is missing", tag)
			}
			continue
		}
		if want, ok := same[tag]; ok && !bytes.Equal(v, Hex(want)) {
			return nil, fmt.Errorf("DE 55: tag %s is not the request's", tag)
		}
		out = tlv.Append(out, tag, v)
	}
	if len(out) > MaxChipData {
		return nil, fmt.Errorf("DE 55: %d bytes, at most %d", len(out), MaxChipData)
	}
	return out, nil
}

// IssuerData is an answer's field of chip data as it came, where it is TLV: order and repeats of 91, 71 and 72 matter to the card.
// Nothing where there is none.
func IssuerData(m *iso8583.Message, field int) ([]byte, error) {
	b, ok := m.Bytes(field)
	if !ok || len(b) == 0 {
		return nil, nil
	}
	if _, err := tlv.Parse(b); err != nil {
		return nil, fmt.Errorf("DE 55 of %d bytes is no TLV", len(b))
	}
	return b, nil
}

// Made says whether that is the cryptogram that the card has made last (tag 9F27).
func Made(tags emv.Data, want emv.Cryptogram) bool {
	v := tags.Value(emv.TagCID)
	return len(v) == 1 && emv.CID(v[0]).Cryptogram() == want
}

// CheckCard refuses a request without an account number, and one whose track has another: its reversal would name another account.
func CheckCard(c terminal.CardData) error {
	if c.PAN.IsZero() {
		return errors.New("no account number")
	}
	if t := c.Track2; !t.IsZero() && t.PAN() != c.PAN {
		return errors.New("track 2 has another account number than the card")
	}
	return nil
}
