package profile

import "bytes"

// scheme is what an application has when its row does not say: the scheme's name for receipts and the application version
// number, 9F09, that the scheme's own documents ask of terminals.
type scheme struct {
	aid     []byte // its beginning
	name    string
	version [2]byte
}

// schemes are looked through from the top; the longer beginning stands first.
var schemes = []scheme{
	{[]byte{0xA0, 0, 0, 0, 0x03}, "visa", [2]byte{0x00, 0x8C}},
	{[]byte{0xA0, 0, 0, 0, 0x04, 0x30, 0x60}, "maestro", [2]byte{0x00, 0x02}},
	{[]byte{0xA0, 0, 0, 0, 0x04}, "mastercard", [2]byte{0x00, 0x02}},
	{[]byte{0xA0, 0, 0, 0, 0x25}, "amex", [2]byte{0x00, 0x01}},
	{[]byte{0xA0, 0, 0, 0, 0x65}, "jcb", [2]byte{0x02, 0x00}},
	{[]byte{0xA0, 0, 0, 0x01, 0x52}, "discover", [2]byte{0x00, 0x01}},
	{[]byte{0xA0, 0, 0, 0x03, 0x33}, "unionpay", [2]byte{0x00, 0x20}},
}

// schemeOf is the scheme of an AID; of one that is not known, the name is "other" and the version zero.
func schemeOf(aid []byte) scheme {
	for _, s := range schemes {
		if bytes.HasPrefix(aid, s.aid) {
			return s
		}
	}
	return scheme{name: "other"}
}
