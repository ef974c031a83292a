package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"tillway/device/secure"
	"tillway/store"
)

// These commands are posd's and not pos's: the journal belongs to posd's user, and only the secure module that posd talks to can say what in
// it is authentic.

func dbCommand(from *source, out, errOut io.Writer) *cobra.Command {
	var asJSON bool
	check := &cobra.Command{
		Use: "check", Short: "Examine the journal of a terminal that is stopped", Args: cobra.NoArgs,
		Long: `check examines the journal's file, its tables, every row's tag, the audit log's anchors and the numbers that were given, and says what
is wrong and what to do. It changes nothing; it needs as much room in the state folder as the journal takes. Exit status 1 when something is wrong.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return checkJournal(cmd.Context(), *from, asJSON, out, errOut)
		},
	}
	salvage := &cobra.Command{
		Use: "salvage FOLDER", Short: "Read what authenticates out of a damaged journal into a new one", Args: cobra.ExactArgs(1),
		Long: `salvage makes FOLDER, which must not be there, and in it a new journal of all that authenticates in the damaged one, which it does not change.
It says what is lost. Then, with posd stopped: move journal.db and all that begins with that name out of the state folder and keep it, and move
those of FOLDER in. Counters and keys stay where they are. posd starts on it; what may have reached the bank already is parked: pos queue.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return salvageJournal(cmd.Context(), *from, args[0], asJSON, out, errOut)
		},
	}
	c := &cobra.Command{Use: "db", Short: "Check the journal, or salvage a damaged one", Args: cobra.NoArgs}
	c.PersistentFlags().BoolVar(&asJSON, "json", false, "one JSON object in place of lines")
	c.AddCommand(check, salvage)
	return c
}

// stopped is a terminal's state folder while no posd runs on it: its secure module is up, and its journal is not open.
type stopped struct {
	log     *slog.Logger
	state   string
	module  secureModule
	given   uint64 // up to which number sales may have been numbered
	release func()
}

func openStopped(ctx context.Context, from source, errOut io.Writer) (s *stopped, err error) {
	c, err := from.load(nil)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(c.State, "journal.db")); err != nil {
		return nil, fmt.Errorf("no journal: %w: see state in the config", err)
	}
	if err := ownersWork(c.State, os.Geteuid()); err != nil {
		return nil, err
	}
	release, err := lockState(c.State)
	if err != nil {
		return nil, err
	}
	s = &stopped{log: logger(c, errOut), state: c.State, release: release}
	defer func() {
		if err != nil {
			release()
		}
	}()
	file, err := keyFile(c.State)
	if err != nil {
		return nil, err
	}
	if s.module, err = moduleOf(c, s.log, errOut, func(secure.Event) {})(ctx, file, false); err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	w, err := secure.OpenWitness(c.witness("counters"))
	if err != nil {
		return nil, errors.Join(err, s.module.Close())
	}
	s.given = w.Highest("sale")
	if leased, err := store.Leased(filepath.Join(c.State, "sale.counter")); err == nil {
		s.given = max(s.given, leased)
	} else {
		s.log.Warn("the counter of sales cannot be read", "err", err)
	}
	if err := w.Close(); err != nil {
		return nil, errors.Join(err, s.module.Close())
	}
	return s, nil
}

func (s *stopped) close() error {
	err := s.module.Close()
	s.release()
	return err
}

func (s *stopped) config(to string) store.SalvageConfig {
	return store.SalvageConfig{
		Config: store.Config{Path: to, Sealer: s.module, Log: slog.New(slog.DiscardHandler), Clock: time.Now, Token: tokenOf(s.module)},
		From:   filepath.Join(s.state, "journal.db"), Given: s.given,
	}
}

func checkJournal(ctx context.Context, from source, asJSON bool, out, errOut io.Writer) (err error) {
	s, err := openStopped(ctx, from, errOut)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	found, err := store.Check(ctx, s.config(filepath.Join(s.state, "check.db")))
	if err != nil {
		return err
	}
	if asJSON {
		err = json.NewEncoder(out).Encode(found)
	} else {
		err = printChecked(out, found)
	}
	if err == nil && len(found.Faults) > 0 {
		err = errUnsound
	}
	return err
}

func printChecked(out io.Writer, found store.Checked) error {
	p := printer{out: out}
	last := ""
	for i, f := range found.Faults {
		if i > 0 && f.Do != last {
			p.line("  %s", last)
		}
		p.line("%s", f.What)
		last = f.Do
	}
	if last != "" {
		p.line("  %s", last)
	}
	p.line("%d rows, %d of them of the audit log, %d faults", found.Rows, found.Audit, len(found.Faults))
	return p.err
}

// printer writes lines until one cannot be written.
type printer struct {
	out io.Writer
	err error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.out, format+"\n", args...)
	}
}

func salvageJournal(ctx context.Context, from source, folder string, asJSON bool, out, errOut io.Writer) (err error) {
	s, err := openStopped(ctx, from, errOut)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := os.Mkdir(folder, 0o700); err != nil {
		return fmt.Errorf("salvage: %w: name a folder that is not there yet", err)
	}
	r, err := store.SalvageJournal(ctx, s.config(filepath.Join(folder, "journal.db")))
	if err != nil {
		return errors.Join(err, removeEmpty(folder))
	}
	if asJSON {
		return json.NewEncoder(out).Encode(r)
	}
	return printSalvage(out, folder, s.state, r)
}

// removeEmpty takes back a folder that nothing came into.
func removeEmpty(folder string) error {
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		return err
	}
	return os.Remove(folder)
}

func printSalvage(out io.Writer, folder, state string, r store.Salvage) error {
	p := printer{out: out}
	p.line("kept: %d rows of the journal, %d of the audit log, %d sales, %d debts of which %d are open", r.Rows, r.Audit, r.Sales, r.Debts, r.Open)
	for _, span := range r.Missing {
		p.line("lost: journal rows %s", span)
	}
	if r.Tail != "" {
		p.line("lost, maybe: what came last, because %s", r.Tail)
	}
	for _, span := range r.Lost {
		p.line("no record: sale numbers %s were given to sales that are lost, or to none: compare with the bank's list", span)
	}
	for _, list := range [][]store.LostEnd{r.Ends, r.Owed} {
		for _, e := range list {
			p.line("sale %s, STAN %06d, last known as %s: %s", e.Sale, e.STAN, e.State, e.Words)
		}
	}
	for _, d := range r.Parked {
		p.line("parked: the %s of sale %s: ask the bank whether it has it, then pos queue retry %d or pos queue write-off %d", d.Kind, d.Sale, d.ID, d.ID)
	}
	for _, b := range r.Batches {
		p.line("batch %s: how it was settled is lost: settle it with the bank by hand", b)
	}
	if r.Forged > 0 {
		p.line("%d versions of rows do not authenticate and were left out", r.Forged)
	}
	p.line("Now move journal.db* out of %s and keep it, and move those of %s in. Counters and keys stay. Then start posd.", state, folder)
	return p.err
}
