package words

// advices are what the cashier is told while a sale runs, and its warning (package lane).
func advices() []template {
	return []template{
		{"Ask the customer to insert the card.", "اطلب من العميل إدخال البطاقة."},
		{"The chip does not work here: swipe the card, or insert another.", "الشريحة لا تعمل هنا: مرّر البطاقة أو أدخل غيرها."},
		{"Take the last card out of the reader first.", "أخرج البطاقة السابقة من القارئ أولاً."},
		{"Leave the card in the reader.", "اترك البطاقة في القارئ."},
		{"Ask the customer whether it is a second purchase, and say yes or no.", "اسأل العميل إن كانت عملية شراء ثانية، وأجب بنعم أو لا."},
		{"Nothing has been sent.", "لم يُرسل شيء."},
		{
			"The same card paid the same amount, %a, in transaction %n, %n min ago.",
			"دفعت البطاقة نفسها المبلغ نفسه، %1، في العملية %2 قبل %3 دقيقة.",
		},

		// Signature and part.
		{"Print the merchant copy and have it signed.", "اطبع نسخة التاجر واطلب توقيعها."},
		{
			"Take the card out, compare the signature with the card's, and say whether it matches.",
			"أخرج البطاقة وقارن التوقيع بتوقيعها، وأجب هل هو مطابق.",
		},
		{"Without an answer within %n seconds nothing is charged.", "إن لم تُجب خلال %1 ثانية فلن يُخصم شيء."},
		{"Without an answer within %n min nothing is charged.", "إن لم تُجب خلال %1 دقيقة فلن يُخصم شيء."},
		{"The bank approved only %a of %a.", "قبل البنك %1 فقط من %2."},
		{
			"Ask whether the customer pays the other %a in another way, and say yes or no: no takes all of it back.",
			"اسأل العميل إن كان يدفع الباقي وهو %1 بطريقة أخرى، وأجب بنعم أو لا: «لا» تُرجع المبلغ كله.",
		},
		{"The bank holds only %a of %a.", "حجز البنك %1 فقط من %2."},
		{"Say whether that is enough: no lets go of all of it.", "أجب هل يكفي ذلك: «لا» تُحرر المبلغ كله."},
		{"Yes also says that the signature matches.", "«نعم» تعني أيضاً أن التوقيع مطابق."},

		// PIN.
		{"Let the customer enter the PIN, and look away.", "دع العميل يُدخل الرقم السري، ولا تنظر إليه."},
		{"The PIN was wrong.", "الرقم السري غير صحيح."},
		{"One try is left: after another wrong PIN the card is blocked.", "بقيت محاولة واحدة: بعد رقم خاطئ آخر تُحظر البطاقة."},
		{"One try is left: after a wrong PIN the card is blocked.", "بقيت محاولة واحدة: بعد رقم خاطئ تُحظر البطاقة."},
		{"The PIN was wrong, tries left: %n.", "الرقم السري غير صحيح، المحاولات المتبقية: %1."},

		// Stripes.
		{"The card was not read.", "لم تُقرأ البطاقة."},
		{"The stripe reader is of no use now: %t.", "قارئ الشريط غير صالح الآن: %1."},
		{"The stripe was not read.", "لم يُقرأ الشريط."},
		{"Swipe the card again.", "مرّر البطاقة مرة أخرى."},
		{"The stripe was misread.", "قُرئ الشريط خطأً."},
		{"The card has expired.", "انتهت صلاحية البطاقة."},
		{"The card's stripe is not one to pay with.", "شريط البطاقة ليس للدفع."},
		{"The card is for cash only.", "البطاقة للسحب النقدي فقط."},
		{"The card has a chip: insert it.", "للبطاقة شريحة: أدخلها في القارئ."},
	}
}
