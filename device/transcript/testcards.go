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

// OfTestCard says whether every card number that the card gave is a test card's, and that it gave one. What is not sure to be
// a test card's is a real card's.
func (t Transcript) OfTestCard() bool {
	numbers := t.numbers()
	for _, n := range numbers {
		if pan, err := emv.NewPAN(n); err != nil || !IsTestNumber(pan) {
			return false
		}
	}
	return len(numbers) > 0
}
