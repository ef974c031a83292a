//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"tillway/device/emulator"
	"tillway/device/emulator/hidstripe"
	"tillway/terminal"
	"tillway/terminal/profile"
)

// stripeScenarios are of stripe readers on USB: the kernel's usbhid and hidraw are between them and posd.
func stripeScenarios() []scenario {
	var all []scenario
	for _, m := range []hidstripe.Model{hidstripe.SureSwipe, hidstripe.MiniMag} {
		all = append(all, scenario{
			fmt.Sprintf("Stripe reader on USB (%s): a sale with signature, and another after a replug", m), 60 * time.Second,
			func(ctx context.Context, s *shop) error { return swiped(ctx, s, m) },
		})
	}
	return all
}

var errProfile = errors.New("the ready profile has changed") //nolint:gochecknoglobals // a constant, but for Go

// stripeShop has posd run with a stripe reader, and a profile that takes stripes and signatures.
func (s *shop) stripeShop(ctx context.Context, maker string) error {
	text, err := profile.Text("kuwait")
	if err != nil {
		return err
	}
	whole := string(text)
	for _, change := range [][2]string{
		{`["online_pin", "no_cvm"]`, `["online_pin", "signature", "no_cvm"]`}, // of the terminal
		{`= ["no_cvm"]`, `= ["signature", "no_cvm"]`},                         // of applications: there is no PIN pad here
		{"\nadditional_capabilities", "\ncard_data_input = [\"chip\", \"stripe\"]\nadditional_capabilities"},
	} {
		if !strings.Contains(whole, change[0]) {
			return fmt.Errorf("%w: no %q", errProfile, change[0])
		}
		whole = strings.ReplaceAll(whole, change[0], change[1])
	}
	if err := s.Write(ctx, "/shop/stripe.toml", 0o600, []byte(whole)); err != nil {
		return err
	}
	if err := s.stop(ctx); err != nil {
		return err
	}
	table := usbTable + "\n[reader.stripe]\ndriver = \"" + maker + "\""
	text = fmt.Appendf(nil, strings.Replace(config, `"kuwait"`, `"stripe.toml"`, 1), table)
	if err := s.Write(ctx, "/shop/posd.toml", 0o600, text); err != nil {
		return err
	}
	if err := s.Start(ctx, "posd", "/bin/posd", "--config", "/shop/posd.toml"); err != nil {
		return err
	}
	s.reader = table
	return s.ready(ctx, "posd")
}

// swiped sells to a card that is swiped, twice, with the cable pulled in between.
func swiped(ctx context.Context, s *shop, m hidstripe.Model) error {
	reader, err := hidstripe.New(hidstripe.Config{Model: m})
	if err != nil {
		return err
	}
	c, err := s.connect(reader)
	if err != nil {
		return err
	}
	if err := c.plug(ctx); err != nil {
		return err
	}
	if err := s.stripeShop(ctx, string(m)); err != nil {
		return err
	}
	for i := range 2 {
		if i > 0 {
			if err := errors.Join(c.pull(), s.logged(ctx, "stripe reader absent", i), c.plug(ctx)); err != nil {
				return err
			}
		}
		if err := s.logged(ctx, "stripe reader open", i+1); err != nil {
			return err
		}
		if err := s.sell(ctx, "4.500", approved, func(ctx context.Context) error { return s.swipeAndSign(ctx, reader) }); err != nil {
			return err
		}
		sale, err := s.lastSale(ctx)
		if err != nil {
			return err
		}
		if sale.Entry != terminal.EnteredStripe || !sale.ClearStripe {
			return fmt.Errorf("%w: entered %q, marked as a test: %t", errUnexpected, sale.Entry, sale.ClearStripe)
		}
	}
	return nil
}

// logged waits until posd has said something so many times.
func (s *shop) logged(ctx context.Context, words string, times int) error {
	return await(ctx, "posd says "+words, func(ctx context.Context) (bool, error) {
		text, err := s.Log(ctx, "posd")
		return strings.Count(text, words) >= times, err
	})
}

// swipeAndSign swipes the card once the terminal waits for one, and has the cashier find the signature right.
func (s *shop) swipeAndSign(ctx context.Context, r *hidstripe.Reader) error {
	if err := s.inState(ctx, terminal.AwaitCard); err != nil {
		return err
	}
	tracks, _, err := emulator.ReadyStripe("stripe")
	if err != nil {
		return err
	}
	if err := r.Swipe(tracks); err != nil {
		return err
	}
	if err := s.inState(ctx, terminal.AgreementOnline); err != nil {
		return err
	}
	now, err := s.status(ctx)
	if err != nil {
		return err
	}
	said, status, err := s.Run(ctx, []string{"TILLWAY_SESSION=/shop/session"}, "", "/bin/pos", "signature", now.Sale.String(), "matches", "--socket", "/shop/posd.sock")
	if err == nil && status != 0 {
		err = fmt.Errorf("%w: pos signature ended with %d: %s", errUnexpected, status, said)
	}
	return err
}
