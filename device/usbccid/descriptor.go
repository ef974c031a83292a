package usbccid

import (
	"encoding/binary"
	"fmt"

	"tillway/device/ccid"
	"tillway/device/usb"
)

// The class, and its functional descriptor (CCID 1.1, 5.1, table 5.1-1).
const (
	classCCID        = 0x0B
	classVendor      = 0xFF // 24 of libccid's readers: there the list of ids is the only sign
	functionalType   = 0x21
	functionalLength = 54
)

// Bits of dwFeatures (table 5.1-1).
const (
	autoParametersATR  = 0x0000_0002 // parameters from the answer to reset
	autoVoltage        = 0x0000_0008
	autoNegotiation    = 0x0000_0040 // parameters made by the reader alone
	autoPPS            = 0x0000_0080
	levelTPDU          = 0x0001_0000
	levelShortAPDU     = 0x0002_0000
	levelExtendedAPDU  = 0x0004_0000
	protocolT0         = 0x0000_0001 // of dwProtocols
	protocolT1         = 0x0000_0002
	pinVerification    = 0x01  // of bPINSupport
	leastMessage       = 64    // dwMaxCCIDMessageLength below it holds no command worth sending
	mostMessage        = 65554 // and above it nothing: 10 bytes and the longest extended APDU
	mostSlots          = 16
	bogusSCM           = 263 // dwMaxCCIDMessageLength of SCM's firmware, which takes 271
	leastIFSD          = 254 // what we tell a T=1 card that we take in a block
	movementPacketMost = 64
)

// layout is what the driver needs to know of a reader.
type layout struct {
	setting   usb.Setting
	in, out   usb.Endpoint
	interrupt usb.Endpoint // Address 0: none
	features  ccid.Features
	word      uint32 // dwFeatures
}

// parse finds the card reader in a configuration and checks what it says of itself. Error: usb.ErrDescriptor, with what is
// wrong or not driven.
func parse(configuration []byte, id usb.ID) (layout, error) {
	settings, err := usb.ParseConfiguration(configuration)
	if err != nil {
		return layout{}, err
	}
	for _, s := range settings {
		if s.Alternate != 0 || s.Class != classCCID && s.Class != classVendor {
			continue
		}
		functional := functionalOf(s)
		if s.Class == classVendor && functional == nil {
			continue
		}
		return describe(s, functional, id)
	}
	return layout{}, refuse("no interface of class 0B: it is no card reader, or one that only its maker's driver knows")
}

// refuse is the error for descriptors that cannot be, or that are of a reader that is not driven.
func refuse(format string, values ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{usb.ErrDescriptor}, values...)...)
}

// functionalOf is the class descriptor, wherever it stands behind the interface.
func functionalOf(s usb.Setting) []byte {
	for _, extra := range s.Extra {
		if extra[1] == functionalType || s.Class == classVendor && extra[1] == 0xFF && len(extra) == functionalLength {
			return extra
		}
	}
	return nil
}

func describe(s usb.Setting, b []byte, id usb.ID) (layout, error) {
	l := layout{setting: s}
	l.features.Untold = true // the interrupt endpoint is asked now and then, and answers come past it
	switch {
	case s.Class == classCCID && s.Protocol != 0:
		return l, refuse("bInterfaceProtocol %d: a token with a card built in (ICCD), which holds no customer's card", s.Protocol)
	case b == nil:
		return l, refuse("no functional descriptor")
	case len(b) != functionalLength:
		return l, refuse("functional descriptor of %d bytes, the class has %d", len(b), functionalLength)
	}
	l.word = binary.LittleEndian.Uint32(b[40:])
	if q, ok := quirk(id); ok && q.level != 0 {
		l.word = l.word&^uint32(levelTPDU|levelShortAPDU|levelExtendedAPDU) | q.level
	}
	protocols, message := binary.LittleEndian.Uint32(b[6:]), binary.LittleEndian.Uint32(b[44:])
	ifsd := binary.LittleEndian.Uint32(b[28:])
	if message == bogusSCM {
		message = ccid.MaxMessage
	}
	switch {
	case protocols&(protocolT0|protocolT1) == 0:
		return l, refuse("dwProtocols %08X: neither T=0 nor T=1", protocols)
	case b[4] >= mostSlots:
		return l, refuse("%d slots", int(b[4])+1)
	case message < leastMessage || message > mostMessage:
		return l, refuse("dwMaxCCIDMessageLength %d", message)
	}
	switch {
	case l.word&levelExtendedAPDU != 0:
		l.features.Level = ccid.ExtendedAPDU
	case l.word&levelShortAPDU != 0:
		l.features.Level = ccid.ShortAPDU
	case l.word&levelTPDU != 0:
		l.features.Level = ccid.TPDU
		if protocols&protocolT1 != 0 && ifsd < leastIFSD {
			return l, refuse("dwMaxIFSD %d at TPDU level, %d is needed", ifsd, leastIFSD)
		}
	default:
		return l, refuse("dwFeatures %08X: character level, which is not driven: use pcscd ([reader] driver = \"pcsc\")", l.word)
	}
	l.features.MaxMessage = int(message)
	l.features.AutoVoltage = l.word&autoVoltage != 0
	l.features.AutoParameters = l.word&(autoParametersATR|autoNegotiation|autoPPS) != 0
	l.features.PINPad = b[52]&pinVerification != 0
	return l, l.endpoints()
}

// endpoints finds the pipes of the class: bulk out, bulk in, and an interrupt one that may be missing (5.1).
func (l *layout) endpoints() error {
	for _, e := range l.setting.Endpoints {
		switch in := e.Address&0x80 != 0; {
		case e.Kind == usb.Bulk && in && l.in.Address == 0:
			l.in = e
		case e.Kind == usb.Bulk && !in && l.out.Address == 0:
			l.out = e
		case e.Kind == usb.Interrupt && in && l.interrupt.Address == 0 && e.MaxPacket <= movementPacketMost:
			l.interrupt = e
		}
	}
	if l.in.Address == 0 || l.out.Address == 0 {
		return refuse("no pair of bulk endpoints")
	}
	if l.in.MaxPacket < ccid.HeaderLength {
		return refuse("endpoint %02X has packets of %d bytes, a message's head has %d", l.in.Address, l.in.MaxPacket, ccid.HeaderLength)
	}
	return nil
}
