package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"tillway/host"
	"tillway/host/ledger"
	"tillway/money"
)

// books are the commands that look into the books of a running hostsim, and the one that ends its day.
func books() []*cobra.Command {
	return []*cobra.Command{
		asking(http.MethodGet, "trial", "Show the trial balance of a running hostsim: every account, and that all add up to zero", showTrial),
		asking(http.MethodGet, "entries", "List the entries of the books of a running hostsim, leg by leg", showEntries),
		asking(http.MethodGet, "batches", "List the terminals' batches at a running hostsim and their totals", showBatches),
		asking(http.MethodPost, "settle", "Clear what stands and pay the merchants of a running hostsim, then show their statements", showStatements),
		statement(),
	}
}

func asking(method, name, short string, show func(io.Writer, []byte) error) *cobra.Command {
	var address string
	var asJSON bool
	cmd := &cobra.Command{
		Use: name, Short: short, Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			body, err := call(cmd.Context(), method, address, name)
			if err != nil {
				return err
			}
			if asJSON {
				_, err = cmd.OutOrStdout().Write(body)
				return err //nolint:wrapcheck // standard output is gone: nothing to add
			}
			return show(cmd.OutOrStdout(), body)
		},
	}
	cmd.Flags().StringVar(&address, "http", defaultHTTP, "address that hostsim was given as --http")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// statement prints one statement, or lists all.
func statement() *cobra.Command {
	var address, merchant, format string
	var number int
	cmd := &cobra.Command{
		Use: "statement", Short: "Print a merchant's statement of a running hostsim", Args: noArgs,
		Long: `statement prints what was cleared for a merchant between two settlements: each transaction, its fee, what was paid. Without
--number it is the latest that was paid, or the open one where none was.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if format != "text" && format != "csv" && format != "json" {
				return fmt.Errorf("%w: --format %q: write text, csv or json", errUsage, format)
			}
			body, err := ask(cmd.Context(), address, "statements")
			if err != nil {
				return err
			}
			var all []ledger.Statement
			if err := json.Unmarshal(body, &all); err != nil {
				return fmt.Errorf("answer is not a list of statements: %w", err)
			}
			s, err := choose(all, merchant, number)
			if err != nil {
				return err
			}
			switch format {
			case "csv":
				return s.WriteCSV(cmd.OutOrStdout())
			case "json":
				e := json.NewEncoder(cmd.OutOrStdout())
				e.SetIndent("", "  ")
				return e.Encode(s) //nolint:wrapcheck // standard output is gone: nothing to add
			}
			return printStatements(cmd.OutOrStdout(), []ledger.Statement{s}, true)
		},
	}
	cmd.Flags().StringVar(&address, "http", defaultHTTP, "address that hostsim was given as --http")
	cmd.Flags().StringVar(&merchant, "merchant", "", "merchant, where there are several")
	cmd.Flags().IntVar(&number, "number", 0, "number of the statement, from 1")
	cmd.Flags().StringVar(&format, "format", "text", "text, csv or json")
	return cmd
}

// choose finds one statement of one merchant.
func choose(all []ledger.Statement, merchant string, number int) (ledger.Statement, error) {
	var mine []ledger.Statement
	for _, s := range all {
		if merchant == "" && len(mine) > 0 && mine[0].Merchant != s.Merchant {
			return s, fmt.Errorf("%w: there are several merchants: name one with --merchant", errUsage)
		}
		if merchant == "" || s.Merchant == merchant {
			mine = append(mine, s)
		}
	}
	if number == 0 {
		number = max(1, len(mine)-1)
	}
	if number < 1 || number > len(mine) {
		return ledger.Statement{}, fmt.Errorf("%w: no statement %d of merchant %q: there are %d", errUsage, number, merchant, len(mine))
	}
	return mine[number-1], nil
}

// decimal writes minor units that may be below zero.
func decimal(minor int64, exponent int) string {
	return money.New(minor, money.Currency{Exponent: exponent}).String()
}

// table writes rows of columns under each other, numbers to the right.
func table(w io.Writer, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		_, _ = fmt.Fprintln(t, strings.Join(r, "\t"))
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	return nil
}

func showTrial(w io.Writer, body []byte) error {
	var all []ledger.Trial
	if err := json.Unmarshal(body, &all); err != nil {
		return fmt.Errorf("answer is not a trial balance: %w", err)
	}
	for _, t := range all {
		rows := [][]string{{"ACCOUNT", "DEBITS", "CREDITS", "BALANCE " + t.Currency}}
		for _, l := range t.Lines {
			rows = append(rows, []string{l.Account, decimal(l.Debits, t.Exponent), decimal(l.Credits, t.Exponent), decimal(l.Balance, t.Exponent)})
		}
		rows = append(rows, []string{"all", decimal(t.Debits, t.Exponent), decimal(t.Credits, t.Exponent), decimal(t.Off, t.Exponent)})
		if err := table(w, rows); err != nil {
			return err
		}
		if t.Off != 0 {
			return fmt.Errorf("the books of %s are off by %s", t.Currency, decimal(t.Off, t.Exponent))
		}
	}
	return nil
}

func showEntries(w io.Writer, body []byte) error {
	var all []ledger.Entry
	if err := json.Unmarshal(body, &all); err != nil {
		return fmt.Errorf("answer is not a list of entries: %w", err)
	}
	rows := [][]string{{"ENTRY", "AT", "KIND", "TRANSACTION", "ACCOUNT", "AMOUNT"}}
	for _, e := range all {
		currency, err := money.ByCode(e.Code)
		if err != nil {
			return fmt.Errorf("entry %d: %w", e.Number, err)
		}
		for _, l := range e.Legs {
			rows = append(rows, []string{
				fmt.Sprint(e.Number), e.At.Format(time.DateTime), e.Kind, e.Ref, l.Account, e.Code + " " + decimal(l.Minor, currency.Exponent),
			})
		}
	}
	return table(w, rows)
}

func showBatches(w io.Writer, body []byte) error {
	var all []host.Batch
	if err := json.Unmarshal(body, &all); err != nil {
		return fmt.Errorf("answer is not a list of batches: %w", err)
	}
	rows := [][]string{{"TERMINAL", "BATCH", "STATE", "SALES", "REFUNDS", "TOTALS (DE 63)"}}
	for _, b := range all {
		rows = append(rows, []string{b.Terminal, b.Batch, b.State, fmt.Sprint(b.Sales), fmt.Sprint(b.Refunds), b.Totals})
	}
	return table(w, rows)
}

func showStatements(w io.Writer, body []byte) error {
	var all []ledger.Statement
	if err := json.Unmarshal(body, &all); err != nil {
		return fmt.Errorf("answer is not a list of statements: %w", err)
	}
	return printStatements(w, all, false)
}

func printStatements(w io.Writer, all []ledger.Statement, lines bool) error {
	rows := [][]string{{"MERCHANT", "NUMBER", "TRANSACTIONS", "GROSS", "FEES", "PAID", "LEFT", "PAID AT"}}
	for _, s := range all {
		at := "open"
		if s.PaidAt != nil {
			at = s.PaidAt.Format(time.DateTime)
		}
		amount := func(minor int64) string { return s.Currency + " " + decimal(minor, s.Exponent) }
		rows = append(rows, []string{
			s.Merchant, fmt.Sprint(s.Number), fmt.Sprint(len(s.Lines)), amount(s.Gross), amount(s.Fees), amount(s.Paid), amount(s.Left), at,
		})
		if !lines {
			continue
		}
		for _, l := range s.Lines {
			rows = append(rows, []string{"", "", l.Kind + " " + l.Ref, amount(l.Gross), amount(l.Fee), amount(l.Net), "", l.At.Format(time.DateTime)})
		}
	}
	return table(w, rows)
}
