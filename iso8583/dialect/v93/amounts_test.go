package v93_test

import (
	"errors"
	"strings"
	"testing"

	v93 "tillway/iso8583/dialect/v93"
	"tillway/money"
	"tillway/terminal"
)

// TestBalance: what is available, or else what is on the account, with its sign and its own currency; an approval without either is
// none, and of a refusal nothing is read.
func TestBalance(t *testing.T) {
	d := dialect(t, nil)
	const ledger, below = "0001414C000001000000", "0002414D000000010000"
	for name, c := range map[string]struct {
		de54  string
		minor int64
		code  string // of the currency; empty: no answer
	}{
		"below nothing":                  {ledger + below, -10_000, "KWD"},
		"in another order":               {below + ledger, -10_000, "KWD"},
		"of the account alone":           {ledger, 1_000_000, "KWD"},
		"in a currency of two decimals":  {"0002682C000000012345", 12_345, "SAR"},
		"of the first of two accounts":   {"1002414C000000000001" + "2002414C000000000002", 1, "KWD"},
		"beside what we do not know":     {"0099414C000000000007" + ledger, 1_000_000, "KWD"},
		"none":                           {"", 0, ""},
		"of neither":                     {"0040414C000000000007", 0, ""},
		"cut off":                        {ledger[:19], 0, ""},
		"with one character too many":    {ledger + "0", 0, ""},
		"neither credit nor debit":       {"0002414X000000010000", 0, ""},
		"in a currency that is none":     {"0002999C000000010000", 0, ""},
		"in a currency that is no digit": {"000241XC000000010000", 0, ""},
		"that is no number":              {"0002414C00000001000x", 0, ""},
		"of a type that is no number":    {"00O2414C000000010000", 0, ""},
	} {
		r, err := d.Response(answer(t, d, "answer-balance-1110", map[int]string{54: c.de54}))
		if c.code == "" {
			if !errors.Is(err, v93.ErrAnswer) {
				t.Errorf("a balance %s: %s, %v", name, r.Balance.Format(), err)
			}
			refused, err := d.Response(answer(t, d, "answer-balance-1110", map[int]string{54: c.de54, 39: "116"}))
			if err != nil || refused.Balance.Minor != 0 || refused.Verdict != terminal.VerdictDeclined {
				t.Errorf("a refusal with a balance %s: %+v, %v", name, refused, err)
			}
			continue
		}
		want, cerr := money.ByCode(c.code)
		if err := errors.Join(err, cerr); err != nil || r.Balance != money.New(c.minor, want) {
			t.Errorf("a balance %s: %s, %v", name, r.Balance.Format(), err)
		}
	}
	if r, err := d.Response(answer(t, d, "answer-1210", map[int]string{54: strings.Repeat("x", 30)})); err != nil || r.Balance.Minor != 0 {
		t.Errorf("the balance of a sale: %+v, %v", r.Balance, err)
	}
}

// TestPartialApproval: taken where the settings say so, of a purchase, with what was asked for in DE 30 and more than what is approved;
// otherwise it is no answer, and the sale is reversed.
func TestPartialApproval(t *testing.T) {
	takes := dialect(t, func(s *v93.Settings) { s.Partial = true })
	for name, c := range map[string]struct {
		change map[int]string
		minor  int64 // 0: no answer
	}{
		"as it is":               {nil, 4_000},
		"of a cheque":            {map[int]string{3: "030000"}, 0},
		"with cash":              {map[int]string{3: "090000"}, 0},
		"of nothing":             {map[int]string{4: "000000000000"}, 0},
		"of the whole":           {map[int]string{4: "000000010525"}, 0},
		"of more":                {map[int]string{4: "000000010526"}, 0},
		"of nobody knows what":   {map[int]string{30: ""}, 0},
		"that says no part":      {map[int]string{4: ""}, 0},
		"in no currency":         {map[int]string{49: ""}, 0},
		"in one that is unknown": {map[int]string{49: "999"}, 0},
		"of two accounts":        {map[int]string{39: "006"}, 0},
	} {
		r, err := takes.Response(answer(t, takes, "answer-part-1210", c.change))
		if c.minor == 0 {
			if !errors.Is(err, v93.ErrAnswer) {
				t.Errorf("a part %s: %+v, %v", name, r, err)
			}
			continue
		}
		if err != nil || r.Approved.Minor != c.minor || r.Verdict != terminal.VerdictApproved || string(r.ARC[:]) != "10" || r.Advice.Do == "" {
			t.Errorf("a part %s: %+v, %v", name, r, err)
		}
	}
	d := dialect(t, nil)
	if r, err := d.Response(answer(t, d, "answer-part-1210", nil)); !errors.Is(err, v93.ErrAnswer) {
		t.Errorf("a part that nobody asked for: %+v, %v", r, err)
	}
	if r, err := takes.Response(answer(t, takes, "answer-1230", map[int]string{39: "002"})); err != nil || r.Verdict != terminal.VerdictDeclined {
		t.Errorf("an advice that is taken in part: %+v, %v", r, err)
	}
}
