package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"tillway/host"
)

// parseTimeOfDay reads --settle-at: hours and minutes like 23:00, or nothing.
func parseTimeOfDay(text string) (hour, minute int, set bool, err error) {
	if text == "" {
		return 0, 0, false, nil
	}
	t, err := time.Parse("15:04", text)
	if err != nil {
		return 0, 0, false, fmt.Errorf("%w: --settle-at %q: write a time of day like 23:00", errUsage, text)
	}
	return t.Hour(), t.Minute(), true, nil
}

// nextTime is the next moment after now at that time of day, in now's own zone.
func nextTime(now time.Time, hour, minute int) time.Time {
	y, m, d := now.Date()
	next := time.Date(y, m, d, hour, minute, 0, 0, now.Location())
	if !next.After(now) {
		next = time.Date(y, m, d+1, hour, minute, 0, 0, now.Location())
	}
	return next
}

// settleDaily ends the host's day at a time of day, until ctx ends. Without a time it only waits. A settlement that fails ends
// the host: its books cannot be written any more.
func settleDaily(ctx context.Context, h *host.Host, at string, zone *time.Location, log *slog.Logger) error {
	hour, minute, set, err := parseTimeOfDay(at)
	if err != nil {
		return err
	}
	for set {
		now := time.Now().In(zone)
		timer := time.NewTimer(nextTime(now, hour, minute).Sub(now))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
		if err := h.Settle(); err != nil {
			return fmt.Errorf("settlement: %w", err)
		}
		log.Info("settled")
	}
	<-ctx.Done()
	return nil
}
