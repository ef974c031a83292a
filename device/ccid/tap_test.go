package ccid

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"tillway/device"
)

// aborting is a reader with the control pipe of USB.
type aborting struct {
	*reader
	aborts int
}

func (a *aborting) Abort(context.Context, byte, byte) error {
	a.aborts++
	return nil
}

// A wire that is recorded is the same wire: a command that is given up is ended on it, and one without a control pipe is left alone.
func TestTapLeavesTheAbort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := &aborting{reader: newReader(t, "> 65 000000\n> 72 000000\n< 81 01 00\n")}
		heard := 0
		s := NewSlot(tapped{wire, func(bool, []byte) { heard++ }}, 0)
		if _, err := s.Refresh(t.Context()); !errors.Is(err, device.ErrTimeout) || wire.aborts != 1 || heard != 3 {
			t.Errorf("%d aborts, %d messages: %v", wire.aborts, heard, err)
		}
		s = NewSlot(tapped{newReader(t, "> 65 000000\n"), func(bool, []byte) {}}, 0)
		if _, err := s.Refresh(t.Context()); !errors.Is(err, device.ErrTimeout) {
			t.Error(err)
		}
	})
}
