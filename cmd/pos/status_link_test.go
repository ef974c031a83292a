package main

import (
	"bytes"
	"strings"
	"testing"

	"tillway/terminal"
	"tillway/till"
)

// The status names the host, says how far its clock is off, and warns a line a warning.
func TestHostInTheStatus(t *testing.T) {
	for seconds, want := range map[int]string{
		-400: "its clock 400 s behind", 0: "its clock the same", 7: "its clock 7 s ahead",
	} {
		h := terminal.LinkHealth{
			Health: terminal.Health{OK: true, Name: "acquirer", State: "connected"}, Host: "second.test:8583", ClockSeconds: &seconds,
			Warnings: []string{"first\nwarning", "second warning"},
		}
		if got := link(h); got != "ok: acquirer, connected, host second.test:8583, "+want {
			t.Errorf("%q", got)
		}
		var out bytes.Buffer
		a := &app{out: &out}
		a.printStatus(till.Status{Snapshot: terminal.Snapshot{Host: h}})
		if n := strings.Count(out.String(), "WARNING "); n != 2 || strings.Contains(out.String(), "first\nwarning") {
			t.Errorf("%d warnings in:\n%s", n, &out)
		}
	}
	if got := link(terminal.LinkHealth{Health: terminal.Health{Name: "acquirer", State: "down", Cause: "refused"}}); got != "NOT OK: acquirer, down: refused" {
		t.Errorf("%q", got)
	}
}
