// Command readeremu plays the other end of every wire that a reader driver speaks: a serial GemPC Twin on a pseudo-terminal, a
// virtual slot of PC/SC, USB devices for a real kernel, each with a virtual test card in it. Cards are inserted, removed and
// swiped, readers are unplugged and told to misbehave, from its command line, a script, a local control socket or a
// local page. It also offers a card by itself over TCP, for the kernel's developers.
//
// It is a tool for tests and demonstrations; nothing of the terminal depends on it.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// Exit statuses.
const (
	exitDone  = 0
	exitError = 1
	exitUsage = 2
)

// usageError is a command line that makes no sense.
type usageError struct{ error }

func (u usageError) Unwrap() error { return u.error }

func run(ctx context.Context, args []string, out, errs io.Writer) int {
	root := root()
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(errs)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	_, _ = fmt.Fprintln(errs, "readeremu:", err)
	if isUsage(err) {
		return exitUsage
	}
	return exitError
}

// root is the whole command.
func root() *cobra.Command {
	root := &cobra.Command{
		Use:           "readeremu",
		Short:         "virtual card readers and test cards",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.Args = func(_ *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usageError{fmt.Errorf("%q is no command: \"readeremu --help\" lists them", args[0])}
		}
		return nil
	}
	root.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(gempcCommand(), printerCommand(), vpcdCommand(), usbCommand(), cardCommand(), cardsCommand(), ctlCommand())
	return root
}

// atMost takes no more arguments than that.
func atMost(n int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) > n {
			return usageError{fmt.Errorf("%q is one word too many: see \"%s --help\"", args[n], c.CommandPath())}
		}
		return nil
	}
}
