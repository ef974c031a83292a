package till

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"tillway/terminal/people"
)

// Bounds of wrong tokens.
const (
	MaxWrong     = 10          // wrong tokens or keys of one address that are judged in a minute
	wrongMinute  = time.Minute //
	maxAddresses = 1024        // addresses that are remembered; the rest share one count
)

// Tries counts, for each address that comes to the door of cash registers, the tokens and keys that were wrong. Past MaxWrong in a minute
// nothing from there is judged until the minute is over, and the audit log says so once. Safe for concurrent use.
type Tries struct {
	audit func(ctx context.Context, entries ...people.Entry) error
	clock func() time.Time
	log   *slog.Logger

	mu   sync.Mutex // guards what follows
	from map[netip.Addr]*wrongs
}

type wrongs struct {
	began time.Time
	count int
}

// NewTries makes an empty count. audit writes to the audit log; clock nil: time.Now.
func NewTries(audit func(ctx context.Context, entries ...people.Entry) error, clock func() time.Time, log *slog.Logger) *Tries {
	if clock == nil {
		clock = time.Now
	}
	return &Tries{audit: audit, clock: clock, log: log, from: map[netip.Addr]*wrongs{}}
}

// Judged says whether what comes from a remote address ("192.0.2.7:4711") may be judged, and if not, after how long.
func (t *Tries) Judged(remote string) (ok bool, after time.Duration) {
	now := t.clock()
	t.mu.Lock()
	defer t.mu.Unlock()
	w := t.from[t.key(remote)]
	if w == nil || w.over(now) || w.count < MaxWrong {
		return true, 0
	}
	return false, w.began.Add(wrongMinute).Sub(now)
}

// Wrong counts a wrong token or key.
func (t *Tries) Wrong(ctx context.Context, remote string) {
	now := t.clock()
	t.mu.Lock()
	key := t.key(remote)
	w := t.from[key]
	if w == nil || w.over(now) {
		t.forget(now)
		w = &wrongs{began: now}
		t.from[key] = w
	}
	w.count++
	full := w.count == MaxWrong
	t.mu.Unlock()
	if !full {
		return
	}
	entry := people.Entry{
		Actor: people.Nobody, Event: people.EventLock, Result: people.Denied,
		Note: people.Note("%d wrong tokens from %s within a minute: nothing from there is judged until it is over", MaxWrong, key),
	}
	if err := t.audit(context.WithoutCancel(ctx), entry); err != nil {
		t.log.Error("till: wrong tokens were not audited", "err", err)
	}
}

// over says whether the minute is; a clock that was set back ends it as well.
func (w *wrongs) over(now time.Time) bool {
	return now.Sub(w.began) >= wrongMinute || now.Before(w.began)
}

// key is whose count an address goes into: IPv6 hosts have a whole /64 to come from. The caller holds mu.
func (t *Tries) key(remote string) netip.Addr {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{}
	}
	addr := at.Addr().Unmap().WithZone("")
	if addr.Is6() && !addr.IsLoopback() {
		if p, err := addr.Prefix(64); err == nil {
			addr = p.Addr()
		}
	}
	if t.from[addr] == nil && len(t.from) >= maxAddresses {
		return netip.Addr{}
	}
	return addr
}

// forget drops the counts of minutes that are over, when there are many. The caller holds mu.
func (t *Tries) forget(now time.Time) {
	if len(t.from) < maxAddresses {
		return
	}
	for k, w := range t.from {
		if w.over(now) {
			delete(t.from, k)
		}
	}
}

// seconds is a time as Retry-After has it: whole seconds, rounded up.
func seconds(d time.Duration) string { return strconv.Itoa(int((d + time.Second - 1) / time.Second)) }

// tooMany is the answer to an address whose tokens are not judged.
func tooMany(w http.ResponseWriter, after time.Duration) *Problem {
	w.Header().Set("Retry-After", seconds(after))
	return request(http.StatusTooManyRequests, "too_many_tries", "Too many wrong tokens came from this address",
		"Wait a minute, and put the token right: pos ecr rotate NAME prints a new one.", "nothing from this address is judged for %s seconds", seconds(after))
}
