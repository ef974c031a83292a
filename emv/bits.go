package emv

import "fmt"

// A bit of a data element is named by a number of two digits: its byte, counted from 1 on the left, and its bit, 8
// (highest) to 1, as the books number them: 48 is byte 4, bit 8.

// bitName is one row of a table of bits.
type bitName struct {
	bit  uint8
	name string
}

func setBit(b []byte, bit uint8)      { b[bit/10-1] |= 1 << (bit%10 - 1) }
func hasBit(b []byte, bit uint8) bool { return b[bit/10-1]&(1<<(bit%10-1)) != 0 }

func place(element string, bit uint8) string {
	return fmt.Sprintf("%s byte %d bit %d", element, bit/10, bit%10)
}

func nameOf(table []bitName, bit uint8) string {
	for _, row := range table {
		if row.bit == bit {
			return row.name
		}
	}
	return "reserved for future use"
}

// namesOf lists the bits that are set, from the left.
func namesOf(table []bitName, b []byte) []string {
	var names []string
	for n := range b {
		for bit := uint8(8); bit >= 1; bit-- {
			if at := uint8(n+1)*10 + bit; hasBit(b, at) { //nolint:gosec // at most five bytes
				names = append(names, nameOf(table, at))
			}
		}
	}
	return names
}

// TVR is the Terminal Verification Results, tag 95 (Book 3, C5).
type TVR [5]byte

// TVRBit is one bit of the TVR.
type TVRBit uint8

// The bits of the TVR.
const (
	TVRDataAuthenticationNotPerformed TVRBit = 18 // byte 1, bit 8
	TVRSDAFailed                      TVRBit = 17 // byte 1, bit 7
	TVRICCDataMissing                 TVRBit = 16 // byte 1, bit 6
	TVROnExceptionFile                TVRBit = 15 // byte 1, bit 5
	TVRDDAFailed                      TVRBit = 14 // byte 1, bit 4
	TVRCDAFailed                      TVRBit = 13 // byte 1, bit 3
	TVRSDASelected                    TVRBit = 12 // byte 1, bit 2
	TVRDifferentVersions              TVRBit = 28 // byte 2, bit 8
	TVRExpired                        TVRBit = 27 // byte 2, bit 7
	TVRNotYetEffective                TVRBit = 26 // byte 2, bit 6
	TVRServiceNotAllowed              TVRBit = 25 // byte 2, bit 5
	TVRNewCard                        TVRBit = 24 // byte 2, bit 4
	TVRVerificationNotSuccessful      TVRBit = 38 // byte 3, bit 8
	TVRUnrecognisedCVM                TVRBit = 37 // byte 3, bit 7
	TVRPINTryLimitExceeded            TVRBit = 36 // byte 3, bit 6
	TVRPINPadMissing                  TVRBit = 35 // byte 3, bit 5
	TVRPINNotEntered                  TVRBit = 34 // byte 3, bit 4
	TVROnlinePINEntered               TVRBit = 33 // byte 3, bit 3
	TVRFloorLimitExceeded             TVRBit = 48 // byte 4, bit 8
	TVRLowerOfflineLimitExceeded      TVRBit = 47 // byte 4, bit 7
	TVRUpperOfflineLimitExceeded      TVRBit = 46 // byte 4, bit 6
	TVRSelectedRandomly               TVRBit = 45 // byte 4, bit 5
	TVRForcedOnline                   TVRBit = 44 // byte 4, bit 4
	TVRDefaultTDOLUsed                TVRBit = 58 // byte 5, bit 8
	TVRIssuerAuthenticationFailed     TVRBit = 57 // byte 5, bit 7
	TVRScriptFailedBeforeFinalAC      TVRBit = 56 // byte 5, bit 6
	TVRScriptFailedAfterFinalAC       TVRBit = 55 // byte 5, bit 5
)

var tvrBits = []bitName{
	{18, "Offline data authentication was not performed"},
	{17, "SDA failed"},
	{16, "ICC data missing"},
	{15, "Card appears on terminal exception file"},
	{14, "DDA failed"},
	{13, "CDA failed"},
	{12, "SDA selected"},
	{28, "ICC and terminal have different application versions"},
	{27, "Expired application"},
	{26, "Application not yet effective"},
	{25, "Requested service not allowed for card product"},
	{24, "New card"},
	{38, "Cardholder verification was not successful"},
	{37, "Unrecognised CVM"},
	{36, "PIN Try Limit exceeded"},
	{35, "PIN entry required and PIN pad not present or not working"},
	{34, "PIN entry required, PIN pad present, but PIN was not entered"},
	{33, "On-line PIN entered"},
	{48, "Transaction exceeds floor limit"},
	{47, "Lower consecutive offline limit exceeded"},
	{46, "Upper consecutive offline limit exceeded"},
	{45, "Transaction selected randomly for on-line processing"},
	{44, "Merchant forced transaction on-line"},
	{58, "Default TDOL used"},
	{57, "Issuer authentication failed"},
	{56, "Script processing failed before final GENERATE AC"},
	{55, "Script processing failed after final GENERATE AC"},
}

// Set sets one bit.
func (t *TVR) Set(b TVRBit) { setBit(t[:], uint8(b)) }

// Clear takes one bit back.
func (t *TVR) Clear(b TVRBit) { t[b/10-1] &^= 1 << (b%10 - 1) }

// Has says whether a bit is set.
func (t TVR) Has(b TVRBit) bool { return hasBit(t[:], uint8(b)) }

// Names lists the bits that are set, as the book names them.
func (t TVR) Names() []string { return namesOf(tvrBits, t[:]) }

// String is the bit's place: "TVR byte 1 bit 8".
func (b TVRBit) String() string { return place("TVR", uint8(b)) }

// Name is what the book calls the bit.
func (b TVRBit) Name() string { return nameOf(tvrBits, uint8(b)) }

// TSI is the Transaction Status Information, tag 9B (Book 3, C6).
type TSI [2]byte

// TSIBit is one bit of the TSI.
type TSIBit uint8

// The bits of the TSI.
const (
	TSIDataAuthenticationPerformed   TSIBit = 18 // byte 1, bit 8
	TSIVerificationPerformed         TSIBit = 17 // byte 1, bit 7
	TSICardRiskManagementPerformed   TSIBit = 16 // byte 1, bit 6
	TSIIssuerAuthenticationPerformed TSIBit = 15 // byte 1, bit 5
	TSITerminalRiskManagementDone    TSIBit = 14 // byte 1, bit 4
	TSIScriptProcessingPerformed     TSIBit = 13 // byte 1, bit 3
)

var tsiBits = []bitName{
	{18, "Offline data authentication was performed"},
	{17, "Cardholder verification was performed"},
	{16, "Card risk management was performed"},
	{15, "Issuer authentication was performed"},
	{14, "Terminal risk management was performed"},
	{13, "Script processing was performed"},
}

// Set sets one bit.
func (t *TSI) Set(b TSIBit) { setBit(t[:], uint8(b)) }

// Has says whether a bit is set.
func (t TSI) Has(b TSIBit) bool { return hasBit(t[:], uint8(b)) }

// Names lists the bits that are set, as the book names them.
func (t TSI) Names() []string { return namesOf(tsiBits, t[:]) }

// String is the bit's place: "TSI byte 1 bit 8".
func (b TSIBit) String() string { return place("TSI", uint8(b)) }

// Name is what the book calls the bit.
func (b TSIBit) Name() string { return nameOf(tsiBits, uint8(b)) }
