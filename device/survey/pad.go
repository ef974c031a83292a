package survey

import (
	"strings"

	"tillway/device"
	"tillway/device/pinpad"
	"tillway/device/secure"
	"tillway/terminal/selftest"
)

// PadHealth says why a PIN pad that keyd has takes no PINs. cause is keyd's own word, in which the sentences of package pinpad come over its
// socket; this process need not be allowed to open the pad.
func (m Machine) PadHealth(port, cause string) selftest.Finding {
	p := Place{Kind: Pad, Port: port}
	for _, e := range []error{pinpad.ErrTampered, pinpad.ErrPairing} {
		if strings.Contains(cause, e.Error()) {
			return m.Explain(p, e)
		}
	}
	called := func(err error) string { return device.Called(Pad.name(), err).Error() }
	switch {
	case strings.Contains(cause, "key for PINs"), strings.HasPrefix(cause, secure.ErrNoKey.Error()):
		return p.named("pin_pad_no_key", "the PIN pad on %s has no key for PINs", port)
	case strings.Contains(cause, called(device.ErrPermission)):
		return m.forbidden(p, device.ErrPermission)
	case strings.Contains(cause, called(device.ErrBusy)):
		return m.busy(p, port)
	case strings.Contains(cause, called(device.ErrUnplugged)):
		return p.bad("missing", "there is no PIN pad at %s: it is not plugged in, switched off, or elsewhere", port)
	case strings.Contains(cause, device.ErrTimeout.Error()):
		return p.bad("silent", "nothing answers on %s as a PIN pad does", port)
	}
	return p.named("pin_pad_not_ready", "the PIN pad at %s takes no PINs: %s", port, cause)
}
