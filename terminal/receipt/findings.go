package receipt

import (
	"regexp"
	"strings"
	"sync"

	"tillway/money"
)

// finding is what a proof says of a payment or a batch, and its Arabic. $1 and $2 are what the brackets hold; a clause in them is put into
// Arabic by itself.
type finding struct {
	english func() *regexp.Regexp // compiled when it is first asked for: most terminals never print one in Arabic
	arabic  string
}

func clause(english, arabic string) finding {
	return finding{sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile("^(?i:" + english + ")$") }), arabic}
}

// findings are those of terminal.Compare, terminal.Item.Missing and the lane's settlement.
var findings = []finding{
	clause(`(.+), or one of the others with such an amount`, "$1، أو إحدى العمليات الأخرى بهذا المبلغ"),
	clause(`(.+); it was sent again`, "$1؛ وأُرسلت مرة أخرى"),
	clause(`the bank counted this payment, and the journal does not: (.+)`, "حسب البنك هذه العملية، والسجل لا يحسبها: $1"),
	clause(`the bank counted this refund, and the journal does not: (.+)`, "حسب البنك هذا الاسترداد، والسجل لا يحسبه: $1"),
	clause(`the bank did not have this payment`, "لم تكن هذه العملية لدى البنك"),
	clause(`the bank did not have this refund`, "لم يكن هذا الاسترداد لدى البنك"),
	clause(`or one of ([0-9]+) more with that amount`, "أو إحدى $1 عملية أخرى بهذا المبلغ"),
	clause(`the bank counted as many payments, and their sum is lower: the amount of one differs`, "عدد العمليات لدى البنك مثله ومجموعها أقل: مبلغ إحداها مختلف"),
	clause(`the bank counted as many payments, and their sum is higher: the amount of one differs`, "عدد العمليات لدى البنك مثله ومجموعها أكثر: مبلغ إحداها مختلف"),
	clause(`the bank counted as many refunds, and their sum is lower: the amount of one differs`, "عدد الاستردادات لدى البنك مثله ومجموعها أقل: مبلغ أحدها مختلف"),
	clause(`the bank counted as many refunds, and their sum is higher: the amount of one differs`, "عدد الاستردادات لدى البنك مثله ومجموعها أكثر: مبلغ أحدها مختلف"),
	clause(`the bank counted one payment less, and no single one has that amount`, "حسب البنك عملية أقل بواحدة، ولا عملية بهذا المبلغ"),
	clause(`the bank counted one payment more, and no single one has that amount`, "حسب البنك عملية زائدة، ولا عملية بهذا المبلغ"),
	clause(`the bank counted one refund less, and no single one has that amount`, "حسب البنك استرداداً أقل بواحد، ولا استرداد بهذا المبلغ"),
	clause(`the bank counted one refund more, and no single one has that amount`, "حسب البنك استرداداً زائداً، ولا استرداد بهذا المبلغ"),
	clause(`the bank counted ([0-9]+) payments less`, "ينقص لدى البنك من العمليات: $1"),
	clause(`the bank counted ([0-9]+) payments more`, "يزيد لدى البنك من العمليات: $1"),
	clause(`the bank counted ([0-9]+) refunds less`, "ينقص لدى البنك من الاستردادات: $1"),
	clause(`the bank counted ([0-9]+) refunds more`, "يزيد لدى البنك من الاستردادات: $1"),
	clause(`there are more findings than a record names: the journal has the answer to each upload`, "النتائج أكثر مما يتسع له القيد: في السجل رد كل إرسال"),
	clause(`it cannot be sent to the bank again: (.+)`, "لا يمكن إرسالها إلى البنك مرة أخرى: $1"),
	clause(`the bank refused it in the upload: code (.+)`, "رفضها البنك عند الإرسال: الرمز $1"),

	clause(`the bank has refused it for good: see pos queue`, "رفضها البنك نهائياً: انظر قائمة الانتظار"),
	clause(`the bank has refused for good to be told of it: see pos queue`, "رفض البنك نهائياً استلام خبرها: انظر قائمة الانتظار"),
	clause(`it was written off, and the bank was never told of it`, "شُطبت، ولم يُبلَّغ البنك بها قط"),
	clause(`the bank has not been told of it yet`, "لم يُبلَّغ البنك بها بعد"),
	clause(`it is approved`, "هي مقبولة"),
	clause(`it is declined`, "هي مرفوضة"),
	clause(`it is cancelled`, "هي ملغاة"),
	clause(`it is reversed`, "هي معكوسة"),
	clause(`an? (preauth|increment|balance|void) takes no money`, "هذا النوع لا يسحب مالاً"),
	clause(`it was voided by sale ([0-9]+)`, "أُلغيت بالعملية $1"),

	clause(`response code (\S+)`, "رمز الرد $1"),
	clause(`response code (\S+) \(host (.+)\)`, "رمز الرد $1، المضيف $2"),
	clause(`the bank has closed the batch with other totals: (.+)`, "أغلق البنك الدفعة بمجاميع أخرى: $1"),
	clause(`the bank has other totals: (.+)`, "لدى البنك مجاميع أخرى: $1"),
	clause(`the bank refused the totals: (.+)`, "رفض البنك المجاميع: $1"),
	clause(`the bank cannot take it now: code (\S+)`, "لا يستطيع البنك استلامها الآن: الرمز $1"),
	clause(`the bank could not work with a key, code (\S+): it goes out again under new ones`, "تعذر على البنك استعمال مفتاح، الرمز $1: تُرسل مرة أخرى بمفاتيح جديدة"),
	clause(`its totals cannot be composed: (.+)`, "تعذر إعداد مجاميعها: $1"),
	clause(`no trace number for the upload: (.+)`, "لا رقم تتبع للإرسال: $1"),
	clause(`no answer in time`, "لا رد في الوقت المحدد"),
	clause(`the terminal stopped while it may have been with the bank`, "توقف الجهاز وربما كانت لدى البنك"),
	clause(`called off by (.+)`, "أوقفها $1"),
	clause(`closed by hand by (.+)`, "أغلقها يدوياً $1"),
	clause(`sent again by (.+)`, "أعاد إرسالها $1"),
	clause(`the terminal: the batch is full`, "الجهاز: امتلأت الدفعة"),
	clause(`the terminal: its trace numbers run out`, "الجهاز: تنفد أرقام تتبعها"),
}

// maxFinding is how deep clauses hold others.
const maxFinding = 3

// findingArabic is a clause in Arabic, without its full stop; "" where it has none.
func findingArabic(s string, d money.Digits, depth int) string {
	s = strings.TrimSuffix(strings.TrimSpace(s), ".")
	for _, f := range findings {
		found := f.english().FindStringSubmatch(s)
		if found == nil {
			continue
		}
		out := f.arabic
		for i, part := range found[1:] {
			inner := ""
			if depth < maxFinding {
				inner = findingArabic(part, d, depth+1)
			}
			if inner == "" {
				inner = "\u2066" + money.Plain(part) + "\u2069"
			}
			out = strings.ReplaceAll(out, "$"+string(rune('1'+i)), inner)
		}
		return out
	}
	return ""
}

// told is a line of a proof about a finding or a reason. What is a technician's, such as the error of a line, stays English behind words
// that say so.
func (s BatchSlip) told(why string) block {
	b := block{kind: words, text: sentence(why), raw: true}
	if b.textArabic = findingArabic(why, s.Merchant.Digits, 0); b.textArabic == "" {
		b.textArabic = "كما سُجّل: \u2066" + b.text + "\u2069"
		return b
	}
	b.textArabic += "."
	return b
}
