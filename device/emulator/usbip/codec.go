package usbip

import (
	"encoding/binary"
	"errors"
	"fmt"

	"tillway/device/emulator/virtualusb"
)

// ErrProtocol says that a client sent what USB/IP does not know or this server does not carry. The connection ends with it.
var ErrProtocol = errors.New("USB/IP client breaks the protocol")

// Commands of an imported device (usbip_protocol.rst).
const (
	cmdSubmit = 1
	cmdUnlink = 2
	retSubmit = 3
	retUnlink = 4
)

const (
	headerBytes = 48
	maxPackets  = 1024 // of an isochronous transfer, each with a descriptor of packetBytes
	packetBytes = 16

	shortNotOK   = 0x0001 // URB_SHORT_NOT_OK
	noPackets    = 0xFFFFFFFF
	directionIn  = 1
	maxEndpoint  = 15
	maxURBs      = 512      // transfers of one connection that wait at a time
	maxURBsBytes = 16 << 20 // and the bytes that they may hold
)

// Errors that a transfer ends with, as Linux numbers them.
const (
	statusDone        = 0
	statusNoEndpoint  = -2   // ENOENT
	statusInvalid     = -22  // EINVAL
	statusStall       = -32  // EPIPE
	statusBroken      = -71  // EPROTO
	statusOverflow    = -75  // EOVERFLOW
	statusUnlinked    = -104 // ECONNRESET
	statusShort       = -121 // EREMOTEIO
	statusEndOfDevice = -108 // ESHUTDOWN
)

// command is a header that a client sent: USBIP_CMD_SUBMIT or USBIP_CMD_UNLINK.
type command struct {
	kind    uint32
	seq     uint32
	in      bool
	number  uint8 // endpoint without direction
	flags   uint32
	length  int // bytes of the transfer's buffer
	frame   uint32
	packets uint32 // as sent: 0 or FFFFFFFF but for isochronous transfers
	setup   [8]byte
	victim  uint32 // the transfer to unlink
}

// address is the endpoint's, with its direction.
func (c command) address() uint8 {
	if c.in && c.number != 0 {
		return c.number | virtualusb.ToHost
	}
	return c.number
}

// isochronous is how many packet descriptors follow.
func (c command) isochronous() int {
	if c.packets == noPackets {
		return 0
	}
	return int(c.packets)
}

// parseCommand reads a header; every field that is used has been checked then. Error: ErrProtocol.
func parseCommand(b [headerBytes]byte) (command, error) {
	word := func(at int) uint32 { return binary.BigEndian.Uint32(b[at:]) }
	c := command{kind: word(0), seq: word(4)}
	switch c.kind {
	case cmdUnlink:
		c.victim = word(20)
		return c, nil
	case cmdSubmit:
	default:
		return command{}, fmt.Errorf("%w: command %d", ErrProtocol, c.kind)
	}
	c.flags, c.frame, c.packets = word(20), word(28), word(32)
	copy(c.setup[:], b[40:])
	switch direction, endpoint, length := word(12), word(16), word(24); {
	case direction > directionIn:
		return command{}, fmt.Errorf("%w: direction %d", ErrProtocol, direction)
	case endpoint > maxEndpoint:
		return command{}, fmt.Errorf("%w: endpoint %d", ErrProtocol, endpoint)
	case length > virtualusb.MaxTransfer:
		return command{}, fmt.Errorf("%w: transfer of %d bytes, at most %d are carried", ErrProtocol, length, virtualusb.MaxTransfer)
	case c.isochronous() > maxPackets:
		return command{}, fmt.Errorf("%w: %d packets in one transfer", ErrProtocol, c.packets)
	default:
		c.in, c.number, c.length = direction == directionIn, uint8(endpoint), int(length) //nolint:gosec // bounded above
	}
	return c, nil
}

// answer is how a transfer ended.
type answer struct {
	status int32
	actual int    // bytes that went
	data   []byte // those of a transfer to the host
}

// appendSubmitted writes USBIP_RET_SUBMIT. Of an isochronous transfer, which is refused, each packet is said to have failed.
func appendSubmitted(b []byte, c command, a answer) []byte {
	b = appendHead(b, retSubmit, c.seq, a.status)
	b = binary.BigEndian.AppendUint32(b, uint32(a.actual)) //nolint:gosec // at most MaxTransfer
	b = binary.BigEndian.AppendUint32(b, c.frame)
	b = binary.BigEndian.AppendUint32(b, c.packets)
	b = binary.BigEndian.AppendUint32(b, uint32(c.isochronous())) //nolint:gosec // at most maxPackets
	b = append(b, make([]byte, 8)...)
	b = append(b, a.data...)
	for range c.isochronous() {
		b = append(b, make([]byte, packetBytes-4)...)
		b = binary.BigEndian.AppendUint32(b, number(statusInvalid))
	}
	return b
}

// appendUnlinked writes USBIP_RET_UNLINK.
func appendUnlinked(b []byte, seq uint32, status int32) []byte {
	return append(appendHead(b, retUnlink, seq, status), make([]byte, 24)...)
}

func appendHead(b []byte, kind, seq uint32, status int32) []byte {
	b = binary.BigEndian.AppendUint32(b, kind)
	b = binary.BigEndian.AppendUint32(b, seq)
	b = append(b, make([]byte, 12)...) // device, direction and endpoint are the client's to know
	return binary.BigEndian.AppendUint32(b, number(status))
}

// number is an error as the wire has it.
func number(status int32) uint32 { return uint32(status) } //nolint:gosec // two's complement is meant
