package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"

	"github.com/spf13/cobra"

	"tillway/device/emulator/escpos"
	"tillway/device/emulator/hidstripe"
	"tillway/device/emulator/usbip"
	"tillway/device/emulator/virtualusb"
)

type usbFlags struct {
	playFlags
	pad                    padFlags
	reader, stripe, listen string
	printer, pinpad        bool
	attach                 bool
	noInterrupt            bool
}

func usbCommand() *cobra.Command {
	var f usbFlags
	cmd := &cobra.Command{
		Use:   "usb",
		Short: "USB devices: a CCID reader, a stripe reader, a printer, a PIN pad; for a real kernel, until it is stopped",
		Long: "Plays USB devices and hands them to a Linux kernel by USB/IP: with --attach to this machine's own\n" +
			"(root, and the module vhci_hcd), else to the usbip tool:\n\n" +
			"  usbip list -r 127.0.0.1 && usbip attach -r 127.0.0.1 -b 1-1\n\n" +
			"The devices are called reader, stripe, printer and pinpad.\n\n" + ordersComeFrom + orders,
		Args: atMost(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runUSB(cmd.Context(), f, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.reader, "reader", "short", "level of the CCID reader: tpdu, short, extended; or none")
	fl.BoolVar(&f.noInterrupt, "no-interrupt", false, "the CCID reader has no interrupt endpoint: it has to be asked whether a card is in")
	fl.StringVar(&f.stripe, "stripe", "", "model of a HID stripe reader: magtek or idtech; default: none")
	fl.BoolVar(&f.pinpad, "pinpad", false, "a PIN pad behind a serial port (CDC-ACM) too")
	f.pad.add(fl)
	fl.BoolVar(&f.printer, "printer", false, "an ESC/POS printer too")
	fl.StringVar(&f.listen, "listen", "127.0.0.1:3240", "where to wait for usbip, a loopback address")
	fl.BoolVar(&f.attach, "attach", false, "plug into this machine's kernel in place of waiting for usbip")
	f.add(fl, "run/usb.ctl")
	return cmd
}

// runUSB runs the devices until the context ends.
func runUSB(ctx context.Context, f usbFlags, out, errs io.Writer) (err error) {
	if host, _, err := net.SplitHostPort(f.listen); err != nil || !loopback(host) {
		return usageError{errors.New("--listen is a loopback address, 127.0.0.1:PORT")}
	}
	if f.control == "" {
		f.control = "run/usb.ctl"
	}
	p, err := newPlayer(f.playFlags, errs)
	if err != nil {
		return err
	}
	var parts []func(context.Context) error
	if f.reader != "none" {
		s, err := newCCIDSlot(p, f)
		if err != nil {
			return usageError{err}
		}
		parts = append(parts, s.move)
	}
	if f.stripe != "" {
		if err := p.addStripe(f.stripe); err != nil {
			return usageError{err}
		}
	}
	if f.printer {
		closing, play, err := p.addPrinter()
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, closing()) }()
		parts = append(parts, play)
	}
	if f.pinpad {
		closing, err := p.addPad(f.pad)
		if err != nil {
			return err
		}
		defer func() { _ = closing() }()
	}
	if len(p.usb) == 0 {
		return usageError{errors.New("nothing to play: --reader, --stripe, --printer or --pinpad")}
	}
	where, carry, err := p.export(ctx, f)
	if err != nil {
		return err
	}
	return p.serve(ctx, out, fmt.Sprintf("USB devices ready %s: %s (card %s, hand %s, control %s)", where, p.usb, f.card, f.hand, f.control), append(parts, carry...)...)
}

// export says how the devices get to a kernel: all to this one, or to who asks.
func (p *player) export(ctx context.Context, f usbFlags) (where string, carry []func(context.Context) error, err error) {
	if f.attach {
		for _, port := range p.usb {
			carry = append(carry, func(ctx context.Context) error { return port.attach(ctx, p.watch) })
		}
		return "in this machine's kernel", carry, nil
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", f.listen)
	if err != nil {
		return "", nil, fmt.Errorf("%w: choose another port with --listen", err)
	}
	serve := func(ctx context.Context) error { return usbip.Serve(ctx, l, p.usb.devices(), p.watch) }
	return "for usbip at " + l.Addr().String(), []func(context.Context) error{serve}, nil
}

// addStripe adds a HID stripe reader whose swipes are in clear.
func (p *player) addStripe(model string) error {
	clear := []hidstripe.Model{hidstripe.SureSwipe, hidstripe.MiniMag}
	if !slices.Contains(clear, hidstripe.Model(model)) {
		return fmt.Errorf("--stripe is one of %q", clear)
	}
	r, err := hidstripe.New(hidstripe.Config{Model: hidstripe.Model(model)})
	if err != nil {
		return err
	}
	p.stripe = r
	return p.usb.add("stripe", r)
}

// addPrinter adds a printer with endless paper.
func (p *player) addPrinter() (closing func() error, play func(context.Context) error, err error) {
	ours, theirs := net.Pipe()
	printer := escpos.New(escpos.Config{Log: p.log})
	id := virtualusb.Identity{Vendor: 0x04B8, Product: 0x0202, Release: 0x0100, Manufacturer: "Tillway", Name: "Virtual ESC/POS printer", SerialNo: "0001"}
	f := virtualusb.StartPrinter(id, "MFG:Tillway;CMD:ESC/POS;MDL:Virtual printer;CLS:PRINTER;", ours)
	p.printer = printer
	play = func(ctx context.Context) error {
		defer context.AfterFunc(ctx, func() { _ = theirs.Close() })()
		return printer.Serve(ctx, theirs)
	}
	return f.Close, play, p.usb.add("printer", f)
}
