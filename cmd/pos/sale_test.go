package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tillway/emv"
	"tillway/emv/tlv"
	"tillway/terminal"
)

func saleOf(t *testing.T, state terminal.State) terminal.Sale {
	t.Helper()
	at := time.Date(2026, 11, 23, 9, 15, 7, 0, time.FixedZone("", 3*3600))
	s := terminal.Sale{
		V: terminal.RecordVersion, ID: 1042, Kind: terminal.KindSale, State: state, Acquirer: "nac", Batch: 7,
		Amount: kwd(t, 10_525), Started: at, Updated: at, LocalTime: at, TerminalID: "TILL0001", MerchantID: "KW0000000000001",
		MaskedPAN: "476173******0119", Label: "VISA CREDIT", AID: "A0000000031010", Entry: "chip", STAN: 42, Invoice: 43,
		ResponseCode: "00", AuthCode: "A12345",
	}
	for tag, value := range map[tlv.Tag][]byte{
		emv.TagTVR: {0x80, 0, 0, 0x80, 0x40}, emv.TagTSI: {0x78, 0}, emv.TagCVMResults: {0x1F, 0, 2}, emv.TagCID: {0x40},
		emv.TagApplicationCryptogram: {0x8C, 0xC4, 0x95, 0xA6, 0x6C, 0xAC, 0xA3, 0x8E}, emv.TagAuthorisationResponseCode: []byte("00"),
	} {
		s.Tags.Put(tag, value)
	}
	s.ODA, s.Method = emv.ODA{Method: "none"}, emv.NoCVM
	s.Why = []emv.Why{
		{Bit: "TVR byte 1 bit 8", Reason: "Offline data authentication was not performed: card and terminal have no method in common", Section: "Book 3, 10.3", Step: "Offline Data Authentication"},
		{Bit: "9F34", Reason: "1F0002: no CVM required", Section: "Book 4, 6.3.4.5", Step: "Cardholder Verification"},
		{Bit: "TSI byte 1 bit 7", Reason: "Cardholder verification was performed", Section: "Book 3, 10.5", Step: "Cardholder Verification"},
		{Bit: "TVR byte 4 bit 8", Reason: "Transaction exceeds floor limit: 10525 is at or over 0", Section: "Book 3, 10.6.1", Step: "Terminal Risk Management"},
		{Bit: "TSI byte 1 bit 4", Reason: "Terminal risk management was performed", Section: "Book 3, 10.6", Step: "Terminal Risk Management"},
		{Bit: "TAA", Reason: "asks for ARQC: the terminal approves nothing by itself", Section: "Book 3, 10.7", Step: "Terminal Action Analysis"},
		{Bit: "outcome", Reason: "the card gave an \x1b[2JARQC", Section: "Book 3, 10.9", Step: "Card Action Analysis"},
		{Bit: "TSI byte 1 bit 6", Reason: "Card risk management was performed", Section: "Book 3, 10.8", Step: "Card Action Analysis"},
		{Bit: "TSI byte 1 bit 5", Reason: "Issuer authentication was performed", Section: "Book 3, 10.9", Step: "Issuer Authentication"},
		// and nothing about TVR byte 5 bit 7: pos why says so
	}
	s.Outcome = terminal.Outcome{Code: "of the test", Happened: "It is " + string(state) + ".", Do: "Go on."}
	return s
}

var twoPrompts = []terminal.Snapshot{
	{State: terminal.AwaitCard, Text: "INSERT CARD"},
	{State: terminal.Sending, Text: "AUTHORISING, PLEASE WAIT", Advice: "Leave the card in."},
}

// A sale's exit status is its outcome, the prompts go to the cashier as they change, and the receipt is the original.
func TestSaleEndsWithItsOutcome(t *testing.T) {
	for state, code := range map[terminal.State]int{
		terminal.Approved: 0, terminal.Declined: 1, terminal.Cancelled: 3, terminal.Reversed: 5,
	} {
		t.Run(string(state), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wire{}
				s := newStage(t, saleOf(t, state), append([]terminal.Snapshot{}, twoPrompts...)...)
				defer w.serve(t, s)()
				got := posRun(t, w, nil, "sale", "10.525")
				if got.code != code {
					t.Errorf("exit %d, want %d: %s", got.code, code, got.errOut)
				}
				want := "KWD 10.525  INSERT CARD\nKWD 10.525  AUTHORISING, PLEASE WAIT  Leave the card in.\nIt is " + string(state) + ". Go on.\n"
				if got.errOut != want {
					t.Errorf("the cashier saw %q, want %q", got.errOut, want)
				}
				if !strings.Contains(got.out, strings.ToUpper(string(state))) || strings.Contains(got.out, "DUPLICATE") || strings.Contains(got.out, "476173") {
					t.Errorf("receipt:\n%s", got.out)
				}
			})
		})
	}
}

func TestSaleForPrograms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{}
		sale := saleOf(t, terminal.Declined)
		sale.Reference = "table 7"
		s := newStage(t, sale, append([]terminal.Snapshot{}, twoPrompts...)...)
		defer w.serve(t, s)()
		got := posRun(t, w, nil, "--json", "sale", "10.525", "--reference", "table 7")
		var record terminal.Sale
		if err := json.Unmarshal([]byte(got.out), &record); err != nil || record.ID != 1042 || record.State != terminal.Declined {
			t.Errorf("%v: %s", err, got.out)
		}
		if got.code != 1 || got.errOut != "" || strings.Count(got.out, "\n") != 1 {
			t.Errorf("exit %d, %q, %q", got.code, got.out, got.errOut)
		}
	})
}

// An amount that is not one never reaches the lane.
func TestAmountsThatAreRefused(t *testing.T) {
	for _, amount := range []string{"10.5255", "ten", "-1", "0", "0.000", "1,000", "", ".", "1.", "99999999999", "0x10", "1e3", " 1"} {
		t.Run(amount, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wire{}
				s := newStage(t, saleOf(t, terminal.Approved))
				defer w.serve(t, s)()
				got := posRun(t, w, nil, "sale", "--", amount)
				if got.code != 2 || len(s.started) != 0 || got.out != "" || strings.Count(got.errOut, "\n") != 1 || !strings.HasPrefix(got.errOut, "pos: ") {
					t.Errorf("exit %d, %d started: %q", got.code, len(s.started), got.errOut)
				}
			})
		})
	}
}

// What a hand types wrong is answered in words, on one line that says where to look.
func TestSlipsOfTheHand(t *testing.T) {
	for _, row := range []struct{ line, say string }{
		{"sale -1", "no number below zero"},
		{"sale -10.525", "no number below zero"},
		{"show -1", "no number below zero"},
		{"sale 0", "nothing to charge"},
		{"sale 5 --reference " + strings.Repeat("x", 5000), "shorten it"},
		{"journal --limit many", `"many" is no number`},
		{"receipt 1 --width wide", `"wide" is no number`},
		{"refnud 5", "did you mean refund?"},
		{"sale 5 --tip ten", "--tip"},
		{"sale 5 --tip -1", "--tip"},
		{"sale 5 --cashback 1.0005", "--cashback"},
		{"sale 5 --of 3", "unknown flag"},
		{"refund 0", "nothing to refund"},
		{"refund 5 --of x", "--of"},
		{"refund 5 --tip 1", "unknown flag"},
		{"refund", "takes AMOUNT"},
		{"void", "takes ID"},
		{"void 0", "is no sale number"},
		{"void 3 5", "takes ID"},
		{"preauth 0.000", "nothing to hold"},
		{"increment 5", "takes ID AMOUNT"},
		{"increment 3 0", "nothing to hold"},
		{"complete x 5", "is no sale number"},
		{"complete 3 0", "nothing to take"},
		{"balance 5", "takes no argument"},
		{"forced 5", "--auth is missing"},
		{"agree 3 maybe", "yes or no"},
		{"agree 0 yes", "is no sale number"},
		{"stauts", "did you mean status?"},
		{"queue sned", "did you mean send?"},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := &wire{}
			s := newStage(t, saleOf(t, terminal.Approved))
			defer w.serve(t, s)()
			got := posRun(t, w, nil, strings.Fields(row.line)...)
			if got.code != 2 || len(s.started) != 0 || got.out != "" || strings.Count(got.errOut, "\n") != 1 || !strings.Contains(got.errOut, row.say) {
				t.Errorf("%.40s: exit %d: %.200q", row.line, got.code, got.errOut)
			}
		})
	}
}

// A cashier is not told to ask for a card while there is no reader to put it into.
func TestSaleWithoutReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := terminal.Snapshot{State: terminal.AwaitCard, Text: "INSERT CARD", Reader: terminal.Health{Cause: "no such port P: is the cable in?"}}
		w := &wire{}
		s := newStage(t, saleOf(t, terminal.Approved), append([]terminal.Snapshot{gone}, twoPrompts...)...)
		defer w.serve(t, s)()
		got := posRun(t, w, nil, "sale", "10.525")
		first, rest, _ := strings.Cut(got.errOut, "\n")
		if got.code != 0 || !strings.Contains(first, "NO CARD READER  no such port P: is the cable in?") || !strings.Contains(rest, "INSERT CARD") {
			t.Errorf("exit %d: %q", got.code, got.errOut)
		}
	})
}

// A daemon that says that it is stopping is found again like one that is gone.
func TestSaleIsFoundAgainWhileTheDaemonStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{}
		s := newStage(t, saleOf(t, terminal.Reversed), append([]terminal.Snapshot{}, twoPrompts...)...)
		s.watchErr = context.Canceled
		defer w.serve(t, s)()
		got := posRun(t, w, nil, "sale", "10.525")
		if got.code != 5 || !strings.Contains(got.errOut, "looking for the sale again") || !strings.Contains(got.out, "REVERSED") {
			t.Errorf("exit %d: %q\n%s", got.code, got.errOut, got.out)
		}
	})
}

func TestAmountInArabicDigits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, amount := range []string{"١٠٫٥٢٥", "۱۰.۵۲۵"} {
			w := &wire{}
			s := newStage(t, saleOf(t, terminal.Approved), append([]terminal.Snapshot{}, twoPrompts...)...)
			stop := w.serve(t, s)
			if got := posRun(t, w, nil, "sale", amount); got.code != 0 {
				t.Errorf("%s: exit %d: %s", amount, got.code, got.errOut)
			}
			stop()
		}
	})
}

func TestSaleThatIsNotTaken(t *testing.T) {
	for _, row := range []struct {
		err  error
		code int
		say  string
	}{
		{fmt.Errorf("%w: sale 7", terminal.ErrBusy), 3, "cancel it"},
		{fmt.Errorf("%w: amount 0.000", terminal.ErrOrder), 2, "amount 0.000"},
		{fmt.Errorf("journal: disk full"), 4, "journal"},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := &wire{}
			s := newStage(t, saleOf(t, terminal.Approved))
			s.refuse = row.err
			defer w.serve(t, s)()
			got := posRun(t, w, nil, "sale", "10.525")
			if got.code != row.code || !strings.Contains(got.errOut, row.say) || strings.Count(got.errOut, "\n") != 1 || got.out != "" {
				t.Errorf("%v: exit %d: %q", row.err, got.code, got.errOut)
			}
		})
	}
}

func TestNoDaemon(t *testing.T) {
	for _, args := range [][]string{
		{"sale", "1"}, {"status"}, {"journal"}, {"show", "1"}, {"receipt", "1"}, {"why", "1"}, {"cancel"}, {"queue"}, {"queue", "send"}, {"queue", "retry", "3"}, {"queue", "write-off", "3", "--note", "x"},
	} {
		synctest.Test(t, func(t *testing.T) {
			got := posRun(t, &wire{}, nil, append([]string{"--socket", "/nowhere/posd.sock"}, args...)...)
			if got.code != 4 || !strings.Contains(got.errOut, "/nowhere/posd.sock") || strings.Count(got.errOut, "\n") != 1 || got.out != "" {
				t.Errorf("%v: exit %d: %q", args, got.code, got.errOut)
			}
		})
	}
}

// The daemon stops in the middle of a sale and comes back: pos finds the same sale, and its outcome.
func TestSaleOutlivesTheDaemon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{}
		s := newStage(t, saleOf(t, terminal.Reversed), append([]terminal.Snapshot{}, twoPrompts...)...)
		s.hold = make(chan struct{}) // the last watch never gets an answer
		stop := w.serve(t, s)
		back := make(chan func())
		s.onShow = func() {
			go func() {
				stop()
				time.Sleep(5 * time.Second)
				s.onShow = nil
				back <- w.serve(t, s)
			}()
		}
		done := make(chan result)
		go func() { done <- posRun(t, w, nil, "sale", "10.525") }()
		stop = <-back
		got := <-done
		stop()
		if got.code != 5 || !strings.Contains(got.errOut, "lost") || !strings.Contains(got.out, "REVERSED") || len(s.started) != 1 {
			t.Errorf("exit %d, %d started\n%s\n%s", got.code, len(s.started), got.errOut, got.out)
		}
	})
}

// A daemon that comes back and does not know the sale had written nothing, so nothing was sent.
func TestSaleThatTheDaemonForgot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{}
		s := newStage(t, saleOf(t, terminal.Cancelled), append([]terminal.Snapshot{}, twoPrompts[:1]...)...)
		s.forgotten = true
		defer w.serve(t, s)()
		got := posRun(t, w, nil, "sale", "10.525")
		if got.code != 3 || !strings.Contains(got.errOut, "nothing was charged") || got.out != "" {
			t.Errorf("exit %d: %q %q", got.code, got.errOut, got.out)
		}
	})
}

// A daemon that stays away: the outcome is not known, and pos says so and how to ask.
func TestDaemonThatStaysAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{}
		s := newStage(t, saleOf(t, terminal.Approved), append([]terminal.Snapshot{}, twoPrompts...)...)
		s.hold = make(chan struct{})
		stop := w.serve(t, s)
		stopped := make(chan struct{})
		s.onShow = func() {
			go func() { stop(); close(stopped) }()
		}
		before := time.Now()
		got := posRun(t, w, nil, "sale", "10.525")
		<-stopped
		if got.code != 4 || !strings.Contains(got.errOut, "pos show 1042") || time.Since(before) < reattachFor || got.out != "" {
			t.Errorf("exit %d after %s: %q", got.code, time.Since(before), got.errOut)
		}
	})
}

// Ctrl-C asks to cancel, and the outcome is still the sale's.
func TestInterruptAsksToCancel(t *testing.T) {
	for _, row := range []struct {
		refuse error
		state  terminal.State
		code   int
		say    string
	}{
		{nil, terminal.Cancelled, 3, "Cancelling"},
		{terminal.ErrNotCancelable, terminal.Approved, 0, "Too late to cancel"},
		{terminal.ErrNothingRuns, terminal.Approved, 0, "No sale is running"},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := &wire{}
			s := newStage(t, saleOf(t, row.state), append([]terminal.Snapshot{}, twoPrompts...)...)
			s.hold, s.cancelErr = make(chan struct{}), row.refuse
			defer w.serve(t, s)()
			signals := make(chan chan<- os.Signal, 1)
			done := make(chan result)
			go func() { done <- posRun(t, w, signals, "sale", "10.525") }()
			c := <-signals
			synctest.Wait()
			c <- os.Interrupt
			got := <-done
			if got.code != row.code || s.cancelled != 1 || !strings.Contains(got.errOut, row.say) || !strings.Contains(got.out, strings.ToUpper(string(row.state))) {
				t.Errorf("exit %d, cancelled %d: %q\n%s", got.code, s.cancelled, got.errOut, got.out)
			}
		})
	}
}
