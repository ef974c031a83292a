//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"tillway/device/emulator"
	"tillway/terminal"
)

const gempcTable = `[reader]
driver = "gempc"
port = "/dev/ttyUSB0"`

// twin is the emulated GemPC Twin behind QEMU's USB serial port.
type twin struct {
	*emulator.GemPC
	shop *shop
	line *os.File
}

// plugTwin starts the emulated reader and joins its line with QEMU's.
func (s *shop) plugTwin(ctx context.Context) (*twin, error) {
	link := filepath.Join(s.qemu.Path("twin"))
	g, err := emulator.StartGemPC(emulator.GemPCConfig{Link: link})
	if err != nil {
		return nil, err
	}
	line, err := openRaw(link)
	if err != nil {
		return nil, errors.Join(err, g.Close())
	}
	conn, err := s.qemu.Dial(ctx, "serial")
	if err != nil {
		return nil, errors.Join(err, line.Close(), g.Close())
	}
	var both sync.WaitGroup
	both.Go(func() { _, _ = io.Copy(conn, line) })
	both.Go(func() { _, _ = io.Copy(line, conn) })
	t := &twin{GemPC: g, shop: s, line: line}
	s.plugged = append(s.plugged, func() {
		_ = t.pull() // it may be out already
		_ = conn.Close()
		_ = line.Close()
		_ = g.Close()
		both.Wait()
	})
	return t, t.plug()
}

// plug plugs QEMU's USB serial port in.
func (t *twin) plug() error {
	return t.shop.qemu.Monitor.Add(map[string]any{"driver": "usb-serial", "id": "twin", "bus": "xhci.0", "chardev": "serial", "always-plugged": true})
}

// pull pulls it out.
func (t *twin) pull() error {
	return t.shop.qemu.Monitor.Remove("twin")
}

// openRaw opens a terminal without line editing.
func openRaw(path string) (*os.File, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err == nil {
		t.Iflag, t.Oflag, t.Lflag = 0, 0, 0
		t.Cflag = t.Cflag&^unix.PARENB | unix.CS8 | unix.CREAD | unix.CLOCAL
		err = unix.IoctlSetTermios(fd, unix.TCSETS, t)
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return os.NewFile(uintptr(fd), path), nil
}

// blockCard is the ready credit card with the answer to reset of a card that speaks T=1.
const (
	blockCard    = "credit, T=1"
	blockProfile = `like = "credit"
name = "credit-t1"
note = "of the rig"
atr = "3BE800008131FE4554494C4C5741593180"
`
)

// card is a ready card, or blockCard.
func card(name string) (*emulator.Card, error) {
	var p emulator.Profile
	var err error
	if name == blockCard {
		p, err = emulator.ParseProfile([]byte(blockProfile))
	} else {
		p, err = emulator.Ready(name)
	}
	if err != nil {
		return nil, err
	}
	return emulator.NewCard(p), nil
}

func serialScenarios() []scenario {
	return []scenario{
		{"GemPC Twin on QEMU's USB serial port: a sale, T=0", 30 * time.Second, serialSale},
		{"GemPC Twin on QEMU's USB serial port: the card is pulled before and behind the bank's answer", 30 * time.Second, serialPulled},
		{"GemPC Twin on QEMU's USB serial port: the cable is pulled while a card is awaited, and plugged in again", 30 * time.Second, serialReplug},
		{"GemPC Twin on QEMU's USB serial port: the cable is pulled between two commands", 30 * time.Second, serialCut},
		{"GemPC Twin on QEMU's USB serial port: five replugs", 30 * time.Second, serialReplugs},
	}
}

// atTwin plugs the reader in with a card and has posd run on it.
func atTwin(ctx context.Context, s *shop, name string) (*twin, error) {
	t, err := s.plugTwin(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.terminal(ctx, gempcTable); err != nil {
		return nil, err
	}
	if err := s.sees(ctx, true, ""); err != nil || name == "" {
		return t, err
	}
	c, err := card(name)
	if err != nil {
		return nil, err
	}
	return t, t.Insert(c)
}

func serialSale(ctx context.Context, s *shop) error {
	t, err := atTwin(ctx, s, "credit")
	if err != nil {
		return err
	}
	if err := s.sell(ctx, "10.525", approved, nil); err != nil {
		return err
	}
	return t.Remove()
}

func serialPulled(ctx context.Context, s *shop) error {
	t, err := atTwin(ctx, s, "credit")
	if err != nil {
		return err
	}
	if err := s.sell(ctx, "1.201", pulledEarly, nil); err != nil {
		return err
	}
	c, err := card("credit")
	if err != nil {
		return err
	}
	if err := t.Insert(c); err != nil {
		return err
	}
	return s.sell(ctx, "1.202", pulledLate, nil)
}

func serialReplug(ctx context.Context, s *shop) error {
	t, err := atTwin(ctx, s, "")
	if err != nil {
		return err
	}
	return s.sell(ctx, "6.500", approved, func(ctx context.Context) error {
		if err := s.inState(ctx, terminal.AwaitCard); err != nil {
			return err
		}
		if err := t.pull(); err != nil {
			return err
		}
		if err := s.sees(ctx, false, "/dev/ttyUSB0"); err != nil {
			return err
		}
		if err := t.plug(); err != nil {
			return err
		}
		if err := s.sees(ctx, true, ""); err != nil {
			return err
		}
		c, err := card("credit")
		if err != nil {
			return err
		}
		return t.Insert(c)
	})
}

// serialCut pulls the cable when the card has answered five commands.
func serialCut(ctx context.Context, s *shop) error {
	t, err := atTwin(ctx, s, "")
	if err != nil {
		return err
	}
	c, err := card("credit")
	if err != nil {
		return err
	}
	if err := s.sell(ctx, "6.700", pulledEarly, func(ctx context.Context) error {
		if err := s.inState(ctx, terminal.AwaitCard); err != nil {
			return err
		}
		cut := cutter(c, 5)
		if err := t.Insert(cut); err != nil {
			return err
		}
		if err := cut.wait(ctx); err != nil {
			return err
		}
		return t.pull()
	}); err != nil {
		return err
	}
	return s.sees(ctx, false, "/dev/ttyUSB0")
}

func serialReplugs(ctx context.Context, s *shop) error {
	t, err := atTwin(ctx, s, "")
	if err != nil {
		return err
	}
	return s.replugs(ctx, 5, t.pull, t.plug, "/dev/ttyUSB0")
}
