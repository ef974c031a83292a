package store

import (
	"context"
	"fmt"
	"time"

	"tillway/terminal/people"
)

// clockSlack is how far a clock may step back before anybody is told: time servers correct by seconds.
const clockSlack = time.Minute

// startClock finds the time of the last rows of journal and audit log. Only authentic ones count.
func (s *Store) startClock(ctx context.Context) error {
	rows, err := s.rows(ctx, rowQuery+"ORDER BY j.seq DESC LIMIT 1")
	if err != nil {
		return err
	}
	for _, r := range rows {
		s.latest = r.Time
	}
	last, err := s.auditRows(ctx, "ORDER BY a.seq DESC LIMIT 1")
	if err != nil {
		return err
	}
	for _, r := range last {
		if r.authentic && r.Time.After(s.latest) {
			s.latest = r.Time
		}
	}
	return nil
}

// tick notes a row's time.
func (s *Store) tick(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at.After(s.latest) {
		s.latest = at
	}
}

// Upkeep is for the owner of idle time, at start and between sales: it compares the clock with the journal's last time, and
// writes what was found since (a clock set back, rows in quarantine) to the audit log. With nothing found it costs nothing.
func (s *Store) Upkeep(ctx context.Context) error {
	now := s.clock()
	s.mu.Lock()
	if s.latest.Sub(now) > clockSlack {
		from, to := s.latest.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339)
		s.clockBack = fmt.Sprintf("The clock was set back from %s to %s: put it right, and look at the sales since.", from, to)
		s.alarms = append(s.alarms, people.Entry{
			Actor: people.Terminal, Event: people.EventClock, Result: people.Failed, Note: "set back from " + from + " to " + to,
		})
		s.log.WarnContext(ctx, "the clock was set back", "from", from, "to", to)
		s.latest = now
	}
	alarms := s.alarms
	s.alarms = nil
	s.mu.Unlock()
	if len(alarms) == 0 {
		return nil
	}
	if err := s.Audit(ctx, alarms...); err != nil {
		s.mu.Lock()
		s.alarms = append(alarms, s.alarms...)
		s.mu.Unlock()
		return err
	}
	return nil
}
