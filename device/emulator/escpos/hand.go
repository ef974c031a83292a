package escpos

import "slices"

// LoadPaper puts a roll in: rows of dots that are left on it (8 are a millimetre), or below 0 an endless one. nearEnd is how many are
// left when the sensor sees the end coming. A roll of 0 rows is paper out.
func (p *Printer) LoadPaper(rows, nearEnd int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.paper, p.nearEnd = rows, nearEnd
	p.changed()
}

// OpenCover opens or shuts the cover.
func (p *Printer) OpenCover(open bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cover = open
	p.changed()
}

// OpenDrawer opens or shuts the drawer.
func (p *Printer) OpenDrawer(open bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drawer = open
	p.changed()
}

// JamCutter has the cutter stick after so many cuts more; below 0 it never does, and one that sticks is free again.
func (p *Printer) JamCutter(after int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cutterAt, p.jammed = after, false
	p.changed()
}

// Mute has the printer print and say nothing, as with a broken wire back.
func (p *Printer) Mute(mute bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mute = mute
}

// SwitchOff takes the power: buffer and settings are gone, the paper stays as it is. SwitchOn brings it back.
func (p *Printer) SwitchOff() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.off, p.buffer, p.recent, p.answers, p.state = true, nil, nil, nil, fresh()
	p.arrived.Broadcast()
}

// SwitchOn gives power again.
func (p *Printer) SwitchOn() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.off = false
}

// Slips is all paper so far; the last still hangs in the printer, and may be empty.
func (p *Printer) Slips() []Slip {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := slices.Clone(p.slips)
	for i := range out {
		out[i].Lines, out[i].rows = slices.Clone(out[i].Lines), slices.Clone(out[i].rows)
	}
	return out
}

// Cut are the slips that were cut off.
func (p *Printer) Cut() []Slip {
	all := p.Slips()
	return all[:len(all)-1]
}

// TearOff takes away all paper that was cut off, as customers do, and gives it.
func (p *Printer) TearOff() []Slip {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.slips) - 1
	gone := slices.Clone(p.slips[:last])
	p.slips = slices.Clone(p.slips[last:])
	return gone
}

// Pulses are the drawer pulses so far.
func (p *Printer) Pulses() []Pulse {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.pulses)
}

// Odd is what it was sent and does not know: commands, and control characters outside one. A right driver leaves it empty.
func (p *Printer) Odd() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.odd)
}

// Lost is how many bytes found its buffer full.
func (p *Printer) Lost() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lost
}

// Obeyed is how many real-time commands it carried out.
func (p *Printer) Obeyed() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.realtime
}
