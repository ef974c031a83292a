package emv

import "tillway/emv/tlv"

// SecretTag says whether a data object is card data that must not be written in the clear: PAN, track data,
// expiry, cardholder name, PIN data.
func SecretTag(tag tlv.Tag) bool {
	switch tag {
	case 0x57, 0x5A, 0x56, 0x5F20, 0x5F24, 0x5F30, 0x99, 0x9F0B, 0x9F1F, 0x9F20, 0x9F6B:
		return true
	}
	return false
}
