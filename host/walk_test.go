package host_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"tillway/host"
	"tillway/host/ledger"
	"tillway/iso8583"
)

// TestEveryKindWalk mixes every kind of transaction, their repeats and reversals, ends of the day and restarts, from seeds. The
// books hold after every step. Then all is reversed, the latest first: every card has what it was opened with, nothing is held,
// owed for or earned, and the merchant owes what it was paid.
func TestEveryKindWalk(t *testing.T) {
	for seed := range uint64(12) {
		rng := rand.New(rand.NewPCG(seed, 11))
		d := newDurable(t, func(c *host.Config) {
			c.Fees = []ledger.Fee{{BasisPoints: 175, Fixed: 3}}
			c.Terminals[0].Partial = true
		})
		type sent struct {
			m, answer *iso8583.Message
			c         card
		}
		var all []sent
		amount := func() int64 { return int64(1+rng.IntN(9))*1_000 + 200 }
		for step := range 90 {
			c, stan := []card{credit, debit}[rng.IntN(2)], step+1
			var named sent
			if len(all) > 0 {
				named = all[rng.IntN(len(all))]
			}
			var m *iso8583.Message
			switch op := rng.IntN(16); {
			case op < 3 || len(all) == 0:
				m, _ = d.sale(c, stan, amount())
			case op < 5:
				m = d.preauthorise(c, stan, amount())
			case op < 7:
				c = named.c
				m = naming(d.message("0220", "000000", c, stan, amount()), named.answer)
			case op == 7:
				c = named.c
				m = naming(d.message("0200", []string{"020000", "220000"}[rng.IntN(2)], c, stan, 0), named.answer)
			case op == 8:
				c = named.c
				m = naming(d.message("0200", "200000", c, stan, amount()), named.answer)
			case op == 9:
				m = d.message("0200", "200000", c, stan, amount())
			case op == 14:
				c = named.c
				m = d.raised(c, stan, amount(), named.answer)
			case op == 15: // a sale in two steps, the first
				m, _ = d.sale(c, stan, amount())
				m.SetMTI("0100")
			case op == 10: // a repeat
				if got := d.code(named.m); got != get(t, named.answer, 39) {
					t.Fatalf("seed %d step %d: repeat answered %s", seed, step, got)
				}
			case op == 11: // a reversal
				d.code(back(named.m, named.c))
			case op == 12:
				if err := d.h.Settle(); err != nil {
					t.Fatal(err)
				}
			default:
				d.again()
			}
			if m != nil {
				all = append(all, sent{m, d.one(m), c})
			}
			d.books()
		}
		for _, one := range slices.Backward(all) {
			d.code(back(one.m, one.c))
			d.books()
		}
		if d.balance(credit) != opening || d.balance(debit) != opening {
			t.Errorf("seed %d: balances %d and %d", seed, d.balance(credit), d.balance(debit))
		}
		for _, account := range []string{"held:credit", "held:debit", "issuer:settlement", "clearing", "income:fees"} {
			if got := d.inBooks(account); got != 0 {
				t.Errorf("seed %d: %s has %d", seed, account, got)
			}
		}
		if owes, paid := d.inBooks("merchant:"+mid+":payable"), d.inBooks("merchant:"+mid+":account"); owes != -paid {
			t.Errorf("seed %d: the merchant was paid %d and owes %d", seed, paid, -owes)
		}
	}
}
