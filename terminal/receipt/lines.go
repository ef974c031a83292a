package receipt

import (
	"net/url"
	"strings"
	"unicode"

	"tillway/money"
)

// Line is one line of a receipt for a cash register that prints it itself: a stable key for programs, a name for people, and a value
// where the line has one.
type Line struct {
	Key, Name, Value string

	Bold bool
}

// lineKeys are the keys of the labels; those that cash registers know from other terminals are spelt as there.
var lineKeys = map[string]string{
	"MERCHANT": "mid", "TERMINAL": "tid", "DATE": "txdate", "TIME": "txtime", "REFERENCE": "mref", "CARD": "preferredName", "NUMBER": "pan",
	"ENTRY": "posEntryMode", "RESPONSE": "responseCode", "AMOUNT": "totalAmount", "TOTAL": "totalAmount", "AMOUNT ASKED FOR": "requestedAmount",
	"TOTAL ASKED FOR": "requestedAmount", "APPROVED": "totalAmount", "TIP": "tipAmount", "CASH BACK": "cashBackAmount", "AID": "aid", "RRN": "rrn",
	"STAN": "stan", "AC": "ac", "CID": "cid", "ATC": "atc", "TVR": "tvr", "TSI": "tsi", "ARC": "arc", "IAD": "iad",
}

// Lines are the receipt's lines from top to bottom, in English or Arabic, or in Both with English before Arabic; what has no Arabic is as it
// is. They say what Text says, and have no marks of direction.
func (r Receipt) Lines(in Language) []Line {
	var all []Line
	for i, b := range r.Page() {
		if b.Layout == Space {
			continue
		}
		name, value := b.Label, b.Text
		if b.Layout != Pair {
			name, value = b.Text, ""
		}
		l := Line{Key: r.lineKey(i, b), Name: name, Value: value, Bold: b.Layout == Big}
		switch english := l; in {
		case Arabic:
			l = l.arabic(b)
		case Both:
			if l = l.arabic(b); l.Name != english.Name {
				l.Name = english.Name + " / " + l.Name
			}
			if l.Value != english.Value {
				l.Value = english.Value + " / " + l.Value
			}
		case English:
		}
		l.Name, l.Value = money.Plain(l.Name), money.Plain(l.Value)
		all = append(all, l)
	}
	return all
}

// Text is the line as nexo's OutputText has it: a query of name, value and key.
func (l Line) Text() string {
	var b strings.Builder
	for _, p := range []struct{ key, value string }{{"name", l.Name}, {"value", l.Value}, {"key", l.Key}} {
		if p.value == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(p.key + "=" + url.QueryEscape(p.value))
	}
	return b.String()
}

// OutputContent is a receipt as nexo messages carry it.
type OutputContent struct {
	OutputFormat string       `json:"OutputFormat"` // "Text"
	OutputText   []OutputText `json:"OutputText"`
}

// OutputText is one line of it.
type OutputText struct {
	Text           string `json:"Text"`
	CharacterStyle string `json:"CharacterStyle,omitempty"` // "Bold"
	EndOfLineFlag  bool   `json:"EndOfLineFlag"`
}

// Output is the receipt as nexo messages carry it.
func (r Receipt) Output(in Language) OutputContent {
	out := OutputContent{OutputFormat: "Text", OutputText: []OutputText{}}
	for _, l := range r.Lines(in) {
		t := OutputText{Text: l.Text(), EndOfLineFlag: true}
		if l.Bold {
			t.CharacterStyle = "Bold"
		}
		out.OutputText = append(out.OutputText, t)
	}
	return out
}

// arabic puts the line into Arabic, where the block has it.
func (l Line) arabic(b Block) Line {
	switch {
	case b.Layout != Pair && b.ArabicText != "":
		l.Name = b.ArabicText
	case b.Layout == Pair:
		if b.ArabicLabel != "" {
			l.Name = b.ArabicLabel
		}
		if b.ArabicText != "" {
			l.Value = b.ArabicText
		}
	}
	return l
}

// lineKey is the key of the block at a place of the page.
func (r Receipt) lineKey(i int, b Block) string {
	switch {
	case b.Layout == Rule || b.Layout == Bar || b.Layout == Gap:
		return "filler"
	case b.Layout == Signature:
		return "signature"
	case i <= len(r.Merchant.Location):
		return "header" + string(rune('1'+min(i, 8)))
	case b.Layout == Pair && b.Label == r.Type:
		return "txRef"
	case b.Layout == Pair:
		if key, ok := lineKeys[b.Label]; ok {
			return key
		}
		return camel(b.Label)
	}
	switch b.Text {
	case r.Verdict:
		if r.Done {
			return "approved"
		}
		return "notApproved"
	case r.Statement:
		return "statement"
	case r.Reason:
		return "reason"
	case r.Advice:
		return "advice"
	case r.HostText:
		return "hostText"
	case "MERCHANT COPY":
		return "merchantTitle"
	case "CUSTOMER COPY":
		return "cardholderHeader"
	case "*** DUPLICATE ***":
		return "duplicate"
	case trainingMark:
		return "training"
	}
	return "text"
}

// camel is a label as a key: its letters and digits alone, each word behind the first with a capital.
func camel(label string) string {
	var b strings.Builder
	up := false
	for _, c := range label {
		switch {
		case !unicode.IsLetter(c) && !unicode.IsDigit(c):
			up = b.Len() > 0
			continue
		case up:
			b.WriteRune(unicode.ToUpper(c))
		default:
			b.WriteRune(unicode.ToLower(c))
		}
		up = false
	}
	return b.String()
}
