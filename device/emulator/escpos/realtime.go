package escpos

import (
	"bytes"
	"time"
)

// Commands in real time (DLE EOT, DLE ENQ, DLE DC4) are obeyed when they arrive, off line too, wherever they stand.

// maxRecent is the longest of them: DLE DC4 8 with its seven bytes.
const maxRecent = 10

// clearing is what has to stand behind DLE DC4 8.
var clearing = []byte{0x10, 0x14, 0x08, 1, 3, 20, 1, 6, 2, 8}

func (p *Printer) obeyNow(c byte) {
	p.recent = append(p.recent, c)
	if len(p.recent) > maxRecent {
		p.recent = p.recent[len(p.recent)-maxRecent:]
	}
	ends := func(n int) []byte {
		if len(p.recent) < n {
			return nil
		}
		return p.recent[len(p.recent)-n:]
	}
	if s := ends(3); s != nil && s[0] == 0x10 {
		switch {
		case s[1] == 0x04 && s[2] >= 1 && s[2] <= 4:
			p.realtime++
			p.say(p.status(s[2]))
			return
		case s[1] == 0x05 && (s[2] == 1 || s[2] == 2):
			p.realtime++
			p.recover(s[2] == 2)
			return
		}
	}
	if s := ends(5); s != nil && s[0] == 0x10 && s[1] == 0x14 && s[2] == 0x01 && s[3] <= 1 && s[4] >= 1 && s[4] <= 8 {
		p.realtime++
		t := time.Duration(s[4]) * 100 * time.Millisecond
		p.pulse(s[3], t, t)
		return
	}
	if s := ends(maxRecent); s != nil && bytes.Equal(s, clearing) && !p.cfg.Clone {
		p.realtime++
		p.cleared++
		p.buffer, p.state.line = nil, nil
		p.say(0x37, 0x25, 0x00)
		p.arrived.Broadcast()
	}
}

// recover leaves an error that can be left: on with the line that it came in, or with an empty buffer.
func (p *Printer) recover(empty bool) {
	if !p.jammed {
		return
	}
	p.jammed, p.cutterAt = false, -1
	if empty {
		p.buffer, p.state.line = nil, nil
	}
	p.changed()
}

func bit(on bool, n int) byte {
	if on {
		return 1 << n
	}
	return 0
}

// status is the answer to DLE EOT n. Bits 1 and 4 are always there.
func (p *Printer) status(n byte) byte {
	s := byte(0x12)
	switch n {
	case 1:
		s |= bit(p.drawer, 2) | bit(p.offline(), 3)
	case 2:
		s |= bit(p.cover, 2) | bit(p.paper == 0, 5) | bit(p.jammed, 6)
	case 3:
		s |= bit(p.jammed, 3)
	case 4:
		near, out := p.low(), p.paper == 0
		s |= bit(near, 2) | bit(near, 3) | bit(out, 5) | bit(out, 6)
	}
	return s
}

func (p *Printer) low() bool { return p.paper >= 0 && p.paper <= p.nearEnd }

// report sends the automatic status, at every change that GS a names.
func (p *Printer) report(always bool) {
	near, out := p.low(), p.paper == 0
	now := [4]byte{
		0x10 | bit(p.drawer, 2) | bit(p.offline(), 3) | bit(p.cover, 5),
		bit(p.jammed, 3),
		bit(near, 0) | bit(near, 1) | bit(out, 2) | bit(out, 3),
		0x0F,
	}
	was := p.reported
	p.reported = now
	differs := now[0]&0x04 != was[0]&0x04 && p.state.asb&1 != 0 ||
		now[0]&0x28 != was[0]&0x28 && p.state.asb&2 != 0 ||
		now[1] != was[1] && p.state.asb&4 != 0 ||
		now[2] != was[2] && p.state.asb&8 != 0
	if p.state.asb != 0 && (always || differs) {
		p.say(now[:]...)
	}
}

func (p *Printer) pulse(m byte, on, off time.Duration) {
	pin := 2
	if m == 1 || m == '1' {
		pin = 5
	}
	p.pulses = append(p.pulses, Pulse{pin, on, off})
}
