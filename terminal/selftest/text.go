package selftest

import (
	"fmt"
	"strings"
)

// Text is the report for people: a line for each finding, faults with their remedy under them, and the sum of it at the end.
func (r Report) Text() string {
	var b strings.Builder
	for _, f := range r.Findings {
		what := f.Check
		if f.Subject != "" {
			what += ", " + f.Subject
		}
		fmt.Fprintf(&b, "%-11s  %s", mark(f.Status), what)
		if f.Cause != "" {
			fmt.Fprintf(&b, ": %s", plain(f.Cause))
		}
		b.WriteByte('\n')
		if f.Fix != "" {
			fmt.Fprintf(&b, "%-11s  %s (%s)\n", "", plain(f.Fix), f.Fault)
		}
	}
	fmt.Fprintf(&b, "\n%s, %s, %d of %d not checked, %d ms, %s\n", count(r.Faults, "fault"), count(r.Warnings, "warning"), r.Missed, len(r.Findings), r.TookMs, r.Version)
	return b.String()
}

func mark(s Status) string {
	if s == Fault {
		return "FAULT"
	}
	return string(s)
}

func count(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// plain keeps what a disk, a host or a device said from moving the cursor.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7F {
			return ' '
		}
		return r
	}, s)
}
