package iso7816

import (
	"errors"
	"fmt"
)

// ErrNotEMV says that a well-formed answer to reset is one that EMV tells the terminal to refuse.
var ErrNotEMV = errors.New("answer to reset not accepted by EMV")

// CheckEMV refuses the answers that a terminal has to refuse (EMV Contact Interface Specification, 8.3; Book 1 of
// EMV 4.3 in the same section). warm says that it answered a warm reset, where TB1 is free. After a refusal the terminal
// resets the card warm, once; after a second one it gives the card up (8.4).
//
// More is accepted than the basic answers where the section lets the terminal accept it, and two things more: any
// TC1 (some editions name 00 and FF only, and the reader keeps the guard time by itself), and T=15 after T=0 in TD2.
func (a ATR) CheckEMV(warm bool) error {
	refuse := func(format string, values ...any) error {
		return fmt.Errorf("%w: "+format, append([]any{ErrNotEMV}, values...)...)
	}
	one, two := a.group(1), a.group(2)
	if !warm && (!one.TB.Present || one.TB.Value != 0) {
		return refuse("TB1 absent or not 00 after a cold reset")
	}
	protocol := a.Protocol()
	if protocol > 1 {
		return refuse("T=%d in TD1", protocol)
	}
	if two.TA.Present {
		switch speed := one.TA.or(0x11); {
		case two.TA.Value&0x0F != protocol:
			return refuse("TA2 %02X names another protocol than TD1", two.TA.Value)
		case two.TA.Value&0x10 != 0:
			return refuse("TA2 %02X leaves the speed to an agreement", two.TA.Value)
		case speed < 0x11 || speed > 0x13:
			return refuse("TA1 %02X in specific mode", speed)
		}
	}
	if two.TB.Present {
		return refuse("TB2 present")
	}
	if two.TC.Present && (protocol != 0 || two.TC.Value != 10) {
		return refuse("TC2 %02X", two.TC.Value)
	}
	if two.TD.Present {
		next := two.TD.Value & 0x0F
		if next != 1 && (protocol != 0 || next != 14 && next != 15) {
			return refuse("T=%d in TD2", next)
		}
	}
	if protocol == 1 {
		return a.checkT1(refuse)
	}
	return nil
}

// checkT1 is CheckEMV for the bytes that are specific to T=1: TA3, TB3 and TC3.
func (a ATR) checkT1(refuse func(string, ...any) error) error {
	g := a.t1()
	if s := a.IFSC(); s < 16 || s > MaxINF {
		return refuse("TA3 %02X", s)
	}
	if !g.TB.Present {
		return refuse("TB3 absent")
	}
	if a.BWI() > 4 || a.CWI() > 5 {
		return refuse("TB3 %02X", g.TB.Value)
	}
	if n := int(a.GuardTime()); n != 0xFF && 1<<a.CWI() < n+1 {
		return refuse("TB3 %02X with TC1 %02X", g.TB.Value, n)
	}
	if g.TC.or(0) != 0 {
		return refuse("TC3 %02X", g.TC.Value)
	}
	return nil
}
