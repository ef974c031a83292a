package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"tillway/terminal"
	"tillway/terminal/receipt"
	"tillway/terminal/spool"
	"tillway/till"
)

// printer holds what concerns the receipt printer as a machine.
func (a *app) printer() *cobra.Command {
	simple := func(use, short, method, path string) *cobra.Command {
		return &cobra.Command{Use: use, Short: short, Args: args(), RunE: func(c *cobra.Command, _ []string) error {
			cl := a.client()
			defer cl.close()
			var st till.PrinterStatus
			var err error
			if method == "GET" {
				err = cl.get(c.Context(), path, &st)
			} else {
				err = cl.post(c.Context(), path, nil, &st)
			}
			if err != nil {
				return err
			}
			return a.showPrinter(st)
		}}
	}
	return group("printer", "The receipt printer: how it is, and what waits for it",
		simple("status", "Show how the receipt printer is, and what waits for it", "GET", "/v1/printer"),
		simple("resume", "Print again what the printer has not confirmed and is held", "POST", "/v1/printer/resume"),
		simple("drop", "Give up the paper that waits first: it was seen to come out, or nobody wants it", "POST", "/v1/printer/drop"),
	)
}

// print has papers printed.
func (a *app) print() *cobra.Command {
	order := func(c *cobra.Command, o till.PrintOrder) error {
		cl := a.client()
		defer cl.close()
		var st till.PrinterStatus
		if err := cl.post(c.Context(), "/v1/printer/print", o, &st); err != nil {
			return err
		}
		return a.showPrinter(st)
	}
	var copied string
	paper := &cobra.Command{
		Use: "receipt ID", Short: "Print a sale's receipt on the receipt printer again; it says DUPLICATE", Args: args("ID"),
		RunE: func(c *cobra.Command, argv []string) error {
			id, err := terminal.ParseSaleID(argv[0])
			if err != nil {
				return usage("%w", err)
			}
			which, err := receipt.ParseCopy(copied)
			if err != nil {
				return usage("%w", err)
			}
			return order(c, till.PrintOrder{What: spool.Receipt, Sale: id, Copy: which})
		},
	}
	paper.Flags().StringVar(&copied, "copy", "customer", "customer or merchant")
	var batch uint32
	report := &cobra.Command{
		Use: "report x|z", Short: "Print the X or Z report", Args: args("x|z"),
		RunE: func(c *cobra.Command, argv []string) error {
			if argv[0] != "x" && argv[0] != "z" {
				return usage("%q is no report: x or z", argv[0])
			}
			return order(c, till.PrintOrder{What: spool.Report, Report: argv[0], Batch: batch})
		},
	}
	report.Flags().Uint32Var(&batch, "batch", 0, "of another batch than the open one, or the last that was closed")
	proof := &cobra.Command{
		Use: "proof", Short: "Print the proof of a settlement: the one that goes on, or the last", Args: args(),
		RunE: func(c *cobra.Command, _ []string) error {
			return order(c, till.PrintOrder{What: spool.Proof, Batch: batch})
		},
	}
	proof.Flags().Uint32Var(&batch, "batch", 0, "of another batch")
	plain := func(use, short string, what spool.What) *cobra.Command {
		return &cobra.Command{Use: use, Short: short, Args: args(), RunE: func(c *cobra.Command, _ []string) error { return order(c, till.PrintOrder{What: what}) }}
	}
	return group("print", "Print on the receipt printer", paper, report, proof,
		plain("test", "Print a page that shows whether paper, width and letters are right", spool.Test),
		plain("kernel", "Print the slip that names the card kernel", spool.Kernel))
}

// drawer opens the cash drawer.
func (a *app) drawer() *cobra.Command {
	open := &cobra.Command{
		Use: "open", Short: "Open the cash drawer; who did is in the audit log", Args: args(),
		RunE: func(c *cobra.Command, _ []string) error {
			cl := a.client()
			defer cl.close()
			var st till.PrinterStatus
			if err := cl.post(c.Context(), "/v1/drawer", nil, &st); err != nil {
				return err
			}
			if a.json {
				return a.printJSON(st)
			}
			a.printf("The drawer was opened.\n")
			return nil
		},
	}
	return group("drawer", "The cash drawer", open)
}

func (a *app) showPrinter(st till.PrinterStatus) error {
	if a.json {
		return a.printJSON(st)
	}
	a.printf("%s\n", printerLine(st))
	return nil
}

// printerLine is how printing stands, on one line.
func printerLine(st till.PrinterStatus) string {
	words := []string{st.Name}
	switch {
	case st.Ready:
		words = append(words, "ready")
	case st.Cause == "":
		words = append(words, "not asked yet")
	default:
		words = append(words, "NOT PRINTING: "+st.Cause)
	}
	if n := int64(st.Waiting); n+st.Behind > 0 {
		papers := "papers wait"
		if n+st.Behind == 1 {
			papers = "paper waits"
		}
		words = append(words, fmt.Sprintf("%d %s", n, papers))
	}
	return oneLine(strings.Join(words, ", "))
}
