package escpos

import (
	"fmt"
	"strings"
	"time"
)

// run carries out what the buffer holds, command by command, while the printer is on line. A command that is not whole yet waits.
func (p *Printer) run() {
	defer p.arrived.Broadcast()
	for !p.offline() && !p.off && len(p.buffer) > 0 {
		n := p.step(p.buffer)
		if n == 0 {
			return
		}
		p.buffer = p.buffer[min(n, len(p.buffer)):]
	}
}

// step carries out the first command of b and says how many bytes it took; 0: more have to come.
func (p *Printer) step(b []byte) int {
	switch c := b[0]; {
	case c >= 0x20 && c != 0x7F:
		p.put(c)
		return 1
	case c == 0x0A:
		p.newLine()
		return 1
	case c == 0x0D: // nothing where automatic line feed is off
		return 1
	case c == 0x10:
		return p.skipRealtime(b)
	case c == 0x1B:
		return p.escape(b)
	case c == 0x1D:
		return p.group(b)
	}
	p.unknown(b[:1])
	return 1
}

// skipRealtime passes over commands that were obeyed as they came.
func (p *Printer) skipRealtime(b []byte) int {
	if len(b) < 3 {
		return 0
	}
	switch {
	case b[1] == 0x04 && b[2] >= 1 && b[2] <= 4, b[1] == 0x05 && (b[2] == 1 || b[2] == 2):
		return 3
	case b[1] == 0x14 && b[2] == 0x01:
		return whole(b, 5)
	case b[1] == 0x14 && b[2] == 0x08:
		return whole(b, maxRecent)
	}
	p.unknown(b[:3])
	return 1
}

// whole is n, where so many bytes are there.
func whole(b []byte, n int) int {
	if len(b) < n {
		return 0
	}
	return n
}

// lengths of ESC commands, with their parameters.
var escapes = map[byte]int{
	'@': 2, '2': 2, '!': 3, '3': 3, 'E': 3, 'G': 3, 'J': 3, 'M': 3, 'R': 3, 'a': 3, 'd': 3, 't': 3, '{': 3, '$': 4, 'p': 5, '-': 3, ' ': 3,
}

func (p *Printer) escape(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	n, known := escapes[b[1]]
	if !known {
		p.unknown(b[:2])
		return 2
	}
	if len(b) < n {
		return 0
	}
	s := &p.state
	switch b[1] {
	case '@':
		p.state = fresh()
	case '2':
		s.spacing = lineSpacing
	case '3':
		s.spacing = int(b[2])
	case '!':
		s.bold, s.tall, s.wide = b[2]&0x08 != 0, 1+int(b[2]>>4&1), 1+int(b[2]>>5&1)
	case 'E', 'G':
		s.bold = b[2]&1 != 0
	case 'J':
		p.flush(0)
		p.feed(int(b[2]))
	case 'd':
		p.flush(0)
		p.feed(int(b[2]) * s.spacing)
	case 'a':
		if s.align = b[2]; b[2] >= '0' {
			s.align = b[2] - '0'
		}
	case '$':
		s.at = int(b[2]) + int(b[3])<<8
	case 'p':
		const unit = 2 * time.Millisecond
		p.pulse(b[2], time.Duration(b[3])*unit, time.Duration(b[4])*unit)
	case 'R', 't': // the set of a country, the code page: all have the same ASCII but for a dozen signs, which R 0 gives
		if b[2] != 0 {
			p.unknown(b[:3])
		}
	}
	return n
}

func (p *Printer) group(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '(':
		return p.functions(b)
	case 'v':
		return p.raster(b)
	case 'V':
		return p.cutting(b)
	}
	if len(b) < 3 {
		return 0
	}
	switch s := &p.state; b[1] {
	case '!':
		s.wide, s.tall = 1+int(b[2]>>4&7), 1+int(b[2]&7)
	case 'a':
		s.asb = b[2]
		p.report(true)
	case 'r':
		p.transmit(b[2])
	case 'I':
		p.say(0x5F, 'V', 'I', 'R', 'T', 'U', 'A', 'L', 0x00)
	default:
		p.unknown(b[:2])
		return 2
	}
	return 3
}

// transmit answers GS r: bit 4 is 0.
func (p *Printer) transmit(n byte) {
	near, out := p.low(), p.paper == 0
	switch n {
	case 1, '1':
		p.say(bit(near, 0) | bit(near, 1) | bit(out, 2) | bit(out, 3))
	case 2, '2':
		p.say(bit(p.drawer, 0))
	default:
		p.unknown([]byte{0x1D, 'r', n})
	}
}

// functions are the commands GS ( X pL pH, which say how long they are.
func (p *Printer) functions(b []byte) int {
	if len(b) < 5 {
		return 0
	}
	n := 5 + int(b[3]) + int(b[4])<<8
	known := b[2] == 'H' || b[2] == 'D'
	if p.cfg.Naive && known || n > 64 {
		p.unknown(b[:5])
		return 5 // and prints what follows
	}
	if len(b) < n {
		return 0
	}
	switch {
	case p.cfg.Clone:
	case b[2] == 'H' && n == 11 && b[5] == '0' && b[6] == '0':
		p.say(append(append([]byte{0x37, 0x22}, b[7:11]...), 0x00)...)
	case b[2] == 'D':
	default:
		p.unknown(b[:n])
	}
	return n
}

// raster prints a picture (GS v 0 m xL xH yL yH data). Each row takes paper; where that ends, the rest is lost.
func (p *Printer) raster(b []byte) int {
	if len(b) < 8 {
		return 0
	}
	wide, high := int(b[4])+int(b[5])<<8, int(b[6])+int(b[7])<<8
	if b[2] != '0' || b[3] != 0 || wide == 0 || high == 0 || wide > 0xFF || high > 2303 {
		p.unknown(b[:8])
		return 8
	}
	n := 8 + wide*high
	if n > p.cfg.Buffer { // it has no room for it: a real one takes it in as it comes; here the driver is to send less
		p.unknown(b[:8])
		return 8
	}
	if len(b) < n {
		return 0
	}
	p.flush(0)
	rows := make([][]bool, high)
	left := 0
	switch {
	case p.state.align == 1 && p.state.at == 0:
		left = max(0, (p.cfg.Dots-8*wide)/2)
	default:
		left = p.state.at
	}
	p.state.at = 0
	for y := range rows {
		rows[y] = make([]bool, p.cfg.Dots)
		for x := range 8 * wide {
			if left+x < p.cfg.Dots && b[8+y*wide+x/8]&(0x80>>(x%8)) != 0 {
				rows[y][left+x] = true
			}
		}
	}
	p.rows(rows)
	return n
}

func (p *Printer) cutting(b []byte) int {
	if len(b) < 3 {
		return 0
	}
	n := 3
	switch b[2] {
	case 0, 1, '0', '1':
		p.flush(0)
	case 'A', 'B':
		if len(b) < 4 {
			return 0
		}
		n = 4
		p.flush(0)
		p.feed(int(b[3]) + 120) // from the head to the cutter
	default:
		p.unknown(b[:3])
		return n
	}
	if p.paper == 0 {
		return n
	}
	if p.cutterAt == 0 {
		p.jammed = true
		p.report(false)
		return n
	}
	p.cutterAt--
	p.slips[len(p.slips)-1].Cut = true
	p.slips = append(p.slips, Slip{width: p.cfg.Dots})
	return n
}

// unknown notes what it does not know. A real one would have printed some of it.
func (p *Printer) unknown(b []byte) {
	const most = 1000
	if len(p.odd) < most {
		p.odd = append(p.odd, strings.TrimSpace(fmt.Sprintf("% X", b)))
	}
}

// put adds a character to the line; a full one is printed first.
func (p *Printer) put(c byte) {
	s := &p.state
	used := s.at
	for _, k := range s.line {
		used += k.wide * cellWidth
	}
	if used+s.wide*cellWidth > p.cfg.Dots {
		p.newLine()
	}
	s.line = append(s.line, cell{c, s.wide, s.tall, s.bold})
}

func (p *Printer) newLine() {
	if len(p.state.line) == 0 {
		if p.feed(p.state.spacing) {
			p.addLine(Line{})
		}
		return
	}
	p.flush(p.state.spacing)
}

// flush prints the line that was collected, at least so many rows high.
func (p *Printer) flush(least int) {
	s := &p.state
	if len(s.line) == 0 {
		return
	}
	l := Line{Wide: true, Tall: true, Bold: true}
	var text strings.Builder
	width, height := 0, cellHeight
	for _, c := range s.line {
		text.WriteByte(c.char)
		width += c.wide * cellWidth
		height = max(height, c.tall*cellHeight)
		l.Wide, l.Tall, l.Bold = l.Wide && c.wide > 1, l.Tall && c.tall > 1, l.Bold && c.bold
	}
	left := s.at
	switch s.align {
	case 1:
		left = (p.cfg.Dots - width) / 2
	case 2:
		left = p.cfg.Dots - width
	}
	l.Text = strings.TrimRight(text.String(), " ")
	rows := draw(s.line, left, p.cfg.Dots, height)
	for len(rows) < least {
		rows = append(rows, make([]bool, p.cfg.Dots))
	}
	s.line, s.at = nil, 0
	if p.rows(rows) {
		p.addLine(l)
	}
}

func (p *Printer) addLine(l Line) {
	slip := &p.slips[len(p.slips)-1]
	slip.Lines = append(slip.Lines, l)
}

func (p *Printer) feed(n int) bool {
	rows := make([][]bool, n)
	for i := range rows {
		rows[i] = make([]bool, p.cfg.Dots)
	}
	return p.rows(rows)
}

// rows moves paper under the head. It says whether there was paper for all of them.
func (p *Printer) rows(rows [][]bool) bool {
	slip := &p.slips[len(p.slips)-1]
	low := p.low()
	for _, r := range rows {
		if p.paper == 0 {
			break
		}
		slip.rows = append(slip.rows, r)
		if p.paper > 0 {
			p.paper--
		}
		if p.paper == 0 {
			p.report(false)
			return false
		}
	}
	if p.low() != low {
		p.report(false)
	}
	return true
}
