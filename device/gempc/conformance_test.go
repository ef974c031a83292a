package gempc

import (
	"testing"
	"time"

	"tillway/device"
	"tillway/device/devicetest"
)

func TestConformance(t *testing.T) {
	devicetest.Run(t, func(t *testing.T) (device.Reader, devicetest.Harness) {
		p := newPeer(t)
		r, err := Open(Config{Port: p.link, Patience: 150 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		})
		return r, p
	})
}
