package emv

import "bytes"

// CardSaysPIN reads from the issuer application data (9F10) whether the card itself accepted a PIN in this transaction: its Card
// Verification Results say so. known is false where aid and form do not tell which form that is. A man in the middle who
// answers VERIFY in the card's place cannot change it where a combined signature covers it, nor before an issuer, whose
// cryptogram covers it (Murdoch and others, 2010).
//
// Known forms: Visa's with Card Verification Results of three bytes; M/Chip 4's of six; the Common Core Definitions'
// (Book 3, C9).
func CardSaysPIN(aid, iad []byte) (accepted, known bool) {
	has := func(at int, bit byte) bool { return iad[at]&(1<<(bit-1)) != 0 }
	switch {
	case len(iad) == 32 && iad[0] == 0x0F && iad[1]&0xF0 == 0xA0: // format code A: length, identifier, key index, five bytes
		return has(4, 4) && !has(4, 3), true
	case bytes.HasPrefix(aid, []byte{0xA0, 0x00, 0x00, 0x00, 0x03}) && len(iad) >= 7 && iad[0] == 0x06 && iad[3] == 0x03:
		return has(4, 3) && !has(4, 2), true // length, key index, version, length, three bytes
	case bytes.HasPrefix(aid, []byte{0xA0, 0x00, 0x00, 0x00, 0x04}) && (len(iad) == 18 || len(iad) == 20):
		return has(2, 3) && has(2, 1), true // key index, version, six bytes
	}
	return false, false
}
