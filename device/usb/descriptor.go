package usb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// Limits.
const (
	MaxConfiguration = 4096            // bytes of a configuration descriptor that are taken; readers have about 100
	ControlTimeout   = 2 * time.Second // for one control transfer; a device has 500 ms for each stage (USB 2.0, 9.2.6.4)
)

// ErrStall says that the device refused a request or stopped an endpoint (USB 2.0, 8.5.3.4).
var ErrStall = errors.New("USB device refuses the request")

// ErrDescriptor says that a device describes itself in a way that cannot be.
var ErrDescriptor = errors.New("USB device describes itself wrongly")

// The types of descriptors (USB 2.0, table 9-5).
const (
	TypeConfiguration uint8 = 0x02
	TypeInterface     uint8 = 0x04
	TypeEndpoint      uint8 = 0x05
)

// Kinds of endpoints (USB 2.0, 9.6.6, bmAttributes bits 1-0).
const (
	Bulk      uint8 = 2
	Interrupt uint8 = 3
)

// Endpoint is one endpoint of an interface.
type Endpoint struct {
	Address   uint8 // bit 7: from the device
	Kind      uint8 // Bulk, Interrupt; 0 and 1 are control and isochronous
	MaxPacket int   // bytes, 1 to 1024
	Interval  uint8 // bInterval
}

// Setting is an interface in one alternate setting, with what follows it in the configuration.
type Setting struct {
	Interface
	Endpoints []Endpoint
	Extra     [][]byte // class descriptors, each whole, bLength first; before or after the endpoints
}

// most that a configuration may hold: far beyond any device, and a bound on what is kept of one.
const (
	maxSettings  = 64
	maxEndpoints = 30
	maxExtra     = 64
)

// ParseConfiguration takes a configuration descriptor apart (USB 2.0, 9.6.3 to 9.6.6). Its wTotalLength must be the length
// of b, and every bLength must stay in it. Error: ErrDescriptor, with what is wrong.
func ParseConfiguration(b []byte) ([]Setting, error) {
	wrong := func(format string, values ...any) ([]Setting, error) {
		return nil, fmt.Errorf("%w: "+format, append([]any{ErrDescriptor}, values...)...)
	}
	switch {
	case len(b) < 9 || len(b) > MaxConfiguration:
		return wrong("configuration of %d bytes", len(b))
	case b[0] < 9 || b[1] != TypeConfiguration:
		return wrong("no configuration, but type %02X with %d bytes", b[1], b[0])
	case int(binary.LittleEndian.Uint16(b[2:])) != len(b):
		return wrong("wTotalLength %d in %d bytes", binary.LittleEndian.Uint16(b[2:]), len(b))
	}
	var settings []Setting
	for at := 0; at < len(b); {
		rest := b[at:]
		if len(rest) < 2 || rest[0] < 2 || int(rest[0]) > len(rest) {
			return wrong("bLength %d at %d of %d bytes", rest[0], at, len(b))
		}
		d := rest[:rest[0]:rest[0]]
		at += len(d)
		if d[1] == TypeInterface {
			if len(d) < 9 || len(settings) == maxSettings {
				return wrong("interface of %d bytes, after %d others", len(d), len(settings))
			}
			settings = append(settings, Setting{Interface: Interface{Number: d[2], Alternate: d[3], Class: d[5], SubClass: d[6], Protocol: d[7]}})
			continue
		}
		if len(settings) == 0 {
			continue // the configuration itself, and what belongs to all of it
		}
		if err := settings[len(settings)-1].add(d); err != nil {
			return nil, err
		}
	}
	return settings, nil
}

// add keeps a descriptor that follows an interface.
func (s *Setting) add(d []byte) error {
	if d[1] != TypeEndpoint {
		if len(s.Extra) == maxExtra {
			return fmt.Errorf("%w: interface %d has more than %d class descriptors", ErrDescriptor, s.Number, maxExtra)
		}
		s.Extra = append(s.Extra, d)
		return nil
	}
	if len(d) < 7 || len(s.Endpoints) == maxEndpoints {
		return fmt.Errorf("%w: endpoint of %d bytes, after %d others", ErrDescriptor, len(d), len(s.Endpoints))
	}
	e := Endpoint{Address: d[2], Kind: d[3] & 3, MaxPacket: int(binary.LittleEndian.Uint16(d[4:]) & 0x7FF), Interval: d[6]}
	if e.MaxPacket < 1 || e.MaxPacket > 1024 || e.Address&0x70 != 0 || e.Address&0x0F == 0 {
		return fmt.Errorf("%w: endpoint %02X with packets of %d bytes", ErrDescriptor, e.Address, e.MaxPacket)
	}
	s.Endpoints = append(s.Endpoints, e)
	return nil
}
