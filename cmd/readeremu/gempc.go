package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"

	"github.com/spf13/cobra"

	"tillway/device/emulator"
)

type gempcFlags struct {
	link, card, hand, control, script, stripe string
	verbose                                   bool
}

func gempcCommand() *cobra.Command {
	var f gempcFlags
	cmd := &cobra.Command{
		Use:   "gempc --link PATH",
		Short: "a serial GemPC Twin on a pseudo-terminal, until it is stopped",
		Long: "Plays a serial GemPC Twin on a pseudo-terminal, with a test card in its slot, until it is stopped.\n\n" +
			"PATH becomes the reader's serial port. Orders come from a script, one a line, or from\n" +
			"\"readeremu ctl\" through the control socket:\n\n" + orders,
		Args: atMost(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runGemPC(cmd.Context(), f, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.link, "link", "", "path of the serial port to make (required)")
	fl.StringVar(&f.card, "card", "credit", "card in the slot at the start: a name of \"readeremu cards\", a profile's file, or none")
	fl.StringVar(&f.hand, "hand", "still", "the customer: still, or auto (takes the card out after a sale and puts it back)")
	fl.StringVar(&f.control, "control", "", "control address: a socket's path or 127.0.0.1:PORT (default: PATH of the link and .ctl)")
	fl.StringVar(&f.stripe, "stripe", "", "path of the serial port of a stripe reader to make beside it; default: none")
	fl.StringVar(&f.script, "script", "", "file of orders to carry out from the start")
	fl.BoolVarP(&f.verbose, "verbose", "v", false, "say what happens, exchange by exchange")
	return cmd
}

// runGemPC runs the reader until the context ends.
func runGemPC(ctx context.Context, f gempcFlags, out, errs io.Writer) (err error) {
	hands := map[string]emulator.Hand{"still": emulator.StillHand(), "auto": emulator.AutoHand()}
	hand, known := hands[f.hand]
	if f.link == "" || !known {
		return usageError{errors.New("--link PATH is needed, and --hand is still or auto")}
	}
	if f.control == "" {
		f.control = f.link + ".ctl"
	}
	script, err := readScript(f.script)
	if err != nil {
		return err
	}
	d := &desk{log: &exchangeLog{}, cards: map[string]*emulator.Card{}}
	cfg := emulator.GemPCConfig{Link: f.link, Hand: hand, Watch: d.log.add}
	if f.verbose {
		cfg.Log = slog.New(slog.NewTextHandler(errs, nil))
		cfg.Watch = func(line string) { d.log.add(line); cfg.Log.Info(line) }
	}
	if f.card != "none" {
		c, err := d.card(f.card)
		if err != nil {
			return err
		}
		cfg.Card = c
	}
	if d.reader, err = emulator.StartGemPC(cfg); err != nil {
		return err
	}
	if f.stripe != "" {
		if d.stripe, err = emulator.StartStripe(f.stripe); err != nil {
			return errors.Join(err, d.reader.Close())
		}
		defer func() { err = errors.Join(err, d.stripe.Close()) }()
	}
	err = d.serve(ctx, f, script, out)
	return errors.Join(err, d.reader.Close())
}

// serve answers the control socket and plays the script. An error of either ends both.
func (d *desk) serve(ctx context.Context, f gempcFlags, script string, out io.Writer) error {
	listener, err := listen(ctx, f.control)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var running sync.WaitGroup
	running.Go(func() { cancel(serveControl(ctx, listener, d)) })
	_, _ = fmt.Fprintf(out, "readeremu: GemPC Twin ready at %s (card %s, hand %s, control %s)\n", f.link, f.card, f.hand, f.control)
	if script != "" {
		running.Go(func() {
			if err := d.play(ctx, script); err != nil {
				cancel(err)
			}
		})
	}
	<-ctx.Done()
	running.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func readScript(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	b, err := readBounded(path)
	if err != nil {
		return "", fmt.Errorf("script: %w", err)
	}
	return string(b), nil
}
