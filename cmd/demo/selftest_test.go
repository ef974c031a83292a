package main

import (
	"encoding/json"
	"io"
	"strings"
	"testing"

	"tillway/terminal/selftest"
)

// selftest runs pos selftest, and holds its exit status to what it says.
func (w *world) selftest(t *testing.T) selftest.Report {
	t.Helper()
	printed, status, err := w.cashier(t.Context(), "selftest", "--json")
	if err != nil {
		t.Fatal(err)
	}
	var r selftest.Report
	if err := json.Unmarshal([]byte(printed), &r); err != nil {
		t.Fatalf("%v: pos selftest ended with %d and said %s", err, status, printed)
	}
	if wrong := r.Faults > 0; wrong != (status == 1) {
		t.Errorf("%d faults, and pos selftest ended with %d", r.Faults, status)
	}
	return r
}

// TestSelftestOfAWholeTerminal: a terminal that is well has no fault, running or not, and nothing that its test does is a sale or a debt.
func TestSelftestOfAWholeTerminal(t *testing.T) {
	w := whole(t, io.Discard)
	for _, running := range []bool{true, false} {
		if !running {
			p, err := w.take("posd")
			if err != nil {
				t.Fatal(err)
			}
			p.end()
		}
		r := w.selftest(t)
		if r.Daemon != running {
			t.Errorf("running is %v, and the report says %v", running, r.Daemon)
		}
		for _, f := range r.Findings {
			down := !running && (f.Fault == "posd_down" || f.Check == selftest.Reader)
			if f.Status != selftest.OK && !down && f.Fault != "ca_keys_ended" { // those of the demo's authority are old
				t.Errorf("running is %v: %+v", running, f)
			}
		}
	}
	if err := w.startTerminal(t.Context()); err != nil {
		t.Fatal(err)
	}
	s, err := w.status(t.Context())
	if err != nil || s.Owed != 0 || s.Parked != 0 || s.Sale != 0 {
		t.Errorf("behind the tests: %+v, %v", s, err)
	}
	if printed, _, err := w.cashier(t.Context(), "journal"); err != nil || strings.Contains(printed, "Approved") {
		t.Errorf("the journal has a sale: %s", printed)
	}
	w.sale(t, 0, "1.500")
}
