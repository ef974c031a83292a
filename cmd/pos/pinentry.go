package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"tillway/terminal"
)

func (a *app) pin() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use: "pin", Short: "Type the PIN of a payment that was begun elsewhere, in development", Args: cobra.NoArgs,
		Long: `pin waits until a payment asks for a PIN that is typed on this machine ([pin] on_screen, for development), and takes it, key by key,
past the daemon; again where the PIN was wrong, until the payment has ended. It is for payments that were begun at the cashier's screen
or by a cash register: pos sale asks by itself. Ctrl-C ends it; a PIN that is being typed is cancelled.`,
		Example: "  pos pin",
		RunE: func(c *cobra.Command, _ []string) error {
			cl := a.client()
			defer cl.close()
			s := &selling{app: a, client: cl, pinFile: file}
			return s.typePINs(c.Context())
		},
	}
	c.Flags().StringVar(&file, "pin-file", "", "the PIN and a line end, from this file or - for standard input, instead of the keyboard")
	return c
}

// typePINs serves the PIN entries of one payment, the one that runs or the next that asks, until it has ended.
func (s *selling) typePINs(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	interrupts := make(chan os.Signal, 1)
	s.app.notify(interrupts)
	s.entry.Go(func() {
		select {
		case <-interrupts:
			stop()
		case <-ctx.Done():
		}
	})
	defer func() {
		stop()
		s.entry.Wait()
		if s.source != nil {
			s.source.close()
		}
	}()
	for after := uint64(0); ; {
		var snap terminal.Snapshot
		if err := s.client.watch(ctx, fmt.Sprintf("/v1/watch?after=%d", after), &snap); err != nil {
			if ctx.Err() != nil {
				return nil //nolint:nilerr // somebody has ended it
			}
			return err
		}
		if after == 0 && (snap.PIN == nil || snap.PIN.Socket == "") {
			s.app.tell("No payment asks for a PIN yet: waiting for one (Ctrl-C ends it).")
		}
		after = snap.Version
		if s.id != 0 && (snap.Sale != s.id || snap.State.Final()) {
			return nil
		}
		if snap.PIN == nil || snap.PIN.Socket == "" || snap.PIN.Entry == s.entered {
			continue
		}
		s.id, s.entered = snap.Sale, snap.PIN.Entry
		if err := s.enterPIN(ctx, snap.PIN.Socket); err != nil && ctx.Err() == nil {
			return fmt.Errorf("the PIN cannot be entered here: %w", err)
		}
	}
}
