package main

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"tillway/terminal"
)

// TestPINOfAPaymentBegunElsewhere: a payment that somebody else began asks for its PIN, and pos pin gives it.
func TestPINOfAPaymentBegunElsewhere(t *testing.T) {
	t.Parallel()
	w := whole(t, io.Discard)
	if err := w.cardholder(t.Context(), "insert", pinCard); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "pins")
	if err := os.WriteFile(file, []byte(rightPIN+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	order := map[string]any{"kind": "sale", "amount": map[string]any{"minor": 1500, "currency": "KWD"}, "key": "elsewhere"}
	var begun terminal.Sale
	if err := post(t.Context(), w.local, "http://posd/v1/sales", order, &begun); err != nil {
		t.Fatal(err)
	}
	if out, status, err := w.cashier(t.Context(), "pin", "--pin-file", file); err != nil || status != 0 {
		t.Fatalf("pos pin: %d %v\n%s", status, err, out)
	}
	if err := w.settled(t.Context()); err != nil {
		t.Fatal(err)
	}
	sales, err := w.sales(t.Context())
	if err != nil || len(sales) != 1 || sales[0].ID != begun.ID || sales[0].State != terminal.Approved {
		t.Errorf("%+v, %v: want sale %s approved", sales, err, begun.ID)
	}
}
