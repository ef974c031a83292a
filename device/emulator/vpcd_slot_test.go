package emulator_test

import (
	"bytes"
	"errors"
	"net"
	"slices"
	"testing"
	"time"

	"tillway/device/emulator"
)

// reader is vpcd's end: it listens, and a card that goes in dials.
func reader(t *testing.T) (address string, next func() vpcd) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String(), func() vpcd {
		t.Helper()
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return vpcd{t, conn}
	}
}

var challenge = []byte{0x00, 0x84, 0, 0, 8}

// gone fails unless the other end has hung up.
func (v vpcd) gone(why string) {
	v.t.Helper()
	if b, err := v.hear(); err == nil {
		v.t.Errorf("%s: % X, %v", why, b, err)
	}
}

// TestVPCD: a card that is in is a connection; what takes it out ends it.
func TestVPCD(t *testing.T) {
	address, next := reader(t)
	chip := emulator.NewCard(ready(t, "credit"))
	var told []string
	v := emulator.StartVPCD(emulator.VPCDConfig{Address: address, Card: chip, Watch: func(line string) { told = append(told, line) }})
	defer v.Close()
	c := next()
	c.say(4)
	if atr, err := c.hear(); err != nil || !bytes.Equal(atr, chip.ATR()) {
		t.Errorf("ATR % X, %v", atr, err)
	}
	c.say(1)
	if answer := c.transmit(challenge); len(answer) < 2 {
		t.Errorf("% X", answer)
	}
	if s, err := v.Status(); err != nil || !s.Joined || !s.Card || s.Name != "credit" || s.Carried != 1 {
		t.Errorf("%+v, %v", s, err)
	}
	if err := v.Remove(); err != nil {
		t.Fatal(err)
	}
	c.gone("removed")
	if err := v.Insert(chip); err != nil {
		t.Fatal(err)
	}
	c = next()
	if err := v.Unplug(); err != nil {
		t.Fatal(err)
	}
	c.gone("unplugged")
	if err := v.Unplug(); !errors.Is(err, emulator.ErrNoPlug) {
		t.Errorf("unplugged twice: %v", err)
	}
	if err := v.Replug(); err != nil {
		t.Fatal(err)
	}
	c = next()
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	c.gone("closed")
	if err := v.Insert(chip); !errors.Is(err, emulator.ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
	if _, err := v.Status(); !errors.Is(err, emulator.ErrClosed) {
		t.Errorf("status after the end: %v", err)
	}
	if len(told) != 2 || told[0][:10] != "reset, ATR" {
		t.Errorf("told %q", told)
	}
}

// TestVPCDFaults: each fault at the exchange for which it was ordered, and not before.
func TestVPCDFaults(t *testing.T) {
	address, next := reader(t)
	for _, kind := range emulator.VPCDFaults() {
		t.Run(string(kind), func(t *testing.T) {
			v := emulator.StartVPCD(emulator.VPCDConfig{Address: address, Card: emulator.NewCard(ready(t, "credit"))})
			defer v.Close()
			c := next()
			c.t = t
			if err := v.FaultNext(kind, 2); err != nil {
				t.Fatal(err)
			}
			right := c.transmit(challenge)
			c.say(challenge...)
			switch kind {
			case emulator.FaultShort:
				if b, err := c.hear(); len(b) != 1 || err != nil {
					t.Errorf("% X, %v", b, err)
				}
			case emulator.FaultGarbage:
				if b, err := c.hear(); len(b) != len(right) || bytes.Equal(b[len(b)-2:], right[len(right)-2:]) || err != nil {
					t.Errorf("% X, %v", b, err)
				}
			case emulator.FaultMute:
				if err := v.Remove(); err != nil { // it says nothing until it is taken out
					t.Error(err)
				}
				c.gone("mute, then removed")
			case emulator.FaultLost:
				c.say(4)
				if atr, err := c.hear(); err != nil || atr[0]&0xF0 != 0x30 {
					t.Errorf("the next answer % X, %v", atr, err)
				}
			default:
				c.gone(string(kind))
			}
			s, err := v.Status()
			if in := !slices.Contains([]emulator.WireFault{emulator.FaultRemoved, emulator.FaultMute}, kind); err != nil || s.Armed != 0 || kind != emulator.FaultRemoved && s.Card != in {
				t.Errorf("%+v, %v", s, err)
			}
		})
	}
	v := emulator.StartVPCD(emulator.VPCDConfig{Address: address})
	defer v.Close()
	if err := v.Fault(emulator.FaultChecksum, 1); !errors.Is(err, emulator.ErrNoFault) {
		t.Errorf("a checksum, where there is none: %v", err)
	}
}

// TestVPCDHand: a card that was used and lost its power is taken out at the next look, and comes back.
func TestVPCDHand(t *testing.T) {
	address, next := reader(t)
	hand := emulator.Hand{TakeOut: time.Nanosecond, PutBack: time.Nanosecond}
	v := emulator.StartVPCD(emulator.VPCDConfig{Address: address, Card: emulator.NewCard(ready(t, "credit")), Hand: hand})
	defer v.Close()
	c := next()
	c.say(1)
	c.say(0)
	c.say(4)
	if _, err := c.hear(); err != nil {
		t.Fatalf("a card that nobody used went away: %v", err)
	}
	c.say(1)
	c.transmit(challenge)
	c.say(0)
	c.say(4)
	c.gone("used")
	next().say(4)
}
