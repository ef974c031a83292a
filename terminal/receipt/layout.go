package receipt

import (
	"strconv"
	"strings"
	"unicode"

	"tillway/money"
	"tillway/terminal"
)

// kind is how one block is laid out.
type kind int

const (
	centre  kind = iota // a line in the middle
	big                 // the same, larger where the medium can
	pair                // label left, value right
	words               // running text
	rule                // a line across
	bar                 // a heavy line across, above and below the verdict
	gap                 // an empty line
	signing             // the signature line
	space               // a little room, where a medium has less than a line
)

// block is one element of the page, in order. label is empty unless it is a pair.
type block struct {
	kind        kind
	label, text string
	strong      bool // a pair that is to be seen first

	// What a table cannot know: an amount, a count, a name. Empty: the label, and the text of all but a pair, are looked up.
	labelArabic, textArabic string

	both string // the text in one, for a page in both languages; empty: one beside the other
	raw  bool   // somebody else's words, which have no Arabic: the shop's, the card's, the host's
}

// of is a pair whose value is the same in every language.
func of(label, text string) block { return block{kind: pair, label: label, text: text} }

// sum is a pair whose value is an amount.
func sum(label string, a money.Amount, d money.Digits) block {
	b := of(label, a.Format())
	b.textArabic = a.FormatArabic(d)
	if symbol := a.Currency.ArabicSymbol(); symbol != a.Currency.Code {
		b.both = b.text + " / " + b.textArabic
		if d != money.ArabicIndic { // the same digits twice say nothing
			b.both = b.text + " \u2067" + symbol + "\u2069"
		}
	} else if d != money.ArabicIndic {
		b.both = b.text
	}
	return b
}

// head is the shop and its numbers, above every paper.
func head(h Header, merchantID, terminalID string) []block {
	p := []block{{kind: big, text: h.Name, textArabic: h.NameArabic, raw: true}}
	for i, l := range h.Location {
		b := block{kind: centre, text: l, raw: true}
		if i < len(h.LocationArabic) {
			b.textArabic = h.LocationArabic[i]
		}
		p = append(p, b)
	}
	p = append(p, block{kind: space})
	for _, b := range []block{of("MERCHANT", merchantID), of("TERMINAL", terminalID)} {
		if b.text != "" {
			p = append(p, b)
		}
	}
	return append(p, block{kind: rule})
}

// trainingMark is what nobody may take for a payment.
const trainingMark = "TRAINING, NOT A PAYMENT"

// page is the receipt from top to bottom: what Text and HTML lay out. Both show the same, in the same order.
func (r Receipt) page() []block {
	p := head(r.Merchant, r.MerchantID, r.TerminalID)
	add := func(k kind, text string) { p = append(p, block{kind: k, text: text}) }
	both := func(label, text string) {
		if text != "" {
			p = append(p, of(label, text))
		}
	}
	if r.Training {
		add(big, trainingMark)
		add(rule, "")
	}
	if r.Duplicate {
		add(big, "*** DUPLICATE ***")
		add(rule, "")
	}
	both(r.Type, r.Sale.String())
	both("DATE", r.Time.Format("2006-01-02"))
	both("TIME", r.Time.Format("15:04:05"))
	both("REFERENCE", r.Reference)
	p = append(p, r.about()...)
	add(gap, "")
	p = append(p, r.amounts()...)
	add(bar, "")
	add(big, r.Verdict)
	if plain := r.Verdict == "APPROVED" && r.Charged && r.Way != terminal.WayVoice; !plain { // then the amount above says it
		add(big, r.Statement)
	}
	add(bar, "")
	after := len(p)
	for _, l := range r.Later {
		p = append(p, sum(l.Type+" "+l.Sale.String(), l.Amount, r.Merchant.Digits))
	}
	if r.Unknown {
		add(words, "What has become of it since cannot be read: call support.")
	}
	if r.Reason != "" {
		add(words, r.Reason)
	}
	if r.Advice != "" {
		add(words, r.Advice)
	}
	if r.HostText != "" {
		p = append(p, block{kind: centre, text: r.HostText, raw: true})
	}
	if len(p) > after {
		add(rule, "")
	}
	p = append(p, r.details()...)
	if r.Training {
		add(big, trainingMark)
	}
	if r.Copy == Merchant {
		add(big, "MERCHANT COPY")
	} else {
		add(big, "CUSTOMER COPY")
		add(centre, "Please keep this receipt")
	}
	return p
}

// about names the earlier transaction, as the bank knows it too.
func (r Receipt) about() []block {
	if r.Of == 0 {
		return nil
	}
	label, p := wordsOf(r.Kind).of, []block(nil)
	if label == "" {
		label = "OF TRANSACTION"
	}
	o := r.Original
	if o == nil {
		return []block{of(label, r.Of.String())}
	}
	if label == "OF TRANSACTION" {
		label = "OF " + o.Type
	}
	p = append(p, of(label, r.Of.String()), of("ON", o.Time.Format("2006-01-02 15:04:05")))
	for _, l := range []struct{ label, text string }{{"ITS RRN", o.RRN}, {"ITS STAN", o.STAN}, {"ITS INVOICE", o.Invoice}, {"ITS AUTH CODE", o.AuthCode}} {
		if l.text != "" {
			p = append(p, of(l.label, l.text))
		}
	}
	return p
}

// amounts are what was asked for and of what it is made up, what was approved and what is left.
func (r Receipt) amounts() []block {
	var p []block
	both := func(label string, a money.Amount) { p = append(p, sum(label, a, r.Merchant.Digits)) }
	if r.Kind == terminal.KindBalance {
		if r.Balance.Currency.Code != "" {
			both("AVAILABLE", r.Balance)
			p[0].strong = true
		}
		return p
	}
	label, whole := wordsOf(r.Kind).amount, r.Kind == terminal.KindVoid || r.Tip.Minor == 0 && r.Cashback.Minor == 0
	if !whole {
		label = "TOTAL"
		both("GOODS", money.New(r.Amount.Minor-r.Tip.Minor-r.Cashback.Minor, r.Amount.Currency))
		if r.Tip.Minor > 0 {
			both("TIP", r.Tip)
		}
		if r.Cashback.Minor > 0 {
			both("CASH BACK", r.Cashback)
		}
	}
	if !r.Done && !r.Due || r.Approved.Minor > 0 {
		label = "AMOUNT ASKED FOR"
		if !whole {
			label = "TOTAL ASKED FOR"
		}
	}
	both(label, r.Amount)
	p[len(p)-1].strong = true
	if r.Approved.Minor > 0 {
		both("APPROVED", r.Approved)
	}
	if r.Rest.Minor > 0 {
		both("STILL TO PAY", r.Rest)
	}
	return p
}

// details are card, host and chip: for disputes, and for whoever asks the bank.
func (r Receipt) details() []block {
	var p []block
	both := func(label, text string) {
		if text != "" {
			p = append(p, of(label, text))
		}
	}
	if c := r.Card; c != nil {
		if c.Label != "" {
			both("CARD", c.Label)
		} else {
			both("CARD", strings.ToUpper(c.Scheme))
		}
		both("NUMBER", c.PAN)
		both("AID", c.AID)
		p = append(p, block{kind: pair, label: "ENTRY", text: c.Entry, textArabic: entryArabic(c.Entry)})
		if c.Verification != "" {
			p = append(p, block{kind: centre, text: c.Verification})
		}
	}
	if r.Stored != 0 {
		both("STORED AS", strconv.FormatInt(r.Stored, 10))
	}
	both("AUTH CODE", r.AuthCode)
	both("RESPONSE", r.ResponseCode)
	both("RRN", r.RRN)
	both("STAN", r.STAN)
	both("INVOICE", r.Invoice)
	both("BATCH", r.Batch)
	if len(p) > 0 {
		p = append(p, block{kind: rule})
	}
	if r.Copy == Merchant && len(r.Chip) > 0 {
		for _, e := range r.Chip {
			both(e.Name, e.Value)
		}
		p = append(p, block{kind: rule})
	}
	if r.Copy == Merchant && r.Card != nil && r.Card.Sign {
		p = append(p, block{kind: signing, text: "SIGNATURE"}, block{kind: rule})
	}
	return p
}

// line makes text from card, host or shop fit to print: one line, no control characters (a printer would obey them),
// nothing that turns the direction of writing around, bounded.
func line(s string) string {
	const longest = 160
	var b strings.Builder
	n := 0
	for _, r := range strings.TrimSpace(s) {
		if n++; n > longest {
			break
		}
		switch {
		case unicode.IsSpace(r):
			b.WriteByte(' ')
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r), !unicode.IsPrint(r):
			b.WriteByte('?')
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func clean(h Header) Header {
	c := Header{Name: line(h.Name), Zone: h.Zone, Digits: h.Digits, NameArabic: line(h.NameArabic)}
	for _, l := range h.LocationArabic {
		c.LocationArabic = append(c.LocationArabic, line(l))
	}
	for _, l := range h.Location {
		c.Location = append(c.Location, line(l))
	}
	return c
}
