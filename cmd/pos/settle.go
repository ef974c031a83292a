package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"tillway/terminal"
	"tillway/terminal/receipt"
	"tillway/till"
)

// settlePause is how often a settlement is looked at while it goes on.
const settlePause = 300 * time.Millisecond

// settle settles the batch, waits for the bank, and prints the proof.
func (a *app) settle() *cobra.Command {
	var body till.Settle
	var paper papers
	var wait time.Duration
	c := &cobra.Command{
		Use: "settle", Short: "Close the batch with the bank, and print the proof",
		Long: `settle closes the batch: what is still owed to the bank goes out first, then the totals, and where the bank has others the batch,
payment by payment. Sales go on meanwhile, in the next batch. At its end it prints the proof: journal, batch and bank, line by
line, and by its number every payment that differs.

Exit status: 0 closed in balance, 1 closed or disputed with differences, 3 nothing was sent, 4 the daemon is not reachable,
5 not done yet (it goes on by itself; pos settle again waits for it). An interrupt stops the waiting, not the settlement.`,
		Example: "  pos settle\n  pos settle --leave-parked\n  pos settle --batch 12    # a batch that the bank disputes, once more",
		Args:    args(),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := paper.check(a, c); err != nil {
				return err
			}
			cl := a.client()
			defer cl.close()
			var b terminal.Batch
			if err := cl.post(c.Context(), "/v1/settle", body, &b); err != nil {
				return nothingSent(err)
			}
			slip, err := a.settled(c.Context(), cl, b.Number, wait)
			if err != nil {
				return err
			}
			if slip.Report.Proof.Result == terminal.ProofOpen { // called off, by somebody or because of what was parked meanwhile
				why := slip.Report.Proof.Batch.Reason
				return &exit{exitNothingSent, fmt.Errorf("the settlement was called off: %s", why)}
			}
			if err := a.printSlip(c.Context(), cl, "/v1/settle", b.Number, paper); err != nil {
				return err
			}
			if code := settleExit(slip.Report.Proof.Result); code != exitDone {
				return &exit{code, nil}
			}
			return nil
		},
	}
	c.Flags().BoolVar(&body.LeaveParked, "leave-parked", false, "leave out what the bank has refused for good: it stays in pos queue")
	c.Flags().Uint32Var(&body.Batch, "batch", 0, "a batch that the bank disputes, to send its totals again")
	c.Flags().DurationVar(&wait, "wait", 2*time.Minute, "how long to wait for the bank")
	paper.flags(c)
	c.AddCommand(a.settleCallOff(), a.settleClose())
	return c
}

// nothingSent is a refusal of the daemon before anything left: the batch is empty, or a person has to look at it first.
func nothingSent(err error) error {
	if p, ok := errors.AsType[*till.Problem](err); ok && p.Status == http.StatusConflict {
		return &exit{exitNothingSent, err}
	}
	return err
}

func settleExit(r terminal.ProofResult) int {
	switch r {
	case terminal.ProofBalanced:
		return exitDone
	case terminal.ProofDiffers, terminal.ProofDisputed:
		return exitDeclined
	case terminal.ProofOpen:
		return exitNothingSent
	case terminal.ProofPending:
	}
	return exitReversed
}

// settled waits until a batch is closed, disputed or open again, or until the time is over.
func (a *app) settled(ctx context.Context, cl *client, batch uint32, wait time.Duration) (slip receipt.BatchSlip, err error) {
	limit, stop := context.WithTimeout(ctx, wait)
	defer stop()
	path := "/v1/settle?batch=" + strconv.FormatUint(uint64(batch), 10)
	for said := ""; ; {
		if err := cl.get(ctx, path, &slip); err != nil {
			if !errors.Is(err, errLost) {
				return slip, err
			}
			return slip, fmt.Errorf("batch %d was being settled, and goes on when posd runs again: pos settle then waits for it, pos report z --batch %d shows what came of it: %w", batch, batch, err)
		}
		p := slip.Report.Proof
		if p.Result != terminal.ProofPending {
			return slip, nil
		}
		if now := progress(p); now != said && !a.json {
			said = now
			fmt.Fprintln(a.errOut, now)
		}
		select {
		case <-limit.Done():
			return slip, nil
		case <-time.After(settlePause):
		}
	}
}

// progress is one line that says where a settlement is.
func progress(p terminal.Proof) string {
	b := p.Batch
	line := map[terminal.BatchState]string{
		terminal.BatchDraining:  "sending what is still owed to the bank",
		terminal.BatchTotalling: "the totals are with the bank",
		terminal.BatchUploading: "the bank has other totals: it gets the batch, payment by payment",
		terminal.BatchClosing:   "the closing totals are with the bank",
	}[b.State]
	if line = "Batch " + strconv.FormatUint(uint64(b.Number), 10) + ": " + line; b.Reason != "" && !b.NotBefore.IsZero() {
		line += " (" + oneLine(b.Reason) + ")"
	}
	return line
}

// printSlip prints a batch's paper.
func (a *app) printSlip(ctx context.Context, cl *client, path string, batch uint32, p papers) error {
	q := url.Values{}
	if batch != 0 {
		q.Set("batch", strconv.FormatUint(uint64(batch), 10))
	}
	return a.drawPaper(ctx, cl, path, q, &p)
}

func (a *app) settleCallOff() *cobra.Command {
	return &cobra.Command{
		Use: "call-off", Short: "Call a settlement off while nothing of it is with the bank", Args: args(),
		RunE: func(c *cobra.Command, _ []string) error {
			cl := a.client()
			defer cl.close()
			var b terminal.Batch
			if err := cl.post(c.Context(), "/v1/settle/call-off", nil, &b); err != nil {
				return nothingSent(err)
			}
			if a.json {
				return a.printJSON(b)
			}
			a.printf("Batch %d is open again: nothing of it was sent.\n", b.Number)
			return nil
		},
	}
}

func (a *app) settleClose() *cobra.Command {
	var note string
	c := &cobra.Command{
		Use: "close BATCH --note TEXT", Short: "Close by hand a batch that the bank disputes",
		Long: `close ends a batch that the bank disputes: the terminal does not send its totals any more. It moves no money. Settle the difference
with the acquirer first, and say how in the note; it stays in the journal with your name.`,
		Example: "  pos settle close 12 --note 'acquirer credits 10.525 by hand, case 8812'",
		Args:    args("BATCH"),
		RunE: func(c *cobra.Command, argv []string) error {
			n, err := strconv.ParseUint(argv[0], 10, 32)
			if err != nil || n == 0 {
				return usage("%q is no number of a batch: pos status shows it", argv[0])
			}
			if k := utf8.RuneCountInString(note); k < 1 || k > terminal.MaxDecisionNote {
				return usage("--note says in one line of 1 to %d characters how it was settled with the acquirer: it stays in the journal", terminal.MaxDecisionNote)
			}
			cl := a.client()
			defer cl.close()
			var b terminal.Batch
			if err := cl.post(c.Context(), "/v1/settle/"+strconv.FormatUint(n, 10)+"/close", till.CloseBatch{Note: note}, &b); err != nil {
				return nothingSent(err)
			}
			if a.json {
				return a.printJSON(b)
			}
			a.printf("Batch %d is closed by hand. No money was moved.\n", b.Number)
			return nil
		},
	}
	c.Flags().StringVar(&note, "note", "", "how it was settled with the acquirer, for the journal; 1 to 200 characters, no card number")
	return c
}

// batchReport is pos report x or z.
func (a *app) batchReport(kind, short, long string) *cobra.Command {
	var batch uint32
	var paper papers
	c := &cobra.Command{
		Use: kind, Short: short, Long: long, Args: args(),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := paper.check(a, c); err != nil {
				return err
			}
			cl := a.client()
			defer cl.close()
			return a.printSlip(c.Context(), cl, "/v1/report/"+kind, batch, paper)
		},
	}
	c.Flags().Uint32Var(&batch, "batch", 0, "its number")
	paper.flags(c)
	return c
}
