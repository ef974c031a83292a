package till

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"tillway/terminal"
)

// The queue says how many wait, what they come to, since when, and why each of them does.
func TestQueue(t *testing.T) {
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	debts := []terminal.Debt{
		{ID: 1, Sale: 1, Kind: terminal.AdviceDebt, State: terminal.Parked, Since: at, Reason: "the bank refused it: code 30"},
		{ID: 2, Sale: 2, Kind: terminal.ReversalDebt, State: terminal.Owed, Since: at.Add(time.Minute)},
		{ID: 3, Sale: 3, Kind: terminal.AdviceDebt, State: terminal.Owed, Since: at.Add(time.Minute), Reason: "no answer in time"},
		{ID: 4, Sale: 4, Kind: terminal.DeferredDebt, State: terminal.Owed, Since: at.Add(time.Minute)},
		{ID: 5, Sale: 5, Kind: terminal.AdviceDebt, State: terminal.Sent, Since: at.Add(time.Minute)},
	}
	for name, c := range map[string]struct {
		link terminal.Health
		want []string
	}{
		"connected": {terminal.Health{OK: true}, []string{
			"Somebody has to decide: the bank refused it: code 30.", "It goes when no sale runs.", "The last try failed: no answer in time.",
			"It goes after those before it.", "It is with the bank now.",
		}},
		"not connected": {terminal.Health{State: "not connected", Cause: "no route"}, []string{
			"Somebody has to decide: the bank refused it: code 30.", "No connection to the bank: no route.", "No connection to the bank: no route.",
			"No connection to the bank: no route.", "It is with the bank now.",
		}},
	} {
		calls := []call{
			{"Debts", nil, []any{debts, nil}},
			{"Snapshot", nil, []any{terminal.Snapshot{Host: terminal.LinkHealth{Health: c.link}}}},
		}
		for n, way := range []terminal.Way{terminal.WayOffline, "", terminal.WayOffline, terminal.WayDeferred, terminal.WayOffline} {
			sale := aSale(t, terminal.SaleID(n+1), terminal.Approved)
			if sale.Way = way; way == "" {
				sale.State = terminal.Reversed
			}
			sale.Amount.Minor = 1000
			ret := []any{sale, nil}
			if n == 4 {
				ret = []any{terminal.Sale{}, terminal.ErrQuarantined}
			}
			calls = append(calls, call{"Sale", []any{terminal.SaleID(n + 1)}, ret})
		}
		w := ask(t, handlerFor(t, newScript(t, calls...)), "GET", "/v1/queue", "")
		var q Queue
		if err := json.Unmarshal(w.Body.Bytes(), &q); err != nil || w.Code != http.StatusOK {
			t.Fatalf("%d, %v: %s", w.Code, err, w.Body)
		}
		if q.Waiting != 4 || q.Parked != 1 || q.Sum.Format() != "KWD 3.000" || !q.Oldest.Equal(at) || len(q.Debts) != len(debts) {
			t.Errorf("%s: %+v", name, q)
		}
		for i, d := range q.Debts {
			if d.Waits != c.want[i] || d.Sale != debts[i].Sale || (d.Amount.Minor == 1000) == (i == 4) {
				t.Errorf("%s: debt %d: %q, want %q, %s", name, d.ID, d.Waits, c.want[i], d.Amount.Format())
			}
		}
	}
}
