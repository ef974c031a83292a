package escpos

import "bytes"

// State is what a printer says of itself.
type State struct {
	Connected bool `json:"connected"`
	Answers   bool `json:"answers"` // it has told its state since it was connected

	PaperOut   bool `json:"paper_out,omitempty"`
	PaperLow   bool `json:"paper_low,omitempty"` // the roll is nearly at its end; printers without the sensor never say so
	CoverOpen  bool `json:"cover_open,omitempty"`
	CutterJam  bool `json:"cutter_jam,omitempty"`
	Fault      bool `json:"fault,omitempty"`       // an error that only switching off and on, or a technician, ends
	Offline    bool `json:"offline,omitempty"`     // it does not print, for one of these reasons or because its paper is fed by hand
	DrawerHigh bool `json:"drawer_high,omitempty"` // the level of the drawer's switch: which means open is the drawer's wiring
}

// kind of what a printer sends ("Identification of transmission status").
type kind uint8

const (
	immediate kind = iota + 1 // DLE EOT: one byte, 0xx1xx10
	automatic                 // GS a: four bytes, the first 0xx1xx00
	inTurn                    // GS r: one byte, 0xx0xxxx
	block                     // 37 … 00: identifier and data
)

// message is one thing that a printer sent.
type message struct {
	kind kind
	data []byte // the byte; the four; the block without 37 and 00
}

// maxBlock bounds a block; the longest that is asked for has seven bytes.
const maxBlock = 96

// decoder finds messages in a stream of bytes. The zero decoder is at a message's beginning.
type decoder struct {
	held []byte
}

// feed takes bytes and calls for each message that is whole. It never holds more than maxBlock bytes.
func (d *decoder) feed(b []byte, each func(message)) {
	for _, c := range b {
		if len(d.held) > 0 {
			d.more(c, each)
			continue
		}
		switch {
		case c == 0x37: // before the patterns below: a flow control byte has them too
			d.held = append(d.held, c)
		case c&0x93 == 0x12:
			each(message{immediate, []byte{c}})
		case c&0x93 == 0x10:
			d.held = append(d.held, c)
		case c&0x90 == 0:
			each(message{inTurn, []byte{c}})
		}
		// What is left is XON, XOFF, or noise of a line.
	}
}

// more takes a byte of a message that has begun.
func (d *decoder) more(c byte, each func(message)) {
	if d.held[0] == 0x37 {
		switch {
		case c == 0:
			each(message{block, bytes.Clone(d.held[1:])})
			d.held = d.held[:0]
		case len(d.held) >= maxBlock:
			d.held = d.held[:0]
		default:
			d.held = append(d.held, c)
		}
		return
	}
	if c&0x90 != 0 { // none of bytes 2 to 4 looks like that: the message was cut off, and another begins
		d.held = d.held[:0]
		d.feed([]byte{c}, each)
		return
	}
	if d.held = append(d.held, c); len(d.held) == 4 {
		each(message{automatic, bytes.Clone(d.held)})
		d.held = d.held[:0]
	}
}

// idOf is the process ID of a block.
func (m message) idOf() (id [4]byte, ok bool) {
	if m.kind != block || len(m.data) != 5 || m.data[0] != 0x22 {
		return id, false
	}
	copy(id[:], m.data[1:])
	return id, true
}

// cleared says that a block acknowledges DLE DC4 8.
func (m message) cleared() bool { return m.kind == block && len(m.data) == 1 && m.data[0] == 0x25 }

// auto is the state after an automatic status.
func (s State) auto(b []byte) State {
	s.Answers = true
	s.DrawerHigh, s.Offline, s.CoverOpen = b[0]&0x04 != 0, b[0]&0x08 != 0, b[0]&0x20 != 0
	s.CutterJam, s.Fault = b[1]&0x08 != 0, b[1]&0x64 != 0
	s.PaperLow, s.PaperOut = b[2]&0x03 != 0, b[2]&0x0C != 0
	return s
}

// now is the state after the answer to DLE EOT n.
func (s State) now(n, b byte) State {
	s.Answers = true
	switch n {
	case 1:
		s.DrawerHigh, s.Offline = b&0x04 != 0, b&0x08 != 0
	case 2:
		s.CoverOpen = b&0x04 != 0
	case 3:
		s.CutterJam, s.Fault = b&0x08 != 0, b&0x64 != 0
	case 4:
		s.PaperLow, s.PaperOut = b&0x0C != 0, b&0x60 != 0
	}
	return s
}
