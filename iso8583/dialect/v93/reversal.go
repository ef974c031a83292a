package v93

import (
	"fmt"
	"slices"
	"strings"

	"tillway/iso8583"
	"tillway/iso8583/dialect"
	"tillway/terminal"
)

// maxOriginal bounds DE 56: message type, number, both times and two institutions with their lengths.
const maxOriginal = 58

// reversal composes the 1420 that takes back a request, made of the same data: it has the same DE 11 and 12, no track and no PIN
// block, and says why. Errors: ErrRequest.
func (d *Dialect) reversal(req terminal.Request, of kindRow) ([]byte, error) {
	reason, err := d.settings.reason(d.settings.ReversedAs, '4')
	if err != nil {
		return nil, fmt.Errorf("%w: DE 25: %w", ErrRequest, err)
	}
	m, err := d.message(kindRow{reversalAdvice, of.code, functionReversal}, req)
	if err != nil {
		return nil, err
	}
	setCard(m, req.Card)
	m.Set(messageReason, reason)
	m.Set(original, d.original(m, of.mti))
	if len(d.settings.ReversalTags) > 0 && !stripe(req) && !req.Kind.WithoutCard() {
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
// and times are the message's own: a reversal's, because they are the original's.
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

// setEarlier names the earlier transaction that a message is about. Errors: ErrRequest, for a kind that has to name one and
// does not, and for one that it cannot be about.
func (d *Dialect) setEarlier(m *iso8583.Message, req terminal.Request) error {
	o := req.Original
	if o.IsZero() {
		if req.Kind.WithoutCard() {
			return fmt.Errorf("%w: DE 56: a %s of nothing", ErrRequest, req.Kind)
		}
		return nil
	}
	held := o.Kind == terminal.KindPreauth
	if (req.Kind == terminal.KindIncrement || req.Kind == terminal.KindCompletion) && !held || req.Kind == terminal.KindRefund && !o.Kind.Captured() {
		return fmt.Errorf("%w: DE 56: no %s is about a %s", ErrRequest, req.Kind, o.Kind)
	}
	named, err := d.empty(typeOf(req), functionFinancial, o.STAN, o.Time, req.TerminalID, req.MerchantID)
	if err != nil {
		return fmt.Errorf("the original: %w", err)
	}
	m.Set(original, d.original(named, named.MTI()))
	for field, text := range map[int]string{retrieval: o.RRN, approval: o.AuthCode} {
		if text == "" {
			continue
		}
		most := map[int]int{retrieval: 12, approval: 6}[field]
		if len(text) > most || !dialect.Printable(text) {
			return fmt.Errorf("%w: DE %d: not 1 to %d printable characters", ErrRequest, field, most)
		}
		m.Set(field, fmt.Sprintf("%-*s", most, text))
	}
	return nil
}

// typeOf is the message type of the earlier transaction that a request is about: the one that took or held its money.
func typeOf(req terminal.Request) string {
	switch o := req.Original; {
	case req.TwoStep || o.Kind == terminal.KindPreauth || o.Kind == terminal.KindIncrement:
		return authorisationRequest
	case o.Kind == terminal.KindCompletion || o.Kind == terminal.KindForced || o.TwoStep || o.Way == terminal.WayOffline || o.Way == terminal.WayVoice:
		return financialAdvice
	}
	return financialRequest
}

// InBatch is an advice, or a request that was kept, naming another batch in the settings' BatchField. All else stays: by number, times and
// reference the host knows it again. Other messages, and those of an acquirer without such a field, come back as they are. Error: ErrRequest.
func (d *Dialect) InBatch(message []byte, number uint32) ([]byte, error) {
	m, err := d.codec.Unpack(message)
	if err != nil {
		return nil, fmt.Errorf("%w: in another batch: %w", ErrRequest, err)
	}
	field, mti := d.settings.BatchField, m.MTI()
	if field < 0 || !m.Has(field) || (mti != financialAdvice && mti != financialRequest) {
		return slices.Clone(message), nil
	}
	if err := setNumber(m, field, number); err != nil {
		return nil, err
	}
	return d.pack(m)
}

// Repeat is an advice, a reversal, totals or a request that was kept for their next sending, the first being attempt 1: with the
// repeat's message type from the second sending on, or unchanged where the settings say so. Everything but the message type stays.
// Errors: ErrRequest when first is none of these; a request with a track or a PIN block is never sent twice.
func (d *Dialect) Repeat(first []byte, attempt int) ([]byte, error) {
	m, err := d.codec.Unpack(first)
	if err != nil {
		return nil, fmt.Errorf("%w: repeat: %w", ErrRequest, err)
	}
	again, ok := map[string]string{
		financialRequest: "1201", financialAdvice: "1221", reversalAdvice: "1421", reconcileRequest: "1521", reconcileNotice: "1525",
	}[m.MTI()]
	if !ok || m.Has(track2) || m.Has(pinData) {
		return nil, fmt.Errorf("%w: repeat: %s is no advice, reversal, totals or request that was kept", ErrRequest, m.MTI())
	}
	if attempt <= 1 || d.settings.Repeat == repeatUnchanged {
		return slices.Clone(first), nil
	}
	m.SetMTI(again)
	return d.pack(m)
}
