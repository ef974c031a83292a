package explain_test

import (
	"strings"
	"testing"
	"time"

	"tillway/money"
	"tillway/terminal"
	"tillway/terminal/explain"
)

// Whatever a sale is and whatever became of what it owed, there is one standing, a sentence for staff and one for the customer, every one
// of them whole; and money that the bank may have booked is never called settled between the two.
func TestEveryStoryIsWhole(t *testing.T) {
	kwd := money.Currency{Code: "KWD", Numeric: 414, Exponent: 3}
	debtStates := []terminal.DebtState{"", terminal.Owed, terminal.Sent, terminal.Parked, terminal.Acknowledged, terminal.Discharged, terminal.WrittenOff}
	batches := []terminal.BatchState{terminal.BatchOpen, terminal.BatchDraining, terminal.BatchTotalling, terminal.BatchUploading, terminal.BatchClosing, terminal.BatchDisputed, terminal.BatchClosed}
	states := []terminal.State{terminal.AwaitCard, terminal.CardTalk, terminal.Sending, terminal.Asking, terminal.FinishApproved, terminal.AgreementOnline, terminal.Approved, terminal.Declined, terminal.Cancelled, terminal.Reversed}
	seen := map[explain.Standing]bool{}
	for _, kind := range terminal.Kinds() {
		for _, state := range states {
			for _, debt := range debtStates {
				for _, owes := range []terminal.DebtKind{terminal.ReversalDebt, terminal.AdviceDebt, terminal.DeferredDebt} {
					for _, batch := range batches {
						f := explain.Facts{Sale: terminal.Sale{
							ID: 7, Kind: kind, State: state, Of: 6, Amount: money.New(1000, kwd), Outcome: terminal.Outcome{Happened: "It happened.", Do: "Do it."},
						}, Batch: terminal.Batch{Number: 3, State: batch, Closed: time.Unix(0, 0)}}
						if debt != "" {
							f.Debts = []terminal.Debt{{ID: 1, Kind: owes, State: debt, Attempts: 2, Reason: "because."}}
						}
						s := explain.Tell(f)
						seen[s.Standing] = true
						for _, text := range []string{s.Now, s.Tell} {
							if text == "" {
								t.Fatalf("%s %s %s %s: nothing is said: %+v", kind, state, owes, debt, s)
							}
						}
						for _, text := range []string{s.Now, s.Next, s.Do, s.Tell} {
							if text != "" && (!strings.HasSuffix(text, ".") || strings.Contains(text, "..") || strings.Contains(text, "  ")) {
								t.Fatalf("%q is no whole sentence", text)
							}
						}
						confirmed := owes == terminal.ReversalDebt && debt == terminal.Acknowledged
						if state == terminal.Reversed && (s.Standing == explain.Reversed) != confirmed {
							t.Fatalf("%s with its reversal %q: %s", state, debt, s.Standing)
						}
						if s.Standing == explain.Parked && s.Do == "" || s.Standing == explain.Stuck && s.Do == "" {
							t.Fatalf("%s: nobody is told what to do", s.Standing)
						}
					}
				}
			}
		}
	}
	for _, want := range []explain.Standing{
		explain.Running, explain.Approved, explain.Held, explain.Waiting, explain.Deferred, explain.Parked, explain.WrittenOff, explain.Declined, explain.Cancelled,
		explain.Unknown, explain.Reversed, explain.Stuck,
	} {
		if !seen[want] {
			t.Errorf("nothing is %s", want)
		}
	}
}

// Rows become debts: a duty without a row of its own is owed, one that was discharged is, and the newest row of a debt says how it stands.
func TestDebtsOfRows(t *testing.T) {
	at := time.Unix(100, 0)
	row := func(d terminal.DebtState, kind terminal.DebtKind, id int64) terminal.JournalRow {
		return terminal.JournalRow{Time: at, Kind: terminal.DebtEntry, To: string(d), Debt: &terminal.Debt{ID: id, Kind: kind, Attempts: 1}}
	}
	for name, c := range map[string]struct {
		rows []terminal.JournalRow
		want string
	}{
		"owed":       {[]terminal.JournalRow{{Duties: []terminal.Duty{terminal.OweReversal}}}, "reversal Owed"},
		"discharged": {[]terminal.JournalRow{{Duties: []terminal.Duty{terminal.OweReversal}}, {Duties: []terminal.Duty{terminal.DischargeReversal}}}, "reversal Discharged"},
		"captured":   {[]terminal.JournalRow{{Duties: []terminal.Duty{terminal.OweReversal}}, {Duties: []terminal.Duty{terminal.DischargeReversal, terminal.OweAdvice}}}, "reversal Discharged, advice Owed"},
		"told":       {[]terminal.JournalRow{{Duties: []terminal.Duty{terminal.OweAdvice}}, row(terminal.Sent, terminal.AdviceDebt, 5), row(terminal.Acknowledged, terminal.AdviceDebt, 5)}, "advice Acknowledged"},
		"sent again": {[]terminal.JournalRow{{Duties: []terminal.Duty{terminal.OweAdvice}}, row(terminal.Parked, terminal.AdviceDebt, 5), row(terminal.Owed, terminal.AdviceDebt, 5)}, "advice Owed"},
		"only rows":  {[]terminal.JournalRow{row(terminal.Sent, terminal.ReversalDebt, 5)}, "reversal Sent"},
	} {
		var got []string
		for _, d := range explain.Debts(c.rows) {
			got = append(got, string(d.Kind)+" "+string(d.State))
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%s: %s, want %s", name, strings.Join(got, ", "), c.want)
		}
	}
}
