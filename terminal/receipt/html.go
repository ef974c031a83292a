package receipt

import (
	"crypto/sha256"
	"encoding/base64"
	"html"
	"strings"
)

// style is the whole look of a receipt in a browser: on a screen, on 80 mm paper and on A4. Its directions are logical, so that one
// attribute turns it around.
const style = `:root{color-scheme:light}*{box-sizing:border-box}
body{margin:0;background:#eef0f2;color:#000;font:15px/1.5 "Noto Sans","Noto Sans Arabic","Noto Naskh Arabic",system-ui,sans-serif}
main{max-inline-size:25em;margin:1.5em auto;padding:1.75em 1.5em;background:#fff;box-shadow:0 1px 6px rgb(0 0 0/.18)}
p{margin:.1em 0}.c,.b{text-align:center}.b{font-size:1.3em;font-weight:700;line-height:1.35}.w{margin:.35em 0}.r{block-size:.5em}
.p{display:flex;justify-content:space-between;gap:1em}.p bdi{overflow-wrap:anywhere;font-variant-numeric:tabular-nums}
.p>.v{text-align:end}.t{display:grid;grid-template-columns:1fr auto 1fr;gap:.75em}.two main{max-inline-size:32em}.t>.v{text-align:center;white-space:nowrap}.t>:last-child{text-align:end}
.t>[lang=ar]{text-align:start}.g{font-weight:700;font-size:1.15em}
hr{border:0;border-block-start:1px dashed #000;margin:.7em 0}hr.h{border-block-start:3px solid #000}
.s{margin-block-start:4em;border-block-start:1px solid #000;padding-block-start:.2em}
@page{margin:5mm}
@media print{body{background:#fff;font-size:11pt}main{margin:0 auto;padding:0;box-shadow:none;max-inline-size:72mm}p,hr{break-inside:avoid}
.two main{max-inline-size:72mm}.two{font-size:9pt}}
@media print and (min-width:120mm){main{margin-block-start:12mm;max-inline-size:90mm}.two main{max-inline-size:120mm}.two{font-size:11pt}}`

// ContentSecurityPolicy is what a server sends with a receipt's HTML: its own style, by its hash, and nothing else. A page of the same
// origin may frame it.
func ContentSecurityPolicy() string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
}

// HTML lays the receipt out in English, as HTMLIn does.
func (r Receipt) HTML() string { return r.HTMLIn(English) }

// HTMLIn lays the receipt out as one page of its own: no script, nothing loaded, every value escaped and isolated so that
// it cannot turn the line around. In Arabic the page goes from right to left.
func (r Receipt) HTMLIn(lang Language) string {
	return document("Receipt "+r.Sale.String(), "إيصال "+r.Sale.String(), r.Page(), lang)
}

// HTML is as Receipt's.
func (s KernelSlip) HTML() string { return s.HTMLIn(English) }

// HTMLIn is as Receipt's.
func (s KernelSlip) HTMLIn(lang Language) string {
	return document("Kernel", arabic["KERNEL"], s.Page(), lang)
}

// HTML is as Receipt's.
func (s BatchSlip) HTML() string { return s.HTMLIn(English) }

// HTMLIn is as Receipt's.
func (s BatchSlip) HTMLIn(lang Language) string {
	return document(s.title(), arabic[s.title()], s.Page(), lang)
}

func document(title, arabicTitle string, page []Block, lang Language) string {
	var b strings.Builder
	root, class := `lang="en" dir="ltr"`, ""
	switch lang {
	case Arabic:
		root, title = `lang="ar" dir="rtl"`, arabicTitle
	case Both:
		title += " · " + arabicTitle
		class = ` class="two"`
	case English:
	}
	b.WriteString("<!doctype html>\n<html " + root + "><head><meta charset=\"utf-8\">")
	b.WriteString(`<meta name="viewport" content="width=device-width,initial-scale=1">`)
	b.WriteString("<title>" + html.EscapeString(title) + "</title>\n<style>" + style + "</style></head>\n<body" + class + "><main>\n")
	for _, k := range page {
		b.WriteString(k.html(lang))
	}
	b.WriteString("</main></body></html>\n")
	return b.String()
}

func (b Block) html(lang Language) string {
	switch b.Layout {
	case Rule:
		return "<hr>\n"
	case Bar:
		return "<hr class=\"h\">\n"
	case Gap:
		return "<p>&nbsp;</p>\n"
	case Space:
		return "<p class=\"r\"></p>\n"
	case Pair:
		return b.pairHTML(lang)
	case Signature:
		return b.linesHTML(lang, "s")
	case Words:
		return b.linesHTML(lang, "w")
	case Centre:
		return b.linesHTML(lang, "c")
	case Big:
		return b.linesHTML(lang, "b")
	}
	return ""
}

func (b Block) linesHTML(lang Language, class string) string {
	var out strings.Builder
	for _, t := range b.Texts(lang) {
		extra := ""
		if lang == Both && RightToLeft(t) {
			extra = ` lang="ar" dir="rtl"`
		}
		out.WriteString(`<p class="` + class + `"` + extra + ">" + isolated(t) + "</p>\n")
		if class == "s" {
			class = "c" // one line to sign on
		}
	}
	return out.String()
}

func (b Block) pairHTML(lang Language) string {
	class, label := "p", b.Label
	if lang == Arabic && b.ArabicLabel != "" {
		label = b.ArabicLabel
	}
	value := `<span class="v">` + isolated(b.Value(lang)) + "</span>"
	if lang == Both && b.ArabicLabel != "" {
		class = "t"
		value += `<span lang="ar" dir="rtl">` + isolated(b.ArabicLabel) + "</span>"
	}
	if b.Strong {
		class += " g"
	}
	return `<p class="` + class + `"><span>` + isolated(label) + "</span>" + value + "</p>\n"
}

// isolated is a text as an element of its own direction. Isolates in it, which are the terminal's own, become elements too.
func isolated(s string) string {
	var b strings.Builder
	direction := func(r bool) string {
		if r {
			return `<bdi dir="rtl">`
		}
		return `<bdi dir="ltr">`
	}
	b.WriteString(direction(RightToLeft(s)))
	open := 1
	for _, r := range s {
		switch r {
		case '\u2066', '\u2067':
			b.WriteString(direction(r == '\u2067'))
			open++
		case '\u2068':
			b.WriteString("<bdi>")
			open++
		case '\u2069':
			if open > 1 {
				b.WriteString("</bdi>")
				open--
			}
		default:
			b.WriteString(html.EscapeString(string(r)))
		}
	}
	return b.String() + strings.Repeat("</bdi>", open)
}
