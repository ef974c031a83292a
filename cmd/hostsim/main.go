// Command hostsim plays acquirer and issuer for a terminal on the same machine: TLS, a dialect of ISO 8583, accounts of test
// cards, a ledger on disk, and test amounts that make it misbehave. It is not a payment host: keys and accounts are published
// test data.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // the host's time zone, also on a machine without a zone database

	"github.com/spf13/cobra"

	"tillway/host"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// errUsage marks errors in how the command was called: exit status 2.
var errUsage = errors.New("wrong usage")

// run is the whole command: 0 done, 1 failed, 2 wrong usage. Errors are one line each.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	cmd := root()
	cmd.SetArgs(args)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	if err := cmd.ExecuteContext(ctx); err != nil {
		_, _ = fmt.Fprintf(stderr, "hostsim: %v\n", err)
		if errors.Is(err, errUsage) {
			return 2
		}
		return 1
	}
	return 0
}

func root() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "hostsim",
		Short: "Play acquirer and issuer for a terminal on this machine",
		Long: `hostsim plays the host that a terminal speaks with: TLS, a dialect of ISO 8583, accounts of test cards with
KWD 1000.000 each, and a ledger. Its books lie in --state/ledger and survive it, with PIN tries, used key serial numbers and session
keys (with --memory they end with it); its certificate authority is kept in --state too, and terminals trust ca.pem there.

Test amounts, read off the last three decimals of a sale (a repeat or a reversal is answered in earnest):
  .0RC  answers with response code RC (10.051 gives 51; .001 and .002 ask to call the bank)
  .010  with --partial: approves half of the amount
  .101  posts, no answer             .102  posts, the answer comes after --late
  .103  posts, then resets the connection in mid-answer
  .104  posts, the answer has a wrong MAC
  .105  posts, the answer has another STAN       .106  posts, the answer comes twice

Response codes of its own: 05 cryptogram wrong or used before, 10 approved for less (--partial), 12 no such transaction here, or
nothing that it could void or complete, 13 amount or currency is not what the chip signed, 14 card not known, 25 nothing to reverse
(an original that comes later is refused) or to void, 30 malformed, 51 balance too low, 54 expired, 55 wrong PIN (it is 1234) with the
tries left, 58 another merchant's terminal or a way of reading that is not taken, 61 and 65 more today than the card may spend, or
more often (--tables), 63 MAC, key serial number or PIN key wrong, 75 PIN tries used up, 76 reversal, void or upload of another card
or amount, 80 batch is closed, 89 terminal not known, 94 STAN used before, 95 totals differ: upload the batch, 96 out of room.`,
		Args:          noArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return serve(cmd.Context(), o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return fmt.Errorf("%w: %w", errUsage, err) })
	f := cmd.Flags()
	f.StringVar(&o.listen, "listen", "127.0.0.1:8583", "address for terminals (TLS)")
	f.StringVar(&o.state, "state", "", "folder for the books and the certificate authority: ca.pem is what terminals trust (required)")
	f.StringVar(&o.http, "http", "", "loopback address for accounts, ledger, messages and connections as JSON, such as "+defaultHTTP)
	f.StringVar(&o.certificate, "certificate", "", "certificate to show in place of the simulator's own (PEM), with --certificate-key: to try what a terminal refuses")
	f.StringVar(&o.certificateKey, "certificate-key", "", "its private key (PEM)")
	f.StringVar(&o.nii, "nii", "", "three digits: messages for another NII, in the TPDU or in field 24, get no answer")
	f.DurationVar(&o.ahead, "ahead", 0, "how far the host's clock is ahead of this machine's; below 0: behind")
	f.StringVar(&o.params, "params", "", "loopback address at which parameter packages are given out over https, under /params/TID")
	f.StringVar(&o.paramsDir, "params-dir", ".", "folder that they lie in, as TID.tillway")
	f.DurationVar(&o.late, "late", defaultLate, "how long the test amount .102 holds its answer back")
	f.StringSliceVar(&o.terminals, "terminal", []string{"TILL0001:KW0000000000001"}, "terminal and its merchant, TID:MID, may be repeated; TID:MID:KEYS where its keys are others than --keys")
	f.StringVar(&o.keys, "keys", keysTDES, "test keys of the terminals: tdes or aes (DUKPT), session, session-aes or session-ecb (a master key, and session keys that the terminal asks for), none; --state/keys has what a terminal loads")
	f.StringVar(&o.mac, "mac", host.MACAlg3, "how messages are authenticated: alg3 (ISO 9797-1 algorithm 3) or cmac")
	f.BoolVar(&o.requireMAC, "require-mac", false, "refuse sales and reversals without a MAC; one that is there is always verified")
	f.BoolVar(&o.noFallback, "no-fallback", false, "refuse the stripe of a chip card also where the terminal says that the chip failed (58)")
	f.StringVar(&o.dialect, "dialect", dialectNAC, "what terminals speak: nac (ISO 8583:1987) or v93 (ISO 8583:1993, numbers packed, no TPDU; response codes are then the action codes of that version)")
	f.StringVar(&o.length, "length", "binary", "how the length before a message is written: binary (two bytes), bcd (two bytes) or ascii (four digits)")
	f.StringVar(&o.counts, "length-counts", "message", "what it counts: message (TPDU and message), body (without the TPDU) or all (the length too)")
	f.StringVar(&o.tables, "tables", "", "TOML file with what merchants pay ([[fee]]: brand, from, basis_points, fixed) and what cards may spend a day ([[limit]]: card, count, sum)")
	f.BoolVar(&o.partial, "partial", false, "terminals take approvals in part: code 10 for what is left on the account")
	f.StringVar(&o.settleAt, "settle-at", "", "time of day, like 23:00, at which the day is ended by itself as hostsim settle ends it")
	f.BoolVar(&o.memory, "memory", false, "keep the books in memory and not in --state/ledger: they end with hostsim")
	f.StringVar(&o.zone, "zone", "Asia/Kuwait", "the host's time zone")
	f.StringVar(&o.logLevel, "log", "info", "what is logged to standard error: debug, info, warn, error")
	for name, short := range map[string]string{
		"accounts":    "List the accounts of a running hostsim",
		"ledger":      "List the postings of a running hostsim",
		"messages":    "List the latest messages of a running hostsim",
		"connections": "List the open connections of a running hostsim",
		"terminals":   "List how the terminals' keys stand at a running hostsim",
	} {
		cmd.AddCommand(listing(name, short))
	}
	cmd.AddCommand(order(), lose())
	cmd.AddCommand(books()...)
	return cmd
}

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%w: %q is no command: see %s --help", errUsage, args[0], cmd.CommandPath())
	}
	return nil
}
