package ledger

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"time"

	"tillway/money"
)

// Paid is the kind of the entry that ends a statement: what was owed to a merchant went to its account.
const Paid = "settlement"

// Statement is what became of one merchant's money between two settlements, or since the last. Amounts are minor units;
// what the merchant owes is below zero.
type Statement struct {
	Merchant string          `json:"merchant"`
	Number   int             `json:"number"` // from 1
	Currency string          `json:"currency"`
	Exponent int             `json:"exponent"`
	Lines    []StatementLine `json:"lines"`
	Gross    int64           `json:"gross"`   // sum of the lines
	Fees     int64           `json:"fees"`    // likewise
	Paid     int64           `json:"paid"`    // into the merchant's account: gross less fees less what stays owed
	PaidAt   *time.Time      `json:"paid_at"` // none: the statement is still open
	Carried  int64           `json:"carried"` // what the statement before left
	Left     int64           `json:"left"`    // what this one leaves: carried + gross - fees - paid
}

// StatementLine is one cleared transaction, or one taken back.
type StatementLine struct {
	Entry int64     `json:"entry"`
	At    time.Time `json:"at"`
	Kind  string    `json:"kind"`
	Ref   string    `json:"ref"`
	Gross int64     `json:"gross"`
	Fee   int64     `json:"fee"`
	Net   int64     `json:"net"`
}

// Statements draws a merchant's statements from the books, oldest first; the last is open. payable is the account of what
// is owed to it, fees the one that its fees go to.
func (l *Ledger) Statements(merchant, payable, fees string, currency money.Currency) []Statement {
	next := func(number int, carried int64) Statement {
		return Statement{
			Merchant: merchant, Number: number, Currency: currency.Code, Exponent: currency.Exponent, Carried: carried, Left: carried,
			Lines: []StatementLine{},
		}
	}
	out := []Statement{next(1, 0)}
	for _, e := range l.Entries(0) {
		if e.Code != currency.Code {
			continue
		}
		line, touched := StatementLine{Entry: e.Number, At: e.At, Kind: e.Kind, Ref: e.Ref}, false
		for _, leg := range e.Legs {
			switch leg.Account {
			case payable:
				line.Net += leg.Minor
				touched = true
			case fees:
				line.Fee += leg.Minor
			}
		}
		// A fee that eats the whole amount leaves no leg for the merchant, and nothing to show either.
		if !touched {
			continue
		}
		s := &out[len(out)-1]
		if e.Kind == Paid {
			at := e.At
			s.Paid, s.PaidAt = -line.Net, &at
			s.Left += line.Net
			out = append(out, next(s.Number+1, s.Left))
			continue
		}
		line.Gross = line.Net + line.Fee
		s.Lines = append(s.Lines, line)
		s.Gross += line.Gross
		s.Fees += line.Fee
		s.Left += line.Net
	}
	return out
}

// WriteCSV writes a statement as CSV (RFC 4180): a head, one row for each line, then the totals. Amounts have the
// currency's decimals and a point.
func (s Statement) WriteCSV(w io.Writer) error {
	amount := func(minor int64) string { return decimal(minor, s.Exponent) }
	rows := [][]string{{"entry", "at", "kind", "reference", "gross", "fee", "net", "currency"}}
	for _, l := range s.Lines {
		rows = append(rows, []string{
			strconv.FormatInt(l.Entry, 10), l.At.Format(time.RFC3339), l.Kind, l.Ref, amount(l.Gross), amount(l.Fee), amount(l.Net), s.Currency,
		})
	}
	paidAt := ""
	if s.PaidAt != nil {
		paidAt = s.PaidAt.Format(time.RFC3339)
	}
	rows = append(rows,
		[]string{"", "", "carried", "", "", "", amount(s.Carried), s.Currency},
		[]string{"", "", "total", "", amount(s.Gross), amount(s.Fees), amount(s.Gross - s.Fees), s.Currency},
		[]string{"", paidAt, "paid", "", "", "", amount(s.Paid), s.Currency},
		[]string{"", "", "left", "", "", "", amount(s.Left), s.Currency},
	)
	if err := csv.NewWriter(w).WriteAll(rows); err != nil {
		return fmt.Errorf("statement: %w", err)
	}
	return nil
}

// decimal writes minor units with their decimals and a sign where they are below zero.
func decimal(minor int64, exponent int) string {
	return money.New(minor, money.Currency{Exponent: exponent}).String()
}
