package main

import (
	"flag"
	"testing"

	"tillway/packaging/manual"
)

var manualFolder = flag.String("manual", "", "folder in which to leave the manual pages and completions")

// TestManual: every command of hostsim has a manual page and completions, the same each time.
func TestManual(t *testing.T) { manual.Test(t, root, "1", *manualFolder) }
