package iso7816

import (
	"errors"
	"fmt"
)

// MaxATR is the longest answer to reset, TS and TCK included (ISO/IEC 7816-3, 8.2.1).
const MaxATR = 33

// ErrATR says that bytes are no answer to reset.
var ErrATR = errors.New("malformed answer to reset")

// Interface is one interface byte, which a card may leave out.
type Interface struct {
	Present bool
	Value   byte
}

// or is the byte, or what holds in its absence.
func (i Interface) or(absent byte) byte {
	if i.Present {
		return i.Value
	}
	return absent
}

// Group is one group of interface bytes, TAi to TDi. The last group of an ATR has no TD.
type Group struct{ TA, TB, TC, TD Interface }

// ATR is an answer to reset, taken apart (ISO/IEC 7816-3, 8.2). What the bytes mean is told by the methods.
type ATR struct {
	TS         byte // 3B direct or 3F inverse convention
	Groups     []Group
	Historical []byte // at most 15 bytes
	TCK        Interface
}

// ParseATR reads exactly one answer to reset. The check byte must be right; where only T=0 is offered it may be absent
// or there (the standard leaves it out; some cards send it). Whether EMV accepts the card is CheckEMV's business.
func ParseATR(b []byte) (ATR, error) {
	if len(b) < 2 || len(b) > MaxATR {
		return ATR{}, fmt.Errorf("%w: %d bytes", ErrATR, len(b))
	}
	if b[0] != 0x3B && b[0] != 0x3F {
		return ATR{}, fmt.Errorf("%w: TS %02X", ErrATR, b[0])
	}
	a := ATR{TS: b[0]}
	rest, follow, historical := b[2:], b[1]>>4, int(b[1]&0x0F)
	onlyT0 := true
	for follow != 0 || len(a.Groups) == 0 {
		var g Group
		for i, at := range []*Interface{&g.TA, &g.TB, &g.TC, &g.TD} {
			if follow>>i&1 == 0 {
				continue
			}
			if len(rest) == 0 {
				return ATR{}, fmt.Errorf("%w: interface bytes cut short", ErrATR)
			}
			*at, rest = Interface{true, rest[0]}, rest[1:]
		}
		a.Groups = append(a.Groups, g)
		if !g.TD.Present {
			break
		}
		follow = g.TD.Value >> 4
		onlyT0 = onlyT0 && g.TD.Value&0x0F == 0
	}
	if len(rest) < historical {
		return ATR{}, fmt.Errorf("%w: historical bytes cut short", ErrATR)
	}
	a.Historical, rest = rest[:historical:historical], rest[historical:]
	switch {
	case len(rest) == 0 && onlyT0:
		return a, nil
	case len(rest) == 0:
		return ATR{}, fmt.Errorf("%w: no TCK", ErrATR)
	case len(rest) > 1:
		return ATR{}, fmt.Errorf("%w: %d bytes too many", ErrATR, len(rest)-1)
	case LRC(b[1:]) != 0:
		return ATR{}, fmt.Errorf("%w: wrong TCK", ErrATR)
	}
	a.TCK = Interface{true, rest[0]}
	return a, nil
}

// Append appends the answer to reset as the card sent it. TD bytes must be as ParseATR leaves them.
func (a ATR) Append(dst []byte) []byte {
	dst = append(dst, a.TS)
	follow := func(group int) (y byte) {
		if group >= len(a.Groups) {
			return 0
		}
		g := a.Groups[group]
		for i, b := range []Interface{g.TA, g.TB, g.TC, g.TD} {
			if b.Present {
				y |= 1 << i
			}
		}
		return y
	}
	dst = append(dst, follow(0)<<4|byte(len(a.Historical))&0x0F)
	for i, g := range a.Groups {
		for _, b := range []Interface{g.TA, g.TB, g.TC} {
			if b.Present {
				dst = append(dst, b.Value)
			}
		}
		if g.TD.Present {
			dst = append(dst, follow(i+1)<<4|g.TD.Value&0x0F)
		}
	}
	dst = append(dst, a.Historical...)
	if a.TCK.Present {
		dst = append(dst, a.TCK.Value)
	}
	return dst
}

// group is the n-th group, counted from 1 as in the standard; empty when the ATR has none.
func (a ATR) group(n int) Group {
	if n > len(a.Groups) {
		return Group{}
	}
	return a.Groups[n-1]
}

// Protocol is the protocol to talk: the first one offered (TD1), T=0 when none is named.
func (a ATR) Protocol() byte { return a.group(1).TD.or(0) & 0x0F }

// specific says that the card dictates protocol and speed (TA2) instead of offering them.
func (a ATR) specific() bool { return a.group(2).TA.Present }

// Speed is FI and DI (coded as in TA1) that hold right after the reset: those of TA1 in specific mode, else the
// default 11. EMV never negotiates others.
func (a ATR) Speed() byte {
	if a.specific() && a.group(2).TA.Value&0x10 == 0 {
		return a.group(1).TA.or(0x11)
	}
	return 0x11
}

// GuardTime is TC1, the extra guard time in elementary time units (FF means the least one).
func (a ATR) GuardTime() byte { return a.group(1).TC.or(0) }

// WI is TC2, the waiting time integer of T=0; 10 when absent.
func (a ATR) WI() byte { return a.group(2).TC.or(10) }

// t1 is the first group that speaks of T=1: the one after the first TD that names it, but never the first two groups.
func (a ATR) t1() Group {
	for i, g := range a.Groups {
		if i >= 1 && g.TD.Present && g.TD.Value&0x0F == 1 {
			return a.group(i + 2)
		}
	}
	return Group{}
}

// IFSC is the longest information field that the card takes in T=1 (first TA for T=1); 32 when absent.
func (a ATR) IFSC() int { return int(a.t1().TA.or(32)) }

// BWI is the block waiting time integer of T=1 (first TB for T=1, bits 8-5); 4 when absent.
func (a ATR) BWI() byte { return a.t1().TB.or(0x4D) >> 4 }

// CWI is the character waiting time integer of T=1 (first TB for T=1, bits 4-1); 13 when absent.
func (a ATR) CWI() byte { return a.t1().TB.or(0x4D) & 0x0F }

// CRC says that T=1 blocks end in a CRC, not in an LRC (first TC for T=1).
func (a ATR) CRC() bool { return a.t1().TC.or(0)&1 != 0 }
