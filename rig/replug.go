//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"

	"tillway/rig/service"
)

var errLeak = errors.New("the terminal holds more than before") //nolint:gochecknoglobals // a constant, but for Go

const (
	warmUp      = 2       // replugs before the first look: what is made once is made then
	moreThreads = 4       // Go's runtime starts one where another waits in the kernel
	moreMemory  = 8 << 10 // kilobytes: the heap's own breathing
)

// replugs pulls a reader's cable and plugs it in again, many times: the terminal says each time what happened, and holds no more at the
// end than at the beginning.
func (s *shop) replugs(ctx context.Context, times int, pull, plug func() error, gone string) error {
	var before, after service.Use
	for i := range warmUp + times {
		if err := s.replug(ctx, pull, plug, gone); err != nil {
			return fmt.Errorf("replug %d: %w", i+1, err)
		}
		if i == warmUp-1 {
			var err error
			if before, err = s.Use(ctx, "posd"); err != nil {
				return err
			}
		}
	}
	err := await(ctx, "as many handles are open as before", func(ctx context.Context) (bool, error) {
		var err error
		after, err = s.Use(ctx, "posd")
		return err == nil && after.Handles <= before.Handles, err
	})
	if err != nil || after.PID != before.PID || after.Threads > before.Threads+moreThreads || after.Memory > before.Memory+moreMemory {
		return fmt.Errorf("%w: %+v, was %+v after %d replugs (%w)", errLeak, after, before, times, err)
	}
	s.note("%d replugs: handles %d, then %d; threads %d, then %d; memory %d kB, then %d kB",
		times, before.Handles, after.Handles, before.Threads, after.Threads, before.Memory, after.Memory)
	return nil
}

func (s *shop) replug(ctx context.Context, pull, plug func() error, gone string) error {
	if err := pull(); err != nil {
		return err
	}
	if err := s.sees(ctx, false, gone); err != nil {
		return err
	}
	if err := plug(); err != nil {
		return err
	}
	return s.sees(ctx, true, "")
}
