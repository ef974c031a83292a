package escpos

import (
	"errors"
	"fmt"

	"tillway/device"
)

// What stops a printer. Each says what to do; callers test with errors.Is. A printer that is not there is device.ErrUnplugged, one that may not be
// opened device.ErrPermission or device.ErrBusy.
var (
	ErrPaperOut    = errors.New("the receipt printer has no paper: put a new roll in and shut the cover")
	ErrCoverOpen   = errors.New("the receipt printer's cover is open: shut it")
	ErrCutter      = errors.New("the receipt printer's cutter is jammed: take the paper out, switch the printer off and on")
	ErrFault       = errors.New("the receipt printer reports a fault: switch it off and on; if that does not help, call support")
	ErrOffline     = errors.New("the receipt printer is off line: see whether its feed button is pressed, then switch it off and on")
	ErrSilent      = errors.New("the receipt printer does not answer: is it switched on, and its cable in?")
	ErrUnconfirmed = errors.New("the receipt printer has not said that the receipt is printed")
	ErrBroken      = errors.New("the receipt printer went away in the middle of a receipt") // beside ErrSilent or device.ErrUnplugged
)

// what the causes call it.
const what = "receipt printer"

// trouble is what keeps a printer in a state from printing; nil: nothing.
func (s State) trouble() error {
	switch {
	case !s.Connected:
		return device.Called(what, device.ErrUnplugged)
	case s.CoverOpen:
		return ErrCoverOpen
	case s.PaperOut:
		return ErrPaperOut
	case s.CutterJam:
		return ErrCutter
	case s.Fault:
		return ErrFault
	case s.Offline:
		return ErrOffline
	}
	return nil
}

// midway is the error of a job of which bytes have left: a printer that has gone then may have printed all of it.
func midway(err error) error {
	if errors.Is(err, ErrSilent) || errors.Is(err, device.ErrUnplugged) || errors.Is(err, device.ErrClosed) {
		return fmt.Errorf("%w: %w", ErrBroken, err)
	}
	return err
}

// lineError words an error of a line that was open.
func lineError(name string, err error) error {
	if errors.Is(err, device.ErrUnplugged) || errors.Is(err, device.ErrClosed) {
		return device.Called(what, err)
	}
	return device.Called(what, fmt.Errorf("%w: at %s: %w", device.ErrUnplugged, name, err))
}
