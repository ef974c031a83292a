package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
)

// backupLimit bounds how long a backup may take: a journal of millions of rows on a slow disk.
const backupLimit = 30 * time.Minute

// backedUp is what pos backup prints with --json.
type backedUp struct {
	File  string `json:"file"`
	Bytes int64  `json:"bytes"`
}

func (a *app) backup() *cobra.Command {
	return &cobra.Command{
		Use: "backup FILE", Short: "Write a backup of everything that the terminal keeps", Args: args("FILE"),
		Long: `backup writes one file with the journal, the audit log's end, the sealed keys and how far numbers are used; for technicians and
administrators. Sales go on meanwhile; while one runs, it is asked to be tried again. The key that seals the keys is not in it
(keyd/keys.device, or the unlock secret): keep that in another place. posd restore puts a backup back.`,
		Example: "  pos backup /media/usb/till-1.backup",
		RunE: func(c *cobra.Command, argv []string) error {
			n, err := a.fetchBackup(c.Context(), argv[0])
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(backedUp{argv[0], n})
			}
			a.printf("%s: %d bytes. Keep it away from keyd/keys.device and from the unlock secret.\n", argv[0], n)
			return nil
		},
	}
}

// fetchBackup writes the backup beside FILE and puts it there when it is whole: one that is there stays until then.
func (a *app) fetchBackup(ctx context.Context, file string) (n int64, err error) {
	cl := a.client()
	defer cl.close()
	body, err := cl.stream(ctx, backupLimit, http.MethodGet, "/v1/backup")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	fresh := file + ".part"
	out, err := os.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600) //nolint:gosec // the user names the file
	if err != nil {
		return 0, fmt.Errorf("backup: %w", err)
	}
	n, err = io.Copy(out, body)
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return n, errors.Join(fmt.Errorf("backup: it did not arrive whole, and %s was not written: %w", file, err), os.Remove(fresh))
	}
	if err := os.Rename(fresh, file); err != nil {
		return n, fmt.Errorf("backup: %w", err)
	}
	d, err := os.Open(filepath.Dir(file))
	if err != nil {
		return n, fmt.Errorf("backup: %w", err)
	}
	return n, errors.Join(d.Sync(), d.Close())
}
