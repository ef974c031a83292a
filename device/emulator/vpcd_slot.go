package emulator

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"
)

// VPCDConfig says which slot of PC/SC to play in.
type VPCDConfig struct {
	Address string // where pcscd's vpcd listens: "127.0.0.1:35963"
	Card    Chip   // in the slot from the start; nil: an empty slot
	Hand    Hand
	// Watch, when there, is told each exchange with the card, one line, without card data. It must not block and must not call
	// the slot.
	Watch func(line string)
}

// VPCD is a card in a virtual PC/SC slot: the card's end of vsmartcard's vpcd, which pcscd drives as a reader. A card that is in is a connection
// to vpcd; while nobody listens there it is tried again. Its methods may be called from anywhere.
type VPCD struct {
	cfg    VPCDConfig
	orders sync.Mutex // one order at a time; taken before mu

	mu      sync.Mutex
	closed  bool
	out     bool // unplugged: no connection, whatever is in the slot
	chip    Chip // in the slot
	faults  []armed
	carried int // APDUs since the card went in
	joined  net.Conn
	stop    context.CancelFunc // ends the goroutine that plays the card; nil: there is none
	playing sync.WaitGroup
}

// VPCDFaults lists the faults that this wire has: it has no frames that could break, and no time requests.
func VPCDFaults() []WireFault {
	return []WireFault{FaultMute, FaultShort, FaultGarbage, FaultLost, FaultRemoved, FaultUnplugged}
}

// StartVPCD plays a slot. Close ends it. Nothing need listen at the address yet.
func StartVPCD(cfg VPCDConfig) *VPCD {
	v := &VPCD{cfg: cfg, chip: cfg.Card}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.start()
	return v
}

// start plays the card that is in; mu is held.
func (v *VPCD) start() {
	if v.chip == nil || v.out || v.closed || v.stop != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	v.stop = cancel
	chip := v.chip
	v.playing.Go(func() { v.play(ctx, chip) })
}

// halt ends the playing and waits for it; mu is not held.
func (v *VPCD) halt() {
	v.mu.Lock()
	if v.stop != nil {
		v.stop()
		v.stop = nil
	}
	v.mu.Unlock()
	v.playing.Wait()
}

// change ends the playing, changes something, and plays again. Error: ErrClosed.
func (v *VPCD) change(what func() error) error {
	v.orders.Lock()
	defer v.orders.Unlock()
	v.halt()
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return ErrClosed
	}
	if err := what(); err != nil {
		return err
	}
	v.start()
	return nil
}

// Insert puts a card into the slot; one that is there is taken out first. Error: ErrClosed.
func (v *VPCD) Insert(c Chip) error {
	return v.change(func() error {
		if v.chip != nil {
			v.faults = nil
		}
		v.chip, v.carried = c, 0
		return nil
	})
}

// Remove takes the card out, if there is one. Error: ErrClosed.
func (v *VPCD) Remove() error { return v.Insert(nil) }

// Unplug ends the connection and keeps the card where it is. Errors: ErrNoPlug, ErrClosed.
func (v *VPCD) Unplug() error { return v.plug(true) }

// Replug brings it back. Errors: ErrNoPlug, ErrClosed.
func (v *VPCD) Replug() error { return v.plug(false) }

func (v *VPCD) plug(out bool) error {
	return v.change(func() error {
		if v.out == out {
			return ErrNoPlug
		}
		v.out = out
		return nil
	})
}

// Fault arms a fault for the n-th APDU since the card went in. Errors: ErrNoFault, ErrClosed.
func (v *VPCD) Fault(kind WireFault, n int) error { return v.arm(kind, func() int { return n }) }

// FaultNext arms a fault for the n-th APDU from now, 1 being the next. Errors as Fault.
func (v *VPCD) FaultNext(kind WireFault, n int) error {
	return v.arm(kind, func() int { return v.carried + n })
}

func (v *VPCD) arm(kind WireFault, exchange func() int) error {
	if !slices.Contains(VPCDFaults(), kind) {
		return fmt.Errorf("%w: %q; this wire has %q", ErrNoFault, kind, VPCDFaults())
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.closed:
		return ErrClosed
	case len(v.faults) >= maxArmed:
		return fmt.Errorf("%w: %d are armed already", ErrNoFault, maxArmed)
	}
	v.faults = append(v.faults, armed{kind, exchange()})
	return nil
}

// VPCDStatus is how the virtual slot is.
type VPCDStatus struct {
	Joined  bool   // vpcd has the connection
	Out     bool   // it was unplugged
	Card    bool   // one is in the slot
	Name    string // of that card's profile
	Carried int    // APDUs since it went in
	Armed   int    // faults still to come
}

// Status is a snapshot. Error: ErrClosed.
func (v *VPCD) Status() (VPCDStatus, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return VPCDStatus{}, ErrClosed
	}
	return VPCDStatus{v.joined != nil, v.out, v.chip != nil, nameOf(v.chip), v.carried, len(v.faults)}, nil
}

// Close ends the connection and waits for the goroutine. A second call does nothing.
func (v *VPCD) Close() error {
	v.orders.Lock()
	defer v.orders.Unlock()
	v.halt()
	v.mu.Lock()
	defer v.mu.Unlock()
	v.closed, v.chip = true, nil
	return nil
}

// dialAgain is how long nobody is asked after nobody listened.
const dialAgain = 500 * time.Millisecond

// play is the card at its wire, until the context ends. A card that the hand takes out comes back later.
func (v *VPCD) play(ctx context.Context, chip Chip) {
	if v.cfg.Watch != nil {
		chip = watch{chip, v.cfg.Watch}
	}
	for ctx.Err() == nil {
		after := dialAgain
		if err := v.connect(ctx, chip); errors.Is(err, errTakenOut) {
			if after = v.cfg.Hand.PutBack; after == 0 {
				v.leave()
				return
			}
		}
		t := time.NewTimer(after)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
		}
	}
}

// leave is a card that went out by itself.
func (v *VPCD) leave() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.chip, v.carried, v.faults = nil, 0, nil
}

// connect joins vpcd and answers it until the connection ends.
func (v *VPCD) connect(ctx context.Context, chip Chip) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", v.cfg.Address)
	if err != nil {
		return err
	}
	v.join(conn)
	defer v.join(nil)
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	defer conn.Close()
	s := &vpcdSession{slot: v, chip: chip, ctx: ctx}
	return s.serve(quick(conn))
}

func (v *VPCD) join(conn net.Conn) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.joined = conn
}

// errTakenOut is the hand's, or a card that leaves.
var errTakenOut = errors.New("card taken out")

// due counts an APDU and draws the fault that is armed for it.
func (v *VPCD) due() WireFault {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.carried++
	for i, f := range v.faults {
		if f.exchange == v.carried {
			v.faults = slices.Delete(v.faults, i, i+1)
			return f.kind
		}
	}
	return ""
}
