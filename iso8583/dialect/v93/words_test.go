package v93

import (
	"fmt"
	"strings"
	"testing"

	"tillway/iso8583/dialect"
	"tillway/terminal"
	"tillway/terminal/words"
)

// Every code says what happened and what to do, in both languages; a decline names its code, and may be tried again with the same card
// only where that can change the answer.
func TestEveryCodeIsToldInBothLanguages(t *testing.T) {
	retries := map[string]bool{
		"110": true, "117": true, "126": true, "127": true, "503": true, "903": true, "905": true, "906": true, "907": true, "908": true, "909": true, "910": true,
		"911": true, "912": true, "915": true, "923": true,
	}
	var codes []string
	for n := range 1000 {
		codes = append(codes, fmt.Sprintf("%03d", n))
	}
	for _, code := range append(codes, "N71") {
		row := meaning(code)
		if row.verdict == "" {
			continue // approves what nobody asked for: it is never told
		}
		out := row.outcome(code)
		for _, text := range []string{out.Happened, out.Do} {
			if arabic, whole := words.Arabic(text); text == "" || !whole || arabic == "" {
				t.Errorf("%s: %q is in no Arabic", code, text)
			}
			for _, never := range []string{"stolen", "lost", "fraud", "مسروق", "مفقود", "احتيال"} { // a cardholder reads over the cashier's shoulder
				if arabic, _ := words.Arabic(text); strings.Contains(strings.ToLower(text+arabic), never) {
					t.Errorf("%s says %q: %q", code, never, text)
				}
			}
		}
		if out.MayRetry != retries[code] {
			t.Errorf("%s: may the card be tried again? %t", code, out.MayRetry)
		}
	}
	for tries := -1; tries < 4; tries++ {
		r := terminal.Response{Code: "117", Advice: meaning("117").outcome("117")}
		dialect.WrongPIN(&r, tries)
		if _, whole := words.Arabic(r.Advice.Happened); !whole {
			t.Errorf("%q is in no Arabic", r.Advice.Happened)
		}
	}
}

// What a cashier has to tell apart is told apart: no two of these declines read the same.
func TestDeclinesAreNotOpaque(t *testing.T) {
	said := map[string]string{}
	for _, code := range []string{"100", "111", "116", "101", "117", "119", "120", "121", "123", "106", "907", "909", "110", "208"} {
		happened := meaning(code).happened
		if other, twice := said[happened]; twice {
			t.Errorf("%s and %s read the same: %q", code, other, happened)
		}
		said[happened] = code
	}
}
