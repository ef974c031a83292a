package main

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"tillway/money"
	"tillway/terminal"
	"tillway/till"
)

// debtPath checks a debt's number before anything is asked.
func debtPath(id, rest string) (string, error) {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || n < 1 {
		return "", usage("%q is no number of a debt: it is the first one in each line of pos queue", id)
	}
	return fmt.Sprintf("/v1/queue/%d/%s", n, rest), nil
}

// writtenOff says what a debt that is given up leaves for a person to do.
func writtenOff(k terminal.DebtKind) string {
	switch k {
	case terminal.DeferredDebt:
		return "The bank has refused that sale, so it is not paid for: it is not in the totals, and the customer owes it to the shop."
	case terminal.AdviceDebt:
		return "The bank may not have booked that payment: it is not in the totals. Put it right with the bank by hand."
	case terminal.ReversalDebt:
	}
	return "The bank may have booked that sale: put it right with the bank by hand."
}

// printQueue prints what is owed to the bank: what it comes to, and each of it with why it waits.
func (a *app) printQueue(q till.Queue, now time.Time) {
	if len(q.Debts) == 0 {
		a.printf("Nothing waits.\n")
		return
	}
	age := "less than a minute"
	if d := now.Sub(q.Oldest).Truncate(time.Minute); d > 0 {
		age = strings.TrimSuffix(d.String(), "0s")
	}
	a.printf("%d waiting, %d parked%s, the oldest since %s (%s)\n", q.Waiting, q.Parked, ofMoney(q.Sum), q.Oldest.Format(clockLayout), age)
	for _, d := range q.Debts {
		a.printf("%6d  %s of %s %s, %s%s, STAN %06d, since %s, %s, %s\n", d.ID, d.Kind.Words(), cmp.Or(kindWord(d.SaleKind), "transaction"), d.Sale, d.Amount.Format(),
			approvedBy(d.Way), d.STAN, d.Since.Format(clockLayout), d.State, sentTimes(d.Attempts))
		wait := d.Waits
		if d.State == terminal.Owed && d.NotBefore.After(now) {
			wait += " Not before " + d.NotBefore.Format(time.TimeOnly) + "."
		}
		a.printf("        %s\n", oneLine(wait))
	}
}

// ofMoney is ", KWD 12.500 not acknowledged", or nothing where no money waits.
func ofMoney(sum money.Amount) string {
	if sum.Minor == 0 {
		return ""
	}
	return ", " + sum.Format() + " not acknowledged by the bank"
}

func approvedBy(w terminal.Way) string {
	switch w {
	case terminal.WayOffline:
		return " approved offline"
	case terminal.WayDeferred:
		return " approved by nobody yet"
	case terminal.WayVoice:
		return " approved by telephone"
	case terminal.WayOnline:
	}
	return ""
}

func sentTimes(n int) string {
	switch n {
	case 0:
		return "not sent yet"
	case 1:
		return "sent once"
	}
	return fmt.Sprintf("sent %d times", n)
}

// decide brings somebody's decision about a debt to the daemon; with --json it prints what became of the debt.
func (a *app) decide(ctx context.Context, id, what string, body any) (d terminal.Debt, err error) {
	path, err := debtPath(id, what)
	if err != nil {
		return d, err
	}
	cl := a.client()
	defer cl.close()
	if err := cl.post(ctx, path, body, &d); err != nil || !a.json {
		return d, err
	}
	return d, a.printJSON(d)
}

// queueRetry has a parked debt sent again.
func (a *app) queueRetry() *cobra.Command {
	var asked bool
	c := &cobra.Command{
		Use: "retry ID", Short: "Send again what the bank has refused for good",
		Long: `retry sends a parked debt again: one that the bank has refused for good, and that the terminal does not send any more by itself.
It goes out at once, and before any sale; when the bank refuses it again, it is parked again. Find out first why it was
refused: pos queue shows the bank's response code. A payment that was left out of a batch that is closed, and was sent in it, may be
booked there: ask the acquirer first, by STAN and batch (pos why), and say that it does not have it with --asked.`,
		Example: "  pos queue retry 3\n  pos queue retry 3 --asked",
		Args:    args("ID"),
		RunE: func(c *cobra.Command, argv []string) error {
			what := "retry"
			if asked {
				what += "?asked=true"
			}
			d, err := a.decide(c.Context(), argv[0], what, nil)
			if err != nil || a.json {
				return err
			}
			a.printf("Debt %d, the %s of sale %s, goes to the bank again; pos queue list shows what is left.\n", d.ID, d.Kind.Words(), d.Sale)
			return nil
		},
	}
	c.Flags().BoolVar(&asked, "asked", false, "the bank was asked, and does not have the payment: for one that comes from a closed batch")
	return c
}

// queuePark puts aside a debt that waits.
func (a *app) queuePark() *cobra.Command {
	return &cobra.Command{
		Use: "park ID", Short: "Put aside what the bank puts off again and again, so that the rest goes on",
		Long: `park puts aside a debt that waits: the terminal sends it no more, and what is behind it goes on, settlement too. Nothing is
given up: pos queue retry sends it again, pos queue write-off gives it up. While a reversal is parked, the customer may stay charged;
what else is owed of the same sale waits with it.`,
		Example: "  pos queue park 3",
		Args:    args("ID"),
		RunE: func(c *cobra.Command, argv []string) error {
			d, err := a.decide(c.Context(), argv[0], "park", nil)
			if err != nil || a.json {
				return err
			}
			a.printf("Debt %d, the %s of sale %s, is parked: pos queue retry sends it again.\n", d.ID, d.Kind.Words(), d.Sale)
			return nil
		},
	}
}

// queueWriteOff gives a parked debt up.
func (a *app) queueWriteOff() *cobra.Command {
	var note string
	c := &cobra.Command{
		Use: "write-off ID --note TEXT", Short: "Give up what the bank has refused for good; the money is put right by hand",
		Long: `write-off gives a parked debt up: the terminal never sends it again, and deletes the message. It moves no money. A reversal
that is written off was NOT made: where the bank has booked the sale, the customer stays charged until somebody puts it right
with the bank. An advice that is written off, or a request that was kept, leaves a sale that the bank does not pay. Put it right first, and
say how in the note; it stays in the journal with your name.`,
		Example: "  pos queue write-off 3 --note 'refunded by the bank on the phone, their case 8812'",
		Args:    args("ID"),
		RunE: func(c *cobra.Command, argv []string) error {
			if _, err := debtPath(argv[0], ""); err != nil {
				return err
			}
			if n := utf8.RuneCountInString(note); n < 1 || n > terminal.MaxDecisionNote || !utf8.ValidString(note) || strings.ContainsFunc(note, unicode.IsControl) {
				return usage("--note says in one line of 1 to %d characters how the money is put right: it stays in the journal", terminal.MaxDecisionNote)
			}
			d, err := a.decide(c.Context(), argv[0], "write-off", till.WriteOff{Note: note})
			if err != nil || a.json {
				return err
			}
			a.printf("Debt %d, the %s of sale %s, is written off: the terminal never sends it again.\n", d.ID, d.Kind.Words(), d.Sale)
			a.printf("No money was moved. %s\n", writtenOff(d.Kind))
			return nil
		},
	}
	c.Flags().StringVar(&note, "note", "", "how the money is put right, for the journal; 1 to 200 characters, no card number")
	return c
}
