package virtualusb

import "encoding/binary"

// Setup is a setup packet in its parts (USB 2.0, 9.3).
type Setup struct {
	RequestType uint8 // bmRequestType: bit 7 towards the host, bits 6 to 5 kind, bits 4 to 0 recipient
	Request     uint8 // bRequest
	Value       uint16
	Index       uint16
	Length      uint16 // bytes of the data stage at most
}

// The parts of bmRequestType (USB 2.0, table 9-2).
const (
	ToHost = 0x80

	KindMask = 0x60
	Standard = 0x00
	Class    = 0x20
	Vendor   = 0x40

	RecipientMask = 0x1F
	ToDevice      = 0x00
	ToInterface   = 0x01
	ToEndpoint    = 0x02
)

// The standard requests (USB 2.0, table 9-4).
const (
	GetStatus        = 0
	ClearFeature     = 1
	SetFeature       = 3
	SetAddress       = 5
	GetDescriptor    = 6
	SetDescriptor    = 7
	GetConfiguration = 8
	SetConfiguration = 9
	GetInterface     = 10
	SetInterface     = 11
)

// The types of descriptors (USB 2.0, table 9-5) and those of the HID class (HID 1.11, 7.1).
const (
	DeviceDescriptor        = 1
	ConfigurationDescriptor = 2
	StringDescriptor        = 3
	InterfaceDescriptor     = 4
	EndpointDescriptor      = 5
	HIDDescriptor           = 0x21
	ReportDescriptor        = 0x22
)

// ParseSetup takes the packet apart.
func ParseSetup(p [8]byte) Setup {
	return Setup{
		RequestType: p[0],
		Request:     p[1],
		Value:       binary.LittleEndian.Uint16(p[2:]),
		Index:       binary.LittleEndian.Uint16(p[4:]),
		Length:      binary.LittleEndian.Uint16(p[6:]),
	}
}

// Packet is the setup packet as on the wire.
func (s Setup) Packet() [8]byte {
	p := [8]byte{s.RequestType, s.Request}
	binary.LittleEndian.PutUint16(p[2:], s.Value)
	binary.LittleEndian.PutUint16(p[4:], s.Index)
	binary.LittleEndian.PutUint16(p[6:], s.Length)
	return p
}
