package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tillway/store"
	"tillway/store/backup"
)

// Files of the state folder that a restore leaves or moves.
const (
	restoreFolder  = "restore.tmp"    // what is being unpacked
	restoringName  = "restore.begun"  // there while a restore is under way: posd does not start
	restoredName   = "restored"       // there until the first start behind a restore: the backup's manifest
	putAsideFolder = "before-restore" // and a time: what was there before
)

// usedSince is how many numbers of each kind may have been given out between a backup and the loss of all that knew them.
const usedSince = 10_000

func restoreCommand(from *source, out io.Writer) *cobra.Command {
	var replace bool
	var used uint64
	c := &cobra.Command{
		Use: "restore BACKUP", Short: "Put a backup back, of a terminal that is stopped", Args: cobra.ExactArgs(1),
		Long: `restore puts a backup back that pos backup has made: journal, audit log and sealed keys. Numbers that must never repeat (sales, STAN,
key serial numbers) go on upward: from the counters and the witness where they are still there, else from the backup's with --used to spare;
keys jump ahead by themselves.
Advices and kept requests that waited at the backup are parked at the next start, because the bank may have them by now; reversals go out
again. What was sold after the backup is not in it, and the bank has it: compare with the bank before you sell.
A journal that is there is only replaced with --replace, and put aside, not deleted.`,
		RunE: func(cmd *cobra.Command, argv []string) error {
			return restore(cmd.Context(), *from, argv[0], replace, used, time.Now(), out)
		},
	}
	c.Flags().BoolVar(&replace, "replace", false, "put the journal that is there aside")
	c.Flags().Uint64Var(&used, "used", usedSince, "numbers of each kind that may have been given out since, where nothing else knows")
	return c
}

// restore puts a backup back. It can be interrupted anywhere and run again; until it has ended posd does not start.
func restore(ctx context.Context, config source, file string, replace bool, used uint64, now time.Time, out io.Writer) error {
	c, err := config.load(nil)
	if err != nil {
		return err
	}
	terminal, merchant, err := c.identity()
	if err != nil {
		return err
	}
	if used > 1<<20 {
		return fmt.Errorf("--used %d: at most %d", used, 1<<20)
	}
	if err := ownersWork(c.State, os.Geteuid()); err != nil {
		return err
	}
	unlock, err := lockState(c.State)
	if err != nil {
		return err
	}
	defer unlock()
	if err := mayReplace(c.State, replace); err != nil {
		return err
	}
	from := filepath.Join(c.State, restoreFolder)
	m, err := unpackInto(from, file)
	if err != nil {
		return err
	}
	if terminal != "" && (m.TerminalID != terminal || m.MerchantID != merchant) {
		return errors.Join(fmt.Errorf("the backup is of terminal %s of merchant %s, and this is %s of %s: put it back there, or give that profile", m.TerminalID, m.MerchantID, terminal, merchant), os.RemoveAll(from))
	}
	_, begun := os.Lstat(filepath.Join(c.State, restoringName))
	if err := mark(c.State, restoringName, m); err != nil {
		return err
	}
	if err := raiseNumbers(ctx, c.State, m, used, begun == nil); err != nil {
		return err
	}
	aside, err := putAside(c.State, now)
	if err != nil {
		return err
	}
	if err := moveIn(c.State, from); err != nil {
		return err
	}
	if err := errors.Join(mark(c.State, restoredName, m), os.RemoveAll(from), unmark(c.State, restoringName)); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, `put back: the backup of %s, %d rows; %d items waited for the bank
%sStart posd, log in, and look: pos queue has what is parked, pos report x what the terminal has. Compare with the bank before you sell:
what was sold after the backup is with the bank alone.
`, m.Made.Format(time.RFC3339), m.Rows, m.Owed, aside)
	return err
}

// mayReplace says that nothing is there that would be lost. A restore that was interrupted goes on.
func mayReplace(state string, replace bool) error {
	if _, err := os.Lstat(filepath.Join(state, restoringName)); err == nil {
		return nil
	}
	if _, err := os.Lstat(filepath.Join(state, backup.Journal)); err == nil && !replace {
		return fmt.Errorf("there is a journal in %s: put the backup back with --replace, which puts the journal aside; what was sold since the backup is in that one alone", state)
	}
	return nil
}

func unpackInto(folder, file string) (backup.Manifest, error) {
	if err := errors.Join(os.RemoveAll(folder), store.MakeFolder(folder)); err != nil {
		return backup.Manifest{}, fmt.Errorf("restore: %w", err)
	}
	in, err := os.Open(file) //nolint:gosec // the technician names the file
	if err != nil {
		return backup.Manifest{}, fmt.Errorf("restore: %w", err)
	}
	defer in.Close()
	m, err := backup.Read(in, folder)
	if err != nil {
		return m, errors.Join(fmt.Errorf("restore: %s: %w", file, err), os.RemoveAll(folder))
	}
	return m, nil
}

// raiseNumbers makes sure that no number is given twice, before anything is moved: counters that are still there know more than a backup, and
// the witness, which every start asks, more than both. The secure module sees by itself that its witness is lost, and has its keys jump ahead.
// Behind a restore that was interrupted, a counter that is there may be one that it made.
func raiseNumbers(ctx context.Context, state string, m backup.Manifest, used uint64, again bool) error {
	for name, n := range map[string]uint64{"sale.counter": m.Sales, "stan.counter": m.Traces} {
		path := filepath.Join(state, name)
		if _, err := os.Lstat(path); err != nil || again {
			n += used
		}
		counter, err := store.CreateCounter(path, leaseBlock)
		if err != nil {
			return fmt.Errorf("restore: %w", err)
		}
		if err := errors.Join(counter.Raise(ctx, n), counter.Close()); err != nil {
			return fmt.Errorf("restore: %w", err)
		}
	}
	return nil
}

// putAside moves what was there into a folder of its own, and says so.
func putAside(state string, now time.Time) (string, error) {
	all, err := filepath.Glob(filepath.Join(state, backup.Journal+"*"))
	if err != nil {
		return "", fmt.Errorf("restore: %w", err)
	}
	all = append(all, filepath.Join(state, filepath.FromSlash(backup.Keys)))
	to := filepath.Join(state, putAsideFolder+"-"+now.UTC().Format("20060102T150405"))
	moved := ""
	for _, path := range all {
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := errors.Join(store.MakeFolder(to), os.Rename(path, filepath.Join(to, filepath.Base(path)))); err != nil {
			return "", fmt.Errorf("restore: %w", err)
		}
		moved = "what was there before is in " + to + "\n"
	}
	return moved, nil
}

// moveIn moves the unpacked files to where posd looks for them, the journal last.
func moveIn(state, from string) error {
	for _, name := range []string{backup.Keys, backup.Anchor, backup.Journal} {
		to := filepath.Join(state, filepath.FromSlash(name))
		if err := store.MakeFolder(filepath.Dir(to)); err != nil {
			return fmt.Errorf("restore: %w", err)
		}
		err := os.Rename(filepath.Join(from, filepath.FromSlash(name)), to)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("restore: %w", err)
		}
		if err := flushFolder(filepath.Dir(to)); err != nil {
			return fmt.Errorf("restore: %w", err)
		}
	}
	return nil
}

func flushFolder(path string) error {
	d, err := os.Open(path) //nolint:gosec // the state folder's
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func mark(state, name string, m backup.Manifest) error {
	text, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(state, name), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Sync(), f.Close(), flushFolder(state))
}

func unmark(state, name string) error {
	return errors.Join(os.Remove(filepath.Join(state, name)), flushFolder(state))
}

// restored is what the first start behind a restore has to know: of when the backup is, in words; empty at every other start. A restore that
// was interrupted is an error: keys and journal may not belong together.
func restored(state string) (string, error) {
	if _, err := os.Lstat(filepath.Join(state, restoringName)); err == nil {
		return "", errors.New("a backup was being put back, and that was interrupted: run posd restore again with the same backup")
	}
	text, err := os.ReadFile(filepath.Join(state, restoredName)) //nolint:gosec // the state folder's
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("state folder: %w", err)
	}
	var m backup.Manifest
	when := "a backup"
	if json.Unmarshal(text, &m) == nil {
		when = "the backup of " + m.Made.Format("2006-01-02 15:04 UTC")
	}
	return strings.Join([]string{"put back from ", when, ": the bank may have it since; ask it"}, ""), nil
}
