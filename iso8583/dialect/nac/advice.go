package nac

import (
	"fmt"
	"slices"

	"tillway/emv"
	"tillway/emv/tlv"
	"tillway/iso8583"
	"tillway/iso8583/dialect"
	"tillway/money"
	"tillway/terminal"
)

// Advice composes the 0220 that tells the host of what was done without asking: an offline approval, with the card's TC and, in
// tag 8A of DE 55, the response code that it was given; a forced sale, with the approval code that was said by voice; a
// completion; or the second step of a sale in two, with DE 37 and 38 of the first. It has DE 2 and 14, no track and no PIN, and in
// DE 12 and 13 the terminal's time of the transaction. Errors: ErrRequest.
func (d *Dialect) Advice(req terminal.Request) ([]byte, error) {
	if req.TwoStep {
		req = withoutExcess(req)
	}
	f, err := d.adviceForm(req)
	if err != nil {
		return nil, err
	}
	if req.Kind == terminal.KindForced && req.AuthCode == "" {
		return nil, fmt.Errorf("%w: a forced sale without the issuer's approval code", ErrRequest)
	}
	m, err := d.told(req, f)
	if err != nil {
		return nil, err
	}
	offline := req.Way == terminal.WayOffline
	switch {
	case f.names: // the host has had the chip's data with the first message
	case req.Entry == "" || req.Entry == terminal.EnteredChip:
		if err := d.setChip(m, req, offline); err != nil {
			return nil, err
		}
	case offline:
		return nil, fmt.Errorf("%w: an offline approval of a card that was %q", ErrRequest, req.Entry)
	}
	return d.pack(m)
}

// setChip puts in DE 55 of an approval that the host did not give, with what the card was told (8A).
func (d *Dialect) setChip(m *iso8583.Message, req terminal.Request, offline bool) error {
	var more []tlv.Tag
	if !slices.Contains(d.brand(req).ChipTags, emv.TagAuthorisationResponseCode) {
		more = append(more, emv.TagAuthorisationResponseCode)
	}
	chip, err := d.chipData(req, more...)
	if err != nil {
		return err
	}
	told := string(req.Tags.Value(emv.TagAuthorisationResponseCode))
	switch {
	case !offline:
	case told != "Y1" && told != "Y3": // Book 4, A6
		return fmt.Errorf("%w: DE 55: tag 8A is no offline approval", ErrRequest)
	case !dialect.Made(req.Tags, emv.TC):
		return fmt.Errorf("%w: DE 55: an offline approval without a TC", ErrRequest)
	}
	m.SetBytes(chipData, chip)
	return nil
}

// Deferred composes a sale's 0200 that is kept until the host can be reached: with the card's ARQC, DE 2 and 14 in place of
// track 2, no PIN, and the time at which it was made in DE 12 and 13. Only where the settings have it, of a chip, and without cash.
// Errors: ErrRequest.
func (d *Dialect) Deferred(req terminal.Request) ([]byte, error) {
	bad := func(why string) ([]byte, error) { return nil, fmt.Errorf("%w: kept for later: %s", ErrRequest, why) }
	switch {
	case !d.settings.Deferred:
		return bad("the settings have no such requests")
	case req.Kind != terminal.KindSale || req.Cashback.Minor != 0:
		return bad("only a sale without cash can be")
	case req.Entry != "" && req.Entry != terminal.EnteredChip:
		return bad("only the sale of a chip can be")
	case !dialect.Made(req.Tags, emv.ARQC):
		return bad("no ARQC")
	case req.Method == emv.OnlinePIN:
		return bad("a PIN is not kept")
	}
	m, err := d.told(req, form{mti: saleRequest, code: purchase, condition: normal, dated: true})
	if err != nil {
		return nil, err
	}
	chip, err := d.chipData(req)
	if err != nil {
		return nil, err
	}
	m.SetBytes(chipData, chip)
	return d.pack(m)
}

// withoutExcess is a transaction as it stands: where less was approved than tip and cash come to, they are no part of it.
func withoutExcess(req terminal.Request) terminal.Request {
	if req.Tip.Minor+req.Cashback.Minor > req.Amount.Minor {
		req.Tip, req.Cashback = money.Amount{}, money.Amount{}
	}
	return req
}

// told is what a message has that is kept until it can be sent: all but the chip's data.
func (d *Dialect) told(req terminal.Request, f form) (*iso8583.Message, error) {
	shared, err := d.shared(req, f)
	if err != nil {
		return nil, err
	}
	m := d.message(f.mti, shared)
	setCard(m, req.Card)
	if req.Card.PSN != "" && !f.names && f.mti != uploadRequest && (req.Entry == "" || req.Entry == terminal.EnteredChip) {
		m.Set(cardSequence, req.Card.PSN)
	}
	return m, nil
}
