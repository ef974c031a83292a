package transcript

import (
	"slices"
	"strings"

	"tillway/emv"
)

// The numbers that test cards are personalised with, by their first digits. Each row is so long that no issuer's range
// falls into it, and each is in published material: nothing here is guessed from a scheme's range of test identification
// numbers.
var testNumbers = []struct{ prefix, source string }{
	{"47617390010101", "the emulator's ready cards, from a published field 55 of a Visa test card"},
	{"476134000000005", "the recorded session contact-visa of binaryfoo/emv-bertlv"},
	{"541333008960", "the emulator's ready cards: Mastercard's terminal integration test cards"},
	{"62109480000000", "the recorded session contact-upi of binaryfoo/emv-bertlv"},
}

const testNumberDigits = 16

// IsTestNumber says whether a card number is one that published test cards have. A card with it may be written out in the
// clear, in development.
func IsTestNumber(pan emv.PAN) bool {
	return len(pan.Clear()) == testNumberDigits && slices.ContainsFunc(testNumbers, func(r struct{ prefix, source string }) bool {
		return strings.HasPrefix(pan.Clear(), r.prefix)
	})
}
