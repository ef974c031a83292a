package main

import (
	"fmt"
	"strings"
	"time"

	"tillway/terminal"
	"tillway/till"
)

// printWhy tells a transaction from the order to the settlement: first how it stands and what to do, then who and how much, then card
// and bank, then every step.
func (a *app) printWhy(w till.Why) {
	word := kindWord(w.Kind)
	if word == "" {
		word = "sale" // a daemon of an earlier release
	}
	a.printf("%s %s is %s\n", strings.ToUpper(word[:1])+word[1:], w.Sale, strings.ToUpper(string(w.State)))
	if text := strings.TrimSpace(w.Outcome.Happened + " " + w.Outcome.Do); text != "" {
		a.printf("%s\n", oneLine(text))
	}
	a.printStory(w)
	a.printOrder(w)
	a.printBank(w)
	a.printRelations(w)
	if len(w.Steps) > 0 {
		a.printf("\nSteps\n")
	}
	for _, s := range w.Steps {
		a.printf("  %s  %s\n", s.Time.Format("15:04:05.000"), step(about(s.Kind, w.Kind, s.Debt), s.From, s.Event, s.To, s.Duties, s.Note))
	}
	if w.AID == "" && len(w.Reasons) == 0 {
		return
	}
	a.printf("\n")
	a.printExplained(explained{w.AID, w.Label, w.ODA, w.Method, w.Tags, w.Reasons})
}

// whyRow prints a line of a part, where there is something to say.
func (a *app) whyRow(label, text string) {
	if text = oneLine(strings.TrimSpace(text)); text != "" {
		a.printf("%-12s %s\n", label, text)
	}
}

func (a *app) printStory(w till.Why) {
	s := w.Story
	if s.Standing == "" { // a daemon of an earlier release
		return
	}
	a.printf("\n")
	a.whyRow("Stands", string(s.Standing)+": "+s.Now)
	a.whyRow("Next", s.Next)
	a.whyRow("To do", s.Do)
	a.whyRow("Customer", s.Tell)
}

// printOrder is who asked for what, when, and with which card.
func (a *app) printOrder(w till.Why) {
	if w.Started.IsZero() {
		return
	}
	a.printf("\n")
	money := w.Amount.Format()
	if w.Kind == terminal.KindBalance {
		money = ""
	}
	if w.Tip.Minor != 0 {
		money += ", of it tip " + w.Tip.Format()
	}
	if w.Cashback.Minor != 0 {
		money += ", of it cash " + w.Cashback.Format()
	}
	if w.Approved.Minor != 0 {
		money += ", approved " + w.Approved.Format()
	}
	a.whyRow("Amount", money)
	asked := w.Started.Format(clockLayout)
	if w.By != "" {
		asked += " by " + w.By
	}
	a.whyRow("Asked", asked)
	if !w.Ended.IsZero() {
		a.whyRow("Ended", w.Ended.Format(clockLayout)+", after "+w.Ended.Sub(w.Started).Round(time.Millisecond).String())
	}
	if w.Card != "" {
		a.whyRow("Card", strings.TrimSpace(w.Label+" "+w.Card)+", "+string(w.Entry))
	}
}

// printBank is what the bank was asked, what it said, and what of it is still owed.
func (a *app) printBank(w till.Why) {
	if w.ResponseCode != "" || w.STAN != 0 || len(w.Messages) > 0 || len(w.Debts) > 0 {
		a.printf("\n")
	}
	switch code := oneLine(strings.TrimSpace(w.ResponseCode + " " + w.HostText)); {
	case code == "":
	case code[0] == 'Y' || code[0] == 'Z': // the terminal's own words to the card (Book 4, A6)
		a.printf("The host was not asked, or did not answer: the card was told %s\n", code)
	default:
		a.printf("The host answered %s\n", code)
	}
	a.whyRow("Meaning", w.Meaning)
	var numbers []string
	for _, n := range []struct {
		name  string
		value string
	}{{"STAN", six(w.STAN)}, {"invoice", six(w.Invoice)}, {"RRN", w.RRN}, {"approval", w.AuthCode}} {
		if n.value != "" {
			numbers = append(numbers, n.name+" "+n.value)
		}
	}
	a.whyRow("Numbers", strings.Join(numbers, ", "))
	if w.Host != "" || !w.HostTime.IsZero() {
		text := w.Host
		if !w.HostTime.IsZero() {
			text += ", its time " + w.HostTime.Format(clockLayout)
		}
		a.whyRow("Host", strings.TrimPrefix(text, ", "))
	}
	for _, m := range w.Messages {
		text := fmt.Sprintf("%s  from %-8s %s, STAN %06d, %d bytes", m.Time.Format("15:04:05.000"), m.From, m.MTI, m.STAN, m.Bytes)
		if m.Code != "" {
			text += ", answers " + m.Code
		}
		a.whyRow("Message", text)
	}
	for _, d := range w.Debts {
		text := d.Kind.Words() + " " + strings.ToLower(string(d.State))
		if d.ID != 0 {
			text += fmt.Sprintf(" (debt %d)", d.ID)
		}
		if d.Attempts > 0 {
			text += fmt.Sprintf(", sent %s", times(d.Attempts))
		}
		if d.Reason != "" && !d.State.Final() {
			text += ": " + d.Reason
		}
		a.whyRow("Owed", text)
	}
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

func six(n uint32) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%06d", n)
}

// printRelations is what it is about, what is about it, its batch and its papers.
func (a *app) printRelations(w till.Why) {
	if w.Of != 0 {
		a.whyRow("About", "transaction "+w.Of.String())
	}
	if w.Twin != 0 {
		a.whyRow("Same card", "it had paid the same amount a moment before, in sale "+w.Twin.String())
	}
	for _, s := range w.Since {
		a.whyRow("Since", fmt.Sprintf("%s %s, %s, %s", kindWord(s.Kind), s.Sale, s.Amount.Format(), s.Time.Format(clockLayout)))
	}
	if b := w.Batch; b != nil {
		text := fmt.Sprintf("%06d, %s", b.Number, strings.ToLower(string(b.State)))
		if !b.Closed.IsZero() {
			text += " " + b.Closed.Format(clockLayout)
			if !b.Balanced {
				text += ", the bank has other totals"
			}
		}
		if b.LeftOut != 0 {
			text += fmt.Sprintf("; it was made in batch %06d, which was settled without it", b.LeftOut)
		}
		a.whyRow("Batch", text)
	}
	if len(w.Receipts) > 0 {
		var copies []string
		for _, c := range w.Receipts {
			copies = append(copies, string(c))
		}
		a.whyRow("Receipts", strings.Join(copies, " and ")+" copy: pos receipt "+w.Sale.String())
	}
}
