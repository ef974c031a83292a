package main

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"tillway/money"
	"tillway/terminal"
	"tillway/till"
)

func (a *app) show() *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Show one sale", Args: args("ID"),
		RunE: func(c *cobra.Command, argv []string) error {
			path, err := salePath(argv[0], "")
			if err != nil {
				return err
			}
			cl := a.client()
			defer cl.close()
			var sale terminal.Sale
			if err := cl.get(c.Context(), path, &sale); err != nil {
				return err
			}
			if a.json {
				return a.printJSON(sale)
			}
			a.printSale(sale)
			return a.printOwed(c.Context(), cl, path, sale)
		},
	}
}

func (a *app) printSale(s terminal.Sale) {
	row := func(label, value string) {
		if value != "" {
			a.printf("%-11s %s\n", label, oneLine(value))
		}
	}
	sum := func(m money.Amount) string {
		if m.Currency.Code == "" || m.Minor == 0 {
			return ""
		}
		return m.Format()
	}
	number := func(id terminal.SaleID) string {
		if id == 0 {
			return ""
		}
		return id.String()
	}
	row("Sale", s.ID.String())
	row("Kind", kindWord(s.Kind))
	row("Of", number(s.Of))
	row("State", strings.ToUpper(string(s.State)))
	if s.Kind != terminal.KindBalance {
		row("Amount", s.Amount.Format())
	}
	row("Tip", sum(s.Tip))
	row("Cash back", sum(s.Cashback))
	row("Approved", sum(s.Approved))
	row("Approved by", wayWords(s))
	row("Happened", s.Outcome.Happened)
	row("Do", s.Outcome.Do)
	row("Reference", s.Reference)
	row("Same card", twinWords(s.Twin))
	row("By", s.By)
	row("Started", s.Started.Format(clockLayout))
	row("Card", strings.TrimSpace(s.Label+" "+s.MaskedPAN))
	row("AID", s.AID)
	row("Entry", string(s.Entry))
	row("Verified", string(s.Method))
	row("Response", strings.TrimSpace(s.ResponseCode+" "+s.HostText))
	row("Auth code", s.AuthCode)
	row("RRN", s.RRN)
	row("STAN", six(s.STAN))
	row("Invoice", six(s.Invoice))
	row("Batch", six(s.Batch))
	row("Acquirer", s.Acquirer)
}

// kindWord is a kind as the cashier's commands name it.
func kindWord(k terminal.Kind) string {
	switch k {
	case terminal.KindPreauth:
		return "pre-authorisation"
	case terminal.KindForced:
		return "forced sale"
	case terminal.KindSale, terminal.KindRefund, terminal.KindVoid, terminal.KindIncrement, terminal.KindCompletion, terminal.KindBalance:
	}
	return string(k)
}

// wayWords says by whose word a transaction was approved, where it was not simply the bank's.
func wayWords(s terminal.Sale) string {
	if s.State != terminal.Approved {
		return ""
	}
	switch s.Way {
	case terminal.WayOffline:
		return "card and terminal, offline"
	case terminal.WayDeferred:
		return "nobody yet: the bank is asked when it can be reached"
	case terminal.WayVoice:
		return "the bank, by telephone"
	case terminal.WayOnline:
	}
	return ""
}

func twinWords(id terminal.SaleID) string {
	if id == 0 {
		return ""
	}
	return "paid the same amount a moment before, in sale " + id.String()
}

// printOwed says what became of what a transaction owes the bank since its record was written: the customer may ask days later.
func (a *app) printOwed(ctx context.Context, cl *client, path string, sale terminal.Sale) error {
	if sale.State != terminal.Reversed && sale.State != terminal.Approved {
		return nil
	}
	var w till.Why
	if err := cl.get(ctx, path+"/why", &w); err != nil {
		return err
	}
	for _, l := range w.Since {
		a.printf("%-11s %s %s, %s, %s\n", "Since", kindWord(l.Kind), l.Sale, l.Amount.Format(), l.Time.Format(clockLayout))
	}
	label := "Reversal"
	for _, s := range slices.Backward(w.Steps) {
		if s.Kind == terminal.DebtEntry {
			if word := s.Debt.Words(); word != "" {
				label = strings.ToUpper(word[:1]) + word[1:]
			}
			a.printf("%-11s %s since %s\n", label, oneLine(s.To), s.Time.Format(clockLayout))
			return nil
		}
	}
	owes := slices.ContainsFunc(w.Steps, func(s till.Step) bool {
		return slices.Contains(s.Duties, terminal.OweAdvice) || slices.Contains(s.Duties, terminal.OweDeferred)
	})
	switch {
	case sale.State == terminal.Reversed:
	case owes:
		label = "Advice"
	default:
		return nil
	}
	a.printf("%-11s %s\n", label, "not sent yet: pos queue shows what waits")
	return nil
}
