//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"tillway/device/emulator/usbip"
	"tillway/device/emulator/usbreader"
	"tillway/device/emulator/virtualusb"
)

// cable is one of our USB devices, and its way into the guest.
type cable struct {
	shop     *shop
	exported *usbip.Device
	function virtualusb.Function

	mu       sync.Mutex
	conn     io.Closer // nil: pulled
	carrying sync.WaitGroup
}

// connect is a cable that is not plugged in yet.
func (s *shop) connect(f virtualusb.Function) (*cable, error) {
	d, err := usbip.NewDevice("1-1", f)
	if err != nil {
		return nil, err
	}
	c := &cable{shop: s, exported: d, function: f}
	s.plugged = append(s.plugged, func() { _ = c.pull() }) // it may be out already
	return c, nil
}

// plug plugs the device into the guest and carries it until the cable is pulled.
func (c *cable) plug(ctx context.Context) error {
	controller, err := c.exported.Plug()
	if err != nil {
		return err
	}
	conn, err := c.shop.Plug(ctx, controller.Speed())
	if err != nil {
		controller.Disconnect()
		return err
	}
	c.mu.Lock()
	c.conn = conn
	c.mu.Unlock()
	c.carrying.Go(func() {
		defer controller.Disconnect()
		if err := usbip.Carry(context.WithoutCancel(ctx), conn, controller); err != nil && !errors.Is(err, io.ErrClosedPipe) && !errors.Is(err, net.ErrClosed) {
			c.shop.complain(fmt.Errorf("USB/IP: %w", err))
		}
	})
	return nil
}

var errPulled = errors.New("the cable is out already") //nolint:gochecknoglobals // a constant, but for Go

// pull pulls the cable, whatever goes over it, and waits until nobody carries the device any more.
func (c *cable) pull() error {
	c.mu.Lock()
	conn := c.conn
	c.conn = nil
	c.mu.Unlock()
	if conn == nil {
		return errPulled
	}
	err := conn.Close()
	c.carrying.Wait()
	return err
}

// ours is our emulated reader on its cable.
type ours struct {
	*usbreader.Reader
	*cable
}

// plugOurs plugs our reader in, with a card or empty.
func (s *shop) plugOurs(ctx context.Context, cfg usbreader.Config, name string) (*ours, error) {
	r := &ours{}
	cfg.Unplug = func() { _ = r.pull() }
	var err error
	if r.Reader, err = usbreader.New(cfg); err != nil {
		return nil, err
	}
	if r.cable, err = s.connect(r.Reader); err != nil {
		return nil, err
	}
	if name != "" {
		c, err := card(name)
		if err != nil {
			return nil, err
		}
		r.Insert(c)
	}
	return r, r.plug(ctx)
}

// oracle has Debian's programs read our reader at every level: they were written by others, from the specification.
func oracle(ctx context.Context, s *shop) error {
	if err := s.stop(ctx); err != nil {
		return err
	}
	for _, level := range usbreader.Levels() {
		for _, name := range []string{"credit", "debit"} {
			if err := s.read(ctx, level, name); err != nil {
				return fmt.Errorf("%s, card %s: %w", level, name, err)
			}
		}
	}
	return nil
}

// read is one card in our reader, read by opensc-tool through pcscd and libccid: its answer to reset, and the payment system environment.
func (s *shop) read(ctx context.Context, level usbreader.Level, name string) error {
	r, err := s.plugOurs(ctx, usbreader.Config{Level: level}, name)
	if err != nil {
		return err
	}
	if err := s.pcscd(ctx); err != nil {
		return err
	}
	c, err := card(name)
	if err != nil {
		return err
	}
	// SELECT 1PAY.SYS.DDF01; the tool prints sixteen bytes a line, so that the end of the name stands in the next.
	want := []string{fmt.Sprintf("%x", c.ATR()), "84 0E 31 50 41 59 2E 53 59 53 2E"}
	if err := s.opensc(ctx, want, "--atr", "--send-apdu", "00:A4:04:00:0E:31:50:41:59:2E:53:59:53:2E:44:44:46:30:31:00"); err != nil {
		return err
	}
	if err := s.End(ctx, "pcscd", terminate); err != nil {
		return err
	}
	return r.pull()
}

// opensc runs Debian's tool, which has to print all that. It is run again while pcscd has not found the reader.
func (s *shop) opensc(ctx context.Context, want []string, args ...string) error {
	plain := func(s string) string {
		return strings.ToLower(strings.NewReplacer(":", "", " ", "", "\n", "").Replace(s))
	}
	return await(ctx, fmt.Sprintf("opensc-tool says %q", want), func(ctx context.Context) (bool, error) {
		printed, status, err := s.Run(ctx, nil, "", append([]string{"/usr/bin/opensc-tool", "--card-driver", "default"}, args...)...)
		missing := slices.ContainsFunc(want, func(w string) bool { return !strings.Contains(plain(printed), plain(w)) })
		if err == nil && (status != 0 || missing) {
			err = fmt.Errorf("%w: it ended with %d and said: %s", errUnexpected, status, printed)
		}
		return err == nil, err
	})
}

func oracleScenarios() []scenario {
	return []scenario{
		{"Debian's pcscd, libccid and opensc-tool read our reader at TPDU, short and extended APDU level, T=0 and T=1", 60 * time.Second, oracle},
	}
}
