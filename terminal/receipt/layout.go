package receipt

import (
	"html"
	"strings"
	"unicode"

	"tillway/money"
	"tillway/terminal"
)

// Widths that Text takes: columns of the printer's normal font. 42 and 48 are those of 80 mm paper, 32 of 58 mm.
const (
	MinWidth     = 24
	DefaultWidth = 42
	MaxWidth     = 96
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
)

// block is one element of the page, in order. label is empty unless it is a pair.
type block struct {
	kind        kind
	label, text string
}

// page is the receipt from top to bottom: what Text and HTML lay out. Both show the same, in the same order.
func (r Receipt) page() []block {
	var p []block
	add := func(k kind, text string) { p = append(p, block{kind: k, text: text}) }
	both := func(label, text string) {
		if text != "" {
			p = append(p, block{pair, label, text})
		}
	}
	add(big, r.Merchant.Name)
	for _, l := range r.Merchant.Location {
		add(centre, l)
	}
	both("MERCHANT", r.MerchantID)
	both("TERMINAL", r.TerminalID)
	add(rule, "")
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
		both(l.Type+" "+l.Sale.String(), l.Amount.Format())
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
		add(centre, r.HostText)
	}
	if len(p) > after {
		add(rule, "")
	}
	p = append(p, r.details()...)
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
		return []block{{pair, label, r.Of.String()}}
	}
	if label == "OF TRANSACTION" {
		label = "OF " + o.Type
	}
	p = append(p, block{pair, label, r.Of.String()}, block{pair, "ON", o.Time.Format("2006-01-02 15:04:05")})
	for _, l := range []struct{ label, text string }{{"ITS RRN", o.RRN}, {"ITS STAN", o.STAN}, {"ITS INVOICE", o.Invoice}, {"ITS AUTH CODE", o.AuthCode}} {
		if l.text != "" {
			p = append(p, block{pair, l.label, l.text})
		}
	}
	return p
}

// amounts are what was asked for and of what it is made up, what was approved and what is left.
func (r Receipt) amounts() []block {
	var p []block
	both := func(label string, a money.Amount) { p = append(p, block{pair, label, a.Format()}) }
	if r.Kind == terminal.KindBalance {
		if r.Balance.Currency.Code != "" {
			both("AVAILABLE", r.Balance)
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
			p = append(p, block{pair, label, text})
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
		both("ENTRY", c.Entry)
		if c.Verification != "" {
			p = append(p, block{kind: centre, text: c.Verification})
		}
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

// Text lays the receipt out in columns of a fixed font, lines ended by LF. A width outside MinWidth to MaxWidth becomes
// the nearest of the two; 0 is DefaultWidth.
func (r Receipt) Text(width int) string { return text(r.page(), width) }

func text(page []block, width int) string {
	width = columns(width)
	var b strings.Builder
	for _, k := range page {
		for _, l := range k.lines(width) {
			b.WriteString(strings.TrimRight(l, " "))
			b.WriteByte('\n')
		}
	}
	return b.String()
}

func columns(width int) int {
	if width == 0 {
		width = DefaultWidth
	}
	return min(max(width, MinWidth), MaxWidth)
}

func (k block) lines(width int) []string {
	switch k.kind {
	case rule:
		return []string{strings.Repeat("-", width)}
	case bar:
		return []string{strings.Repeat("=", width)}
	case gap:
		return []string{""}
	case signing:
		return []string{"", "", "X " + strings.Repeat("_", width-2), k.text}
	case words:
		return wrap(k.text, width)
	case pair:
		return pairLines(k.label, k.text, width)
	case centre, big:
		lines := wrap(k.text, width)
		for i, l := range lines {
			lines[i] = strings.Repeat(" ", (width-len([]rune(l)))/2) + l
		}
		return lines
	}
	return nil
}

func pairLines(label, value string, width int) []string {
	l, v := len([]rune(label)), len([]rune(value))
	if l+1+v <= width {
		return []string{label + strings.Repeat(" ", width-l-v) + value}
	}
	out := []string{label}
	for _, w := range wrap(value, width-2) {
		out = append(out, strings.Repeat(" ", width-len([]rune(w)))+w)
	}
	return out
}

// bracketed joins what stands in brackets to one word, such as "(code 55)", where it fits a line: a line that is "55)" alone
// reads badly.
func bracketed(words []string, width int) []string {
	var out []string
	for i := 0; i < len(words); i++ {
		if strings.HasPrefix(words[i], "(") {
			for end := i; end < len(words); end++ {
				if whole := strings.Join(words[i:end+1], " "); strings.HasSuffix(words[end], ")") && len([]rune(whole)) <= width {
					words[end] = whole
					i = end
					break
				}
			}
		}
		out = append(out, words[i])
	}
	return out
}

// wrap breaks at spaces; a word longer than the line is cut.
func wrap(text string, width int) []string {
	if len([]rune(text)) <= width {
		return []string{text}
	}
	var out []string
	var cur []rune
	flush := func() {
		if len(cur) > 0 {
			out = append(out, string(cur))
			cur = nil
		}
	}
	for _, word := range bracketed(strings.Fields(text), width) {
		w := []rune(word)
		if len(cur) > 0 && len(cur)+1+len(w) > width {
			flush()
		}
		if len(cur) > 0 {
			cur = append(cur, ' ')
		}
		cur = append(cur, w...)
		for len(cur) > width {
			out = append(out, string(cur[:width]))
			cur = cur[width:]
		}
	}
	flush()
	return out
}

const style = `body{margin:0;background:#fff;color:#000;font:15px/1.35 system-ui,sans-serif}
main{max-width:24em;margin:0 auto;padding:1em}p{margin:.15em 0}.c,.b{text-align:center}.b{font-size:1.35em;font-weight:700}
.p{display:flex;justify-content:space-between;gap:1em}.p bdi{text-align:right;overflow-wrap:anywhere}
hr{border:0;border-top:1px dashed #000;margin:.6em 0}.s{margin-top:3em;border-top:1px solid #000}`

// HTML lays the receipt out as one page of its own: no script, nothing loaded, every value escaped and isolated so that
// it cannot turn the line around.
func (r Receipt) HTML() string { return document("Receipt "+r.Sale.String(), r.page()) }

func document(title string, page []block) string {
	var b strings.Builder
	b.WriteString("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">")
	b.WriteString(`<meta name="viewport" content="width=device-width,initial-scale=1">`)
	b.WriteString("<title>" + html.EscapeString(title) + "</title>\n<style>" + style + "</style></head>\n<body><main>\n")
	for _, k := range page {
		b.WriteString(k.html())
	}
	b.WriteString("</main></body></html>\n")
	return b.String()
}

func (k block) html() string {
	text, label := "<bdi>"+html.EscapeString(k.text)+"</bdi>", html.EscapeString(k.label)
	switch k.kind {
	case rule, bar:
		return "<hr>\n"
	case gap:
		return "<p>&nbsp;</p>\n"
	case signing:
		return `<p class="s">` + text + "</p>\n"
	case words:
		return "<p>" + text + "</p>\n"
	case pair:
		return `<p class="p"><span>` + label + "</span>" + text + "</p>\n"
	case centre:
		return `<p class="c">` + text + "</p>\n"
	case big:
		return `<p class="b">` + text + "</p>\n"
	}
	return ""
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
	c := Header{Name: line(h.Name), Zone: h.Zone, NameArabic: line(h.NameArabic)}
	for _, l := range h.LocationArabic {
		c.LocationArabic = append(c.LocationArabic, line(l))
	}
	for _, l := range h.Location {
		c.Location = append(c.Location, line(l))
	}
	return c
}
