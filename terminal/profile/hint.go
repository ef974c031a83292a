package profile

import (
	"reflect"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// keys lists every key that the parser knows, in the file's order: "currency", "terminal.type",
// "application.random_selection.threshold".
func keys() []string { return keysOf("", reflect.TypeFor[file]()) }

func keysOf(prefix string, t reflect.Type) []string {
	var out []string
	for field := range t.Fields() {
		name, inner := prefix+field.Tag.Get("toml"), field.Type
		for inner.Kind() == reflect.Slice || inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		if inner.Kind() == reflect.Struct {
			out = append(out, keysOf(name+".", inner)...)
			continue
		}
		out = append(out, name)
	}
	return out
}

// tables lists the tables that keys stand in: "terminal", "application.random_selection".
func tables() []string {
	var out []string
	for _, key := range keys() {
		if i := strings.LastIndex(key, "."); i >= 0 && !slices.Contains(out, key[:i]) {
			out = append(out, key[:i])
		}
	}
	return out
}

// hint says what may have been meant by a key or table that is not known: the same key of another table, or one that is
// written nearly so.
func hint(unknown toml.Key) string {
	last := unknown[len(unknown)-1]
	here := strings.TrimSuffix(unknown.String(), last)
	best, distance := "", 3
	consider := func(name, meant string) {
		if d := edits(name, strings.ToLower(last), distance); d < distance {
			best, distance = meant, d
		}
	}
	for _, key := range keys() {
		table, name := "", key
		if i := strings.LastIndex(key, "."); i >= 0 {
			table, name = key[:i+1], key[i+1:]
		}
		switch {
		case table == here:
			consider(name, name)
		case name == last && table == "":
			return "it belongs at the top of the file, above the first [table]"
		case name == last:
			return "it belongs in " + heading(strings.TrimSuffix(table, "."))
		}
	}
	for _, table := range tables() {
		if name, ok := strings.CutPrefix(table, here); ok && !strings.Contains(name, ".") {
			consider(name, heading(table))
		}
	}
	if best != "" {
		return "is " + best + " meant?"
	}
	return "is it misspelt, or in the wrong table? docs/profile.md has them all"
}

// heading is how a table is opened.
func heading(table string) string {
	if slices.Contains([]string{"application", "earlier_sale", "exception"}, table) {
		return "[[" + table + "]]"
	}
	return "[" + table + "]"
}

// edits counts the letters to put in, take out or change between two words, up to limit.
func edits(a, b string, limit int) int {
	if len(b) > len(a)+limit || len(a) > len(b)+limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := before
			if a[i] != b[j] {
				cost++
			}
			before = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
