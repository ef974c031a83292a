package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"tillway/money"
	"tillway/terminal"
)

func kwd(t *testing.T, minor int64) money.Amount {
	t.Helper()
	c, err := money.ByCode("KWD")
	if err != nil {
		t.Fatal(err)
	}
	return money.New(minor, c)
}

func played(id terminal.SaleID, stan uint32, state terminal.State, amount money.Amount) outcome {
	return outcome{sale: terminal.Sale{ID: id, STAN: stan, State: state, Amount: amount}}
}

// TestOvertaken: what the bank saw, line by line, and what the demo says of it.
func TestOvertaken(t *testing.T) {
	done := []outcome{
		played(1, 1, terminal.Approved, money.Amount{}),
		played(2, 2, terminal.Reversed, money.Amount{}),
		played(3, 3, terminal.Approved, money.Amount{}),
		played(4, 0, terminal.Cancelled, money.Amount{}),
	}
	for _, c := range []struct{ name, seen, want string }{
		{"in order", "in 0800 9; in 0200 1; out 0210 1; in 0200 2; in 0400 2; out 0410 2; in 0200 3", "yes"},
		{"repeated reversal", "in 0200 1; in 0200 2; in 0400 2; in 0401 2; in 0200 3", "yes"},
		{"repeated request", "in 0200 2; in 0200 2; in 0400 2", "yes"},
		{"overtaken", "in 0200 1; in 0200 2; in 0200 3; in 0400 2", "request 000003 came before the reversal of 000002"},
		{"forgotten", "in 0200 1; in 0200 2", "the reversal of 000002 never came"},
		{"only sent back, not received", "in 0200 2; out 0400 2; in 0200 3", "request 000003 came before the reversal of 000002"},
	} {
		var log []message
		for line := range strings.SplitSeq(c.seen, "; ") {
			words := strings.Fields(line)
			m := message{Direction: words[0], MTI: words[1]}
			if err := m.STAN.UnmarshalText([]byte(words[2])); err != nil {
				t.Fatal(err)
			}
			log = append(log, m)
		}
		if got := overtaken(done, log); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestDisagreement(t *testing.T) {
	one, two := kwd(t, 1_000), kwd(t, 2_000)
	done := []outcome{
		played(1, 11, terminal.Approved, one), played(2, 12, terminal.Reversed, two),
		played(3, 13, terminal.Declined, one), played(4, 0, terminal.Cancelled, one),
	}
	for _, c := range []struct {
		name    string
		entries []entry
		want    string
	}{
		{"agree", []entry{{STAN: 11, State: posted, Amount: one}, {STAN: 12, State: reversed, Amount: two}}, "agree"},
		{"reversed and never posted", []entry{{STAN: 11, State: posted, Amount: one}}, "agree"},
		{"not posted", []entry{{STAN: 12, State: reversed, Amount: two}}, "sale 1 is Approved here and is 0 times in the bank's ledger"},
		{"posted twice", []entry{{STAN: 11, State: posted, Amount: one}, {STAN: 11, State: posted, Amount: one}}, "sale 1 is Approved here and is 2 times in the bank's ledger"},
		{"another amount", []entry{{STAN: 11, State: posted, Amount: two}}, "sale 1 is KWD 1.000 here and KWD 2.000 there"},
		{"still posted", []entry{{STAN: 11, State: posted, Amount: one}, {STAN: 12, State: posted, Amount: two}}, "sale 2 is Reversed here and posted there"},
		{"declined and posted", []entry{{STAN: 11, State: posted, Amount: one}, {STAN: 13, State: posted, Amount: one}}, "sale 3 is Declined here and posted there"},
	} {
		if got := disagreement(done, c.entries); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestTotal(t *testing.T) {
	if got, err := total(nil); got != "nothing" || err != nil {
		t.Errorf("total of none is %q, %v", got, err)
	}
	if got, err := total([]money.Amount{kwd(t, 10_525), kwd(t, 1)}); got != "KWD 10.526" || err != nil {
		t.Errorf("total is %q, %v", got, err)
	}
	usd, err := money.ByCode("USD")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := total([]money.Amount{kwd(t, 1), money.New(1, usd)}); err == nil {
		t.Errorf("dinars and dollars were added to %q", got)
	}
}

func TestSearch(t *testing.T) {
	files := fstest.MapFS{
		"posd.log":         {Data: []byte("pan=476173******0119")},
		"state/journal.db": {Data: []byte("\x00rubbish\x47\x61\x73\x90\x01\x01\x01\x19rubbish")},
		"state/keys":       {Data: []byte("5413330089604111")},
		"state/other":      {Data: []byte("5413330089604112")},
	}
	got, err := search(files, cards[:])
	if want := []string{"state/journal.db", "state/keys"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("found %q, %v; want %q", got, err, want)
	}
}

// TestBankLines reads what the host simulator writes, and refuses what it never would.
func TestBankLines(t *testing.T) {
	var e []entry
	err := json.Unmarshal([]byte(`[{"terminal":"TILL0001","stan":"000042","amount":{"minor":10525,"currency":"KWD"},"state":"posted"}]`), &e)
	if err != nil || len(e) != 1 || e[0] != (entry{STAN: 42, State: posted, Amount: kwd(t, 10_525)}) {
		t.Errorf("read %+v, %v", e, err)
	}
	var m []message
	if err := json.Unmarshal([]byte(`[{"direction":"in","note":"dropped"},{"direction":"in","mti":"0200","stan":"x"}]`), &m); err == nil {
		t.Errorf("a number that is none was read: %+v", m)
	}
}

func TestSummary(t *testing.T) {
	good := outcome{scene: scene{title: "sale", amount: "1.000", want: result{0, terminal.Approved, "approved", posted}}}
	good.got = good.want
	bad := good
	bad.got.bank = reversed
	for _, c := range []struct {
		name   string
		done   []outcome
		checks []check
		ok     bool
		says   string
	}{
		{"all well", []outcome{good, good}, []check{{"total", "1", "1"}}, true, "2 transactions and 1 checks as expected, in 1.5 s"},
		{"a scene differs", []outcome{good, bad}, nil, false, "bank: reversed  DIFFERS"},
		{"a check differs", []outcome{good}, []check{{"total", "1", "2"}}, false, "2  DIFFERS"},
	} {
		var out strings.Builder
		err := summary(&out, c.done, c.checks, 1500*time.Millisecond)
		if (err == nil) != c.ok || !strings.Contains(out.String(), c.says) {
			t.Errorf("%s: %v\n%s", c.name, err, out.String())
		}
	}
}
