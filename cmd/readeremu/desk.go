package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"tillway/device/emulator"
	"tillway/device/emulator/escpos"
	"tillway/device/emulator/pinpad"
)

// desk is where orders to the virtual devices are carried out, wherever they come from: command line, script, control
// socket or page. An order is one line.
type desk struct {
	reader  slot
	stripe  swiper          // nil: none
	printer *escpos.Printer // nil: none
	pad     *pinpad.Pad     // nil: none
	usb     usbPorts        // empty: nothing is on USB
	log     *exchangeLog
	pages   watching

	mu    sync.Mutex
	cards map[string]*emulator.Card // each name is one card: its counters go on when it is inserted again
}

func newDesk() *desk {
	return &desk{reader: noSlot{}, log: &exchangeLog{}, cards: map[string]*emulator.Card{}}
}

// swiper is a stripe reader, whatever wire there is behind it.
type swiper interface{ Swipe(tracks string) error }

// orders is what a line can say.
const orders = `insert CARD       put a card into the slot: a ready one's name or a profile's file
remove            take it out
unplug [DEVICE]   take the reader, or that USB device, off the machine
replug [DEVICE]   bring it back
fault KIND [N]    something goes wrong at the N-th exchange from now (1: the next)
fault KIND @N     the same, counted from the card's insertion (@0: the answer to reset)
usb DEVICE KIND ENDPOINT [N]
                  something goes wrong on USB at the N-th transfer from now: usb reader stall 81 2
swipe STRIPE      swipe a card: a ready stripe's name, or its tracks from % or ;
pin KEYS          press the PIN pad's keys at the next prompt: digits, and enter behind them; or
                  cancel, bypass. At once: tamper (its keys are gone), mute, talk
printer paper N   N rows of dots are left on the roll; endless: no end; 0: it is out
printer cover X   the cover is open or shut
printer power X   the power is off or on
wait DURATION     do nothing for a while, such as 500ms`

var errOrder = errors.New("order not understood")

const maxWait = 10 * time.Minute

// do carries out one order.
func (d *desk) do(ctx context.Context, line string) error {
	words := strings.Fields(line)
	if len(words) == 0 {
		return nil
	}
	switch verb, rest := words[0], words[1:]; {
	case verb == "insert" && len(rest) == 1:
		card, err := d.card(rest[0])
		if err != nil {
			return err
		}
		return d.insert(ctx, card)
	case verb == "remove" && len(rest) == 0:
		return d.reader.Remove()
	case verb == "unplug" && len(rest) == 0:
		return d.reader.Unplug()
	case verb == "replug" && len(rest) == 0:
		return d.reader.Replug()
	case verb == "unplug" && len(rest) == 1:
		return d.usb.unplug(rest[0])
	case verb == "replug" && len(rest) == 1:
		return d.usb.replug(rest[0])
	case verb == "fault" && len(rest) > 0:
		return d.fault(rest)
	case verb == "usb" && len(rest) >= 3:
		return d.usb.fault(rest)
	case verb == "swipe" && len(rest) > 0:
		return d.swipe(strings.Join(rest, " "))
	case verb == "pin" && len(rest) == 1:
		return d.orderPad(rest[0])
	case verb == "printer" && len(rest) == 2:
		return d.orderPrinter(rest[0], rest[1])
	case verb == "wait" && len(rest) == 1:
		return pause(ctx, rest[0])
	}
	if words[0] == "pin" {
		return fmt.Errorf("%w: pin takes one word", errOrder)
	}
	return fmt.Errorf("%w: %.80q; there are\n%s", errOrder, line, orders)
}

// swipe sends a ready stripe by its name, or the tracks themselves.
func (d *desk) swipe(what string) error {
	if d.stripe == nil {
		return fmt.Errorf("%w: there is no stripe reader: start readeremu with --stripe", errOrder)
	}
	if !strings.HasPrefix(what, "%") && !strings.HasPrefix(what, ";") {
		tracks, _, err := emulator.ReadyStripe(what)
		if err != nil {
			return err
		}
		what = tracks
	}
	return d.stripe.Swipe(what)
}

// maxRows bounds a roll of paper: 100 m of it.
const maxRows = 800_000

// orderPrinter does what a hand does to a printer.
func (d *desk) orderPrinter(part, how string) error {
	if d.printer == nil {
		return fmt.Errorf("%w: there is no printer: start readeremu usb with --printer", errOrder)
	}
	switch rows, err := strconv.Atoi(how); {
	case part == "paper" && how == "endless":
		d.printer.LoadPaper(-1, 0)
	case part == "paper" && err == nil && rows >= 0 && rows <= maxRows:
		d.printer.LoadPaper(rows, rows/2)
	case part == "cover" && (how == "open" || how == "shut"):
		d.printer.OpenCover(how == "open")
	case part == "power" && how == "off":
		d.printer.SwitchOff()
	case part == "power" && how == "on":
		d.printer.SwitchOn()
	default:
		return fmt.Errorf("%w: printer %.20s %.20s", errOrder, part, how)
	}
	return nil
}

// A hand takes a moment to change cards, and a reader looks a few times a second: a card goes in only when the driver has
// been told that the slot is empty, or after swapFor when there is no driver.
const (
	swapFor  = time.Second
	lookEach = 10 * time.Millisecond
)

func (d *desk) insert(ctx context.Context, card *emulator.Card) error {
	if err := d.reader.Remove(); err != nil {
		return err
	}
	within, cancel := context.WithTimeout(ctx, swapFor)
	defer cancel()
	look := time.NewTicker(lookEach)
	defer look.Stop()
	for {
		state, err := d.reader.State()
		if err != nil {
			return err
		}
		if state.Seen || state.Port == "" {
			return d.reader.Insert(card)
		}
		select {
		case <-look.C:
		case <-within.Done():
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return d.reader.Insert(card)
		}
	}
}

func (d *desk) card(name string) (*emulator.Card, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c := d.cards[name]; c != nil {
		return c, nil
	}
	c, err := loadCard(name)
	if err == nil {
		d.cards[name] = c
	}
	return c, err
}

// fault takes the kind, which may be of two words, and the exchange.
func (d *desk) fault(words []string) error {
	at := "1"
	if last := words[len(words)-1]; len(words) > 1 && strings.Trim(last, "@0123456789") == "" {
		at, words = last, words[:len(words)-1]
	}
	number, absolute := strings.CutPrefix(at, "@")
	n, err := strconv.Atoi(number)
	if err != nil || n < 0 || n > 1_000_000 || n == 0 && !absolute {
		return fmt.Errorf("%w: exchange %.20q", errOrder, at)
	}
	return d.reader.Fault(strings.Join(words, " "), n, !absolute)
}

func pause(ctx context.Context, text string) error {
	length, err := time.ParseDuration(text)
	if err != nil || length < 0 || length > maxWait {
		return fmt.Errorf("%w: wait %.20q, write it like 500ms, at most %v", errOrder, text, maxWait)
	}
	t := time.NewTimer(length)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// play carries out a script: one order a line, # begins a comment.
func (d *desk) play(ctx context.Context, script string) error {
	n := 0
	for line := range strings.Lines(script) {
		n++
		order, _, _ := strings.Cut(line, "#")
		if err := d.do(ctx, order); err != nil {
			return fmt.Errorf("script line %d: %w", n, err)
		}
	}
	return nil
}
