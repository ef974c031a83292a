package receipt

import (
	"strings"
	"unicode"

	"tillway/money"
)

// Widths that Text takes: columns of the printer's normal font. 42 and 48 are those of 80 mm paper, 32 of 58 mm.
const (
	MinWidth     = 24
	DefaultWidth = 42
	MaxWidth     = 96
)

// Text lays the receipt out in English, as TextIn does.
func (r Receipt) Text(width int) string { return r.TextIn(English, width) }

// TextIn lays the receipt out in columns of a fixed font, lines ended by LF. A width outside MinWidth to MaxWidth becomes
// the nearest of the two; 0 is DefaultWidth. Arabic stands at the right with its value at the left, in the order in which it is read and
// without marks of direction: a terminal that knows Arabic shapes it, and one that does not shows no rubbish.
func (r Receipt) TextIn(lang Language, width int) string { return text(r.Page(), lang, width) }

// Text is as Receipt's.
func (s KernelSlip) Text(width int) string { return s.TextIn(English, width) }

// TextIn is as Receipt's.
func (s KernelSlip) TextIn(lang Language, width int) string { return text(s.Page(), lang, width) }

// Text is as Receipt's.
func (s BatchSlip) Text(width int) string { return s.TextIn(English, width) }

// TextIn is as Receipt's.
func (s BatchSlip) TextIn(lang Language, width int) string { return text(s.Page(), lang, width) }

func text(page []Block, lang Language, width int) string {
	var b strings.Builder
	for _, k := range page {
		for _, l := range k.LinesIn(lang, width) {
			b.WriteString(l)
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// Lines lays the block out in English, as LinesIn does.
func (b Block) Lines(width int) []string { return b.LinesIn(English, width) }

// LinesIn lays the block out in columns of a fixed font: a line each, without spaces at their ends. Width as TextIn has it.
func (b Block) LinesIn(lang Language, width int) []string {
	lines := b.in(lang, columns(width))
	for i := range lines {
		lines[i] = strings.TrimRight(money.Plain(lines[i]), " ")
	}
	return lines
}

func (b Block) in(lang Language, width int) []string {
	switch b.Layout {
	case Rule:
		return []string{strings.Repeat("-", width)}
	case Bar:
		return []string{strings.Repeat("=", width)}
	case Gap:
		return []string{""}
	case Space:
		return nil
	case Pair:
		return b.pairLines(lang, width)
	case Signature:
		out := []string{"", "", "X " + strings.Repeat("_", width-2)}
		return append(out, b.eachLanguage(lang, width, atStart)...)
	case Words:
		return b.eachLanguage(lang, width, atStart)
	case Centre, Big:
		return b.eachLanguage(lang, width, inMiddle)
	}
	return nil
}

// Texts are what a page of a language says of a block, in its order.
func (b Block) Texts(lang Language) (all []string) {
	if lang != Arabic || b.ArabicText == "" {
		all = append(all, b.Text)
	}
	if lang != English && b.ArabicText != "" {
		all = append(all, b.ArabicText)
	}
	return all
}

// Value is a Pair's in a language.
func (b Block) Value(lang Language) string {
	switch {
	case lang == Both && b.BothText != "":
		return b.BothText
	case lang == Both && b.ArabicText != "":
		return b.Text + " / " + b.ArabicText
	case lang == Arabic && b.ArabicText != "":
		return b.ArabicText
	}
	return b.Text
}

func (b Block) eachLanguage(lang Language, width int, place func(string, int) string) (out []string) {
	for _, t := range b.Texts(lang) {
		for _, l := range wrap(t, width) {
			out = append(out, place(l, width))
		}
	}
	return out
}

func inMiddle(s string, width int) string { return strings.Repeat(" ", max(0, width-cells(s))/2) + s }

func atEnd(s string, width int) string { return strings.Repeat(" ", max(0, width-cells(s))) + s }

// atStart puts a line where its language begins.
func atStart(s string, width int) string {
	if RightToLeft(s) {
		return atEnd(s, width)
	}
	return s
}

func (b Block) pairLines(lang Language, width int) []string {
	value := b.Value(lang)
	switch {
	case lang == Arabic && b.ArabicLabel != "":
		return arabicPair(b.ArabicLabel, value, width)
	case lang == Both && b.ArabicLabel != "":
		return bothPair(b.Label, value, b.ArabicLabel, width)
	}
	return pairLines(b.Label, value, width)
}

// arabicPair has the value first: digits that stand before the Arabic of their line are not turned by it.
func arabicPair(label, value string, width int) []string {
	if l, v := cells(label), cells(value); l+1+v <= width {
		return []string{value + strings.Repeat(" ", width-l-v) + label}
	}
	return append([]string{atEnd(label, width)}, wrap(value, width-2)...)
}

func bothPair(label, value, arabic string, width int) []string {
	l, v, a := cells(label), cells(value), cells(arabic)
	if before := (width - v) / 2; l+1 <= before && before+v+1+a <= width {
		return []string{label + strings.Repeat(" ", before-l) + value + strings.Repeat(" ", width-before-v-a) + arabic}
	}
	out := []string{label + strings.Repeat(" ", max(1, width-l-a)) + arabic}
	if l+1+a > width {
		out = []string{label, atEnd(arabic, width)}
	}
	for _, w := range wrap(value, width-2) {
		out = append(out, inMiddle(w, width))
	}
	return out
}

// RightToLeft says that the first letter with a direction goes from right to left: the text's own direction.
func RightToLeft(s string) bool {
	for _, r := range s {
		switch {
		case unicode.In(r, unicode.Arabic, unicode.Hebrew) && unicode.IsLetter(r):
			return true
		case unicode.IsLetter(r):
			return false
		}
	}
	return false
}

// cells is how many columns a text takes: marks stand on the letter before them, and marks of direction nowhere.
func cells(s string) (n int) {
	for _, r := range s {
		if !unicode.In(r, unicode.Mn, unicode.Cf) {
			n++
		}
	}
	return n
}

func columns(width int) int {
	if width == 0 {
		width = DefaultWidth
	}
	return min(max(width, MinWidth), MaxWidth)
}

func pairLines(label, value string, width int) []string {
	l, v := cells(label), cells(value)
	if l+1+v <= width {
		return []string{label + strings.Repeat(" ", width-l-v) + value}
	}
	out := []string{label}
	for _, w := range wrap(value, width-2) {
		out = append(out, atEnd(w, width))
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
