package profile

import (
	"context"
	"slices"

	"tillway/emv"
	"tillway/money"
)

// What only pos card run honours: what a terminal that sells has from its journal, its acquirer and its random numbers is
// written into the profile there, so that a run can be repeated.

const (
	maxListed    = 1000 // earlier sales, and exceptions
	maxSelection = 1000
)

// AnySequence stands where a row names no card sequence number: the row is then about every card of the account.
const AnySequence = -1

// ListedCard is a card in a list: its account, and its sequence number (5F34) or AnySequence.
type ListedCard struct {
	PAN      emv.PAN
	Sequence int
}

func (l ListedCard) is(pan emv.PAN, sequence int) bool {
	return l.PAN.Clear() == pan.Clear() && (l.Sequence == AnySequence || l.Sequence == sequence)
}

// EarlierSale is a sale that the terminal made before, approved.
type EarlierSale struct {
	ListedCard
	AmountMinor int64 // in minor units of the profile's currency
}

// EarlierSales are sales in the order in which they were made. They are an emv.History.
type EarlierSales []EarlierSale

// LastSale implements emv.History: the last row about the card counts.
func (s EarlierSales) LastSale(_ context.Context, pan emv.PAN, sequence int) (int64, error) {
	for _, sale := range slices.Backward(s) {
		if sale.is(pan, sequence) {
			return sale.AmountMinor, nil
		}
	}
	return 0, nil
}

// Exceptions are cards that are not to be accepted without their issuer. They are an emv.ExceptionFile.
type Exceptions []ListedCard

// Listed implements emv.ExceptionFile.
func (e Exceptions) Listed(_ context.Context, pan emv.PAN, sequence int) (bool, error) {
	return slices.ContainsFunc(e, func(l ListedCard) bool { return l.is(pan, sequence) }), nil
}

func (c *checker) earlierSales(rows []earlierSale, cur money.Currency) EarlierSales {
	if len(rows) > maxListed {
		c.refuse("earlier_sale", "%d are more than the %d a profile may have", len(rows), maxListed)
		return nil
	}
	var out EarlierSales
	for i, row := range rows {
		key := indexed("earlier_sale", i)
		out = append(out, EarlierSale{c.listed(key, row.PAN, row.PSN), c.amount(key+".amount", row.Amount, cur)})
	}
	return out
}

func (c *checker) exceptions(rows []exception) Exceptions {
	if len(rows) > maxListed {
		c.refuse("exception", "%d are more than the %d a profile may have", len(rows), maxListed)
		return nil
	}
	var out Exceptions
	for i, row := range rows {
		out = append(out, c.listed(indexed("exception", i), row.PAN, row.PSN))
	}
	return out
}

// listed reads a card. Digits that are no account number are not repeated in the error: they may be one, misspelt.
func (c *checker) listed(key string, pan, psn any) ListedCard {
	out := ListedCard{Sequence: AnySequence}
	if _, number := pan.(int64); number {
		c.refuse(key+".pan", "is a number: write it in quotes")
		return out
	}
	p, err := emv.NewPAN(c.need(key+".pan", pan))
	if err != nil {
		c.refuse(key+".pan", "is not 8 to 19 digits")
	}
	out.PAN = p
	if psn != nil {
		out.Sequence = int(c.number(key+".psn", psn, 0, 99))
	}
	return out
}

// selection are draws from 1 to 99 (Book 3, 10.6.2).
func (c *checker) selection(v any) []int {
	if v == nil {
		return nil
	}
	items, ok := v.([]any)
	if !ok || len(items) > maxSelection {
		c.refuse("selection", "is not a list of up to %d numbers: write it like [12, 99]", maxSelection)
	}
	var out []int
	for _, item := range items {
		out = append(out, int(c.number("selection", item, 1, 99)))
	}
	return out
}
