package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"tillway/terminal"
)

// unreachable says why nothing in the simulation reaches a row, where nothing does. Every other row of the tables must be caught when
// it is switched off.
func unreachable(r terminal.Row) string {
	switch {
	case r.Event == terminal.AgreementNeeded && (r.From == terminal.FinishUnable || r.From == terminal.FinishUnanswered):
		return "no simulated card approves alone after the bank was asked, and has its holder sign: TestSignatureRows in terminal/lane"
	case r.Event == terminal.OtherInterface:
		return "there is one interface"
	case r.From == terminal.FinishDeclined && r.Event == terminal.CardAgrees:
		return "no card approves what the host declined"
	}
	return ""
}

func debtUnreachable(r terminal.DebtRow) string {
	if r.Event == terminal.DebtDischarge {
		return "the store does it, with the sale's row: -R is switched off instead"
	}
	return ""
}

func batchUnreachable(r terminal.BatchRow) string {
	if r.Event == terminal.BatchDiffers {
		return "a host of this dialect closes no batch with other totals"
	}
	if r.Event == terminal.BatchOutOfBalance && r.From == terminal.BatchClosing {
		return "behind an upload, this dialect has other totals refused: RefusedForGood in Closing is switched off instead"
	}
	return ""
}

// breakage is one rule of the tables, switched off.
type breakage struct {
	name    string
	row     string // that has to be taken before anything can be seen
	table   []terminal.Row
	debts   []terminal.DebtRow
	batches []terminal.BatchRow
}

func breakages() []breakage {
	var all []breakage
	full := terminal.Table()
	for i, r := range full {
		if unreachable(r) != "" {
			continue
		}
		name, row := fmt.Sprintf("%s in %s", r.Event, r.From), string(r.From)+" "+string(r.Event)
		all = append(all, breakage{name: name + ": no row", row: row, table: slices.Delete(slices.Clone(full), i, i+1)})
		for _, d := range r.Duties {
			t := slices.Clone(full)
			t[i].Duties = slices.DeleteFunc(slices.Clone(r.Duties), func(x terminal.Duty) bool { return x == d })
			all = append(all, breakage{name: fmt.Sprintf("%s: no %s", name, d), row: row, table: t})
		}
		// Recovery commits in any case: its rows' own star is the same commit.
		if r.Commit && r.Event != terminal.PowerLost {
			t := slices.Clone(full)
			t[i].Commit = false
			all = append(all, breakage{name: name + ": no commit", row: row, table: t})
		}
	}
	debts := terminal.DebtTable()
	for i, r := range debts {
		if debtUnreachable(r) == "" {
			all = append(all, breakage{
				name: fmt.Sprintf("debt: %s in %s: no row", r.Event, r.From), row: "debt " + string(r.Event), debts: slices.Delete(slices.Clone(debts), i, i+1),
			})
		}
	}
	batches := terminal.BatchTable()
	for i, r := range batches {
		if batchUnreachable(r) == "" {
			all = append(all, breakage{
				name: fmt.Sprintf("batch: %s in %s: no row", r.Event, r.From), row: fmt.Sprintf("batch %s %s", r.Event, r.To),
				batches: slices.Delete(slices.Clone(batches), i, i+1),
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

// rowSeeds is how many seeds may be looked through for one that notices.
const rowSeeds = 1000

// taken says which seeds take each row of the tables, when nothing is switched off: until it takes the row, a seed with the row switched
// off is the same story.
func taken(t *testing.T, dir string) map[string][]uint64 {
	t.Helper()
	var mu sync.Mutex
	found := map[string][]uint64{}
	t.Run("seeds", func(t *testing.T) {
		for worker := range uint64(2) {
			t.Run(fmt.Sprint(worker), func(t *testing.T) {
				t.Parallel()
				for seed := 1 + worker; seed <= rowSeeds; seed += 2 {
					w, _ := simulate(t, fmt.Sprintf("%s/taken%d", dir, worker), shallow(seed))
					mu.Lock()
					for row := range w.rows {
						found[row] = append(found[row], seed)
					}
					mu.Unlock()
				}
			})
		}
	})
	for _, seeds := range found {
		slices.Sort(seeds)
	}
	return found
}

// TestSimCatchesEveryRow switches each rule of the tables off, one at a time, and runs seeds until the checker finds it. Seeds that
// caught it before are tried first.
func TestSimCatchesEveryRow(t *testing.T) {
	if raced {
		t.Skip("under the race detector the same terminal runs in TestSim; the rows are for `make test` and `make sim`")
	}
	dir, known := simDir(t), caughtBy(t)
	try := func(t *testing.T, i int, b breakage, seed uint64) bool {
		t.Helper()
		p := shallow(seed)
		p.table, p.debts, p.batches = b.table, b.debts, b.batches
		_, violations := simulate(t, fmt.Sprintf("%s/%d", dir, i), p)
		if len(violations) > 0 {
			t.Logf("%s\t%d\tcaught: %s", b.name, seed, violations[0])
		}
		return len(violations) > 0
	}
	var missed []int
	var mu sync.Mutex
	all := breakages()
	t.Run("as before", func(t *testing.T) {
		for i, b := range all {
			t.Run(b.name, func(t *testing.T) {
				t.Parallel()
				if seed := known[b.name]; seed == 0 || !try(t, i, b, seed) {
					mu.Lock()
					defer mu.Unlock()
					missed = append(missed, i)
				}
			})
		}
	})
	if len(missed) == 0 {
		return
	}
	slices.Sort(missed)
	seeds := taken(t, dir)
	for _, i := range missed {
		t.Run(all[i].name, func(t *testing.T) {
			t.Parallel()
			if !slices.ContainsFunc(seeds[all[i].row], func(seed uint64) bool { return try(t, i, all[i], seed) }) {
				t.Errorf("switched off, and of %d seeds, of which %d take it, none notices", rowSeeds, len(seeds[all[i].row]))
			}
		})
	}
}
