package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"

	"tillway/device"
	"tillway/device/hid"
	"tillway/device/secure"
	"tillway/device/stripehid"
	"tillway/device/swipe"
	"tillway/device/usb"
)

// stripeConfig is the reader of stripes beside the one of chips.
type stripeConfig struct {
	Driver string   `toml:"driver"`
	Port   string   `toml:"port"`
	Baud   int      `toml:"baud"`
	IDs    []hid.ID `toml:"ids"`
}

// textDriver is the driver of serial readers that send text.
const textDriver = "text"

// wanted says that there is a reader: one on a serial line has to be named, one on USB is found by its ids.
func (c stripeConfig) wanted() bool { return c.Driver != textDriver || c.Port != "" }

// check refuses what can never work, and what would bring real cards in clear.
func (c stripeConfig) check(development bool) error {
	switch {
	case c.Driver != textDriver && c.Driver != "magtek" && c.Driver != "idtech":
		return fmt.Errorf("reader.stripe.driver %q is not known: this release drives text (a serial line), magtek and idtech (USB)", c.Driver)
	case c.Baud < 300 || c.Baud > 115200:
		return fmt.Errorf("reader.stripe.baud %d is no speed of a serial line: the reader's manual says which, mostly 9600", c.Baud)
	case c.Driver == textDriver && len(c.IDs) > 0:
		return errors.New(`reader.stripe.ids are of readers on USB: write driver = "magtek" or "idtech", or take them out`)
	case c.Driver == textDriver && isID(c.Port):
		return fmt.Errorf(`reader.stripe.port %q is the ids of a reader on USB: write driver = "magtek" or "idtech" too`, c.Port)
	case c.Driver != textDriver && strings.HasPrefix(c.Port, "/dev/tty"):
		return fmt.Errorf(`reader.stripe.port %q is a serial port, and driver = %q is of readers on USB: leave it out, or write ids like "0801:0002" or /dev/hidraw0`, c.Port, c.Driver)
	case c.Driver == textDriver && c.Port != "" && !development:
		return errors.New(`reader.stripe reads cards in clear (driver = "text"), which is for tests: use a reader that enciphers (driver = "magtek" or "idtech"), or set development = true`)
	}
	return nil
}

// isID says that a port is written like the ids of a USB device.
func isID(port string) bool {
	_, err := usb.ParseID(port)
	return err == nil
}

// resolve makes a path in the port absolute; ids of a reader on USB are no path.
func (c *stripeConfig) resolve(folder string) {
	ids := c.Driver != textDriver && !strings.Contains(c.Port, "/")
	if c.Port != "" && !ids && !filepath.IsAbs(c.Port) {
		c.Port = filepath.Join(folder, c.Port)
	}
}

// openStripe is the reader of stripes beside the chip's; nil where the config names none. What it enciphered goes to the module.
func openStripe(c config, module secure.Swipes, log *slog.Logger) (device.Reader, error) {
	s := c.Reader.Stripe
	switch {
	case !s.wanted():
		return nil, nil //nolint:nilnil // none is what was asked for
	case s.Driver == textDriver:
		log.Warn("stripes are read in clear: every sale of one is marked as a TEST")
		return swipe.Open(swipe.Config{Port: s.Port, Baud: s.Baud, Log: log})
	}
	return stripehid.Open(stripehid.Config{
		Maker: s.Driver, Port: s.Port, Also: s.IDs, Clear: c.Development, Log: log, Decipher: decipherOf(module),
	})
}

// decipherOf is the module in the driver's words.
func decipherOf(module secure.Swipes) func(context.Context, stripehid.Enciphered) ([][]byte, error) {
	return func(ctx context.Context, e stripehid.Enciphered) ([][]byte, error) {
		variant := secure.SwipeDataKey
		if e.PINKey {
			variant = secure.SwipePINKey
		}
		blocks, err := module.DecipherSwipe(ctx, secure.EncipheredSwipe{KSN: e.KSN, Variant: variant, Blocks: e.Blocks})
		if errors.Is(err, secure.ErrUsage) {
			err = fmt.Errorf("%w (%w)", stripehid.ErrKey, err)
		}
		return blocks, err
	}
}
