package main

import (
	"flag"
	"io"
	"testing"

	"github.com/spf13/cobra"

	"tillway/packaging/manual"
)

var manualFolder = flag.String("manual", "", "folder in which to leave the manual pages and completions")

// TestManual: every command of pos has a manual page and completions, the same each time.
func TestManual(t *testing.T) {
	manual.Test(t, func() *cobra.Command {
		return (&app{out: io.Discard, errOut: io.Discard, env: func(string) string { return "" }}).root()
	}, "1", *manualFolder)
}
