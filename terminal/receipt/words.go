package receipt

import (
	"strings"

	"tillway/terminal"
)

// phrases are how a receipt tells of one kind of transaction. Nobody who reads "NOT CHARGED" under a void that failed would know
// that the sale stands, so each kind says what came of the money in its own way.
type phrases struct {
	title   string
	amount  string // label of the amount, where it was approved
	done    string // what an approval means for the money; empty: the amount says it
	undone  string // what the end without one means
	of      string // label of the earlier transaction's number
	charges bool   // an approved one is paid by the customer
	held    bool   // a bank may show the amount as held until the reversal has come
}

var kinds = map[terminal.Kind]phrases{
	terminal.KindSale:       {title: "SALE", undone: "NOT CHARGED", charges: true, held: true},
	terminal.KindForced:     {title: "FORCED SALE", undone: "NOT CHARGED", charges: true},
	terminal.KindRefund:     {title: "REFUND", done: "PAID BACK TO THE CARD", undone: "NOT PAID BACK", of: "OF SALE"},
	terminal.KindVoid:       {title: "VOID", amount: "AMOUNT TAKEN BACK", done: "THE EARLIER TRANSACTION IS VOID", undone: "THE EARLIER TRANSACTION STANDS", of: "OF TRANSACTION"},
	terminal.KindPreauth:    {title: "PRE-AUTHORISATION", amount: "AMOUNT HELD", done: "NO MONEY HAS BEEN TAKEN", undone: "NOTHING IS HELD", held: true},
	terminal.KindIncrement:  {title: "INCREMENT", amount: "HELD IN ADDITION", done: "NO MONEY HAS BEEN TAKEN", undone: "NO MORE IS HELD THAN BEFORE", of: "OF PRE-AUTHORISATION", held: true},
	terminal.KindCompletion: {title: "COMPLETION", undone: "NOT CHARGED", of: "OF PRE-AUTHORISATION", charges: true},
	terminal.KindBalance:    {title: "BALANCE", done: "NO MONEY HAS BEEN TAKEN", undone: "NO MONEY HAS BEEN TAKEN"},
}

// wordsOf are a kind's words; of one that this release does not know, its name and what is surely so.
func wordsOf(k terminal.Kind) phrases {
	w, ok := kinds[k]
	if !ok {
		w = phrases{title: strings.ToUpper(line(string(k))), undone: "NOT CHARGED", of: "OF TRANSACTION"}
	}
	if w.amount == "" {
		w.amount = "AMOUNT"
	}
	return w
}
