package words

// orders are why an order was refused (terminal.CheckOrder, terminal.Earlier, and what package lane adds), behind "order refused".
func orders() []template {
	return []template{
		{"order refused: %i", "%1"},

		// The order by itself.
		{"reference or key longer than %n bytes", "المرجع أو المفتاح أطول من %1 بايت."},
		{"reference or key with control characters", "في المرجع أو المفتاح رموز غير مقبولة."},
		{
			"the reference looks like a card number, which is never kept: use the shop's own number",
			"المرجع يشبه رقم بطاقة، ولا يُحفظ أبداً: استخدم رقم المتجر.",
		},
		{
			"one of the cash register's own numbers looks like a card number, which is never kept: use another",
			"أحد أرقام صندوق البيع يشبه رقم بطاقة، ولا يُحفظ أبداً: استخدم رقماً آخر.",
		},
		{"a %k is about an earlier transaction: give its number", "عملية %1 تخص عملية سابقة: أدخل رقمها."},
		{"a %k is about no earlier transaction: leave its number out", "عملية %1 لا تخص عملية سابقة: لا تُدخل رقماً."},
		{
			"a forced sale needs the code that the bank gave by telephone: 1 to %n letters and digits",
			"الشراء بتفويض هاتفي يحتاج الرمز الذي أعطاه البنك هاتفياً: من حرف إلى %1 من الحروف والأرقام.",
		},
		{"only a forced sale has a code that the bank gave by telephone", "رمز البنك الهاتفي للشراء بتفويض هاتفي فقط."},
		{"kind %x: this terminal does %t, as its profile says", "هذا النوع من العمليات (%1) غير متاح على هذا الجهاز؛ المتاح: %2."},
		{"kind %x: the acquirer has no message for it", "البنك المستحوذ لا يقبل هذا النوع من العمليات (%1)."},
		{"%k in currency %x: this terminal takes %x", "%1 بعملة %2: يقبل هذا الجهاز %3."},
		{"a %k has no amount of its own: leave it out", "عملية %1 لا مبلغ لها: لا تُدخل مبلغاً."},
		{"%k %x: more than zero, at most %x", "%1 %2: أكثر من صفر، وأقصاه %3."},
		{"a %k has no %k: only a sale has", "عملية %1 ليس فيها %2: للشراء فقط."},
		{"this terminal takes no tips, as its profile says", "لا يقبل هذا الجهاز الإكراميات."},
		{"a tip of %a is more than %n percent of the goods, which is %a: check it", "الإكرامية %1 أكثر من %2 في المئة من المشتريات، أي %3: تحقق منها."},
		{"this terminal gives out no cash, as its profile says", "لا يصرف هذا الجهاز النقد."},
		{"%a in cash is more than the %a that this terminal gives out with a sale", "المبلغ النقدي %1 أكثر من %2 التي يصرفها هذا الجهاز مع الشراء."},
		{"with tip and cash it is %a: at most %x", "المجموع مع الإكرامية والنقد %1: أقصاه %2."},

		// The earlier transaction.
		{"there is no transaction %n: its number is on its receipt", "لا توجد عملية رقم %1: رقمها على إيصالها."},
		{"transaction %n went to another acquirer, %t", "العملية %1 ذهبت إلى بنك مستحوذ آخر، %2."},
		{"transaction %n is %k: only one that was approved has something to follow", "العملية %1 %2: لا يُبنى إلا على عملية مقبولة."},
		{"transaction %n is in %x: this terminal takes %x", "العملية %1 بعملة %2: يقبل هذا الجهاز %3."},
		{"transaction %n is voided already, by transaction %n", "العملية %1 ملغاة بالفعل، بالعملية %2."},
		{"transaction %n: %i", "العملية %1: %2"},
		{"what has become of transaction %n is not sure: %i", "لا يُعرف ما آلت إليه العملية %1: %2"},
		{"whether the bank knows of transaction %n is not sure: %i", "لا يُعرف إن كان البنك يعلم بالعملية %1: %2"},
		{"whether transaction %n, a %k of it, stands at the bank is not sure: %i", "لا يُعرف إن كانت العملية %1 (%2) قائمة لدى البنك: %3"},
		{
			"the bank has refused the reversal of transaction %n, a %k of transaction %n, and may have paid that back: ask the acquirer, then send the reversal again or write it off (pos queue)",
			"رفض البنك عكس العملية %1، وهي %2 للعملية %3، وربما أعاد المبلغ: اسأل البنك المستحوذ، ثم أرسل العكس مرة أخرى أو اشطبه (<pos queue>).",
		},
		{
			"the bank does not know of transaction %n yet, or not all of it: look at what waits for it (pos queue), send it, then try again",
			"لا يعلم البنك بالعملية %1 بعد، أو لا يعلم بها كلها: انظر ما ينتظره (<pos queue>) وأرسله ثم حاول مرة أخرى.",
		},
		{
			"an increment is not voided by itself: complete with less, or void the pre-authorisation, transaction %n",
			"زيادة التفويض لا تُلغى وحدها: أتمم بمبلغ أقل، أو ألغِ التفويض المسبق، العملية %1.",
		},
		{"transaction %n is %k, and that cannot be voided", "العملية %1 هي %2، ولا يمكن إلغاؤها."},
		{"transaction %n is of batch %n, which is settled or closed: %i", "العملية %1 من الدفعة %2 التي سُوّيت أو أُغلقت: %3"},
		{"give the money back with a refund of it", "أعد المبلغ باستردادها."},
		{"complete it, or leave it to its bank to let go of what is held", "أتممها، أو اترك لبنكها تحرير المبلغ المحجوز."},
		{"sell again", "بع من جديد."},
		{
			"transaction %n was refunded, by transaction %n: refund the rest, or void that refund first",
			"استُرد من العملية %1 بالعملية %2: استرد الباقي، أو ألغِ ذلك الاسترداد أولاً.",
		},
		{"transaction %n is completed: void the completion, transaction %n", "العملية %1 أُتمّت: ألغِ الإتمام، العملية %2."},
		{"transaction %n is %k, which took no money: there is nothing to refund", "العملية %1 هي %2، ولم يؤخذ بها مال: لا شيء يُسترد."},
		{"transaction %n is refunded already, all of its %a", "استُردت العملية %1 بالفعل، كامل مبلغها %2."},
		{"of transaction %n only %a are left to refund", "لم يبقَ من العملية %1 للاسترداد إلا %2."},
		{
			"whose card transaction %n was paid with is not known any more: give the money back in another way",
			"لم تعد بطاقة العملية %1 معروفة: أعد المبلغ بطريقة أخرى.",
		},
		{"transaction %n is %k, and no pre-authorisation", "العملية %1 هي %2، وليست تفويضاً مسبقاً."},
		{"transaction %n is completed already, by transaction %n", "العملية %1 أُتمّت بالفعل، بالعملية %2."},
		{"%a is more than the %a that transaction %n holds: increment it first", "%1 أكثر من %2 المحجوز بالعملية %3: زد التفويض أولاً."},
		{"the card data of transaction %n cannot be read any more (%i): ask the acquirer", "لا يمكن قراءة بيانات بطاقة العملية %1 بعد الآن (%2): اسأل البنك المستحوذ."},
		{"its message cannot be composed: call the technician (%t)", "تعذر إعداد رسالتها: اتصل بالفني."},
		{"no card data is kept for it", "لا بيانات محفوظة لبطاقتها"},
		{"the record does not authenticate: it is in quarantine", "السجل غير موثوق، وهو معزول."},
	}
}
