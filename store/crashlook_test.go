//go:build linux

package store_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"tillway/device/secure"
	"tillway/store"
	"tillway/store/crashrecorder"
	"tillway/terminal"
	"tillway/terminal/lane"
)

// machine is everything that a terminal has on disk, opened in the order in which the daemon opens it.
type machine struct {
	*store.Store
	keys          *secure.File
	sales, traces *store.Counter
	highest       *secure.Witness
	said          *bytes.Buffer // warnings
}

// boot opens the disk under dir, or makes it: a state folder, and a witness outside it.
func boot(dir string) (m *machine, err error) {
	ctx, state := context.Background(), filepath.Join(dir, "state")
	m = &machine{said: &bytes.Buffer{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.close())
		}
	}()
	if err := store.MakeFolder(filepath.Join(state, "keyd")); err != nil {
		return m, err
	}
	journal := filepath.Join(state, "journal.db")
	_, err = os.Stat(journal)
	first, counter := errors.Is(err, os.ErrNotExist), store.OpenCounter
	if first {
		counter = store.CreateCounter
	}
	if m.keys, err = secure.Start(ctx, secure.Options{
		Path: filepath.Join(state, "keyd", "keys"), First: first, Witness: filepath.Join(dir, "witness", "keys"),
	}); err != nil {
		return m, fmt.Errorf("keys: %w", err)
	}
	if m.sales, err = counter(filepath.Join(state, "sale.counter"), crashBlock); err != nil {
		return m, err
	}
	if m.traces, err = counter(filepath.Join(state, "stan.counter"), crashBlock); err != nil {
		return m, err
	}
	log := slog.New(slog.NewTextHandler(m.said, &slog.HandlerOptions{Level: slog.LevelWarn}))
	if m.Store, err = store.Open(ctx, store.Config{Path: journal, Sealer: m.keys, Log: log, Token: tokens(m.keys)}); err != nil {
		return m, err
	}
	last, err := m.Highest(ctx)
	if err != nil {
		return m, err
	}
	if err := m.sales.Raise(ctx, uint64(last)); err != nil {
		return m, err
	}
	return m, m.witness(ctx, filepath.Join(dir, "witness", "counters"))
}

func (m *machine) witness(ctx context.Context, path string) (err error) {
	if m.highest, err = secure.OpenWitness(path); err != nil {
		return err
	}
	return errors.Join(m.sales.Witnessed(ctx, m.highest, "sale"), m.traces.Witnessed(ctx, m.highest, "stan"),
		m.WitnessAudit(ctx, m.highest, "audit"))
}

// recover is the daemon's, into whatever notes the rows.
func (m *machine) recover(ctx context.Context, into interface {
	Append(ctx context.Context, commit bool, entries ...terminal.Entry) error
},
) ([]terminal.Sale, error) {
	return lane.Recover(ctx, lane.Recovery{Journal: noted{m.Store, into.Append}, Acquirer: acquirer, Now: crashTime})
}

// noted is a journal whose Append is somebody else's.
type noted struct {
	*store.Store
	append func(ctx context.Context, commit bool, entries ...terminal.Entry) error
}

func (n noted) Append(ctx context.Context, commit bool, entries ...terminal.Entry) error {
	return n.append(ctx, commit, entries...)
}

func (m *machine) close() error {
	var errs []error
	if m.Store != nil {
		errs = append(errs, m.Close())
	}
	return errors.Join(append(errs, m.release(false))...)
}

// cut ends the program where it is: nothing is written any more.
func (m *machine) cut() error { return errors.Join(m.Abort(), m.release(true)) }

// release lets go of the files; after a cut the counters' are not put back to what was given.
func (m *machine) release(cut bool) error {
	var errs []error
	for _, c := range []*store.Counter{m.sales, m.traces} {
		switch {
		case c == nil:
		case cut:
			errs = append(errs, c.Drop())
		default:
			errs = append(errs, c.Close())
		}
	}
	for _, c := range []io.Closer{closer(m.keys), closer(m.highest)} {
		if c != nil {
			errs = append(errs, c.Close())
		}
	}
	return errors.Join(errs...)
}

func closer[T any, P interface {
	*T
	io.Closer
}](p P) io.Closer {
	if p == nil {
		return nil
	}
	return p
}

// look opens a crash state and says what is wrong with it.
func (c *crashScene) look(dir string, s crashrecorder.State) (found []string) {
	say := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	var p promise
	if s.Marks > 0 {
		p, _ = c.promises[s.Marks-1].(promise)
	}
	clearIn(s, say)
	m, err := boot(dir)
	if err != nil {
		say("it does not start: %v", err)
		return found
	}
	defer func() {
		if err := m.close(); err != nil {
			say("it does not end: %v", err)
		}
	}()
	ctx := context.Background()
	rows := c.journalIs(ctx, m, p, say)
	c.recovers(ctx, m, rows, say)
	numbers(ctx, m, p, rows, say)
	report, err := m.Verify(ctx)
	if err != nil {
		say("verify: %v", err)
	}
	for _, f := range report.Findings {
		say("verify: %s", f)
	}
	if int(report.Audit) < p.audit {
		say("%d audit rows were promised, %d are there", p.audit, report.Audit)
	}
	if n := m.Quarantined(); n != 0 {
		say("%d rows in quarantine", n)
	}
	if m.said.Len() > 0 {
		say("it warns: %s", strings.TrimSpace(m.said.String()))
	}
	return found
}

// clearIn looks for the card's number in every file.
func clearIn(s crashrecorder.State, say func(string, ...any)) {
	packed, _ := hex.DecodeString(canary)
	for name, f := range s.Files {
		if bytes.Contains(f.Data, []byte(canary)) || bytes.Contains(f.Data, packed) {
			say("%s holds a card number in the clear", name)
		}
	}
}

// journalIs reads the whole journal: every promised row is there, and each that is there was appended, in its place.
func (c *crashScene) journalIs(ctx context.Context, m *machine, p promise, say func(string, ...any)) (rows []terminal.JournalRow) {
	rows, err := m.Rows(ctx, 0, 1000)
	if err != nil {
		say("journal: %v", err)
	}
	if len(rows) < p.rows {
		say("%d journal rows were promised, %d are there", p.rows, len(rows))
	}
	for i, r := range rows {
		if r.Seq != int64(i+1) {
			say("row %d has number %d", i+1, r.Seq)
			break
		}
		if i >= len(c.lines) || lineOfRow(r) != c.lines[i] {
			say("row %d is %+v, and nobody appended that there", i+1, lineOfRow(r))
			break
		}
	}
	return rows
}

// recovers runs the daemon's recovery and compares what is owed then with what the rows say.
func (c *crashScene) recovers(ctx context.Context, m *machine, rows []terminal.JournalRow, say func(string, ...any)) {
	if _, err := m.recover(ctx, m.Store); err != nil {
		say("recovery: %v", err)
		return
	}
	if open, err := m.Unfinished(ctx); err != nil || len(open) > 0 {
		say("%d sales are open after recovery: %v", len(open), err)
	}
	after, err := m.Rows(ctx, int64(len(rows)), 1000)
	if err != nil {
		say("journal after recovery: %v", err)
	}
	states, owed := replayed(append(rows, after...))
	debts, err := m.Debts(ctx)
	if err != nil {
		say("debts: %v", err)
	}
	for _, d := range debts {
		if want := owed[d.ID]; want != string(d.State) {
			say("debt %d is %s, its rows say %q", d.ID, d.State, want)
		}
		delete(owed, d.ID)
	}
	for id, state := range owed {
		if !terminal.DebtState(state).Final() {
			say("debt %d is %s by its rows, and is not owed", id, state)
		}
	}
	waiting, err := m.Due(ctx, acquirer)
	if err != nil {
		say("due: %v", err)
	}
	for _, d := range waiting {
		sealed := map[terminal.DebtKind]string{terminal.ReversalDebt: "reversal ", terminal.AdviceDebt: "advice ", terminal.DeferredDebt: "advice "}
		if message, err := m.Message(ctx, d.ID); err != nil || string(message) != sealed[d.Kind]+canary {
			say("the message of debt %d does not open", d.ID)
		}
	}
	for id, state := range states {
		sale, err := m.Sale(ctx, id)
		if err != nil || string(sale.State) != state {
			say("sale %d is %s (%v), its rows say %s", id, sale.State, err, state)
		}
	}
}

// replayed is what rows make of sales and debts, by a reading of its own: a debt's number is its place in the order of owing.
func replayed(rows []terminal.JournalRow) (sales map[terminal.SaleID]string, debts map[int64]string) {
	sales, debts = map[terminal.SaleID]string{}, map[int64]string{}
	reversal := map[terminal.SaleID]int64{}
	for _, r := range rows {
		switch r.Kind {
		case terminal.SaleEntry:
			sales[r.Sale] = r.To
			for _, d := range r.Duties {
				switch d {
				case terminal.OweReversal:
					reversal[r.Sale] = int64(len(debts) + 1)
					debts[reversal[r.Sale]] = string(terminal.Owed)
				case terminal.OweAdvice, terminal.OweDeferred:
					debts[int64(len(debts)+1)] = string(terminal.Owed)
				case terminal.DischargeReversal:
					debts[reversal[r.Sale]] = string(terminal.Discharged)
				}
			}
		case terminal.DebtEntry:
			debts[r.Debt.ID] = r.To
		default:
		}
	}
	return sales, debts
}

// numbers takes the next of each counter: none was given before, and none stands in the journal.
func numbers(ctx context.Context, m *machine, p promise, rows []terminal.JournalRow, say func(string, ...any)) {
	used := map[string]uint64{"sale": p.given["sale"], "stan": p.given["stan"]}
	for _, r := range rows {
		used["sale"] = max(used["sale"], uint64(r.Sale))
		if r.Record != nil && r.Record.State == terminal.Sending {
			used["stan"] = max(used["stan"], uint64(r.Record.STAN))
		}
	}
	for name, c := range map[string]*store.Counter{"sale": m.sales, "stan": m.traces} {
		if n, err := c.Next(ctx); err != nil || n <= used[name] {
			say("the %s counter gives %d (%v), and %d was given before", name, n, err, used[name])
		}
	}
}
