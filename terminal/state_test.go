package terminal

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// The properties that make the table safe, whatever rows are added to it.
func TestTableProperties(t *testing.T) {
	type key struct {
		s State
		e Event
	}
	seen := map[key]bool{}
	into := map[State]bool{Ready: true}
	for _, r := range Table() {
		if seen[key{r.From, r.Event}] {
			t.Errorf("%s in %s stands twice", r.Event, r.From)
		}
		seen[key{r.From, r.Event}] = true
		into[r.To] = true
		if r.From.Final() {
			t.Errorf("%s is final and has a row for %s", r.From, r.Event)
		}
		if r.To.Final() && !r.Commit {
			t.Errorf("%s in %s shows %s before it is on disk", r.Event, r.From, r.To)
		}
		if r.To == Sending && (!r.Commit || !slices.Contains(r.Duties, OweReversal)) {
			t.Errorf("%s in %s lets bytes leave before the reversal is owed and on disk", r.Event, r.From)
		}
		if r.Event == PowerLost && len(r.Duties) != 0 {
			t.Errorf("recovery from %s creates %v: it must create nothing", r.From, r.Duties)
		}
		if r.To == Reversed && slices.Contains(r.Duties, DischargeReversal) {
			t.Errorf("%s in %s ends Reversed without a reversal", r.Event, r.From)
		}
	}
	for s := range into {
		if !s.Final() && s != Ready && !seen[key{s, PowerLost}] {
			t.Errorf("no way out of %s after a power cut", s)
		}
	}
}

// Every path from Ready to a final state, walked: what is owed at its end fits the state.
func TestEveryPathEndsOwingWhatItShould(t *testing.T) {
	paths := 0
	var walk func(s State, reversal, advice bool, trail []Event, unanswered bool)
	walk = func(s State, reversal, advice bool, trail []Event, unanswered bool) {
		if len(trail) > 12 {
			return // OtherInterface goes round
		}
		if s.Final() {
			paths++
			switch {
			case s == Approved && reversal && (!advice || !unanswered):
				t.Errorf("%v: approved and to be reversed", trail)
			case s == Reversed && !reversal:
				t.Errorf("%v: reversed and nothing owed", trail)
			case s == Declined && reversal:
				t.Errorf("%v: declined by the host and to be reversed", trail)
			case s != Approved && advice:
				t.Errorf("%v: %s and an advice owed", trail, s)
			}
			return
		}
		for _, r := range Table() {
			if r.From != s {
				continue
			}
			rv, ad := reversal, advice
			for _, d := range r.Duties {
				switch d {
				case OweReversal:
					rv = true
				case DischargeReversal:
					rv = false
				case OweAdvice, OweDeferred:
					ad = true
				}
			}
			walk(r.To, rv, ad, append(slices.Clone(trail), r.Event), unanswered || r.To == FinishUnanswered)
		}
	}
	walk(Ready, false, false, nil, false)
	if paths < 40 {
		t.Fatalf("only %d paths walked", paths)
	}
}

func TestNextRefuses(t *testing.T) {
	for _, c := range []struct {
		s State
		e Event
	}{{Approved, Cancel}, {Sending, Cancel}, {Ready, HostApproved}, {"", Start}} {
		if r, err := Next(Table(), c.s, c.e); !errors.Is(err, ErrNoRow) {
			t.Errorf("%s in %q: %+v, %v", c.e, c.s, r, err)
		}
	}
}

func TestDebtTable(t *testing.T) {
	for _, r := range DebtTable() {
		if r.From.Final() {
			t.Errorf("%s is final and has a row for %s", r.From, r.Event)
		}
	}
	if _, err := NextDebt(DebtTable(), Acknowledged, DebtTurn); !errors.Is(err, ErrNoRow) {
		t.Errorf("an acknowledged debt was sent again: %v", err)
	}
	// Only the host's word, a sale that went well, or a supervisor ends a debt.
	for _, r := range DebtTable() {
		if r.To.Final() && r.Event != DebtAccepted && r.Event != DebtDischarge && r.Event != DebtWrittenOff {
			t.Errorf("%s in %s ends a debt", r.Event, r.From)
		}
	}
}

// Conclude has words for every row that ends a sale, and never says "charged" or "approved" of what is not.
func TestConcludeEveryFinalRow(t *testing.T) {
	for _, r := range Table() {
		if !r.To.Final() {
			continue
		}
		for _, k := range Kinds() {
			o := Conclude(r, Sale{Kind: k}, Outcome{}, "")
			if o.Code == "" || o.Happened == "" || o.Do == "" {
				t.Errorf("%s of a %s in %s: %+v", r.Event, k, r.From, o)
			}
			if (o.Code == CodeApproved) != (r.To == Approved) {
				t.Errorf("%s of a %s in %s ends %s and is called %s", r.Event, k, r.From, r.To, o.Code)
			}
			if k != KindSale && k != KindForced && (strings.Contains(o.Do, "charged") || k != KindPreauth && strings.Contains(o.Do, "way to pay")) {
				t.Errorf("%s of a %s in %s: %q", r.Event, k, r.From, o.Do)
			}
		}
	}
}
