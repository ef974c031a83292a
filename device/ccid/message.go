package ccid

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// HeaderLength is the length of a message without data, MaxData the most data and MaxMessage the longest message
// that is sent or accepted.
const (
	HeaderLength = 10
	MaxMessage   = 271
	MaxData      = MaxMessage - HeaderLength
)

// ErrMessage says that bytes are no CCID message.
var ErrMessage = errors.New("malformed CCID message")

// The types of messages to the reader (section 6.1).
const (
	SetParameters byte = 0x61
	PowerOn       byte = 0x62
	PowerOff      byte = 0x63
	GetSlotStatus byte = 0x65
	Escape        byte = 0x6B
	GetParameters byte = 0x6C
	ResetParams   byte = 0x6D
	XfrBlock      byte = 0x6F
	Abort         byte = 0x72
)

// The types of messages from the reader (sections 6.2 and 6.3).
const (
	DataBlock        byte = 0x80
	SlotStatus       byte = 0x81
	Parameters       byte = 0x82
	EscapeAnswer     byte = 0x83
	NotifySlotChange byte = 0x50 // not a message by itself: a transport reports it with its state in Params[0]
)

// Message is one message in either direction. From the reader, Params are bStatus, bError and a third byte that depends
// on the type; see Status.
type Message struct {
	Type, Slot, Seq byte
	Params          [3]byte
	Data            []byte // at most MaxData bytes
}

// Parse reads exactly one message. Its data is a part of b.
func Parse(b []byte) (Message, error) {
	if len(b) < HeaderLength || len(b) > MaxMessage {
		return Message{}, fmt.Errorf("%w: %d bytes", ErrMessage, len(b))
	}
	if n := binary.LittleEndian.Uint32(b[1:]); n != uint32(len(b)-HeaderLength) {
		return Message{}, fmt.Errorf("%w: length %d in %d bytes", ErrMessage, n, len(b))
	}
	return Message{Type: b[0], Slot: b[5], Seq: b[6], Params: [3]byte(b[7:10]), Data: b[HeaderLength:]}, nil
}

// Append appends the message to dst. It panics when the data is longer than MaxData.
func Append(dst []byte, m Message) []byte {
	if len(m.Data) > MaxData {
		panic("ccid: more data than a message holds")
	}
	dst = append(dst, m.Type)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(m.Data)))
	dst = append(dst, m.Slot, m.Seq)
	dst = append(dst, m.Params[:]...)
	return append(dst, m.Data...)
}
