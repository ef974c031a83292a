package v93

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"tillway/iso8583"
	"tillway/iso8583/dialect"
	"tillway/terminal"
)

// schemeTotals is what a batch comes to under one word of the acquirer's. Amounts are in minor units, all of one currency.
type schemeTotals struct {
	letters, house string

	debits, debitSum, credits, creditSum, cashback int64
}

// TotalsColumn is one element of a scheme's totals on the wire.
type TotalsColumn struct {
	What   string // "scheme", "acquirer", "debits" and so on
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

// maxSchemes is what two digits count; mostInTotals bounds a number of a line, so that sums of lines stay numbers.
const (
	maxSchemes   = 99
	mostInTotals = 999_999_999_999_999
)

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
		_, number := schemeTotals{}.number(c.What)
		if (!number && c.What != columnScheme && c.What != columnAcquirer) || slices.Contains(seen, c.What) || c.Length < 1 || c.Length > 18 {
			return fmt.Errorf("column %q of the totals, %d characters: it is not known, there twice, or not 1 to 18 long", c.What, c.Length)
		}
		seen = append(seen, c.What)
	}
	return nil
}

// Totals composes the 1520, or 1524, that ends a batch. Schemes that the acquirer has one word for are added together. Errors:
// ErrRequest, also where a number does not fit its column: totals are never cut.
func (d *Dialect) Totals(req terminal.TotalsRequest) ([]byte, error) {
	m, err := d.empty(d.settings.Reconcile, functionFinal, req.STAN, req.Time, req.TerminalID, req.MerchantID)
	if err != nil {
		return nil, err
	}
	if req.Final {
		return nil, fmt.Errorf("%w: totals behind an upload, which this dialect has not", ErrRequest)
	}
	schemes, err := d.schemes(req.Lines)
	if err != nil {
		return nil, err
	}
	if req.Day.IsZero() || len(schemes) > maxSchemes {
		return nil, fmt.Errorf("%w: totals without a day, or of %d schemes, at most %d", ErrRequest, len(schemes), maxSchemes)
	}
	m.Set(reconcileDate, d.local(req.Day).Format("060102"))
	m.Set(currencyOfTotal, fmt.Sprintf("%03d", req.Currency.Numeric))
	if d.settings.BatchField > 0 {
		if err := setNumber(m, d.settings.BatchField, req.Batch); err != nil {
			return nil, err
		}
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%02d", len(schemes))
	for _, scheme := range schemes {
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

// schemes adds up the lines that the acquirer has the same letters for, in the order in which they come.
func (d *Dialect) schemes(lines []terminal.TotalsLine) ([]schemeTotals, error) {
	var all []schemeTotals
	for _, l := range lines {
		for _, n := range []int64{int64(l.Sales), l.SalesSum, int64(l.Refunds), l.RefundsSum, l.Cashback} {
			if n < 0 || n > mostInTotals {
				return nil, fmt.Errorf("%w: a number of the totals is not 0 to %d", ErrRequest, int64(mostInTotals))
			}
		}
		brand := d.brand(l.Scheme)
		i := slices.IndexFunc(all, func(t schemeTotals) bool { return t.letters == brand.Totals && t.house == brand.TotalsHouse })
		if i < 0 {
			i, all = len(all), append(all, schemeTotals{letters: brand.Totals, house: brand.TotalsHouse})
		}
		t := &all[i]
		t.debits += int64(l.Sales)
		t.debitSum += l.SalesSum
		t.credits += int64(l.Refunds)
		t.creditSum += l.RefundsSum
		t.cashback += l.Cashback
	}
	return all, nil
}

// hostTotals is what the host has, where its answer says so: one line, because these fields tell no schemes apart.
func hostTotals(m *iso8583.Message) []terminal.TotalsLine {
	var n [4]int64
	for i, field := range []int{debitCount, debitSum, creditCount, creditSum} {
		text, ok := m.Get(field)
		if !ok {
			return nil
		}
		var err error
		if n[i], err = strconv.ParseInt(text, 10, 64); err != nil || n[i] < 0 || n[i] > mostInTotals {
			return nil
		}
	}
	return []terminal.TotalsLine{{Sales: int(n[0]), SalesSum: n[1], Refunds: int(n[2]), RefundsSum: n[3]}}
}

// number is a numeric element and whether there is one of that name. A cash advance and an authorisation are no part of a batch
// here, and count as none.
func (t schemeTotals) number(what string) (int64, bool) {
	n, ok := map[string]int64{
		columnDebits: t.debits, columnDebitAmount: t.debitSum, columnCredits: t.credits, columnCreditTotal: t.creditSum,
		columnCashback: t.cashback, columnAdvance: 0, columnAuthorisations: 0,
	}[what]
	return n, ok
}

// element is one column of a scheme's totals.
func (t schemeTotals) element(c TotalsColumn) (string, error) {
	n, number := t.number(c.What)
	text := map[string]string{columnScheme: t.letters, columnAcquirer: t.house}[c.What]
	if number {
		text = strconv.FormatInt(n, 10)
	}
	if len(text) > c.Length || !dialect.Printable(text) || (!number && text == "") {
		return "", fmt.Errorf("%w: %s of the totals does not fit its %d characters", ErrRequest, c.What, c.Length)
	}
	if number {
		return strings.Repeat("0", c.Length-len(text)) + text, nil
	}
	return text + strings.Repeat(" ", c.Length-len(text)), nil
}
