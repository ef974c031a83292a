package profile

import "bytes"

// scheme is what an application is called when its row does not say.
type scheme struct {
	aid  []byte // its beginning
	name string
}

// schemes are looked through from the top; the longer beginning stands first.
var schemes = []scheme{
	{[]byte{0xA0, 0, 0, 0, 0x03}, "visa"},
	{[]byte{0xA0, 0, 0, 0, 0x04, 0x30, 0x60}, "maestro"},
	{[]byte{0xA0, 0, 0, 0, 0x04}, "mastercard"},
	{[]byte{0xA0, 0, 0, 0, 0x25}, "amex"},
	{[]byte{0xA0, 0, 0, 0, 0x65}, "jcb"},
	{[]byte{0xA0, 0, 0, 0x01, 0x52}, "discover"},
	{[]byte{0xA0, 0, 0, 0x03, 0x33}, "unionpay"},
}

// schemeOf is the name of an AID's scheme, "other" of one that is not known.
func schemeOf(aid []byte) string {
	for _, s := range schemes {
		if bytes.HasPrefix(aid, s.aid) {
			return s.name
		}
	}
	return "other"
}
