// Package usbreader is a USB smart-card reader that is not there: the class CCID as a virtualusb.Function, with one of package
// emulator's cards in its slot. It plays a reader at TPDU, short APDU or extended APDU level, with an interrupt endpoint or
// without, with keys for a PIN or without, and misbehaves on demand.
//
// It has its own codec of messages, so that it does not understand what only the driver would. It is as patient as readers
// are: a command that it never answers keeps it busy until the class's ABORT.
//
// Sources: USB-IF, Specification for Integrated Circuit(s) Cards Interface Devices, revision 1.1, sections 5 and 6; descriptor
// dumps of libccid's readers for what real ones say.
package usbreader

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"tillway/device/emulator"
	"tillway/device/emulator/virtualusb"
	"tillway/device/usb"
)

// Level is what the reader takes in one XfrBlock.
type Level string

// The levels.
const (
	TPDU         Level = "tpdu"
	ShortAPDU    Level = "short"
	ExtendedAPDU Level = "extended"
)

// Levels lists them.
func Levels() []Level { return []Level{TPDU, ShortAPDU, ExtendedAPDU} }

// Config is which reader is played.
type Config struct {
	ID     usb.ID // 0: 04e6:5116, an SCR3310
	Name   string // product string; empty: "Emulated CCID reader"
	Serial string
	Level  Level // empty: TPDU

	NoInterrupt bool   // it has no interrupt endpoint: nobody is told of movements
	NoEmpty     bool   // no empty packet stands behind an answer that fills its last one
	HandsOn     bool   // at APDU level it hands 61xx and 6Cxx of a T=0 card on
	MaxMessage  uint32 // dwMaxCCIDMessageLength; 0: 271, or 65554 at extended APDU level. Longer answers are given in parts
	MaxAnswer   uint32 // longest answer at extended APDU level before it is given in parts; 0: MaxMessage

	PINPad func() (digits string, ok bool) // what the cardholder types on the reader's keys; nil: it has none

	Unplug func()            // pulls the device, for the fault of that name; called in a goroutine of its own
	Watch  func(line string) // is told each exchange with the card, without card data; must not block nor call the reader
}

// Reader is the emulated reader. Its methods may be called from anywhere.
type Reader struct {
	cfg         Config
	descriptors virtualusb.Descriptors
	in, moves   virtualusb.Queue // bulk in, interrupt in

	mu       sync.Mutex
	chip     emulator.Chip // nil: the slot is empty
	contacts *emulator.Contacts
	atr      []byte // of the chip with power
	carried  int    // TPDUs or APDUs since the card went in
	faults   []armed
	protocol byte
	partial  []byte // of a command that comes in parts
	answer   []byte // of an answer that goes out in parts: what is left
	busy     *message
	aborting int // number of the ABORT that was requested on the control pipe; -1: none
	rest     []byte
}

type armed struct {
	kind     emulator.WireFault
	exchange int
}

// ErrNoFault says that a fault cannot happen to a USB reader.
var ErrNoFault = errors.New("no such fault of a USB reader")

// Faults lists what can go wrong here. USB keeps its packets whole and in order by itself, so that there is no wrong check byte and
// no asking for a command again; garbage is an empty packet before the answer.
func Faults() []emulator.WireFault {
	return []emulator.WireFault{
		emulator.FaultMute, emulator.FaultSlow, emulator.FaultStalled, emulator.FaultParity, emulator.FaultShort, emulator.FaultGarbage,
		emulator.FaultStale, emulator.FaultLost, emulator.FaultReset, emulator.FaultRemoved, emulator.FaultUnplugged,
	}
}

// New makes a reader with an empty slot. Error: a configuration that no reader has.
func New(cfg Config) (*Reader, error) {
	if cfg.Level == "" {
		cfg.Level = TPDU
	}
	if !slices.Contains(Levels(), cfg.Level) {
		return nil, fmt.Errorf("no level %q of a reader; there are %q", cfg.Level, Levels())
	}
	if cfg.ID == (usb.ID{}) {
		cfg.ID = usb.ID{Vendor: 0x04E6, Product: 0x5116}
	}
	if cfg.Name == "" {
		cfg.Name = "Emulated CCID reader"
	}
	if cfg.MaxMessage == 0 {
		cfg.MaxMessage = 271
		if cfg.Level == ExtendedAPDU {
			cfg.MaxMessage = mostMessage
		}
	}
	if cfg.MaxMessage < headLength+16 || cfg.MaxMessage > mostMessage {
		return nil, fmt.Errorf("no reader has messages of %d bytes: %d to %d", cfg.MaxMessage, headLength+16, mostMessage)
	}
	if cfg.MaxAnswer == 0 || cfg.MaxAnswer > cfg.MaxMessage {
		cfg.MaxAnswer = cfg.MaxMessage
	}
	return &Reader{cfg: cfg, descriptors: describe(cfg), aborting: -1}, nil
}

// Insert puts a card into the slot; one that is there is taken out first.
func (r *Reader) Insert(c emulator.Chip) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.insert(c)
}

// Remove takes the card out, if there is one.
func (r *Reader) Remove() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.chip != nil {
		r.insert(nil)
	}
}

// insert changes what is in the slot (nil: nothing) and tells it.
func (r *Reader) insert(c emulator.Chip) {
	if r.chip != nil {
		r.faults = nil // they were meant for the card that goes
	}
	r.chip, r.contacts, r.carried, r.partial, r.answer = c, nil, 0, nil, nil
	if c != nil {
		r.chip = emulator.Watched(c, r.cfg.Watch)
		c.Reset()
	}
	r.tellMove()
}

// tellMove says on the interrupt endpoint how the slot is. What nobody has fetched is out of date and forgotten.
func (r *Reader) tellMove() {
	if r.cfg.NoInterrupt {
		return
	}
	state := byte(0x02)
	if r.chip != nil {
		state = 0x03
	}
	r.moves.Clear()
	r.moves.PutWithoutEnd([]byte{notifySlotChange, state})
}

// Fault arms a fault for an exchange of the card that is in the slot or comes next: 0 is its answer to reset, n the n-th
// TPDU or APDU. Error: ErrNoFault.
func (r *Reader) Fault(kind emulator.WireFault, exchange int) error {
	if !slices.Contains(Faults(), kind) {
		return fmt.Errorf("%w: %q; there are %q", ErrNoFault, kind, Faults())
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.faults) >= maxArmed {
		return fmt.Errorf("%w: %d are armed already", ErrNoFault, maxArmed)
	}
	r.faults = append(r.faults, armed{kind, exchange})
	return nil
}

// FaultNext arms a fault for the n-th TPDU or APDU from now, 1 being the next. Error: ErrNoFault.
func (r *Reader) FaultNext(kind emulator.WireFault, n int) error {
	r.mu.Lock()
	exchange := r.carried + n
	r.mu.Unlock()
	return r.Fault(kind, exchange)
}

const maxArmed = 100

// Status is how the reader is.
type Status struct {
	Card    bool `json:"card"`    // one is in the slot
	Powered bool `json:"powered"` // and has power
	Carried int  `json:"carried"` // TPDUs or APDUs since it went in
	Armed   int  `json:"armed"`   // faults still to come
}

// Status is a snapshot.
func (r *Reader) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Status{Card: r.chip != nil, Powered: r.contacts != nil, Carried: r.carried, Armed: len(r.faults)}
}

// Descriptors is virtualusb.Function's.
func (r *Reader) Descriptors() virtualusb.Descriptors { return r.descriptors }

// Reset is virtualusb.Resetter's: the reader has lost its power, and with it the card.
func (r *Reader) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.in.Clear()
	r.moves.Clear()
	r.restart()
	if r.chip != nil {
		r.tellMove()
	}
}

// restart forgets all but the card in the slot.
func (r *Reader) restart() {
	r.contacts, r.protocol, r.partial, r.answer, r.busy, r.aborting, r.rest = nil, 0, nil, nil, nil, -1, nil
}

// Control is virtualusb.Function's: the class's requests (CCID 1.1, 5.3).
func (r *Reader) Control(_ context.Context, setup [8]byte, _ []byte) ([]byte, error) {
	s := virtualusb.ParseSetup(setup)
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case s.RequestType == 0x21 && s.Request == 0x01: // ABORT
		r.aborting = int(s.Value >> 8)
		return nil, nil
	case s.RequestType == 0xA1 && s.Request == 0x02: // GET_CLOCK_FREQUENCIES
		return []byte{0xA0, 0x0F, 0, 0}, nil
	}
	return nil, virtualusb.ErrStall
}

// In is virtualusb.Function's.
func (r *Reader) In(ctx context.Context, endpoint uint8, maxPacket int) ([]byte, error) {
	switch endpoint {
	case bulkIn:
		return r.in.Next(ctx, maxPacket)
	case interruptIn:
		return r.moves.Next(ctx, maxPacket)
	}
	return nil, virtualusb.ErrStall
}

// Out is virtualusb.Function's: commands, each perhaps in several transfers.
func (r *Reader) Out(ctx context.Context, endpoint uint8, data []byte) error {
	if endpoint != bulkOut {
		return virtualusb.ErrStall
	}
	r.mu.Lock()
	r.rest = append(r.rest, data...)
	m, used, bad := parse(r.rest, r.cfg.MaxMessage)
	if bad {
		r.rest = nil
		r.mu.Unlock()
		return virtualusb.ErrStall
	}
	if used == 0 {
		r.mu.Unlock()
		return nil
	}
	r.rest = nil
	unplug := r.serve(m)
	r.mu.Unlock()
	if unplug && r.cfg.Unplug != nil {
		go r.cfg.Unplug()
		<-ctx.Done() // which the unplugging is
		return ctx.Err()
	}
	return nil
}
