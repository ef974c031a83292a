package support

import (
	"regexp"
	"strings"
)

// Scrub masks what looks like a card number or a track, whatever it stands in: as digits, in groups as they are embossed, and as ASCII in
// hexadecimal. A run of digits that is longer is looked through for a card number in it. It says how many it masked. What is masked
// keeps its first six and last four digits.
func Scrub(text string) (string, int) {
	var out strings.Builder
	out.Grow(len(text))
	n := 0
	for line := range strings.Lines(text) { // no number that is looked for goes over a line's end
		masked, found := line, 0
		if enoughDigits(line) {
			masked, found = scrubLine(line)
		}
		out.WriteString(masked)
		n += found
	}
	return out.String(), n
}

// enoughDigits says whether a line can hold a card number at all: most do not, and a log has thousands.
func enoughDigits(line string) bool {
	n := 0
	for i := range len(line) {
		if line[i] >= '0' && line[i] <= '9' {
			if n++; n >= shortest {
				return true
			}
		}
	}
	return false
}

// shortest is how many digits the shortest card number has that is looked for.
const shortest = 12

func scrubLine(text string) (string, int) {
	n := 0
	text = tracks.ReplaceAllStringFunc(text, func(found string) string {
		at := strings.IndexAny(found, "=Dd")
		number, ok := maskDigits(found[:at])
		if !ok {
			return found
		}
		n++
		return number + found[at:at+1] + strings.Repeat("*", len(found)-at-1)
	})
	text = asciiInHex.ReplaceAllStringFunc(text, func(found string) string {
		var digits strings.Builder
		for i := 1; i < len(found); i += 2 {
			digits.WriteByte(found[i])
		}
		masked, ok := maskDigits(digits.String())
		if !ok {
			return found
		}
		n++
		var out strings.Builder
		for i := range len(masked) {
			if masked[i] == '*' {
				out.WriteString("**")
			} else {
				out.WriteString("3" + masked[i:i+1])
			}
		}
		return out.String()
	})
	text = grouped.ReplaceAllStringFunc(text, func(found string) string {
		masked, ok := maskGrouped(found)
		if ok {
			n++
		}
		return masked
	})
	return text, n
}

var (
	tracks     = regexp.MustCompile(`[0-9]{12,19}[=Dd][0-9]{4,}`)
	asciiInHex = regexp.MustCompile(`(?:3[0-9]){12,}`)
	grouped    = regexp.MustCompile(`[0-9](?:[ -]?[0-9]){11,}`)
)

// maskGrouped masks card numbers in digits that may stand in groups.
func maskGrouped(text string) (string, bool) {
	var digits []byte
	var at []int
	for i := range len(text) {
		if text[i] >= '0' && text[i] <= '9' {
			digits, at = append(digits, text[i]), append(at, i)
		}
	}
	masked, ok := maskDigits(string(digits))
	if !ok {
		return text, false
	}
	out := []byte(text)
	for i, where := range at {
		out[where] = masked[i]
	}
	return string(out), true
}

// maskDigits masks every card number in a run of digits: 12 to 19 of them, by a number that cards begin with, whose check digit is right
// (ISO/IEC 7812-1, Annex B). Longer ones are looked for first.
func maskDigits(digits string) (string, bool) {
	hide := make([]bool, len(digits))
	any := false
	for size := 19; size >= 12; size-- {
		for from := 0; from+size <= len(digits); from++ {
			if digits[from] < '2' || digits[from] > '6' || !luhn(digits[from:from+size]) {
				continue
			}
			any = true
			for i := from + 6; i < from+size-4; i++ {
				hide[i] = true
			}
		}
	}
	if !any {
		return digits, false
	}
	out := []byte(digits)
	for i := range out {
		if hide[i] {
			out[i] = '*'
		}
	}
	return string(out), true
}

func luhn(digits string) bool {
	sum := 0
	for i := range len(digits) {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}
