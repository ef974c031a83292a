package emv

import "slices"

// Feature is a part of the contact specifications that a profile may switch off: one that the books leave to the terminal,
// that its payment systems do not want, or that EMVCo has retired (Specification Bulletin 308). Everything is on unless
// Params.Off names it.
type Feature string

// The features that can be switched off, and what the kernel does then.
const (
	FeaturePSE             Feature = "pse"               // Book 1, 12.3.2. Off: the AIDs are tried one by one
	FeatureSDA             Feature = "sda"               // Book 2, 5. Off: as if the terminal could not do it
	FeatureDefaultDDOL     Feature = "default ddol"      // Book 2, 6.5.1. Off: a card without DDOL fails DDA
	FeaturePlaintextPIN    Feature = "plaintext pin"     // Book 3, 10.5.1. Off: as if the terminal could not do it
	FeaturePINAndSignature Feature = "pin and signature" // Book 3, 10.5.4. Off: such a rule is one that is not supported
	FeatureTCHash          Feature = "tc hash"           // Book 3, 9.2.2. Off: tag 98 is filled with zeros
	FeatureRandomSelection Feature = "random selection"  // Book 3, 10.6.2. Off: no lots are drawn
	FeatureVelocity        Feature = "velocity checking" // Book 3, 10.6.3. Off: the card's counters are not asked for
)

// Features lists every feature that can be switched off.
func Features() []Feature {
	return []Feature{
		FeaturePSE, FeatureSDA, FeatureDefaultDDOL, FeaturePlaintextPIN, FeaturePINAndSignature, FeatureTCHash,
		FeatureRandomSelection, FeatureVelocity,
	}
}

// Has says whether a feature is on: Off does not name it.
func (p Params) Has(f Feature) bool { return !slices.Contains(p.Off, f) }
