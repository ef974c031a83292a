package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"tillway/money"
)

const maxListing = 64 << 20

// listing is a command that asks a running hostsim.
func listing(name, short string) *cobra.Command {
	var address string
	var asJSON bool
	cmd := &cobra.Command{
		Use: name, Short: short, Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			body, err := ask(cmd.Context(), address, name)
			if err != nil {
				return err
			}
			if asJSON {
				_, err = cmd.OutOrStdout().Write(body)
				return err //nolint:wrapcheck // standard output is gone: nothing to add
			}
			return tabulate(cmd.OutOrStdout(), name, body)
		},
	}
	cmd.Flags().StringVar(&address, "http", defaultHTTP, "address that hostsim was given as --http")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func ask(ctx context.Context, address, name string) ([]byte, error) {
	return call(ctx, http.MethodGet, address, name)
}

func call(ctx context.Context, method, address, name string) ([]byte, error) {
	if err := loopback(address); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://"+address+"/"+name, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: --http %q: %w", errUsage, address, err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("no hostsim answers on %s: start it with --http %s, or name its address with --http", address, address)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxListing))
	if err != nil {
		return nil, fmt.Errorf("answer of %s: %w", address, err)
	}
	switch {
	case method == http.MethodPost && resp.StatusCode == http.StatusNotFound:
		return nil, fmt.Errorf("%w: %s", errUsage, strings.TrimSpace(string(body)))
	case resp.StatusCode >= http.StatusMultipleChoices:
		return nil, fmt.Errorf("%s answers %s: it may not be a hostsim", address, resp.Status)
	}
	return body, nil
}

// order has a running hostsim give a terminal an order, or disagree with it.
func order() *cobra.Command {
	var address string
	cmd := &cobra.Command{
		Use: "order TERMINAL ORDER", Short: "Have a running hostsim give a terminal an order, or disagree with it",
		Long: `order has the host say something to a terminal in the answer to its next sign-on, or disagree with it once. ORDER is

  exchange       ask for new session keys
  destroy        erase the acquirer's keys, once nothing is owed; repeated until the terminal says that it does
  wrong-check    the next session keys come with wrong check values
  wrong-mac      the answer to the next sign-on or key exchange has a wrong MAC
  replay-orders  the next order repeats an earlier sign-on's challenge, as an answer played again would
  forget-keys    at once: the host knows none of its session keys any more

The terminal takes orders where its configuration says so (host_orders). hostsim terminals shows what became of them.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return fmt.Errorf("%w: order TERMINAL ORDER, like order TILL0001 exchange", errUsage)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			_, err := call(cmd.Context(), http.MethodPost, address, "terminals/"+url.PathEscape(args[0])+"/"+url.PathEscape(args[1]))
			return err
		},
	}
	cmd.Flags().StringVar(&address, "http", defaultHTTP, "address that hostsim was given as --http")
	return cmd
}

// lose has a running hostsim forget a transaction.
func lose() *cobra.Command {
	var address string
	cmd := &cobra.Command{
		Use: "lose TERMINAL STAN", Short: "Have a running hostsim forget a transaction, so that a settlement is out of balance",
		Long: `lose has the host forget a transaction that it has answered, as if it had never come: the money goes back to the account, and the totals
of the terminal's batch differ by it. hostsim ledger shows terminal and STAN.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return fmt.Errorf("%w: lose TERMINAL STAN, like lose TILL0001 000042", errUsage)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			_, err := call(cmd.Context(), http.MethodPost, address, "lose/"+url.PathEscape(args[0])+"/"+url.PathEscape(args[1]))
			return err
		},
	}
	cmd.Flags().StringVar(&address, "http", defaultHTTP, "address that hostsim was given as --http")
	return cmd
}

// row is a line of any listing, as much of it as people are shown.
type row struct {
	Name, PAN, Terminal, Batch, STAN, State, RRN, MTI, Direction, Code, Note, Remote string

	Scheme, PIN, MAC, Order, Done string

	Made    int
	Waiting bool

	Expired          bool
	ID               uint64
	Frames           int
	At, Time, Since  time.Time
	Amount           money.Amount
	Opening, Balance money.Amount
}

// tabulate shows a listing as a table.
func tabulate(w io.Writer, name string, body []byte) error {
	var rows []row
	if err := json.Unmarshal(body, &rows); err != nil {
		return fmt.Errorf("answer is not a list of %s: %w", name, err)
	}
	heads := map[string]string{
		"accounts":    "NAME\tCARD\tEXPIRED\tOPENING\tBALANCE",
		"ledger":      "AT\tTERMINAL\tBATCH\tSTAN\tRRN\tCARD\tAMOUNT\tSTATE",
		"messages":    "TIME\tWAY\tMTI\tSTAN\tTERMINAL\tCARD\tAMOUNT\tCODE\tNOTE",
		"connections": "ID\tREMOTE\tSINCE\tFRAMES",
		"terminals":   "TERMINAL\tKEYS\tPIN\tMAC\tEXCHANGES\tUNPROVED\tORDER\tDONE",
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, heads[name])
	for _, r := range rows {
		switch name {
		case "accounts":
			_, _ = fmt.Fprintf(t, "%s\t%s\t%t\t%s\t%s\n", r.Name, r.PAN, r.Expired, r.Opening.Format(), r.Balance.Format())
		case "ledger":
			_, _ = fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.At.Format(time.DateTime), r.Terminal, r.Batch, r.STAN, r.RRN, r.PAN,
				r.Amount.Format(), r.State)
		case "messages":
			_, _ = fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Time.Format("15:04:05.000"), r.Direction, r.MTI, r.STAN, r.Terminal,
				r.PAN, amount(r.Amount), r.Code, r.Note)
		case "terminals":
			_, _ = fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%t\t%s\t%s\n", r.Terminal, r.Scheme, r.PIN, r.MAC, r.Made, r.Waiting, r.Order, r.Done)
		case "connections":
			_, _ = fmt.Fprintf(t, "%d\t%s\t%s\t%d\n", r.ID, r.Remote, r.Since.Format(time.DateTime), r.Frames)
		}
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	return nil
}

func amount(a money.Amount) string {
	if a == (money.Amount{}) {
		return ""
	}
	return a.Format()
}
