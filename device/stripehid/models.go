package stripehid

import "tillway/device/hid"

// A maker is one family of readers: its ids, and how its reports are read.
type maker struct {
	parse     func(report []byte) (pass, error)
	ids       []hid.ID // in HID mode
	keyboards []hid.ID // the same readers while they pose as a keyboard
	fix       string   // of that
}

// makers: the ids of MagTek's manuals, ID TECH's SecureMag manual and Microsoft's list of supported readers. More can be
// named in the configuration.
func makers() map[string]maker {
	return map[string]maker{
		"magtek": {
			parse: parseMagTek,
			ids: []hid.ID{
				{Vendor: 0x0801, Product: 0x0002}, // USB HID swipe reader, without encryption or with
				{Vendor: 0x0801, Product: 0x0011}, // MagneSafe V5
			},
			keyboards: []hid.ID{{Vendor: 0x0801, Product: 0x0001}},
			fix:       "set it to HID with MagTek's tool (property Interface Type 00)",
		},
		"idtech": {
			parse:     parseIDTech,
			ids:       []hid.ID{{Vendor: 0x0ACD, Product: 0x0500}, {Vendor: 0x0ACD, Product: 0x2010}}, // MiniMag, SecureMag
			keyboards: []hid.ID{{Vendor: 0x0ACD, Product: 0x2030}},
			fix:       "set it to USB HID with ID TECH's tool",
		},
	}
}
