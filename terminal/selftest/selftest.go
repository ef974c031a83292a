// Package selftest holds the words of the terminal's test of itself: findings, and the table of every fault that it can name. It does no
// input or output; whoever looks at a thing (posd, a driver, pos) says what was found in these words.
package selftest

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Status is how a thing was found.
type Status string

// The statuses. A thing that could not be looked at is never OK.
const (
	OK         Status = "ok"
	Warning    Status = "warning"     // payments go on, and somebody should look
	Fault      Status = "fault"       // payments are refused, or money is at risk
	NotChecked Status = "not checked" // Cause says why
)

// Finding is what was found of one thing.
type Finding struct {
	Check   string `json:"check"`             // what was looked at, a Check
	Subject string `json:"subject,omitempty"` // which one of them: an address, a file, a key's use
	Status  Status `json:"status"`
	Fault   string `json:"fault,omitempty"` // a Row's ID, stable; empty when OK and NotChecked
	Cause   string `json:"cause,omitempty"` // what is wrong, one sentence; of one that is OK, what was seen
	Fix     string `json:"fix,omitempty"`   // what to do, one sentence
}

// Report is one whole test.
type Report struct {
	Time     time.Time `json:"time"`             // of the terminal's clock, when it began
	TookMs   int64     `json:"took_ms"`          // milliseconds
	Version  string    `json:"version"`          // of the program that looked
	Daemon   bool      `json:"daemon"`           // posd runs and answered; else its checks were done from outside
	Findings []Finding `json:"findings"`         // in the order of the checks
	Faults   int       `json:"faults"`           // of Findings
	Warnings int       `json:"warnings"`         //
	Missed   int       `json:"missed,omitempty"` // of Findings, not checked
}

// Good is a finding without a fault; seen is what was seen, or empty.
func Good(check, subject, seen string) Finding {
	return Finding{Check: check, Subject: subject, Status: OK, Cause: seen}
}

// Missed is a finding of a thing that could not be looked at, and why.
func Missed(check, subject, why string) Finding {
	return Finding{Check: check, Subject: subject, Status: NotChecked, Cause: why}
}

// Bad is a finding of a fault in the table, with its status and its remedy. cause is one sentence that names what is wrong here; an
// unknown id is a defect of the caller and panics.
func Bad(id, subject, cause string) Finding {
	r, ok := Find(id)
	if !ok {
		panic(fmt.Sprintf("selftest: %q is no fault of the table", id))
	}
	return Finding{Check: r.Check, Subject: subject, Status: r.Status, Fault: r.ID, Cause: cause, Fix: r.Fix}
}

// Do is the finding with another remedy, where one can be named more exactly than in the table.
func (f Finding) Do(fix string) Finding {
	f.Fix = fix
	return f
}

// NewReport counts and orders findings: in the order of the checks, as they came within one.
func NewReport(began time.Time, took time.Duration, version string, daemon bool, all []Finding) Report {
	r := Report{Time: began, TookMs: took.Milliseconds(), Version: version, Daemon: daemon, Findings: append([]Finding{}, all...)}
	order := Checks()
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Compare(slices.Index(order, a.Check), slices.Index(order, b.Check))
	})
	for _, f := range all {
		switch f.Status {
		case Fault:
			r.Faults++
		case Warning:
			r.Warnings++
		case NotChecked:
			r.Missed++
		case OK:
		}
	}
	return r
}
