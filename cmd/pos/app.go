package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"tillway/till"
)

// The exit status.
const (
	exitDone        = 0 // approved, or done
	exitDeclined    = 1
	exitUsage       = 2
	exitNothingSent = 3 // cancelled, timed out or not taken: nothing was sent
	exitUnreachable = 4
	exitReversed    = 5
)

// app is what one run of pos has of the world, and the flags that every command has.
type app struct {
	in          io.Reader
	out, errOut io.Writer
	env         func(string) string
	executable  string
	dial        func(ctx context.Context, path string) (net.Conn, error)
	notify      func(chan<- os.Signal) // has the operator's interrupts sent; only a sale asks for it

	interrupted func() // what is put back before Ctrl-C at a question ends the program; nil: nothing

	json   bool
	socket string

	keysSocket string // the secure module's
}

// exit is an error with its exit status. A nil err says nothing: all is said already.
type exit struct {
	code int
	err  error
}

func (e *exit) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}

func (e *exit) Unwrap() error { return e.err }

func usage(format string, args ...any) error { return &exit{exitUsage, fmt.Errorf(format, args...)} }

// run runs one command line and returns the exit status.
func run(ctx context.Context, a app, args []string) int {
	a.errOut = &oneAtATime{w: a.errOut}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.errOut)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	code := exitUsage
	if e, ok := errors.AsType[*exit](err); ok {
		code = e.code
		err = e.err
	} else if p, ok := errors.AsType[*till.Problem](err); ok {
		code = problemExit(p)
	}
	if err != nil {
		a.report(err, code)
	}
	return code
}

// problemExit is the exit status of a refusal by the daemon.
func problemExit(p *till.Problem) int {
	switch {
	case p.Status == http.StatusUnauthorized || p.Status == http.StatusForbidden:
		return exitNothingSent
	case p.Code == "busy":
		return exitNothingSent
	case p.Status >= 500:
		return exitUnreachable
	}
	return exitUsage
}

// report says one error: a line for people, with what to do, or an object for programs.
func (a *app) report(err error, code int) {
	p, isProblem := errors.AsType[*till.Problem](err)
	if a.json {
		out := struct {
			Error string `json:"error"`
			Code  string `json:"code,omitempty"`
			Do    string `json:"do,omitempty"`
			Exit  int    `json:"exit"`
		}{Error: err.Error(), Exit: code}
		if isProblem {
			out.Code, out.Do = p.Code, p.Do
		}
		enc := json.NewEncoder(a.errOut)
		enc.SetEscapeHTML(false)
		_ = enc.Encode(out) // strings and a number: only the writing can fail
		return
	}
	text := strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", " ")
	if isProblem && p.Do != "" {
		text += ". " + p.Do
	}
	fmt.Fprintln(a.errOut, "pos: "+text)
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "pos",
		Short: "Take payments, and look into them",
		Long: `pos takes payments through the terminal's daemon, posd, and looks into them.

Exit status: 0 approved or done, 1 declined, 2 wrong usage, 3 cancelled or timed out before anything was sent,
4 the daemon is not reachable, 5 reversed or reversal pending.

The daemon's socket is the one --socket names, else the one TILLWAY_SOCKET names, else run/posd.sock here or beside
the folder of this program, else /run/tillway/posd.sock.`,
		SilenceUsage: true, SilenceErrors: true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.PersistentFlags().BoolVar(&a.json, "json", false, "print one JSON object, for programs")
	root.PersistentFlags().StringVar(&a.socket, "socket", "", "path of the daemon's socket")
	root.SetFlagErrorFunc(flagError)
	root.Args, root.RunE = cobra.ArbitraryArgs, onlyHolds
	for _, g := range []struct {
		id, title string
		commands  []*cobra.Command
	}{
		{"sell", "At the till:", append(a.starting(), a.cancel(), a.signature(), a.agreement(), a.confirmation(), a.pin(), a.receipt(), a.print(), a.drawer(), a.training(), a.settle(), a.reports(), a.login(), a.logout())},
		{"look", "To look into it:", []*cobra.Command{a.status(), a.selftest(), a.queue(), a.show(), a.why(), a.journal(), a.transcript(), a.bundle()}},
		{"run", "To run the terminal:", []*cobra.Command{a.printer(), a.users(), a.ecr(), a.audit(), a.keysCommand(), a.host(), a.readers(), a.printers(), a.provision(), a.backup()}},
		{"support", "When something is wrong:", []*cobra.Command{a.log(), a.supportBundle()}},
		{"setup", "To set the terminal up:", []*cobra.Command{a.tui(), a.setup()}},
		{"develop", "For developers, without the daemon:", []*cobra.Command{a.card(), a.decode(), a.calc()}},
	} {
		root.AddGroup(&cobra.Group{ID: g.id, Title: g.title})
		for _, c := range g.commands {
			c.GroupID = g.id
		}
		root.AddCommand(g.commands...)
	}
	return root
}

// group is a command that only holds others: a word it does not know is an error, not its help.
func group(use, short string, subs ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Args: cobra.ArbitraryArgs, RunE: onlyHolds}
	c.AddCommand(subs...)
	return c
}

func onlyHolds(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return c.Help()
	}
	c.SuggestionsMinimumDistance = 2 // letters
	meant := ""
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		meant = "did you mean " + strings.Join(near, " or ") + "? "
	}
	return usage("%q is no command of %s: %s%s --help shows what there is", args[0], c.CommandPath(), meant, c.CommandPath())
}

// flagError says what is wrong with a flag in words for people, not for programmers.
func flagError(c *cobra.Command, err error) error {
	var unknown interface{ GetSpecifiedShortnames() string }
	var value interface {
		GetValue() string
		Unwrap() error
	}
	switch {
	case errors.As(err, &unknown) && strings.IndexAny(unknown.GetSpecifiedShortnames(), "0123456789.") == 0:
		return usage("-%s: %s takes no number below zero (%s --help shows how)", unknown.GetSpecifiedShortnames(), c.CommandPath(), c.CommandPath())
	case errors.As(err, &value) && errors.Is(value.Unwrap(), strconv.ErrSyntax):
		return usage("%q is no number (%s --help shows how)", value.GetValue(), c.CommandPath())
	}
	return usage("%w (%s --help shows what there is)", err, c.CommandPath())
}

// args demands exactly the arguments that the usage line names.
func args(names ...string) cobra.PositionalArgs {
	return func(c *cobra.Command, got []string) error {
		if len(got) == len(names) {
			return nil
		}
		want := strings.Join(names, " ")
		if want == "" {
			want = "no argument"
		}
		return usage("%s takes %s, and was given %d (%s --help shows how)", c.CommandPath(), want, len(got), c.CommandPath())
	}
}

// printJSON prints one object on one line.
func (a *app) printJSON(v any) error {
	enc := json.NewEncoder(a.out)
	enc.SetEscapeHTML(false) // it goes to a terminal or a program, never into a page
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}

func (a *app) printf(format string, args ...any) { fmt.Fprintf(a.out, format, args...) }

// oneAtATime lets two goroutines write whole lines.
type oneAtATime struct {
	mu sync.Mutex // guards w
	w  io.Writer
}

func (o *oneAtATime) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.w.Write(b)
}
