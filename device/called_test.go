package device_test

import (
	"errors"
	"fmt"
	"testing"

	"tillway/device"
)

func TestCalled(t *testing.T) {
	if err := device.Called("PIN pad", nil); err != nil {
		t.Error(err)
	}
	other := errors.New("reader of something else")
	for text, err := range map[string]error{
		"PIN pad unplugged: no such port":      fmt.Errorf("%w: no such port", device.ErrUnplugged),
		"PIN pad unplugged":                    device.ErrUnplugged,
		"PIN pad held by another program: x":   fmt.Errorf("%w: x", device.ErrBusy),
		"no permission to open the PIN pad: x": fmt.Errorf("%w: x", device.ErrPermission),
		"went away: reader unplugged":          fmt.Errorf("went away: %w", device.ErrUnplugged),
		"reader of something else":             other,
	} {
		got := device.Called("PIN pad", err)
		if got.Error() != text || !errors.Is(got, err) {
			t.Errorf("%v: %v", err, got)
		}
	}
}
