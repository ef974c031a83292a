package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"tillway/terminal/provision"
)

// A server that cannot be reached is asked less and less often, and never sooner than it wants.
func TestBackOff(t *testing.T) {
	for _, row := range []struct {
		poll     time.Duration
		failures int
		after    time.Duration
		want     time.Duration
	}{
		{time.Hour, 0, 0, time.Hour},
		{time.Hour, 1, 0, time.Hour},
		{time.Hour, 2, 0, 2 * time.Hour},
		{time.Hour, 3, 0, 4 * time.Hour},
		{time.Hour, 4, 0, 8 * time.Hour},
		{time.Hour, 1000, 0, 8 * time.Hour},
		{time.Hour, 1, 90 * time.Minute, 90 * time.Minute},
		{12 * time.Hour, 9, 0, longestPoll},
		{48 * time.Hour, 9, 0, 48 * time.Hour},
	} {
		if got := backOff(row.poll, row.failures, row.after); got != row.want {
			t.Errorf("%+v: %s", row, got)
		}
	}
	for text, want := range map[string]time.Duration{"": 0, "120": 2 * time.Minute, "-1": 0, "soon": 0, "99999999": longestPoll, "99999999999999999999": 0, "Mon, 23 Nov 2026 22:00:00 GMT": 0} {
		if got := retryAfter(text); got != want {
			t.Errorf("Retry-After %q: %s, want %s", text, got, want)
		}
	}
	c := provisionConfig{Jitter: duration(time.Minute)}
	seen := map[time.Duration]bool{}
	for range 200 {
		wait := jittered(time.Hour, c)
		if seen[wait] = true; wait < time.Hour || wait > time.Hour+time.Minute {
			t.Fatalf("%s", wait)
		}
	}
	if len(seen) < 100 {
		t.Errorf("%d waits of 200 differ: terminals would all ask at once", len(seen))
	}
}

// paramServer is a parameter server that answers in its turn, and writes down when it was asked.
type paramServer struct {
	began   time.Time
	answers []*http.Response
	at      []time.Duration
	known   []string
}

func (a *paramServer) RoundTrip(r *http.Request) (*http.Response, error) {
	a.at, a.known = append(a.at, time.Since(a.began)), append(a.known, r.Header.Get("If-None-Match"))
	if len(a.answers) == 0 {
		return nil, io.ErrUnexpectedEOF
	}
	answer := a.answers[0]
	a.answers = a.answers[1:]
	if answer == nil {
		return nil, io.ErrUnexpectedEOF
	}
	return answer, nil
}

func answers(status int, header ...string) *http.Response {
	r := &http.Response{StatusCode: status, Status: http.StatusText(status), Header: http.Header{}, Body: http.NoBody}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

// The terminal asks with what it has, leaves a server alone that wants it or cannot be reached, comes back to its usual
// pace with the first answer, and says in its status how all that stands.
func TestPoll(t *testing.T) {
	p := packageOf(t, 1, func(m map[string][]byte) { m[provision.ServerCA] = bytes.Clone(m[provision.AcquirerCA]) })
	synctest.Test(t, func(t *testing.T) {
		server := &paramServer{began: time.Now(), answers: []*http.Response{answers(304), nil, nil, nil, answers(503, "Retry-After", "36000"), answers(304), answers(304)}}
		k := &keeper{log: slog.New(slog.DiscardHandler)}
		k.inUse.params = p
		k.inUse.Provision = provisionConfig{Server: "https://parameters.example.com/params", Poll: duration(time.Hour)}
		f, err := newFetcher(k.inUse)
		if err != nil {
			t.Fatal(err)
		}
		f.client.Transport = server
		ctx, stop := context.WithTimeout(t.Context(), 30*time.Hour)
		defer stop()
		k.pollWith(ctx, f)
		want := []time.Duration{0, 1, 2, 4, 8, 18, 19, 20, 21, 23, 27}
		for i := range want {
			want[i] *= time.Hour
		}
		if !slices.Equal(server.at, want) {
			t.Errorf("asked at %s, want %s", server.at, want)
		}
		for _, known := range server.known {
			if known != `"`+p.Digest().String()+`"` {
				t.Errorf("asked with If-None-Match %s", known)
			}
		}
		s := k.State(ctx).Server
		if s == nil || s.Failures != 4 || s.Reached.Sub(server.began.Truncate(time.Second)) != 19*time.Hour || s.Next.Sub(server.began.Truncate(time.Second)) != 35*time.Hour {
			t.Errorf("%+v", s)
		}
	})
}
