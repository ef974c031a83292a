package nac

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
	retries := map[string]bool{"13": true, "64": true, "55": true, "09": true, "19": true, "68": true, "90": true, "91": true, "92": true, "96": true}
	var codes []string
	for n := range 100 {
		codes = append(codes, fmt.Sprintf("%02d", n))
	}
	for _, code := range append(codes, "Z1", "Z3", "N7", "??") {
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
		r := terminal.Response{Code: "55", Advice: meaning("55").outcome("55")}
		dialect.WrongPIN(&r, tries)
		if _, whole := words.Arabic(r.Advice.Happened); !whole {
			t.Errorf("%q is in no Arabic", r.Advice.Happened)
		}
	}
}

// What a cashier has to tell apart is told apart: no two of these declines read the same.
func TestDeclinesAreNotOpaque(t *testing.T) {
	said := map[string]string{}
	for _, code := range []string{"05", "14", "51", "54", "55", "57", "58", "61", "65", "75", "91", "96", "13", "41"} {
		happened := meaning(code).happened
		if other, twice := said[happened]; twice {
			t.Errorf("%s and %s read the same: %q", code, other, happened)
		}
		said[happened] = code
	}
}
