package virtualusb

import (
	"context"
	"encoding/binary"
	"io"
	"sync/atomic"
)

// Printer is a printer with a bidirectional interface (printer class 1.1), which Linux's usblp drives as /dev/usb/lp*. Start one
// with StartPrinter; Close ends it.
type Printer struct {
	*bridge
	identity Identity
	deviceID string
	status   atomic.Uint32
	resets   atomic.Uint32
}

// Requests of the printer class (1.1, 4.2), and what a printer says of its port when all is well: selected, no error.
const (
	getDeviceID   = 0
	getPortStatus = 1
	softReset     = 2

	// PortWell is a printer's port status without a fault.
	PortWell = 0x18
	// PortPaperEmpty is the bit of the port status for no paper.
	PortPaperEmpty = 0x20
)

// StartPrinter is a printer with line behind it, which is the Printer's from here on. deviceID is its IEEE 1284 text, such as
// "MFG:EPSON;CMD:ESC/POS;MDL:TM-T88V;CLS:PRINTER;".
func StartPrinter(id Identity, deviceID string, line io.ReadWriteCloser) *Printer {
	p := &Printer{bridge: startBridge(line), identity: id, deviceID: deviceID}
	p.status.Store(PortWell)
	return p
}

// SetPortStatus is what GET_PORT_STATUS gives from now on.
func (p *Printer) SetPortStatus(status uint8) { p.status.Store(uint32(status)) }

// SoftResets is how often the host asked for a soft reset.
func (p *Printer) SoftResets() int { return int(p.resets.Load()) }

// Reset forgets what the host has not fetched.
func (p *Printer) Reset() { p.in.Clear() }

// Descriptors are those of a bidirectional printer.
func (p *Printer) Descriptors() Descriptors {
	return p.identity.describe([3]byte{}, 1, []byte{
		9, InterfaceDescriptor, 0, 0, 2, 0x07, 0x01, 0x02, 0,
		7, EndpointDescriptor, bulkOut, Bulk, bulkPacket, 0, 0,
		7, EndpointDescriptor, bulkIn, Bulk, bulkPacket, 0, 0,
	})
}

// Control answers the requests of the class.
func (p *Printer) Control(_ context.Context, setup [8]byte, _ []byte) ([]byte, error) {
	r := ParseSetup(setup)
	switch {
	case r.RequestType == ToHost|Class|ToInterface && r.Request == getDeviceID:
		b := binary.BigEndian.AppendUint16(nil, uint16(len(p.deviceID)+2)) //nolint:gosec // a line of text
		return append(b, p.deviceID...), nil
	case r.RequestType == ToHost|Class|ToInterface && r.Request == getPortStatus:
		return []byte{byte(p.status.Load())}, nil //nolint:gosec // a byte was stored
	case r.RequestType&^RecipientMask == Class && r.Request == softReset:
		p.resets.Add(1)
		p.in.Clear()
		return nil, nil
	}
	return nil, ErrStall
}

// Out is what is to be printed.
func (p *Printer) Out(ctx context.Context, _ uint8, data []byte) error { return p.send(ctx, data) }

// In is what the printer says.
func (p *Printer) In(ctx context.Context, _ uint8, maxPacket int) ([]byte, error) {
	return p.in.Next(ctx, maxPacket)
}
