package main

import (
	"testing"

	"tillway/terminal"
)

// TestNet: what was voided counts on neither side, a refund is taken off, and what was not approved, or only held, is nothing.
func TestNet(t *testing.T) {
	of := func(id terminal.SaleID, kind terminal.Kind, state terminal.State, minor int64, earlier terminal.SaleID) outcome {
		return outcome{sale: terminal.Sale{ID: id, Kind: kind, State: state, Amount: kwd(t, minor), Of: earlier}}
	}
	done := []outcome{
		of(1, terminal.KindSale, terminal.Approved, 10_000, 0),
		of(2, terminal.KindSale, terminal.Approved, 7_000, 0),
		of(3, terminal.KindVoid, terminal.Approved, 7_000, 2),
		of(4, terminal.KindVoid, terminal.Declined, 10_000, 1),
		of(5, terminal.KindRefund, terminal.Approved, 3_000, 1),
		of(6, terminal.KindPreauth, terminal.Approved, 50_000, 0),
		of(7, terminal.KindCompletion, terminal.Approved, 40_000, 6),
		of(8, terminal.KindSale, terminal.Reversed, 5_000, 0),
		{}, // an order that was refused
	}
	entries := []entry{
		{1, posted, kwd(t, 10_000), "sale"},
		{2, "voided", kwd(t, 7_000), "sale"},
		{3, posted, kwd(t, 7_000), "void"},
		{5, posted, kwd(t, 3_000), "refund"},
		{6, "completed", kwd(t, 50_000), "preauth"},
		{7, posted, kwd(t, 40_000), "completion"},
		{8, reversed, kwd(t, 5_000), "sale"},
	}
	if here, there := netTaken(done), netPosted(entries); here != "47000" || there != here {
		t.Errorf("%s here and %s there, want 47000 for both", here, there)
	}
	if there := netPosted(entries[1:]); there == "47000" {
		t.Error("a payment that the bank has not got is not missed")
	}
}

// TestFill: a scene names the number of an earlier one.
func TestFill(t *testing.T) {
	w := &world{kept: map[string]terminal.SaleID{"dinner": 1041}}
	if got := w.fill("refund 3.000 --of {dinner}"); got != "refund 3.000 --of 1041" {
		t.Error(got)
	}
}
