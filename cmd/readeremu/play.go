package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"

	"github.com/spf13/pflag"

	"tillway/device/emulator"
)

// playFlags are those of every command that plays a reader.
type playFlags struct {
	card, hand, control, script, page string
	faults                            []string
	verbose                           bool
}

func (f *playFlags) add(fl *pflag.FlagSet, control string) {
	fl.StringVar(&f.card, "card", "credit", "card in the slot at the start: a name of \"readeremu cards\", a profile's file, or none")
	fl.StringVar(&f.hand, "hand", "still", "the customer: still, or auto (takes the card out after a sale and puts it back)")
	fl.StringVar(&f.control, "control", "", "control address: a socket's path or 127.0.0.1:PORT (default: "+control+")")
	fl.StringVar(&f.page, "page", "", "address of the local page, 127.0.0.1:PORT (default: none)")
	fl.StringVar(&f.script, "script", "", "file of orders to carry out from the start")
	fl.StringArrayVar(&f.faults, "fault", nil, "order a fault before anything else: \"KIND N\" or \"KIND @N\" as the order fault, or the order usb; may be repeated")
	fl.BoolVarP(&f.verbose, "verbose", "v", false, "say what happens, exchange by exchange")
}

// player is what a command needs to start its reader: everything but the wire.
type player struct {
	*desk
	flags  playFlags
	hand   emulator.Hand
	first  emulator.Chip // in the slot from the start; nil: none
	log    *slog.Logger  // nil: quiet
	script string
}

// newPlayer checks the flags and loads what they name.
func newPlayer(f playFlags, errs io.Writer) (*player, error) {
	hands := map[string]emulator.Hand{"still": emulator.StillHand(), "auto": emulator.AutoHand()}
	hand, known := hands[f.hand]
	if !known {
		return nil, usageError{errors.New("--hand is still or auto")}
	}
	script, err := readScript(f.script)
	if err != nil {
		return nil, err
	}
	p := &player{desk: newDesk(), flags: f, hand: hand, script: script}
	if f.verbose {
		p.log = slog.New(slog.NewTextHandler(errs, nil))
	}
	if f.card == "none" {
		return p, nil
	}
	c, err := p.card(f.card)
	if err != nil {
		return nil, err
	}
	p.first = c
	return p, nil
}

// watch is told each exchange with the card.
func (p *player) watch(line string) {
	p.desk.log.add(line)
	if p.log != nil {
		p.log.Info(line)
	}
}

// serve answers control socket and page and plays the script, until the context or one of them ends; then it ends the others.
func (p *player) serve(ctx context.Context, out io.Writer, ready string, more ...func(context.Context) error) error {
	for _, f := range p.flags.faults {
		if !strings.HasPrefix(f, "usb ") {
			f = "fault " + f
		}
		if err := p.do(ctx, f); err != nil {
			return fmt.Errorf("--fault: %w", err)
		}
	}
	listener, err := listen(ctx, p.flags.control)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel(nil)
	start := func(part func(context.Context) error) {
		running.Go(func() {
			if err := part(ctx); err != nil {
				cancel(err)
			}
		})
	}
	start(func(ctx context.Context) error { return serveControl(ctx, listener, p.desk) })
	if p.flags.page != "" {
		page, err := listenPage(ctx, p.flags.page)
		if err != nil {
			return err
		}
		start(func(ctx context.Context) error { return servePage(ctx, page, p.desk) })
		ready += fmt.Sprintf("; page http://%s/", page.Addr())
	}
	for _, part := range more {
		start(part)
	}
	_, _ = fmt.Fprintf(out, "readeremu: %s\n", ready)
	if p.script != "" {
		start(func(ctx context.Context) error { return p.play(ctx, p.script) })
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
