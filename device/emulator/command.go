package emulator

import "slices"

// Instructions (Book 1, 11; Book 3, 6.5).
const (
	insCardBlock            = 0x16
	insApplicationUnblock   = 0x18
	insApplicationBlock     = 0x1E
	insVerify               = 0x20
	insPINChange            = 0x24
	insExternalAuthenticate = 0x82
	insGetChallenge         = 0x84
	insInternalAuthenticate = 0x88
	insSelect               = 0xA4
	insGPO                  = 0xA8
	insGenerateAC           = 0xAE
	insReadRecord           = 0xB2
	insGetData              = 0xCA
	insPutData              = 0xDA
	insUpdateRecord         = 0xDC
)

// sw is a status word.
type sw uint16

// Status words (ISO/IEC 7816-4, 5.1.3; Book 3, 6.3.5).
const (
	swOK              sw = 0x9000
	swDeactivated     sw = 0x6283 // selected file invalidated
	swAuthFailed      sw = 0x6300
	swTriesLeft       sw = 0x63C0 // with their number
	swLength          sw = 0x6700
	swBlocked         sw = 0x6983 // authentication method blocked
	swConditions      sw = 0x6985
	swInvalidated     sw = 0x6984
	swSecureMessaging sw = 0x6988
	swWrongData       sw = 0x6A80
	swNotSupported    sw = 0x6A81
	swFileNotFound    sw = 0x6A82
	swRecordNotFound  sw = 0x6A83
	swP1P2            sw = 0x6A86
	swDataNotFound    sw = 0x6A88
	swInstruction     sw = 0x6D00
	swClass           sw = 0x6E00
)

func (s sw) bytes(data []byte) []byte {
	return append(slices.Clip(data), byte(s>>8), byte(s))
}

// command is a command APDU of the short form (ISO/IEC 7816-4, 5.1).
type command struct {
	cla, ins, p1, p2 byte
	data             []byte
	le               bool // an Le byte was there; its value is the transport's business
}

// parseCommand takes an APDU of case 1, 2, 3 or 4 apart. Anything else is a wrong length.
func parseCommand(b []byte) (command, sw) {
	if len(b) < 4 {
		return command{}, swLength
	}
	c := command{cla: b[0], ins: b[1], p1: b[2], p2: b[3]}
	switch body := b[4:]; {
	case len(body) == 0: // case 1
	case len(body) == 1: // case 2
		c.le = true
	default:
		n := int(body[0])
		if n == 0 || len(body) < 1+n || len(body) > 2+n {
			return c, swLength
		}
		c.data, c.le = body[1:1+n], len(body) == 2+n
	}
	return c, swOK
}

// kind is the command's name in a profile's faults.
func (c command) kind() string {
	for _, k := range kinds {
		if k.ins == c.ins {
			return k.name
		}
	}
	return "other"
}

var kinds = []struct {
	ins  byte
	name string
}{
	{insSelect, "select"},
	{insReadRecord, "read record"},
	{insGPO, "get processing options"},
	{insGetData, "get data"},
	{insGenerateAC, "generate ac"},
	{insExternalAuthenticate, "external authenticate"},
	{insGetChallenge, "get challenge"},
	{insVerify, "verify"},
	{insInternalAuthenticate, "internal authenticate"},
	{insApplicationBlock, "application block"},
	{insApplicationUnblock, "application unblock"},
	{insCardBlock, "card block"},
	{insPINChange, "pin change"},
	{insPutData, "put data"},
	{insUpdateRecord, "update record"},
}

// kindScript is any of the commands that only scripts send.
const kindScript = "script"

func (c command) inScript() bool {
	switch c.ins {
	case insApplicationBlock, insApplicationUnblock, insCardBlock, insPINChange, insPutData, insUpdateRecord:
		return true
	}
	return false
}
