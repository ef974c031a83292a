package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/creack/pty"

	"tillway/terminal"
)

// TestKinds: each command makes the order of its kind, from what was typed and nothing else.
func TestKinds(t *testing.T) {
	for line, want := range map[string]terminal.Order{
		"sale 18.000 --tip 2 --cashback 5.5":    {Kind: terminal.KindSale, Amount: kwd(t, 18_000), Tip: kwd(t, 2_000), Cashback: kwd(t, 5_500)},
		"sale ١٨ --tip ٢٫٥ --cashback 0":        {Kind: terminal.KindSale, Amount: kwd(t, 18_000), Tip: kwd(t, 2_500)},
		"refund 3 --of 1041 --reference case-9": {Kind: terminal.KindRefund, Amount: kwd(t, 3_000), Of: 1041, Reference: "case-9"},
		"void 1041":                             {Kind: terminal.KindVoid, Amount: kwd(t, 0), Of: 1041},
		"preauth 100":                           {Kind: terminal.KindPreauth, Amount: kwd(t, 100_000)},
		"increment 1041 50":                     {Kind: terminal.KindIncrement, Amount: kwd(t, 50_000), Of: 1041},
		"complete 1041 132.5":                   {Kind: terminal.KindCompletion, Amount: kwd(t, 132_500), Of: 1041},
		"balance":                               {Kind: terminal.KindBalance, Amount: kwd(t, 0)},
		"forced 10.525 --auth A12345":           {Kind: terminal.KindForced, Amount: kwd(t, 10_525), AuthCode: "A12345"},
	} {
		t.Run(line, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, sale := &wire{}, saleOf(t, terminal.Approved)
				sale.Kind = want.Kind
				s := newStage(t, sale, append([]terminal.Snapshot{}, twoPrompts...)...)
				s.want = want
				defer w.serve(t, s)()
				if got := posRun(t, w, nil, strings.Fields(line)...); got.code != 0 || len(s.started) != 1 || !strings.Contains(got.out, "TILLWAY TEST SHOP") {
					t.Errorf("exit %d, %d started: %s%s", got.code, len(s.started), got.out, got.errOut)
				}
			})
		})
	}
}

// A refund that is of no sale needs a supervisor who has logged in, and the refusal says so.
func TestRefundOfNoSale(t *testing.T) {
	c := newCounter(t)
	c.pos(posSecret+"\n", 0, "users", "init", "amal")
	c.pos(posSecret+"\n", 0, "login", "amal")
	c.pos(posSecret+"\n", 0, "users", "add", "sara", "supervisor")
	c.pos("481526\n", 0, "users", "add", "carim", "cashier")
	c.stage.want = terminal.Order{Kind: terminal.KindRefund, Amount: kwd(t, 3_000), By: "sara"}
	c.stage.started = nil
	c.pos("481526\n", 0, "login", "carim")
	if said := c.pos("", 3, "refund", "3"); !strings.Contains(said, "supervisor") || len(c.stage.started) != 0 {
		t.Errorf("a cashier hears %q", said)
	}
	c.pos(posSecret+"\n", 0, "login", "sara")
	if c.pos("", 0, "refund", "3"); len(c.stage.started) != 1 {
		t.Errorf("the supervisor's refund: %+v", c.stage.started)
	}
}

// inPart is a sale of 10.525 that the bank approves for 4.000 only.
func inPart(t *testing.T, state terminal.State, signed bool) *stage {
	t.Helper()
	sale := saleOf(t, state)
	sale.Approved, sale.Signature = kwd(t, 4_000), signed
	s := newStage(t, sale, terminal.Snapshot{State: terminal.AgreementOnline, Text: "APPROVED IN PART"})
	s.hold = make(chan struct{})
	return s
}

// What is left to pay is said with the question; without somebody at a terminal the answer is a command of its own.
func TestApprovalInPartByCommand(t *testing.T) {
	for word, c := range map[string]struct {
		state terminal.State
		code  int
	}{"yes": {terminal.Approved, 0}, "no": {terminal.Reversed, 5}} {
		synctest.Test(t, func(t *testing.T) {
			w, s := &wire{}, inPart(t, c.state, false)
			defer w.serve(t, s)()
			ended := make(chan result, 1)
			go func() { ended <- posRun(t, w, nil, "sale", "10.525") }()
			time.Sleep(time.Second)
			if got := posRun(t, w, nil, "agree", "1042", word); got.code != 0 || !strings.Contains(got.out, "pos show 1042") {
				t.Errorf("exit %d: %s%s", got.code, got.out, got.errOut)
			}
			got := <-ended
			if got.code != c.code || !strings.Contains(got.errOut, "only KWD 4.000 of KWD 10.525") || !strings.Contains(got.errOut, "the other KWD 6.525") ||
				!strings.Contains(got.errOut, "pos agree 1042 yes, or pos agree 1042 no") || strings.Contains(got.out, "PLEASE SIGN") {
				t.Errorf("exit %d: %s\n%s", got.code, got.errOut, got.out)
			}
			if len(s.agreed) != 1 || s.agreed[0].Matches != (word == "yes") {
				t.Errorf("the lane heard %+v", s.agreed)
			}
		})
	}
}

// At a terminal it is asked, and with a signature both in one question.
func TestApprovalInPartAtATerminal(t *testing.T) {
	for _, signed := range []bool{false, true} {
		master, slave, err := pty.Open()
		if err != nil {
			t.Fatal(err)
		}
		w, s, out, printed := &wire{}, inPart(t, terminal.Approved, signed), &said{}, &bytes.Buffer{}
		stop := w.serve(t, s)
		ended := make(chan int, 1)
		go func() {
			ended <- run(t.Context(), app{
				in: slave, out: printed, errOut: out, env: func(string) string { return "" }, dial: w.dial, notify: func(chan<- os.Signal) {},
			}, []string{"sale", "10.525"})
		}()
		for !strings.Contains(out.String(), "[y/n]") {
			time.Sleep(time.Millisecond)
		}
		if _, err := master.WriteString("y\n"); err != nil {
			t.Fatal(err)
		}
		if code := <-ended; code != 0 || len(s.agreed) != 1 || !s.agreed[0].Matches {
			t.Errorf("exit %d, the lane heard %+v: %s", code, s.agreed, out)
		}
		if strings.Contains(out.String(), "signature match?") != signed || strings.Contains(printed.String(), "PLEASE SIGN") != signed {
			t.Errorf("signed %t: %s\n%s", signed, out, printed)
		}
		stop()
		_, _ = master.Close(), slave.Close()
	}
}

// A terminal that asks before it sends: the answer is a command of its own, or is typed here; an answer from elsewhere ends the question.
func TestSameCardIsAsked(t *testing.T) {
	for _, how := range []string{"typed", "elsewhere", "by command"} {
		sale := saleOf(t, terminal.Cancelled)
		w, s, out := &wire{}, newStage(t, sale, terminal.Snapshot{State: terminal.CardTalk, Text: "PLEASE WAIT", Confirm: true, Warning: "The same card paid the same amount."}), &said{}
		s.hold = make(chan struct{})
		stop := w.serve(t, s)
		master, slave, err := pty.Open()
		if err != nil {
			t.Fatal(err)
		}
		a := app{in: slave, out: &bytes.Buffer{}, errOut: out, env: func(string) string { return "" }, dial: w.dial, notify: func(chan<- os.Signal) {}}
		question := "meant to pay again? [y/n]"
		if how == "by command" {
			a.in, question = strings.NewReader(""), "pos confirm 1042 yes, or pos confirm 1042 no"
		}
		ended := make(chan int, 1)
		go func() { ended <- run(t.Context(), a, []string{"sale", "10.525"}) }()
		for !strings.Contains(out.String(), question) {
			time.Sleep(time.Millisecond)
		}
		switch how {
		case "typed":
			_, err = master.WriteString("n\n")
		case "elsewhere":
			err = s.Confirm(t.Context(), 1042, false, "sara")
		default:
			if got := posRun(t, w, nil, "confirm", "1042", "no"); got.code != 0 {
				t.Errorf("exit %d: %s", got.code, got.errOut)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		if code := <-ended; code != 3 || len(s.meant) != 1 || s.meant[0] || !strings.Contains(out.String(), "LOOK: The same card") {
			t.Errorf("%s: exit %d, the lane heard %v: %s", how, code, s.meant, out)
		}
		stop()
		_, _ = master.Close(), slave.Close()
	}
}

// Two payments of one card and one amount within minutes may be one purchase: the cashier is told, and how to take one back.
func TestTwinIsPointedOut(t *testing.T) {
	for state, said := range map[terminal.State]bool{terminal.Approved: true, terminal.Declined: false} {
		synctest.Test(t, func(t *testing.T) {
			w, sale := &wire{}, saleOf(t, state)
			sale.Twin = 1040
			s := newStage(t, sale, append([]terminal.Snapshot{}, twoPrompts...)...)
			defer w.serve(t, s)()
			got := posRun(t, w, nil, "sale", "10.525")
			if (strings.Contains(got.errOut, "in sale 1040") && strings.Contains(got.errOut, "pos void 1042")) != said {
				t.Errorf("%s: %s", state, got.errOut)
			}
		})
	}
}

// Of each kind pos show says what it was of, how it was approved, and what became of what it owes the bank.
func TestShowKinds(t *testing.T) {
	at := saleOf(t, terminal.Approved).Started
	owes := terminal.JournalRow{Seq: 11, Time: at, Kind: terminal.SaleEntry, Sale: 1042, To: string(terminal.Approved), Duties: []terminal.Duty{terminal.OweAdvice}}
	told := terminal.JournalRow{Seq: 12, Time: at, Kind: terminal.DebtEntry, Sale: 1042, Event: "Accepted", To: string(terminal.Acknowledged), Debt: &terminal.Debt{Kind: terminal.AdviceDebt}}
	for name, c := range map[string]struct {
		change func(*terminal.Sale)
		rows   []terminal.JournalRow
		want   []string
		not    string
	}{
		"completion, told":  {func(s *terminal.Sale) { s.Kind, s.Of = terminal.KindCompletion, 1041 }, []terminal.JournalRow{owes, told}, []string{"Kind        completion", "Of          1041", "Advice      Acknowledged since 2026-11-23"}, "Reversal"},
		"offline, owed":     {func(s *terminal.Sale) { s.Way = terminal.WayOffline }, []terminal.JournalRow{owes}, []string{"Approved by card and terminal", "Advice      not sent yet"}, "Reversal"},
		"with tip and cash": {func(s *terminal.Sale) { s.Tip, s.Cashback = kwd(t, 1_000), kwd(t, 5_000) }, []terminal.JournalRow{{Seq: 1, Time: at, Kind: terminal.SaleEntry}}, []string{"Tip         KWD 1.000", "Cash back   KWD 5.000"}, "Advice"},
		"in part":           {func(s *terminal.Sale) { s.Approved, s.Twin, s.By = kwd(t, 4_000), 1040, "sara" }, []terminal.JournalRow{{Seq: 1, Time: at, Kind: terminal.SaleEntry}}, []string{"Amount      KWD 10.525", "Approved    KWD 4.000", "in sale 1040", "By          sara"}, "Advice"},
		"balance":           {func(s *terminal.Sale) { s.Kind, s.Amount = terminal.KindBalance, kwd(t, 0) }, []terminal.JournalRow{{Seq: 1, Time: at, Kind: terminal.SaleEntry}}, []string{"Kind        balance"}, "Amount"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, sale := &wire{}, saleOf(t, terminal.Approved)
				c.change(&sale)
				s := newStage(t, sale)
				s.rows = c.rows
				defer w.serve(t, s)()
				got := posRun(t, w, nil, "show", "1042")
				for _, want := range c.want {
					if !strings.Contains(got.out, want) {
						t.Errorf("no %q:\n%s%s", want, got.out, got.errOut)
					}
				}
				if got.code != 0 || strings.Contains(got.out, c.not) {
					t.Errorf("exit %d, and it has %q:\n%s", got.code, c.not, got.out)
				}
			})
		})
	}
}

// Who looks a sale up sees that it was voided.
func TestShowTellsOfTheVoid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, void := &wire{}, saleOf(t, terminal.Approved)
		void.ID, void.Kind, void.Of = 1050, terminal.KindVoid, 1042
		s := newStage(t, saleOf(t, terminal.Approved))
		s.about = []terminal.Sale{void}
		defer w.serve(t, s)()
		if got := posRun(t, w, nil, "show", "1042"); !strings.Contains(got.out, "Since       void 1050, KWD 10.525") {
			t.Errorf("exit %d: %s%s", got.code, got.out, got.errOut)
		}
	})
}

// A response code of the terminal's own is not said to be the bank's answer.
func TestWhyTellsWhoAnswered(t *testing.T) {
	for code, want := range map[string]string{"00": "The host answered 00\n", "Y1": "The host was not asked, or did not answer: the card was told Y1\n", "Z3": "the card was told Z3\n"} {
		synctest.Test(t, func(t *testing.T) {
			w, sale := &wire{}, saleOf(t, terminal.Approved)
			sale.ResponseCode = code
			s := newStage(t, sale)
			defer w.serve(t, s)()
			if got := posRun(t, w, nil, "why", "1042"); got.code != 0 || !strings.Contains(got.out, want) {
				t.Errorf("%s: exit %d: %s", code, got.code, got.out)
			}
		})
	}
}
