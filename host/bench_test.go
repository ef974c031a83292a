package host_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"tillway/emv"
	"tillway/host"
	"tillway/host/issuer"
	"tillway/host/ledger"
	"tillway/money"
)

// BenchmarkDurable is authorisations a second whose postings are on disk before their answers: message without a MAC taken apart,
// cryptogram checked and answered, books and stored answer committed with a flush. So many terminals ask at the same time, each
// one sale after the other; they share commits. The messages are made before, and their making is not measured.
func BenchmarkDurable(b *testing.B) {
	for _, terminals := range []int{1, 64} {
		b.Run(fmt.Sprintf("terminals=%d", terminals), func(b *testing.B) {
			cfg := config(b)
			cfg.Terminals = nil
			for n := range terminals {
				cfg.Terminals = append(cfg.Terminals, host.Terminal{ID: fmt.Sprintf("BENCH%03d", n), Merchant: mid})
			}
			pan, err := emv.NewPAN(credit.pan)
			if err != nil {
				b.Fatal(err)
			}
			cfg.Accounts = []issuer.Account{{
				Name: "credit", PAN: pan, PSN: credit.psn, Expiry: credit.expiry, Balance: money.New(money.MaxMinor, kwd), IMK: unhex(b, credit.imk),
			}}
			folder := b.TempDir()
			cfg.Books = func(records func(ledger.Record) error) (*ledger.Ledger, error) {
				return ledger.Open(b.Context(), folder, records)
			}
			h, err := host.New(cfg)
			if err != nil {
				b.Fatal(err)
			}
			defer h.Close()
			r := &rig{t: b, h: h, codec: cfg.Codec}
			each := (b.N + terminals - 1) / terminals
			frames := make([][][]byte, terminals)
			for n := range frames {
				for i := range each {
					// The card's counter has sixteen bits: past them another amount keeps cryptograms apart.
					m, _ := r.sale(credit, i%999_999+1, 100+1_000*int64((n*each+i)/65_535))
					m.Set(41, fmt.Sprintf("BENCH%03d", n))
					m.Set(60, fmt.Sprintf("%06d", i/999_999+1))
					frames[n] = append(frames[n], r.pack(m))
				}
			}
			var wrong atomic.Int64
			var all sync.WaitGroup
			b.ResetTimer()
			for _, mine := range frames {
				all.Go(func() {
					for _, frame := range mine {
						if replies := h.Answer(frame); len(replies) != 1 {
							wrong.Add(1)
						}
					}
				})
			}
			all.Wait()
			b.StopTimer()
			done := each * terminals
			b.ReportMetric(float64(done)/b.Elapsed().Seconds(), "authorisations/s")
			if got := len(h.Ledger()); wrong.Load() != 0 || got != done {
				b.Fatalf("%d posted of %d, %d without an answer", got, done, wrong.Load())
			}
		})
	}
}
