package pinpad

import (
	"encoding/binary"
	"fmt"

	"tillway/device"
)

// A frame is STX, type, sequence number, length of the payload, payload, and CRC-16 over all but STX (docs/pinpad-protocol.md, Frames).
// Numbers are big-endian.
const (
	stx         = 0x02
	headSize    = 1 + 1 + 4 + 2
	crcSize     = 2
	maxPayload  = 1024
	maxFrame    = headSize + maxPayload + crcSize
	maxTestText = 64
)

// The types of frames. Those of the pad have bit 7.
const (
	frameHello   byte = 0x01
	frameCommand byte = 0x02
	frameTest    byte = 0x03
	fromPad      byte = 0x80
	frameRefusal byte = 0x84
)

// frame is one frame.
type frame struct {
	kind     byte
	sequence uint32
	payload  []byte
}

// append writes the frame behind b. Error: a payload that is too long.
func (f frame) append(b []byte) ([]byte, error) {
	if len(f.payload) > maxPayload {
		return nil, fmt.Errorf("%w: %d bytes for the PIN pad", device.ErrProtocol, len(f.payload))
	}
	at := len(b)
	b = append(b, stx, f.kind)
	b = binary.BigEndian.AppendUint32(b, f.sequence)
	b = binary.BigEndian.AppendUint16(b, uint16(len(f.payload)))
	b = append(b, f.payload...)
	return binary.BigEndian.AppendUint16(b, crc16(b[at+1:])), nil
}

// crc16 is CRC-16/IBM-3740: polynomial 1021, from FFFF, not reflected. Of "123456789" it is 29B1.
func crc16(b []byte) uint16 {
	sum := uint16(0xFFFF)
	for _, c := range b {
		sum ^= uint16(c) << 8
		for range 8 {
			if sum&0x8000 != 0 {
				sum = sum<<1 ^ 0x1021
			} else {
				sum <<= 1
			}
		}
	}
	return sum
}

// deframer finds frames in what a line brings. It never holds more than one frame, and after noise goes on at the next STX.
type deframer struct{ b []byte }

// add takes bytes and returns the frames that they complete. What is no frame is dropped.
func (d *deframer) add(b []byte) (frames []frame) {
	for len(b) > 0 || len(d.b) > 0 {
		n := min(len(b), maxFrame-len(d.b))
		d.b = append(d.b, b[:n]...)
		b = b[n:]
		f, used, whole := first(d.b)
		if whole {
			frames = append(frames, f)
		}
		d.b = d.b[used:]
		if used == 0 && len(b) == 0 {
			break
		}
	}
	d.b = append([]byte(nil), d.b...) // or the room in front of it would stay for ever
	return frames
}

// giveUp takes the beginning of a frame that never ended for noise, and returns the frames behind it.
func (d *deframer) giveUp() []frame {
	if len(d.b) == 0 {
		return nil
	}
	rest := d.b[1:]
	d.b = nil
	return d.add(rest)
}

// first takes the first frame off, or what cannot be the beginning of one. used is 0 when more has to come.
func first(b []byte) (f frame, used int, whole bool) {
	for used < len(b) && b[used] != stx {
		used++
	}
	rest := b[used:]
	if used > 0 || len(rest) < headSize {
		return frame{}, used, false
	}
	n := int(binary.BigEndian.Uint16(rest[6:]))
	if n > maxPayload {
		return frame{}, 1, false
	}
	if len(rest) < headSize+n+crcSize {
		return frame{}, 0, false
	}
	end := headSize + n
	if crc16(rest[1:end]) != binary.BigEndian.Uint16(rest[end:]) {
		return frame{}, 1, false
	}
	return frame{kind: rest[1], sequence: binary.BigEndian.Uint32(rest[2:]), payload: append([]byte(nil), rest[headSize:end]...)}, end + crcSize, true
}
