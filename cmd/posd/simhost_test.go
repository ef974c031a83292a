package main

import (
	"math/rand/v2"
	"time"

	"tillway/host"
	"tillway/host/issuer"
	"tillway/iso8583"
	"tillway/money"
)

// newSimHost is the real host with the ready cards' accounts and a random source of the seed's.
func newSimHost(codec *iso8583.Codec, r *rand.Rand, clock func() time.Time, change ...func(*host.Config)) (*host.Host, error) {
	kwd, err := money.ByCode("KWD")
	if err != nil {
		return nil, err
	}
	cards, err := issuer.TestCards(money.New(1_000_000, kwd))
	if err != nil {
		return nil, err
	}
	cfg := host.Config{
		Codec: codec, Clock: clock, Accounts: cards, Currency: kwd, Late: simAnswer + 500*time.Millisecond,
		Terminals: []host.Terminal{{ID: "TILL0001", Merchant: "KW0000000000001"}},
		Random: readerFunc(func(b []byte) (int, error) {
			for i := range b {
				b[i] = byte(r.Uint32())
			}
			return len(b), nil
		}),
	}
	for _, f := range change {
		f(&cfg)
	}
	return host.New(cfg)
}
