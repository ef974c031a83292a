package issuer

import (
	"crypto/subtle"

	"tillway/emv"
	"tillway/emv/cryptogram"
)

// A stripe's own data, as Visa's cards have it behind the service code: the PIN verification key's index, the PIN verification
// value, and the card verification value.
const (
	serviceDigits = 3
	cvvAt         = serviceDigits + 1 + 4
	cvvDigits     = 3
	iCVV          = "999" // in place of the service code, for the value in the chip's image of the track
)

// authoriseStripe decides on a card that was swiped: verification value (05), expiry (54), PIN (55, 75), funds (51).
func (a *account) authoriseStripe(r Request) Decision {
	code, why := a.checkStripe(r)
	if code == "" {
		code, why = a.decide(r, emv.Data{})
	}
	wrong := code == WrongPIN || code == PINBlocked
	code, why, part := a.part(r, code, why)
	wrong = wrong && r.Force == ""
	return Decision{Part: part, Code: code, Why: why, WrongPIN: wrong, Tries: a.tries}
}

// checkStripe verifies that the stripe is the issuer's: its verification value is over the service code, so that neither a changed
// code nor the chip's image of the track, whose value is another, passes.
func (a *account) checkStripe(r Request) (code, why string) {
	if len(r.Track) < serviceDigits {
		return FormatError, "track 2 ends before its service code"
	}
	service := r.Track[:serviceDigits]
	if a.CVK != nil {
		if len(r.Track) < cvvAt+cvvDigits {
			return DoNotHonour, "track 2 ends before its verification value"
		}
		got := r.Track[cvvAt : cvvAt+cvvDigits]
		if !a.isCVV(got, r.Expiry, service) {
			if a.isCVV(got, r.Expiry, iCVV) {
				return DoNotHonour, "the stripe is a copy of the chip's data"
			}
			return DoNotHonour, "wrong card verification value"
		}
	}
	switch service[2] {
	case '0', '3', '5':
		if !r.WithPIN {
			return DoNotHonour, "the service code asks for a PIN, and there is none"
		}
	}
	return "", ""
}

func (a *account) isCVV(got, expiry, service string) bool {
	want, err := cryptogram.CVV(a.CVK, a.PAN.Clear(), expiry, service)
	return err == nil && subtle.ConstantTimeCompare([]byte(got), []byte(want)) == 1
}
