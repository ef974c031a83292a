package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// A full disk stops more than sales: the journal cannot note what was delivered, nor fold its log back, so that a full
// terminal would stay full. A file of zeros is kept beside the journal and given up at the start that finds no room: what is
// owed can then go out. Approvals without the host end long before that (minRoom).

const (
	ballastName  = "ballast"
	ballastBytes = 4 << 20

	// minRoom is how many bytes have to be free for anything to be approved without the host.
	minRoom = 64 << 20
)

// roomIn is how many bytes this user may still write in a folder.
func roomIn(dir string) func(context.Context) (uint64, error) {
	return func(context.Context) (uint64, error) {
		var s unix.Statfs_t
		if err := unix.Statfs(dir, &s); err != nil {
			return 0, fmt.Errorf("room in %s: %w", dir, err)
		}
		return s.Bavail * uint64(s.Bsize), nil //nolint:gosec // a block has a size above zero
	}
}

// makeRoom gives the ballast up where the disk is full.
func makeRoom(dir string, free func(context.Context) (uint64, error), log *slog.Logger) error {
	room, err := free(context.Background())
	if err != nil || room >= ballastBytes {
		return err
	}
	switch err := os.Remove(filepath.Join(dir, ballastName)); {
	case errors.Is(err, os.ErrNotExist):
		log.Error("the disk is full, and there is no ballast left to give up: make room on it", "folder", dir, "free bytes", room)
	case err != nil:
		return fmt.Errorf("making room in %s: %w", dir, err)
	default:
		log.Error("the disk is full: the ballast was given up, so that what is owed can go out. Make room on it", "folder", dir, "free bytes", room)
	}
	return nil
}

// keepBallast makes the ballast where there is none and the disk has room for more than it.
func keepBallast(dir string) error {
	path := filepath.Join(dir, ballastName)
	if _, err := os.Stat(path); err == nil || !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if room, err := roomIn(dir)(context.Background()); err != nil || room < minRoom {
		return err
	}
	// Written, not made long: blocks that nobody has written take no room on the disk, and would give none back.
	f, err := os.CreateTemp(dir, ballastName)
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, ballastBytes))
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
