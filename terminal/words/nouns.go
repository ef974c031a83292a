package words

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

		"amount": "المبلغ", "tip": "الإكرامية", "cashback": "المبلغ النقدي",

		"cashier": "الكاشير", "supervisor": "المشرف", "technician": "الفني", "administrator": "المدير",
	}
	for _, k := range []string{"sale", "forced sale", "refund", "void", "pre-authorisation", "completion", "balance inquiry"} {
		n["a "+k] = n[k]
	}
	n["an increment"] = n["increment"]
	return n
}
