package main

import (
	"context"
	"log/slog"

	"tillway/device/secure"
)

// openDisk opens the state folder, with the secure module in the test's process.
func openDisk(ctx context.Context, dir string, log *slog.Logger) (*disk, error) {
	return openDiskWith(ctx, dir, within, log)
}

// within is a module in the test's process, without witness or keypad.
func within(ctx context.Context, path string, first bool) (secureModule, error) {
	return secure.Start(ctx, secure.Options{Path: path, First: first})
}
