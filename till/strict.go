package till

import (
	"bytes"
	"encoding/json"
	"strings"
)

// repeated finds a member that an object names twice, upper and lower case alike: two readers of such a body could see two
// different amounts. Malformed JSON is left to the decoder.
func repeated(body []byte) (string, bool) {
	type level struct {
		object bool
		want   bool // an object's next token is a member's name
		seen   map[string]bool
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	var stack []level
	for {
		tok, err := dec.Token()
		if err != nil {
			return "", false
		}
		if d, ok := tok.(json.Delim); ok && (d == '}' || d == ']') {
			stack = stack[:len(stack)-1]
			continue
		}
		if n := len(stack) - 1; n >= 0 && stack[n].object {
			if name, ok := tok.(string); ok && stack[n].want {
				fold := strings.ToLower(name)
				if stack[n].seen[fold] {
					return name, true
				}
				stack[n].seen[fold], stack[n].want = true, false
				continue
			}
			stack[n].want = true
		}
		if d, ok := tok.(json.Delim); ok {
			stack = append(stack, level{object: d == '{', want: d == '{', seen: map[string]bool{}})
		}
	}
}
