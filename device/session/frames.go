package session

import (
	"encoding/binary"
	"encoding/hex"
	"strings"

	"tillway/device/ccid"
	"tillway/device/iso7816"
)

// piece is a part of what stood on the wire: a message, or bytes that are none.
type piece struct {
	raw     []byte
	message bool
}

// The parts of a serial frame around its message.
const (
	before = 2 // 03 06
	after  = 1 // the exclusive or
)

// body is the message in a piece.
func (f Framing) body(p piece) []byte {
	if f == Serial {
		return p.raw[before : len(p.raw)-after]
	}
	return p.raw
}

// cut takes bytes apart. A frame of the serial line with a wrong exclusive or is one all the same.
func (f Framing) cut(b []byte) []piece {
	var out []piece
	for len(b) > 0 {
		n, ok := f.first(b)
		if last := len(out) - 1; !ok && last >= 0 && !out[last].message {
			out[last].raw = append(out[last].raw, b[:n]...)
		} else {
			out = append(out, piece{append([]byte(nil), b[:n]...), ok})
		}
		b = b[n:]
	}
	return out
}

// first is how long the first message is, or 1 where there is none.
func (f Framing) first(b []byte) (n int, ok bool) {
	if f == Message {
		if b[0] == ccid.NotifySlotChange || len(b) < ccid.HeaderLength {
			return min(2, len(b)), false
		}
		length := binary.LittleEndian.Uint32(b[1:])
		if length > uint32(len(b)-ccid.HeaderLength) { //nolint:gosec // at most a file
			return len(b), false
		}
		return ccid.HeaderLength + int(length), true
	}
	if len(b) < before+ccid.HeaderLength+after || b[0] != 0x03 || b[1] != 0x06 {
		return 1, false
	}
	length := binary.LittleEndian.Uint32(b[before+1:])
	if length > uint32(len(b)) { //nolint:gosec // at most a file
		return 1, false
	}
	n = before + ccid.HeaderLength + int(length) + after
	if n > len(b) {
		return 1, false
	}
	return n, true
}

// Places in a message.
const (
	atSeq    = 6
	atStatus = 7
)

// number gives a message in its frame another sequence number. A wrong exclusive or stays as wrong as it was.
func (f Framing) number(p piece, seq byte) []byte {
	raw := append([]byte(nil), p.raw...)
	body := f.body(piece{raw, true})
	if f == Serial {
		raw[len(raw)-1] ^= body[atSeq] ^ seq
	}
	body[atSeq] = seq
	return raw
}

// frame puts a message on the wire.
func (f Framing) frame(m ccid.Message) []byte {
	if f == Message {
		return ccid.Append(nil, m)
	}
	b := ccid.Append([]byte{0x03, 0x06}, m)
	return append(b, iso7816.LRC(b))
}

// asksSlot says that a driver's frame is a look at the slot and nothing else.
func (f Framing) asksSlot(out []byte) bool {
	pieces := f.cut(out)
	return len(pieces) == 1 && pieces[0].message && f.body(pieces[0])[0] == ccid.GetSlotStatus
}

// likeness is what a look at the slot brought, without what is different each time.
func (f Framing) likeness(in []byte) string {
	var b strings.Builder
	for _, p := range f.cut(in) {
		if !p.message {
			b.WriteString(hex.EncodeToString(p.raw))
			continue
		}
		body := f.body(p)
		b.WriteString(hex.EncodeToString(body[:atSeq]) + " " + hex.EncodeToString(body[atSeq+1:]))
	}
	return b.String()
}

// mask stars out what card and terminal said to each other. powering says that the driver had asked for a reset: what comes
// back is the answer to that, which holds no card data.
func (f Framing) mask(raw []byte, powering bool) string {
	var b strings.Builder
	for _, p := range f.cut(raw) {
		if !p.message {
			b.WriteString(f.maskLoose(p.raw))
			continue
		}
		body := f.body(p)
		shown := len(p.raw)
		switch kind := body[0]; {
		case kind == ccid.XfrBlock, kind == ccid.DataBlock && !powering, !ordinary(kind),
			f == Message && (kind == ccid.Escape || kind == ccid.EscapeAnswer): // of some readers a way to the card
			shown = len(p.raw) - len(body) + ccid.HeaderLength
			if f == Serial {
				shown -= after
			}
		}
		b.WriteString(upper(p.raw[:shown]))
		b.WriteString(strings.Repeat("**", len(p.raw)-shown))
	}
	return b.String()
}

// ordinary are the messages that carry no card data.
func ordinary(kind byte) bool {
	switch kind {
	case ccid.SetParameters, ccid.PowerOn, ccid.PowerOff, ccid.GetSlotStatus, ccid.Escape, ccid.GetParameters, ccid.ResetParams, ccid.Abort,
		ccid.DataBlock, ccid.SlotStatus, ccid.Parameters, ccid.EscapeAnswer:
		return true
	}
	return false
}

// maskLoose shows card movements, time requests that stand alone and a NAK; what else stands between frames may be a part of
// an answer.
func (f Framing) maskLoose(raw []byte) string {
	text := upper(raw)
	switch {
	case f == Message && len(raw) == 2 && raw[0] == ccid.NotifySlotChange:
		return text
	case f == Message:
	case text == "5002", text == "5003", text == "031516", len(raw) == 1 && raw[0] >= 0x80:
		return text
	}
	return strings.Repeat("**", len(raw))
}

func upper(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) }
