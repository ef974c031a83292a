package pcsc

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"tillway/device/devicetest"
	"tillway/device/emulator/pcscd"
)

const readerName = "Virtual PCD 00 00"

// quick are the driver's waits with a pcscd that never is late.
var quick = times{retry: 20 * time.Millisecond, settle: 50 * time.Millisecond}

// chip is the suite's card in the virtual reader.
type chip struct {
	atr, warm []byte
	answer    func([]byte) []byte
}

func (c chip) ATR() []byte                 { return c.atr }
func (c chip) WarmATR() []byte             { return c.warm }
func (c chip) Reset()                      {}
func (c chip) Transmit(apdu []byte) []byte { return c.answer(apdu) }
func (c chip) Left() bool                  { return false }

// peer is the virtual pcscd as the suite drives it.
type peer struct {
	t      testing.TB
	server *pcscd.Server
	slot   *pcscd.Slot
	socket string
	killed bool // Unplug ends pcscd, instead of taking the reader off
	off    bool
}

func newPeer(t testing.TB) *peer {
	p := &peer{t: t, socket: filepath.Join(t.TempDir(), "pcscd.comm")}
	server, err := pcscd.Listen(pcscd.Config{Socket: p.socket, Complain: func(line string) { t.Error(line) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	p.server, p.slot = server, server.AddReader(readerName)
	return p
}

// open starts a driver at the peer, and ends it with the test.
func (p *peer) open(t testing.TB, log *slog.Logger) *Reader {
	r := start(Config{Port: "virtual pcd", Socket: p.socket, Log: log, Patience: 2 * time.Second}, quick)
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func (p *peer) Insert(atr []byte, answer func([]byte) []byte) { p.InsertWarm(atr, atr, answer) }

func (p *peer) InsertWarm(cold, warm []byte, answer func([]byte) []byte) {
	p.slot.Insert(chip{cold, warm, answer})
}

func (p *peer) Remove() { p.slot.Remove() }

func (p *peer) Fault(kind devicetest.Fault, exchange int) {
	if kind == devicetest.Unplugged {
		p.off = true
	}
	f, can := faults[kind]
	if !can {
		p.t.Errorf("no fault %q here", kind)
	}
	p.slot.Disturb(f, exchange)
}

// faults are the suite's as pcscd's driver meets them.
var faults = map[devicetest.Fault]pcscd.Fault{
	devicetest.Mute: pcscd.Mute, devicetest.Slow: pcscd.Slow, devicetest.Stalled: pcscd.Lost, devicetest.Lost: pcscd.Lost,
	devicetest.BadChecksum: pcscd.Damaged, devicetest.Parity: pcscd.Damaged, devicetest.ShortFrame: pcscd.Damaged,
	devicetest.Reset: pcscd.Reset, devicetest.Removed: pcscd.Removed, devicetest.Unplugged: pcscd.Unplugged,
}

// Limits is what stays between pcscd and the reader.
func (p *peer) Limits() devicetest.Limits {
	const between = "it happens between pcscd and the reader, and pcscd's driver deals with it"
	return devicetest.Limits{APDU: true, Faults: map[devicetest.Fault]string{
		devicetest.Garbage: between, devicetest.Stale: between, devicetest.Refused: between,
	}}
}

func (p *peer) Unplug() {
	p.off = !p.killed
	if p.killed {
		p.server.Stop()
		return
	}
	p.slot.Unplug()
}

func (p *peer) Replug() {
	if p.off {
		p.off = false
		p.slot.Plug()
		return
	}
	if err := p.server.Start(); err != nil {
		p.t.Error(err)
	}
}
