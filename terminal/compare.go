package terminal

import (
	"fmt"
	"slices"

	"tillway/money"
)

// Compare names what may make the difference between a batch's totals and those that the host says it has: the payment that only one of them
// counts, where the numbers tell, or how far they are apart. Where the host says none, nobody can tell.
func Compare(items []Item, ours, host []TotalsLine) []Difference {
	if len(host) == 0 {
		return nil
	}
	if !slices.ContainsFunc(host, func(l TotalsLine) bool { return l.Scheme != "" }) {
		return compareLine(items, SumLines(ours), SumLines(host))
	}
	var all []Difference
	var schemes []string
	for _, l := range slices.Concat(ours, host) {
		if !slices.Contains(schemes, l.Scheme) {
			schemes = append(schemes, l.Scheme)
		}
	}
	for _, scheme := range schemes {
		other := func(l TotalsLine) bool { return l.Scheme != scheme }
		of := slices.DeleteFunc(slices.Clone(items), func(i Item) bool { return i.Sale.Scheme != scheme })
		all = append(all, compareLine(of, SumLines(slices.DeleteFunc(slices.Clone(ours), other)), SumLines(slices.DeleteFunc(slices.Clone(host), other)))...)
	}
	return all
}

func compareLine(items []Item, ours, host TotalsLine) []Difference {
	var debits, credits []Item
	for _, i := range items {
		if i.Sale.Kind.Credit() {
			credits = append(credits, i)
		} else {
			debits = append(debits, i)
		}
	}
	return append(compareWay(debits, "payment", ours.Sales-host.Sales, ours.SalesSum-host.SalesSum),
		compareWay(credits, "refund", ours.Refunds-host.Refunds, ours.RefundsSum-host.RefundsSum)...)
}

// notHad begins what is said of a payment that the host did not have.
const notHad = "the bank did not have this "

// compareWay looks for what makes the journal's count and sum of one direction so much more than the host's.
func compareWay(items []Item, what string, count int, sum int64) []Difference {
	switch {
	case count == 0 && sum == 0:
		return nil
	case count > 0:
		if found := subset(Counted(items), count, sum); len(found) > 0 {
			return named(found, func(Item) string { return notHad + what })
		}
	case count < 0:
		left := slices.DeleteFunc(slices.Clone(items), func(i Item) bool { return i.Missing() == "" })
		if found := subset(left, -count, -sum); len(found) > 0 {
			return named(found, func(i Item) string {
				return "the bank counted this " + what + ", and the journal does not: " + i.Missing()
			})
		}
	}
	return []Difference{{Amount: differs(items, sum), Why: apart(what, count, sum)}}
}

// subset is the one transaction, or the pair, that makes up a difference; several that could be the one are all named; of three and more
// nobody can tell.
func subset(items []Item, count int, sum int64) (found []Item) {
	switch count {
	case 1:
		for _, i := range items {
			if i.Sale.Taken().Minor == sum {
				found = append(found, i)
			}
		}
	case 2:
		for n, a := range items {
			for _, b := range items[n+1:] {
				if a.Sale.Taken().Minor+b.Sale.Taken().Minor != sum {
					continue
				}
				if len(found) > 0 {
					return nil
				}
				found = []Item{a, b}
			}
		}
	}
	return found
}

// mostNamed is how many payments are named that could all be the one: where every payment has one price, a list of all of them helps nobody.
const mostNamed = 20

func named(found []Item, why func(Item) string) []Difference {
	var all []Difference
	for _, i := range found {
		if len(all) == mostNamed {
			return append(all, Difference{Amount: i.Sale.Taken(), Why: fmt.Sprintf("or one of %d more with that amount", len(found)-mostNamed)})
		}
		d := Difference{Sale: i.Sale.ID, STAN: i.Sale.STAN, Amount: i.Sale.Taken(), Why: why(i)}
		if len(found) > 1 {
			d.Why += ", or one of the others with such an amount"
		}
		all = append(all, d)
	}
	return all
}

// differs is a difference as an amount above zero.
func differs(items []Item, minor int64) money.Amount {
	var c money.Currency
	if len(items) > 0 {
		c = items[0].Sale.Amount.Currency
	}
	return money.New(max(minor, -minor), c)
}

func apart(what string, count int, sum int64) string {
	more, n := "less", count
	if n < 0 || n == 0 && sum < 0 {
		more, n = "more", -n
	}
	switch n {
	case 0:
		return "the bank counted as many " + what + "s, and their sum is " + map[string]string{"less": "lower", "more": "higher"}[more] + ": the amount of one differs"
	case 1:
		return "the bank counted one " + what + " " + more + ", and no single one has that amount"
	}
	return fmt.Sprintf("the bank counted %d %ss %s", n, what, more)
}
