package till

import (
	"context"
	"io"
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

// Guard stands in front of every protocol of the door for cash registers: it counts the requests that showed a token or key and were
// answered with 401, holds up an address with too many of them, and gives a request's body only so long to arrive.
func (t *Tries) Guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ok, after := t.Judged(r.RemoteAddr); !ok {
			t.refuse(w, r, after)
			return
		}
		if !api(r.URL.Path) { // the till's own doors see to it themselves
			slow(w, r)
		}
		seen := &statusSeen{ResponseWriter: w}
		next.ServeHTTP(seen, r)
		if seen.status == http.StatusUnauthorized && shows(r) {
			t.Wrong(r.Context(), r.RemoteAddr)
		}
	})
}

// shows says whether a request showed something to be recognised by. A nexo message may do so by its envelope.
func shows(r *http.Request) bool {
	return r.Header.Get("Authorization") != "" || r.Header.Get("X-Api-Key") != "" || !api(r.URL.Path)
}

// refuse answers an address whose tokens are not judged, in the words of the protocol that it speaks.
func (t *Tries) refuse(w http.ResponseWriter, r *http.Request, after time.Duration) {
	w.Header().Set("Retry-After", seconds(after))
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	h := handler{cfg: Config{Log: t.log}}
	p := request(http.StatusTooManyRequests, "too_many_tries", "Too many wrong tokens came from this address",
		"Wait a minute, and put the token right: pos ecr rotate NAME prints a new one.", "nothing from this address is judged for %s seconds", seconds(after))
	if api(r.URL.Path) {
		h.fail(w, r, p)
		return
	}
	h.write(w, p.Status, "application/json", map[string][]string{"errors": {"tillway: " + p.Title + ": " + p.Detail}})
}

// statusSeen remembers an answer's status.
type statusSeen struct {
	http.ResponseWriter

	status int
}

// WriteHeader notes the first status.
func (s *statusSeen) WriteHeader(status int) {
	if s.status == 0 {
		s.status = status
	}
	s.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (s *statusSeen) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// slow bounds how long a body may take to arrive. What comes after the body has no bound: a request may wait for a card.
func slow(w http.ResponseWriter, r *http.Request) {
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = &timedBody{ReadCloser: r.Body, out: http.NewResponseController(w)}
	}
}

type timedBody struct {
	io.ReadCloser

	out          *http.ResponseController
	begun, ended bool
}

// Read begins the time with the first call and ends it with the body.
func (b *timedBody) Read(p []byte) (int, error) {
	if !b.begun {
		b.begun = true
		_ = b.out.SetReadDeadline(time.Now().Add(bodyWithin)) // refused where there is no connection, as in tests
	}
	n, err := b.ReadCloser.Read(p)
	if err != nil && !b.ended {
		b.ended = true
		_ = b.out.SetReadDeadline(time.Time{})
	}
	return n, err
}
