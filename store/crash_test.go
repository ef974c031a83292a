//go:build linux

package store_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tillway/store/crashrecorder"
	"tillway/terminal"
)

// How many different states of the disk the crash tests look at, and which: `make crash` looks at 10000.
var (
	crashStates = flag.Int("crash.states", 150, "crash states to look at")
	crashSeed   = flag.Uint64("crash.seed", 20_261_123, "chooses them")
)

// recorded runs a scene on the recording file system and gives what it did to its files.
func recorded(t *testing.T, deaf string, scene func(r *crashrecorder.Recorder, dir string)) *crashrecorder.Recording {
	t.Helper()
	dir := t.TempDir()
	r, err := crashrecorder.Mount(dir, deaf)
	if errors.Is(err, crashrecorder.ErrUnable) {
		t.Skipf("NOT CHECKED: what a power cut leaves of the journal: %v (Linux with /dev/fuse, as root)", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer r.Drop()
	scene(r, dir)
	recording, err := r.End()
	if err != nil {
		t.Fatal(err)
	}
	return recording
}

// verdicts is what became of the states.
type verdicts struct {
	mu         sync.Mutex // guards all below
	states     int        // different in what lies on disk
	looks      int        // with those looked at again, after more was promised
	fates      map[crashrecorder.Fate]int
	violations []string
}

func (v *verdicts) add(s crashrecorder.State, found []string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.looks++
	if s.New {
		v.states++
		v.fates[s.Fate]++
	}
	for _, f := range found {
		v.violations = append(v.violations, fmt.Sprintf("power cut after operation %d (%s, %d promises): %s", s.After, s.Fate, s.Marks, f))
	}
}

// examine opens crash states with look until want different ones were seen or enough went wrong.
func examine(t *testing.T, r *crashrecorder.Recording, want, enough int, look func(dir string, s crashrecorder.State) []string) *verdicts {
	t.Helper()
	v := &verdicts{fates: map[crashrecorder.Fate]int{}}
	states := make(chan crashrecorder.State)
	var workers sync.WaitGroup
	base := inMemory(t)
	for n := range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for s := range states {
				dir := fmt.Sprintf("%s/%d", base, n)
				err := errors.Join(os.Mkdir(dir, 0o700), s.Write(dir))
				if err != nil {
					v.add(s, []string{err.Error()})
				} else {
					v.add(s, look(dir, s))
				}
				if err := os.RemoveAll(dir); err != nil {
					v.add(s, []string{err.Error()})
				}
			}
		})
	}
	for s := range r.States(*crashSeed, want) {
		states <- s
		v.mu.Lock()
		bad := len(v.violations)
		v.mu.Unlock()
		if bad >= enough {
			break
		}
	}
	close(states)
	workers.Wait()
	return v
}

// inMemory is a folder where flushes cost nothing: what is opened there was cut off before.
func inMemory(t *testing.T) string {
	t.Helper()
	if dir, err := os.MkdirTemp("/dev/shm", "tillway-crash"); err == nil { //nolint:usetesting // in memory, not where TMPDIR says
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		return dir
	}
	return t.TempDir()
}

// TestEveryPowerCut lets a terminal's whole disk work through sales, debts, settled batches, audited actions, restarts and checkpoints, and cuts
// the power everywhere: what was unflushed is lost, torn or reordered. Each state opens, holds all that was promised and
// nothing twice, and gives no number again.
func TestEveryPowerCut(t *testing.T) {
	var scene *crashScene
	recording := recorded(t, "", func(r *crashrecorder.Recorder, dir string) {
		scene = newCrashScene(t, dir, r.Mark)
		scene.play(30)
	})
	scene.promises = recording.Marks
	v := examine(t, recording, *crashStates, 20, scene.look)
	for i, violation := range v.violations {
		if i == 20 {
			break
		}
		t.Error(violation)
	}
	if v.states < *crashStates && len(v.violations) == 0 {
		t.Errorf("%d different states, want %d", v.states, *crashStates)
	}
	t.Logf("%d operations, %d flushes, %d promises: %d crash states %v, %d looked at, %d violations",
		recording.Operations(), recording.Flushes(), len(recording.Marks), v.states, v.fates, v.looks, len(v.violations))
}

// TestWeakDisksAreCaught is the control: a database that does not flush its commits, and disks that only say that they
// flush a file, each have to be found out by the same examination.
func TestWeakDisksAreCaught(t *testing.T) {
	for _, c := range []struct {
		name  string
		deaf  string
		relax bool
		want  string
	}{
		{"synchronous=NORMAL", "", true, "promised"},
		{"a deaf disk under the write-ahead log", "journal.db-wal", false, "promised"},
		{"a deaf disk under the counters", ".counter", false, "counter"},
		{"a deaf disk under the anchor", "anchor", false, "anchor"},
		{"a deaf disk under the key file", "keyd/keys", false, "keys"},
		{"a deaf disk under the witness", "witness/", false, "witness"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var scene *crashScene
			recording := recorded(t, c.deaf, func(r *crashrecorder.Recorder, dir string) {
				scene = newCrashScene(t, dir, r.Mark)
				scene.relax = c.relax
				scene.play(6)
			})
			scene.promises = recording.Marks
			v := examine(t, recording, 3000, 3, scene.look)
			if !slices.ContainsFunc(v.violations, func(s string) bool { return strings.Contains(s, c.want) }) {
				t.Errorf("%d states, and nobody noticed: %q", v.states, v.violations)
			}
		})
	}
}

// promise is all that the terminal had said, to cashier, host or audit, at one moment.
type promise struct {
	rows  int               // of the journal, on disk
	audit int               // rows of the audit log, on disk
	given map[string]uint64 // highest number, by counter
}

// line is a journal row as the scene appended it.
type line struct {
	kind                  terminal.EntryKind
	sale                  terminal.SaleID
	from, event, to, more string
}

// crashScene is a terminal at work on its disk, and what it has promised so far.
type crashScene struct {
	t     *testing.T
	dir   string
	mark  func(any)
	relax bool // synchronous=NORMAL

	*machine
	sofar    promise
	lines    []line // appended, on disk or waiting
	promises []any  // as the recording has them
}

func newCrashScene(t *testing.T, dir string, mark func(any)) *crashScene {
	return &crashScene{t: t, dir: dir, mark: mark, sofar: promise{given: map[string]uint64{}}}
}

// crashBlock is small, so that counters write often.
const crashBlock = 7

// promised says it: from now on it must survive.
func (c *crashScene) promised(change func(*promise)) {
	next := c.sofar
	next.given = maps.Clone(c.sofar.given)
	change(&next)
	c.sofar = next
	c.mark(next)
}

func (c *crashScene) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// Append notes what is appended, before, and what is then promised, after.
func (c *crashScene) Append(ctx context.Context, commit bool, entries ...terminal.Entry) error {
	for _, e := range entries {
		c.lines = append(c.lines, lineOf(e))
	}
	if err := c.Store.Append(ctx, commit, entries...); err != nil {
		return err
	}
	if commit {
		c.promised(func(p *promise) { p.rows = len(c.lines) })
	}
	return nil
}

func lineOf(e terminal.Entry) line {
	l := line{kind: e.Kind, from: string(e.From), event: e.Event, more: fmt.Sprint(e.Duties)}
	switch {
	case e.Sale != nil:
		l.sale, l.to = e.Sale.ID, string(e.Sale.State)
	case e.Debt != nil:
		l.sale, l.to = e.Debt.Sale, string(e.Debt.State)
	case e.Batch != nil:
		l.to = string(e.Batch.State)
	}
	return l
}

func lineOfRow(r terminal.JournalRow) line {
	l := line{kind: r.Kind, sale: r.Sale, from: string(r.From), event: r.Event, to: r.To, more: fmt.Sprint(r.Duties)}
	return l
}

// play is the story: so many sales of every kind, debts sent, people and actions audited, housekeeping, restarts and one
// power cut with the program alone.
func (c *crashScene) play(sales int) {
	c.t.Helper()
	c.begin()
	stories := [][]terminal.Event{
		approved, undone, refused,
		{terminal.Start, terminal.Presented, terminal.OfflineApproved},
		{terminal.Start, terminal.Presented, terminal.GoOnline, terminal.NotSent, terminal.Deferred},
		{terminal.Start, terminal.Cancel},
		{terminal.Start, terminal.Presented, terminal.GoOnline, terminal.HostApproved, terminal.CardRefuses},
	}
	putPerson(c.t, c.Store, "amal", "administrator")
	c.promised(func(p *promise) { p.audit++ })
	for n := range sales {
		c.sell(stories[n%len(stories)])
		if n%3 == 1 {
			c.settle(n)
		}
		if n%8 == 6 {
			c.endBatch()
		}
		c.keepHouse(n)
		switch n % 10 {
		case 4: // in the middle of a sale, and only the program ends
			c.sell(stories[0][:2+n%3])
			c.must(c.cut())
			c.lines = c.lines[:c.sofar.rows]
			c.begin()
		case 9:
			c.must(c.close())
			c.begin()
		}
	}
	c.must(c.close())
}

func (c *crashScene) begin() {
	c.t.Helper()
	m, err := boot(c.dir)
	c.must(err)
	c.machine = m
	if c.relax {
		c.must(c.Relax(c.t.Context()))
	}
	_, err = m.recover(c.t.Context(), c)
	c.must(err)
}

// sell makes one sale as the lane does: number, trace number, then its story.
func (c *crashScene) sell(story []terminal.Event) {
	c.t.Helper()
	ctx := c.t.Context()
	id, err := c.sales.Next(ctx)
	c.must(err)
	c.promised(func(p *promise) { p.given["sale"] = id })
	k := newTeller(c.t, c.Store, terminal.SaleID(id))
	for _, event := range story {
		if event == terminal.GoOnline || event == terminal.OfflineApproved {
			stan, err := c.traces.Next(ctx)
			c.must(err)
			c.promised(func(p *promise) { p.given["stan"] = stan })
			k.sale.STAN, k.sale.Invoice = uint32(stan), uint32(stan)
		}
		e, commit := k.entry(event)
		c.must(c.Append(ctx, commit, e))
	}
}

// settle sends what is due, as the owner does; now and then the host does not answer, or refuses.
func (c *crashScene) settle(n int) {
	c.t.Helper()
	for i, d := range due(c.t, c.Store) {
		last := []terminal.DebtEvent{terminal.DebtAccepted, terminal.DebtNoAnswer, terminal.DebtAccepted, terminal.DebtRefused}[(n+i)%4]
		for _, event := range []terminal.DebtEvent{terminal.DebtTurn, last} {
			if event == terminal.DebtTurn && d.State == terminal.Sent {
				continue
			}
			r, err := terminal.NextDebt(terminal.DebtTable(), d.State, event)
			c.must(err)
			d.State = r.To
			now := d
			c.must(c.Append(c.t.Context(), true, terminal.Entry{Time: crashTime, Kind: terminal.DebtEntry, Event: string(event), Debt: &now}))
		}
	}
}

// endBatch ends the open batch as the owner does when the host has the same totals: its card data goes, and once nothing is
// owed under it, its key.
func (c *crashScene) endBatch() {
	c.t.Helper()
	ctx := c.t.Context()
	number, err := c.Batch(ctx, acquirer)
	c.must(err)
	b, err := c.BatchRecord(ctx, acquirer, number)
	c.must(err)
	for _, event := range []terminal.BatchEvent{terminal.BatchSettle, terminal.BatchDrained, terminal.BatchInBalance} {
		r, err := terminal.NextBatch(terminal.BatchTable(), b.State, event)
		c.must(err)
		b.State = r.To
		now := b
		c.must(c.Append(ctx, true, terminal.Entry{Time: crashTime, Kind: terminal.BatchEntry, Event: string(event), Batch: &now}))
	}
}

var crashTime = time.Date(2026, 3, 1, 12, 30, 0, 0, time.UTC)

// keepHouse does what the daemon does between sales.
func (c *crashScene) keepHouse(n int) {
	c.t.Helper()
	ctx := c.t.Context()
	audited(c.t, c.Store, 1)
	c.promised(func(p *promise) { p.audit++ })
	c.must(c.sales.Refill(ctx))
	c.must(c.traces.Refill(ctx))
	c.must(c.Upkeep(ctx))
	if n%4 == 3 {
		c.must(c.Checkpoint(ctx))
	}
}
