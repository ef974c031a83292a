package pcsc

import (
	"testing"

	"tillway/device"
	"tillway/device/devicetest"
)

// The suite with a reader that is unplugged, and with a pcscd that is killed.
func TestConformance(t *testing.T) {
	for name, killed := range map[string]bool{"the reader goes": false, "pcscd goes": true} {
		t.Run(name, func(t *testing.T) {
			devicetest.Run(t, func(t *testing.T) (device.Reader, devicetest.Harness) {
				p := newPeer(t)
				p.killed = killed
				return p.open(t, nil), p
			})
		})
	}
}
