package receipt

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"tillway/money"
	"tillway/terminal"
)

// BatchSlip is the paper about a batch: its X or Z report, or the proof of its settlement. It is drawn from the journal.
type BatchSlip struct {
	Merchant   Header    `json:"merchant"`
	MerchantID string    `json:"mid"`
	TerminalID string    `json:"tid"`
	Time       time.Time `json:"time"`

	Report  terminal.Report `json:"report"`
	Verdict string          `json:"verdict"` // "CLOSED IN BALANCE", "NOT IN BALANCE", …

	settled bool // the proof of a settlement, and no report
	zone    *time.Location
}

// DrawReport makes the X or Z report; times are printed in the header's zone.
func DrawReport(r terminal.Report, header Header, merchantID, terminalID string) BatchSlip {
	at := r.At
	if header.Zone != nil {
		at = at.In(header.Zone)
	}
	return BatchSlip{
		Merchant: clean(header), MerchantID: line(merchantID), TerminalID: line(terminalID), Time: at, Report: r,
		Verdict: batchVerdict(r.Proof), zone: header.Zone,
	}
}

// DrawProof makes the paper that a settlement ends with: journal, batch and bank, line by line, and what differs.
func DrawProof(r terminal.Report, header Header, merchantID, terminalID string) BatchSlip {
	s := DrawReport(r, header, merchantID, terminalID)
	s.settled = true
	return s
}

func batchVerdict(p terminal.Proof) string {
	switch p.Result {
	case terminal.ProofBalanced:
		return "CLOSED IN BALANCE"
	case terminal.ProofDiffers:
		if p.Batch.Note != "" {
			return "CLOSED BY HAND"
		}
		return "CLOSED, NOT IN BALANCE"
	case terminal.ProofDisputed:
		return "NOT CLOSED: THE BANK DIFFERS"
	case terminal.ProofPending:
		return "NOT CLOSED YET"
	case terminal.ProofOpen:
	}
	return "NOT SETTLED"
}

// Text lays the slip out as Receipt.Text does.
func (s BatchSlip) Text(width int) string { return text(s.page(), width) }

// HTML lays the slip out as Receipt.HTML does.
func (s BatchSlip) HTML() string { return document(s.title(), s.page()) }

func (s BatchSlip) title() string {
	if s.settled {
		return "SETTLEMENT"
	}
	return s.Report.Type + " REPORT"
}

func (s BatchSlip) page() []block {
	p := []block{{kind: big, text: s.Merchant.Name}}
	for _, l := range s.Merchant.Location {
		p = append(p, block{kind: centre, text: l})
	}
	b := s.Report.Proof.Batch
	p = append(
		p,
		block{pair, "MERCHANT", s.MerchantID}, block{pair, "TERMINAL", s.TerminalID}, block{kind: rule},
		block{kind: big, text: s.title()},
		block{pair, "BATCH", fmt.Sprintf("%06d", b.Number)},
	)
	for _, t := range []struct {
		label string
		at    time.Time
	}{{"OPENED", b.Opened}, {"TOTALS FIXED", b.Fixed}, {"CLOSED", b.Closed}, {"PRINTED", s.Time}} {
		if !t.at.IsZero() {
			p = append(p, block{pair, t.label, s.clock(t.at)})
		}
	}
	if b.By != "" {
		p = append(p, block{pair, "SETTLED BY", line(b.By)})
	}
	p = append(p, block{kind: rule})
	if s.settled {
		p = append(p, s.proof()...)
	} else {
		p = append(p, s.totals()...)
	}
	p = append(p, s.differences()...)
	if s.settled || s.Report.Type == "Z" {
		if p[len(p)-1].kind == rule {
			p = p[:len(p)-1]
		}
		p = append(p, block{kind: bar}, block{kind: big, text: s.Verdict}, block{kind: bar})
		if b.Code != "" {
			p = append(p, block{pair, "RESPONSE", line(b.Code)})
		}
		if why := line(b.Reason); why != "" && s.Report.Proof.Result != terminal.ProofBalanced {
			p = append(p, block{kind: words, text: sentence(why)})
		}
		if b.Note != "" {
			p = append(p, block{kind: words, text: "Note: " + sentence(b.Note)})
		}
		return p
	}
	return append(p, block{kind: big, text: "NOTHING IS RESET"}, block{kind: centre, text: "The batch stays open: pos settle closes it"})
}

func (s BatchSlip) clock(t time.Time) string {
	if s.zone != nil {
		t = t.In(s.zone)
	}
	return t.Format("2006-01-02 15:04")
}

func (s BatchSlip) amount(minor int64) string {
	return money.New(minor, s.Report.Proof.Batch.Currency).Format()
}

func counted(n int, what string) string {
	if n != 1 {
		what += "S"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// totals are a report's lines: a block for each scheme, then all of them.
func (s BatchSlip) totals() []block {
	var p []block
	for _, l := range s.Report.Proof.Lines {
		p = append(p, block{kind: centre, text: scheme(l.Scheme)})
		p = append(p, s.line(l.Journal)...)
		p = append(p, block{kind: rule})
	}
	p = append(p, block{kind: big, text: "ALL CARDS"})
	p = append(p, s.line(s.Report.Proof.Total.Journal)...)
	p = append(p, block{pair, "NET", s.amount(s.Report.Proof.Total.Journal.Net())}, block{kind: rule})
	t, before := s.Report.Tally, len(p)
	if t.Voids > 0 {
		p = append(p, block{pair, counted(t.Voids, "VOID"), s.amount(t.VoidsSum)})
	}
	if t.Held > 0 {
		p = append(p, block{pair, fmt.Sprintf("%d HELD, NOT TAKEN", t.Held), s.amount(t.HeldSum)})
	}
	if t.Declined > 0 {
		p = append(p, block{pair, "DECLINED", fmt.Sprint(t.Declined)})
	}
	if t.Cancelled > 0 {
		p = append(p, block{pair, "CANCELLED", fmt.Sprint(t.Cancelled)})
	}
	if t.Reversed > 0 {
		p = append(p, block{pair, "REVERSED", fmt.Sprint(t.Reversed)})
	}
	if len(p) > before {
		p = append(p, block{kind: rule})
	}
	return p
}

func (s BatchSlip) line(l terminal.TotalsLine) []block {
	p := []block{{pair, counted(l.Sales, "SALE"), s.amount(l.SalesSum)}}
	if l.Tips > 0 {
		p = append(p, block{pair, "  TIPS IN THEM", s.amount(l.Tips)})
	}
	if l.Cashback > 0 {
		p = append(p, block{pair, "  CASH BACK IN THEM", s.amount(l.Cashback)})
	}
	if l.Refunds > 0 {
		p = append(p, block{pair, counted(l.Refunds, "REFUND"), s.amount(l.RefundsSum)})
	}
	return p
}

// sentence is a finding as a line of its own.
func sentence(text string) string {
	r := []rune(line(text))
	if len(r) == 0 {
		return ""
	}
	r[0] = unicode.ToUpper(r[0])
	if last := r[len(r)-1]; !unicode.IsPunct(last) {
		r = append(r, '.')
	}
	return string(r)
}

func scheme(name string) string {
	if name == "" {
		return "OTHER CARDS"
	}
	return strings.ToUpper(line(name))
}

// proof is every line three times: as the journal has it, as it was sent, and as the bank says.
func (s BatchSlip) proof() []block {
	var p []block
	for _, l := range s.Report.Proof.Lines {
		p = append(p, block{kind: centre, text: scheme(l.Scheme)})
		p = append(p, s.three(l, false)...)
		p = append(p, block{kind: rule})
	}
	p = append(p, block{kind: big, text: "ALL CARDS"})
	p = append(p, s.three(s.Report.Proof.Total, true)...)
	if before := s.Report.Proof.Before; before != nil {
		p = append(p, block{kind: words, text: "Before the upload the bank had:"})
		p = append(p, s.who("BANK", *before, before.Refunds+s.Report.Proof.Total.Batch.Refunds > 0)...)
	}
	return append(p, block{kind: rule})
}

func (s BatchSlip) three(l terminal.ProofLine, all bool) []block {
	refunds := l.Journal.Refunds+l.Batch.Refunds > 0 || l.Host != nil && l.Host.Refunds > 0
	p := append(s.who("JOURNAL", l.Journal, refunds), s.who("BATCH", l.Batch, refunds)...)
	switch {
	case l.Host != nil:
		p = append(p, s.who("BANK", *l.Host, refunds)...)
	case all && s.Report.Proof.Batch.Code == "":
		p = append(p, block{pair, "BANK", "HAS NOT ANSWERED"})
	case all:
		p = append(p, block{pair, "BANK", "SAYS NO TOTALS"})
	}
	if !l.Same {
		p = append(p, block{kind: centre, text: "*** NOT THE SAME ***"})
	}
	return p
}

func (s BatchSlip) who(who string, l terminal.TotalsLine, refunds bool) []block {
	p := []block{{pair, fmt.Sprintf("%-8s%s", who, counted(l.Sales, "SALE")), s.amount(l.SalesSum)}}
	if refunds {
		p = append(p, block{pair, fmt.Sprintf("%-8s%s", "", counted(l.Refunds, "REFUND")), s.amount(-l.RefundsSum)})
	}
	return p
}

// differences name the payments that differ, and those that the bank does not have yet.
func (s BatchSlip) differences() []block {
	var p []block
	list := func(head string, all []terminal.Difference) {
		if len(all) == 0 {
			return
		}
		p = append(p, block{kind: big, text: head})
		for _, d := range all {
			label, amount := "AT THE BANK", ""
			if d.Sale != 0 {
				label = "SALE " + d.Sale.String()
			}
			if d.Amount.Currency.Code != "" {
				amount = d.Amount.Format()
			}
			p = append(p, block{pair, label, amount}, block{kind: words, text: sentence(d.Why)})
		}
		p = append(p, block{kind: rule})
	}
	proof := s.Report.Proof
	if proof.Result == terminal.ProofBalanced && proof.Batch.Uploaded > 0 {
		list("WHAT DIFFERED", proof.Findings)
		why := "The bank had other totals. It was sent the batch, payment by payment, and has the same now."
		p = append(p, block{kind: words, text: why}, block{kind: rule})
	} else {
		list("WHAT DIFFERS", proof.Findings)
	}
	head := "NOT AT THE BANK"
	if s.Report.Type == "X" {
		head = "NOT AT THE BANK YET"
	}
	list(head, s.Report.Proof.LeftOut)
	return p
}
