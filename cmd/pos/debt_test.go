package main

import (
	"strings"
	"testing"

	"tillway/terminal"
)

// Writing off takes a supervisor's log-in, a note, and says that no money was moved.
func TestQueueWriteOff(t *testing.T) {
	c := newCounter(t)
	c.pos(posSecret+"\n", 0, "users", "init", "amal")
	c.pos(posSecret+"\n", 0, "login", "amal")
	c.pos(posSecret+"\n", 0, "users", "add", "sara", "supervisor")
	refused := c.pos("", 3, "queue", "write-off", "5", "--note", "by phone")
	if !strings.Contains(refused, "which is for: supervisor") {
		t.Errorf("an administrator: %s", refused)
	}
	c.pos(posSecret+"\n", 0, "login", "sara")
	for _, note := range []string{"", "two\nlines", strings.Repeat("x", 201)} {
		if got := c.pos("", 2, "queue", "write-off", "5", "--note", note); !strings.Contains(got, "--note says") {
			t.Errorf("%q: %s", note, got)
		}
	}
	if len(c.stage.decided) != 0 {
		t.Fatalf("decided %+v", c.stage.decided)
	}
	got := c.pos("", 0, "queue", "write-off", "5", "--note", "refunded by phone")
	for _, want := range []string{"Debt 5, the reversal of sale 1042, is written off", "No money was moved", "by hand"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in %s", want, got)
		}
	}
	if got := c.pos("", 0, "queue", "write-off", "5", "--json", "--note", "رد المبلغ"); !strings.Contains(got, `"state":"WrittenOff"`) {
		t.Errorf("JSON: %s", got)
	}
	want := terminal.DebtDecision{Debt: 5, Event: terminal.DebtWrittenOff, By: "sara", Note: "refunded by phone"}
	if len(c.stage.decided) != 2 || c.stage.decided[0] != want || c.stage.decided[1].Note != "رد المبلغ" {
		t.Errorf("the terminal heard %+v", c.stage.decided)
	}
}

// Parking by hand takes a supervisor too, and says how it goes on.
func TestQueuePark(t *testing.T) {
	c := newCounter(t)
	c.pos(posSecret+"\n", 0, "users", "init", "amal")
	c.pos(posSecret+"\n", 0, "login", "amal")
	c.pos(posSecret+"\n", 0, "users", "add", "sara", "supervisor")
	if got := c.pos("", 3, "queue", "park", "3"); !strings.Contains(got, "which is for: supervisor") {
		t.Errorf("an administrator: %s", got)
	}
	c.pos(posSecret+"\n", 0, "login", "sara")
	if got := c.pos("", 2, "queue", "park", "five"); !strings.Contains(got, "no number of a debt") {
		t.Error(got)
	}
	got := c.pos("", 0, "queue", "park", "3")
	if !strings.Contains(got, "Debt 3, the reversal of sale 1042, is parked: pos queue retry sends it again.") {
		t.Error(got)
	}
	if got := c.pos("", 2, "queue", "park", "5"); !strings.Contains(got, "parked already") {
		t.Error(got)
	}
	want := terminal.DebtDecision{Debt: 3, Event: terminal.DebtPut, By: "sara"}
	if len(c.stage.decided) != 1 || c.stage.decided[0] != want {
		t.Errorf("the terminal heard %+v", c.stage.decided)
	}
}

// What a write-off leaves to do is another thing for each kind of debt, and none says that money was moved.
func TestWrittenOffInWords(t *testing.T) {
	for kind, want := range map[terminal.DebtKind]string{
		terminal.ReversalDebt: "may have booked that sale", terminal.AdviceDebt: "may not have booked", terminal.DeferredDebt: "not paid for",
	} {
		if got := writtenOff(kind); !strings.Contains(got, want) {
			t.Errorf("%s: %q", kind, got)
		}
	}
	if got := terminal.DeferredDebt.Words() + terminal.AdviceDebt.Words() + terminal.DebtKind("").Words(); got != "kept requestadvice" {
		t.Error(got)
	}
}
