package v93

import (
	"fmt"
	"slices"
	"strings"

	"tillway/emv"
	"tillway/iso8583"
	"tillway/terminal"
)

// maxOriginal bounds DE 56: message type, number, both times and two institutions with their lengths.
const maxOriginal = 58

// Reversal composes the 1420 that takes back a request of the given type, "1100" or "1200", made of the same data: it has
// the same DE 11 and 12, no track and no PIN block, and says why. Errors: ErrRequest, also for a reason that is none of a
// reversal.
func (d *Dialect) Reversal(req terminal.Request, of string, why Reason) ([]byte, error) {
	if of != authorisationRequest && of != financialRequest {
		return nil, fmt.Errorf("%w: no reversal of a message of type %q", ErrRequest, of)
	}
	reason, err := d.settings.reason(why, '4')
	if err != nil {
		return nil, fmt.Errorf("%w: DE 25: %w", ErrRequest, err)
	}
	m, err := d.message(reversalAdvice, functionReversal, req)
	if err != nil {
		return nil, err
	}
	setCard(m, req.Card)
	m.Set(messageReason, reason)
	m.Set(original, d.original(m, of))
	if len(d.settings.ReversalTags) > 0 && (req.Entry == "" || req.Entry == terminal.EnteredChip) {
		chip, err := d.chipData(req, d.settings.ReversalTags, false)
		if err != nil {
			return nil, err
		}
		if len(chip) > 0 {
			m.SetBytes(chipData, chip)
		}
	}
	return d.pack(m)
}

// original is DE 56: the elements of the settings, those of variable length with two digits of length before them. Number
// and times are the reversal's own, because they are the original's.
func (d *Dialect) original(m *iso8583.Message, of string) string {
	var text strings.Builder
	for _, part := range d.settings.Original {
		v, _ := m.Get(part)
		switch part {
		case 0:
			text.WriteString(of)
		case acquirerID, forwarderID:
			fmt.Fprintf(&text, "%02d%s", len(v), v)
		default:
			text.WriteString(v)
		}
	}
	return text.String()
}

// AdviceFor composes the 1220 that tells the host of a sale that was approved without it. The card's tags must hold the
// transaction certificate and, as tag 8A, the authorisation response code that the card was given (Y1, Y3); both go into DE
// 55. The card is named by number and expiry: track 2 is not kept for it. Errors: ErrRequest, also for a reason that is none
// of an advice, for a stripe, and where the cryptogram is no TC.
func (d *Dialect) AdviceFor(req terminal.Request, why Reason) ([]byte, error) {
	if !isAdvice(why) {
		return nil, fmt.Errorf("%w: DE 25: %q is no reason for an advice", ErrRequest, string(why))
	}
	reason, err := d.settings.reason(why, '1')
	if err != nil {
		return nil, fmt.Errorf("%w: DE 25: %w", ErrRequest, err)
	}
	if req.Entry == terminal.EnteredStripe || req.Entry == terminal.EnteredFallback {
		return nil, fmt.Errorf("%w: a stripe approves nothing without the host", ErrRequest)
	}
	if cid := req.Tags.Value(emv.TagCID); len(cid) != 1 || cid[0]>>6 != 1 {
		return nil, fmt.Errorf("%w: an advice of an approval without a transaction certificate", ErrRequest)
	}
	arc := string(req.Tags.Value(emv.TagAuthorisationResponseCode))
	if arc != "Y1" && arc != "Y3" {
		return nil, fmt.Errorf("%w: authorisation response code %q is no offline approval", ErrRequest, arc)
	}
	m, err := d.message(financialAdvice, functionFinancial, req)
	if err != nil {
		return nil, err
	}
	tags := d.brand(req.Scheme).ChipTags
	if !slices.Contains(tags, emv.TagAuthorisationResponseCode) {
		tags = append(slices.Clone(tags), emv.TagAuthorisationResponseCode)
	}
	chip, err := d.chipData(req, tags, true)
	if err != nil {
		return nil, err
	}
	m.SetBytes(chipData, chip)
	setCard(m, req.Card)
	m.Set(messageReason, reason)
	m.Set(actionCode, approved)
	return d.pack(m)
}

// Repeat is an advice, a reversal or totals for their next sending, the first being attempt 1: with the repeat's message type
// from the second sending on, or unchanged where the settings say so. Everything but the message type stays. Errors:
// ErrRequest when first is none of these.
func (d *Dialect) Repeat(first []byte, attempt int) ([]byte, error) {
	m, err := d.codec.Unpack(first)
	if err != nil {
		return nil, fmt.Errorf("%w: repeat: %w", ErrRequest, err)
	}
	again, ok := map[string]string{
		financialAdvice: "1221", reversalAdvice: "1421", reconcileRequest: "1521", reconcileNotice: "1525",
	}[m.MTI()]
	if !ok {
		return nil, fmt.Errorf("%w: repeat: %s is no advice, reversal or totals", ErrRequest, m.MTI())
	}
	if attempt <= 1 || d.settings.Repeat == repeatUnchanged {
		return slices.Clone(first), nil
	}
	m.SetMTI(again)
	return d.pack(m)
}
