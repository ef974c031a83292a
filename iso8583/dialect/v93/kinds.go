package v93

import (
	"fmt"

	"tillway/emv"
	"tillway/iso8583/dialect"
	"tillway/terminal"
)

// kindRow is how the request of one kind of transaction stands in its message.
type kindRow struct {
	mti      string
	code     string // DE 3, its first two digits; the accounts behind are 0000
	function string // DE 24
}

// Transaction types (DE 3).
const (
	purchase         = "00"
	adjustDebit      = "02" // takes back what was paid
	purchaseWithCash = "09"
	returned         = "20"
	adjustCredit     = "22" // takes back what was refunded
	inquiry          = "31"

	anyAccounts = "0000"
)

// Function codes (DE 24).
const (
	functionAccurate      = "100" // original authorisation, amount accurate
	functionEstimated     = "101" // original authorisation, amount estimated
	functionMore          = "106" // supplementary authorisation, amount accurate
	functionMoreEstimated = "107" // supplementary authorisation, amount estimated
	functionInquiry       = "108"
	functionFinancial     = "200" // original
	functionApproved      = "201" // approved before, the same amount
	functionOtherAmount   = "202" // approved before, another amount
	functionReversal      = "400" // full, the transaction did not complete as approved
	functionFinal         = "500" // final reconciliation
	functionSignOn        = "801"
	functionEcho          = "831" // echo test
)

// Can implements lane.Dialect.
func (d *Dialect) Can() terminal.Abilities {
	return terminal.Abilities{
		Kinds: terminal.Kinds(), Offline: true, Deferred: d.settings.Deferred, TwoStep: true, Totals: true,
		VoidTold: d.settings.Void == voidCancels,
	}
}

// row is the message with which a kind of transaction asks the host. Error: ErrRequest, for a kind that asks nothing.
func (d *Dialect) row(req terminal.Request) (kindRow, error) {
	switch req.Kind {
	case terminal.KindSale:
		code := purchase
		if req.Cashback.Minor != 0 {
			code = purchaseWithCash
		}
		if req.TwoStep {
			return kindRow{authorisationRequest, code, functionAccurate}, nil
		}
		return kindRow{financialRequest, code, functionFinancial}, nil
	case terminal.KindRefund:
		return kindRow{financialRequest, returned, functionFinancial}, nil
	case terminal.KindVoid:
		if d.settings.Void == voidCancels {
			return kindRow{}, fmt.Errorf("%w: a void is no request at this acquirer", ErrRequest)
		}
		if req.Original.Kind.Credit() {
			return kindRow{financialRequest, adjustCredit, functionFinancial}, nil
		}
		return kindRow{financialRequest, adjustDebit, functionFinancial}, nil
	case terminal.KindPreauth:
		return kindRow{authorisationRequest, purchase, d.settings.Preauth}, nil
	case terminal.KindIncrement:
		if d.settings.Preauth == functionAccurate {
			return kindRow{authorisationRequest, purchase, functionMore}, nil
		}
		return kindRow{authorisationRequest, purchase, functionMoreEstimated}, nil
	case terminal.KindBalance:
		return kindRow{authorisationRequest, inquiry, functionInquiry}, nil
	case terminal.KindForced, terminal.KindCompletion:
	}
	return kindRow{}, fmt.Errorf("%w: no request for the kind %q", ErrRequest, req.Kind)
}

// Deferred composes the 1200 of a sale that is kept until the host can be reached: with the card's ARQC, its number and its
// expiry, and without track and PIN. Errors: ErrRequest, also where the settings allow none, for another kind, a stripe, and a
// cardholder whom only the issuer could have verified.
func (d *Dialect) Deferred(req terminal.Request) ([]byte, error) {
	switch {
	case !d.settings.Deferred:
		return nil, fmt.Errorf("%w: this acquirer takes no request that was kept", ErrRequest)
	case req.Kind != terminal.KindSale || req.TwoStep || stripe(req) || req.Cashback.Minor != 0:
		return nil, fmt.Errorf("%w: only a sale by chip, in one message and without cash, is kept for later", ErrRequest)
	case !dialect.Made(req.Tags, emv.ARQC):
		return nil, fmt.Errorf("%w: DE 55: a request that is kept without an ARQC", ErrRequest)
	case req.Method == emv.OnlinePIN:
		return nil, fmt.Errorf("%w: a sale whose PIN the issuer verifies is not kept for later", ErrRequest)
	}
	req.Card = withoutTrack(req.Card)
	row, err := d.row(req)
	if err != nil {
		return nil, err
	}
	return d.request(req, row)
}

// withoutTrack is the card as number, expiry and sequence number.
func withoutTrack(c terminal.CardData) terminal.CardData {
	return terminal.CardData{PAN: c.PAN, Expiry: c.Expiry, PSN: c.PSN}
}

// Upload composes no message: an acquirer of this version settles out of balance, or looks into it, and asks for no upload.
// Errors: ErrRequest.
func (d *Dialect) Upload(terminal.UploadRequest) ([]byte, error) {
	return nil, fmt.Errorf("%w: a batch is not uploaded in this dialect", ErrRequest)
}
