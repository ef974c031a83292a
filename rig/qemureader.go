//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tillway/device/emulator"
	"tillway/device/emulator/usbreader"
	"tillway/rig/qemu"
)

// qemuReader is QEMU's own USB reader (08e6:4433, TPDU level, T=0), with our card behind it.
type qemuReader struct {
	*qemu.Card
	shop *shop
}

// plugQEMU plugs it in, empty.
func (s *shop) plugQEMU(ctx context.Context) (*qemuReader, error) {
	r := &qemuReader{shop: s}
	if err := r.plug(ctx); err != nil {
		return nil, err
	}
	s.plugged = append(s.plugged, func() { _ = r.pull() }) // it may be out already
	return r, nil
}

// plug plugs the reader in, and the card's connection into that.
func (r *qemuReader) plug(ctx context.Context) error {
	m := r.shop.qemu.Monitor
	if err := m.Add(map[string]any{"driver": "usb-ccid", "id": "reader", "bus": "xhci.0"}); err != nil {
		return err
	}
	if err := m.Add(map[string]any{"driver": "ccid-card-passthru", "id": "card", "bus": "reader.0", "chardev": "card"}); err != nil {
		return err
	}
	conn, err := r.shop.qemu.Dial(ctx, "card")
	if err != nil {
		return err
	}
	if r.Card, err = qemu.NewCard(conn); err != nil {
		return errors.Join(err, conn.Close())
	}
	go func() { _ = r.Serve() }() // ends with the connection
	return nil
}

// pull pulls the reader out, with what is in it.
func (r *qemuReader) pull() error {
	return errors.Join(r.shop.qemu.Monitor.Remove("reader"), r.Close())
}

// insert puts a card in. QEMU hands commands over as they come, and so the card shows itself as at T=0.
func (r *qemuReader) insert(c emulator.Chip) error {
	return r.Insert(&pullable{Chip: emulator.Bare(c)})
}

// insertPulled puts a card in that is pulled as soon as it has answered a command of that instruction. QEMU never answers the
// command in which a card is pulled, as real readers do; so it is pulled between two.
func (r *qemuReader) insertPulled(name string, instruction byte) error {
	c, err := card(name)
	if err != nil {
		return err
	}
	return r.Insert(&pullable{Chip: emulator.Bare(c), at: instruction})
}

// pullable is a card that is pulled behind a command.
type pullable struct {
	emulator.Chip
	at   byte // instruction; 0: it stays
	gone bool
}

// Transmit answers as the card does.
func (p *pullable) Transmit(apdu []byte) []byte {
	p.gone = p.at != 0 && len(apdu) > 1 && apdu[1] == p.at
	return p.Chip.Transmit(apdu)
}

// Gone says that it is pulled now.
func (p *pullable) Gone() bool { return p.gone }

// pcscd starts Debian's daemon anew: it finds the readers that are there, because nothing in the guest tells it of others.
func (s *shop) pcscd(ctx context.Context) error {
	if err := await(ctx, "the kernel has found the reader", func(ctx context.Context) (bool, error) {
		found, err := s.Glob(ctx, "/dev/bus/usb/*/*")
		rest, errRest := s.Glob(ctx, "/sys/bus/usb/devices/*:1.0/bInterfaceClass")
		for _, file := range rest {
			class, err := s.Read(ctx, file)
			if err == nil && string(class) == "0b\n" && len(found) > 0 {
				return true, nil
			}
		}
		return false, errors.Join(err, errRest)
	}); err != nil {
		return err
	}
	if err := s.Start(ctx, "pcscd", "/usr/sbin/pcscd", "--foreground", "--info"); err != nil {
		return err
	}
	s.plugged = append(s.plugged, func() { _ = s.End(context.WithoutCancel(ctx), "pcscd", terminate) })
	return await(ctx, "pcscd is ready", func(ctx context.Context) (bool, error) {
		found, err := s.Glob(ctx, "/run/pcscd/pcscd.comm")
		return len(found) > 0, err
	})
}

// pcscTable is posd's driver for a reader that pcscd holds, by a part of the reader's name.
func pcscTable(port string) string {
	return fmt.Sprintf("[reader]\ndriver = \"pcsc\"\nport = %q", port)
}

// pcscSale sells by QEMU's reader through pcscd and its driver: neither wire nor driver is ours, but for posd and the card.
func pcscSale(ctx context.Context, s *shop) error {
	if err := s.stop(ctx); err != nil {
		return err
	}
	r, err := s.plugQEMU(ctx)
	if err != nil {
		return err
	}
	if err := s.atPCSC(ctx, "Gemplus"); err != nil {
		return err
	}
	c, err := card("credit")
	if err != nil {
		return err
	}
	if err := r.insert(c); err != nil {
		return err
	}
	return s.sell(ctx, "10.525", approved, nil)
}

// atPCSC starts pcscd and has posd read through it.
func (s *shop) atPCSC(ctx context.Context, port string) error {
	if err := s.pcscd(ctx); err != nil {
		return err
	}
	if err := s.terminal(ctx, pcscTable(port)); err != nil {
		return err
	}
	return s.sees(ctx, true, "")
}

// pcscPulled pulls cards out of our reader while pcscd has it.
func pcscPulled(ctx context.Context, s *shop) error {
	if err := s.stop(ctx); err != nil {
		return err
	}
	r, err := s.plugOurs(ctx, usbreader.Config{Level: usbreader.ShortAPDU}, "credit")
	if err != nil {
		return err
	}
	if err := s.atPCSC(ctx, "SCM"); err != nil {
		return err
	}
	return r.pulledCards(ctx)
}

// pulledCards sells to a card that is pulled before the bank is asked, and to one that is pulled when it has answered.
func (r *qemuReader) pulledCards(ctx context.Context) error {
	if err := r.insertPulled("credit", getProcessingOptions); err != nil {
		return err
	}
	if err := r.shop.sell(ctx, "1.300", pulledEarly, nil); err != nil {
		return err
	}
	if err := r.insertPulled("credit", externalAuthenticate); err != nil {
		return err
	}
	return r.shop.sell(ctx, "1.400", pulledLate, nil)
}

// Instructions of a card's commands (EMV 4.4 Book 3, table 6; Book 1, table 33).
const (
	getProcessingOptions = 0xA8
	externalAuthenticate = 0x82
)

func pcscScenarios() []scenario {
	return []scenario{
		{"QEMU's USB reader through pcscd and libccid: a sale, T=0", 40 * time.Second, pcscSale},
		{"Our reader through pcscd and libccid: the card is pulled before and behind the bank's answer", 40 * time.Second, pcscPulled},
	}
}
