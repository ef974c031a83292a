package magstripe

// ServiceCode is the three digits behind the expiry that say where and how the card is to be used (ISO/IEC 7813). The
// zero value says nothing.
type ServiceCode string

// digit is one of the three, 0 for an absent code: no service code has a 0 in front, and the others are asked only of digits.
func (s ServiceCode) digit(n int) byte {
	if len(s) != 3 {
		return 0
	}
	return s[n]
}

// HasChip says that the card has a chip, which is to be used where that is feasible (2xx, 6xx).
func (s ServiceCode) HasChip() bool { return s.digit(0) == '2' || s.digit(0) == '6' }

// Test says that the card is one for tests (9xx).
func (s ServiceCode) Test() bool { return s.digit(0) == '9' }

// OnlineOnly says that the issuer authorises, online (x2x; x4x but for bilateral agreements, of which a terminal knows none).
func (s ServiceCode) OnlineOnly() bool { return s.digit(1) == '2' || s.digit(1) == '4' }

// PINRequired says that the cardholder has to enter the PIN (xx0, xx3, xx5).
func (s ServiceCode) PINRequired() bool {
	switch s.digit(2) {
	case '0', '3', '5':
		return true
	}
	return false
}

// PINWhereFeasible says that the PIN is asked for where a pad is there (xx6, xx7).
func (s ServiceCode) PINWhereFeasible() bool { return s.digit(2) == '6' || s.digit(2) == '7' }

// Purchases says that goods and services may be paid with the card: all but ATM only (xx3) and cash only (xx4).
func (s ServiceCode) Purchases() bool {
	switch s.digit(2) {
	case '0', '1', '2', '5', '6', '7':
		return true
	}
	return false
}

// meanings of the digits, by position.
var meanings = [3]map[byte]string{
	{
		'1': "international interchange", '2': "international interchange, chip to be used where feasible",
		'5': "national interchange", '6': "national interchange, chip to be used where feasible",
		'7': "no interchange except by bilateral agreement", '9': "test card",
	},
	{'0': "normal authorisation", '2': "online authorisation by the issuer", '4': "online authorisation by the issuer, except by bilateral agreement"},
	{
		'0': "no restrictions, PIN required", '1': "no restrictions", '2': "goods and services only", '3': "ATM only, PIN required",
		'4': "cash only", '5': "goods and services only, PIN required", '6': "no restrictions, PIN where feasible",
		'7': "goods and services only, PIN where feasible",
	},
}

// Meaning says what the three digits mean, one after the other; "reserved" where the standard gives a digit no meaning. It is
// nil for an absent code.
func (s ServiceCode) Meaning() []string {
	if len(s) != 3 {
		return nil
	}
	out := make([]string, 0, len(meanings))
	for i, known := range meanings {
		text, ok := known[s[i]]
		if !ok {
			text = "reserved"
		}
		out = append(out, text)
	}
	return out
}
