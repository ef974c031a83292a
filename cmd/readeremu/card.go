package main

import (
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/spf13/cobra"

	"tillway/device/emulator"
)

func cardCommand() *cobra.Command {
	var name, addr string
	var verbose, bare bool
	cmd := &cobra.Command{
		Use:   "card --listen 127.0.0.1:PORT",
		Short: "offer one card over TCP, in the vpcd wire protocol, until it is stopped",
		Args:  atMost(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			host, _, err := net.SplitHostPort(addr)
			if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
				return usageError{errors.New("--listen 127.0.0.1:PORT is needed, a loopback address")}
			}
			card, err := loadCard(name)
			if err != nil {
				return err
			}
			var lc net.ListenConfig
			l, err := lc.Listen(cmd.Context(), "tcp", addr)
			if err != nil {
				return fmt.Errorf("%w: choose another port with --listen", err)
			}
			_, _ = fmt.Fprintf(cmd.OutOrStdout(), "readeremu: card %s ready at %s\n", card.Name(), l.Addr())
			var chip emulator.Chip = card
			if bare {
				chip = emulator.Bare(card)
			}
			return emulator.Serve(cmd.Context(), l, chip, tellTo(cmd.ErrOrStderr(), verbose))
		},
	}
	cmd.Flags().StringVar(&addr, "listen", "", "address to listen on, 127.0.0.1:PORT (required; port 0: any)")
	cmd.Flags().StringVar(&name, "card", "credit", "a name of \"readeremu cards\" or a profile's file")
	cmd.Flags().BoolVar(&bare, "bare", false, "answer as at T=0 without a driver: 61xx and 6Cxx are left to the client")
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "say what is exchanged")
	return cmd
}

func tellTo(w io.Writer, verbose bool) func(string) {
	if !verbose {
		return nil
	}
	return func(line string) { _, _ = fmt.Fprintln(w, line) }
}

func isUsage(err error) bool {
	_, ok := errors.AsType[usageError](err)
	return ok
}
