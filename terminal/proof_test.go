package terminal

import (
	"strings"
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

// A payment that the bank did not have was sent again where the upload has come to it, and not where it was refused there or its turn has
// not come.
func TestProofSaysWhatWasSentAgain(t *testing.T) {
	lacks := func(id SaleID) Difference { return Difference{Sale: id, Why: notHad + "payment"} }
	b := Batch{State: BatchDisputed, Counted: []SaleRange{{3, 4}, {7, 9}}, Uploaded: 4}
	b.Findings = []Difference{lacks(4), lacks(7), lacks(8), lacks(9), lacks(5), {Sale: 8, Why: "the bank refused it in the upload: code 05"}, {Why: notHad + "refund"}}
	for i, d := range Prove(b, nil).Findings {
		if again := strings.HasSuffix(d.Why, "; it was sent again"); again != (i < 2) {
			t.Errorf("%d, sale %s: %s", i, d.Sale, d.Why)
		}
	}
	if b.Findings[0] != lacks(4) {
		t.Error("the record of the batch was changed")
	}
}
