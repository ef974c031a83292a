package till

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"tillway/terminal/people"
)

// Ten wrong tokens a minute are judged of an address; then nothing from there is until the minute is over, and others are not held up.
func TestTries(t *testing.T) {
	b := &book{people: map[string]people.Person{}}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	tries := NewTries(b.Audit, func() time.Time { return now }, slog.New(slog.DiscardHandler))
	for n := range MaxWrong {
		if ok, _ := tries.Judged("192.0.2.7:4711"); !ok {
			t.Fatalf("not judged after %d", n)
		}
		tries.Wrong(t.Context(), fmt.Sprintf("192.0.2.7:%d", 1000+n)) // whatever its port
	}
	now = now.Add(20 * time.Second)
	if ok, after := tries.Judged("192.0.2.7:1"); ok || after != 40*time.Second {
		t.Errorf("%v, after %s", ok, after)
	}
	for _, other := range []string{"192.0.2.8:1", "127.0.0.1:1", "[::1]:1", "[2001:db8::1]:1"} {
		if ok, _ := tries.Judged(other); !ok {
			t.Errorf("%s is held up", other)
		}
	}
	if words := b.words(); strings.Count(words, "192.0.2.7") != 1 || !strings.Contains(words, "nobody lock  denied 10 wrong tokens from 192.0.2.7") {
		t.Errorf("audited:\n%s", words)
	}
	now = now.Add(40 * time.Second)
	if ok, _ := tries.Judged("192.0.2.7:1"); !ok {
		t.Error("the minute is over")
	}
	tries.Wrong(t.Context(), "192.0.2.7:1")
	now = now.Add(-time.Hour)
	if ok, _ := tries.Judged("192.0.2.7:1"); !ok {
		t.Error("a clock that was set back holds an address up")
	}
}

// An IPv6 host comes from its whole /64; what is remembered is bounded, and past the bound addresses share one count.
func TestTriesAreBounded(t *testing.T) {
	b := &book{people: map[string]people.Person{}}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	tries := NewTries(b.Audit, func() time.Time { return now }, slog.New(slog.DiscardHandler))
	for n := range MaxWrong {
		tries.Wrong(t.Context(), fmt.Sprintf("[2001:db8::%x]:1", n))
	}
	if ok, _ := tries.Judged("[2001:db8::ffff]:1"); ok {
		t.Error("another address of the same network is judged")
	}
	if ok, _ := tries.Judged("[2001:db8:0:1::1]:1"); !ok {
		t.Error("another network is held up")
	}
	for n := range 2 * maxAddresses {
		tries.Wrong(t.Context(), fmt.Sprintf("10.0.%d.%d:1", n/256, n%256))
	}
	if len(tries.from) > maxAddresses+1 {
		t.Errorf("%d addresses are remembered", len(tries.from))
	}
	if ok, _ := tries.Judged("10.9.9.9:1"); ok {
		t.Error("who comes past the bound is judged without end")
	}
	now = now.Add(time.Minute)
	tries.Wrong(t.Context(), "10.9.9.9:1")
	if len(tries.from) > 2 {
		t.Errorf("%d addresses are remembered after their minute", len(tries.from))
	}
}
