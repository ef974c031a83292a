package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"tillway/terminal/people"
	"tillway/till"
)

// verifyLimit is how long a verification may take: it reads everything.
const verifyLimit = 30 * time.Minute

func (a *app) audit() *cobra.Command {
	return group("audit", "Who did what, and whether the terminal's records are as they were written", a.auditList(), a.auditVerify())
}

func (a *app) auditList() *cobra.Command {
	var after int64
	var limit int
	c := &cobra.Command{
		Use: "list", Short: "List the audit log, from the oldest row on or behind --after", Args: args(),
		RunE: func(c *cobra.Command, _ []string) error {
			if limit < 1 || limit > till.MaxRows || after < 0 {
				return usage("limit %d, after %d: 1 to %d rows behind a row's number", limit, after, till.MaxRows)
			}
			cl := a.client()
			defer cl.close()
			var rows till.AuditRows
			if err := cl.get(c.Context(), fmt.Sprintf("/v1/audit?after=%d&limit=%d", after, limit), &rows); err != nil {
				return err
			}
			if a.json {
				return a.printJSON(rows)
			}
			for _, r := range rows.Rows {
				a.printf("%6d  %s  %-12s %-10s %-6s  %s\n", r.Seq, r.Time.Format(clockLayout), oneLine(r.Actor), r.Event, r.Result, oneLine(aboutWhom(r)))
			}
			return nil
		},
	}
	c.Flags().Int64Var(&after, "after", 0, "rows behind this number")
	c.Flags().IntVar(&limit, "limit", 100, "at most so many rows")
	return c
}

func aboutWhom(r people.Row) string {
	switch {
	case r.Person == "" || r.Person == r.Actor:
		return r.Note
	case r.Note == "":
		return r.Person
	}
	return r.Person + ": " + r.Note
}

func (a *app) auditVerify() *cobra.Command {
	var config string
	c := &cobra.Command{
		Use: "verify", Short: "Check every row of audit log, journal and people, and name what is not as it was written", Args: args(),
		Long: `verify reads every row that the terminal keeps and names each that is missing, changed, moved, put in or cut off at the end. It
asks the daemon; of a terminal that is stopped, give --config with its posd.toml, and the files are read in place.

Exit status: 0 everything is as it was written, 1 something is not.`,
		RunE: func(c *cobra.Command, _ []string) error {
			if config != "" {
				return a.verifyStopped(c.Context(), config)
			}
			cl := a.client()
			defer cl.close()
			var found till.Verified
			if err := cl.call(c.Context(), verifyLimit, "POST", "/v1/audit/verify", nil, &found); err != nil {
				if errors.Is(err, errLost) {
					err = &exit{exitUnreachable, fmt.Errorf("%w; of a terminal that is stopped, give --config with its posd.toml", err)}
				}
				return err
			}
			return a.printVerified(found)
		},
	}
	c.Flags().StringVar(&config, "config", "", "posd.toml of a terminal that is stopped")
	return c
}

func (a *app) printVerified(found till.Verified) error {
	if a.json {
		if err := a.printJSON(found); err != nil {
			return err
		}
	} else {
		for _, f := range found.Findings {
			a.printf("%s\n", oneLine(f.String()))
		}
		if found.More {
			a.printf("and more than are listed\n")
		}
		word := "Everything is as it was written"
		if len(found.Findings) > 0 {
			word = fmt.Sprintf("%d FINDINGS: keep the state folder for support", len(found.Findings))
		}
		a.printf("%s: %d rows, %d of them of the audit log.\n", word, found.Rows, found.Audit)
	}
	if len(found.Findings) > 0 {
		return &exit{code: exitDeclined}
	}
	return nil
}

// verifyStopped has posd, beside this program, read the files: only posd knows how.
func (a *app) verifyStopped(ctx context.Context, config string) error {
	if a.json {
		return usage("--config prints for people: ask the running daemon for --json")
	}
	posd := filepath.Join(filepath.Dir(a.executable), "posd")
	if _, err := os.Stat(posd); err != nil {
		return &exit{exitUnreachable, fmt.Errorf("posd is not beside this program: run posd audit verify --config %s where it is", config)}
	}
	run := exec.CommandContext(ctx, posd, "audit", "verify", "--config", config) //nolint:gosec // our own program
	run.Stdout, run.Stderr = a.out, a.errOut
	err := run.Run()
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		return &exit{code: e.ExitCode()}
	}
	return err
}
