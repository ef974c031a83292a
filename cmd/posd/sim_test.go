package main

import (
	"context"
	"flag"
	"fmt"
	"hash/fnv"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"tillway/terminal"
)

var (
	simSeeds = flag.Int("sim.seeds", usual(120, 40), "seeds with the journal in memory")
	simDeep  = flag.Int("sim.deep", usual(4, 1), "seeds with the journal in SQLite")
	simSeed  = flag.Uint64("sim.seed", 1, "first seed of both")
	simStory = flag.Bool("sim.story", false, "print every seed's story")
)

const (
	simOrders        = 20  // of a seed in memory
	simDeepOrders    = 200 // of a seed in SQLite
	simBootsPerOrder = 20  // at most
	simLastBoot      = 1 << 40
)

// usual is how many seeds a test run takes that does not say, and how many with the race detector.
func usual(most, detected int) int {
	if raced {
		return detected
	}
	return most
}

// shallow and deep are the two plans of a seed.
func shallow(seed uint64) plan { return plan{seed: seed, orders: simOrders} }

func deep(seed uint64) plan { return plan{seed: seed, orders: simDeepOrders, files: true} }

// steps is the most that a boot goes through before its power is cut, unless something brings that nearer. A start costs more with SQLite.
func (p plan) steps() int {
	if p.files {
		return 400
	}
	return 90
}

// tally is what many seeds came to.
type tally struct {
	mu           sync.Mutex // guards what follows
	seeds, sales int
	boots        int

	faults, cuts, states map[string]int
	violations           []string
	told                 int // stories printed
}

func newTally() *tally {
	return &tally{faults: map[string]int{}, cuts: map[string]int{}, states: map[string]int{}}
}

func (t *tally) add(w *world, violations []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seeds++
	t.sales += w.orders
	t.boots += w.boots
	for _, m := range []struct{ to, from map[string]int }{{t.faults, w.faults}, {t.cuts, w.cuts}, {t.states, w.states}} {
		for k, n := range m.from {
			m.to[k] += n
		}
	}
	t.violations = append(t.violations, violations...)
}

// simulate runs one seed: orders under faults and power cuts, then a calm boot that must settle everything, then the
// checker.
func simulate(t *testing.T, dir string, p plan) (w *world, violations []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var err error
		if w, err = newWorld(dir, p); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = os.RemoveAll(w.dir) }()
		cuts, c := w.rand(4), &cashier{w: w, rand: w.rand(5), aside: w.rand(12), total: p.orders}
		for finished := false; !finished && w.defect == nil; {
			if w.boots > simBootsPerOrder*(1+p.orders) {
				w.fail(fmt.Errorf("%d boots and still %d orders of %d", w.boots, c.next, c.total))
				break
			}
			if finished, err = w.boot(t.Context(), 1+cuts.IntN(p.steps()), cuts.IntN(5) == 0, c.work); err != nil {
				w.fail(err)
			}
		}
		w.calm.Store(true)
		if w.defect == nil {
			if _, err := w.boot(t.Context(), simLastBoot, false, c.drain); err != nil {
				w.fail(err)
			}
		}
		w.hosts.Wait()
		violations = w.check(t.Context())
	})
	return w, violations
}

// simDir is memory where the machine offers it: the simulation's power cuts are between writes, not inside them.
func simDir(t *testing.T) string {
	t.Helper()
	if dir, err := os.MkdirTemp("/dev/shm", "tillway-sim"); err == nil { //nolint:usetesting // in memory, not where TMPDIR says
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		return dir
	}
	return t.TempDir()
}

// TestSim is the seeded simulation of the whole terminal: cashier, customer, card, reader, journal, link, network and two
// hosts, with faults everywhere and power cuts anywhere. Many seeds keep their journal in memory; some, longer ones, in SQLite.
func TestSim(t *testing.T) {
	dir, sum := simDir(t), newTally()
	var todo []plan
	for i := range *simDeep {
		todo = append(todo, deep(*simSeed+uint64(i))) //nolint:gosec // a count
	}
	for i := range *simSeeds {
		todo = append(todo, shallow(*simSeed+uint64(i))) //nolint:gosec // a count
	}
	var next atomic.Int64
	t.Run("seeds", func(t *testing.T) {
		for worker := range 2 {
			t.Run(fmt.Sprint(worker), func(t *testing.T) {
				t.Parallel()
				mine := filepath.Join(dir, fmt.Sprint(worker))
				for i := next.Add(1) - 1; i < int64(len(todo)); i = next.Add(1) - 1 {
					w, violations := simulate(t, mine, todo[i])
					if *simStory {
						fmt.Println(strings.Join(w.lines, "\n"))
					}
					sum.add(w, violations)
					if len(violations) > 0 {
						sum.explain(t, mine, todo[i], violations)
					}
				}
			})
		}
	})
	sum.report()
}

// report prints the histograms and, last, the line that programs read.
func (t *tally) report() {
	faults := 0
	for _, part := range []struct {
		name string
		of   map[string]int
	}{{"fault", t.faults}, {"at", t.cuts}, {"state", t.states}} {
		for _, k := range slices.Sorted(maps.Keys(part.of)) {
			fmt.Printf("%-5s %-60s %d\n", part.name, k, part.of[k])
		}
	}
	for _, n := range t.faults {
		faults += n
	}
	fmt.Printf("boots=%d\n", t.boots)
	fmt.Printf("seeds=%d sales=%d faults=%d states=%d violations=%d\n", t.seeds, t.sales, faults, len(t.states), len(t.violations))
}

// TestSimOneSeedOneStory runs a seed several times: the same lines, times and bytes each time.
func TestSimOneSeedOneStory(t *testing.T) {
	dir := simDir(t)
	for _, p := range []plan{shallow(*simSeed), shallow(*simSeed + 1), shallow(*simSeed + 2), shallow(*simSeed + 3), shallow(*simSeed + 4), deep(*simSeed), deep(*simSeed + 1)} {
		var first []string
		seed, times := p.seed, 5
		if p.files {
			times = 2
		}
		for range times {
			w, _ := simulate(t, dir, p)
			if first == nil {
				first = w.lines
				h := fnv.New64a()
				_, _ = h.Write([]byte(strings.Join(first, "\n")))
				t.Logf("seed %d: %d lines, %x", seed, len(first), h.Sum64())
				continue
			}
			for i := range max(len(first), len(w.lines)) {
				if i >= len(first) || i >= len(w.lines) || first[i] != w.lines[i] {
					t.Fatalf("seed %d told two stories, from line %d:\n%s\n%s", seed, i, at(first, i), at(w.lines, i))
				}
			}
		}
	}
}

func at(lines []string, i int) string {
	if i >= len(lines) {
		return "(end)"
	}
	return lines[i]
}

// TestStopWaitsForTheBank stops the daemon while a request is with the bank: the sale gets its answer first.
func TestStopWaitsForTheBank(t *testing.T) {
	dir, ends := simDir(t), map[string]int{}
	for seed := uint64(1); seed <= 20; seed++ {
		synctest.Test(t, func(t *testing.T) {
			w, err := newWorld(dir, plan{seed: seed, files: true})
			if err != nil {
				t.Fatal(err)
			}
			w.calm.Store(true)
			if _, err := w.boot(t.Context(), simLastBoot, false, func(ctx context.Context, s *stack) bool {
				sale, err := s.lane.Start(ctx, terminal.Order{Kind: terminal.KindSale, Amount: simAmount(w.rand(5), true, false), Key: "once"})
				if err != nil {
					t.Error(err)
				}
				for seen, state := uint64(0), sale.State; state != terminal.Sending && !state.Final() && err == nil; {
					var snap terminal.Snapshot
					snap, err = s.lane.Watch(ctx, seen)
					seen, state = snap.Version, snap.State
				}
				return true
			}); err != nil {
				t.Fatal(err)
			}
			w.hosts.Wait()
			d, err := openDisk(t.Context(), w.dir, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = d.close() }()
			last, err := d.journal.Last(t.Context(), 1)
			if err != nil || len(last) != 1 {
				t.Fatalf("seed %d: %d sales, %v", seed, len(last), err)
			}
			ends[last[0].Outcome.Code]++
		})
	}
	if ends[terminal.CodeApproved] == 0 || ends[terminal.CodeNoAnswer] != 0 || ends[""] != 0 {
		t.Errorf("the sales ended %v", ends)
	}
}
