package nac

import (
	"cmp"
	"fmt"
	"slices"

	"tillway/iso8583/dialect"
)

// Kinds is the settings of what there is beside a plain sale, in its kinds and at the end of a batch.
type Kinds struct {
	CashbackCode string // DE 3 of a sale with cash given out, its first two digits: "09" or "17"
	PreauthCode  string // of a pre-authorisation: "30" or "00"
	Balance      string // message type of a balance inquiry: "0100" or "0200"
	VoidAmount   string // DE 4 of a void: "full" (what it takes back) or "zero"

	// DE 54 of a sale with tip or cash: "additional" (account type, amount type, currency, sign, twelve digits, for each),
	// "digits" (twelve, of the one of them that there is) or "none" (only where no cash is given out).
	Amounts string
	TipType string // amount type of a tip in "additional": "44"; of cash it is 40

	// Where an approval of less than was asked for (10) says how much: "amount" (DE 4), two digits (the amount of that type in
	// DE 54), or "off": such an approval was not asked for, and is reversed.
	Partial string

	Deferred     bool     // a request may be kept until the host can be reached
	TotalsDigits int      // DE 63 of an 0500: 30 (sales, refunds), 90 (six pairs) or 15 (sales alone)
	HostTotals   bool     // DE 63 of an 0510 is the host's own; otherwise it repeats ours, and is not read
	Booked       bool     // code 94 to a repeated advice or reversal says that the host has taken it: nothing is left to send
	Marked       []string // beside reversals, the message types whose repeat says so (0220 as 0221); nil: 0220 and 0320
}

// The values.
const (
	amountFull, amountZero                              = "full", "zero"
	amountsAdditional, amountsDigits, amountsNone       = "additional", "digits", "none"
	partialOff, partialAmount                           = "off", "amount"
	totalsOfSales, totalsOfSalesAndRefunds, totalsOfAll = 15, 30, 90
)

func defaultKinds() Kinds {
	return Kinds{
		CashbackCode: "09", PreauthCode: "30", Balance: authorisationRequest, VoidAmount: amountFull, Amounts: amountsAdditional,
		TipType: "44", Partial: partialOff, TotalsDigits: totalsOfSalesAndRefunds, Marked: []string{adviceRequest, uploadRequest},
	}
}

func (k Kinds) filledKinds() Kinds {
	d := defaultKinds()
	k.CashbackCode = cmp.Or(k.CashbackCode, d.CashbackCode)
	k.PreauthCode = cmp.Or(k.PreauthCode, d.PreauthCode)
	k.Balance = cmp.Or(k.Balance, d.Balance)
	k.VoidAmount = cmp.Or(k.VoidAmount, d.VoidAmount)
	k.Amounts = cmp.Or(k.Amounts, d.Amounts)
	k.TipType = cmp.Or(k.TipType, d.TipType)
	k.Partial = cmp.Or(k.Partial, d.Partial)
	k.TotalsDigits = cmp.Or(k.TotalsDigits, d.TotalsDigits)
	if k.Marked == nil {
		k.Marked = d.Marked
	}
	k.Marked = slices.Clone(k.Marked)
	return k
}

func (k Kinds) checkKinds() error {
	one := func(value string, of ...string) bool { return slices.Contains(of, value) }
	switch {
	case !one(k.CashbackCode, "09", "17"):
		return fmt.Errorf("cashback code %q is not 09 or 17", k.CashbackCode)
	case !one(k.PreauthCode, "00", "30"):
		return fmt.Errorf("pre-authorisation code %q is not 00 or 30", k.PreauthCode)
	case !one(k.Balance, authorisationRequest, saleRequest):
		return fmt.Errorf("message type %q of a balance inquiry is not 0100 or 0200", k.Balance)
	case !one(k.VoidAmount, amountFull, amountZero):
		return fmt.Errorf("amount %q of a void is not full or zero", k.VoidAmount)
	case !one(k.Amounts, amountsAdditional, amountsDigits, amountsNone):
		return fmt.Errorf("amounts %q are not additional, digits or none", k.Amounts)
	case !dialect.Digits(k.TipType, 2) || k.TipType == dialect.AmountCash:
		return fmt.Errorf("amount type %q of a tip is not two digits like 44, or is that of cash", k.TipType)
	case !one(k.Partial, partialOff, partialAmount) && !dialect.Digits(k.Partial, 2):
		return fmt.Errorf("partial %q is not off, amount or two digits, the type of an amount in DE 54", k.Partial)
	case k.TotalsDigits != totalsOfSales && k.TotalsDigits != totalsOfSalesAndRefunds && k.TotalsDigits != totalsOfAll:
		return fmt.Errorf("totals of %d digits: 15, 30 or 90", k.TotalsDigits)
	}
	for _, mti := range k.Marked {
		if !one(mti, saleRequest, adviceRequest, uploadRequest, totalsRequest) {
			return fmt.Errorf("message type %q has no marked repeat: 0200, 0220, 0320 or 0500; a reversal's is repeat", mti)
		}
	}
	return nil
}
