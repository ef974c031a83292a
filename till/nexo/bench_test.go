package nexo

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tillway/terminal/people"
	"tillway/till"
)

// BenchmarkEnvelope is what enciphering costs a message of a payment's size: opened, and an answer sealed.
func BenchmarkEnvelope(b *testing.B) {
	k, err := derive([]byte(passphrase))
	if err != nil {
		b.Fatal(err)
	}
	plain, answer := []byte(message("Payment", "1", paymentOf("12.345"))), make([]byte, 8<<10)
	nonce := make([]byte, nonceBytes)
	blob, t, err := k.seal(plain, nonce)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := k.open(blob, t); err != nil {
			b.Fatal(err)
		}
		if _, _, err := k.seal(answer, nonce); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDerive is what a key costs the first time that it is used.
func BenchmarkDerive(b *testing.B) {
	for b.Loop() {
		if _, err := derive([]byte(passphrase)); err != nil {
			b.Fatal(err)
		}
	}
}

type (
	otherLane    struct{ till.Lane }
	otherJournal struct{ till.Journal }
)

// restLane and restJournal are the world as the REST interface sees it; of what a sale does not need there is nothing.
type (
	restLane struct {
		*world
		otherLane
	}
	restJournal struct {
		*world
		otherJournal
	}
)

type nobodyKept struct{ keeper }

type keeper = till.People

// BenchmarkPayment is what the interface adds to a payment that takes no time itself: a message in clear (ours) and enciphered, and over REST the order
// and both receipts, which a message brings at once.
func BenchmarkPayment(b *testing.B) {
	w := newWorld(b)
	w.ends = approve
	policy := people.DefaultPolicy()
	policy.Open = true
	rest := till.New(till.Config{
		Lane: restLane{world: w}, Journal: restJournal{world: w}, Currency: w.cfg.Currency, TerminalID: "TILL0001", MerchantID: "KW0000000000001", Header: w.cfg.Header,
		Access: till.NewAccess(till.AccessConfig{People: nobodyKept{}, Policy: policy, Log: slog.New(slog.DiscardHandler)}), Log: slog.New(slog.DiscardHandler),
	}).Socket()
	ask := func(h http.Handler, method, path, body string) {
		r := httptest.NewRequestWithContext(context.Background(), method, path, strings.NewReader(body))
		r.Host = till.Host
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Api-Key", token())
		out := httptest.NewRecorder()
		if h.ServeHTTP(out, r); out.Code >= http.StatusBadRequest {
			b.Fatal(out.Code, out.Body)
		}
	}
	clear := message("Payment", "1", paymentOf("12.345"))
	sealed := seal(b, clear, passphrase, 1)
	for _, c := range []struct {
		name string
		play func()
	}{
		{"ours", func() { ask(w.h, http.MethodPost, "/nexo", clear) }},
		{"sealed", func() { ask(w.h, http.MethodPost, "/nexo", sealed) }},
		{"rest", func() {
			ask(rest, http.MethodPost, "/v1/sales", `{"kind":"sale","amount":{"minor":12345,"currency":"KWD"},"key":"k"}`)
			for _, one := range []string{"customer", "merchant"} {
				ask(rest, http.MethodGet, fmt.Sprintf("/v1/sales/1042/receipt?copy=%s", one), "")
			}
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				w.sales = nil
				c.play()
			}
		})
	}
}
