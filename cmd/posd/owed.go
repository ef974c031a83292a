package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"tillway/store"
)

// errOwed is no failure of posd: it says that money is owed.
var errOwed = errors.New("keep the state folder, and settle first")

// owedCommand is posd owed: what a state folder may not be deleted for.
func owedCommand(from *source, out io.Writer) *cobra.Command {
	return &cobra.Command{
		Use:   "owed",
		Short: "say what the journal still owes or is owed; exit status 0 when nothing",
		Long: "owed counts the payments that are not settled, the messages that wait for the bank or are parked, and the sales that did not\n" +
			"end. It needs no keys, changes nothing, wants posd stopped, and is what the Debian package asks before it deletes a state folder.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := from.load(nil)
			if err != nil {
				return err
			}
			owing, err := store.Owes(cmd.Context(), filepath.Join(c.State, "journal.db"))
			if err != nil {
				return err
			}
			if !owing.Nothing() {
				return fmt.Errorf("%s: %w", owing, errOwed)
			}
			_, err = fmt.Fprintln(out, owing)
			return err
		},
	}
}
