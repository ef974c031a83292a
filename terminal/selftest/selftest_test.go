package selftest_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"tillway/terminal/selftest"
)

// TestFaultTable holds the table to its own rules: an id once, a check that there is, and words to act on.
func TestFaultTable(t *testing.T) {
	snake := regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
	seen := map[string]bool{}
	for _, r := range selftest.Faults() {
		switch {
		case seen[r.ID]:
			t.Errorf("%s is there twice", r.ID)
		case !snake.MatchString(r.ID):
			t.Errorf("%q is no snake case", r.ID)
		case !slices.Contains(selftest.Checks(), r.Check):
			t.Errorf("%s: there is no check %q", r.ID, r.Check)
		case r.Status != selftest.Fault && r.Status != selftest.Warning:
			t.Errorf("%s: a fault is never %q", r.ID, r.Status)
		case r.What == "" || strings.HasSuffix(r.What, "."):
			t.Errorf("%s: what it is in general is a few words: %q", r.ID, r.What)
		case !strings.HasSuffix(r.Fix, ".") || strings.Contains(r.Fix, "\n"):
			t.Errorf("%s: the remedy is one sentence: %q", r.ID, r.Fix)
		}
		seen[r.ID] = true
	}
}

// TestFaultsPage holds docs/faults.md to the table: each fault has one row there, with its check, status, words and remedy, in the
// table's order, and the page has no other.
func TestFaultsPage(t *testing.T) {
	text, err := os.ReadFile("../../docs/faults.md")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "| `") {
			got = append(got, strings.TrimSpace(line))
		}
	}
	for i, r := range selftest.Faults() {
		want := "| `" + r.ID + "` | " + strings.Join([]string{r.Check, string(r.Status), r.What, r.Fix}, " | ") + " |"
		if i >= len(got) {
			t.Errorf("docs/faults.md lacks\n%s", want)
		} else if got[i] != want {
			t.Errorf("docs/faults.md, row %d, is\n%s\nand the table says\n%s", i+1, got[i], want)
		}
	}
	for _, row := range got[min(len(got), len(selftest.Faults())):] {
		t.Errorf("docs/faults.md has a row that the table has not: %s", row)
	}
}

func TestReportCounts(t *testing.T) {
	began := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	r := selftest.NewReport(began, time.Second, "test", true, []selftest.Finding{
		selftest.Missed(selftest.Printer, "", "there is none"),
		selftest.Bad("host_closed", "127.0.0.1:1", "Nobody listens at 127.0.0.1:1."),
		selftest.Bad("disk_low", "/state", "5 MiB are free.").Do("Delete old logs."),
		selftest.Good(selftest.Clock, "", "0 s"),
	})
	if r.Faults != 1 || r.Warnings != 1 || r.Missed != 1 || len(r.Findings) != 4 {
		t.Errorf("%+v", r)
	}
	if r.Findings[0].Fault != "disk_low" || r.Findings[0].Fix != "Delete old logs." || r.Findings[0].Status != selftest.Warning {
		t.Errorf("the first in the order of the checks is %+v", r.Findings[0])
	}
	if f := r.Findings[2]; f.Fix == "" || f.Check != selftest.Host {
		t.Errorf("%+v has not what the table says of it", f)
	}
}

// TestUnknownFault: an id that no row has is a defect, not a finding that nobody can look up.
func TestUnknownFault(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("an unknown fault was found")
		}
	}()
	selftest.Bad("no_such_fault", "", "")
}
