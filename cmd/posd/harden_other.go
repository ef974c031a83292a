//go:build !linux

package main

import (
	"fmt"
	"syscall"
)

// harden keeps what posd holds of a card out of core files.
func harden() error {
	if err := syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{}); err != nil {
		return fmt.Errorf("no core files: %w", err)
	}
	return nil
}
