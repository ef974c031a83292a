package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"tillway/device/emulator"
	"tillway/device/emulator/pinpad"
)

type gempcFlags struct {
	playFlags
	pad                  padFlags
	link, stripe, pinpad string
}

func gempcCommand() *cobra.Command {
	var f gempcFlags
	cmd := &cobra.Command{
		Use:     "gempc --link PATH",
		Aliases: []string{"serial"},
		Short:   "a serial GemPC Twin on a pseudo-terminal, until it is stopped",
		Long: "Plays a serial GemPC Twin on a pseudo-terminal, with a test card in its slot, until it is stopped.\n\n" +
			"PATH becomes the reader's serial port. " + ordersComeFrom + orders,
		Args: atMost(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runGemPC(cmd.Context(), f, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.link, "link", "", "path of the serial port to make (required)")
	fl.StringVar(&f.stripe, "stripe", "", "path of the serial port of a stripe reader to make beside it; default: none")
	fl.StringVar(&f.pinpad, "pinpad", "", "path of the serial port of a PIN pad to make beside it; default: none")
	f.pad.add(fl)
	f.add(fl, "PATH of the link and .ctl")
	return cmd
}

// ordersComeFrom stands before the list of orders in every help.
const ordersComeFrom = "Orders come from a script, one a line, from\n" +
	"\"readeremu ctl\" through the control socket, or from the local page (--page):\n\n"

// runGemPC runs the reader until the context ends.
func runGemPC(ctx context.Context, f gempcFlags, out, errs io.Writer) (err error) {
	if f.link == "" {
		return usageError{errors.New("--link PATH is needed")}
	}
	if f.control == "" {
		f.control = f.link + ".ctl"
	}
	p, err := newPlayer(f.playFlags, errs)
	if err != nil {
		return err
	}
	reader, err := emulator.StartGemPC(emulator.GemPCConfig{Link: f.link, Hand: p.hand, Card: p.first, Log: p.log, Watch: p.watch})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, reader.Close()) }()
	p.reader = gempcSlot{reader}
	if f.stripe != "" {
		stripe, err := emulator.StartStripe(f.stripe)
		if err != nil {
			return err
		}
		defer func() { _ = stripe.Close() }()
		p.stripe = stripe
	}
	if f.pinpad != "" {
		cfg, err := f.pad.config()
		if err != nil {
			return usageError{err}
		}
		if p.pad, err = pinpad.Start(f.pinpad, cfg); err != nil {
			return err
		}
		defer func() { _ = p.pad.Close() }()
	}
	return p.serve(ctx, out, fmt.Sprintf("GemPC Twin ready at %s (card %s, hand %s, control %s)", f.link, f.card, f.hand, f.control))
}
