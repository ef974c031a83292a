package receipt

import (
	"fmt"
	"strconv"
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

func (s BatchSlip) title() string {
	if s.settled {
		return "SETTLEMENT"
	}
	return s.Report.Type + " REPORT"
}

func (s BatchSlip) page() []block {
	b := s.Report.Proof.Batch
	p := append(head(s.Merchant, s.MerchantID, s.TerminalID), block{kind: big, text: s.title()}, of("BATCH", fmt.Sprintf("%06d", b.Number)))
	if b.Training {
		p = append(p, block{kind: big, text: trainingMark})
	}
	for _, t := range []struct {
		label string
		at    time.Time
	}{{"OPENED", b.Opened}, {"TOTALS FIXED", b.Fixed}, {"CLOSED", b.Closed}, {"PRINTED", s.Time}} {
		if !t.at.IsZero() {
			p = append(p, of(t.label, s.clock(t.at)))
		}
	}
	if b.By != "" {
		by := of("SETTLED BY", line(b.By))
		if by.textArabic = inArabic(by.text, s.Merchant.Digits); by.textArabic == "" {
			by.textArabic = findingArabic(by.text, s.Merchant.Digits, 0)
		}
		p = append(p, by)
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
			p = append(p, of("RESPONSE", line(b.Code)))
		}
		if why := line(b.Reason); why != "" && s.Report.Proof.Result != terminal.ProofBalanced {
			p = append(p, s.told(why))
		}
		if b.Note != "" {
			note := sentence(b.Note)
			p = append(p, block{kind: words, text: "Note: " + note, textArabic: "ملاحظة: \u2068" + note + "\u2069", raw: true})
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

func (s BatchSlip) amount(label string, minor int64) block {
	return sum(label, money.New(minor, s.Report.Proof.Batch.Currency), s.Merchant.Digits)
}

// noun is what a report counts.
type noun struct{ one, many, arabic string }

var (
	salesNoun   = noun{"SALE", "SALES", "المشتريات"}
	refundsNoun = noun{"REFUND", "REFUNDS", "الاستردادات"}
	voidsNoun   = noun{"VOID", "VOIDS", "الإلغاءات"}
	heldNoun    = noun{"HELD, NOT TAKEN", "HELD, NOT TAKEN", "محجوز لم يُسحب"}
)

// counted is a pair that counts something and says what it comes to.
func (s BatchSlip) counted(n int, what noun, minor int64) block {
	word := what.many
	if n == 1 {
		word = what.one
	}
	b := s.amount(fmt.Sprintf("%d %s", n, word), minor)
	b.labelArabic = what.arabic + ": " + s.number(n)
	return b
}

func (s BatchSlip) number(n int) string { return s.Merchant.Digits.Number(strconv.Itoa(n)) }

// totals are a report's lines: a block for each scheme, then all of them.
func (s BatchSlip) totals() []block {
	var p []block
	for _, l := range s.Report.Proof.Lines {
		p = append(p, scheme(l.Scheme))
		p = append(p, s.line(l.Journal)...)
		p = append(p, block{kind: rule})
	}
	p = append(p, block{kind: big, text: "ALL CARDS"})
	p = append(p, s.line(s.Report.Proof.Total.Journal)...)
	net := s.amount("NET", s.Report.Proof.Total.Journal.Net())
	net.strong = true
	p = append(p, net, block{kind: rule})
	t, before := s.Report.Tally, len(p)
	if t.Voids > 0 {
		p = append(p, s.counted(t.Voids, voidsNoun, t.VoidsSum))
	}
	if t.Held > 0 {
		p = append(p, s.counted(t.Held, heldNoun, t.HeldSum))
	}
	for _, c := range []struct {
		label string
		n     int
	}{{"DECLINED", t.Declined}, {"CANCELLED", t.Cancelled}, {"REVERSED", t.Reversed}} {
		if c.n > 0 {
			p = append(p, block{kind: pair, label: c.label, text: strconv.Itoa(c.n), textArabic: s.number(c.n)})
		}
	}
	if len(p) > before {
		p = append(p, block{kind: rule})
	}
	return p
}

func (s BatchSlip) line(l terminal.TotalsLine) []block {
	p := []block{s.counted(l.Sales, salesNoun, l.SalesSum)}
	if l.Tips > 0 {
		p = append(p, s.amount("  TIPS IN THEM", l.Tips))
	}
	if l.Cashback > 0 {
		p = append(p, s.amount("  CASH BACK IN THEM", l.Cashback))
	}
	if l.Refunds > 0 {
		p = append(p, s.counted(l.Refunds, refundsNoun, l.RefundsSum))
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

func scheme(name string) block {
	if name == "" {
		return block{kind: centre, text: "OTHER CARDS"}
	}
	return block{kind: centre, text: strings.ToUpper(line(name)), raw: true}
}

// proof is every line three times: as the journal has it, as it was sent, and as the bank says.
func (s BatchSlip) proof() []block {
	var p []block
	for _, l := range s.Report.Proof.Lines {
		p = append(p, scheme(l.Scheme))
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
		p = append(p, block{kind: pair, label: "BANK", text: "HAS NOT ANSWERED", textArabic: "لم يُجب"})
	case all:
		p = append(p, block{kind: pair, label: "BANK", text: "SAYS NO TOTALS", textArabic: "لا يذكر مجاميع"})
	}
	if !l.Same {
		p = append(p, block{kind: centre, text: "*** NOT THE SAME ***"})
	}
	return p
}

func (s BatchSlip) who(who string, l terminal.TotalsLine, refunds bool) []block {
	arabic := map[string]string{"JOURNAL": "السجل", "BATCH": "الدفعة", "BANK": "البنك"}[who]
	row := func(who string, b block) block {
		b.label, b.labelArabic = fmt.Sprintf("%-8s%s", who, b.label), arabic+" – "+b.labelArabic
		return b
	}
	p := []block{row(who, s.counted(l.Sales, salesNoun, l.SalesSum))}
	if refunds {
		p = append(p, row("", s.counted(l.Refunds, refundsNoun, -l.RefundsSum)))
	}
	return p
}

// differences name the payments that differ, and those that the bank does not have yet.
func (s BatchSlip) differences() []block {
	var p []block
	list := func(title string, all []terminal.Difference) {
		if len(all) == 0 {
			return
		}
		p = append(p, block{kind: big, text: title})
		for _, d := range all {
			b := of("AT THE BANK", "")
			if d.Amount.Currency.Code != "" {
				b = sum(b.label, d.Amount, s.Merchant.Digits)
			}
			if d.Sale != 0 {
				b.label = "SALE " + d.Sale.String()
			}
			p = append(p, b, s.told(line(d.Why)))
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
	missing := "NOT AT THE BANK"
	if s.Report.Type == "X" {
		missing = "NOT AT THE BANK YET"
	}
	list(missing, s.Report.Proof.LeftOut)
	return p
}
