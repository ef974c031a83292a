package virtualusb

import (
	"context"
	"errors"
	"fmt"
)

// HID is a human interface device that sends input reports and has feature reports (HID 1.11): stripe readers are of this class. Linux's
// usbhid drives it, and hidraw shows it to programs.
type HID struct {
	ID         Identity
	Report     []byte   // report descriptor
	MaxPacket  int      // of the interrupt endpoint, 8 to 64 bytes; 0 is 64
	InputBytes int      // of one input report, its number included where reports have one
	Features   Features // nil: there are none
	Boot       byte     // bInterfaceProtocol: 1 is a keyboard, with the boot subclass; 0 is neither

	input Queue
}

// Features are the feature reports of a HID device, by their number; 0 where they have none. An error refuses.
type Features interface {
	GetFeature(report uint8) ([]byte, error)
	SetFeature(report uint8, data []byte) error
}

// Requests of the class (HID 1.11, 7.2) and kinds of reports.
const (
	getReport   = 1
	getIdle     = 2
	getProtocol = 3
	setReport   = 9
	setIdle     = 10
	setProtocol = 11

	inputReport   = 1
	featureReport = 3
)

// ErrReport says that an input report has another length than all have.
var ErrReport = errors.New("input report of the wrong length")

// Send queues an input report. Error: ErrReport.
func (h *HID) Send(report []byte) error {
	if len(report) != h.InputBytes {
		return fmt.Errorf("%w: %d bytes, %d are wanted", ErrReport, len(report), h.InputBytes)
	}
	h.input.PutWithoutEnd(report) // a host asks for exactly as much
	return nil
}

// Reset forgets what the host has not fetched: a reader keeps no swipe for later.
func (h *HID) Reset() { h.input.Clear() }

func (h *HID) packet() int {
	if h.MaxPacket == 0 {
		return 64
	}
	return h.MaxPacket
}

func (h *HID) classDescriptor() []byte {
	n := len(h.Report)
	return []byte{9, HIDDescriptor, 0x11, 0x01, 0, 1, ReportDescriptor, byte(n), byte(n >> 8)} //nolint:gosec // a few hundred bytes
}

// Descriptors are those of one HID interface with an interrupt endpoint.
func (h *HID) Descriptors() Descriptors {
	boot := min(h.Boot, 1)
	body := append([]byte{9, InterfaceDescriptor, 0, 0, 1, 0x03, boot, h.Boot, 0}, h.classDescriptor()...)
	return h.ID.describe([3]byte{}, 1, append(body, 7, EndpointDescriptor, bulkIn, Interrupt, byte(h.packet()), 0, 1)) //nolint:gosec // at most 64
}

// Control answers the requests of the class.
func (h *HID) Control(_ context.Context, setup [8]byte, data []byte) ([]byte, error) {
	r := ParseSetup(setup)
	kind, number := r.Value>>8, low(r.Value)
	switch r.RequestType {
	case ToHost | Standard | ToInterface:
		switch {
		case r.Request == GetDescriptor && kind == ReportDescriptor:
			return h.Report, nil
		case r.Request == GetDescriptor && kind == HIDDescriptor:
			return h.classDescriptor(), nil
		}
	case ToHost | Class | ToInterface:
		switch {
		case r.Request == getReport && kind == featureReport && h.Features != nil:
			return refusing(h.Features.GetFeature(number))
		case r.Request == getReport && kind == inputReport:
			return make([]byte, h.InputBytes), nil
		case r.Request == getIdle || r.Request == getProtocol:
			return []byte{0}, nil
		}
	case Class | ToInterface:
		switch {
		case r.Request == setReport && kind == featureReport && h.Features != nil:
			return refusing(nil, h.Features.SetFeature(number, data))
		case r.Request == setIdle || r.Request == setProtocol:
			return nil, nil
		}
	}
	return nil, ErrStall
}

// refusing makes a stall of an error.
func refusing(answer []byte, err error) ([]byte, error) {
	if err != nil {
		return nil, ErrStall
	}
	return answer, nil
}

// Out is never called: there is no endpoint for it.
func (h *HID) Out(context.Context, uint8, []byte) error { return ErrStall }

// In is the packets of the input reports.
func (h *HID) In(ctx context.Context, _ uint8, maxPacket int) ([]byte, error) {
	return h.input.Next(ctx, maxPacket)
}
