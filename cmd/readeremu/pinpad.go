package main

import (
	"encoding/hex"
	"fmt"
	"net"
	"strings"

	"github.com/spf13/pflag"

	"tillway/device/emulator/pinpad"
	"tillway/device/emulator/virtualusb"
)

// padFlags are a virtual PIN pad's keys; all of them are test keys, and published.
type padFlags struct{ pairing, transport string }

const (
	// padPairing is the example key of FIPS 197, appendix A.1.
	padPairing = "2B7E151628AED2A6ABF7158809CF4F3C"
	// padInitialKey and padSerial are the example of ANS X9.24-1:2009, annex A.4.
	padInitialKey = "6AC292FAA1315B4D858AB3A3D7D5933A"
	padSerial     = "FFFF9876543210E00000"
)

func (f *padFlags) add(fl *pflag.FlagSet) {
	fl.StringVar(&f.pairing, "pad-pairing", padPairing, "pairing key of the PIN pad, an AES test key in hexadecimal digits; empty: it is not paired")
	fl.StringVar(&f.transport, "pad-transport", "", "key under which the PIN pad takes key blocks; empty: it takes none")
}

// config is the pad with its keys. Error: a key that is none.
func (f padFlags) config() (pinpad.Config, error) {
	var c pinpad.Config
	for _, k := range []struct {
		name, text string
		to         *[]byte
	}{
		{"--pad-pairing", f.pairing, &c.Pairing},
		{"--pad-transport", f.transport, &c.Transport},
		{"initial key", padInitialKey, &c.PINKey},
		{"serial number", padSerial, &c.KSN},
	} {
		key, err := hex.DecodeString(k.text)
		if err != nil {
			return c, fmt.Errorf("%s is not in hexadecimal digits", k.name)
		}
		*k.to = key
	}
	return c, nil
}

// cable is the pad's wire to its USB plug, which is pulled and plugged in by USB's own orders.
type cable struct{ net.Conn }

func (cable) Plug() error { return nil }
func (cable) Unplug()     {}

// addPad adds a PIN pad behind a serial port on USB.
func (p *player) addPad(f padFlags) (closing func() error, err error) {
	cfg, err := f.config()
	if err != nil {
		return nil, usageError{err}
	}
	ours, theirs := net.Pipe()
	port := virtualusb.StartSerial(virtualusb.TestIdentity("Virtual PIN pad"), ours)
	pad, err := pinpad.StartOn(cable{theirs}, cfg)
	if err != nil {
		_ = port.Close()
		return nil, err
	}
	p.pad = pad
	closing = func() error {
		_ = port.Close()
		return pad.Close()
	}
	return closing, p.usb.add("pinpad", port)
}

// mostKeys bounds one entry on the pad.
const mostKeys = 32

// orderPad presses keys: digits and enter, or what one does in place of that.
func (d *desk) orderPad(what string) error {
	if d.pad == nil {
		return fmt.Errorf("%w: there is no PIN pad: start readeremu with --pinpad", errOrder)
	}
	switch {
	case what == "cancel":
		d.pad.Type("\x1b")
	case what == "bypass":
		d.pad.Type("b")
	case what == "tamper":
		d.pad.Tamper()
	case what == "mute":
		d.pad.Mute(true)
	case what == "talk":
		d.pad.Mute(false)
	case len(what) <= mostKeys && strings.Trim(what, "0123456789") == "":
		d.pad.Type(what + "\r")
	default:
		return fmt.Errorf("%w: pin takes digits, cancel, bypass, tamper, mute or talk", errOrder) // what was typed may be a PIN
	}
	return nil
}
