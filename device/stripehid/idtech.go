package stripehid

import (
	"bytes"
	"fmt"

	"tillway/device"
)

// Places in the report that ID TECH calls its own (80066510-001, HID Report).
const (
	ownLength = 7 // two bytes
	ownData   = 9
	ownRoom   = 500
)

// The frame of an enciphered pass (80096504, 10.4 and 10.5).
const (
	stx         = 0x02
	etx         = 0x03
	frameAround = 6    // STX and two bytes of length before, LRC, sum and ETX behind
	enhanced    = 0x80 // of the card's type: the enhanced format
	hashSize    = 20
	serialSize  = 10
	ksnSize     = 10
	sessionSize = 8
)

// parseIDTech takes an ID TECH report apart: a frame, its own clear report, or the one that it has in common with MagTek's.
func parseIDTech(report []byte) (pass, error) {
	switch {
	case len(report) > 0 && report[0] == stx:
		return parseFrame(report)
	case len(report) == clearSize:
		return clearReport(report)
	case len(report) < ownData+ownRoom:
		return pass{}, fmt.Errorf("%w: %d bytes", ErrReport, len(report))
	}
	data := report[ownData : ownData+ownRoom]
	if data[0] == stx {
		return parseFrame(data)
	}
	if err := undecoded(report); err != nil {
		return pass{}, err
	}
	// The manual does not say which byte is first; the one order that fits the field is.
	n := int(report[ownLength]) | int(report[ownLength+1])<<8
	if n == 0 || n > ownRoom {
		n = int(report[ownLength])<<8 | int(report[ownLength+1])
	}
	if n > ownRoom {
		return pass{}, fmt.Errorf("%w: %d bytes of data", ErrReport, n)
	}
	return clearPass(data[:n])
}

// parts takes bytes off the front of a frame. After the first that is not there, everything is empty.
type parts struct {
	b   []byte
	bad bool
}

func (p *parts) take(n int) []byte {
	if p.bad || n > len(p.b) {
		p.bad = true
		return nil
	}
	v := p.b[:n:n]
	p.b = p.b[n:]
	return v
}

// parseFrame checks a frame and takes it apart. What is behind it in the report does not count.
func parseFrame(report []byte) (pass, error) {
	if len(report) < frameAround {
		return pass{}, fmt.Errorf("%w: a frame of %d bytes", ErrReport, len(report))
	}
	n := int(report[1]) | int(report[2])<<8
	if n < 5 || n+frameAround > len(report) || report[n+5] != etx {
		return pass{}, fmt.Errorf("%w: a frame of %d bytes that does not end", ErrReport, n)
	}
	data := report[3 : 3+n]
	var xor, sum byte
	for _, c := range data {
		xor ^= c
		sum += c
	}
	if xor != report[n+3] || sum != report[n+4] {
		return pass{}, fmt.Errorf("%w: a check sum is wrong: swipe again", device.ErrMisread)
	}
	p := &parts{b: data[2:]}
	kind := data[0]
	if data[1]&2 == 0 {
		return pass{}, fmt.Errorf("%w: track 2 could not be decoded", device.ErrMisread)
	}
	var lengths [3]int
	for i, l := range p.take(3) {
		lengths[i] = int(l)
	}
	if kind&enhanced == 0 {
		return originalFrame(p, kind, lengths)
	}
	return enhancedFrame(p, lengths)
}

// originalFrame reads the original format: of a bank card (type 0) masked tracks 1 and 2, then both enciphered as one; of others all in
// clear (80096504, 10.4).
func originalFrame(p *parts, kind byte, lengths [3]int) (pass, error) {
	one, two := p.take(lengths[0]), p.take(lengths[1])
	p.take(lengths[2]) // track 3, in clear
	if kind != 0 {
		if p.bad || len(p.b) != 0 {
			return pass{}, fmt.Errorf("%w: a frame whose lengths do not add up", ErrReport)
		}
		return clearPass(one, two)
	}
	block := p.take(roundUp(lengths[0]+lengths[1], 8))
	for _, l := range lengths[:2] {
		if l > 0 {
			p.take(hashSize)
		}
	}
	return sealedPass(p, two, Enciphered{Blocks: blocksOf(block)}, lengths[1])
}

// enhancedFrame reads the enhanced format: two bytes say what is there, and each track is enciphered by itself (80096504, 10.5).
func enhancedFrame(p *parts, lengths [3]int) (pass, error) {
	flags := p.take(2)
	if p.bad {
		return pass{}, fmt.Errorf("%w: a frame cut short", ErrReport)
	}
	shown, sent := flags[0], flags[1]
	var masked [3][]byte
	for i, l := range lengths {
		if shown>>i&1 != 0 {
			masked[i] = p.take(l)
		}
	}
	if sent&7 == 0 && sent&0x80 == 0 {
		if p.bad {
			return pass{}, fmt.Errorf("%w: a frame cut short", ErrReport)
		}
		return clearPass(masked[0], masked[1])
	}
	e := Enciphered{AES: shown&0x10 != 0, PINKey: shown&0x40 != 0}
	size := 8
	if e.AES {
		size = 16
	}
	var blocks [3][]byte
	for i, l := range lengths {
		if sent>>i&1 != 0 {
			blocks[i] = p.take(roundUp(l, size))
		}
	}
	if sent&0x40 != 0 {
		p.take(sessionSize)
	}
	for i := range 3 {
		if sent>>(3+i)&1 != 0 {
			p.take(hashSize)
		}
	}
	if shown&0x80 != 0 {
		p.take(serialSize)
	}
	if shown&0x08 != 0 || sent&0x80 == 0 {
		return pass{}, fmt.Errorf("%w: it enciphers under a fixed key: set it to DUKPT", device.ErrProtocol)
	}
	e.Blocks = blocksOf(blocks[0], blocks[1])
	return sealedPass(p, masked[1], e, len(blocks[1]))
}

// sealedPass takes the serial number, which is the last thing of a frame. A bank card is enciphered whenever the reader enciphers at all.
func sealedPass(p *parts, masked []byte, e Enciphered, two int) (pass, error) {
	e.KSN = bytes.Clone(p.take(len(p.b)))
	fits := len(e.KSN) == ksnSize || e.AES && len(e.KSN) == ksnSize+2
	switch {
	case p.bad || !fits:
		return pass{}, fmt.Errorf("%w: a frame whose lengths do not add up", ErrReport)
	case two == 0:
		return pass{}, fmt.Errorf("%w: there is no track 2", device.ErrMisread)
	}
	return pass{enciphered: &e, masked: string(masked)}, nil
}

func roundUp(n, to int) int { return (n + to - 1) / to * to }
