//go:build linux

package main

import (
	"context"
	"fmt"
	"time"

	"tillway/device/emulator"
	"tillway/device/emulator/usbreader"
	"tillway/terminal"
)

// usbTable is posd's own driver, for any reader that is plugged in: QEMU's is not one of those that it knows by itself.
const usbTable = `[reader]
driver = "usb"
port = ""
allow = ["08e6:4433"]`

func ccidScenarios() []scenario {
	all := []scenario{
		{"QEMU's USB reader: a sale, T=0", 40 * time.Second, qemuSale},
		{"QEMU's USB reader: the card is pulled before and behind the bank's answer", 40 * time.Second, qemuPulled},
		{"QEMU's USB reader: unplugged while a card is awaited, and plugged in again", 40 * time.Second, qemuReplug},
		{"QEMU's USB reader: unplugged within a command", 40 * time.Second, qemuCut},
	}
	for _, level := range usbreader.Levels() {
		all = append(all,
			scenario{fmt.Sprintf("Our reader at %s level: sales, T=0 and T=1", level), 40 * time.Second, func(ctx context.Context, s *shop) error { return oursSale(ctx, s, level) }},
			scenario{fmt.Sprintf("Our reader at %s level: the card is pulled before and behind the bank's answer", level), 40 * time.Second, func(ctx context.Context, s *shop) error { return oursPulled(ctx, s, level) }},
			scenario{fmt.Sprintf("Our reader at %s level: unplugged within a command, and behind the bank's answer", level), 40 * time.Second, func(ctx context.Context, s *shop) error { return oursCut(ctx, s, level) }},
		)
	}
	return append(all,
		scenario{"Our reader: a card that is mute, then one that is not", 40 * time.Second, oursMute},
		scenario{"Our reader: replugged again and again", 90 * time.Second, oursReplugs},
		scenario{"USB devices that describe themselves wrongly are refused, each with its reason, and the next reader works", 60 * time.Second, hostile},
	)
}

// atQEMU plugs QEMU's reader in and has posd read it.
func atQEMU(ctx context.Context, s *shop) (*qemuReader, error) {
	r, err := s.plugQEMU(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.terminal(ctx, usbTable); err != nil {
		return nil, err
	}
	return r, s.sees(ctx, true, "")
}

func qemuSale(ctx context.Context, s *shop) error {
	r, err := atQEMU(ctx, s)
	if err != nil {
		return err
	}
	c, err := card("credit")
	if err != nil {
		return err
	}
	if err := r.insert(c); err != nil {
		return err
	}
	if err := s.sell(ctx, "10.525", approved, nil); err != nil {
		return err
	}
	return r.Remove()
}

func qemuPulled(ctx context.Context, s *shop) error {
	r, err := atQEMU(ctx, s)
	if err != nil {
		return err
	}
	return r.pulledCards(ctx)
}

// goneWords is what the status has to say of a reader that is not there.
const goneWords = "plugged in"

func qemuReplug(ctx context.Context, s *shop) error {
	r, err := atQEMU(ctx, s)
	if err != nil {
		return err
	}
	return s.sell(ctx, "6.500", approved, func(ctx context.Context) error {
		if err := s.inState(ctx, terminal.AwaitCard); err != nil {
			return err
		}
		if err := s.replug(ctx, r.pull, func() error { return r.plug(ctx) }, goneWords); err != nil {
			return err
		}
		c, err := card("credit")
		if err != nil {
			return err
		}
		return r.insert(c)
	})
}

func qemuCut(ctx context.Context, s *shop) error {
	r, err := atQEMU(ctx, s)
	if err != nil {
		return err
	}
	return s.cut(ctx, pulledEarly, 5, r.insert, r.pull)
}

// cut sells, lets the card fall silent within a command, and pulls the cable while the terminal waits for its answer.
func (s *shop) cut(ctx context.Context, want result, after int, insert func(emulator.Chip) error, pull func() error) error {
	c, err := card("credit")
	if err != nil {
		return err
	}
	silent := cutter(c, after)
	if err := s.sell(ctx, "6.700", want, func(ctx context.Context) error {
		if err := s.inState(ctx, terminal.AwaitCard); err != nil {
			return err
		}
		if err := insert(silent); err != nil {
			return err
		}
		if err := silent.wait(ctx); err != nil {
			return err
		}
		return pull()
	}); err != nil {
		return err
	}
	return s.sees(ctx, false, goneWords)
}

// atOurs plugs our reader in and has posd read it.
func atOurs(ctx context.Context, s *shop, cfg usbreader.Config, name string) (*ours, error) {
	r, err := s.plugOurs(ctx, cfg, name)
	if err != nil {
		return nil, err
	}
	if err := s.terminal(ctx, usbTable); err != nil {
		return nil, err
	}
	return r, s.sees(ctx, true, "")
}

// insert puts a ready card in.
func (r *ours) insert(name string) error {
	c, err := card(name)
	if err == nil {
		r.Insert(c)
	}
	return err
}

// change takes a card out and puts another in, when the terminal has seen that the slot is empty: a hand takes longer.
func (r *ours) change(ctx context.Context, name string) error {
	r.Remove()
	if err := r.shop.sees(ctx, true, "no card"); err != nil {
		return err
	}
	return r.insert(name)
}

func oursSale(ctx context.Context, s *shop, level usbreader.Level) error {
	r, err := atOurs(ctx, s, usbreader.Config{Level: level}, "credit")
	if err != nil {
		return err
	}
	if err := s.sell(ctx, "10.525", approved, nil); err != nil {
		return err
	}
	if err := r.change(ctx, blockCard); err != nil {
		return err
	}
	if err := s.sell(ctx, "2.250", approved, nil); err != nil {
		return err
	}
	r.Remove()
	return nil
}

func oursPulled(ctx context.Context, s *shop, level usbreader.Level) error {
	r, err := atOurs(ctx, s, usbreader.Config{Level: level}, "credit")
	if err != nil {
		return err
	}
	return r.pulledCards(ctx)
}

// pulledCards sells to a card that is pulled at the first GENERATE AC, and to one that is pulled at the second.
func (r *ours) pulledCards(ctx context.Context) error {
	if err := r.shop.sell(ctx, "1.201", pulledEarly, nil); err != nil {
		return err
	}
	if err := r.change(ctx, "credit"); err != nil {
		return err
	}
	return r.shop.sell(ctx, "1.202", pulledLate, nil)
}

func oursCut(ctx context.Context, s *shop, level usbreader.Level) error {
	r, err := atOurs(ctx, s, usbreader.Config{Level: level}, "")
	if err != nil {
		return err
	}
	put := func(c emulator.Chip) error { r.Insert(c); return nil }
	if err := s.cut(ctx, pulledEarly, 5, put, r.pull); err != nil {
		return err
	}
	r.Remove()
	if err := r.plug(ctx); err != nil {
		return err
	}
	if err := s.sees(ctx, true, ""); err != nil {
		return err
	}
	return s.cut(ctx, pulledLate, commandsOfCredit-1, put, r.pull)
}

// commandsOfCredit is how many commands the ready credit card gets in a sale that the bank approves, the second GENERATE AC being the last.
const commandsOfCredit = 10

func oursMute(ctx context.Context, s *shop) error {
	r, err := atOurs(ctx, s, usbreader.Config{}, "")
	if err != nil {
		return err
	}
	return s.sell(ctx, "3.100", approved, func(ctx context.Context) error {
		if err := s.inState(ctx, terminal.AwaitCard); err != nil {
			return err
		}
		c, err := card("credit")
		if err != nil {
			return err
		}
		r.Insert(deadCard{c})
		if err := await(ctx, "the cashier is told of a card that does not answer", func(ctx context.Context) (bool, error) {
			now, err := s.status(ctx)
			return err == nil && now.Prompt == terminal.PromptCardError, err
		}); err != nil {
			return err
		}
		r.Remove()
		if err := await(ctx, "another card is asked for", func(ctx context.Context) (bool, error) {
			now, err := s.status(ctx)
			return err == nil && now.Prompt == terminal.PromptInsertCard, err
		}); err != nil {
			return err
		}
		return r.insert("credit")
	})
}

func oursReplugs(ctx context.Context, s *shop) error {
	r, err := atOurs(ctx, s, usbreader.Config{}, "credit")
	if err != nil {
		return err
	}
	if err := s.replugs(ctx, s.options.replugs, r.pull, func() error { return r.plug(ctx) }, goneWords); err != nil {
		return err
	}
	return s.sell(ctx, "4.400", approved, nil)
}
