package virtualusb

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"sync"
)

// Serial is a serial port on USB: the communications class with its abstract control model (CDC 1.2; PSTN 1.2), which Linux's cdc_acm
// drives as /dev/ttyACM*. Start one with StartSerial; Close ends it.
type Serial struct {
	*bridge
	identity Identity
	moves    Queue // notifications; none are sent

	mu     sync.Mutex
	coding [7]byte // rate in bit/s little-endian, stop bits, parity, data bits
	lines  uint16  // what the host set: bit 0 DTR, bit 1 RTS
}

// The endpoints of Serial and Printer.
const (
	bulkIn     = 0x81
	bulkOut    = 0x02
	notifyIn   = 0x83
	bulkPacket = 64
)

// Requests of the communications class (PSTN 1.2, table 13).
const (
	setLineCoding       = 0x20
	getLineCoding       = 0x21
	setControlLineState = 0x22
	sendBreak           = 0x23
)

// StartSerial is a serial port with line behind it, which is the Serial's from here on.
func StartSerial(id Identity, line io.ReadWriteCloser) *Serial {
	return &Serial{bridge: startBridge(line), identity: id, coding: [7]byte{0x80, 0x25, 0, 0, 0, 0, 8}} // 9600 8N1
}

// Settings are what the host set: bit/s, and whether DTR and RTS are on.
func (s *Serial) Settings() (rate uint32, dtr, rts bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return binary.LittleEndian.Uint32(s.coding[:]), s.lines&1 != 0, s.lines&2 != 0
}

// Reset forgets what the host has not fetched: nobody had the port open.
func (s *Serial) Reset() {
	s.in.Clear()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = 0
}

// Descriptors are those of a communications device: a control and a data interface.
func (s *Serial) Descriptors() Descriptors {
	return s.identity.describe([3]byte{0x02, 0, 0}, 2, []byte{
		9, InterfaceDescriptor, 0, 0, 1, 0x02, 0x02, 0x01, 0, // communications, abstract control model, AT commands
		5, 0x24, 0x00, 0x10, 0x01, // header, CDC 1.10
		5, 0x24, 0x01, 0x00, 1, // call management: none, data interface 1
		4, 0x24, 0x02, 0x02, // line coding and control lines
		5, 0x24, 0x06, 0, 1, // union of interfaces 0 and 1
		7, EndpointDescriptor, notifyIn, Interrupt, 8, 0, 255,
		9, InterfaceDescriptor, 1, 0, 2, 0x0A, 0, 0, 0, // data
		7, EndpointDescriptor, bulkIn, Bulk, bulkPacket, 0, 0,
		7, EndpointDescriptor, bulkOut, Bulk, bulkPacket, 0, 0,
	})
}

// Control keeps what the host sets.
func (s *Serial) Control(_ context.Context, setup [8]byte, data []byte) ([]byte, error) {
	r := ParseSetup(setup)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case r.RequestType == ToHost|Class|ToInterface && r.Request == getLineCoding:
		return bytes.Clone(s.coding[:]), nil
	case r.RequestType != Class|ToInterface:
	case r.Request == setLineCoding && len(data) == len(s.coding):
		copy(s.coding[:], data)
		return nil, nil
	case r.Request == setControlLineState:
		s.lines = r.Value
		return nil, nil
	case r.Request == sendBreak:
		return nil, nil
	}
	return nil, ErrStall
}

// Out is the bytes that the host's program wrote.
func (s *Serial) Out(ctx context.Context, _ uint8, data []byte) error { return s.send(ctx, data) }

// In is the bytes of the line, and no notification ever.
func (s *Serial) In(ctx context.Context, endpoint uint8, maxPacket int) ([]byte, error) {
	if endpoint == notifyIn {
		return s.moves.Next(ctx, maxPacket)
	}
	return s.in.Next(ctx, maxPacket)
}
