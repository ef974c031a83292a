package main

import (
	"context"
	"fmt"
	"time"

	"tillway/terminal"
	"tillway/terminal/selftest"
)

// queueAge is how long something may wait for the bank before that is pointed out.
const queueAge = time.Hour

// queue looks at what the bank is owed.
func (e *examiner) queue(ctx context.Context) []selftest.Finding {
	if e.disk == nil {
		return []selftest.Finding{selftest.Missed(selftest.Queue, "", e.closed)}
	}
	counts, err := e.disk.journal.Counts(ctx)
	if err != nil {
		return []selftest.Finding{selftest.Missed(selftest.Queue, "", inOneLine(err))}
	}
	debts, err := e.disk.journal.Debts(ctx)
	if err != nil {
		return []selftest.Finding{selftest.Missed(selftest.Queue, "", inOneLine(err))}
	}
	var all []selftest.Finding
	if counts.Parked > 0 {
		all = append(all, selftest.Bad("queue_parked", "parked", fmt.Sprintf("%s parked: %s.", messagesAre(counts.Parked), parked(debts))))
	}
	oldest := oldestWaiting(debts)
	switch age := e.now().Sub(oldest); {
	case counts.Owed > 0 && !oldest.IsZero() && age > queueAge:
		all = append(all, selftest.Bad("queue_old", "waiting", fmt.Sprintf("%s for the bank, the oldest for %s (since %s).", waiting(counts.Owed), age.Round(time.Minute), oldest.Format(time.DateTime))))
	case counts.Owed > 0:
		all = append(all, selftest.Good(selftest.Queue, "waiting", waiting(counts.Owed)))
	default:
		all = append(all, selftest.Good(selftest.Queue, "waiting", "nothing"))
	}
	return all
}

func messagesAre(n int) string {
	if n == 1 {
		return "1 message is"
	}
	return fmt.Sprintf("%d messages are", n)
}

func waiting(n int) string {
	if n == 1 {
		return "1 message waits"
	}
	return fmt.Sprintf("%d messages wait", n)
}

func oldestWaiting(debts []terminal.Debt) (oldest time.Time) {
	for _, d := range debts {
		if d.State != terminal.Parked && (oldest.IsZero() || d.Since.Before(oldest)) {
			oldest = d.Since
		}
	}
	return oldest
}

// parked names the first one.
func parked(debts []terminal.Debt) string {
	for _, d := range debts {
		if d.State == terminal.Parked {
			return fmt.Sprintf("the %s of sale %s, %s", d.Kind.Words(), d.Sale, d.Reason)
		}
	}
	return "pos queue lists them"
}
