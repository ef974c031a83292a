package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"tillway/terminal"
	"tillway/till"
)

// TestLostAnswer: a client that goes away in mid-sale changes nothing. The sale ends as it would have, is found by the client's own key
// and by its own reference, and the same order again is the same sale: the card is charged once.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	w := whole(t, io.Discard)
	for n, lose := range []struct {
		door  string
		after int // bytes of the answer that are read before the connection is gone
	}{
		{"socket", 0}, {"socket", 20}, {"screen", 0}, {"screen", 20},
	} {
		key, reference := fmt.Sprintf("lost-%d", n), fmt.Sprintf("table %d", n)
		body := fmt.Sprintf(`{"kind":"sale","amount":{"minor":%d,"currency":"KWD"},"reference":%q,"key":%q}`, 7_000+1_000*n, reference, key)
		w.order(t, lose.door, body, lose.after)
		byKey := w.ended(t, "key="+key)
		if byKey.State != terminal.Approved || byKey.Amount.Minor != int64(7_000+1_000*n) {
			t.Errorf("%s, %d bytes: sale %s is %s: %+v", lose.door, lose.after, byKey.ID, byKey.State, byKey.Outcome)
		}
		if same := w.ended(t, "reference="+url.QueryEscape(reference)); same.ID != byKey.ID {
			t.Errorf("by reference it is sale %s, by key %s", same.ID, byKey.ID)
		}
		var again terminal.Sale
		if err := call(t.Context(), w.local, http.MethodPost, "http://posd/v1/sales", []byte(body), &again); err != nil || again.ID != byKey.ID {
			t.Errorf("the same order again is sale %s, want %s: %v", again.ID, byKey.ID, err)
		}
		if err := w.settled(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	all, err := w.sales(t.Context())
	if err != nil || len(all) != 4 {
		for _, s := range all {
			t.Logf("sale %s %s %s", s.ID, s.Reference, s.State)
		}
		t.Errorf("%d sales, %v", len(all), err)
	}
}

// order sends an order by a door and goes away: it reads so many bytes of the answer and no more.
func (w *world) order(t *testing.T, door, body string, bytes int) {
	t.Helper()
	network, address, host := "unix", w.path("posd.sock"), till.Host
	if door == "screen" {
		network, address, host = "tcp", w.screen, w.screen
	}
	var d net.Dialer
	c, err := d.DialContext(t.Context(), network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if err := c.SetDeadline(time.Now().Add(lookWithin)); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(c, "POST /v1/sales HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", host, len(body), body); err != nil {
		t.Fatal(err)
	}
	if bytes > 0 {
		begin := make([]byte, bytes)
		if _, err := io.ReadFull(c, begin); err != nil || !strings.HasPrefix(string(begin), "HTTP/1.1 201") {
			t.Fatalf("%q %v", begin, err)
		}
	}
}

// ended is the one sale that a search finds, when it has ended.
func (w *world) ended(t *testing.T, query string) (sale terminal.Sale) {
	t.Helper()
	if err := w.await(t.Context(), "the sale with "+query+" has ended", func(ctx context.Context) bool {
		var found till.Sales
		if err := get(ctx, w.local, "http://posd/v1/sales?"+query, &found); err != nil || len(found.Sales) != 1 {
			return false
		}
		sale = found.Sales[0]
		return sale.State.Final()
	}); err != nil {
		t.Fatal(err)
	}
	return sale
}
