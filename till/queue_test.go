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
		{ID: 6, Sale: 6, Kind: terminal.ReversalDebt, State: terminal.Parked, Since: at.Add(time.Minute), Reason: "the bank refused it: code 12"},
		{ID: 7, Sale: 6, Kind: terminal.AdviceDebt, State: terminal.Owed, Since: at.Add(time.Minute), Behind: 6},
	}
	for name, c := range map[string]struct {
		link terminal.Health
		want []string
	}{
		"connected": {terminal.Health{OK: true}, []string{
			"Somebody has to decide: the bank refused it: code 30.", "It goes when no sale runs.", "The last try failed: no answer in time.",
			"It goes after those before it.", "It is with the bank now.", "Somebody has to decide: the bank refused it: code 12.",
			"The reversal of the same sale is stuck (debt 6): it goes when that one is sent again and taken, or written off.",
		}},
		"not connected": {terminal.Health{State: "not connected", Cause: "no route"}, []string{
			"Somebody has to decide: the bank refused it: code 30.", "No connection to the bank: no route.", "No connection to the bank: no route.",
			"No connection to the bank: no route.", "It is with the bank now.", "Somebody has to decide: the bank refused it: code 12.",
			"The reversal of the same sale is stuck (debt 6): it goes when that one is sent again and taken, or written off.",
		}},
	} {
		calls := []call{
			{"Debts", nil, []any{debts, nil}},
			{"Snapshot", nil, []any{terminal.Snapshot{Host: terminal.LinkHealth{Health: c.link}}}},
		}
		for n, way := range []terminal.Way{terminal.WayOffline, "", terminal.WayOffline, terminal.WayDeferred, terminal.WayOffline, terminal.WayOffline, terminal.WayOffline} {
			sale := aSale(t, debts[n].Sale, terminal.Approved)
			if sale.Way = way; way == "" {
				sale.State = terminal.Reversed
			}
			sale.Amount.Minor = 1000
			ret := []any{sale, nil}
			if n == 4 {
				ret = []any{terminal.Sale{}, terminal.ErrQuarantined}
			}
			calls = append(calls, call{"Sale", []any{debts[n].Sale}, ret})
		}
		w := ask(t, handlerFor(t, newScript(t, calls...)), "GET", "/v1/queue", "")
		var q Queue
		if err := json.Unmarshal(w.Body.Bytes(), &q); err != nil || w.Code != http.StatusOK {
			t.Fatalf("%d, %v: %s", w.Code, err, w.Body)
		}
		if q.Waiting != 5 || q.Parked != 2 || q.Sum.Format() != "KWD 4.000" || !q.Oldest.Equal(at) || len(q.Debts) != len(debts) {
			t.Errorf("%s: %+v", name, q)
		}
		for i, d := range q.Debts {
			if d.Waits != c.want[i] || d.Sale != debts[i].Sale || (d.Amount.Minor == 1000) == (i == 4) {
				t.Errorf("%s: debt %d: %q, want %q, %s", name, d.ID, d.Waits, c.want[i], d.Amount.Format())
			}
		}
	}
}
