package profile

import (
	"slices"
	"testing"
	"time"

	"tillway/money"
	"tillway/terminal"
)

// Without the table a terminal sells and does nothing else; the ready profiles do everything.
func TestTransactions(t *testing.T) {
	p := parse(t, "[[application]]\naid = \"A0000000031010\"\n")
	if got := p.Transactions; !slices.Equal(got.Kinds, []terminal.Kind{terminal.KindSale}) || got.TwoStep || got.TipPercent != 0 || got.Cashback.Minor != 0 || got.SameCard != 5*time.Minute || got.AskSameCard {
		t.Errorf("%+v", got)
	}
	for _, k := range terminal.Kinds() {
		if p.Transactions.Does(k) != (k == terminal.KindSale) || !kuwait(t).Transactions.Does(k) {
			t.Errorf("%s", k)
		}
	}
	if got := kuwait(t).Transactions; got.TipPercent != 25 || got.Cashback != money.New(50_000, kuwait(t).Currency) || got.TwoStep || got.AskSameCard {
		t.Errorf("%+v", got)
	}
	p = parse(t, "[transactions]\nkinds = [\"refund\"]\nsale_messages = \"two\"\nsame_card = \"ask\"\nsame_card_minutes = 0\ncashback = \"0\"\n[[application]]\naid = \"A0000000031010\"\n")
	if got := p.Transactions; !slices.Equal(got.Kinds, []terminal.Kind{terminal.KindRefund}) || !got.TwoStep || !got.AskSameCard || got.SameCard != 0 || got.Cashback != (money.Amount{}) {
		t.Errorf("%+v", got)
	}
}

// What the kernel gets of each kind: 9C, all that the card pays (9F02), cash (9F03), and whether the card may answer for its issuer.
func TestParamsOfKinds(t *testing.T) {
	p := kuwait(t)
	kd := func(minor int64) money.Amount { return money.New(minor, p.Currency) }
	for name, row := range map[string]struct {
		order  terminal.Order
		amount int64
		other  int64
		kind   byte
		forced bool
	}{
		"sale":     {terminal.Order{Kind: terminal.KindSale, Amount: kd(1000)}, 1000, 0, 0x00, false},
		"tip":      {terminal.Order{Kind: terminal.KindSale, Amount: kd(1000), Tip: kd(100)}, 1100, 0, 0x00, false},
		"cashback": {terminal.Order{Kind: terminal.KindSale, Amount: kd(1000), Tip: kd(100), Cashback: kd(500)}, 1600, 500, 0x09, false},
		"refund":   {terminal.Order{Kind: terminal.KindRefund, Amount: kd(1000)}, 1000, 0, 0x20, true},
		"preauth":  {terminal.Order{Kind: terminal.KindPreauth, Amount: kd(1000)}, 1000, 0, 0x00, true},
		"balance":  {terminal.Order{Kind: terminal.KindBalance, Amount: kd(0)}, 0, 0, 0x31, true},
		"forced":   {terminal.Order{Kind: terminal.KindForced, Amount: kd(1000)}, 1000, 0, 0x00, true},
	} {
		got := p.Params(row.order, time.Now(), 1)
		if got.Amount != kd(row.amount) || got.AmountOther.Minor != row.other || got.TransactionType != row.kind || got.ForceOnline != row.forced {
			t.Errorf("%s: %v, %v, %02X, forced %t", name, got.Amount, got.AmountOther, got.TransactionType, got.ForceOnline)
		}
	}
}
