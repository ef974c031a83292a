// Command deb makes what a release is given out as: Debian packages of programs that were built before, their list of parts (SBOM), and
// signatures of checksums. It is a module of its own, so that what it takes for that is no part of a terminal's programs.
//
// The same files and times give the same bytes: nothing here asks for the time, the user or the machine.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "deb:", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("say what to do: package, sbom, keygen, sign or verify, each with --help")

func run(args []string, out io.Writer) error {
	if len(args) == 0 {
		return errUsage
	}
	set := flag.NewFlagSet("deb "+args[0], flag.ContinueOnError)
	var act func() error
	switch args[0] {
	case "package":
		act = packageCommand(set, out)
	case "sbom":
		act = sbomCommand(set, out)
	case "keygen", "sign", "verify":
		act = signCommand(args[0], set, out)
	default:
		return fmt.Errorf("%q: %w", args[0], errUsage)
	}
	if err := set.Parse(args[1:]); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	if set.NArg() > 0 {
		return fmt.Errorf("%q is one word too many", set.Arg(0))
	}
	return act()
}
