package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tillway/terminal"
)

// aBatch is a batch in a state, of one sale of visa.
func aBatch(t *testing.T, state terminal.BatchState) terminal.Batch {
	t.Helper()
	at := time.Date(2026, 11, 23, 23, 30, 0, 0, time.UTC)
	b := terminal.Batch{Acquirer: "nac", Number: 7, State: state, Opened: at.Add(-time.Hour), Currency: kwd(t, 1).Currency}
	if state != terminal.BatchOpen && state != terminal.BatchDraining {
		b.Fixed, b.Totals = at, []terminal.TotalsLine{{Scheme: "visa", Sales: 1, SalesSum: 10_525}}
	}
	return b
}

// settleRun is pos settle on a batch that goes through states.
func settleRun(t *testing.T, batches []terminal.Batch, refuse error, args ...string) (result, *stage) {
	t.Helper()
	w := &wire{}
	sale := saleOf(t, terminal.Approved)
	sale.Scheme = "visa"
	s := newStage(t, sale)
	s.batches, s.settleErr = batches, refuse
	defer w.serve(t, s)()
	return posRun(t, w, nil, append([]string{"settle"}, args...)...), s
}

// A settlement's exit status is its result, what goes on is said line by line, and the proof is printed.
func TestSettleEndsWithItsResult(t *testing.T) {
	balanced, differs := aBatch(t, terminal.BatchClosed), aBatch(t, terminal.BatchClosed)
	balanced.Balanced = true
	differs.Host = []terminal.TotalsLine{{}}
	for name, c := range map[string]struct {
		end     terminal.Batch
		code    int
		verdict string
	}{
		"in balance": {balanced, 0, "CLOSED IN BALANCE"},
		"differs":    {differs, 1, "CLOSED, NOT IN BALANCE"},
		"disputed":   {aBatch(t, terminal.BatchDisputed), 1, "NOT CLOSED: THE BANK DIFFERS"},
		"pending":    {aBatch(t, terminal.BatchTotalling), 5, "NOT CLOSED YET"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got, _ := settleRun(t, []terminal.Batch{aBatch(t, terminal.BatchDraining), aBatch(t, terminal.BatchTotalling), c.end}, nil)
				if got.code != c.code || !strings.Contains(got.out, c.verdict) || !strings.Contains(got.out, "SETTLEMENT") || !strings.Contains(got.out, "JOURNAL 1 SALE") {
					t.Errorf("exit %d, %s\n%s", got.code, got.errOut, got.out)
				}
				if want := "Batch 7: sending what is still owed to the bank\nBatch 7: the totals are with the bank\n"; got.errOut != want {
					t.Errorf("it said %q", got.errOut)
				}
			})
		})
	}
}

// Nothing to settle, a payment to look at first, and a settlement that was called off: nothing was sent, and the status says so.
func TestSettleThatSendsNothing(t *testing.T) {
	for name, c := range map[string]struct {
		refuse error
		says   string
	}{
		"empty":      {terminal.ErrEmptyBatch, "nothing was paid"},
		"parked":     {fmt.Errorf("%w: sale 5 of KWD 1.000: its advice is parked", terminal.ErrParkedItems), "--leave-parked"},
		"no totals":  {terminal.ErrNoTotals, "closes its batches by itself"},
		"called off": {nil, "called off: the bank refused it"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				open := aBatch(t, terminal.BatchOpen)
				open.Reason = "the bank refused it"
				got, _ := settleRun(t, []terminal.Batch{open}, c.refuse)
				if got.code != 3 || !strings.Contains(got.errOut, c.says) || got.out != "" {
					t.Errorf("exit %d, %q, %q", got.code, got.errOut, got.out)
				}
			})
		})
	}
}

// What is asked for reaches the terminal; for programs there is one object.
func TestSettleForPrograms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		balanced := aBatch(t, terminal.BatchClosed)
		balanced.Balanced = true
		got, s := settleRun(t, []terminal.Batch{balanced}, nil, "--json", "--leave-parked", "--batch", "7")
		var slip struct {
			Report  terminal.Report `json:"report"`
			Verdict string          `json:"verdict"`
		}
		if err := json.Unmarshal([]byte(got.out), &slip); err != nil || slip.Report.Proof.Result != terminal.ProofBalanced || slip.Verdict == "" || got.errOut != "" {
			t.Errorf("%v: %q %q", err, got.out, got.errOut)
		}
		want := terminal.BatchDecision{Batch: 7, Event: terminal.BatchSettle, By: "somebody who has not logged in", LeaveParked: true}
		if len(s.settled) != 1 || s.settled[0] != want {
			t.Errorf("the terminal heard %+v", s.settled)
		}
	})
}

// A batch is closed by hand by a supervisor who has logged in and says how it was settled; a cashier cannot.
func TestCloseByHand(t *testing.T) {
	c := newCounter(t)
	c.stage.batches = []terminal.Batch{aBatch(t, terminal.BatchClosed)}
	c.pos(posSecret+"\n", 0, "users", "init", "amal")
	c.pos(posSecret+"\n", 0, "login", "amal")
	c.pos(posSecret+"\n", 0, "users", "add", "sara", "supervisor")
	if got := c.pos("", 3, "settle", "close", "7", "--note", "by phone"); !strings.Contains(got, "which is for: supervisor") {
		t.Errorf("an administrator: %s", got)
	}
	c.pos(posSecret+"\n", 0, "login", "sara")
	for _, argv := range [][]string{{"settle", "close", "7"}, {"settle", "close", "x", "--note", "y"}, {"settle", "close"}} {
		c.pos("", 2, argv...)
	}
	if got := c.pos("", 0, "settle", "close", "7", "--note", "case 8812"); !strings.Contains(got, "closed by hand") || !strings.Contains(got, "No money was moved") {
		t.Error(got)
	}
	want := terminal.BatchDecision{Batch: 7, Event: terminal.BatchCloseByHand, By: "sara", Note: "case 8812"}
	if len(c.stage.settled) != 1 || c.stage.settled[0] != want {
		t.Errorf("the terminal heard %+v", c.stage.settled)
	}
}

// The status shows what is in the open batch, when it ends, and a batch that hangs.
func TestStatusShowsBatches(t *testing.T) {
	var out strings.Builder
	a := app{out: &out}
	disputed := aBatch(t, terminal.BatchDisputed)
	disputed.Reason, disputed.Attempts = "the bank refused the totals: code 95", 2
	a.printBatch(terminal.BatchStatus{
		Number: 8, Count: 1, Sum: kwd(t, 10_525), CutOff: time.Date(2026, 11, 24, 23, 30, 0, 0, time.UTC), Settling: []terminal.Batch{disputed}, Warning: "Full.",
	})
	want := `Batch     8 open, 1 payment, KWD 10.525, settled at 2026-11-24 23:30:00
Settling  7 disputed, sent 2 times: the bank refused the totals: code 95 (pos settle --batch 7, or pos settle close)
WARNING   Full.
`
	if out.String() != want {
		t.Errorf("%s", out.String())
	}
}
