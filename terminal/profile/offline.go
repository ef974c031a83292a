package profile

import (
	"time"

	"tillway/emv"
	"tillway/money"
	"tillway/terminal"
)

// Offline is what the terminal may approve without the host, how much of it may wait, and how long the host may put it off. The zero value:
// nothing is approved.
type Offline struct {
	Approvals terminal.OfflineLimits // what card and terminal approve (TC)
	Deferred  terminal.OfflineLimits // requests that are kept: nobody has approved them yet
	ParkAfter time.Duration          // how long the host may answer "not now" to an advice or a kept request, with ten tries at least, before it is parked
}

// Bounds of the queue's limits.
const (
	maxQueue    = 999
	defaultAge  = 24 * time.Hour
	defaultPark = 24 * time.Hour
	shortestAge = time.Minute
	longestAge  = 30 * 24 * time.Hour
)

func (c *checker) offline(f offline, cur money.Currency, kind byte) Offline {
	out := Offline{Approvals: c.limits("offline", offlineLimits{f.Count, f.Sum, f.Age, f.CardCount, f.CardSum}, cur), ParkAfter: defaultPark}
	if f.ParkAfter != nil {
		out.ParkAfter = c.duration("offline.park_after", f.ParkAfter, shortestAge, longestAge)
	}
	if f.Deferred != nil {
		out.Deferred = c.limits("offline.deferred", *f.Deferred, cur)
	}
	if out.Approvals.Count > 0 && emv.TerminalType(kind).OnlineOnly() {
		c.refuse("offline.count", "terminal.type %02X approves nothing without the host: write type = \"22\", or count = 0", kind)
	}
	return out
}

// limits are those of one queue: how many and how much there must be, and the rest is as wide as these where it is left out.
func (c *checker) limits(key string, f offlineLimits, cur money.Currency) terminal.OfflineLimits {
	if f.Count == nil {
		for name, v := range map[string]any{"sum": f.Sum, "age": f.Age, "card_count": f.CardCount, "card_sum": f.CardSum} {
			if v != nil {
				c.refuse(key+"."+name, "says nothing without %s.count: how many may wait for the host", key)
			}
		}
		return terminal.OfflineLimits{}
	}
	l := terminal.OfflineLimits{Count: int(c.number(key+".count", f.Count, 0, maxQueue)), Age: defaultAge}
	if l.Count == 0 {
		return terminal.OfflineLimits{}
	}
	l.Sum = c.amount(key+".sum", f.Sum, cur)
	if f.Age != nil {
		l.Age = c.duration(key+".age", f.Age, shortestAge, longestAge)
	}
	l.CardCount, l.CardSum = l.Count, l.Sum
	if f.CardCount != nil {
		l.CardCount = int(c.number(key+".card_count", f.CardCount, 1, int64(l.Count)))
	}
	if f.CardSum != nil {
		if l.CardSum = c.amount(key+".card_sum", f.CardSum, cur); l.CardSum > l.Sum {
			c.refuse(key+".card_sum", "is more than %s.sum", key)
		}
	}
	return l
}
