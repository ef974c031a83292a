package emv

// AIP is the Application Interchange Profile, tag 82: what the card's application can do (Book 3, C1).
type AIP [2]byte

// AIPBit is one bit of the AIP.
type AIPBit uint8

// The bits of the AIP. XDA (byte 1, bit 8) is out of scope.
const (
	AIPSDA                     AIPBit = 17 // byte 1, bit 7
	AIPDDA                     AIPBit = 16 // byte 1, bit 6
	AIPCardholderVerification  AIPBit = 15 // byte 1, bit 5
	AIPTerminalRiskManagement  AIPBit = 14 // byte 1, bit 4
	AIPExternalAuthenticate    AIPBit = 13 // byte 1, bit 3
	AIPOnDeviceVerification    AIPBit = 12 // byte 1, bit 2 (contactless)
	AIPCDA                     AIPBit = 11 // byte 1, bit 1
	AIPEMVModeContactless      AIPBit = 28 // byte 2, bit 8 (contactless)
	AIPRelayResistanceProtocol AIPBit = 21 // byte 2, bit 1 (contactless)
)

var aipBits = []bitName{
	{18, "XDA supported"},
	{17, "SDA supported"},
	{16, "DDA supported"},
	{15, "Cardholder verification is supported"},
	{14, "Terminal risk management is to be performed"},
	{13, "Issuer authentication is supported"},
	{12, "On device cardholder verification is supported"},
	{11, "CDA supported"},
	{28, "EMV mode is supported"},
	{21, "Relay resistance protocol is supported"},
}

// Has says whether a bit is set.
func (a AIP) Has(b AIPBit) bool { return hasBit(a[:], uint8(b)) }

// Set sets one bit; a virtual card needs it.
func (a *AIP) Set(b AIPBit) { setBit(a[:], uint8(b)) }

// Names lists the bits that are set, as the book names them.
func (a AIP) Names() []string { return namesOf(aipBits, a[:]) }

// AUC is the Application Usage Control, tag 9F07: where the card may be used (Book 3, C2).
type AUC [2]byte

// AUCBit is one bit of the AUC.
type AUCBit uint8

// The bits of the AUC.
const (
	AUCDomesticCash          AUCBit = 18 // byte 1, bit 8
	AUCInternationalCash     AUCBit = 17 // byte 1, bit 7
	AUCDomesticGoods         AUCBit = 16 // byte 1, bit 6
	AUCInternationalGoods    AUCBit = 15 // byte 1, bit 5
	AUCDomesticServices      AUCBit = 14 // byte 1, bit 4
	AUCInternationalServices AUCBit = 13 // byte 1, bit 3
	AUCATM                   AUCBit = 12 // byte 1, bit 2
	AUCOtherThanATM          AUCBit = 11 // byte 1, bit 1
	AUCDomesticCashback      AUCBit = 28 // byte 2, bit 8
	AUCInternationalCashback AUCBit = 27 // byte 2, bit 7
)

var aucBits = []bitName{
	{18, "Valid for domestic cash transactions"},
	{17, "Valid for international cash transactions"},
	{16, "Valid for domestic goods"},
	{15, "Valid for international goods"},
	{14, "Valid for domestic services"},
	{13, "Valid for international services"},
	{12, "Valid at ATMs"},
	{11, "Valid at terminals other than ATMs"},
	{28, "Domestic cashback allowed"},
	{27, "International cashback allowed"},
}

// Has says whether a bit is set.
func (a AUC) Has(b AUCBit) bool { return hasBit(a[:], uint8(b)) }

// Set sets one bit; a virtual card needs it.
func (a *AUC) Set(b AUCBit) { setBit(a[:], uint8(b)) }

// Names lists the bits that are set, as the book names them.
func (a AUC) Names() []string { return namesOf(aucBits, a[:]) }

// Capabilities is the Terminal Capabilities, tag 9F33 (Book 4, A2).
type Capabilities [3]byte

// CapabilityBit is one bit of the Terminal Capabilities.
type CapabilityBit uint8

// The bits of the Terminal Capabilities.
const (
	CapabilityManualKeyEntry      CapabilityBit = 18 // byte 1, bit 8
	CapabilityMagneticStripe      CapabilityBit = 17 // byte 1, bit 7
	CapabilityICWithContacts      CapabilityBit = 16 // byte 1, bit 6
	CapabilityPlaintextPIN        CapabilityBit = 28 // byte 2, bit 8
	CapabilityEncipheredOnlinePIN CapabilityBit = 27 // byte 2, bit 7
	CapabilitySignature           CapabilityBit = 26 // byte 2, bit 6
	CapabilityEncipheredOffline   CapabilityBit = 25 // byte 2, bit 5
	CapabilityNoCVM               CapabilityBit = 24 // byte 2, bit 4
	CapabilitySDA                 CapabilityBit = 38 // byte 3, bit 8
	CapabilityDDA                 CapabilityBit = 37 // byte 3, bit 7
	CapabilityCardCapture         CapabilityBit = 36 // byte 3, bit 6
	CapabilityCDA                 CapabilityBit = 34 // byte 3, bit 4
)

var capabilityBits = []bitName{
	{18, "Manual key entry"},
	{17, "Magnetic stripe"},
	{16, "IC with contacts"},
	{28, "Plaintext PIN for ICC verification"},
	{27, "Enciphered PIN for online verification"},
	{26, "Signature (paper)"},
	{25, "Enciphered PIN for offline verification"},
	{24, "No CVM Required"},
	{38, "SDA"},
	{37, "DDA"},
	{36, "Card capture"},
	{34, "CDA"},
}

// Has says whether a bit is set.
func (c Capabilities) Has(b CapabilityBit) bool { return hasBit(c[:], uint8(b)) }

// Set sets one bit.
func (c *Capabilities) Set(b CapabilityBit) { setBit(c[:], uint8(b)) }

// Names lists the bits that are set, as the book names them.
func (c Capabilities) Names() []string { return namesOf(capabilityBits, c[:]) }

// CID is the Cryptogram Information Data, tag 9F27 (Book 3, 6.5.5.4).
type CID byte

// Cryptogram is what a card calculated, or a terminal asks for: bits 8 and 7 of CID and of GENERATE AC's P1.
type Cryptogram byte

// The cryptograms.
const (
	AAC  Cryptogram = 0x00 // bits 8-7: 00, declined
	TC   Cryptogram = 0x40 // bits 8-7: 01, approved
	ARQC Cryptogram = 0x80 // bits 8-7: 10, online authorisation requested
	RFU  Cryptogram = 0xC0 // bits 8-7: 11, of no meaning
)

func (c Cryptogram) String() string {
	switch c {
	case AAC:
		return "AAC"
	case TC:
		return "TC"
	case ARQC:
		return "ARQC"
	case RFU:
	}
	return "RFU"
}

// Cryptogram is which cryptogram the card calculated.
func (c CID) Cryptogram() Cryptogram { return Cryptogram(c & 0xC0) }

// AdviceRequired is bit 4.
func (c CID) AdviceRequired() bool { return c&0x08 != 0 }

// Reason is bits 3 to 1 in words, empty where the card gave none.
func (c CID) Reason() string {
	switch c & 0x07 {
	case 0:
		return ""
	case 1:
		return "service not allowed"
	case 2:
		return "PIN Try Limit exceeded"
	case 3:
		return "issuer authentication failed"
	}
	return "reserved for future use"
}

// Names is the CID decoded.
func (c CID) Names() []string {
	names := []string{c.Cryptogram().String()}
	if c.AdviceRequired() {
		names = append(names, "Advice required")
	}
	if r := c.Reason(); r != "" {
		names = append(names, r)
	}
	return names
}
