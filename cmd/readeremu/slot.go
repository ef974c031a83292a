package main

import (
	"fmt"
	"slices"

	"tillway/device/emulator"
)

// slot is where a card goes, whatever wire there is behind it.
type slot interface {
	Insert(emulator.Chip) error
	Remove() error
	Unplug() error
	Replug() error
	// Fault arms a fault at the exchange-th exchange, counted from now (1: the next) or from the card's insertion (0: the answer
	// to reset).
	Fault(kind string, exchange int, fromNow bool) error
	Faults() []string
	State() (state, error)
	Close() error
}

// state is how a slot is, as control socket and page tell it.
type state struct {
	Kind    string `json:"kind"`    // what is played: "gempc", "vpcd", "usb", or "none"
	Link    string `json:"link"`    // where a driver finds it
	Port    string `json:"port"`    // what is behind that now; empty while it is unplugged, or nobody is there
	Card    bool   `json:"card"`    // one is in the slot
	Name    string `json:"name"`    // of that card's profile
	Powered bool   `json:"powered"` // and has power
	Carried int    `json:"carried"` // exchanges since it went in
	Armed   int    `json:"armed"`   // faults still to come
	Seen    bool   `json:"seen"`    // the driver has been told that the slot is empty, since it last became so
}

func texts(kinds []emulator.WireFault) []string {
	out := make([]string, 0, len(kinds))
	for _, k := range kinds {
		out = append(out, string(k))
	}
	return out
}

// gempcSlot is the serial reader's.
type gempcSlot struct{ *emulator.GemPC }

func (s gempcSlot) Fault(kind string, exchange int, fromNow bool) error {
	if fromNow {
		return s.FaultNext(emulator.WireFault(kind), exchange)
	}
	return s.GemPC.Fault(emulator.WireFault(kind), exchange)
}

func (gempcSlot) Faults() []string { return texts(emulator.WireFaults()) }

func (s gempcSlot) State() (state, error) {
	g, err := s.Status()
	return state{
		Kind: "gempc", Link: g.Link, Port: g.Port, Card: g.Card, Name: g.Name, Powered: g.Powered,
		Carried: g.Carried, Armed: g.Armed, Seen: g.Seen,
	}, err
}

// vpcdSlot is the virtual PC/SC slot's.
type vpcdSlot struct {
	*emulator.VPCD
	address string
}

func (s vpcdSlot) Fault(kind string, exchange int, fromNow bool) error {
	if fromNow {
		return s.FaultNext(emulator.WireFault(kind), exchange)
	}
	return s.VPCD.Fault(emulator.WireFault(kind), exchange)
}

func (vpcdSlot) Faults() []string { return texts(emulator.VPCDFaults()) }

func (s vpcdSlot) State() (state, error) {
	v, err := s.Status()
	out := state{Kind: "vpcd", Link: s.address, Card: v.Card, Name: v.Name, Powered: v.Joined, Carried: v.Carried, Armed: v.Armed, Seen: !v.Card}
	if v.Joined {
		out.Port = s.address
	}
	return out, err
}

// noSlot is a machine without a card reader.
type noSlot struct{}

func (noSlot) refuse() error { return fmt.Errorf("%w: there is no card reader", errOrder) }

func (n noSlot) Insert(emulator.Chip) error    { return n.refuse() }
func (n noSlot) Remove() error                 { return n.refuse() }
func (n noSlot) Unplug() error                 { return n.refuse() }
func (n noSlot) Replug() error                 { return n.refuse() }
func (n noSlot) Fault(string, int, bool) error { return n.refuse() }
func (noSlot) Faults() []string                { return slices.Clone([]string{}) }
func (noSlot) State() (state, error)           { return state{Kind: "none"}, nil }
func (noSlot) Close() error                    { return nil }
