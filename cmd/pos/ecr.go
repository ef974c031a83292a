package main

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tillway/terminal/people"
	"tillway/till"
)

func (a *app) ecr() *cobra.Command {
	return group("ecr", "Cash registers that ask for payments over the network: add, list, rotate, revoke",
		a.ecrAdd(), a.ecrList(), a.ecrRotate(), a.ecrRevoke(), a.ecrNexoKey())
}

func ecrPath(name string, more ...string) string {
	return "/v1/ecrs/" + url.PathEscape(name) + strings.Join(more, "")
}

func (a *app) ecrAdd() *cobra.Command {
	var may []string
	c := &cobra.Command{
		Use: "add NAME", Short: "Add a cash register and print its token, once", Args: args("NAME"),
		Long: `add gives a cash register a name, rights and a token. The token is printed once, on standard output: enter it at the register, and keep
it nowhere else. What the terminal keeps is its SHA-256. Without --may it gets: ` + rights(people.DefaultGrants()) + `.
Only when they are named: unreferenced_refund, forced, settle, queue, send. Never: people, keys, the audit log, writing off, the drawer.`,
		RunE: func(c *cobra.Command, argv []string) error {
			in := till.NewECR{Name: argv[0]}
			for _, m := range may {
				in.May = append(in.May, people.Action(m))
			}
			if err := people.CheckECRName(in.Name); err != nil {
				return usage("%w", err)
			}
			if len(in.May) > 0 {
				if err := people.CheckGrants(in.May); err != nil {
					return usage("%w", err)
				}
			}
			return a.askToken(c, "/v1/ecrs", in)
		},
	}
	c.Flags().StringSliceVar(&may, "may", nil, "what it may do, separated by commas, in place of the usual rights")
	return c
}

func rights(may []people.Action) string {
	text := make([]string, len(may))
	for i, m := range may {
		text[i] = string(m)
	}
	return strings.Join(text, ", ")
}

// askToken asks for something whose answer has a token, and prints that: alone on standard output, so that it can be piped.
func (a *app) askToken(c *cobra.Command, path string, body any) error {
	cl := a.client()
	defer cl.close()
	var out till.ECRToken
	if err := cl.post(c.Context(), path, body, &out); err != nil {
		return err
	}
	if a.json {
		return a.printJSON(out)
	}
	fmt.Fprintf(a.errOut, "%s may: %s\nIts token is shown this once:\n", oneLine(out.Name), rights(out.May))
	a.printf("%s\n", out.Token)
	return nil
}

func (a *app) ecrList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List cash registers, their rights and nexo keys", Args: args(),
		RunE: func(c *cobra.Command, _ []string) error {
			cl := a.client()
			defer cl.close()
			var all till.ECRs
			if err := cl.get(c.Context(), "/v1/ecrs", &all); err != nil {
				return err
			}
			if a.json {
				return a.printJSON(all)
			}
			for _, e := range all.ECRs {
				a.printECR(e)
			}
			return nil
		},
	}
}

func (a *app) printECR(e till.ECR) {
	state := ""
	switch {
	case e.Revoked:
		state = "  REVOKED"
	case e.OldUntil.After(time.Now()):
		state = "  old token until " + e.OldUntil.Format(clockLayout)
	}
	a.printf("%-24s  added %s  changed %s%s\n", oneLine(e.Name), e.Added.Format(time.DateOnly), e.Changed.Format(time.DateOnly), state)
	a.printf("    may: %s\n", oneLine(rights(e.May)))
	for _, k := range e.NexoKeys {
		state := "in force"
		if !k.Retired.IsZero() {
			state = "retired " + k.Retired.Format(time.DateOnly)
		}
		a.printf("    nexo key %s version %d: added %s, %s\n", oneLine(e.Name), k.Version, k.Added.Format(time.DateOnly), state)
	}
}

func (a *app) ecrRotate() *cobra.Command {
	var overlap time.Duration
	c := &cobra.Command{
		Use: "rotate NAME", Short: "Give a cash register a new token and print it, once", Args: args("NAME"),
		Long: `rotate gives a cash register a new token. The one before ends at once, and what it has open is closed; with --overlap it is taken so
long beside the new one, so that the register can be changed over without a gap.`,
		RunE: func(c *cobra.Command, argv []string) error {
			var in till.RotateECR
			if overlap != 0 {
				in.Overlap = overlap.String()
			}
			return a.askToken(c, ecrPath(argv[0], "/rotate"), in)
		},
	}
	c.Flags().DurationVar(&overlap, "overlap", 0, "how long the token before is still taken, like 24h; at most 720h")
	return c
}

func (a *app) ecrRevoke() *cobra.Command {
	return &cobra.Command{
		Use: "revoke NAME", Short: "End a cash register's access, at once and for good", Args: args("NAME"),
		RunE: func(c *cobra.Command, argv []string) error { return a.changeECR(c, ecrPath(argv[0], "/revoke")) },
	}
}

// changeECR asks for a change and prints the register as it is now.
func (a *app) changeECR(c *cobra.Command, path string) error {
	cl := a.client()
	defer cl.close()
	var e till.ECR
	if err := cl.post(c.Context(), path, struct{}{}, &e); err != nil {
		return err
	}
	if a.json {
		return a.printJSON(e)
	}
	a.printECR(e)
	return nil
}

func (a *app) ecrNexoKey() *cobra.Command {
	var retire int
	var typed bool
	c := &cobra.Command{
		Use: "nexo-key NAME", Short: "Give a cash register a passphrase for enciphered nexo messages, or retire one", Args: args("NAME"),
		Long: `nexo-key makes a passphrase and prints it, once; with --typed it asks for yours without showing it. The register enters it with NAME as
its KeyIdentifier and the version as its KeyVersion. Versions count from 1; up to four are in force at a time, so that a register
can change from one to the next. --retire VERSION ends one.`,
		RunE: func(c *cobra.Command, argv []string) error {
			if c.Flags().Changed("retire") {
				return a.changeECR(c, ecrPath(argv[0], "/nexo-keys/", fmt.Sprint(retire), "/retire"))
			}
			var in till.NewNexoKey
			if typed {
				text, err := a.newSecret("the nexo key of " + argv[0])
				if err != nil {
					return usage("%w", err)
				}
				defer clear(text)
				in.Passphrase = string(text)
			}
			cl := a.client()
			defer cl.close()
			var out till.NexoKeyMade
			if err := cl.post(c.Context(), ecrPath(argv[0], "/nexo-keys"), in, &out); err != nil {
				return err
			}
			if a.json {
				return a.printJSON(out)
			}
			fmt.Fprintf(a.errOut, "KeyIdentifier %s, KeyVersion %d\n", oneLine(out.KeyIdentifier), out.KeyVersion)
			if out.Passphrase != "" {
				fmt.Fprintln(a.errOut, "Its passphrase is shown this once:")
				a.printf("%s\n", out.Passphrase)
			}
			return nil
		},
	}
	c.Flags().IntVar(&retire, "retire", 0, "end this version")
	c.Flags().BoolVar(&typed, "typed", false, "ask for the passphrase in place of making one")
	c.MarkFlagsMutuallyExclusive("retire", "typed")
	return c
}
