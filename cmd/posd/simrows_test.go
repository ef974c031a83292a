package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"tillway/terminal"
)

// notYet are the rows that nothing can reach before the parts they belong to exist, with the part's name. Everything else
// in the tables must be caught when it is switched off.
func notYet(r terminal.Row) string {
	switch {
	case r.Event == terminal.OfflineApproved, r.Event == terminal.CardApproves:
		return "offline approvals need store-and-forward"
	case r.Event == terminal.AgreementNeeded, r.From == terminal.AgreementOnline, r.From == terminal.AgreementOffline:
		return "no simulated customer signs: TestSignatureRows in terminal/lane switches these off"
	case r.Event == terminal.OtherInterface:
		return "there is one interface"
	case r.From == terminal.FinishDeclined && r.Event == terminal.CardAgrees:
		return "no card approves what the host declined"
	}
	return ""
}

func debtNotYet(r terminal.DebtRow) string {
	switch r.Event {
	case terminal.DebtDischarge:
		return "the store does it, with the sale's row: -R is switched off instead"
	case terminal.DebtRefused, terminal.DebtRequeued, terminal.DebtWrittenOff:
		return "no simulated host refuses a reversal for good: TestParkedDebt… in terminal/lane takes these"
	case terminal.DebtTryLater:
		return "the simulated host takes every reversal that reaches it"
	case terminal.DebtTurn, terminal.DebtAccepted, terminal.DebtNoAnswer, terminal.DebtPowerLost:
	}
	return ""
}

// breakage is one rule of the tables, switched off.
type breakage struct {
	name  string
	table []terminal.Row
	debts []terminal.DebtRow
}

func breakages() []breakage {
	var all []breakage
	full := terminal.Table()
	for i, r := range full {
		if notYet(r) != "" {
			continue
		}
		name := fmt.Sprintf("%s in %s", r.Event, r.From)
		all = append(all, breakage{name: name + ": no row", table: slices.Delete(slices.Clone(full), i, i+1)})
		for _, d := range r.Duties {
			t := slices.Clone(full)
			t[i].Duties = slices.DeleteFunc(slices.Clone(r.Duties), func(x terminal.Duty) bool { return x == d })
			all = append(all, breakage{name: fmt.Sprintf("%s: no %s", name, d), table: t})
		}
		// Recovery commits in any case: its rows' own star is the same commit.
		if r.Commit && r.Event != terminal.PowerLost {
			t := slices.Clone(full)
			t[i].Commit = false
			all = append(all, breakage{name: name + ": no commit", table: t})
		}
	}
	debts := terminal.DebtTable()
	for i, r := range debts {
		if debtNotYet(r) == "" {
			all = append(all, breakage{
				name: fmt.Sprintf("debt: %s in %s: no row", r.Event, r.From), debts: slices.Delete(slices.Clone(debts), i, i+1),
			})
		}
	}
	return all
}

// caughtBy are the seeds that caught each breakage before: tried first, because a search through a thousand is long.
func caughtBy(t *testing.T) map[string]uint64 {
	t.Helper()
	text, err := os.ReadFile("testdata/caught.tsv")
	if err != nil {
		t.Fatal(err)
	}
	seeds := map[string]uint64{}
	for line := range strings.Lines(string(text)) {
		name, seed, ok := strings.Cut(strings.TrimSpace(line), "\t")
		if strings.HasPrefix(line, "#") || !ok {
			continue
		}
		if seeds[name], err = strconv.ParseUint(seed, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	return seeds
}

// TestSimCatchesEveryRow switches each rule of the tables off, one at a time, and runs seeds until the checker finds it.
func TestSimCatchesEveryRow(t *testing.T) {
	const seeds = 1000
	dir, known := simDir(t), caughtBy(t)
	for i, b := range breakages() {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			try := func(seed uint64) bool {
				p := shallow(seed)
				p.table, p.debts = b.table, b.debts
				_, violations := simulate(t, fmt.Sprintf("%s/%d", dir, i), p)
				if len(violations) > 0 {
					t.Logf("%s\t%d\tcaught: %s", b.name, seed, violations[0])
				}
				return len(violations) > 0
			}
			if seed := known[b.name]; seed != 0 && try(seed) {
				return
			}
			for seed := uint64(1); seed <= seeds; seed++ {
				if try(seed) {
					return
				}
			}
			t.Errorf("switched off, and %d seeds do not notice", seeds)
		})
	}
}
