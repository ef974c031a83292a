package terminal

import (
	"slices"
	"strings"
	"time"
)

// Proof sets what three know of a batch beside each other: the journal, counted anew; the totals that were fixed and sent; and the host.
type Proof struct {
	Batch    Batch        `json:"batch"`
	Lines    []ProofLine  `json:"lines"`              // a line for each scheme
	Total    ProofLine    `json:"total"`              // and all of them
	Before   *TotalsLine  `json:"before,omitempty"`   // what the host had before an upload put it right
	Findings []Difference `json:"findings,omitempty"` // payments that differ
	LeftOut  []Difference `json:"left_out,omitempty"` // approved here, and not in the totals: the host does not have them
	Result   ProofResult  `json:"result"`
}

// ProofLine is one line of a proof, three times.
type ProofLine struct {
	Scheme  string      `json:"scheme,omitempty"`
	Journal TotalsLine  `json:"journal"`
	Batch   TotalsLine  `json:"batch"`
	Host    *TotalsLine `json:"host,omitempty"` // nil: the host does not say
	Same    bool        `json:"same"`           // of those that are there
}

// ProofResult is what a settlement came to.
type ProofResult string

// The results.
const (
	ProofBalanced ProofResult = "balanced" // closed, and the host has the same
	ProofDiffers  ProofResult = "differs"  // closed, and the host has something else
	ProofDisputed ProofResult = "disputed" // not closed: a person has to decide
	ProofPending  ProofResult = "pending"  // on its way
	ProofOpen     ProofResult = "open"     // not wanted yet
)

// Prove makes the proof of a batch from its record and its transactions.
func Prove(b Batch, items []Item) Proof {
	p := Proof{Batch: b, Findings: slices.Clone(b.Findings), LeftOut: append(slices.Clone(b.LeftOut), LeftOut(items)...), Result: resultOf(b)}
	b.sentAgain(p.Findings)
	journal, batch, host := TotalsOf(Counted(items)), b.Totals, b.Host
	if b.Fixed.IsZero() {
		batch = journal
	}
	total := hostTotal(host)
	if b.Balanced {
		if total != nil && !total.Same(SumLines(batch)) {
			p.Before = total
		}
		all := SumLines(batch)
		host, total = nil, &all
	}
	for _, scheme := range schemesOf(journal, batch) {
		p.Lines = append(p.Lines, proofLine(scheme, of(journal, scheme), of(batch, scheme), hostLine(host, scheme)))
	}
	p.Total = proofLine("", SumLines(journal), SumLines(batch), total)
	return p
}

// sentAgain says of each payment that the host did not have, and that the upload has shown it since, that it was sent again. One that the
// host refused in the upload says that in a finding of its own.
func (b Batch) sentAgain(found []Difference) {
	for i := range found {
		d := &found[i]
		refused := slices.ContainsFunc(b.Findings, func(o Difference) bool { return o.Sale == d.Sale && !strings.HasPrefix(o.Why, notHad) })
		if strings.HasPrefix(d.Why, notHad) && !refused && b.shown(d.Sale) {
			d.Why += "; it was sent again"
		}
	}
}

// shown says that the upload has taken a sale to the host: it goes in the order of what the totals counted.
func (b Batch) shown(id SaleID) bool {
	before := 0
	for _, r := range b.Counted {
		if id >= r[0] && id <= r[1] {
			return before+int(id-r[0]) < b.Uploaded //nolint:gosec // a batch has at most 999 payments
		}
		before += int(r[1]-r[0]) + 1 //nolint:gosec // as above
	}
	return false
}

func resultOf(b Batch) ProofResult {
	switch b.State {
	case BatchOpen:
		return ProofOpen
	case BatchDisputed:
		return ProofDisputed
	case BatchClosed:
		if b.Balanced {
			return ProofBalanced
		}
		return ProofDiffers
	case BatchDraining, BatchTotalling, BatchUploading, BatchClosing:
	}
	return ProofPending
}

func proofLine(scheme string, journal, batch TotalsLine, host *TotalsLine) ProofLine {
	return ProofLine{Scheme: scheme, Journal: journal, Batch: batch, Host: host, Same: journal.Same(batch) && (host == nil || host.Same(batch))}
}

func hostTotal(lines []TotalsLine) *TotalsLine {
	if len(lines) == 0 {
		return nil
	}
	all := SumLines(lines)
	return &all
}

// hostLine is the host's line of a scheme, where it tells schemes apart.
func hostLine(lines []TotalsLine, scheme string) *TotalsLine {
	if !slices.ContainsFunc(lines, func(l TotalsLine) bool { return l.Scheme != "" }) {
		return nil
	}
	l := of(lines, scheme)
	return &l
}

func of(lines []TotalsLine, scheme string) TotalsLine {
	all := SumLines(slices.DeleteFunc(slices.Clone(lines), func(l TotalsLine) bool { return l.Scheme != scheme }))
	all.Scheme = scheme
	return all
}

func schemesOf(lists ...[]TotalsLine) []string {
	var all []string
	for _, l := range slices.Concat(lists...) {
		if !slices.Contains(all, l.Scheme) {
			all = append(all, l.Scheme)
		}
	}
	slices.Sort(all)
	return all
}

// LeftOut are the approved payments of a batch that its totals do not count because the host does not have them.
func LeftOut(items []Item) []Difference {
	var all []Difference
	for _, i := range items {
		if why := i.Missing(); why != "" && i.Sale.State == Approved && i.Sale.Kind.Captured() && i.Void == 0 {
			all = append(all, Difference{Sale: i.Sale.ID, STAN: i.Sale.STAN, Amount: i.Sale.Taken(), Why: why})
		}
	}
	return all
}

// Report is what a batch holds: an X report while it is open, a Z report once its totals were fixed.
type Report struct {
	Type  string    `json:"type"` // "X" or "Z"
	At    time.Time `json:"at"`
	Proof Proof     `json:"proof"`
	Tally Tally     `json:"tally"`
}

// Tally counts what is no part of the totals.
type Tally struct {
	Voids     int   `json:"voids"` // payments that were taken back
	VoidsSum  int64 `json:"voids_sum"`
	Held      int   `json:"held"` // pre-authorisations and their increments that no completion of the batch has ended
	HeldSum   int64 `json:"held_sum"`
	Declined  int   `json:"declined"`
	Cancelled int   `json:"cancelled"`
	Reversed  int   `json:"reversed"`
}

// MakeReport makes the report of a batch, at an instant.
func MakeReport(b Batch, items []Item, at time.Time) Report {
	r := Report{Type: "X", At: at, Proof: Prove(b, items)}
	if !b.Fixed.IsZero() {
		r.Type = "Z"
	}
	taken := map[SaleID]bool{}
	for _, i := range items {
		if s := i.Sale; s.State == Approved && s.Kind == KindCompletion && i.Void == 0 {
			taken[s.Of] = true
		}
	}
	for _, i := range items {
		switch s := i.Sale; {
		case s.State == Declined:
			r.Tally.Declined++
		case s.State == Cancelled:
			r.Tally.Cancelled++
		case s.State == Reversed:
			r.Tally.Reversed++
		case s.State != Approved:
		case i.Void != 0:
			r.Tally.Voids++
			r.Tally.VoidsSum += s.Taken().Minor
		case s.Kind == KindPreauth && !taken[s.ID], s.Kind == KindIncrement && !taken[s.Of]:
			r.Tally.Held++
			r.Tally.HeldSum += s.Taken().Minor
		}
	}
	return r
}
