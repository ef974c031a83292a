package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"tillway/terminal"
)

// standings are transactions in every standing that there is, each as journal rows leave it.
func standings(t *testing.T) map[string]func(s *stage) {
	t.Helper()
	row := func(s *stage, from terminal.State, event terminal.Event, to terminal.State, duties ...terminal.Duty) {
		at := s.sale.Started.Add(time.Duration(len(s.rows)) * 1500 * time.Millisecond)
		s.rows = append(s.rows, terminal.JournalRow{Seq: int64(2070 + len(s.rows)), Time: at, Kind: terminal.SaleEntry, Sale: s.sale.ID, From: from, Event: string(event), To: string(to), Duties: duties})
		s.sale.Updated = at
	}
	debt := func(s *stage, event terminal.DebtEvent, d terminal.Debt) {
		at := s.sale.Started.Add(time.Duration(len(s.rows)) * 20 * time.Second)
		d.ID, d.Sale, d.Acquirer = 5, s.sale.ID, "nac"
		if d.STAN == 0 {
			d.STAN = s.sale.STAN
		}
		s.rows = append(s.rows, terminal.JournalRow{Seq: int64(2070 + len(s.rows)), Time: at, Kind: terminal.DebtEntry, Sale: s.sale.ID, Event: string(event), To: string(d.State), Debt: &d})
	}
	online := func(s *stage, end terminal.Event) {
		row(s, terminal.Ready, terminal.Start, terminal.AwaitCard)
		row(s, terminal.AwaitCard, terminal.Presented, terminal.CardTalk)
		row(s, terminal.CardTalk, terminal.GoOnline, terminal.Sending, terminal.OweReversal)
		row(s, terminal.Sending, terminal.HostApproved, terminal.FinishApproved)
		row(s, terminal.FinishApproved, end, s.sale.State, terminal.DischargeReversal)
		s.sale.Way, s.sale.By, s.sale.RRN = terminal.WayOnline, "maryam", "632709000042"
		s.sale.Outcome = terminal.Outcome{Code: terminal.CodeApproved, Happened: "Approved.", Do: "Give the customer the receipt."}
	}
	silent := func(s *stage) {
		s.sale.State, s.sale.ResponseCode, s.sale.AuthCode = terminal.Reversed, "Z3", ""
		row(s, terminal.CardTalk, terminal.GoOnline, terminal.Sending, terminal.OweReversal)
		row(s, terminal.Sending, terminal.NoAnswer, terminal.FinishUnanswered)
		row(s, terminal.FinishUnanswered, terminal.CardRefuses, terminal.Reversed)
		s.sale.Outcome = terminal.Outcome{Code: terminal.CodeNoAnswer, Happened: "The bank did not answer.", Do: "The customer is not charged. A reversal is on its way to the bank. Try again, or ask for another way to pay."}
	}
	offline := func(s *stage) {
		s.sale.Way, s.sale.ResponseCode, s.sale.AuthCode = terminal.WayOffline, "Y1", ""
		row(s, terminal.CardTalk, terminal.OfflineApproved, terminal.Approved, terminal.OweAdvice)
		s.sale.Outcome = terminal.Outcome{Code: terminal.CodeApproved, Happened: "Approved offline, and kept for the bank.", Do: "Give the customer the receipt."}
	}
	deferred := func(s *stage) {
		s.sale.Way, s.sale.ResponseCode, s.sale.AuthCode = terminal.WayDeferred, "Z3", ""
		row(s, terminal.Sending, terminal.NotSent, terminal.FinishUnable)
		row(s, terminal.FinishUnable, terminal.Deferred, terminal.Approved, terminal.OweDeferred)
	}
	later := func(s *stage, id terminal.SaleID, kind terminal.Kind, minor int64) {
		s.about = append(s.about, terminal.Sale{ID: id, Kind: kind, State: terminal.Approved, Of: s.sale.ID, Amount: kwd(t, minor), Updated: s.sale.Started.Add(time.Hour)})
	}
	batch := func(s *stage, state terminal.BatchState, balanced bool) {
		b := terminal.Batch{Acquirer: "nac", Number: 7, State: state, Opened: s.sale.Started.Add(-time.Hour), Balanced: balanced}
		if state == terminal.BatchClosed {
			b.Closed = s.sale.Started.Add(10 * time.Hour)
		}
		s.batches = []terminal.Batch{b}
	}
	return map[string]func(s *stage){
		"approved": func(s *stage) { online(s, terminal.CardAgrees); batch(s, terminal.BatchOpen, false) },
		"settled":  func(s *stage) { online(s, terminal.CardAgrees); batch(s, terminal.BatchClosed, true) },
		"settled-differs": func(s *stage) {
			online(s, terminal.CardAgrees)
			s.sale.LeftOut = 6
			batch(s, terminal.BatchClosed, false)
		},
		"declined": func(s *stage) {
			online(s, terminal.CardRefuses)
			s.sale.State, s.sale.ResponseCode, s.sale.AuthCode, s.sale.Way = terminal.Declined, "51", "", ""
			s.sale.Outcome = terminal.Outcome{Code: terminal.CodeDeclined, Happened: "Declined: There is not enough money on the account. (51)", Do: "The customer is not charged. Ask for another card or another way to pay."}
		},
		"cancelled": func(s *stage) {
			row(s, terminal.Ready, terminal.Start, terminal.AwaitCard)
			row(s, terminal.AwaitCard, terminal.Cancel, terminal.Cancelled)
			s.sale.State, s.sale.MaskedPAN, s.sale.AID, s.sale.Why, s.sale.ResponseCode, s.sale.AuthCode, s.sale.STAN = terminal.Cancelled, "", "", nil, "", "", 0
			s.sale.Outcome = terminal.Outcome{Code: terminal.CodeCancelled, Happened: "Cancelled.", Do: "Nothing was sent.", MayRetry: true}
		},
		"unknown": func(s *stage) {
			silent(s)
			debt(s, terminal.DebtNoAnswer, terminal.Debt{Kind: terminal.ReversalDebt, State: terminal.Owed, Attempts: 2, Reason: "no answer"})
		},
		"reversed": func(s *stage) {
			silent(s)
			debt(s, terminal.DebtTurn, terminal.Debt{Kind: terminal.ReversalDebt, State: terminal.Sent, Attempts: 1})
			debt(s, terminal.DebtAccepted, terminal.Debt{Kind: terminal.ReversalDebt, State: terminal.Acknowledged, Attempts: 1, RRN: "632709000042"})
		},
		"stuck": func(s *stage) {
			silent(s)
			debt(s, terminal.DebtRefused, terminal.Debt{Kind: terminal.ReversalDebt, State: terminal.Parked, Attempts: 1, Reason: "the bank has refused it for good: 12"})
		},
		"offline-waiting": func(s *stage) { offline(s); batch(s, terminal.BatchOpen, false) },
		"offline-told": func(s *stage) {
			offline(s)
			debt(s, terminal.DebtAccepted, terminal.Debt{Kind: terminal.AdviceDebt, State: terminal.Acknowledged, Attempts: 1, RRN: "632709000043"})
			batch(s, terminal.BatchOpen, false)
		},
		"parked": func(s *stage) {
			offline(s)
			debt(s, terminal.DebtRefused, terminal.Debt{Kind: terminal.AdviceDebt, State: terminal.Parked, Attempts: 1, Reason: "the bank has refused it for good: 30"})
		},
		"written-off": func(s *stage) {
			offline(s)
			debt(s, terminal.DebtWrittenOff, terminal.Debt{Kind: terminal.AdviceDebt, State: terminal.WrittenOff, Attempts: 1, Reason: "paid in cash"})
		},
		"deferred": deferred,
		"deferred-declined": func(s *stage) {
			deferred(s)
			debt(s, terminal.DebtRefused, terminal.Debt{Kind: terminal.DeferredDebt, State: terminal.Parked, Attempts: 1, Reason: "the bank has refused it for good: 51"})
		},
		"voided":   func(s *stage) { online(s, terminal.CardAgrees); later(s, 1043, terminal.KindVoid, 10_525) },
		"refunded": func(s *stage) { online(s, terminal.CardAgrees); later(s, 1043, terminal.KindRefund, 10_525) },
		"refunded-in-part": func(s *stage) {
			online(s, terminal.CardAgrees)
			later(s, 1043, terminal.KindRefund, 2_000)
			later(s, 1044, terminal.KindRefund, 500)
			batch(s, terminal.BatchTotalling, false)
		},
		"part": func(s *stage) {
			online(s, terminal.CardAgrees)
			s.sale.Approved, s.sale.Tip, s.sale.Twin = kwd(t, 4_000), kwd(t, 525), 1040
			batch(s, terminal.BatchOpen, false)
		},
		"held": func(s *stage) { s.sale.Kind = terminal.KindPreauth; online(s, terminal.CardAgrees) },
		"completed": func(s *stage) {
			s.sale.Kind = terminal.KindPreauth
			online(s, terminal.CardAgrees)
			later(s, 1043, terminal.KindCompletion, 9_000)
		},
		"refund": func(s *stage) { s.sale.Kind, s.sale.Of = terminal.KindRefund, 1030; online(s, terminal.CardAgrees) },
		"void":   func(s *stage) { s.sale.Kind, s.sale.Of = terminal.KindVoid, 1030; online(s, terminal.CardAgrees) },
		"balance": func(s *stage) {
			s.sale.Kind = terminal.KindBalance
			online(s, terminal.CardAgrees)
			s.sale.Amount, s.sale.Outcome.Happened = kwd(t, 0), "Available: KWD 71.250."
		},
		"practice": func(s *stage) { online(s, terminal.CardAgrees); s.sale.Training = true },
		"running": func(s *stage) {
			s.sale.State, s.sale.ResponseCode, s.sale.AuthCode, s.sale.Outcome = terminal.Sending, "", "", terminal.Outcome{}
			row(s, terminal.CardTalk, terminal.GoOnline, terminal.Sending, terminal.OweReversal)
		},
	}
}

// TestWhy has a golden of every standing, for people and for programs: go test ./cmd/pos -run TestWhy -update writes them anew.
func TestWhy(t *testing.T) {
	for name, arrange := range standings(t) {
		for _, form := range []string{"txt", "json"} {
			t.Run(name+"."+form, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w, s := &wire{}, newStage(t, saleOf(t, terminal.Approved))
					s.sale.Why = s.sale.Why[:2] // TestGolden has them all
					arrange(s)
					defer w.serve(t, s)()
					line := []string{"why", fmt.Sprint(s.sale.ID)}
					if form == "json" {
						line = append(line, "--json")
					}
					got := posRun(t, w, nil, line...)
					if got.code != 0 {
						t.Fatalf("exit %d: %s", got.code, got.errOut)
					}
					golden(t, filepath.Join("testdata", "why", name+"."+form), got.out)
				})
			})
		}
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil { //nolint:gosec // a golden is read by everybody
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, string(want))
}
