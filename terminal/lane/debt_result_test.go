package lane

import (
	"testing"

	"tillway/money"
	"tillway/terminal"
)

// An approval of less than was asked for, of a request that was kept: nobody can be asked for the rest any more. It is for people to
// decide, and never taken for an approval of all.
func TestKeptRequestApprovedInPart(t *testing.T) {
	kwd := money.Currency{Code: "KWD", Numeric: 414, Exponent: 3}
	for _, c := range []struct {
		name string
		res  terminal.Response
		want terminal.DebtEvent
		rrn  string
	}{
		{"all of it", terminal.Response{Verdict: terminal.VerdictApproved, Code: "00", RRN: "620410000123"}, terminal.DebtAccepted, "620410000123"},
		{"a part", terminal.Response{Verdict: terminal.VerdictApproved, Code: "10", RRN: "620410000123", Approved: money.New(5_000, kwd)}, terminal.DebtRefused, ""},
		{"nothing", terminal.Response{Verdict: terminal.VerdictDeclined, Code: "51"}, terminal.DebtRefused, ""},
	} {
		d := terminal.Debt{Kind: terminal.DeferredDebt}
		got := (&Owner{}).debtResult(&d, exchanged{res: c.res})
		if got.event != c.want || d.RRN != c.rrn {
			t.Errorf("%s: %s (%s), reference %q", c.name, got.event, got.reason, d.RRN)
		}
	}
}
