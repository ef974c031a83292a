package lane

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestReversalThatMeetsAKeyError: a host that cannot work with a key has not refused the reversal: it goes out again under new
// keys, before the next request. One that says so under the newest of keys has, and people look into it.
func TestReversalThatMeetsAKeyError(t *testing.T) {
	for name, c := range map[string]struct {
		bad            func(key string) bool
		acked, sending int
		parked         int
	}{
		"the old key": {func(key string) bool { return key == "K1" }, 1, 2, 0},
		"any key":     {func(string) bool { return true }, 0, 2, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v, bank := &vault{inForce: "K0"}, &keyBank{inForce: "K0"}
				acked, sendings := 0, 0
				bank.spoil = func(kind string, _ *keyBank, a string) (string, bool) {
					if kind == "reversal" {
						sendings++
						if _, key, _ := strings.Cut(a, "#"); c.bad(key) {
							return strings.Replace(a, "00", "63", 1), true
						}
						acked++
					}
					return a, kind != "sale"
				}
				b := start(t, approves, slot{}, bank.answer, session(v))
				defer b.end()
				pass(1500 * time.Millisecond)
				b.wire.set(false, nil)
				pass(10 * time.Second)
				b.sell(1000, "") // no answer: a reversal is owed
				b.last()
				pass(3 * time.Hour)
				if s := b.lane.Snapshot(); acked != c.acked || sendings != c.sending || s.Parked != c.parked || s.Owed != 0 {
					t.Errorf("acknowledged %d times in %d sendings, parked %d, owed %d: %v", acked, sendings, s.Parked, s.Owed, bank.seen())
				}
			})
		})
	}
}

// TestOldKeysUnderAClockPutBack: keys that came in a time that the clock was put back from are not kept until it comes again.
func TestOldKeysUnderAClockPutBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, bank := &vault{inForce: "K0"}, &keyBank{inForce: "K0"}
		b := start(t, approves, slot{}, bank.answer, session(v, func(o *OwnerConfig) { o.KeyLife = 24 * time.Hour }))
		defer b.end()
		pass(1500 * time.Millisecond)
		b.wire.set(false, nil)
		pass(10 * time.Second)
		b.clock.Store(-int64(365 * 24 * time.Hour))
		pass(25 * time.Hour)
		if v.now() == "K1" {
			t.Errorf("25 hours after it came, %s is in force: %v", v.now(), bank.seen())
		}
	})
}
