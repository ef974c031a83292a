package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/spf13/cobra"

	"tillway/device/emulator"
)

type vpcdFlags struct {
	playFlags
	address string
}

func vpcdCommand() *cobra.Command {
	var f vpcdFlags
	cmd := &cobra.Command{
		Use:   "vpcd",
		Short: "a card in a virtual PC/SC slot: pcscd with vsmartcard's vpcd drives it, until it is stopped",
		Long: "Plays a test card in the virtual reader that vsmartcard's vpcd (Debian: vsmartcard-vpcd) adds to pcscd.\n" +
			"A card that goes in dials vpcd; one that is taken out hangs up. vpcd listens to everybody: run pcscd\n" +
			"where nobody else can reach it (unshare -n).\n\n" + ordersComeFrom + orders,
		Args: atMost(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runVPCD(cmd.Context(), f, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVar(&f.address, "connect", "127.0.0.1:35963", "where vpcd listens, a loopback address")
	f.add(cmd.Flags(), "run/vpcd.ctl")
	return cmd
}

// runVPCD runs the slot until the context ends.
func runVPCD(ctx context.Context, f vpcdFlags, out, errs io.Writer) (err error) {
	if host, _, err := net.SplitHostPort(f.address); err != nil || !loopback(host) {
		return usageError{errors.New("--connect is a loopback address, 127.0.0.1:PORT")}
	}
	if f.control == "" {
		f.control = "run/vpcd.ctl"
	}
	p, err := newPlayer(f.playFlags, errs)
	if err != nil {
		return err
	}
	v := emulator.StartVPCD(emulator.VPCDConfig{Address: f.address, Card: p.first, Hand: p.hand, Watch: p.watch})
	defer func() { err = errors.Join(err, v.Close()) }()
	p.reader = vpcdSlot{v, f.address}
	return p.serve(ctx, out, fmt.Sprintf("virtual PC/SC slot ready for vpcd at %s (card %s, hand %s, control %s)", f.address, f.card, f.hand, f.control))
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
