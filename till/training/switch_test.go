package training_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tillway/terminal"
	"tillway/till/training"
)

// An order at the instant of a switch is wholly real or wholly training: while the real lane takes one, training does not begin, and
// while training is on none reaches it.
func TestSwitchRace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		real := newReal()
		term := practice(t, real, nil)
		real.during = func() {
			if term.On() {
				t.Error("training began while the real lane took an order")
			}
		}
		var all sync.WaitGroup
		var mu sync.Mutex
		count := map[string]int{}
		add := func(what string) {
			mu.Lock()
			defer mu.Unlock()
			count[what]++
		}
		for i := range 40 {
			all.Go(func() {
				time.Sleep(time.Duration(i) * 7 * time.Millisecond)
				switch sale, err := term.Start(t.Context(), terminal.Order{Kind: terminal.KindSale, Amount: kwd(t, 1_000)}); {
				case errors.Is(err, terminal.ErrBusy):
					add("busy")
				case err != nil:
					t.Error(err)
				case sale.Training != (sale.ID >= training.First):
					t.Errorf("sale %s says training %t", sale.ID, sale.Training)
				case sale.Training:
					add("training")
					time.Sleep(time.Millisecond)
					_ = term.Cancel(t.Context())
				default:
					add("real")
					time.Sleep(2 * time.Millisecond)
					if term.On() {
						t.Error("training is on while a real sale runs")
					}
					real.end()
				}
			})
			all.Go(func() {
				time.Sleep(time.Duration(i)*7*time.Millisecond + time.Duration(i%5)*time.Millisecond)
				if term.Switch(i%2 == 0) == nil {
					add("switched")
				}
			})
		}
		all.Wait()
		if count["real"] == 0 || count["training"] == 0 || count["switched"] < 4 {
			t.Errorf("this shows nothing: %v", count)
		}
	})
}

// Training does not begin beside a real sale, and what is done to money refuses while it is on.
func TestSwitchRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		real := newReal()
		term := practice(t, real, nil)
		if err := term.SendQueue(t.Context()); !errors.Is(err, terminal.ErrTraining) {
			t.Errorf("send: %v", err)
		}
		if _, err := term.Decide(t.Context(), terminal.DebtDecision{}); !errors.Is(err, terminal.ErrTraining) {
			t.Errorf("decide: %v", err)
		}
		if _, err := term.DecideBatch(t.Context(), terminal.BatchDecision{}); !errors.Is(err, terminal.ErrTraining) {
			t.Errorf("settle: %v", err)
		}
		if _, err := term.Journal().Debts(t.Context()); !errors.Is(err, terminal.ErrTraining) {
			t.Errorf("queue: %v", err)
		}
		if _, err := term.Journal().BatchRecord(t.Context(), "bank", 0); !errors.Is(err, terminal.ErrTraining) {
			t.Errorf("Z report: %v", err)
		}
		if len(real.asked) != 0 {
			t.Errorf("the real lane was asked: %v", real.asked)
		}
		if err := term.Switch(false); err != nil {
			t.Fatal(err)
		}
		if _, err := term.Start(t.Context(), terminal.Order{Kind: terminal.KindSale, Amount: kwd(t, 1_000)}); err != nil {
			t.Fatal(err)
		}
		if err := term.Switch(true); !errors.Is(err, terminal.ErrBusy) {
			t.Errorf("beside a real sale: %v", err)
		}
		real.end()
		if err := term.Switch(true); err != nil {
			t.Error(err)
		}
	})
}

// Real sales and training's are told apart by their numbers; the journal's rows are the real ones alone.
func TestJournal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		term := practice(t, newReal(), nil)
		sale := sell(t, term, terminal.Order{Kind: terminal.KindSale, Amount: kwd(t, 1_000)})
		j := term.Journal()
		if last, err := j.Last(t.Context(), 5); err != nil || len(last) != 1 || last[0].ID != sale.ID {
			t.Errorf("last in training: %v, %v", last, err)
		}
		if rows, err := j.SaleRows(t.Context(), sale.ID); err != nil || len(rows) < 5 || rows[len(rows)-1].To != "Approved" {
			t.Errorf("its rows: %v, %v", rows, err)
		}
		if rows, err := j.Rows(t.Context(), 0, 10); err != nil || len(rows) != 1 {
			t.Errorf("the journal has training's rows: %v, %v", rows, err)
		}
		if real, err := j.Sale(t.Context(), 41); err != nil || real.Training {
			t.Errorf("sale 41: %+v, %v", real, err)
		}
		if err := term.Switch(false); err != nil {
			t.Fatal(err)
		}
		if last, err := j.Last(t.Context(), 5); err != nil || len(last) != 1 || last[0].ID != 41 {
			t.Errorf("last in earnest: %v, %v", last, err)
		}
		if err := term.Switch(true); err != nil {
			t.Fatal(err)
		}
		if _, err := j.Sale(t.Context(), sale.ID); !errors.Is(err, terminal.ErrNoSale) {
			t.Errorf("a training sale outlives its training: %v", err)
		}
	})
}

// Somebody lost the answer to a real order, and sends it again while training is on: it is that payment, and no play of it.
func TestLostAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		term := practice(t, newReal(), nil)
		again, err := term.Start(t.Context(), terminal.Order{Kind: terminal.KindSale, Amount: kwd(t, 5_000), Key: "real"})
		if err != nil || again.ID != 41 || again.Training {
			t.Errorf("%s, training %t, %v", again.ID, again.Training, err)
		}
		if _, err := term.Start(t.Context(), terminal.Order{Kind: terminal.KindSale, Amount: kwd(t, 6_000), Key: "real"}); !errors.Is(err, terminal.ErrKeyReused) {
			t.Errorf("another order with its key: %v", err)
		}
		if found, err := term.Journal().Search(t.Context(), terminal.Search{Key: "real", Limit: 1}); err != nil || len(found.Sales) != 1 || found.Sales[0].ID != 41 {
			t.Errorf("a search for its key: %+v, %v", found, err)
		}
		sale := sell(t, term, terminal.Order{Kind: terminal.KindSale, Amount: kwd(t, 1_000), Key: "play"})
		if found, err := term.Journal().Search(t.Context(), terminal.Search{Key: "play", Limit: 1}); err != nil || len(found.Sales) != 1 || found.Sales[0].ID != sale.ID {
			t.Errorf("a search for a training sale's: %+v, %v", found, err)
		}
	})
}

// A watch wakes for a switch and for the real lane, and its version only ever goes up.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		real := newReal()
		term := practice(t, real, nil)
		woken := func(do func()) terminal.Snapshot {
			t.Helper()
			before := term.Snapshot()
			got := make(chan terminal.Snapshot, 1)
			go func() {
				s, _ := term.Watch(t.Context(), before.Version)
				got <- s
			}()
			synctest.Wait()
			do()
			s := <-got
			if s.Version <= before.Version {
				t.Errorf("version %d after %d", s.Version, before.Version)
			}
			return s
		}
		if s := woken(func() { _ = term.Switch(false) }); s.Training {
			t.Error("training is said to be on")
		}
		woken(real.end)
		if s := woken(func() { _ = term.Switch(true) }); !s.Training {
			t.Error("training is said to be off")
		}
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		if _, err := term.Watch(ctx, term.Snapshot().Version); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a watch without news: %v", err)
		}
	})
}
