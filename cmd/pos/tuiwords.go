package main

import (
	"slices"
	"strings"

	translations "tillway/terminal/words"
)

// languages is in what the screen speaks, and what its terminal can show.
type languages struct {
	arabic bool // it speaks Arabic
	can    bool // the terminal shows Arabic
	utf8   bool // the terminal shows more than ASCII
}

// chooseLanguage takes what was asked for, else what the terminal says of itself.
func chooseLanguage(asked string, env func(string) string) (languages, error) {
	locale := env("LC_ALL")
	for _, name := range []string{"LC_CTYPE", "LANG"} {
		if locale == "" {
			locale = env(name)
		}
	}
	upper := strings.ToUpper(locale)
	l := languages{utf8: strings.Contains(upper, "UTF-8") || strings.Contains(upper, "UTF8")}
	l.can = l.utf8 && !slices.Contains([]string{"", "dumb", "linux", "ansi", "vt52", "vt100", "vt102", "vt220", "vt320"}, env("TERM"))
	switch asked {
	case "en":
	case "ar":
		l.arabic = l.can // where it cannot be shown, English is of more use
	case "":
		spoken := env("LC_ALL")
		for _, name := range []string{"LC_MESSAGES", "LANG"} {
			if spoken == "" {
				spoken = env(name)
			}
		}
		l.arabic = l.can && strings.HasPrefix(spoken, "ar")
	default:
		return l, usage("--lang %q: en or ar", asked)
	}
	return l, nil
}

// change goes to the other language, where the terminal can show it.
func (l *languages) change() {
	l.arabic = !l.arabic && l.can
}

// other is the name of the other language, in itself.
func (l *languages) other() string {
	if l.arabic {
		return "English"
	}
	return "العربية"
}

// say is a label of the screen.
func (l *languages) say(label string) string {
	if l.arabic {
		if a, ok := arabicLabels()[label]; ok {
			return a
		}
	}
	return label
}

// sentence is what the terminal said, in Arabic where it is known in Arabic.
func (l *languages) sentence(text string) string {
	if l.arabic {
		if a, ok := arabicLabels()[text]; ok {
			return a
		}
		if a, whole := translations.Arabic(text); whole {
			return a
		}
	}
	return text
}

// plain is a text as the terminal can show it.
func (l *languages) plain(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r < ' ' || r >= 0x7f && r < 0xa0:
			return ' '
		case r >= 0xa0 && !l.utf8:
			return '?'
		}
		return r
	}, text)
}

func arabicLabels() map[string]string {
	return map[string]string{
		"Tillway set-up": "إعداد Tillway", "Looking": "جارٍ الفحص", "Please wait": "يرجى الانتظار", "leaves": "خروج", "goes on": "متابعة", "back": "رجوع",
		"empties the line": "مسح السطر", "Up/Down choose": "السهمان للاختيار", "does it": "تنفيذ", "looks again": "فحص من جديد", "turns": "تقليب", "To do": "المطلوب",
		"exit status": "رمز الخروج",

		"People": "الأشخاص", "Devices": "الأجهزة", "Parameters": "الإعدادات", "Keys": "المفاتيح", "Bank": "البنك", "Test sale": "بيع تجريبي", "Paper": "الورق",
		"Self-test": "الفحص الذاتي", "Hand over": "التسليم",

		"Log in": "تسجيل الدخول", "Make the first administrator": "إنشاء أول مدير", "Add somebody": "إضافة شخص",
		"List readers": "عرض قارئات البطاقات", "List printers": "عرض الطابعات", "PIN pad and secure module": "لوحة الرقم السري ووحدة الأمان",
		"Apply a package": "تطبيق حزمة إعدادات", "How they stand": "حالتها", "Go back to the package before": "الرجوع إلى الحزمة السابقة",
		"Load components, each by its holder": "تحميل مكونات المفتاح، كلٌّ من حامله", "Load a key block": "تحميل مفتاح من ملف", "Keys and their check values": "المفاتيح وقيم التحقق",
		"Test every address": "اختبار كل عنوان", "Send what waits": "إرسال ما ينتظر", "Sell a small amount, and take it back": "بيع مبلغ صغير ثم إلغاؤه",
		"Print a test page": "طباعة صفحة اختبار", "How the printer is": "حالة الطابعة", "Have the terminal test itself": "اختبار الجهاز لنفسه",
		"Show the page": "عرض الصفحة", "Write it to a file": "كتابتها في ملف", "Package (file or https address)": "الحزمة (ملف أو عنوان https)", "File for the page": "ملف الصفحة",

		"nobody is logged in": "لم يسجل أحد الدخول", "the acquirer wants none": "لا يطلبها البنك", "none was made yet": "لم تُجرَ بعد", "log in to see it": "سجّل الدخول لرؤيتها",
		"no receipt printer is configured": "لا طابعة إيصالات", "not run since this screen was opened": "لم يُجرَ منذ فتح هذه الشاشة",
		"everything that this terminal wants is set up":                 "اكتمل إعداد كل ما يطلبه هذا الجهاز",
		"Log in, or make the first administrator.":                      "سجّل الدخول، أو أنشئ أول مدير.",
		"Test the host: it names what is wrong.":                        "اختبر البنك: يسمّي الاختبار الخلل.",
		"See what is connected, and what each says.":                    "انظر ما هو موصول وما يقوله كل جهاز.",
		"Make one with a real card; it is taken back at once.":          "أجرِ بيعاً ببطاقة حقيقية؛ يُلغى فوراً.",
		"Print a test page, and look at it.":                            "اطبع صفحة اختبار وانظر إليها.",
		"Read the page, and write it to a file.":                        "اقرأ الصفحة واكتبها في ملف.",
		"Load the components, each by its holder, then the key blocks.": "حمّل المكونات، كلٌّ من حامله، ثم ملفات المفاتيح.",
	}
}
