package virtualusb

import "encoding/binary"

// Identity is how a ready-made function presents itself.
type Identity struct {
	Vendor, Product, Release     uint16 // numbers, the release in BCD: 0x0200 is 2.00
	Manufacturer, Name, SerialNo string // empty: it has no such string
}

// TestIdentity is for devices that stand for no product: a number that pid.codes keeps for tests.
func TestIdentity(name string) Identity {
	return Identity{Vendor: 0x1209, Product: 0x0001, Release: 0x0100, Manufacturer: "Tillway", Name: name, SerialNo: "0001"}
}

// describe makes the descriptors of a full-speed device: class is its class, subclass and protocol, body what follows
// the configuration's own descriptor.
func (i Identity) describe(class [3]byte, interfaces byte, body []byte) Descriptors {
	var d Descriptors
	d.Device = [18]byte{18, DeviceDescriptor, 0x00, 0x02, class[0], class[1], class[2], 64}
	binary.LittleEndian.PutUint16(d.Device[8:], i.Vendor)
	binary.LittleEndian.PutUint16(d.Device[10:], i.Product)
	binary.LittleEndian.PutUint16(d.Device[12:], i.Release)
	for n, text := range []string{i.Manufacturer, i.Name, i.SerialNo} {
		if text != "" {
			d.Strings = append(d.Strings, text)
			d.Device[14+n] = byte(len(d.Strings)) //nolint:gosec // at most 3
		}
	}
	d.Device[17] = 1
	const busPowered, in2mA = 0x80, 50
	total := 9 + len(body)
	d.Configuration = []byte{9, ConfigurationDescriptor, byte(total), byte(total >> 8), interfaces, 1, 0, busPowered, in2mA} //nolint:gosec // a few hundred
	d.Configuration = append(d.Configuration, body...)
	return d
}
