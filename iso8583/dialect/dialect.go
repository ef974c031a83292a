// Package dialect has what the dialects share: the reading and writing of what is the same in every version of ISO 8583, and the
// words to the cashier that belong to no code. It knows no field number, no code and no setting: each dialect gives its own.
//
// It is pure, like the dialects above it, and its errors are sentences for them to wrap. Sources: ISO 8583:1987 and 1993 (additional
// amounts, integrated circuit card data); EMV 4.4 Book 3, 7 and Book 4, 12.1.1, for what an issuer needs of a chip.
package dialect

import (
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"tillway/iso8583"
	"tillway/terminal"
)

// maxText bounds the host's text for the receipt.
const maxText = 200

// What the cashier is told to do, where codes of several dialects want the same.
const (
	GiveReceipt = "Give the receipt."
	AnotherWay  = "Ask for another card or another way to pay."
	CallHelp    = "Do not try again. Call the acquirer's help line and give the code."
	TryOnce     = "Wait a moment and try again."
	KeepCard    = "Do not try again and do not argue. Follow the shop's rule for cards that the bank wants back."
	NoSecondTry = "Do not try this card again. " + AnotherWay
	CallBank    = "Call the card's bank. With the approval code that it gives, enter a forced sale; without one, ask for another card or another way to pay."
	NothingLeft = "Nothing is left to do."
)

// Outcome is what a code means to the cashier; one that does not approve is named, so that it can be said on the telephone.
func Outcome(verdict terminal.Verdict, code, happened, do string, retry bool) terminal.Outcome {
	word := terminal.CodeApproved
	if verdict != terminal.VerdictApproved {
		word = terminal.CodeDeclined
		happened += " (code " + code + ")"
	}
	return terminal.Outcome{Code: word, Happened: happened, Do: do, MayRetry: retry}
}

// WrongPIN says in an answer that the PIN was wrong, and how many tries are left; below 0 the host did not say.
func WrongPIN(r *terminal.Response, tries int) {
	if r.WrongPIN, r.PINTries = true, max(tries, -1); tries < 0 {
		return
	}
	left := fmt.Sprintf("%d tries are left", tries)
	if tries == 1 {
		left = "one try is left"
	}
	r.Advice.Happened = fmt.Sprintf("The PIN was wrong: %s. (code %s)", left, r.Code)
}

// Text is a field's text without its padding; empty when it is not there, too long for a receipt or not printable. A field below
// zero is never there.
func Text(m *iso8583.Message, field int) string {
	if field < 0 {
		return ""
	}
	s, _ := m.Get(field)
	if s = strings.TrimSpace(s); len(s) > maxText || !Printable(s) {
		return ""
	}
	return s
}

// NearestYear is a time that came without its year, as MMDDhhmmss, in the year that brings it nearest to now: around new year the host
// may be in another year than we are. The zero time where it is no time in any of them.
func NearestYear(text string, now time.Time, zone *time.Location) time.Time {
	var nearest time.Time
	for year := now.Year() - 1; year <= now.Year()+1; year++ {
		t, err := time.ParseInLocation("20060102150405", fmt.Sprintf("%04d%s", year, text), zone)
		if err != nil { // 29 February of another year, or no time at all
			continue
		}
		if nearest.IsZero() || t.Sub(now).Abs() < nearest.Sub(now).Abs() {
			nearest = t
		}
	}
	return nearest
}

// Printable says that text has nothing in it but printable ASCII; the empty text has not.
func Printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

// Digits says that text is n digits.
func Digits(s string, n int) bool { return len(s) == n && strings.Trim(s, "0123456789") == "" }

// Alphanumeric says that text is letters and digits, and at least one.
func Alphanumeric(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
}

// Hex reads hexadecimal that has been checked; it panics on what is none.
func Hex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic("dialect: not hexadecimal")
	}
	return b
}
