package emulator_test

import (
	"path/filepath"
	"testing"
	"time"

	"tillway/device"
	"tillway/device/devicetest"
	"tillway/device/emulator"
	"tillway/device/gempc"
)

// The driver of the GemPC Twin passes its suite against this emulator, and the emulator against the driver.
func TestConformance(t *testing.T) {
	devicetest.Run(t, func(t *testing.T) (device.Reader, devicetest.Harness) {
		link := filepath.Join(t.TempDir(), "reader")
		twin, err := emulator.StartGemPC(emulator.GemPCConfig{Link: link})
		if err != nil {
			t.Fatal(err)
		}
		reader, err := gempc.Open(gempc.Config{Port: link, Patience: 200 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			closeIt(t, reader)
			closeIt(t, twin)
		})
		return reader, harness{t, twin}
	})
}

func closeIt(t *testing.T, c interface{ Close() error }) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

// harness fits the emulator to the suite.
type harness struct {
	t    *testing.T
	twin *emulator.GemPC
}

func (h harness) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Errorf("emulator: %v", err)
	}
}

func (h harness) Insert(atr []byte, answer func([]byte) []byte) {
	h.must(h.twin.Insert(scripted{atr, answer}))
}

func (h harness) InsertWarm(cold, warm []byte, answer func([]byte) []byte) {
	h.must(h.twin.Insert(fickle{scripted{cold, answer}, warm}))
}
func (h harness) Remove() { h.must(h.twin.Remove()) }
func (h harness) Fault(kind devicetest.Fault, exchange int) {
	h.must(h.twin.Fault(emulator.WireFault(kind), exchange))
}
func (h harness) Unplug() { h.must(h.twin.Unplug()) }
func (h harness) Replug() { h.must(h.twin.Replug()) }

// scripted is a card that is only a function.
type scripted struct {
	atr    []byte
	answer func([]byte) []byte
}

func (s scripted) ATR() []byte                 { return s.atr }
func (scripted) Reset()                        {}
func (scripted) Left() bool                    { return false }
func (s scripted) Transmit(apdu []byte) []byte { return s.answer(apdu) }

// fickle answers a warm reset in another way.
type fickle struct {
	scripted
	warm []byte
}

func (f fickle) WarmATR() []byte { return f.warm }
