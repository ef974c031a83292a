package terminal

import (
	"testing"

	"tillway/money"
)

// TestOutcomesOfKinds: what the cashier reads of each kind, as somebody would say it at a till.
func TestOutcomesOfKinds(t *testing.T) {
	kwd, err := money.ByCode("KWD")
	if err != nil {
		t.Fatal(err)
	}
	kd := func(minor int64) money.Amount { return money.New(minor, kwd) }
	agrees := Row{From: FinishApproved, Event: CardAgrees, To: Approved}
	declined := Row{From: FinishDeclined, Event: CardRefuses, To: Declined}
	silent := Row{From: FinishUnanswered, Event: CardRefuses, To: Reversed}
	bank := Outcome{Code: CodeDeclined, Happened: "The bank declined. (code 05)", Do: "Ask for another card or another way to pay."}
	for name, c := range map[string]struct {
		row   Row
		sale  Sale
		cause Outcome
		want  string
	}{
		"sale":                {agrees, Sale{Kind: KindSale, Amount: kd(1000)}, Outcome{}, "Approved. Give the customer the receipt."},
		"part":                {agrees, Sale{Kind: KindSale, Amount: kd(1000), Approved: kd(600)}, Outcome{}, "Approved in part: KWD 0.600 of KWD 1.000. Take the other KWD 0.400 in another way, and give the customer the receipt."},
		"part held":           {agrees, Sale{Kind: KindPreauth, Amount: kd(1000), Approved: kd(600)}, Outcome{}, "Approved in part: KWD 0.600 of KWD 1.000. Give the customer the receipt."},
		"sale, declined":      {declined, Sale{Kind: KindSale}, bank, "The bank declined. (code 05) Ask for another card or another way to pay."},
		"refund, declined":    {declined, Sale{Kind: KindRefund}, bank, "The bank declined. (code 05) Nothing is paid back."},
		"void, declined":      {declined, Sale{Kind: KindVoid}, bank, "The bank declined. (code 05) The earlier transaction stands."},
		"increment, declined": {declined, Sale{Kind: KindIncrement}, bank, "The bank declined. (code 05) No more is held than before."},
		"preauth, declined":   {declined, Sale{Kind: KindPreauth}, bank, "The bank declined. (code 05) Ask for another card or another way to pay."},
		"void, silence":       {silent, Sale{Kind: KindVoid}, Outcome{}, "The bank did not answer. The earlier transaction stands. A reversal is on its way to the bank. Try again."},
		"refund, silence":     {silent, Sale{Kind: KindRefund}, Outcome{}, "The bank did not answer. Nothing is paid back. A reversal is on its way to the bank. Try again."},
		"preauth, silence":    {silent, Sale{Kind: KindPreauth}, Outcome{}, "The bank did not answer. Nothing is held. A reversal is on its way to the bank. Try again, or ask for another way to pay."},
		"refund, power":       {Row{From: Sending, Event: PowerLost, To: Reversed}, Sale{Kind: KindRefund}, Outcome{}, "The terminal stopped while the bank was asked. Nothing is paid back. A reversal is on its way to the bank. Start again."},
		"balance, power":      {Row{From: Asking, Event: PowerLost, To: Cancelled}, Sale{Kind: KindBalance}, Outcome{}, "The terminal stopped while the bank was asked. Nothing was moved. Start again."},
		"balance, silence":    {Row{From: Asking, Event: NoAnswer, To: Declined}, Sale{Kind: KindBalance}, Unanswered(""), "The bank did not answer. Nothing was moved. Try again in a moment."},
		"part, refused": {
			Row{From: AgreementOnline, Event: NotAgreed, To: Reversed},
			Sale{Kind: KindSale},
			PartRefused(Sale{Amount: kd(1000), Approved: kd(600)}),
			"The bank approved only KWD 0.600 of KWD 1.000, and that was not taken. The customer is not charged. A reversal is on its way to the bank. Ask for another way to pay.",
		},
		"void, unreachable": {declined, Sale{Kind: KindVoid}, Unreachable(""), "The bank cannot be reached. The earlier transaction stands. Nothing was sent. Try again in a moment."},
	} {
		if o := Conclude(c.row, c.sale, c.cause, ""); o.Happened+" "+o.Do != c.want {
			t.Errorf("%s: %s %s\nwant: %s", name, o.Happened, o.Do, c.want)
		}
	}
}

// TestCapturedMinor: what a sale adds to its batch's totals, as its projection has it.
func TestCapturedMinor(t *testing.T) {
	for name, c := range map[string]struct {
		sale Sale
		want int64
	}{
		"sale":          {Sale{Kind: KindSale, State: Approved, Amount: money.Amount{Minor: 1000}}, 1000},
		"part":          {Sale{Kind: KindSale, State: Approved, Amount: money.Amount{Minor: 1000}, Approved: money.Amount{Minor: 600}}, 600},
		"forced":        {Sale{Kind: KindForced, State: Approved, Amount: money.Amount{Minor: 1000}}, 1000},
		"completion":    {Sale{Kind: KindCompletion, State: Approved, Amount: money.Amount{Minor: 1000}}, 1000},
		"refund":        {Sale{Kind: KindRefund, State: Approved, Amount: money.Amount{Minor: 1000}}, -1000},
		"held":          {Sale{Kind: KindPreauth, State: Approved, Amount: money.Amount{Minor: 1000}}, 0},
		"raised":        {Sale{Kind: KindIncrement, State: Approved, Amount: money.Amount{Minor: 1000}}, 0},
		"void":          {Sale{Kind: KindVoid, State: Approved, Amount: money.Amount{Minor: 1000}}, 0},
		"declined":      {Sale{Kind: KindSale, State: Declined, Amount: money.Amount{Minor: 1000}}, 0},
		"reversed part": {Sale{Kind: KindSale, State: Reversed, Amount: money.Amount{Minor: 1000}, Approved: money.Amount{Minor: 600}}, 0},
	} {
		if got := c.sale.CapturedMinor(); got != c.want {
			t.Errorf("%s adds %d, want %d", name, got, c.want)
		}
	}
}
