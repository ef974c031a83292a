package usbccid_test

import (
	"testing"
	"time"

	"tillway/device"
	"tillway/device/devicetest"
	"tillway/device/emulator"
	"tillway/device/emulator/usbreader"
	"tillway/device/emulator/virtualusb"
	"tillway/device/usbccid"
)

// chip is the suite's card in the emulated reader.
type chip struct {
	cold, warm []byte
	answer     func([]byte) []byte
}

func (c chip) ATR() []byte                 { return c.cold }
func (c chip) WarmATR() []byte             { return c.warm }
func (chip) Reset()                        {}
func (chip) Left() bool                    { return false }
func (c chip) Transmit(apdu []byte) []byte { return c.answer(apdu) }

// desk is an emulated reader on a bus of its own, as the suite handles it.
type desk struct {
	t      testing.TB
	bus    *virtualusb.Bus
	reader *usbreader.Reader
	plug   *virtualusb.Plug
	level  usbreader.Level
}

func newDesk(t testing.TB, cfg usbreader.Config) *desk {
	d := &desk{t: t, bus: virtualusb.NewBus(), level: cfg.Level}
	cfg.Unplug = func() { d.plug.Unplug() }
	r, err := usbreader.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	d.reader = r
	d.plug = d.bus.Plug(r)
	t.Cleanup(d.plug.Unplug)
	return d
}

// drive starts a driver for the desk's reader and ends it with the test.
func (d *desk) drive() *usbccid.Reader {
	d.t.Helper()
	r, err := usbccid.Open(usbccid.Config{Bus: d.bus, Patience: 150 * time.Millisecond, Poll: 20 * time.Millisecond})
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() {
		if err := r.Close(); err != nil {
			d.t.Error(err)
		}
	})
	return r
}

func (d *desk) Insert(atr []byte, answer func([]byte) []byte) { d.InsertWarm(atr, atr, answer) }

func (d *desk) InsertWarm(cold, warm []byte, answer func([]byte) []byte) {
	d.reader.Insert(chip{cold, warm, answer})
}

func (d *desk) Remove() { d.reader.Remove() }

func (d *desk) Fault(kind devicetest.Fault, exchange int) {
	if err := d.reader.Fault(emulator.WireFault(kind), exchange); err != nil {
		d.t.Error(err)
	}
}

func (d *desk) Unplug() { d.plug.Unplug() }
func (d *desk) Replug() { d.plug = d.bus.Plug(d.reader) }

func (d *desk) Limits() devicetest.Limits {
	return devicetest.Limits{
		APDU: d.level == usbreader.ShortAPDU || d.level == usbreader.ExtendedAPDU,
		Faults: map[devicetest.Fault]string{
			devicetest.BadChecksum: "USB keeps its packets whole by itself, and a CCID message has no check byte",
			devicetest.Refused:     "USB repeats by itself what was not understood",
		},
	}
}

var _ devicetest.Limited = (*desk)(nil)

// kinds are the readers that every test of the whole driver meets.
func kinds() map[string]usbreader.Config {
	return map[string]usbreader.Config{
		"TPDU":                                   {Level: usbreader.TPDU},
		"TPDU, no interrupt endpoint":            {Level: usbreader.TPDU, NoInterrupt: true},
		"short APDU, no empty packets":           {Level: usbreader.ShortAPDU, NoEmpty: true},
		"short APDU, hands 61xx on":              {Level: usbreader.ShortAPDU, HandsOn: true},
		"extended APDU":                          {Level: usbreader.ExtendedAPDU},
		"extended APDU, in parts, no interrupts": {Level: usbreader.ExtendedAPDU, MaxMessage: 80, MaxAnswer: 74, NoInterrupt: true},
	}
}

func TestConformance(t *testing.T) {
	for name, cfg := range kinds() {
		t.Run(name, func(t *testing.T) {
			devicetest.Run(t, func(t *testing.T) (device.Reader, devicetest.Harness) {
				d := newDesk(t, cfg)
				return d.drive(), d
			})
		})
	}
}
