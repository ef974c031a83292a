package virtualusb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"tillway/device"
)

// FaultKind is one thing that goes wrong in one transfer.
type FaultKind string

// The faults. A transfer to the host gets its fault when the device has answered, one to the device before the device is told.
const (
	FaultStall   FaultKind = "stall"   // the endpoint stops: ErrStall, until the host clears it
	FaultMute    FaultKind = "mute"    // nothing comes, and what should have come never does; to the device: it does not take it
	FaultLate    FaultKind = "late"    // nothing comes to this transfer, and the answer to the next one; with Until, to this one after all
	FaultGarbage FaultKind = "garbage" // as many bytes, but others
	FaultShort   FaultKind = "short"   // the first half only
	FaultEmpty   FaultKind = "empty"   // an empty packet before the answer, which comes to the next transfer
	FaultBabble  FaultKind = "babble"  // more than there is room for
	FaultUnplug  FaultKind = "unplug"  // the device is pulled
)

// FaultKinds lists the faults.
func FaultKinds() []FaultKind {
	return []FaultKind{FaultStall, FaultMute, FaultLate, FaultGarbage, FaultShort, FaultEmpty, FaultBabble, FaultUnplug}
}

// Fault is a fault and the transfer for which it is meant. The standard requests that the bus answers itself have none.
type Fault struct {
	Kind     FaultKind
	Endpoint uint8           // address; 0 is the control pipe
	Transfer int             // counted from now: 1 is the next, and also the one that is pending now
	Until    <-chan struct{} // of FaultLate: when it is closed the answer comes; nil: not to this transfer
}

// ErrFault says that a fault makes no sense.
var ErrFault = errors.New("no such fault")

const maxFaults = 100

// Check tells whether a fault can be ordered. Error: ErrFault.
func (f Fault) Check() error {
	if !slices.Contains(FaultKinds(), f.Kind) || f.Transfer < 1 {
		return fmt.Errorf("%w: %q at transfer %d; there are %q, from transfer 1", ErrFault, f.Kind, f.Transfer, FaultKinds())
	}
	if toHost := []FaultKind{FaultLate, FaultEmpty, FaultBabble}; f.Endpoint&ToHost == 0 && slices.Contains(toHost, f.Kind) {
		return fmt.Errorf("%w: %q happens only to an endpoint that sends, and %02X does not", ErrFault, f.Kind, f.Endpoint)
	}
	return nil
}

// Arm orders a fault. Error: ErrFault.
func (c *Controller) Arm(f Fault) error {
	if err := f.Check(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.faults) >= maxFaults {
		return fmt.Errorf("%w: %d are armed already", ErrFault, maxFaults)
	}
	c.faults = append(c.faults, &f)
	return nil
}

// Armed is how many faults are still to come.
func (c *Controller) Armed() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.faults)
}

// take counts a transfer and gives the fault that is meant for it.
func (c *Controller) take(endpoint uint8) *Fault {
	c.mu.Lock()
	defer c.mu.Unlock()
	var due *Fault
	c.faults = slices.DeleteFunc(c.faults, func(f *Fault) bool {
		if f.Endpoint != endpoint {
			return false
		}
		f.Transfer--
		if f.Transfer > 0 || due != nil {
			return false
		}
		due = f
		return true
	})
	return due
}

// spoil makes the fault happen to the bytes of a transfer.
func (c *Controller) spoil(ctx context.Context, f *Fault, endpoint uint8, data []byte) ([]byte, error) {
	if f == nil {
		return data, nil
	}
	switch f.Kind {
	case FaultStall:
		return nil, ErrStall
	case FaultMute:
		<-ctx.Done()
		return nil, ctx.Err()
	case FaultLate:
		select {
		case <-f.Until:
			return data, nil
		case <-ctx.Done():
			c.keep(endpoint, data)
			return nil, ctx.Err()
		}
	case FaultEmpty:
		c.keep(endpoint, data)
		return nil, nil
	case FaultGarbage:
		data = bytes.Clone(data)
		for i := range data {
			data[i] ^= 0xA5
		}
		return data, nil
	case FaultShort:
		return data[:len(data)/2], nil
	case FaultBabble:
		return data, ErrOverflow
	case FaultUnplug:
		c.pull()
		return nil, device.ErrUnplugged
	}
	return data, nil
}

// keep leaves an answer for the next transfer from its endpoint.
func (c *Controller) keep(endpoint uint8, data []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept[endpoint] = data
}
