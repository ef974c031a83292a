package main

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// harden keeps what posd holds of a card out of core files, and closes the process to every debugger but root's.
func harden() error {
	if err := errors.Join(unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}), unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)); err != nil {
		return fmt.Errorf("no core files: %w", err)
	}
	return nil
}
