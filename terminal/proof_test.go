package terminal

import (
	"testing"
	"time"

	"tillway/money"
)

// What a completion has taken is not held any more, and neither are the increments of it; a completion that was voided or did not
// come about takes nothing.
func TestHeldIsWhatNoCompletionEnded(t *testing.T) {
	kwd, err := money.ByCode("KWD")
	if err != nil {
		t.Fatal(err)
	}
	item := func(id SaleID, kind Kind, state State, minor int64, of, void SaleID) Item {
		return Item{Sale: Sale{ID: id, Kind: kind, State: state, Amount: money.New(minor, kwd), Of: of}, Void: void}
	}
	for name, c := range map[string]struct {
		completion Item
		held       int
		sum        int64
	}{
		"completed":    {item(5, KindCompletion, Approved, 130_000, 1, 0), 1, 7_000},
		"voided again": {item(5, KindCompletion, Approved, 130_000, 1, 6), 3, 157_000},
		"cancelled":    {item(5, KindCompletion, Cancelled, 130_000, 1, 0), 3, 157_000},
	} {
		r := MakeReport(Batch{Number: 1}, []Item{
			item(1, KindPreauth, Approved, 100_000, 0, 0), item(2, KindIncrement, Approved, 50_000, 1, 0),
			item(3, KindPreauth, Approved, 7_000, 0, 0), item(4, KindPreauth, Declined, 9_000, 0, 0), c.completion,
		}, time.Unix(1, 0))
		if r.Tally.Held != c.held || r.Tally.HeldSum != c.sum {
			t.Errorf("%s: %d held, %d; want %d, %d", name, r.Tally.Held, r.Tally.HeldSum, c.held, c.sum)
		}
	}
}
