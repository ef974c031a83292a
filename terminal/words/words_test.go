package words_test

import (
	"strings"
	"testing"

	"tillway/terminal/words"
)

// What is put into a sentence keeps its own direction, and several sentences stay in their order.
func TestArabic(t *testing.T) {
	for english, want := range map[string]string{
		"":                                     "",
		"Approved.":                            "قُبلت العملية.",
		"Voided: KWD 10.525 of transaction 7.": "أُلغي مبلغ \u2066KWD 10.525\u2069 من العملية \u20667\u2069.",
		"There is not enough money on the account. (code 51)":                  "الرصيد غير كافٍ. (الرمز \u206651\u2069)",
		"The customer is not charged. Ask for another way to pay.":             "لم يُخصم شيء من العميل. اطلب طريقة دفع أخرى.",
		"The PIN was wrong: 2 tries are left. (code 55)":                       "الرقم السري غير صحيح: بقيت \u20662\u2069 محاولات. (الرمز \u206655\u2069)",
		"Available: KWD -3.000.":                                               "الرصيد المتاح: \u2066KWD -3.000\u2069.",
		"Cancelled. Nothing was sent. Start again when the customer is ready.": "أُلغيت العملية. لم يُرسل شيء. ابدأ من جديد عندما يكون العميل جاهزاً.",
	} {
		if got, whole := words.Arabic(english); got != want || !whole {
			t.Errorf("%q: %q, %t; want %q", english, got, whole, want)
		}
	}
}

// A sentence that nobody has put into Arabic is shown as it is, isolated, and said to be missing.
func TestArabicMissing(t *testing.T) {
	got, whole := words.Arabic("Approved. The moon is \u202eblue.")
	if want := "قُبلت العملية. \u2066The moon is blue.\u2069"; got != want || whole {
		t.Errorf("%q, %t", got, whole)
	}
	if _, whole := words.Arabic(strings.Repeat("Approved. ", 300)); whole {
		t.Error("a text without an end is taken")
	}
}

// FuzzArabic: whatever text comes, nothing in the answer opens a direction that it does not close.
func FuzzArabic(f *testing.F) {
	f.Add("Approved in part: KWD 1.000 of KWD 2.000.")
	f.Add("The stripe reader is of no use now: \u2066x.")
	f.Fuzz(func(t *testing.T, english string) {
		arabic, _ := words.Arabic(english)
		depth := 0
		for _, r := range arabic {
			switch r {
			case 0x2066:
				depth++
			case 0x2069:
				depth--
			case 0x2067, 0x2068, 0x202A, 0x202B, 0x202C, 0x202D, 0x202E:
				t.Fatalf("%q: %U is in it", arabic, r)
			}
			if depth < 0 || depth > 1 {
				t.Fatalf("%q: isolates do not match", arabic)
			}
		}
		if depth != 0 {
			t.Fatalf("%q: an isolate is left open", arabic)
		}
	})
}
