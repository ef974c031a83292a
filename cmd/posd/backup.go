package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"tillway/store/backup"
	"tillway/terminal"
	"tillway/till"
)

// backupFolder is where a backup's files are gathered, in the state folder.
const backupFolder = "backup.tmp"

// backups makes backups of a terminal that runs.
type backups struct {
	disk  *disk
	about backup.Manifest // what does not change
	apart bool            // the keys are a service's, in a folder that posd does not see
	turn  chan struct{}   // one slot: one at a time
	clock func() time.Time
}

func newBackups(d *disk, apart bool, acquirer, terminalID, merchantID string) *backups {
	return &backups{
		disk: d, apart: apart, turn: make(chan struct{}, 1), clock: time.Now,
		about: backup.Manifest{Version: version(), TerminalID: terminalID, MerchantID: merchantID, Acquirer: acquirer},
	}
}

// gathered are a backup's files.
type gathered struct {
	folder   string
	manifest backup.Manifest
	done     func()
}

// WriteTo implements till.Backup.
func (g gathered) WriteTo(w io.Writer) (int64, error) {
	count := &counting{w: w}
	err := backup.Write(count, g.manifest, g.folder)
	return count.n, err
}

// Close removes the files.
func (g gathered) Close() error {
	defer g.done()
	return os.RemoveAll(g.folder)
}

type counting struct {
	w io.Writer
	n int64
}

func (c *counting) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// make gathers a backup. The order matters: what may only be behind the journal (the log's anchor) is read before it, and what may only
// be ahead of it (numbers, keys) after.
func (b *backups) make(ctx context.Context) (till.Backup, error) {
	select {
	case b.turn <- struct{}{}:
	default:
		return nil, fmt.Errorf("another backup is being made: %w", terminal.ErrBusy)
	}
	g := gathered{folder: filepath.Join(b.disk.folder, backupFolder), done: func() { <-b.turn }}
	if err := b.gather(ctx, &g); err != nil {
		return nil, errors.Join(fmt.Errorf("backup: %w", err), g.Close())
	}
	return g, nil
}

func (b *backups) gather(ctx context.Context, g *gathered) error {
	if err := os.RemoveAll(g.folder); err != nil { // of a daemon that was killed
		return err
	}
	for _, dir := range []string{"", "keyd"} {
		if err := os.Mkdir(filepath.Join(g.folder, dir), 0o700); err != nil {
			return err
		}
	}
	anchor, err := b.disk.journal.Anchor(ctx)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(g.folder, backup.Anchor), anchor, 0o600); err != nil {
		return err
	}
	if err := b.disk.journal.Copy(ctx, filepath.Join(g.folder, backup.Journal)); err != nil {
		return err
	}
	if err := b.gatherKeys(g); err != nil {
		return err
	}
	counts, err := b.disk.journal.Counts(ctx)
	if err != nil {
		return err
	}
	g.manifest = b.about
	g.manifest.Made, g.manifest.Rows, g.manifest.Owed = b.clock().UTC().Truncate(time.Second), counts.Highest, counts.Owed+counts.Parked
	g.manifest.Sales, g.manifest.Traces = b.disk.sales.Leased(), b.disk.traces.Leased()
	return nil
}

// gatherKeys takes the sealed keys in. Those of a keyd that is a service are its own to keep; what lies in the state folder then is of before.
func (b *backups) gatherKeys(g *gathered) error {
	if b.apart {
		return nil
	}
	keys, err := os.ReadFile(filepath.Join(b.disk.folder, filepath.FromSlash(backup.Keys)))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(g.folder, filepath.FromSlash(backup.Keys)), keys, 0o600)
}

// clearBackup removes what a daemon that was killed while it made a backup has left.
func clearBackup(state string, log *slog.Logger) {
	if err := os.RemoveAll(filepath.Join(state, backupFolder)); err != nil {
		log.Warn("what is left of a backup cannot be removed", "err", err)
	}
}
