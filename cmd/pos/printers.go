package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"tillway/device/escpos"
	"tillway/device/survey"
	"tillway/terminal/selftest"
	"tillway/terminal/spool"
	"tillway/till"
)

// printersReport is what pos printers says.
type printersReport struct {
	Configured *till.PrinterStatus `json:"configured,omitempty"` // the running terminal's; absent: none runs, or it has no printer
	Finding    *selftest.Finding   `json:"finding,omitempty"`    // what is wrong with that, or with the one that --port names
	TestPage   bool                `json:"test_page,omitempty"`  // was printed, or is on its way through the terminal's queue
	Found      []survey.Found      `json:"found,omitempty"`
	Notes      []string            `json:"notes,omitempty"`
}

// printersFlags are what the technician says.
type printersFlags struct {
	port, confirm string
	baud, columns int
	testPage      bool
}

func (a *app) printers() *cobra.Command {
	var f printersFlags
	c := &cobra.Command{
		Use: "printers", Short: "List the receipt printers that this machine has, and how the terminal's is", Args: args(),
		Long: `printers lists what receipts could be printed with: printers on USB, those that the kernel's usblp driver has, and serial ports, behind
which there may be one. PORT is what belongs into [printer] port of posd.toml. Nothing is opened. The first line is the printer of the
terminal that runs, and what is wrong with it.

With --port one printer is asked how it is, at that place and speed: one that answers at another speed, or another device in its place, is
called so. The terminal must not have it: take [printer] out of posd.toml first, or stop the terminal.

--test-page prints a page: on the terminal's printer, through its queue, or with --port on that one.`,
		Example: "  pos printers\n  pos printers --test-page\n  pos printers --port /dev/ttyUSB2 --baud 38400 --test-page\n  pos printers --port tcp://192.0.2.1:9100 --json",
		RunE: func(c *cobra.Command, _ []string) error {
			return a.reportPrinters(c.Context(), survey.Local(), f)
		},
	}
	c.Flags().StringVar(&f.port, "port", "", "ask this printer, as [printer] port of posd.toml would name it")
	c.Flags().IntVar(&f.baud, "baud", escpos.DefaultBaud, "speed of a serial printer")
	c.Flags().BoolVar(&f.testPage, "test-page", false, "print a page that shows whether paper and width are right")
	c.Flags().IntVar(&f.columns, "columns", 48, "characters on a line of the test page")
	c.Flags().StringVar(&f.confirm, "confirm", string(escpos.Process), "process, or status for printers without process IDs")
	return c
}

// lowPaper is what is wrong with a printer that prints all the same.
const lowPaper = "printer_paper_low"

// reportPrinters does what the flags say.
func (a *app) reportPrinters(ctx context.Context, m survey.Machine, f printersFlags) (err error) {
	var report printersReport
	if f.port == "" {
		err = a.printersHere(ctx, m, f.testPage, &report)
	} else {
		err = a.printerAt(ctx, m, f, &report)
	}
	if err != nil {
		return err
	}
	if a.json {
		if err := a.printJSON(report); err != nil {
			return err
		}
	} else if err := a.showPrinters(report); err != nil {
		return err
	}
	if f.port != "" && report.Finding.Status != selftest.OK && report.Finding.Fault != lowPaper {
		return &exit{code: exitDeclined, err: errors.New("this printer cannot be used")}
	}
	return nil
}

// printersHere lists them all, the running terminal's first.
func (a *app) printersHere(ctx context.Context, m survey.Machine, testPage bool, report *printersReport) error {
	asking, stop := context.WithTimeout(ctx, askFor)
	defer stop()
	cl := a.client()
	defer cl.close()
	var st till.PrinterStatus
	var err error
	if testPage {
		err = cl.post(asking, "/v1/printer/print", till.PrintOrder{What: spool.Test}, &st)
		if err != nil {
			return err
		}
		report.TestPage = true
	} else {
		err = cl.get(asking, "/v1/printer", &st)
	}
	l := m.Printers(ctx)
	report.Found, report.Notes = l.Found, l.Notes
	if err != nil {
		report.Notes = append(report.Notes, "no terminal runs here with a receipt printer: "+err.Error())
		return nil
	}
	report.Configured = &st
	if port, is := strings.CutPrefix(st.Name, "escpos at "); is && st.Cause != "" {
		f := m.PrinterHealth(ctx, survey.Place{Kind: survey.Printer, Port: port}, st.Cause)
		report.Finding = &f
	}
	return nil
}

// printerAt asks one printer, and has it print.
func (a *app) printerAt(ctx context.Context, m survey.Machine, f printersFlags, report *printersReport) error {
	place := survey.Place{Kind: survey.Printer, Port: f.port, Baud: f.baud}
	if err := escpos.CheckPort(f.port); err != nil {
		return usage("%w", err)
	}
	if f.columns < 24 || f.columns > 64 {
		return usage("--columns %d: characters of its font A on a line, 48 or 42 on 80 mm paper, 32 on 58 mm", f.columns)
	}
	if f.confirm != string(escpos.Process) && f.confirm != string(escpos.InTurn) {
		return usage("--confirm %q: process, or status", f.confirm)
	}
	found := m.Examine(ctx, place)
	if f.testPage && (found.Status == selftest.OK || found.Fault == lowPaper) {
		if err := m.TestPage(ctx, place, f.columns, escpos.Confirm(f.confirm)); err != nil {
			found = m.Explain(place, err)
		} else {
			report.TestPage = true
		}
	}
	report.Finding = &found
	return nil
}

func (a *app) showPrinters(r printersReport) error {
	if r.Configured != nil {
		a.printf("The terminal's  %s\n", printerLine(*r.Configured))
	}
	if r.Finding != nil {
		a.printf("%s", findingText(*r.Finding))
	}
	if r.TestPage {
		a.printf("A test page was sent to the printer.\n")
	}
	if r.Found == nil {
		return nil
	}
	if err := a.showFound(survey.List{Found: r.Found, Notes: r.Notes}, "receipt printer"); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}
