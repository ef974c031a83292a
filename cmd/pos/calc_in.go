package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// calcIn reads a function's parameters. It keeps the first error, so that a function reads them all and asks once; what it
// gives after an error is empty or of the length asked for.
type calcIn struct {
	values map[string]any
	err    error
}

func (in *calcIn) fail(format string, args ...any) {
	if in.err == nil {
		in.err = fmt.Errorf(format, args...)
	}
}

// find is the value under the first of the names that is there.
func (in *calcIn) find(names []string) (string, bool) {
	for _, name := range names {
		switch v := in.values[name].(type) {
		case nil:
		case string:
			return v, true
		case json.Number:
			return v.String(), true
		default:
			in.fail("%s: neither text nor a number", name)
			return "", true
		}
	}
	return "", false
}

func (in *calcIn) has(names ...string) bool {
	_, ok := in.find(names)
	return ok
}

// text is a parameter that must be there.
func (in *calcIn) text(names ...string) string {
	v, ok := in.find(names)
	if !ok {
		in.fail("%s is missing", names[0])
	}
	return v
}

// or is a parameter, or what counts without it.
func (in *calcIn) or(without string, names ...string) string {
	if v, ok := in.find(names); ok {
		return v
	}
	return without
}

// number is a whole number between least and most, or what counts without it.
func (in *calcIn) number(without, least, most int, names ...string) int {
	v, ok := in.find(names)
	if !ok {
		return without
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < least || n > most {
		in.fail("%s: not a whole number from %d to %d", names[0], least, most)
		return without
	}
	return n
}

// bytes is a hexadecimal parameter that must be there; spaces do not count.
func (in *calcIn) bytes(names ...string) []byte { return in.unhex(in.text(names...), names[0]) }

func (in *calcIn) unhex(text, name string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		in.fail("%s: not hexadecimal", name)
	}
	return b
}

// optional is a hexadecimal parameter, or nothing.
func (in *calcIn) optional(names ...string) []byte {
	if !in.has(names...) {
		return nil
	}
	return in.bytes(names...)
}

// fixed is a hexadecimal parameter of n bytes.
func (in *calcIn) fixed(n int, names ...string) []byte {
	return in.exactly(n, in.bytes(names...), names[0])
}

func (in *calcIn) exactly(n int, b []byte, name string) []byte {
	if len(b) != n {
		in.fail("%s: %d bytes, %d are wanted", name, len(b), n)
		return make([]byte, n)
	}
	return b
}

// data is the data parameter: hexadecimal as data, or characters as data_ascii.
func (in *calcIn) data() []byte {
	if v, ok := in.find([]string{"data_ascii"}); ok {
		return []byte(v)
	}
	return in.bytes("data", "data_hex")
}

func (in *calcIn) hasData() bool { return in.has("data", "data_hex", "data_ascii") }

// nibbles is a parameter of hexadecimal digits, one a byte.
func (in *calcIn) nibbles(text, name string) []byte {
	out := make([]byte, 0, len(text))
	for _, c := range []byte(text) {
		n, err := strconv.ParseUint(string(rune(c)), 16, 8)
		if err != nil {
			in.fail("%s: not hexadecimal", name)
			return nil
		}
		out = append(out, byte(n))
	}
	return out
}

func upperHex(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) }
