package terminal

// Prompt is a message for cardholder and cashier, by its EMV user-interface message identifier (Book 4, 11.4; Book A), or, where EMV
// has none, by a word of ours.
type Prompt string

// The prompts. Those from PromptTimedOut on are ours.
const (
	PromptNone          Prompt = ""
	PromptApproved      Prompt = "03"
	PromptCallBank      Prompt = "04"
	PromptCancelEnter   Prompt = "05"
	PromptCardError     Prompt = "06"
	PromptDeclined      Prompt = "07"
	PromptEnterAmount   Prompt = "08"
	PromptEnterPIN      Prompt = "09"
	PromptWrongPIN      Prompt = "0A"
	PromptInsertCard1   Prompt = "0B" // Book 4's; Book A's is PromptInsertCard
	PromptNotAccepted   Prompt = "0C"
	PromptPINOK         Prompt = "0D"
	PromptWait          Prompt = "0E"
	PromptProcessError  Prompt = "0F"
	PromptRemoveCard    Prompt = "10"
	PromptUseChip       Prompt = "11"
	PromptUseStripe     Prompt = "12"
	PromptTryAgain      Prompt = "13"
	PromptWelcome       Prompt = "14"
	PromptPresentCard   Prompt = "15"
	PromptProcessing    Prompt = "16"
	PromptCardRead      Prompt = "17"
	PromptInsertOrSwipe Prompt = "18"
	PromptOneCardOnly   Prompt = "19"
	PromptSign          Prompt = "1A"
	PromptAuthorising   Prompt = "1B"
	PromptOtherCard     Prompt = "1C"
	PromptInsertCard    Prompt = "1D"
	PromptClear         Prompt = "1E"
	PromptSeePhone      Prompt = "20"
	PromptPresentAgain  Prompt = "21"

	PromptTimedOut    Prompt = "timed_out"
	PromptCancelled   Prompt = "cancelled"
	PromptStored      Prompt = "offline_stored" // taken without the bank, which is asked later
	PromptLastPINTry  Prompt = "last_pin_try"
	PromptPINBlocked  Prompt = "pin_blocked"
	PromptCardLeft    Prompt = "card_left" // the sale is over and its card still in: its sound goes on until it is out
	PromptUnavailable Prompt = "bank_unavailable"
)

// Sound is what a display plays with a prompt; empty: nothing.
type Sound string

// The sounds. A display makes them; these are their names.
const (
	SoundNone    Sound = ""
	SoundGood    Sound = "good"    // two tones that rise: it is done
	SoundBad     Sound = "bad"     // two tones that fall: it is not
	SoundAsk     Sound = "ask"     // one tone: somebody has to do something
	SoundInsist  Sound = "insist"  // one tone again and again until it is done: the card is still in
	SoundCaution Sound = "caution" // a low tone twice: once more, and with care
)

// PromptText is one row of the catalogue.
type PromptText struct {
	ID      Prompt `json:"id"`
	English string `json:"en"`
	Arabic  string `json:"ar"`
	Sound   Sound  `json:"sound,omitempty"`
}

// Prompts is the catalogue, in the order of ids, then ours. The Arabic is in the words of the Gulf's terminals; a native reader has yet
// to go through it. Sources: Book 4, 11.4 (standard messages); Book A, message identifiers.
func Prompts() []PromptText {
	return []PromptText{
		{PromptApproved, "APPROVED", "مقبولة", SoundGood},
		{PromptCallBank, "CALL YOUR BANK", "اتصل بالبنك", SoundBad},
		{PromptCancelEnter, "CANCEL OR ENTER", "إلغاء أو إدخال", SoundAsk},
		{PromptCardError, "CARD ERROR", "خطأ في البطاقة", SoundBad},
		{PromptDeclined, "DECLINED", "مرفوضة", SoundBad},
		{PromptEnterAmount, "ENTER AMOUNT", "أدخل المبلغ", SoundNone},
		{PromptEnterPIN, "ENTER PIN", "أدخل الرقم السري", SoundAsk},
		{PromptWrongPIN, "INCORRECT PIN", "الرقم السري غير صحيح", SoundCaution},
		{PromptInsertCard1, "INSERT CARD", "أدخل البطاقة", SoundAsk},
		{PromptNotAccepted, "NOT ACCEPTED", "البطاقة غير مقبولة", SoundBad},
		{PromptPINOK, "PIN OK", "الرقم السري صحيح", SoundNone},
		{PromptWait, "PLEASE WAIT", "يرجى الانتظار", SoundNone},
		{PromptProcessError, "PROCESSING ERROR", "خطأ في المعالجة", SoundBad},
		{PromptRemoveCard, "REMOVE CARD", "أخرج البطاقة", SoundInsist},
		{PromptUseChip, "USE CHIP READER", "استخدم الشريحة: أدخل البطاقة", SoundAsk},
		{PromptUseStripe, "USE MAG STRIPE", "مرّر البطاقة", SoundAsk},
		{PromptTryAgain, "TRY AGAIN", "حاول مرة أخرى", SoundCaution},
		{PromptWelcome, "WELCOME", "أهلاً وسهلاً", SoundNone},
		{PromptPresentCard, "PRESENT CARD", "قرّب البطاقة", SoundAsk},
		{PromptProcessing, "PROCESSING", "جارٍ المعالجة", SoundNone},
		{PromptCardRead, "CARD READ OK, REMOVE CARD", "تمت قراءة البطاقة، أبعدها", SoundGood},
		{PromptInsertOrSwipe, "PLEASE INSERT OR SWIPE CARD", "أدخل البطاقة أو مرّرها", SoundAsk},
		{PromptOneCardOnly, "PRESENT ONE CARD ONLY", "قرّب بطاقة واحدة فقط", SoundCaution},
		{PromptSign, "APPROVED, PLEASE SIGN", "مقبولة، يرجى التوقيع", SoundGood},
		{PromptAuthorising, "AUTHORISING, PLEASE WAIT", "جارٍ التفويض، يرجى الانتظار", SoundNone},
		{PromptOtherCard, "INSERT, SWIPE OR TRY ANOTHER CARD", "أدخل البطاقة أو مرّرها أو جرّب بطاقة أخرى", SoundAsk},
		{PromptInsertCard, "INSERT CARD", "أدخل البطاقة", SoundAsk},
		{PromptClear, "", "", SoundNone},
		{PromptSeePhone, "SEE PHONE FOR INSTRUCTIONS", "اتبع التعليمات على هاتفك", SoundAsk},
		{PromptPresentAgain, "PRESENT CARD AGAIN", "قرّب البطاقة مرة أخرى", SoundAsk},

		{PromptTimedOut, "TIMED OUT", "انتهى الوقت", SoundBad},
		{PromptCancelled, "CANCELLED", "أُلغيت العملية", SoundBad},
		{PromptStored, "OFFLINE, STORED", "حُفظت دون اتصال بالبنك", SoundGood},
		{PromptLastPINTry, "LAST PIN TRY", "المحاولة الأخيرة للرقم السري", SoundCaution},
		{PromptPINBlocked, "PIN BLOCKED", "الرقم السري محظور", SoundBad},
		{PromptCardLeft, "CARD LEFT IN READER", "البطاقة ما زالت في القارئ", SoundInsist},
		{PromptUnavailable, "BANK UNAVAILABLE", "البنك غير متاح", SoundBad},
	}
}

func (p Prompt) text() PromptText {
	for _, row := range Prompts() {
		if row.ID == p {
			return row
		}
	}
	return PromptText{}
}

// English is the prompt's text.
func (p Prompt) English() string { return p.text().English }

// Arabic is the prompt's text.
func (p Prompt) Arabic() string { return p.text().Arabic }

// Language is a language that texts for cashier and customer are in.
type Language string

// The languages.
const (
	English Language = "en"
	Arabic  Language = "ar"
)

// ChooseLanguage is the first of a card's languages (tag 5F2D: one to four pairs of letters, small or capital, the best first) that the
// terminal has too (Book 4, 11.1). Where the card names none of them, or says none, it is the terminal's own first; has empty: none.
func ChooseLanguage(preference string, has []Language) Language {
	for at := 0; at+2 <= len(preference) && at < 8; at += 2 {
		for _, l := range has {
			if [2]byte{preference[at] | 0x20, preference[at+1] | 0x20} == [2]byte{l[0], l[1]} {
				return l
			}
		}
	}
	if len(has) == 0 {
		return ""
	}
	return has[0]
}
