package escpos

import (
	"bytes"
	"fmt"
)

// Commands (ESC/POS Command Reference). Each is whole: pictures and text stand between them, never within.
var (
	initialise   = []byte{0x1B, '@'}
	usASCII      = []byte{0x1B, 'R', 0, 0x1B, 't', 0} // signs of the USA, code page 437: all of ASCII is where it should be
	autoStatus   = []byte{0x1D, 'a', 0x0F}            // drawer, on line, error, paper: told at every change
	askInTurn    = []byte{0x1D, 'r', 1}               // answered when all before it was worked off
	partialCut   = []byte{0x1D, 'V', 66, 0}           // feeds to the cutter and leaves a strip
	plain        = []byte{0x1D, '!', 0x00, 0x1B, 'E', 0}
	tall         = []byte{0x1D, '!', 0x01, 0x1B, 'E', 1}
	bold         = []byte{0x1D, '!', 0x00, 0x1B, 'E', 1}
	restart      = []byte{0x10, 0x05, 2} // DLE ENQ 2: leaves a jammed cutter, with an empty buffer
	clearBuffers = []byte{0x10, 0x14, 8, 1, 3, 20, 1, 6, 2, 8}
)

// askNow is DLE EOT n, which is answered at once, off line too.
func askNow(n byte) []byte { return []byte{0x10, 0x04, n} }

// askID has the printer send a number back when all before it is on paper (GS ( H, function 48).
func askID(id [4]byte) []byte {
	return append([]byte{0x1D, '(', 'H', 6, 0, '0', '0'}, id[:]...)
}

// processID is the nth number of a connection: four printable characters, no two alike in ten thousand jobs.
func processID(n uint32) (id [4]byte) {
	copy(id[:], fmt.Sprintf("%04d", n%10_000))
	return id
}

// Pin of the drawer's connector.
type Pin int

// The pins. Most shops have one drawer, on pin 2.
const (
	Pin2 Pin = 2
	Pin5 Pin = 5
)

func (p Pin) number() byte {
	if p == Pin5 {
		return 1
	}
	return 0
}

// pulse opens a drawer in its turn: 50 ms on, 500 ms off, in units of two milliseconds.
func pulse(p Pin) []byte { return []byte{0x1B, 'p', p.number(), 25, 250} }

// pulseNow opens a drawer at once, of a printer that is off line too: 100 ms on and off.
func pulseNow(p Pin) []byte { return []byte{0x10, 0x14, 1, p.number(), 1} }

// Style of a line of text.
type Style uint8

// The styles. None changes how many characters fit a line.
const (
	Plain Style = iota
	Bold
	Tall // twice as high, and bold
)

// Text is one line in the printer's own font.
type Text struct {
	Text  string
	Style Style
}

// ASCII says that the printer's own font has every character of s.
func ASCII(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7E {
			return false
		}
	}
	return true
}

// text is the commands of lines: only printable ASCII goes out, and anything else as a question mark.
func text(lines []Text) [][]byte {
	var out [][]byte
	for _, l := range lines {
		b := append([]byte(nil), plain...)
		switch l.Style {
		case Tall:
			b = append([]byte(nil), tall...)
		case Bold:
			b = append([]byte(nil), bold...)
		case Plain:
		}
		for _, r := range l.Text {
			if r < 0x20 || r > 0x7E {
				r = '?'
			}
			b = append(b, byte(r))
		}
		out = append(out, append(b, '\n'))
	}
	return append(out, plain)
}

// Picture is black and white, a bit for a dot, 1 is black, rows of whole bytes from the left, top row first.
type Picture struct {
	Stride int // bytes of a row, 1 to 72
	Rows   []byte
}

// maxStride is what paper of 80 mm takes: 576 dots.
const maxStride = 72

// maxRows bounds a picture: two metres of paper.
const maxRows = 16_000

// check refuses what no receipt printer prints.
func (p Picture) check() error {
	if p.Stride < 1 || p.Stride > maxStride || len(p.Rows)%p.Stride != 0 || len(p.Rows)/p.Stride > maxRows {
		return fmt.Errorf("picture of %d bytes a row and %d bytes: rows of 1 to %d bytes, at most %d of them", p.Stride, len(p.Rows), maxStride, maxRows)
	}
	return nil
}

// raster is the commands of a picture: strips of at most so many bytes (GS v 0), and feeds where rows are empty (ESC J). Bytes at
// the right that are empty in a whole strip are not sent.
func raster(p Picture, most int) [][]byte {
	rows := harmless(p)
	high := len(rows) / p.Stride
	row := func(y int) []byte { return rows[y*p.Stride : (y+1)*p.Stride] }
	empty := func(y int) bool { return len(bytes.TrimRight(row(y), "\x00")) == 0 }
	var out [][]byte
	for y := 0; y < high; {
		from := y
		if empty(y) {
			for y < high && empty(y) && y-from < 255 {
				y++
			}
			out = append(out, []byte{0x1B, 'J', byte(y - from)}) //nolint:gosec // at most 255
			continue
		}
		wide := 0
		for y < high && !empty(y) && (y-from+1)*p.Stride <= most {
			wide = max(wide, len(bytes.TrimRight(row(y), "\x00")))
			y++
		}
		out = append(out, strip(rows, p.Stride, wide, from, y))
	}
	return out
}

// strip is one GS v 0 of rows from one to before another.
func strip(rows []byte, stride, wide, from, to int) []byte {
	n := to - from
	b := append(make([]byte, 0, 8+n*wide), 0x1D, 'v', '0', 0, byte(wide), 0, byte(n), byte(n>>8)) //nolint:gosec // wide at most 72, n two bytes
	for y := from; y < to; y++ {
		b = append(b, rows[y*stride:y*stride+wide]...)
	}
	return b
}

// harmless is a picture in which no byte 10 stands before 04, 05 or 14, wherever its rows are cut off at the right: those would
// be commands in real time. The dot beside the one of the 10 is made black.
func harmless(p Picture) []byte {
	const dle, dot = 0x10, 0x08
	rows := bytes.Clone(p.Rows)
	for i, b := range rows {
		if b != dle {
			continue
		}
		// What follows on the line: the byte beside it, or, where all behind it is cut off, the first of the next row.
		next := []int{i + 1, (i/p.Stride + 1) * p.Stride}
		for _, n := range next {
			if n < len(rows) && (rows[n] == 0x04 || rows[n] == 0x05 || rows[n] == 0x14) {
				rows[i] |= dot
			}
		}
	}
	return rows
}
