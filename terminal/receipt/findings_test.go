package receipt

import (
	"strings"
	"testing"
	"time"
	"unicode"

	"tillway/money"
	"tillway/terminal"
)

func hasArabic(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return unicode.Is(unicode.Arabic, r) })
}

// latinAlone says that a text that has no Arabic needs none: numbers, names of schemes and people, data of the chip.
func latinAlone(s string) bool {
	for _, w := range []string{"VISA", "MASTERCARD", "KWD", "sara", "TILLWAY TEST SHOP", "Salem Al Mubarak Street, Block 1", "Salmiya, Kuwait", "CONTACT", "1.0.0", "KW0000000000001", "TILL0001"} {
		s = strings.ReplaceAll(s, w, "")
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= 'A' && r <= 'Z' || r >= 'g' && r <= 'z' }) // hex has a to f
}

// Every line that a report, a proof or the kernel's slip can print has Arabic: in every state of a batch, for every finding that the
// comparison makes, and every reason that the lane writes.
func TestEveryLineOfASlipHasArabic(t *testing.T) {
	open, items := aBatch(t)
	kwd := open.Currency
	checked := map[string]bool{}
	look := func(page []Block) {
		for _, b := range page {
			for _, x := range []struct{ english, arabic string }{{b.Label, b.ArabicLabel}, {b.Text, b.ArabicText}} {
				if x.english == "" || latinAlone(x.english) && (x.arabic == "" || x.arabic == x.english) {
					continue
				}
				if !checked[x.english] && (!hasArabic(x.arabic) || strings.HasPrefix(x.arabic, "كما سُجّل") || latinWords(x.arabic)) {
					t.Errorf("%q is %q in Arabic", x.english, x.arabic)
				}
				checked[x.english] = true
			}
		}
	}
	totals := terminal.TotalsOf(terminal.Counted(items))
	ours := terminal.SumLines(totals)
	var hosts [][]terminal.TotalsLine
	for _, count := range []int{-3, -2, -1, 0, 1, 2} {
		for _, sum := range []int64{-109_775, -99_250, -10_525, -3_000, -5_000, -8_000, 0, 1, -1, 10_525, 99_250, 7_000, 109_775, 3_000} {
			for _, refunds := range []int{-1, 0, 1, 2} {
				hosts = append(hosts, []terminal.TotalsLine{{
					Sales: max(0, ours.Sales+count), SalesSum: ours.SalesSum + sum, Refunds: max(0, ours.Refunds+refunds), RefundsSum: ours.RefundsSum + int64(refunds)*1_500,
				}})
			}
		}
	}
	at := time.Date(2026, 11, 23, 20, 31, 0, 0, time.UTC)
	reasons := []string{
		"response code 00", "the bank has closed the batch with other totals: response code 501", "the bank has other totals: response code 95",
		"the bank refused the totals: response code 95", "the bank cannot take it now: code 91", "no answer in time",
		"the bank could not work with a key, code 88: it goes out again under new ones", "called off by sara", "closed by hand by sara", "sent again by sara",
		"the terminal stopped while it may have been with the bank",
	}
	states := []terminal.BatchState{
		terminal.BatchOpen, terminal.BatchDraining, terminal.BatchTotalling, terminal.BatchUploading, terminal.BatchClosing, terminal.BatchDisputed, terminal.BatchClosed,
	}
	for i, host := range hosts {
		b := open
		b.State, b.Totals, b.Host, b.Reason, b.Code = states[i%len(states)], totals, host, reasons[i%len(reasons)], []string{"", "95"}[i%2]
		b.By = []string{"sara", "the terminal: the daily cut-off", "the terminal: the batch is full", "the terminal: its trace numbers run out"}[i%4]
		b.Findings = terminal.Compare(items, totals, host)
		b.Balanced, b.Uploaded = i%3 == 0, []int{0, 4}[i%2]
		if b.State != terminal.BatchOpen {
			b.Fixed, b.Counted = at, terminal.Ranges(terminal.Counted(items))
		}
		if b.State == terminal.BatchClosed {
			b.Closed = at
		}
		r := terminal.MakeReport(b, items, at)
		look(DrawReport(r, header, "KW0000000000001", "TILL0001").Page())
		look(DrawProof(r, header, "KW0000000000001", "TILL0001").Page())
	}
	look(DrawKernel(Kernel{"contact", "1.0.0", "0123456789abcdef"}, header, "KW0000000000001", "TILL0001", "1.0.0", at).Page())
	for _, why := range []string{
		"it cannot be sent to the bank again: the bank has refused it for good: see pos queue", "the bank refused it in the upload: code 30",
		"there are more findings than a record names: the journal has the answer to each upload", "or one of 5 more with that amount",
		"it was written off, and the bank was never told of it", "the bank has not been told of it yet", "the bank did not have this refund; it was sent again",
	} {
		if a := findingArabic(why, money.Latin, 0); !hasArabic(a) || latinWords(a) {
			t.Errorf("%q is %q", why, a)
		}
	}
	if len(checked) < 60 || money.New(1, kwd).Currency.Code != "KWD" {
		t.Errorf("only %d texts were looked at", len(checked))
	}
}

// latinWords says that a text in Arabic has an English sentence in it: three words beside each other.
func latinWords(s string) bool {
	n := 0
	for w := range strings.FieldsSeq(money.Plain(s)) {
		if len(w) > 1 && strings.Trim(w, "abcdefghijklmnopqrstuvwxyz:,.;") == "" {
			if n++; n == 3 {
				return true
			}
		} else {
			n = 0
		}
	}
	return false
}

// What a technician's error says stays as it is, isolated, behind words that say so.
func TestUnknownReasonStaysEnglish(t *testing.T) {
	open, items := aBatch(t)
	open.State, open.Fixed, open.Reason = terminal.BatchTotalling, open.Opened, "read tcp: connection reset by peer"
	page := DrawProof(terminal.MakeReport(open, items, open.Opened), header, "", "").Page()
	last := page[len(page)-1]
	if last.Text != "Read tcp: connection reset by peer." || last.ArabicText != "كما سُجّل: \u2066Read tcp: connection reset by peer.\u2069" {
		t.Errorf("%+v", last)
	}
}

func FuzzFindingArabic(f *testing.F) {
	f.Add("the bank refused the totals: response code 95, or one of the others with such an amount; it was sent again")
	f.Fuzz(func(t *testing.T, s string) {
		out := findingArabic(s, money.Latin, 0)
		if strings.Count(out, "\u2066") != strings.Count(out, "\u2069") {
			t.Errorf("%q gives %+q", s, out)
		}
	})
}
