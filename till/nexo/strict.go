package nexo

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxDepth bounds how deep a message nests; the deepest that is known has less than ten levels.
const maxDepth = 24

// strict refuses what two readers could read in two ways: more than one value, a member that is there twice (upper and lower case
// alike, since Go's reader takes both), text that is not UTF-8; and what nests too deep. Unknown members are no fault: a message has
// more of them than this terminal needs.
func strict(body []byte) error {
	if !utf8.Valid(body) {
		return errors.New("the message is not UTF-8")
	}
	type level struct {
		object bool
		want   bool // an object's next token is a member's name
		seen   map[string]bool
	}
	var stack []level
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	for first := true; first || len(stack) > 0; first = false {
		tok, err := dec.Token()
		if err != nil {
			return errors.New("the message is no JSON object, or ends early")
		}
		if d, ok := tok.(json.Delim); ok && (d == '}' || d == ']') {
			stack = stack[:len(stack)-1]
			continue
		}
		if n := len(stack) - 1; n >= 0 && stack[n].object {
			if name, ok := tok.(string); ok && stack[n].want {
				name = fold(name)
				if stack[n].seen[name] {
					return fmt.Errorf("member %.40q is there twice", tok)
				}
				stack[n].seen[name], stack[n].want = true, false
				continue
			}
			stack[n].want = true
		}
		if d, ok := tok.(json.Delim); ok {
			if len(stack) == maxDepth {
				return fmt.Errorf("the message nests deeper than %d levels", maxDepth)
			}
			stack = append(stack, level{object: d == '{', want: d == '{', seen: map[string]bool{}})
		}
		if first && len(stack) == 0 {
			return errors.New("the message is no JSON object")
		}
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the message")
	}
	return nil
}

// fold is a name as encoding/json compares it: of all letters that fold into each other the first.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		return least
	}, name)
}
