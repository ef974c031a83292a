package usbreader

import (
	"encoding/binary"

	"tillway/device/emulator/virtualusb"
)

// The endpoints.
const (
	bulkOut     = 0x02
	bulkIn      = 0x82
	interruptIn = 0x81
	packet      = 64
)

// mostMessage is the longest message that a reader announces: a header and the longest extended APDU.
const mostMessage = 65554

// describe is what the reader says of itself (USB 2.0, 9.6; CCID 1.1, 5.1).
func describe(cfg Config) virtualusb.Descriptors {
	le := binary.LittleEndian
	d := virtualusb.Descriptors{
		Device:  [18]byte{18, 1, 0x00, 0x02, 0, 0, 0, packet, 0, 0, 0, 0, 0x00, 0x01, 1, 2, 0, 1},
		Strings: []string{"Tillway", cfg.Name},
	}
	if cfg.Serial != "" {
		d.Strings = append(d.Strings, cfg.Serial)
		d.Device[16] = 3
	}
	le.PutUint16(d.Device[8:], cfg.ID.Vendor)
	le.PutUint16(d.Device[10:], cfg.ID.Product)
	endpoints := [][]byte{{7, 5, bulkOut, 2, packet, 0, 0}, {7, 5, bulkIn, 2, packet, 0, 0}}
	if !cfg.NoInterrupt {
		endpoints = append(endpoints, []byte{7, 5, interruptIn, 3, 8, 0, 24})
	}
	b := []byte{9, 2, 0, 0, 1, 1, 0, 0x80, 50}
	b = append(b, 9, 4, 0, 0, byte(len(endpoints)), 0x0B, 0, 0, 0) //nolint:gosec // two or three
	b = append(b, functional(cfg)...)
	for _, e := range endpoints {
		b = append(b, e...)
	}
	le.PutUint16(b[2:], uint16(len(b))) //nolint:gosec // about a hundred
	d.Configuration = b
	return d
}

// features is dwFeatures of each level, as readers of libccid's dumps have it: an SCR3310, an OMNIKEY 3121, an SPR532.
var features = map[Level]uint32{TPDU: 0x0001_0030, ShortAPDU: 0x0002_04BE, ExtendedAPDU: 0x0004_0840}

// functional is the class descriptor of 54 bytes (CCID 1.1, table 5.1-1).
func functional(cfg Config) []byte {
	le := binary.LittleEndian
	f := make([]byte, 54)
	f[0], f[1], f[2], f[3] = 54, 0x21, 0x10, 0x01
	f[5] = 7                      // 5, 3 and 1.8 V
	le.PutUint32(f[6:], 3)        // T=0 and T=1
	le.PutUint32(f[10:], 4000)    // clock, kHz
	le.PutUint32(f[14:], 4000)    //
	le.PutUint32(f[19:], 10753)   // data rate, bit/s
	le.PutUint32(f[23:], 344_086) //
	le.PutUint32(f[28:], 254)     // dwMaxIFSD
	le.PutUint32(f[40:], features[cfg.Level])
	le.PutUint32(f[44:], cfg.MaxMessage)
	f[48], f[49] = 0xFF, 0xFF // class of GET RESPONSE and ENVELOPE: the command's
	if cfg.PINPad != nil {
		f[52] = 3
	}
	f[53] = 1
	return f
}
