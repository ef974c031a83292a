//go:build linux

package main

import (
	"context"
	"sync"

	"tillway/device/emulator"
)

// cutCard is a card that falls silent after a number of commands, and says so: the test pulls a cable then, in the middle of a command.
type cutCard struct {
	emulator.Chip
	after int
	once  sync.Once
	mute  chan struct{} // closed when it has fallen silent
}

func cutter(c emulator.Chip, after int) *cutCard {
	return &cutCard{Chip: c, after: after, mute: make(chan struct{})}
}

// Transmit answers as the card does, or not any more.
func (c *cutCard) Transmit(apdu []byte) []byte {
	if c.after == 0 {
		c.once.Do(func() { close(c.mute) })
		return nil
	}
	c.after--
	return c.Chip.Transmit(apdu)
}

func (c *cutCard) wait(ctx context.Context) error {
	select {
	case <-c.mute:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// deadCard is a card that does not answer to a reset.
type deadCard struct{ emulator.Chip }

// ATR is none.
func (deadCard) ATR() []byte { return nil }
