package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"tillway/device/emulator"
)

func cardsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "cards [NAME]",
		Short: "list the ready-made test cards, or write one's profile to start your own from",
		Args:  atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				text, err := emulator.ReadyText(args[0])
				if err == nil {
					_, err = cmd.OutOrStdout().Write(text)
				}
				return err
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			for _, name := range emulator.ReadyNames() {
				p, err := emulator.Ready(name)
				if err != nil {
					return err
				}
				_, _ = fmt.Fprintf(w, "%s\t%s\n", name, p.Note)
			}
			return w.Flush()
		},
	}
}

// loadCard makes a card of a ready one's name or a profile's file.
func loadCard(name string) (*emulator.Card, error) {
	if slices.Contains(emulator.ReadyNames(), name) {
		p, err := emulator.Ready(name)
		if err != nil {
			return nil, err
		}
		return emulator.NewCard(p), nil
	}
	text, err := readBounded(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no card %q: neither a ready one (readeremu cards lists them) nor a card profile's file", name)
	}
	if err != nil {
		return nil, fmt.Errorf("card profile: %w", err)
	}
	p, err := emulator.ParseProfile(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return emulator.NewCard(p), nil
}

// readBounded reads a small file; one that is larger than a profile may be is refused before it is read.
func readBounded(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > emulator.MaxProfileBytes {
		return nil, fmt.Errorf("%s: not a file of at most %d bytes", path, emulator.MaxProfileBytes)
	}
	return os.ReadFile(path)
}
