package v93

import (
	"fmt"
	"slices"

	"tillway/emv"
	"tillway/iso8583"
	"tillway/iso8583/dialect"
	"tillway/terminal"
)

// Advice composes the 1220 that tells the host what was done without asking it, or takes what it has authorised: an offline
// approval (the card's tags hold the transaction certificate and, as tag 8A, the response code Y1 or Y3), a forced sale, a
// completion, the second step of a sale in two; or the 1420 of a void that is no request. The card is named by number and expiry: track 2 is not kept for it. Errors:
// ErrRequest, also where the tags tell of no such approval.
func (d *Dialect) Advice(req terminal.Request) ([]byte, error) {
	switch {
	case req.Kind == terminal.KindSale && req.TwoStep:
		return d.capture(req)
	case req.Kind == terminal.KindSale && req.Way == terminal.WayOffline:
		return d.offline(req)
	case req.Kind == terminal.KindForced:
		return d.forced(req)
	case req.Kind == terminal.KindCompletion:
		return d.capture(req)
	case req.Kind == terminal.KindVoid && d.settings.Void == voidCancels:
		return d.cancellation(req)
	}
	return nil, fmt.Errorf("%w: no advice of the kind %q that was approved %s", ErrRequest, req.Kind, req.Way)
}

// offline tells of a sale that card and terminal have approved.
func (d *Dialect) offline(req terminal.Request) ([]byte, error) {
	if stripe(req) {
		return nil, fmt.Errorf("%w: a stripe approves nothing without the host", ErrRequest)
	}
	m, err := d.advice(req, functionFinancial, ICCProcessed)
	if err != nil {
		return nil, err
	}
	if err := d.setCertificate(m, req, "Y1", "Y3"); err != nil {
		return nil, err
	}
	return d.pack(m)
}

// forced tells of a sale that the issuer has approved by voice; its approval code is in DE 38.
func (d *Dialect) forced(req terminal.Request) ([]byte, error) {
	m, err := d.advice(req, functionApproved, ApprovedByVoice)
	if err != nil {
		return nil, err
	}
	if err := setApproval(m, req.AuthCode); err != nil {
		return nil, err
	}
	if !stripe(req) {
		if err := d.setCertificate(m, req); err != nil {
			return nil, err
		}
	}
	return d.pack(m)
}

// capture takes what was authorised before, or part of it: the completion of a pre-authorisation, and the second step of a sale
// whose first was an authorisation. Where the amount is another, DE 30 has what was authorised.
func (d *Dialect) capture(req terminal.Request) ([]byte, error) {
	function, held := functionApproved, req.Original.Amount
	if held.Minor != 0 && held != req.Amount {
		function = functionOtherAmount
	}
	m, err := d.advice(req, function, TerminalProcessed)
	if err != nil {
		return nil, err
	}
	if function == functionOtherAmount {
		minor, err := held.N12()
		if err != nil || held.Currency != req.Amount.Currency {
			return nil, fmt.Errorf("%w: DE 30: what was authorised is no amount in this currency", ErrRequest)
		}
		m.Set(originalAmounts, minor+"000000000000")
	}
	if err := d.setEarlier(m, req); err != nil {
		return nil, err
	}
	if req.Kind == terminal.KindSale && req.Original.IsZero() { // authorised under the number of this very sale
		m.Set(original, d.original(m, authorisationRequest))
	}
	if code := req.AuthCode; code != "" {
		if err := setApproval(m, code); err != nil {
			return nil, err
		}
	}
	if req.Kind == terminal.KindSale && !stripe(req) && dialect.Made(req.Tags, emv.TC) { // the issuer has seen the request's cryptogram: this one is for the file
		if err := d.setCertificate(m, req); err != nil {
			return nil, err
		}
	}
	return d.pack(m)
}

// cancellation is the 1420 that takes back an earlier transaction because the customer cancelled. It has a number of its own, and names
// the other in DE 56.
func (d *Dialect) cancellation(req terminal.Request) ([]byte, error) {
	reason, err := d.settings.reason(CustomerCancellation, '4')
	if err != nil {
		return nil, fmt.Errorf("%w: DE 25: %w", ErrRequest, err)
	}
	code := purchase
	if req.Original.Kind.Credit() {
		code = returned
	}
	m, err := d.message(kindRow{reversalAdvice, code, functionReversal}, req)
	if err != nil {
		return nil, err
	}
	setCard(m, req.Card)
	m.Set(messageReason, reason)
	if err := d.setEarlier(m, req); err != nil {
		return nil, err
	}
	return d.pack(m)
}

// advice is what all advices say.
func (d *Dialect) advice(req terminal.Request, function string, why Reason) (*iso8583.Message, error) {
	reason, err := d.settings.reason(why, '1')
	if err != nil {
		return nil, fmt.Errorf("%w: DE 25: %w", ErrRequest, err)
	}
	code := purchase
	if req.Cashback.Minor != 0 {
		code = purchaseWithCash
	}
	m, err := d.message(kindRow{financialAdvice, code, function}, req)
	if err != nil {
		return nil, err
	}
	setCard(m, req.Card)
	m.Set(messageReason, reason)
	m.Set(actionCode, approved)
	return m, nil
}

// setApproval puts the approval code in: one to six letters and digits.
func setApproval(m *iso8583.Message, code string) error {
	if len(code) > 6 || !dialect.Alphanumeric(code) {
		return fmt.Errorf("%w: DE 38: an approval code is one to six letters and digits", ErrRequest)
	}
	m.Set(approval, fmt.Sprintf("%-6s", code))
	return nil
}

// setCertificate puts a chip's data in, which have to hold a transaction certificate, and behind them the response code (tag 8A)
// that the card was given: one of those named, or any.
func (d *Dialect) setCertificate(m *iso8583.Message, req terminal.Request, codes ...string) error {
	if !dialect.Made(req.Tags, emv.TC) {
		return fmt.Errorf("%w: DE 55: word of an approval without a transaction certificate", ErrRequest)
	}
	arc := string(req.Tags.Value(emv.TagAuthorisationResponseCode))
	if len(codes) > 0 && !slices.Contains(codes, arc) {
		return fmt.Errorf("%w: DE 55: authorisation response code %q is no offline approval", ErrRequest, arc)
	}
	tags := d.brand(req.Scheme).ChipTags
	if !slices.Contains(tags, emv.TagAuthorisationResponseCode) {
		tags = append(slices.Clone(tags), emv.TagAuthorisationResponseCode)
	}
	chip, err := d.chipData(req, tags, true)
	if err != nil {
		return err
	}
	m.SetBytes(chipData, chip)
	return nil
}
