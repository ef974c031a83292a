package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tillway/terminal"
	"tillway/terminal/receipt"
	"tillway/till"
)

const clockLayout = "2006-01-02 15:04:05"

func (a *app) cancel() *cobra.Command {
	return &cobra.Command{
		Use: "cancel", Short: "Cancel the sale that is running, while nothing was sent", Args: args(),
		RunE: func(c *cobra.Command, _ []string) error {
			cl := a.client()
			defer cl.close()
			var snap terminal.Snapshot
			if err := cl.post(c.Context(), "/v1/cancel", nil, &snap); err != nil {
				return err
			}
			if a.json {
				return a.printJSON(snap)
			}
			a.printf("Cancel asked for; the outcome is the sale's: pos show %s\n", snap.Sale)
			return nil
		},
	}
}

// salePath checks a sale's number before anything is asked.
func salePath(id, rest string) (string, error) {
	n, err := terminal.ParseSaleID(id)
	if err != nil {
		return "", usage("%w", err)
	}
	return "/v1/sales/" + n.String() + rest, nil
}

func (a *app) receipt() *cobra.Command {
	var copied string
	var drawn papers
	var original bool
	c := &cobra.Command{
		Use: "receipt ID", Short: "Print a sale's receipt again", Args: args("ID"),
		Long: `receipt prints a sale's receipt again; it says DUPLICATE. The first print comes with pos sale itself; who sells with pos sale
--json draws it here, with --original: of the sale that waits for its signature, or of the one that ended last.`,
		Example: "  pos receipt 1042\n  pos receipt 1042 --copy merchant --original\n  pos receipt 1042 --format png --lang ar --out receipt.png",
		RunE: func(c *cobra.Command, argv []string) error {
			path, err := salePath(argv[0], "/receipt")
			if err != nil {
				return err
			}
			if err := drawn.check(a, c); err != nil {
				return err
			}
			if _, err := receipt.ParseCopy(copied); err != nil {
				return usage("%w", err)
			}
			q := url.Values{"copy": {copied}}
			if original {
				q.Set("original", "true")
			}
			cl := a.client()
			defer cl.close()
			return a.drawPaper(c.Context(), cl, path, q, &drawn)
		},
	}
	c.Flags().BoolVar(&original, "original", false, "the first print, without DUPLICATE; of an older sale it is one all the same")
	c.Flags().StringVar(&copied, "copy", "customer", "customer or merchant")
	drawn.flags(c)
	return c
}

func (a *app) why() *cobra.Command {
	return &cobra.Command{
		Use: "why ID", Short: "Explain a sale's outcome: its steps, and why card and terminal decided so", Args: args("ID"),
		RunE: func(c *cobra.Command, argv []string) error {
			path, err := salePath(argv[0], "/why")
			if err != nil {
				return err
			}
			cl := a.client()
			defer cl.close()
			var w till.Why
			if err := cl.get(c.Context(), path, &w); err != nil {
				return err
			}
			if a.json {
				return a.printJSON(w)
			}
			a.printWhy(w)
			return nil
		},
	}
}

// about is what a row of the journal is about: the kind of transaction, or of debt, where it is known.
func about(row terminal.EntryKind, kind terminal.Kind, debt terminal.DebtKind) string {
	switch {
	case row == terminal.SaleEntry && kind != "":
		return kindWord(kind)
	case row == terminal.DebtEntry && debt != "":
		return "debt (" + debt.Words() + ")"
	}
	return string(row)
}

// step is one row of the journal in words.
func step(what string, from terminal.State, event, to string, duties []terminal.Duty, note string) string {
	words := []string{what}
	if event != "" {
		words = append(words, event)
	}
	switch {
	case from != "" && to != "":
		words = append(words, string(from), "to", to)
	case to != "":
		words = append(words, "to", to)
	}
	for _, d := range duties {
		words = append(words, string(d))
	}
	if note != "" {
		words = append(words, "("+oneLine(note)+")")
	}
	return strings.Join(words, " ")
}

func (a *app) journal() *cobra.Command {
	var after int64
	var limit int
	var cardOf string
	c := &cobra.Command{
		Use: "journal", Short: "List the journal's rows, the latest unless --after says from where", Args: args(),
		RunE: func(c *cobra.Command, _ []string) error {
			if cardOf != "" {
				return a.ofCard(c.Context(), cardOf, limit)
			}
			if limit < 1 || limit > till.MaxRows {
				return usage("limit %d: 1 to %d rows", limit, till.MaxRows)
			}
			if c.Flags().Changed("after") && after < 0 {
				return usage("after %d: a row's number, or 0 for the first rows", after)
			}
			cl := a.client()
			defer cl.close()
			if !c.Flags().Changed("after") {
				var st till.Status
				if err := cl.get(c.Context(), "/v1/status", &st); err != nil {
					return err
				}
				after = max(0, st.Snapshot.Journal-int64(limit))
			}
			var rows till.Rows
			if err := cl.get(c.Context(), fmt.Sprintf("/v1/journal?after=%d&limit=%d", after, limit), &rows); err != nil {
				return err
			}
			if a.json {
				return a.printJSON(rows)
			}
			for _, r := range rows.Rows {
				var sale string
				var kind terminal.Kind
				var debt terminal.DebtKind
				if r.Sale != 0 {
					sale = r.Sale.String()
				}
				if r.Record != nil {
					kind = r.Record.Kind
				}
				if r.Debt != nil {
					debt = r.Debt.Kind
				}
				a.printf("%6d  %s  %6s  %s\n", r.Seq, r.Time.Format(clockLayout), sale, step(about(r.Kind, kind, debt), r.From, r.Event, r.To, r.Duties, r.Note))
			}
			if len(rows.Rows) == 0 {
				a.printf("No rows.\n")
			}
			return nil
		},
	}
	c.Flags().Int64Var(&after, "after", 0, "rows behind this number, from the oldest on")
	c.Flags().IntVar(&limit, "limit", 50, "at most so many rows")
	c.Flags().StringVar(&cardOf, "card-of", "", "the sales of the card that this sale was made with")
	return c
}

// ofCard lists the sales of one card, found without its number.
func (a *app) ofCard(ctx context.Context, id string, limit int) error {
	n, err := terminal.ParseSaleID(id)
	if err != nil {
		return usage("%w", err)
	}
	cl := a.client()
	defer cl.close()
	var sales till.Sales
	if err := cl.get(ctx, fmt.Sprintf("/v1/sales?card_of=%s&last=%d", n, min(max(limit, 1), till.MaxRows)), &sales); err != nil {
		return err
	}
	if a.json {
		return a.printJSON(sales)
	}
	for _, s := range sales.Sales {
		a.printf("%6s  %s  %-17s  %-14s %-10s %s\n", s.ID, s.Started.Format(clockLayout), kindWord(s.Kind), s.Amount.Format(), strings.ToUpper(string(s.State)), oneLine(strings.TrimSpace(s.Label+" "+s.MaskedPAN)))
	}
	if len(sales.Sales) == 0 {
		a.printf("No sales: that sale's card was not read.\n")
	}
	return nil
}

func (a *app) status() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Show how terminal, reader, host and queue are", Args: args(),
		RunE: func(c *cobra.Command, _ []string) error {
			cl := a.client()
			defer cl.close()
			if a.json {
				var st json.RawMessage
				if err := cl.get(c.Context(), "/v1/status", &st); err != nil {
					return err
				}
				return a.printJSON(st)
			}
			var st till.Status
			if err := cl.get(c.Context(), "/v1/status", &st); err != nil {
				return err
			}
			a.printStatus(st)
			return nil
		},
	}
}

func (a *app) printStatus(st till.Status) {
	t, s := st.Terminal, st.Snapshot
	if p := st.Params; p != nil {
		a.printf("%s\n", parametersLine(*p))
	}
	if st.Params != nil && st.Params.Waiting != "" {
		a.printf("Release   %s\n", t.Version)
		return
	}
	a.printf("Terminal  %s, %s, %s (%s), %s %s\n", t.TerminalID, oneLine(t.Merchant), t.Currency, t.Profile, "release", t.Version)
	var kinds []string
	for _, k := range t.Kinds {
		kinds = append(kinds, kindWord(k))
	}
	if len(kinds) > 0 {
		a.printf("Does      %s\n", oneLine(strings.Join(kinds, ", ")))
	}
	a.printf("CA keys   %d, %s\n", t.CAKeys.Keys, oneLine(t.CAKeys.Environment))
	a.printf("Kernel    %s %s, checksum %s\n", oneLine(t.Kernel.Name), oneLine(t.Kernel.Version), oneLine(shortSum(t.Kernel.Checksum)))
	state := string(s.State)
	if s.Sale != 0 && !s.State.Final() && s.State != terminal.Ready {
		state = fmt.Sprintf("sale %s, %s, %s", s.Sale, s.Amount.Format(), s.State)
	} else if s.State.Final() {
		state, s.Text, s.Advice = "Ready", "", "" // those are the last sale's
	}
	a.printf("State     %s\n", oneLine(strings.TrimSpace(state+"  "+s.Text+"  "+s.Advice)))
	a.printf("Reader    %s\n", health(s.Reader))
	if s.Stripe != nil {
		a.printf("Stripes   %s\n", health(*s.Stripe))
	}
	if st.Printer != nil {
		a.printf("Printer   %s\n", printerLine(*st.Printer))
	}
	a.printf("Host      %s\n", link(s.Host))
	if st.Keys != nil {
		a.printf("Keys      %s\n", health(*st.Keys))
	}
	switch {
	case s.Owed == 0 && s.Parked == 0:
		a.printf("Queue     empty\n")
	default:
		a.printf("Queue     %d waiting, %d parked%s, the oldest since %s\n", s.Owed, s.Parked, ofMoney(s.OwedSum), s.Oldest.Format(clockLayout))
	}
	if s.Batch != nil {
		a.printBatch(*s.Batch)
	}
	if s.Last != nil {
		a.printf("Last      %s %s, %s, %s: %s\n", kindWord(s.Last.Kind), s.Last.ID, s.Last.Amount.Format(), strings.ToUpper(string(s.Last.State)), receipt.Reason(s.Last.Outcome))
	}
	if st.Open {
		a.printf("WARNING   roles are OPEN: anybody at this terminal sells without logging in (development only)\n")
	}
	if s.Quarantined > 0 {
		a.printf("WARNING   %d records do not authenticate and are left out: see pos audit verify, and call support\n", s.Quarantined)
	}
	if s.Clock != "" {
		a.printf("WARNING   %s\n", oneLine(s.Clock))
	}
	for _, w := range s.Host.Warnings {
		a.printf("WARNING   %s\n", oneLine(w))
	}
	if s.CardLeft {
		a.printf("Card      is still in the reader: take it out\n")
	}
}

// printBatch is how settlement stands: what is in the open batch, when it ends, and what is on its way or hangs.
func (a *app) printBatch(b terminal.BatchStatus) {
	text := fmt.Sprintf("%d open, %d payments, %s", b.Number, b.Count, b.Sum.Format())
	if b.Count == 1 {
		text = strings.Replace(text, "payments", "payment", 1)
	}
	if !b.CutOff.IsZero() {
		text += ", settled at " + b.CutOff.Format(clockLayout)
	}
	a.printf("Batch     %s\n", text)
	for _, one := range b.Settling {
		line := fmt.Sprintf("%d %s", one.Number, strings.ToLower(string(one.State)))
		if one.Attempts > 0 {
			line += fmt.Sprintf(", sent %d times", one.Attempts)
		}
		if one.Reason != "" {
			line += ": " + oneLine(one.Reason)
		}
		if one.State == terminal.BatchDisputed {
			line += fmt.Sprintf(" (pos settle --batch %d, or pos settle close)", one.Number)
		}
		a.printf("Settling  %s\n", line)
	}
	if b.Warning != "" {
		a.printf("WARNING   %s\n", oneLine(b.Warning))
	}
}

// link is how the host is, which one it is, and how far its clock is from ours.
func link(h terminal.LinkHealth) string {
	text := health(h.Health)
	if h.Host != "" {
		text += ", host " + h.Host
	}
	if h.ClockSeconds != nil {
		switch n := *h.ClockSeconds; {
		case n > 0:
			text += fmt.Sprintf(", its clock %d s ahead", n)
		case n < 0:
			text += fmt.Sprintf(", its clock %d s behind", -n)
		default:
			text += ", its clock the same"
		}
	}
	return oneLine(text)
}

func health(h terminal.Health) string {
	word := "ok"
	if !h.OK {
		word = "NOT OK"
	}
	text := fmt.Sprintf("%s: %s, %s", word, h.Name, h.State)
	if h.Cause != "" {
		text += ": " + h.Cause
	}
	return oneLine(text)
}

func (a *app) queue() *cobra.Command {
	list := func(c *cobra.Command, _ []string) error {
		cl := a.client()
		defer cl.close()
		var q till.Queue
		if err := cl.get(c.Context(), "/v1/queue", &q); err != nil {
			return err
		}
		if a.json {
			return a.printJSON(q)
		}
		a.printQueue(q, time.Now())
		return nil
	}
	send := &cobra.Command{
		Use: "send", Short: "Send now what waits, without waiting for its time", Args: args(),
		RunE: func(c *cobra.Command, _ []string) error {
			cl := a.client()
			defer cl.close()
			var snap terminal.Snapshot
			if err := cl.post(c.Context(), "/v1/queue/send", nil, &snap); err != nil {
				return err
			}
			if a.json {
				return a.printJSON(snap)
			}
			if snap.Owed == 0 {
				a.printf("Nothing waits.\n")
				return nil
			}
			a.printf("Sending what waits (%d); pos queue list shows what is left.\n", snap.Owed)
			return nil
		},
	}
	q := group("queue", "List, send or settle what is owed to the host",
		&cobra.Command{Use: "list", Short: "List what is owed to the host", Args: args(), RunE: list}, send, a.queueRetry(), a.queuePark(), a.queueWriteOff())
	words := q.RunE
	q.RunE = func(c *cobra.Command, argv []string) error {
		if len(argv) == 0 {
			return list(c, argv)
		}
		return words(c, argv)
	}
	return q
}

// oneLine keeps what host, card or shop wrote from steering the screen.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || (r >= 0x7F && r < 0xA0) {
			return ' '
		}
		return r
	}, s)
}
