package gempc

import (
	"encoding/binary"

	"tillway/device/ccid"
	"tillway/device/iso7816"
)

// The bytes of the frame around a CCID message: 03 06 message LRC, where LRC is the exclusive or of all before it.
const (
	syncByte  = 0x03
	ackByte   = 0x06
	nakByte   = 0x15
	movedByte = 0x50 // card movement: 50 02 out, 50 03 in
	timeMin   = 0x80 // from here up a byte by itself asks for more time
	overhead  = 3
	maxFrame  = ccid.MaxMessage + overhead
	minHeader = 2 + 5 // up to and including the message's length
)

// appendFrame appends a message in its frame to dst.
func appendFrame(dst []byte, m ccid.Message) []byte {
	from := len(dst)
	dst = ccid.Append(append(dst, syncByte, ackByte), m)
	return append(dst, iso7816.LRC(dst[from:]))
}

// kind is what a run of bytes from the reader is.
type kind byte

const (
	incomplete kind = iota // more bytes are needed to tell
	frame                  // a message
	damaged                // a frame with a wrong check byte
	refused                // the reader's NAK: 03 15 16
	movement               // a card movement
	moreTime               // a time request
	garbage                // one byte that belongs to nothing
)

// next tells what the first bytes of b are and how many. message is set for a frame, and is a part of b.
func next(b []byte) (k kind, n int, message ccid.Message) {
	if len(b) == 0 {
		return incomplete, 0, message
	}
	switch {
	case b[0] >= timeMin:
		return moreTime, 1, message
	case b[0] == movedByte && len(b) < 2, b[0] == syncByte && len(b) < 3:
		return incomplete, 0, message
	case b[0] == movedByte && (b[1] == ccid.MovedOut || b[1] == ccid.MovedIn):
		return movement, 2, message
	case b[0] == syncByte && b[1] == nakByte && b[2] == syncByte^nakByte:
		return refused, 3, message
	case b[0] != syncByte || b[1] != ackByte:
		return garbage, 1, message
	case len(b) < minHeader:
		return incomplete, 0, message
	}
	length := binary.LittleEndian.Uint32(b[3:])
	if length > ccid.MaxData {
		return garbage, 1, message // no frame: its length cannot be
	}
	n = overhead + ccid.HeaderLength + int(length)
	if len(b) < n {
		return incomplete, 0, message
	}
	message, err := ccid.Parse(b[2 : n-1])
	if err != nil || iso7816.LRC(b[:n]) != 0 {
		return damaged, n, ccid.Message{}
	}
	return frame, n, message
}
