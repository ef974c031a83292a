package emulator

import (
	"encoding/binary"

	"tillway/device/ccid"
	"tillway/device/iso7816"
)

// Bytes of the GemPC Twin's serial line (libccid, ccid_serial.c).
const (
	frameSync = 0x03
	frameACK  = 0x06
	frameNAK  = 0x15
)

// nak asks for the last frame again.
var nak = [...]byte{frameSync, frameNAK, frameSync ^ frameNAK}

// frame wraps a CCID message for the line: 03 06, message, exclusive or of all.
func frame(message []byte) []byte {
	b := append([]byte{frameSync, frameACK}, message...)
	return append(b, iso7816.LRC(b))
}

// event is what stands on the line: a frame's message, a frame that is damaged, or the host's NAK.
type event struct {
	message []byte
	damaged bool
	nak     bool
}

// deframer finds frames in a stream of bytes. It keeps at most one frame's worth of them.
type deframer struct{ buf []byte }

// push takes what was read and gives what it completes. Bytes before 03 are skipped.
func (d *deframer) push(b []byte) []event {
	var events []event
	for _, x := range b {
		if len(d.buf) == 0 && x != frameSync {
			continue
		}
		d.buf = append(d.buf, x)
		if ev, done := d.look(); done {
			events = append(events, ev)
			d.buf = d.buf[:0]
		}
	}
	return events
}

// look says whether the bytes so far are something.
func (d *deframer) look() (event, bool) {
	switch n := len(d.buf); {
	case n == 1:
		return event{}, false
	case d.buf[1] == frameNAK:
		if n < len(nak) {
			return event{}, false
		}
		return event{nak: [3]byte(d.buf) == nak, damaged: [3]byte(d.buf) != nak}, true
	case d.buf[1] != frameACK:
		return event{damaged: true}, true
	case n < 2+ccid.HeaderLength:
		return event{}, false
	default:
		length := binary.LittleEndian.Uint32(d.buf[3:])
		if length > ccid.MaxData {
			return event{damaged: true}, true
		}
		whole := 2 + ccid.HeaderLength + int(length) + 1
		if n < whole {
			return event{}, false
		}
		if iso7816.LRC(d.buf) != 0 {
			return event{damaged: true}, true
		}
		return event{message: append([]byte(nil), d.buf[2:whole-1]...)}, true
	}
}
