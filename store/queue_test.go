package store_test

import (
	"strings"
	"testing"
	"time"

	"tillway/emv"
	"tillway/money"
	"tillway/store"
	"tillway/terminal"
)

func (f *folder) tokened() *store.Store {
	f.t.Helper()
	s, err := store.Open(f.t.Context(), store.Config{Path: f.path(), Sealer: f.keys, Token: tokens(f.keys)})
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = s.Abort() })
	return s
}

// approvedAlone is a sale that was approved in a way without the host.
func approvedAlone(t *testing.T, s *store.Store, id terminal.SaleID, way terminal.Way, minor int64) {
	t.Helper()
	k := newTeller(t, s, id)
	k.sale.Way, k.sale.Amount.Minor = way, minor
	if way == terminal.WayDeferred {
		k.do(terminal.Start, terminal.Presented, terminal.GoOnline, terminal.NotSent, terminal.Deferred)
		return
	}
	k.do(terminal.Start, terminal.Presented, terminal.OfflineApproved)
}

// The limits of the queue rest on what waits and what is parked: by way and card, and on authentic records alone.
func TestExposure(t *testing.T) {
	f := newFolder(t)
	s := f.tokened()
	card := secret(t).Card.PAN
	other, err := emv.NewPAN("5413330089604111")
	if err != nil {
		t.Fatal(err)
	}
	want := func(way terminal.Way, pan emv.PAN, want terminal.Exposure) {
		t.Helper()
		for range 2 { // the second time from memory
			got, err := s.Exposure(t.Context(), acquirer, way, pan)
			if err != nil || !got.Oldest.Equal(want.Oldest) {
				t.Errorf("%s: oldest %v (%v), want %v", way, got.Oldest, err, want.Oldest)
			}
			if got.Oldest = want.Oldest; got != want {
				t.Errorf("%s: %+v, want %+v", way, got, want)
			}
		}
	}
	want(terminal.WayOffline, card, terminal.Exposure{})
	approvedAlone(t, s, 1, terminal.WayOffline, 1000)
	approvedAlone(t, s, 2, terminal.WayOffline, 200)
	approvedAlone(t, s, 3, terminal.WayDeferred, 30)
	newTeller(t, s, 4).do(undone...) // a reversal is no exposure
	first, third := newTeller(t, s, 1).now.Add(3*time.Second), newTeller(t, s, 3).now.Add(5*time.Second)
	want(terminal.WayOffline, card, terminal.Exposure{Count: 2, Sum: 1200, Oldest: first, CardCount: 2, CardSum: 1200})
	want(terminal.WayOffline, other, terminal.Exposure{Count: 2, Sum: 1200, Oldest: first})
	want(terminal.WayDeferred, card, terminal.Exposure{Count: 1, Sum: 30, Oldest: third, CardCount: 1, CardSum: 30})
	if e, err := s.Exposure(t.Context(), "another", terminal.WayOffline, card); err != nil || e != (terminal.Exposure{}) {
		t.Errorf("another acquirer: %+v, %v", e, err)
	}
	if c, err := s.Counts(t.Context()); err != nil || c.Sum != 1230 || c.Owed != 4 {
		t.Errorf("counts %+v, %v", c, err)
	}
	d := due(t, s)
	move(t, s, &d[0], terminal.DebtTurn)
	move(t, s, &d[0], terminal.DebtRefused) // parked: not paid, and waits for nobody but a person
	want(terminal.WayOffline, card, terminal.Exposure{Count: 2, Sum: 1200, Oldest: newTeller(t, s, 2).now.Add(3 * time.Second), CardCount: 2, CardSum: 1200})
	move(t, s, &d[1], terminal.DebtTurn)
	move(t, s, &d[1], terminal.DebtAccepted)
	want(terminal.WayOffline, card, terminal.Exposure{Count: 1, Sum: 1000, CardCount: 1, CardSum: 1000})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db := raw(t, f.path())
	if _, err := db.Exec("UPDATE owed SET created = created + 1 WHERE id = 1"); err != nil {
		t.Fatal(err)
	}
	db.Close()
	s = f.tokened()
	e, err := s.Exposure(t.Context(), acquirer, terminal.WayOffline, card)
	if err != nil || e.Unknown == 0 {
		t.Errorf("with a debt that somebody changed: %+v, %v", e, err)
	}
	kwd, _ := money.ByCode("KWD")
	limits := terminal.OfflineLimits{Count: 99, Sum: 99_999, Age: time.Hour, CardCount: 99, CardSum: 99_999}
	if why := limits.Closed(e, money.New(1, kwd), first); !strings.Contains(why, "quarantine") {
		t.Errorf("limits over what nobody knows: %q", why)
	}
}

// Without tokens every card counts as the same one.
func TestExposureWithoutTokens(t *testing.T) {
	s := newFolder(t).open()
	approvedAlone(t, s, 1, terminal.WayOffline, 1000)
	other, err := emv.NewPAN("5413330089604111")
	if err != nil {
		t.Fatal(err)
	}
	if e, err := s.Exposure(t.Context(), acquirer, terminal.WayOffline, other); err != nil || e.CardCount != 1 || e.CardSum != 1000 {
		t.Errorf("%+v, %v", e, err)
	}
}

// BenchmarkDue reads a queue of three hundred, as every sale does several times.
func BenchmarkDue(b *testing.B) {
	s := newFolder(b).open()
	for id := terminal.SaleID(1); id <= 300; id++ {
		newTeller(b, s, id).do(terminal.Start, terminal.Presented, terminal.OfflineApproved)
	}
	b.ResetTimer()
	for b.Loop() {
		if due, err := s.Due(b.Context(), acquirer); err != nil || len(due) != 300 {
			b.Fatal(len(due), err)
		}
	}
}
