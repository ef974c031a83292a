package provision

import (
	"fmt"
	"slices"
	"strings"
)

// Change is one difference between two packages.
type Change struct {
	Where string `json:"where"` // manifest, or the part's name
	What  string `json:"what"`  // one line
}

// Diff lists what package b changes of package a, in the order of the file: manifest, then parts by their names. Of text the lines are
// shown, with - and + before them; of key blocks, keys of authorities and pictures only that they differ.
func Diff(a, b *Package) []Change {
	changes := []Change{}
	say := func(where, format string, args ...any) {
		changes = append(changes, Change{where, fmt.Sprintf(format, args...)})
	}
	for _, row := range []struct{ name, a, b string }{
		{"terminal", a.Terminal, b.Terminal},
		{"merchant", a.Merchant, b.Merchant},
		{"version", fmt.Sprint(a.Version), fmt.Sprint(b.Version)},
		{"note", a.Note, b.Note},
		{"acquirer", a.Acquirer, b.Acquirer},
		{"signer", a.signer.Fingerprint(), b.signer.Fingerprint()},
	} {
		if row.a != row.b {
			say("manifest", "%s: %s becomes %s", row.name, quote(row.a), quote(row.b))
		}
	}
	for _, s := range a.Trust {
		if !slices.Contains(b.Trust, s) {
			say("manifest", "- trust %s %s until %s", s.Name, s.Key.Fingerprint(), s.Expires)
		}
	}
	for _, s := range b.Trust {
		if !slices.Contains(a.Trust, s) {
			say("manifest", "+ trust %s %s until %s", s.Name, s.Key.Fingerprint(), s.Expires)
		}
	}
	for _, name := range partsOf(a, b) {
		before, after := a.Part(name), b.Part(name)
		switch {
		case before == nil:
			say(name, "comes")
		case after == nil:
			say(name, "goes")
		case string(before) == string(after):
		case strings.HasSuffix(name, ".toml"):
			for _, line := range lineDiff(lines(before), lines(after)) {
				say(name, "%s", line)
			}
		default:
			say(name, "is another: %d bytes become %d", len(before), len(after))
		}
	}
	return changes
}

func quote(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

func partsOf(a, b *Package) []string {
	var all []string
	for _, p := range slices.Concat(a.Parts, b.Parts) {
		all = append(all, p.Name)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func lines(text []byte) []string {
	var all []string
	for line := range strings.Lines(string(text)) {
		all = append(all, strings.TrimRight(line, " \t\r\n"))
	}
	return all
}

// maxLines bounds what is compared line by line: the table below grows with its square.
const maxLines = 2000

// lineDiff is the shortest list of lines that go and come, by the longest common subsequence.
func lineDiff(a, b []string) []string {
	if len(a) > maxLines || len(b) > maxLines {
		return []string{"is another"}
	}
	common := make([][]uint16, len(a)+1)
	for i := range common {
		common[i] = make([]uint16, len(b)+1)
	}
	for i, x := range slices.Backward(a) {
		for j, y := range slices.Backward(b) {
			if x == y {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	var out []string
	for i, j := 0, 0; i < len(a) || j < len(b); {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && common[i+1][j] >= common[i][j+1]:
			out = append(out, "- "+a[i])
			i++
		default:
			out = append(out, "+ "+b[j])
			j++
		}
	}
	return out
}
