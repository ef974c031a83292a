package nac

import (
	"fmt"

	"tillway/terminal"
)

// Message types beside the sale's and its reversal's.
const (
	authorisationRequest = "0100"
	adviceRequest        = "0220"
	uploadRequest        = "0320"
	totalsRequest        = "0500"
)

// Processing codes (DE 3): the transaction type, and the default account on both sides.
const (
	purchase       = "000000"
	voidOfDebit    = "020000"
	refund         = "200000"
	voidOfCredit   = "220000"
	balanceInquiry = "310000"
	totalsOfBatch  = "920000"
	totalsClosing  = "960000"
	anyAccounts    = "0000"
)

// Conditions (DE 25).
const (
	normal         = "00"
	preauthorising = "06"
)

// form is what tells the message of one kind from that of another.
type form struct {
	mti, code, condition string
	names                bool // an original, by the reference number that it has to have
	dated                bool // DE 12 and 13: it may arrive long after it was made
}

// Can implements lane.Dialect. Refunds are no part of what an acquirer does that counts only sales in its totals.
func (d *Dialect) Can() terminal.Abilities {
	can := terminal.Abilities{Offline: true, TwoStep: true, Deferred: d.settings.Deferred, Totals: true, Upload: true}
	for _, k := range terminal.Kinds() {
		if k != terminal.KindRefund || d.settings.TotalsDigits != totalsOfSales {
			can.Kinds = append(can.Kinds, k)
		}
	}
	return can
}

// requestForm is the form in which the host is asked.
func (d *Dialect) requestForm(req terminal.Request) (form, error) {
	switch req.Kind {
	case terminal.KindSale:
		f := form{mti: saleRequest, code: d.saleCode(req), condition: normal}
		if req.TwoStep {
			f.mti = authorisationRequest
		}
		return f, nil
	case terminal.KindRefund:
		return form{mti: saleRequest, code: refund, condition: normal, names: req.Original.RRN != ""}, nil
	case terminal.KindVoid:
		f := form{mti: saleRequest, code: voidOfDebit, condition: normal, names: req.Original.RRN != "", dated: true}
		if req.Original.Invoice == 0 {
			return form{}, fmt.Errorf("%w: a void of what has no invoice number", ErrRequest)
		}
		if req.Original.Kind.Credit() {
			f.code = voidOfCredit
		}
		return f, nil
	case terminal.KindPreauth:
		return form{mti: authorisationRequest, code: d.settings.PreauthCode + anyAccounts, condition: preauthorising}, nil
	case terminal.KindIncrement:
		return form{mti: authorisationRequest, code: d.settings.PreauthCode + anyAccounts, condition: preauthorising, names: true}, nil
	case terminal.KindBalance:
		return form{mti: d.settings.Balance, code: balanceInquiry, condition: normal}, nil
	case terminal.KindForced, terminal.KindCompletion: // advices
	}
	return form{}, fmt.Errorf("%w: no request for the kind %q", ErrRequest, req.Kind)
}

// adviceForm is the form in which the host is told.
func (d *Dialect) adviceForm(req terminal.Request) (form, error) {
	f := form{mti: adviceRequest, code: d.saleCode(req), condition: normal, dated: true}
	switch {
	case req.Kind == terminal.KindSale && req.Way == terminal.WayOffline:
		return f, nil
	case req.Kind == terminal.KindSale && req.Way == terminal.WayOnline && req.TwoStep:
		f.names = true
		return f, nil
	case req.Kind == terminal.KindForced:
		return f, nil
	case req.Kind == terminal.KindCompletion:
		f.condition, f.names = preauthorising, true
		return f, nil
	}
	return form{}, fmt.Errorf("%w: no advice for the kind %q approved %q", ErrRequest, req.Kind, req.Way)
}

// saleCode is DE 3 of a sale: another where cash is given out.
func (d *Dialect) saleCode(req terminal.Request) string {
	if req.Cashback.Minor > 0 {
		return d.settings.CashbackCode + anyAccounts
	}
	return purchase
}
