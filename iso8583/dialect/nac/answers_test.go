package nac_test

import (
	"errors"
	"strings"
	"testing"

	"tillway/iso8583/dialect/nac"
	"tillway/money"
	"tillway/terminal"
)

func dinars(t testing.TB, minor int64) money.Amount {
	t.Helper()
	kwd, err := money.ByCode("KWD")
	if err != nil {
		t.Fatal(err)
	}
	return money.New(minor, kwd)
}

// The table of DE 39, code by code: what it is to a request, whether the card may be tried again, and a word of what the cashier
// is told. Every code that ISO 8583:1987 and the public tables of terminal dialects name is there.
func TestCodeTable(t *testing.T) {
	const approved, declined, later = terminal.VerdictApproved, terminal.VerdictDeclined, terminal.VerdictTryLater
	type row struct {
		codes   string
		verdict terminal.Verdict // empty: no answer that can be used, and the sale is reversed
		retry   bool
		says    string
		do      string
	}
	seen := map[string]bool{}
	d := dialect(t, nil)
	for _, want := range []row{
		{"00", approved, false, "approved", "receipt"},
		{"08 10 11 16 32 87", "", false, "", ""},
		{"09 68", "", false, "", ""},
		{"01 02 60", declined, false, "called", "forced sale"},
		{"03", declined, false, "merchant", "help line"},
		{"04 07 33 34 35 36 37 38 41 43 67", declined, false, "wants the card back", "do not argue"},
		{"05 06 17 18 20 22 23 24 26 27 28 29 45 46 47 48 49 50 66 69 70 71 72 73 74 78 79 81 82 83 84 85 86 97 98 99", declined, false, "The bank declined.", "another card"},
		{"12 40", declined, false, "kind of transaction", "another card"},
		{"13 64", declined, true, "amount", "Check the amount"},
		{"14 15 56", declined, false, "does not know this card", "another card"},
		{"31", declined, false, "not one that can be asked", "another card"},
		{"39 42 44 52 53", declined, false, "no account", "another card"},
		{"51", declined, false, "not enough money", "another card"},
		{"54", declined, false, "expired", "Do not try this card again"},
		{"55", declined, true, "PIN was wrong", "right PIN"},
		{"57 62", declined, false, "may not be used", "another card"},
		{"58", declined, false, "terminal may not", "help line"},
		{"59 93", declined, false, "suspects", "Do not try this card again"},
		{"61", declined, false, "card's limit", "another card"},
		{"63", declined, false, "security", "help line"},
		{"65", declined, false, "too often for now", "another card"},
		{"75", declined, false, "too often", "Do not try this card again"},
		{"19", later, true, "in time", "Wait"},
		{"91 92", later, true, "cannot be reached", "Wait"},
		{"90 96", later, true, "fault", "Wait"},
		{"21 25 76 77 80", declined, false, "does not find", "help line"},
		{"30", declined, false, "did not understand", "help line"},
		{"88 94", declined, false, "this number already", "help line"},
		{"89", declined, false, "does not know this terminal", "help line"},
		{"95", declined, false, "totals", "help line"},
		{"Z1 Z3", declined, false, "without the bank", "another card"},
	} {
		for code := range strings.FieldsSeq(want.codes) {
			if seen[code] {
				t.Errorf("%s is there twice", code)
			}
			seen[code] = true
			r, err := d.Response(answer(t, d, "answer-0210", map[int]string{39: code}))
			if want.verdict == "" {
				if !errors.Is(err, nac.ErrAnswer) {
					t.Errorf("%s: verdict %s, want an answer that cannot be used", code, r.Verdict)
				}
				continue
			}
			if err != nil || r.Verdict != want.verdict || r.Advice.MayRetry != want.retry || !strings.Contains(r.Advice.Happened, want.says) || !strings.Contains(r.Advice.Do, want.do) {
				t.Errorf("%s: %s, %+v (%v)", code, r.Verdict, r.Advice, err)
			}
			if want.verdict != approved && !strings.Contains(r.Advice.Happened, "(code "+code+")") {
				t.Errorf("%s: the cashier does not see the code: %s", code, r.Advice.Happened)
			}
		}
	}
	for processing, forced := range map[string]bool{"000000": true, "090000": true, "200000": false, "020000": false, "300000": false, "310000": false, "": false} {
		r, err := d.Response(answer(t, d, "answer-0210", map[int]string{3: processing, 39: "02"}))
		if err != nil || r.Verdict != declined || strings.Contains(r.Advice.Do, "forced sale") != forced {
			t.Errorf("call the bank, DE 3 %q: %+v (%v)", processing, r.Advice, err)
		}
	}
	for n := range 100 {
		if code := string([]byte{byte('0' + n/10), byte('0' + n%10)}); !seen[code] {
			t.Errorf("code %s has no row", code)
		}
	}
}

// An approval of less than was asked for: of a sale, where the settings have it, and where the answer says how much.
func TestPartialApproval(t *testing.T) {
	whole := "0057414C000000010525"
	for _, c := range []struct {
		name, partial string
		change        map[int]string
		currency      bool // the settings have one
		want          int64
	}{
		{"in DE 4", "amount", map[int]string{49: "414"}, false, 5_000},
		{"in DE 4, in the currency of the settings", "amount", nil, true, 5_000},
		{"in DE 4, with cash given out", "amount", map[int]string{3: "090000", 49: "414"}, false, 0},
		{"in DE 4, of no currency", "amount", nil, false, 0},
		{"in DE 4, of a currency that is none", "amount", map[int]string{49: "001"}, true, 0},
		{"in DE 4, of another currency than was asked for", "amount", map[int]string{49: "840"}, true, 0},
		{"in DE 4, and nothing there", "amount", map[int]string{4: "", 49: "414"}, false, 0},
		{"in DE 4, of nothing", "amount", map[int]string{4: "000000000000", 49: "414"}, false, 0},
		{"in DE 4, of all", "amount", map[int]string{4: "000000010525", 49: "414"}, false, 0},
		{"in DE 4, without the original amount", "amount", map[int]string{49: "414", 54: ""}, false, 5_000},
		{"in DE 54", "56", map[int]string{4: "000000010525", 54: whole + "0056414C000000004000"}, false, 4_000},
		{"in DE 54, and not there", "56", map[int]string{4: "000000010525"}, false, 0},
		{"in DE 54, below zero", "56", map[int]string{54: "0056414D000000004000"}, false, 0},
		{"in DE 54, of more than all", "56", map[int]string{54: whole + "0056414C000000014000"}, false, 0},
		{"not asked for", "off", map[int]string{49: "414"}, true, 0},
		{"of a refund", "amount", map[int]string{3: "200000", 49: "414"}, false, 0},
		{"of nobody knows what", "amount", map[int]string{3: "", 49: "414"}, false, 0},
	} {
		d := dialect(t, func(s *nac.Settings) {
			s.Partial = c.partial
			if c.currency {
				s.Currency = dinars(t, 0).Currency
			}
		})
		r, err := d.Response(answer(t, d, "answer-partial-0210", c.change))
		if c.want == 0 {
			if !errors.Is(err, nac.ErrAnswer) {
				t.Errorf("%s: %v of %s, %v; want ErrAnswer", c.name, r.Approved, r.Verdict, err)
			}
			continue
		}
		if err != nil || r.Verdict != terminal.VerdictApproved || r.Approved != dinars(t, c.want) || r.ARC != [2]byte{'1', '0'} || r.AuthCode != "A1B2C3" {
			t.Errorf("%s: %+v, %v", c.name, r, err)
		}
		if !strings.Contains(r.Advice.Happened, r.Approved.Format()) || r.Advice.Code != "approved" {
			t.Errorf("%s: %+v", c.name, r.Advice)
		}
	}
	two := dialect(t, func(s *nac.Settings) { s.Partial, s.Currency = "amount", dinars(t, 0).Currency })
	first := answer(t, two, "answer-partial-0210", nil)
	copy(first[5:], []byte{0x01, 0x10})
	if r, err := two.Response(first); err != nil || r.Approved != dinars(t, 5_000) {
		t.Errorf("the first step of a sale in two: %v, %v", r.Approved, err)
	}
	same := dialect(t, func(s *nac.Settings) { s.Partial, s.PreauthCode, s.Currency = "amount", "00", dinars(t, 0).Currency })
	if r, err := same.Response(first); !errors.Is(err, nac.ErrAnswer) {
		t.Errorf("what may be a pre-authorisation is taken in part: %v, %v", r.Approved, err)
	}
	whole10525, err := two.Response(answer(t, two, "answer-0210", nil))
	if err != nil || whole10525.Approved != (money.Amount{}) {
		t.Errorf("an approval of all is one in part: %v (%v)", whole10525.Approved, err)
	}
}

func TestBalanceAnswer(t *testing.T) {
	d := dialect(t, nil)
	for _, c := range []struct {
		name, amounts, code string
		want                money.Amount
	}{
		{"both", "0001414C000001000000" + "0002414C000000990000", "00", dinars(t, 990_000)},
		{"the other way round", "0002414C000000990000" + "0001414C000001000000", "00", dinars(t, 990_000)},
		{"on the account alone", "0001414C000001000000", "00", dinars(t, 1_000_000)},
		{"owed", "1002414D000000000500", "00", dinars(t, -500)},
		{"nothing on it", "0002414C000000000000", "00", dinars(t, 0)},
		{"of other types", "0057414C000000010525", "00", money.Amount{}},
		{"in a currency that is none", "0002001C000000990000", "00", money.Amount{}},
		{"with a sign that is none", "0002414X000000990000", "00", money.Amount{}},
		{"cut short", "0002414C00000099000", "00", money.Amount{}},
		{"five and a bit", strings.Repeat("0002414C000000990000", 5) + "0", "00", money.Amount{}},
		{"no number", "0002414C00000099000x", "00", money.Amount{}},
		{"none", "", "00", money.Amount{}},
		{"of a refusal", "0002414C000000990000", "51", money.Amount{}},
	} {
		r, err := d.Response(answer(t, d, "answer-balance-0110", map[int]string{39: c.code, 54: c.amounts}))
		if err != nil || r.Balance != c.want {
			t.Errorf("%s: %v, want %v (%v)", c.name, r.Balance, c.want, err)
		}
	}
	r, err := d.Response(answer(t, d, "answer-0210", map[int]string{54: "0002414C000000990000"}))
	if err != nil || r.Balance != (money.Amount{}) {
		t.Errorf("the answer to a sale tells %v (%v)", r.Balance, err)
	}
}

func TestTotalsAnswer(t *testing.T) {
	mine := []terminal.TotalsLine{{Sales: 3, SalesSum: 22_525, Refunds: 1, RefundsSum: 4_000}}
	for _, c := range []struct {
		name, golden            string
		own                     bool
		change                  map[int]string
		balance, closed, upload bool
		total                   []terminal.TotalsLine
	}{
		{name: "the same", golden: "answer-0510", balance: true, closed: true},
		{name: "others", golden: "answer-out-of-balance-0510", upload: true},
		{name: "others, said", golden: "answer-out-of-balance-0510", own: true, upload: true, total: mine},
		{name: "others behind the upload", golden: "answer-out-of-balance-0510", own: true, change: map[int]string{3: "960000"}, total: mine},
		{name: "the same behind the upload", golden: "answer-0510", change: map[int]string{3: "960000"}, balance: true, closed: true},
		{name: "batch not known", golden: "answer-0510", change: map[int]string{39: "80"}},
		{name: "later", golden: "answer-0510", change: map[int]string{39: "96"}},
		{
			name: "others, said in six pairs", golden: "answer-out-of-balance-0510", own: true, upload: true, total: mine,
			change: map[int]string{63: "002000000020000" + "000000000000000" + "001000000002525" + "001000000004000" + strings.Repeat("0", 30)},
		},
		{
			name: "others, said of sales alone", golden: "answer-out-of-balance-0510", own: true, upload: true, total: []terminal.TotalsLine{{Sales: 3, SalesSum: 22_525}},
			change: map[int]string{63: "003000000022525"},
		},
		{name: "text in their place", golden: "answer-out-of-balance-0510", own: true, upload: true, change: map[int]string{63: "TOTALS DIFFER"}},
	} {
		d := dialect(t, func(s *nac.Settings) { s.HostTotals = c.own })
		r, err := d.Response(answer(t, d, c.golden, c.change))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if r.InBalance != c.balance || r.Closed != c.closed || r.Upload != c.upload || len(r.HostTotal) != len(c.total) || len(c.total) > 0 && r.HostTotal[0] != c.total[0] || r.Text != "" {
			t.Errorf("%s: %+v", c.name, r)
		}
	}
}

// The public answers to totals and to an upload are read as what they were: out of balance, taken, closed.
func TestPublicTotalsAnswers(t *testing.T) {
	d := dialect(t, func(s *nac.Settings) { s.TextField = 48 })
	for name, want := range map[string]terminal.Response{
		"hpdh-settlement-resp":       {Verdict: terminal.VerdictDeclined, Upload: true},
		"hpdh-batch-upload-resp":     {Verdict: terminal.VerdictApproved},
		"hpdh-final-settlement-resp": {Verdict: terminal.VerdictApproved, InBalance: true, Closed: true},
		"hpdh-void-resp":             {Verdict: terminal.VerdictApproved},
		"hpdh-void-reversal-resp":    {Verdict: terminal.VerdictApproved},
	} {
		r, err := d.Response(publicMessages(t)[name][2:])
		if err != nil || r.Verdict != want.Verdict || r.InBalance != want.InBalance || r.Closed != want.Closed || r.Upload != want.Upload {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}
