package main

import (
	"testing"

	"tillway/terminal"
)

// A test sale stands until all of it was given back, by a void or by refunds: what was given back is not given back again.
func TestTestSaleStands(t *testing.T) {
	of := func(id, of terminal.SaleID, kind terminal.Kind, state terminal.State, minor int64) terminal.Sale {
		return terminal.Sale{ID: id, Of: of, Kind: kind, State: state, Amount: kwd(t, minor)}
	}
	sale := of(7, 0, terminal.KindSale, terminal.Approved, 100)
	for name, c := range map[string]struct {
		more   []terminal.Sale // newest first
		stands bool
	}{
		"nothing came of it":    {nil, true},
		"voided":                {[]terminal.Sale{of(8, 7, terminal.KindVoid, terminal.Approved, 100)}, false},
		"a void that failed":    {[]terminal.Sale{of(8, 7, terminal.KindVoid, terminal.Declined, 100)}, true},
		"refunded":              {[]terminal.Sale{of(8, 7, terminal.KindRefund, terminal.Approved, 100)}, false},
		"refunded in two":       {[]terminal.Sale{of(9, 7, terminal.KindRefund, terminal.Approved, 60), of(8, 7, terminal.KindRefund, terminal.Approved, 40)}, false},
		"refunded in part":      {[]terminal.Sale{of(8, 7, terminal.KindRefund, terminal.Approved, 40)}, true},
		"a refund that failed":  {[]terminal.Sale{of(8, 7, terminal.KindRefund, terminal.Declined, 100)}, true},
		"another one's refund":  {[]terminal.Sale{of(8, 6, terminal.KindRefund, terminal.Approved, 100)}, true},
		"a refund of no sale's": {[]terminal.Sale{of(8, 0, terminal.KindRefund, terminal.Approved, 100)}, true},
	} {
		left := stillStanding(append(c.more, sale))
		if (len(left) == 1 && left[0].ID == 7) != c.stands || len(left) > 1 {
			t.Errorf("%s: %v", name, left)
		}
	}
}
