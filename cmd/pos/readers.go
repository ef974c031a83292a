package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"tillway/device/pcsc"
	"tillway/device/survey"
	"tillway/terminal"
	"tillway/terminal/selftest"
	"tillway/till"
)

// readersReport is what pos readers says.
type readersReport struct {
	Configured *terminal.Health  `json:"configured,omitempty"` // the running terminal's; absent: none runs
	Stripe     *terminal.Health  `json:"stripe,omitempty"`
	Finding    *selftest.Finding `json:"finding,omitempty"` // what is wrong with the running terminal's, with its remedy
	Found      []survey.Found    `json:"found"`
	Notes      []string          `json:"notes,omitempty"`
}

func (a *app) readers() *cobra.Command {
	var socket string
	c := &cobra.Command{
		Use: "readers", Short: "List the card readers that this machine has, and how the terminal's is", Args: args(),
		Long: `readers lists what the terminal could read cards with: card readers on USB, those that pcscd has, and serial ports, behind
which there may be one. DRIVER and PORT are what belongs into [reader] of posd.toml. Nothing is opened, and no reader is disturbed.
The first line is the reader of the terminal that runs, its condition, and when something is wrong the cause and what to do.`,
		Example: "  pos readers\n  pos readers --json",
		RunE: func(c *cobra.Command, _ []string) error {
			m := survey.Local()
			m.Socket = socket
			report := foundReaders(c.Context(), m)
			a.configured(c.Context(), m, &report)
			if a.json {
				return a.printJSON(report)
			}
			return a.showReaders(report)
		},
	}
	c.Flags().StringVar(&socket, "pcscd", pcsc.Socket, "socket of pcscd")
	c.AddCommand(a.readersRecord())
	return c
}

// askFor bounds the questions to a daemon and to pcscd.
const askFor = 5 * time.Second

// configured adds the reader of the terminal that runs.
func (a *app) configured(ctx context.Context, m survey.Machine, report *readersReport) {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	cl := a.client()
	defer cl.close()
	var s till.Status
	if err := cl.get(ctx, "/v1/status", &s); err != nil {
		report.Notes = append(report.Notes, "no terminal runs here, so none of these is known to be in use by it: "+err.Error())
		return
	}
	report.Configured, report.Stripe = &s.Snapshot.Reader, s.Snapshot.Stripe
	if h := s.Snapshot.Reader; !h.OK {
		driver, port, _ := strings.Cut(h.Name, " ")
		f := m.Health(ctx, survey.Place{Kind: survey.Reader, Driver: driver, Port: port}, false, h.State, h.Cause, false)
		report.Finding = &f
	}
}

// foundReaders looks everywhere.
func foundReaders(ctx context.Context, m survey.Machine) readersReport {
	l := m.Readers(ctx)
	return readersReport{Found: l.Found, Notes: l.Notes}
}

// findingText is a fault with its remedy, for people.
func findingText(f selftest.Finding) string {
	if f.Status == selftest.OK {
		return fmt.Sprintf("OK              %s\n", oneLine(f.Cause))
	}
	return fmt.Sprintf("%-15s %s (%s)\nWhat to do      %s\n", strings.ToUpper(string(f.Status)), oneLine(f.Cause), f.Fault, oneLine(f.Fix))
}

func (a *app) showReaders(r readersReport) error {
	if r.Configured != nil {
		a.printf("The terminal's  %s\n", health(*r.Configured))
	}
	if r.Finding != nil {
		a.printf("%s", findingText(*r.Finding))
	}
	if r.Stripe != nil {
		a.printf("For stripes     %s\n", health(*r.Stripe))
	}
	return a.showFound(survey.List{Found: r.Found, Notes: r.Notes}, "card reader")
}

// showFound is a list of devices as a table.
func (a *app) showFound(l survey.List, what string) error {
	if len(l.Found) == 0 {
		a.printf("No %s and no serial port was found: is one plugged in?\n", what)
	} else {
		w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
		_, _ = fmt.Fprintln(w, "DRIVER\tPORT\tWHAT\tSTATE")
		for _, f := range l.Found {
			state := f.State
			if f.Do != "" {
				state = strings.TrimPrefix(state+"; "+f.Do, "; ")
			}
			_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", f.Driver, oneLine(f.Port), oneLine(f.Name), oneLine(state))
		}
		if err := w.Flush(); err != nil {
			return fmt.Errorf("printing: %w", err)
		}
	}
	for _, n := range l.Notes {
		a.printf("Note: %s\n", oneLine(n))
	}
	return nil
}
