// Package words has the Arabic of what terminal, lane, dialects and till say in English: outcomes, advices, warnings and problems. A
// sentence is found by its English, which is what the journal keeps; so every record that there is has its Arabic, and nothing about
// languages is on disk.
//
// It is pure and knows no other package. It translates nothing that others say: a host's text, a name, a number and an amount stay as they
// are, and each stands in an isolate (U+2066 to U+2069) so that it cannot turn the sentence around it, nor be turned by it. The
// prompts are terminal.Prompts, the labels of receipts are package receipt's.
//
// Sources: Unicode Standard Annex 9 (isolates). The words are those of the Gulf's terminals and receipts; a native reader has yet to go
// through them.
package words

import (
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// maxText bounds what is looked up, in bytes: nothing that the terminal says is that long.
const maxText = 2000

// A template is one sentence, or a piece of one, with holes: %a an amount ("KWD 10.525"), %n a number, %k a kind or a word that has its
// own Arabic (table nouns), %w several words that have, %l a list of such words, %x one word, %t any text, %i a sentence that is translated by itself. %1 to %9 of the Arabic are the holes of
// the English, in their order there; what stands in < and > there is a command or a name, in an isolate.
type template struct{ english, arabic string }

// compiled is a template that has holes.
type compiled struct {
	template
	prefix string // what every text begins with that it fits
	form   *regexp.Regexp
	holes  []byte // their letters
}

type catalogue struct {
	plain   map[string]string
	formed  []compiled
	nouns   map[string]string
	longest int // sentences in one template, at most
}

// theCatalogue is made once, from the tables, and never changed.
var theCatalogue = sync.OnceValue(func() *catalogue {
	commands := strings.NewReplacer("<", "\u2066", ">", "\u2069")
	c := &catalogue{plain: map[string]string{}, nouns: nouns(), longest: 1}
	for _, table := range [][]template{outcomes(), advices(), bank(), orders(), problems(), hints()} {
		for _, t := range table {
			t.arabic = commands.Replace(t.arabic)
			c.longest = max(c.longest, len(sentences(t.english)))
			if holes := holesOf(t.english); len(holes) > 0 {
				c.formed = append(c.formed, compile(t, holes))
				continue
			}
			c.plain[t.english] = t.arabic
		}
	}
	return c
})

func holesOf(english string) (holes []byte) {
	for i := 0; i+1 < len(english); i++ {
		if english[i] == '%' {
			holes = append(holes, english[i+1])
		}
	}
	return holes
}

// forms are what fits into a hole.
func forms() map[byte]string {
	return map[byte]string{
		'a': `([A-Z]{3} -?[0-9]+(?:\.[0-9]+)?)`, 'n': `([0-9]+)`, 'k': `([A-Za-z]+(?:[ -][a-z]+){0,2})`, 'x': `([^ ]+)`, 'w': `([^:,]+)`, 'l': `([a-z, ]+)`, 't': `(.+)`, 'i': `(.+)`,
	}
}

func compile(t template, holes []byte) compiled {
	pieces := regexp.MustCompile(`%[a-z]`).Split(t.english, -1)
	form := []string{"^", regexp.QuoteMeta(pieces[0])}
	for i, hole := range holes {
		form = append(form, forms()[hole], regexp.QuoteMeta(pieces[i+1]))
	}
	return compiled{t, pieces[0], regexp.MustCompile(strings.Join(form, "") + "$"), holes}
}

// Arabic is a text of one or several sentences in Arabic. whole is false where a sentence of it has none: that one then stays as it is,
// in an isolate, because half a text is more than none; where no sentence has any, it is empty. The empty text is whole.
func Arabic(english string) (arabic string, whole bool) {
	if len(english) > maxText {
		return "", false
	}
	return theCatalogue().text(strings.TrimSpace(english), 0)
}

// maxDepth is how often a sentence may hold another.
const maxDepth = 3

func (c *catalogue) text(english string, depth int) (string, bool) {
	if english == "" {
		return "", true
	}
	if a, ok := c.sentence(english, depth); ok {
		return a, true
	}
	var out []string
	whole, found := true, false
	for parts := sentences(english); len(parts) > 0; {
		arabic, took := "", 0
		for n := min(len(parts), c.longest); n > 0 && took == 0; n-- {
			if a, ok := c.sentence(strings.Join(parts[:n], " "), depth); ok {
				arabic, took, found = a, n, true
			}
		}
		if took == 0 {
			arabic, took, whole = isolate(parts[0]), 1, false
		}
		out, parts = append(out, arabic), parts[took:]
	}
	if !found {
		return "", false
	}
	return strings.Join(out, " "), whole
}

// sentence is one template's worth.
func (c *catalogue) sentence(english string, depth int) (string, bool) {
	if a, ok := c.plain[english]; ok {
		return a, true
	}
	for _, t := range c.formed {
		if !strings.HasPrefix(english, t.prefix) {
			continue
		}
		if found := t.form.FindStringSubmatch(english); found != nil {
			if a, ok := c.fill(t, found[1:], depth); ok {
				return a, true
			}
		}
	}
	return "", false
}

// fill puts what was found into the Arabic.
func (c *catalogue) fill(t compiled, found []string, depth int) (string, bool) {
	arabic := t.arabic
	for i, text := range found {
		switch t.holes[i] {
		case 'k', 'w', 'l':
			var nouns []string
			for word := range strings.SplitSeq(text, ", ") {
				noun, ok := c.nouns[word]
				if !ok {
					return "", false
				}
				nouns = append(nouns, noun)
			}
			text = strings.Join(nouns, "، ")
		case 'i':
			inner, ok := "", false
			if depth < maxDepth {
				inner, ok = c.text(text, depth+1)
			}
			if !ok {
				return "", false
			}
			text = inner
		default:
			text = isolate(text)
		}
		arabic = strings.ReplaceAll(arabic, "%"+strconv.Itoa(i+1), text)
	}
	return arabic, true
}

// isolate keeps a text that is not Arabic in its own direction (UAX 9, LRI and PDI). Control characters of direction that it may have of
// its own are taken out.
func isolate(s string) string {
	s = strings.Map(func(r rune) rune {
		if r >= 0x2066 && r <= 0x2069 || r >= 0x202A && r <= 0x202E || r == 0x200E || r == 0x200F || r == 0x061C {
			return -1
		}
		return r
	}, s)
	return "\u2066" + s + "\u2069"
}

// sentences are the pieces of a text that end with a full stop, a question mark or a bracket and a space behind it.
func sentences(text string) (all []string) {
	from := 0
	for i := 0; i+1 < len(text); i++ {
		if strings.IndexByte(".?!)", text[i]) >= 0 && text[i+1] == ' ' {
			all = append(all, strings.TrimSpace(text[from:i+1]))
			from = i + 2
		}
	}
	if rest := strings.TrimSpace(text[min(from, len(text)):]); rest != "" {
		all = append(all, rest)
	}
	return all
}
