package main

import (
	"context"
	"flag"
	"fmt"
	"hash/fnv"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"tillway/terminal"
)

var (
	simSeeds = flag.Int("sim.seeds", 150, "seeds to run")
	simSeed  = flag.Uint64("sim.seed", 1, "first seed")
	simStory = flag.Bool("sim.story", false, "print every seed's story")
)

const (
	simSales    = 12  // orders of a seed
	simMaxBoots = 400 // of a seed
	simLastBoot = 1 << 40
)

// tally is what many seeds came to.
type tally struct {
	seeds, sales, boots int
	faults, states      map[string]int
	violations          []string
}

func (t *tally) add(w *world, boots int, violations []string) {
	t.seeds++
	t.sales += simSales
	t.boots += boots
	for k, n := range w.faults {
		t.faults[k] += n
	}
	for k, n := range w.states {
		t.states[k] += n
	}
	t.violations = append(t.violations, violations...)
}

// simulate runs one seed: orders under faults and power cuts, then a calm boot that must settle everything, then the
// checker.
func simulate(t *testing.T, dir string, seed uint64, table []terminal.Row, debts []terminal.DebtRow, change ...func(*world)) (w *world, boots int, violations []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var err error
		if w, err = newWorld(seed, dir, table, debts); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = os.RemoveAll(w.dir) }()
		for _, f := range change {
			f(w)
		}
		cuts, c := w.rand(4), &cashier{w: w, rand: w.rand(5), total: simSales}
		for finished := false; !finished && w.defect == nil; boots++ {
			if boots > simMaxBoots {
				w.fail(fmt.Errorf("%d boots and still %d orders of %d", boots, c.next, c.total))
				break
			}
			if finished, err = w.boot(t.Context(), 1+cuts.IntN(90), cuts.IntN(5) == 0, c.work); err != nil {
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
	return w, boots, violations
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

// TestSim is the seeded simulation of the whole terminal: cashier, customer, card, reader, journal on disk, link, network
// and host, with faults everywhere and power cuts anywhere.
func TestSim(t *testing.T) {
	dir := simDir(t)
	sum := &tally{faults: map[string]int{}, states: map[string]int{}}
	var mu sync.Mutex
	t.Run("seeds", func(t *testing.T) {
		for worker := range 2 {
			t.Run(fmt.Sprint(worker), func(t *testing.T) {
				t.Parallel()
				for i := worker; i < *simSeeds; i += 2 {
					w, boots, violations := simulate(t, dir, *simSeed+uint64(i), nil, nil)
					mu.Lock()
					if *simStory {
						fmt.Println(strings.Join(w.lines, "\n"))
					}
					sum.add(w, boots, violations)
					mu.Unlock()
				}
			})
		}
	})
	for i, v := range sum.violations {
		if i == 10 {
			t.Errorf("and %d more", len(sum.violations)-i)
			break
		}
		t.Error(v)
	}
	report(sum)
}

func report(s *tally) {
	faults := 0
	for _, k := range slices.Sorted(maps.Keys(s.faults)) {
		fmt.Printf("fault %-40s %d\n", k, s.faults[k])
		faults += s.faults[k]
	}
	for _, k := range slices.Sorted(maps.Keys(s.states)) {
		fmt.Printf("state %-40s %d\n", k, s.states[k])
	}
	fmt.Printf("boots=%d\n", s.boots)
	fmt.Printf("seeds=%d sales=%d faults=%d states=%d violations=%d\n", s.seeds, s.sales, faults, len(s.states), len(s.violations))
}

// TestSimOneSeedOneStory runs a seed several times: the same lines, times and bytes each time.
func TestSimOneSeedOneStory(t *testing.T) {
	dir := simDir(t)
	for seed := *simSeed; seed < *simSeed+6; seed++ {
		var first []string
		for range 5 {
			w, _, _ := simulate(t, dir, seed, nil, nil)
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
			w, err := newWorld(seed, dir, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			w.calm.Store(true)
			if _, err := w.boot(t.Context(), simLastBoot, false, func(ctx context.Context, s *stack) bool {
				sale, err := s.lane.Start(ctx, terminal.Order{Kind: terminal.KindSale, Amount: simAmount(w.rand(5), true), Key: "once"})
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
