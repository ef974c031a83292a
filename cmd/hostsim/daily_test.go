package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

// TestNextTime: today where it is still to come, else tomorrow, also over the end of a month.
func TestNextTime(t *testing.T) {
	zone := time.FixedZone("+03", 3*60*60)
	for now, want := range map[string]string{
		"2026-11-23T22:59:59+03:00": "2026-11-23T23:00:00+03:00",
		"2026-11-23T23:00:00+03:00": "2026-11-24T23:00:00+03:00",
		"2026-11-30T23:30:00+03:00": "2026-12-01T23:00:00+03:00",
	} {
		at, err := time.Parse(time.RFC3339, now)
		if err != nil {
			t.Fatal(err)
		}
		if got := nextTime(at.In(zone), 23, 0).Format(time.RFC3339); got != want {
			t.Errorf("after %s: %s, want %s", now, got, want)
		}
	}
	for _, text := range []string{"24:00", "23", "23:60", "x"} {
		if _, _, _, err := parseTimeOfDay(text); !errors.Is(err, errUsage) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestSettleDaily: three days give three settlements of what came about in between.
func TestSettleDaily(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := slog.New(slog.NewTextHandler(io.Discard, nil))
		o := options{terminals: []string{"TILL0001:KW0000000000001"}, zone: "UTC", late: 1, keys: keysNone, mac: "alg3", memory: true, length: "binary", counts: "message", dialect: dialectNAC}
		members, err := o.members()
		if err != nil {
			t.Fatal(err)
		}
		h, err := newHost(t.Context(), o, members, log)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- settleDaily(ctx, h, "23:00", time.UTC, log) }()
		_, codec, err := speaks(dialectNAC, 8)
		if err != nil {
			t.Fatal(err)
		}
		for day := range 3 {
			b, err := codec.Pack(offline(day+1, 1_000))
			if err != nil {
				t.Fatal(err)
			}
			if replies := h.Answer(b); len(replies) != 1 {
				t.Fatalf("%d replies", len(replies))
			}
			time.Sleep(24 * time.Hour)
			synctest.Wait()
			if list := h.Statements(); len(list) != day+2 || list[day].Paid != 1_000 {
				t.Errorf("day %d: %+v", day+1, list)
			}
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
