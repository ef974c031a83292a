package words

import "maps"

// nouns are the words that stand in sentences by themselves: kinds of transaction, states, parts of an order, roles.
func nouns() map[string]string {
	n := map[string]string{
		"sale": "شراء", "forced": "شراء بتفويض هاتفي", "forced sale": "شراء بتفويض هاتفي", "refund": "استرداد", "void": "إلغاء",
		"preauth": "تفويض مسبق", "pre-authorisation": "تفويض مسبق", "increment": "زيادة تفويض", "completion": "إتمام تفويض",
		"balance": "استعلام رصيد", "balance inquiry": "استعلام رصيد",

		"Approved": "مقبولة", "Declined": "مرفوضة", "Cancelled": "ملغاة", "Reversed": "معكوسة", "Ready": "لم تبدأ", "AwaitCard": "بانتظار البطاقة",
		"CardTalk": "تُقرأ بطاقتها", "Sending": "قيد الإرسال", "Asking": "قيد السؤال", "FinishApproved": "قيد الإنهاء", "FinishDeclined": "قيد الإنهاء",
		"FinishUnable": "قيد الإنهاء", "FinishUnanswered": "قيد الإنهاء", "AgreementOnline": "بانتظار كلمة الكاشير", "AgreementOffline": "بانتظار كلمة الكاشير",

		"Open": "مفتوحة", "Draining": "قيد الإغلاق", "Totalling": "قيد التسوية", "Uploading": "قيد الإرسال إلى البنك", "Closing": "قيد الإغلاق",
		"Disputed": "مختلف عليها", "Closed": "مغلقة",

		"reversal": "العكس", "advice": "الإشعار", "kept request": "الطلب المحفوظ",

		"amount": "المبلغ", "tip": "الإكرامية", "cashback": "المبلغ النقدي",

		"cashier": "الكاشير", "supervisor": "المشرف", "technician": "الفني", "administrator": "المدير",
	}
	maps.Copy(n, actions())
	for _, k := range []string{"sale", "forced sale", "refund", "void", "pre-authorisation", "completion", "balance inquiry"} {
		n["a "+k] = n[k]
	}
	n["an increment"] = n["increment"]
	return n
}

// actions are what people ask for, as people.Action has them.
func actions() map[string]string {
	return map[string]string{
		"see the status": "عرض الحالة", "sell": "البيع", "refund without a sale": "استرداداً دون شراء", "pre-authorise": "تفويضاً مسبقاً",
		"increment a pre-authorisation": "زيادة تفويض", "complete a pre-authorisation": "إتمام تفويض", "see a card's balance": "عرض رصيد بطاقة",
		"make a forced sale": "شراءً بتفويض هاتفي", "cancel a sale": "إلغاء عملية جارية", "answer for a signature": "الجواب عن توقيع",
		"print a receipt": "طباعة إيصال", "see the journal": "عرض السجل", "see what waits for the bank": "عرض ما ينتظر البنك",
		"send what waits for the bank": "إرسال ما ينتظر البنك", "park or write off what the bank is owed": "إيقاف ما للبنك أو شطبه",
		"see a report": "عرض تقرير", "settle": "التسوية", "close a batch by hand": "إغلاق دفعة يدوياً", "practise in training mode": "التدريب",
		"look after the receipt printer": "خدمة الطابعة", "open the cash drawer": "فتح الدرج", "load or change keys": "تحميل المفاتيح أو تغييرها",
		"administer people": "إدارة الأشخاص", "see the audit log": "عرض سجل التدقيق",
	}
}
