package lane

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"tillway/money"
	"tillway/terminal"
)

// TestRest: what is done between sales is done while none runs, waits for one that does, and none begins meanwhile; where it ends the
// lane, no order that was taken is lost, and every later one is refused.
func TestRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, approves, slot{}, func(string) (string, bool, error) { return "approved", true, nil })
		defer b.end()
		pass(0)
		ran := false
		look := func(context.Context) (bool, error) {
			ran = true
			_, running := b.lane.Current()
			if running {
				t.Error("a sale runs")
			}
			return false, nil
		}
		if err := b.lane.Rest(t.Context(), look); err != nil || !ran {
			t.Fatal(ran, err)
		}
		refused := errors.New("not now")
		if err := b.lane.Rest(t.Context(), func(context.Context) (bool, error) { return true, refused }); !errors.Is(err, refused) {
			t.Error(err)
		}
		sale := b.sell(1000, "first") // the lane goes on: nothing was done
		rested := make(chan error, 1)
		go func() {
			rested <- b.lane.Rest(t.Context(), func(context.Context) (bool, error) {
				if s, err := b.journal.ByKey(t.Context(), "first"); err != nil || !s.State.Final() {
					t.Errorf("sale %s has not ended: %v", sale.ID, err)
				}
				return true, nil
			})
		}()
		if err := <-rested; err != nil {
			t.Error(err)
		}
		if _, err := b.lane.Start(t.Context(), terminal.Order{Kind: terminal.KindSale, Amount: sale.Amount}); !errors.Is(err, terminal.ErrStopping) {
			t.Errorf("an order after the end: %v", err)
		}
		if err := b.lane.Rest(t.Context(), look); !errors.Is(err, terminal.ErrStopping) {
			t.Errorf("resting after the end: %v", err)
		}
	})
}

// TestRestRaces: of orders given at the instant in which the lane ends, each is a sale that ends, or is refused as one that was not taken.
func TestRestRaces(t *testing.T) {
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			b := start(t, approves, slot{}, func(string) (string, bool, error) { return "approved", true, nil })
			defer b.end()
			pass(0)
			var wg sync.WaitGroup
			var mu sync.Mutex
			var taken []terminal.SaleID
			for i := range 4 {
				wg.Go(func() {
					s, err := b.lane.Start(t.Context(), terminal.Order{Kind: terminal.KindSale, Key: string(rune('a' + i)), Amount: money.New(int64(1000+i), kwd)})
					switch {
					case err == nil:
						mu.Lock()
						taken = append(taken, s.ID)
						mu.Unlock()
					case !errors.Is(err, terminal.ErrStopping) && !errors.Is(err, terminal.ErrBusy):
						t.Error(err)
					}
				})
			}
			if err := b.lane.Rest(t.Context(), func(context.Context) (bool, error) { return true, nil }); err != nil {
				t.Error(err)
			}
			wg.Wait()
			for _, id := range taken {
				if s, ok := b.journal.sales()[id]; !ok || !s.State.Final() {
					t.Errorf("sale %s was taken and is %s", id, s.State)
				}
			}
		})
	}
}
