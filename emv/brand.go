package emv

import "bytes"

// iins are the issuer identification numbers of one scheme: what a card number begins with, from and to, of the same
// length.
type iins struct {
	rid    []byte
	ranges [][2]string
}

// brands lists the schemes whose numbers are public (ISO/IEC 7812-1 registrations as the schemes print them). A domestic
// or unknown scheme is not in it, and is not judged.
func brands() []iins {
	return []iins{
		{[]byte{0xA0, 0, 0, 0, 0x03}, [][2]string{{"4", "4"}}},
		{[]byte{0xA0, 0, 0, 0, 0x04}, [][2]string{{"2221", "2720"}, {"50", "69"}}}, // Mastercard, and Maestro 50 and 56 to 69
		{[]byte{0xA0, 0, 0, 0, 0x25}, [][2]string{{"34", "34"}, {"37", "37"}}},
		{[]byte{0xA0, 0, 0, 0, 0x65}, [][2]string{{"3528", "3589"}}},
	}
}

// BrandKnown says whether the numbers of an application's scheme are known, so that BrandFits tells something.
func BrandKnown(aid []byte) bool {
	for _, b := range brands() {
		if bytes.HasPrefix(aid, b.rid) {
			return true
		}
	}
	return false
}

// BrandFits says whether a card number can belong to the scheme of an application: its registered application provider,
// the first five bytes of the AID. A card that is put forward under another scheme's application, so that a terminal
// follows the rules of one brand and the issuer those of another, does not fit (Basin and others, 2021, "card brand
// mixup"). A scheme that is not known fits.
func BrandFits(aid []byte, pan PAN) bool {
	for _, b := range brands() {
		if !bytes.HasPrefix(aid, b.rid) {
			continue
		}
		for _, r := range b.ranges {
			if n := len(r[0]); len(pan.digits) >= n && pan.digits[:n] >= r[0] && pan.digits[:n] <= r[1] {
				return true
			}
		}
		return false
	}
	return true
}
