package hidstripe

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"sync"

	"tillway/device/emulator/virtualusb"
)

// Config says which reader is played.
type Config struct {
	Model Model
	Key   []byte // initial key of an enciphering one: 16 bytes
	KSN   []byte // and its serial number: 10 bytes, or the 8 of an AES initial key identifier; the counter does not count
}

// Reader is one virtual stripe reader: a virtualusb.Function. Its methods may be called from anywhere.
type Reader struct {
	cfg    Config
	traits traits
	aes    bool
	in     virtualusb.Queue

	mu      sync.Mutex // guards what follows
	counter uint32
	asked   byte // the last property that was asked for
}

var _ virtualusb.Function = (*Reader)(nil)

// New makes a reader. Error: ErrModel.
func New(c Config) (*Reader, error) {
	t, ok := traitsOf(c.Model)
	if !ok {
		return nil, fmt.Errorf("%w: %q: there are %q", ErrModel, c.Model, Models())
	}
	want := 10
	if t.aes {
		want = 8
	}
	if t.enciphers && (len(c.Key) != 16 || len(c.KSN) != want) {
		return nil, fmt.Errorf("%w: %s wants an initial key of 16 bytes and its serial number of %d", ErrModel, c.Model, want)
	}
	return &Reader{cfg: c, traits: t, aes: t.aes}, nil
}

// Swipe sends one pass of a card: tracks from % or ;, as emulator.ReadyStripe gives them. Errors: ErrTracks.
func (r *Reader) Swipe(tracks string) error {
	one, two, err := split(tracks)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	report, err := r.report(one, two)
	if err == nil {
		r.in.PutWithoutEnd(report) // the report's length is in its descriptor
	}
	return err
}

// Send puts a report on the wire as it is: for readers that misbehave.
func (r *Reader) Send(report []byte) { r.in.PutWithoutEnd(report) }

// ReportDescriptor is what the reader says of its reports: an input report of its model's size and a feature report of 24 bytes.
func (r *Reader) ReportDescriptor() []byte {
	n := r.traits.report
	return []byte{
		0x06, 0x00, 0xFF, 0x09, 0x01, 0xA1, 0x01, 0x15, 0x00, 0x26, 0xFF, 0x00, 0x75, 0x08, // vendor page, bytes
		0x09, 0x20, 0x96, byte(n), byte(n >> 8), 0x82, 0x02, 0x01, // input
		0x09, 0x20, 0x95, 0x18, 0xB2, 0x02, 0x01, // feature
		0xC0,
	}
}

// Descriptors implements virtualusb.Function.
func (r *Reader) Descriptors() virtualusb.Descriptors {
	d := [18]byte{18, virtualusb.DeviceDescriptor, 0x00, 0x02, 0, 0, 0, 64, 0, 0, 0, 0, 0x00, 0x01, 1, 2, 0, 1}
	binary.LittleEndian.PutUint16(d[8:], r.traits.vendor)
	binary.LittleEndian.PutUint16(d[10:], r.traits.product)
	report := len(r.ReportDescriptor())
	configuration := []byte{
		9, virtualusb.ConfigurationDescriptor, 34, 0, 1, 1, 0, 0x80, 50, // bus-powered, 100 mA
		9, virtualusb.InterfaceDescriptor, 0, 0, 1, 3, 0, 0, 0, // HID, no boot protocol
		9, virtualusb.HIDDescriptor, 0x11, 0x01, 0, 1, virtualusb.ReportDescriptor, byte(report), byte(report >> 8),
		7, virtualusb.EndpointDescriptor, 0x81, 3, 64, 0, 1, // interrupt, 64 bytes, every frame
	}
	maker := "Mag-Tek"
	if r.traits.vendor == 0x0ACD {
		maker = "ID TECH"
	}
	return virtualusb.Descriptors{Device: d, Configuration: configuration, Strings: []string{maker, r.traits.name}}
}

// The class requests of HID (HID 1.11, 7.2).
const (
	getReport     = 0x01
	setReport     = 0x09
	setIdle       = 0x0A
	featureReport = 3 // in the high byte of wValue
	featureSize   = 24
)

// Control implements virtualusb.Function: the report descriptor, SET_IDLE, and feature reports with MagTek's commands.
func (r *Reader) Control(_ context.Context, packet [8]byte, data []byte) ([]byte, error) {
	s := virtualusb.ParseSetup(packet)
	switch {
	case s.RequestType == virtualusb.ToHost|virtualusb.ToInterface && s.Request == virtualusb.GetDescriptor && s.Value>>8 == virtualusb.ReportDescriptor:
		return r.ReportDescriptor(), nil
	case s.RequestType == virtualusb.Class|virtualusb.ToInterface && s.Request == setIdle:
		return nil, nil
	case s.RequestType == virtualusb.Class|virtualusb.ToInterface && s.Request == setReport && s.Value>>8 == featureReport:
		if len(data) != featureSize {
			return nil, virtualusb.ErrStall
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.asked = 0xFF
		if data[0] == 0 && data[1] == 1 { // get property
			r.asked = data[2]
		}
		return nil, nil
	case s.RequestType == virtualusb.ToHost|virtualusb.Class|virtualusb.ToInterface && s.Request == getReport && s.Value>>8 == featureReport:
		return r.answer(), nil
	}
	return nil, virtualusb.ErrStall
}

// answer is the answer to the last command: result code, length, data.
func (r *Reader) answer() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]byte, featureSize)
	if r.asked != 0 {
		out[0] = 2 // bad parameters
		return out
	}
	out[1] = byte(copy(out[2:], "EMULATED01"))
	return out
}

// Out implements virtualusb.Function: there is no such endpoint.
func (r *Reader) Out(context.Context, uint8, []byte) error { return virtualusb.ErrStall }

// In implements virtualusb.Function.
func (r *Reader) In(ctx context.Context, endpoint uint8, maxPacket int) ([]byte, error) {
	if endpoint != 0x81 {
		return nil, virtualusb.ErrStall
	}
	return r.in.Next(ctx, maxPacket)
}

// Reset implements virtualusb.Resetter: what was swiped and not fetched is gone.
func (r *Reader) Reset() { r.in.Clear() }

// Key gives the initial key that a base derivation key of 16 bytes makes for a serial number: what a reader is injected with.
func Key(bdk, ksn []byte) ([]byte, error) { return initialKey(bytes.Clone(bdk), bytes.Clone(ksn)) }
