package main

import (
	"errors"
	"testing"

	"tillway/device/secure"
)

// BenchmarkBoundary is what a sale asks of keyd: a PIN key and a MAC key are taken, one MAC made and one verified, and the
// card's data sealed twice.
func BenchmarkBoundary(b *testing.B) {
	h := newHome(b)
	p, _ := h.launch(b)
	h.load(b)
	sell(b, p)
}

// BenchmarkNamedSocket is the same of a keyd that is a service of its own, beside one at the other end of a socket pair.
func BenchmarkNamedSocket(b *testing.B) {
	b.Run("ours", func(b *testing.B) {
		d := newDaemon(b)
		d.start(b)
		r := d.connect(b, true)
		d.loadAs(b)
		sell(b, r)
	})
	b.Run("pair", func(b *testing.B) {
		h := newHome(b)
		p, _ := h.launch(b)
		h.load(b)
		sell(b, p)
	})
}

func sell(b *testing.B, p secure.Terminal) {
	b.Helper()
	ctx := b.Context()
	if err := p.CreateKey(ctx, "batch"); err != nil {
		b.Fatal(err)
	}
	message := make([]byte, 300)
	for b.Loop() {
		l, err := p.NextKey(ctx, "bank", secure.UseMAC)
		if err != nil {
			b.Fatal(err)
		}
		mac, err := p.MAC(ctx, l, secure.MACAlg3Pad1, message)
		if err != nil {
			b.Fatal(err)
		}
		if err := p.VerifyMAC(ctx, l, secure.MACAlg3Pad1, message, mac); !errors.Is(err, secure.ErrMAC) {
			b.Fatal(err)
		}
		for range 2 {
			if _, err := p.Seal(ctx, "batch", nil, message); err != nil {
				b.Fatal(err)
			}
		}
		b.StopTimer() // housekeeping, between sales
		if err := p.Refill(ctx); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}
