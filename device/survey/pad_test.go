package survey_test

import (
	"fmt"
	"testing"

	"tillway/device"
	"tillway/device/pinpad"
	"tillway/device/secure"
)

// What keyd says of a pad that takes no PINs is the fault that the driver meant; a word that nobody knows is told as it is.
func TestPadHealth(t *testing.T) {
	t.Parallel()
	port := pad(t)
	for cause, fault := range map[string]string{
		pinpad.ErrTampered.Error(): "pin_pad_tampered",
		pinpad.ErrPairing.Error():  "pin_pad_not_paired",
		fmt.Sprintf("%v: have its key for PINs injected, or load it with pos keys pad", secure.ErrNoKey):                 "pin_pad_no_key",
		device.Called("PIN pad", fmt.Errorf("%w: %s may not be opened", device.ErrPermission, port)).Error():             "pin_pad_permission",
		device.Called("PIN pad", fmt.Errorf("%w: %s is in use", device.ErrBusy, port)).Error():                           "pin_pad_in_use",
		device.Called("PIN pad", fmt.Errorf("%w: no such port %s: is the cable in?", device.ErrUnplugged, port)).Error(): "pin_pad_missing",
		device.ErrTimeout.Error() + ": no answer of the PIN pad":                                                         "pin_pad_silent",
		"it is starting": "pin_pad_not_ready",
	} {
		is(t, machine().PadHealth(port, cause), fault)
	}
}
