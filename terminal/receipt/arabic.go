package receipt

import (
	"regexp"
	"strings"

	"tillway/money"
	said "tillway/terminal/words"
)

// arabic is what a receipt says, in Arabic. Names, numbers, amounts and what a host says are not here: they stay as they are. The words
// are those of the Gulf's receipts; a native reader has yet to go through them.
var arabic = map[string]string{
	// Kinds of transaction.
	"SALE": "شراء", "FORCED SALE": "شراء بتفويض هاتفي", "REFUND": "استرداد", "VOID": "إلغاء", "PRE-AUTHORISATION": "تفويض مسبق", "INCREMENT": "زيادة تفويض",
	"COMPLETION": "إتمام تفويض", "BALANCE": "استعلام رصيد",

	// Labels.
	"MERCHANT": "رقم التاجر", "TERMINAL": "رقم الجهاز", "DATE": "التاريخ", "TIME": "الوقت", "REFERENCE": "المرجع",
	"CARD": "البطاقة", "NUMBER": "رقم البطاقة", "AID": "معرّف التطبيق", "ENTRY": "قراءة البطاقة", "AUTH CODE": "رمز الموافقة",
	"RESPONSE": "رمز الرد", "RRN": "الرقم المرجعي", "STAN": "رقم التتبع", "INVOICE": "رقم الفاتورة", "BATCH": "رقم الدفعة",
	"AMOUNT": "المبلغ", "TOTAL": "الإجمالي", "GOODS": "المشتريات", "TIP": "إكرامية", "CASH BACK": "نقداً", "STILL TO PAY": "المتبقي للدفع",
	"AVAILABLE": "الرصيد المتاح", "AMOUNT ASKED FOR": "المبلغ المطلوب", "TOTAL ASKED FOR": "الإجمالي المطلوب",
	"AMOUNT TAKEN BACK": "المبلغ الملغى", "AMOUNT HELD": "المبلغ المحجوز", "HELD IN ADDITION": "محجوز إضافةً", "ON": "بتاريخ",
	"OF TRANSACTION": "عن عملية", "ITS RRN": "رقمها المرجعي", "ITS STAN": "رقم تتبعها", "ITS INVOICE": "رقم فاتورتها",
	"ITS AUTH CODE": "رمز موافقتها", "CVM RESULTS": "نتيجة التحقق",

	// How the card was read.
	"CHIP": "شريحة", "SWIPED": "شريط ممغنط", "FALLBACK": "شريط بدل الشريحة", "NOT READ AGAIN": "لم تُقرأ ثانيةً", "CONTACTLESS": "دون تلامس",

	// Verdicts, and what they mean for the money.
	"APPROVED": "مقبولة", "DECLINED": "مرفوضة", "CANCELLED": "ملغاة", "REVERSED": "عُكست العملية", "PLEASE SIGN": "يرجى التوقيع",
	"APPROVED OFFLINE": "مقبولة دون اتصال", "ACCEPTED OFFLINE": "قُبلت دون اتصال", "PARTIALLY APPROVED": "مقبولة جزئياً",
	"APPROVED, AND VOIDED LATER": "قُبلت ثم أُلغيت", "NOT CHARGED": "لم يُخصم أي مبلغ", "PAID BACK TO THE CARD": "أُعيد المبلغ إلى البطاقة",
	"NOT PAID BACK": "لم يُعَد المبلغ", "THE EARLIER TRANSACTION IS VOID": "العملية السابقة ملغاة",
	"THE EARLIER TRANSACTION STANDS": "العملية السابقة قائمة", "NO MONEY HAS BEEN TAKEN": "لم يُسحب أي مبلغ",
	"NOTHING IS HELD": "لم يُحجز أي مبلغ", "NO MORE IS HELD THAN BEFORE": "لم يُحجز مبلغ إضافي",
	"NOT VALID WITHOUT A MATCHING SIGNATURE": "غير صالح دون توقيع مطابق", "SUBJECT TO THE BANK'S APPROVAL": "رهناً بموافقة البنك",
	"AUTHORISED BY TELEPHONE": "موافقة هاتفية",

	// Cardholder verification.
	"NO CARDHOLDER VERIFICATION": "دون تحقق من حامل البطاقة", "CARDHOLDER NOT VERIFIED": "لم يُتحقق من حامل البطاقة",
	"VERIFIED BY PIN": "تم التحقق بالرقم السري", "VERIFIED BY SIGNATURE": "تم التحقق بالتوقيع",
	"VERIFIED BY PIN AND SIGNATURE": "تم التحقق بالرقم السري والتوقيع", "PIN ENTERED": "أُدخل الرقم السري",
	"PIN VERIFIED, SIGNATURE TO BE COMPARED": "الرقم السري صحيح، والتوقيع قيد المطابقة", "SIGNATURE TO BE COMPARED": "التوقيع قيد المطابقة",
	"SIGNATURE NOT ACCEPTED": "لم يُقبل التوقيع", "NO SIGNATURE TAKEN": "لم يؤخذ توقيع", "SIGNATURE": "التوقيع",

	// Training, and what waits for the bank.
	"TRAINING, NOT A PAYMENT": "تدريب، ليست عملية دفع", "NOTHING WAS CHARGED": "لم يُخصم شيء", "STORED AS": "محفوظة برقم",

	// Reports and proofs.
	"X REPORT": "تقرير X", "Z REPORT": "تقرير Z", "SETTLEMENT": "التسوية", "OPENED": "فُتحت", "TOTALS FIXED": "ثُبّتت المجاميع", "CLOSED": "أُغلقت",
	"PRINTED": "طُبعت", "SETTLED BY": "أجرى التسوية", "ALL CARDS": "كل البطاقات", "OTHER CARDS": "بطاقات أخرى", "NET": "الصافي",
	"TIPS IN THEM": "منها إكراميات", "CASH BACK IN THEM": "منها نقداً", "JOURNAL": "السجل", "BANK": "البنك", "AT THE BANK": "لدى البنك",
	"*** NOT THE SAME ***": "*** غير متطابقة ***", "WHAT DIFFERED": "ما كان مختلفاً", "WHAT DIFFERS": "ما يختلف", "NOT AT THE BANK": "ليست لدى البنك",
	"NOT AT THE BANK YET": "لم تصل إلى البنك بعد", "CLOSED IN BALANCE": "أُغلقت متطابقة", "CLOSED BY HAND": "أُغلقت يدوياً",
	"CLOSED, NOT IN BALANCE": "أُغلقت غير متطابقة", "NOT CLOSED: THE BANK DIFFERS": "لم تُغلق: البنك يختلف", "NOT CLOSED YET": "لم تُغلق بعد",
	"NOT SETTLED": "لم تُسوَّ", "NOTHING IS RESET": "لم يُصفَّر شيء",
	"The batch stays open: pos settle closes it": "تبقى الدفعة مفتوحة: تُغلقها التسوية",
	"Before the upload the bank had:":            "قبل الإرسال كان لدى البنك:",
	"the terminal: the daily cut-off":            "الجهاز: موعد الإغلاق اليومي",
	"The bank had other totals. It was sent the batch, payment by payment, and has the same now.": "كانت لدى البنك مجاميع أخرى. أُرسلت إليه الدفعة عملية عملية، ولديه الآن المجاميع نفسها.",

	// The kernel's slip.
	"EMV KERNEL": "نواة EMV", "RELEASE": "الإصدار", "KERNEL": "النواة", "VERSION": "النسخة", "CHECKSUM (SHA-256)": "البصمة (SHA-256)",

	// Copies.
	"*** DUPLICATE ***": "*** نسخة مكررة ***", "CUSTOMER COPY": "نسخة العميل", "MERCHANT COPY": "نسخة التاجر",
	"Please keep this receipt": "يرجى الاحتفاظ بالإيصال",

	// Reasons, and what to expect.
	"The card declined.":                                               "رفضت البطاقة العملية.",
	"The card could not be read.":                                      "تعذرت قراءة البطاقة.",
	"The card was taken out too early.":                                "أُخرجت البطاقة قبل الأوان.",
	"Cancelled.":                                                       "أُلغيت.",
	"No card was presented in time.":                                   "لم تُقدَّم بطاقة في الوقت المحدد.",
	"The bank could not be reached.":                                   "تعذر الاتصال بالبنك.",
	"The bank did not answer.":                                         "لم يرد البنك.",
	"The card did not accept the bank's approval.":                     "لم تقبل البطاقة موافقة البنك.",
	"The signature was not accepted.":                                  "لم يُقبل التوقيع.",
	"The terminal stopped before it was finished.":                     "توقف الجهاز قبل إتمام العملية.",
	"The terminal could not ask the bank.":                             "تعذر على الجهاز سؤال البنك.",
	"No reason was given.":                                             "لم يُذكر سبب.",
	"Not enough money on the card.":                                    "الرصيد غير كافٍ.",
	"The bank does not say what is available.":                         "لم يُفصح البنك عن الرصيد المتاح.",
	"If your bank shows the amount as held, the reversal releases it.": "إذا أظهر البنك المبلغ محجوزاً فإن عكس العملية يحرره.",
	"If your bank shows the amount as held, the void releases it.":     "إذا أظهر البنك المبلغ محجوزاً فإن الإلغاء يحرره.",
	"The bank could not be reached and is asked later. If it says no, nothing is charged, and the shop may ask you to pay in another way.": "تعذر الاتصال بالبنك وسيُسأل لاحقاً. إذا رفض فلن يُخصم شيء، وقد يطلب المتجر الدفع بطريقة أخرى.",
	"The bank could not be reached and is asked later. If it says no, the sale is not paid for: that is the merchant's risk.":              "تعذر الاتصال بالبنك وسيُسأل لاحقاً. إذا رفض فالبيع غير مدفوع، والتاجر يتحمل ذلك.",
	"What has become of it since cannot be read: call support.":                                                                            "لا يمكن قراءة ما آلت إليه العملية: اتصل بالدعم.",
}

// inArabic is what a text of a receipt is in Arabic, empty where it has none. What is not a receipt's own is a sentence of the terminal's.
func inArabic(s string, d money.Digits) string {
	s = strings.TrimSpace(s)
	if s == "" {
		return ""
	}
	if a, ok := arabic[s]; ok {
		return a
	}
	if amount, ok := strings.CutPrefix(s, "CHARGED "); ok {
		return amounts("خُصم \u2066"+amount+"\u2069", d)
	}
	if kind, ok := strings.CutPrefix(s, "OF "); ok {
		if a, ok := arabic[kind]; ok {
			return "عن " + a
		}
	}
	if kind, number, ok := strings.Cut(s, " "); ok && number != "" && strings.Trim(number, "0123456789") == "" {
		if a, ok := arabic[kind]; ok { // what became of it later: a kind and its number
			return a + " " + number
		}
	}
	if a, whole := said.Arabic(s); whole {
		return amounts(a, d)
	}
	return ""
}

var isolatedAmount = regexp.MustCompile("\u2066([A-Z]{3}) (-?[0-9]+(?:\\.[0-9]+)?)\u2069")

// amounts are written as Arabic has them, where a sentence holds them as English does.
func amounts(s string, d money.Digits) string {
	return isolatedAmount.ReplaceAllStringFunc(s, func(found string) string {
		m := isolatedAmount.FindStringSubmatch(found)
		c, err := money.ByCode(m[1])
		if err != nil {
			return found
		}
		number, below := strings.CutPrefix(m[2], "-")
		a, err := money.Parse(number, c)
		if err != nil {
			return found
		}
		if below {
			a.Minor = -a.Minor
		}
		return a.FormatArabic(d)
	})
}

// entryArabic is how a card was read, in Arabic.
func entryArabic(entry string) string {
	plain, test := strings.CutSuffix(entry, ", TEST")
	a := arabic[plain]
	if a != "" && test {
		a += "، تجربة"
	}
	return a
}
