// Command posd is the terminal: a daemon at the till that reads cards, asks the acquirer, keeps the journal and answers
// pos and the till on a local socket. It has one config file, posd.toml.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	_ "time/tzdata" // the terminal's zone must be there on the smallest machine

	"github.com/spf13/cobra"

	"tillway/emv/contact"
)

// collectAt is by how many per cent of what is in use the heap may grow before it is collected. Less than the usual 100: a till has little memory,
// and allocates little.
const collectAt = 40

func main() {
	if os.Getenv("GOGC") == "" { // who sets it means it
		debug.SetGCPercent(collectAt)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := harden()
	if err == nil {
		err = command(os.Stdout, os.Stderr).ExecuteContext(ctx)
	}
	if err != nil {
		if !errors.Is(err, errFaults) { // the report has said all
			fmt.Fprintln(os.Stderr, "posd:", err)
		}
		os.Exit(exitStatus(err)) //nolint:gocritic // stop has nothing left to do
	}
}

// errUsage marks errors of flags and arguments: exit status 2.
var errUsage = errors.New("see posd --help")

func exitStatus(err error) int {
	if errors.Is(err, errUsage) {
		return 2
	}
	return 1
}

func command(out, errOut io.Writer) *cobra.Command {
	var from source
	c := &cobra.Command{
		Use:     "posd",
		Short:   "the Tillway terminal daemon",
		Long:    "posd is the terminal: it reads cards, asks the acquirer and keeps the journal. It stays in the foreground; SIGTERM\nends it after the sale that is with the bank has its answer. Without acquirer and profile in its config file, or with --state\nin place of one, it waits for a parameter package: pos provision apply.",
		Version: version(),
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("%q is one word too many: %w", args[0], errUsage)
			}
			return nil
		},
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case from.state == "" && from.development:
				return fmt.Errorf("--development goes with --state; a config file says development = true: %w", errUsage)
			case from.state != "" && cmd.Flags().Changed("config"):
				return fmt.Errorf("--state is for a machine without a config file: take --state or --config: %w", errUsage)
			case from.state != "":
				from.path = ""
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			return from.serve(cmd.Context(), out, errOut)
		},
	}
	c.AddCommand(auditCommand(&from, out, errOut), restoreCommand(&from, out), checkCommand(&from, out, errOut), owedCommand(&from, out), dbCommand(&from, out, errOut))
	c.PersistentFlags().StringVar(&from.path, "config", "/etc/tillway/posd.toml", "the config file")
	c.PersistentFlags().StringVar(&from.state, "state", "", "no config file: the state folder; everything else comes in a parameter package")
	c.PersistentFlags().BoolVar(&from.development, "development", false, "with --state: published test keys are allowed; never at a till")
	c.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return fmt.Errorf("%w: %w", err, errUsage) })
	return c
}

// version is the program's own, as the build stamped it, and the kernel's.
func version() string {
	v := "development"
	if b, ok := debug.ReadBuildInfo(); ok && b.Main.Version != "" && b.Main.Version != "(devel)" {
		v = b.Main.Version
	}
	return v + ", kernel " + contact.Version
}
