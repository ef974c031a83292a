// Package manual writes what a Debian package has beside a program: its manual pages and its completions for bash, zsh and fish, out of the
// program's own commands. Only tests use it, so that no program carries it.
package manual

import (
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// Write puts the pages of root and of all its commands into folder/man1 or folder/man8, as section says ("1" or "8"), and its completions
// into folder/bash, folder/zsh and folder/fish. Pages bear the given date; the same commands and date give the same bytes.
func Write(root *cobra.Command, section, folder string, date time.Time) error {
	root.DisableAutoGenTag = true
	root.InitDefaultHelpFlag()
	pages := filepath.Join(folder, "man"+section)
	for _, dir := range []string{pages, filepath.Join(folder, "bash"), filepath.Join(folder, "zsh"), filepath.Join(folder, "fish")} {
		if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // they are published
			return err
		}
	}
	header := &doc.GenManHeader{Section: section, Date: &date, Source: "Tillway", Manual: "Tillway"}
	if err := doc.GenManTreeFromOpts(root, doc.GenManTreeOptions{Path: pages, Header: header, CommandSeparator: "-"}); err != nil {
		return err
	}
	if err := root.GenBashCompletionFileV2(filepath.Join(folder, "bash", root.Name()), true); err != nil {
		return err
	}
	if err := root.GenZshCompletionFile(filepath.Join(folder, "zsh", "_"+root.Name())); err != nil {
		return err
	}
	return root.GenFishCompletionFile(filepath.Join(folder, "fish", root.Name()+".fish"), true)
}
