package virtualusb

import "encoding/binary"

// Speed is a device's signalling rate.
type Speed uint8

// The speeds that are played.
const (
	FullSpeed Speed = iota + 1 // 12 Mbit/s
	HighSpeed                  // 480 Mbit/s
)

// Kinds of endpoints (USB 2.0, 9.6.6, bmAttributes bits 1-0).
const (
	ControlPipe = 0
	Isochronous = 1
	Bulk        = 2
	Interrupt   = 3
)

// Endpoint is one endpoint descriptor and the setting in which it is.
type Endpoint struct {
	Address    uint8 // bit 7: to the host
	Attributes uint8
	MaxPacket  int // bytes, at least 1
	Interface  uint8
	Alternate  uint8
}

// Kind is Bulk or Interrupt, or one that is not played.
func (e Endpoint) Kind() uint8 { return e.Attributes & 3 }

// layout is what the bus needs of a configuration.
type layout struct {
	value      uint8 // bConfigurationValue; 0: there is no configuration
	attributes uint8
	interfaces map[[2]uint8]bool // number and alternate setting
	endpoints  []Endpoint
	speed      Speed
}

// bounds of what is read.
const (
	highSpeedBulk = 512 // packet of a bulk endpoint at high speed (USB 2.0, 5.8.3)
	maxEndpoints  = 256
)

// parseLayout reads a configuration as far as it makes sense and passes over the rest.
func parseLayout(b []byte) layout {
	l := layout{interfaces: map[[2]uint8]bool{}, speed: FullSpeed}
	var number, alternate uint8
	for len(b) >= 2 && int(b[0]) >= 2 && int(b[0]) <= len(b) {
		d := b[:b[0]]
		b = b[b[0]:]
		switch {
		case d[1] == ConfigurationDescriptor && len(d) >= 9:
			l.value, l.attributes = d[5], d[7]
		case d[1] == InterfaceDescriptor && len(d) >= 9:
			number, alternate = d[2], d[3]
			l.interfaces[[2]uint8{number, alternate}] = true
		case d[1] == EndpointDescriptor && len(d) >= 7 && len(l.endpoints) < maxEndpoints:
			e := Endpoint{Address: d[2], Attributes: d[3], Interface: number, Alternate: alternate}
			e.MaxPacket = int(binary.LittleEndian.Uint16(d[4:]) & 0x7FF)
			if e.MaxPacket == 0 || e.Address&0x0F == 0 {
				continue
			}
			if e.Kind() == Bulk && e.MaxPacket >= highSpeedBulk {
				l.speed = HighSpeed
			}
			l.endpoints = append(l.endpoints, e)
		}
	}
	return l
}

// SpeedOf is the speed of a device of that configuration: high when it has bulk endpoints as only high speed has.
func SpeedOf(configuration []byte) Speed { return parseLayout(configuration).speed }
