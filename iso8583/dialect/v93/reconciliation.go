package v93

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"tillway/money"
)

// Totals are what a terminal has counted of one scheme since the last reconciliation. Counts are 0 or more, amounts in the
// minor units of the currency, all of one currency.
type Totals struct {
	Scheme   string // the acquirer's letters for it: "VC"
	Acquirer string // who stands behind it, as the acquirer writes it

	Debits, Credits, Authorisations                  int64 // counts
	DebitAmount, CreditAmount, Cashback, CashAdvance int64 // amounts
}

// TotalsColumn is one element of a scheme's totals on the wire.
type TotalsColumn struct {
	What   string // as TotalsColumns names it
	Length int    // characters: numbers are filled with zeros on the left, text with spaces on the right
}

// The elements of a scheme's totals.
const (
	columnScheme, columnAcquirer     = "scheme", "acquirer"
	columnDebits, columnDebitAmount  = "debits", "debit amount"
	columnCredits, columnCreditTotal = "credits", "credit amount"
	columnCashback, columnAdvance    = "cashback", "cash advance"
	columnAuthorisations             = "authorisations"
)

// maxSchemes is what two digits count.
const maxSchemes = 99

// defaultColumns is the one public layout (mada).
func defaultColumns() []TotalsColumn {
	return []TotalsColumn{
		{columnScheme, 2},
		{columnAcquirer, 4},
		{columnDebits, 10},
		{columnDebitAmount, 15},
		{columnCredits, 10},
		{columnCreditTotal, 15},
		{columnCashback, 15},
		{columnAdvance, 15},
		{columnAuthorisations, 10},
	}
}

func (s Settings) checkTotals() error {
	if s.Reconcile != reconcileRequest && s.Reconcile != reconcileNotice {
		return fmt.Errorf("reconciliation %q is not 1520 or 1524", s.Reconcile)
	}
	if s.TotalsField != 124 && s.TotalsField != 127 {
		return fmt.Errorf("totals field %d is not 124 or 127", s.TotalsField)
	}
	var seen []string
	for _, c := range s.TotalsColumns {
		_, number := Totals{}.number(c.What)
		if (!number && c.What != columnScheme && c.What != columnAcquirer) || slices.Contains(seen, c.What) || c.Length < 1 || c.Length > 18 {
			return fmt.Errorf("column %q of the totals, %d characters: it is not known, there twice, or not 1 to 18 long", c.What, c.Length)
		}
		seen = append(seen, c.What)
	}
	return nil
}

// Reconciliation is one closing of a terminal's totals.
type Reconciliation struct {
	STAN       uint32 // 1 to 999999
	Batch      uint32 // 1 to 999999
	Time       time.Time
	Day        time.Time // DE 28: the day that is closed
	Currency   money.Currency
	TerminalID string
	MerchantID string
	Schemes    []Totals // at most 99
}

// Reconciliation composes the 1520, or 1524, with the totals. Errors: ErrRequest, also where a number does not fit its
// column: totals are never cut.
func (d *Dialect) Reconciliation(r Reconciliation) ([]byte, error) {
	m, err := d.empty(d.settings.Reconcile, functionFinal, r.STAN, r.Time, r.TerminalID, r.MerchantID)
	if err != nil {
		return nil, err
	}
	if r.Day.IsZero() || len(r.Schemes) > maxSchemes {
		return nil, fmt.Errorf("%w: totals without a day, or of %d schemes, at most %d", ErrRequest, len(r.Schemes), maxSchemes)
	}
	m.Set(reconcileDate, d.local(r.Day).Format("060102"))
	m.Set(currencyOfTotal, fmt.Sprintf("%03d", r.Currency.Numeric))
	if d.settings.BatchField > 0 {
		if err := setNumber(m, d.settings.BatchField, r.Batch); err != nil {
			return nil, err
		}
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%02d", len(r.Schemes))
	for _, scheme := range r.Schemes {
		for _, c := range d.settings.TotalsColumns {
			element, err := scheme.element(c)
			if err != nil {
				return nil, err
			}
			text.WriteString(element)
		}
	}
	m.Set(d.settings.TotalsField, text.String())
	return d.pack(m)
}

// number is a numeric element and whether there is one of that name.
func (t Totals) number(what string) (int64, bool) {
	n, ok := map[string]int64{
		columnDebits: t.Debits, columnDebitAmount: t.DebitAmount, columnCredits: t.Credits, columnCreditTotal: t.CreditAmount,
		columnCashback: t.Cashback, columnAdvance: t.CashAdvance, columnAuthorisations: t.Authorisations,
	}[what]
	return n, ok
}

// element is one column of a scheme's totals.
func (t Totals) element(c TotalsColumn) (string, error) {
	n, number := t.number(c.What)
	text := map[string]string{columnScheme: t.Scheme, columnAcquirer: t.Acquirer}[c.What]
	if number {
		text = strconv.FormatInt(n, 10)
	}
	if n < 0 || len(text) > c.Length || !printable(text) || (!number && text == "") {
		return "", fmt.Errorf("%w: %s of the totals does not fit its %d characters", ErrRequest, c.What, c.Length)
	}
	if number {
		return strings.Repeat("0", c.Length-len(text)) + text, nil
	}
	return text + strings.Repeat(" ", c.Length-len(text)), nil
}
