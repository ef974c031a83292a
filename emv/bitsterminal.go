package emv

// MoreCapabilities is the Additional Terminal Capabilities, tag 9F40 (Book 4, A3), as far as a kernel reads them.
type MoreCapabilities [5]byte

// MoreCapabilityBit is one bit of the Additional Terminal Capabilities.
type MoreCapabilityBit uint8

// The bits of the Additional Terminal Capabilities.
const (
	MoreCash           MoreCapabilityBit = 18 // byte 1, bit 8
	MoreGoods          MoreCapabilityBit = 17 // byte 1, bit 7
	MoreServices       MoreCapabilityBit = 16 // byte 1, bit 6
	MoreCashback       MoreCapabilityBit = 15 // byte 1, bit 5
	MoreInquiry        MoreCapabilityBit = 14 // byte 1, bit 4
	MoreTransfer       MoreCapabilityBit = 13 // byte 1, bit 3
	MorePayment        MoreCapabilityBit = 12 // byte 1, bit 2
	MoreAdministrative MoreCapabilityBit = 11 // byte 1, bit 1
	MoreCashDeposit    MoreCapabilityBit = 28 // byte 2, bit 8
	MoreNumericKeys    MoreCapabilityBit = 38 // byte 3, bit 8
	MoreAlphaKeys      MoreCapabilityBit = 37 // byte 3, bit 7
	MoreCommandKeys    MoreCapabilityBit = 36 // byte 3, bit 6
	MoreFunctionKeys   MoreCapabilityBit = 35 // byte 3, bit 5
	MorePrintAttendant MoreCapabilityBit = 48 // byte 4, bit 8
	MorePrintHolder    MoreCapabilityBit = 47 // byte 4, bit 7
	MoreShowAttendant  MoreCapabilityBit = 46 // byte 4, bit 6
	MoreShowHolder     MoreCapabilityBit = 45 // byte 4, bit 5
	MoreCodeTable10    MoreCapabilityBit = 42 // byte 4, bit 2
	MoreCodeTable9     MoreCapabilityBit = 41 // byte 4, bit 1
	MoreCodeTable8     MoreCapabilityBit = 58 // byte 5, bit 8
	MoreCodeTable7     MoreCapabilityBit = 57 // byte 5, bit 7
	MoreCodeTable6     MoreCapabilityBit = 56 // byte 5, bit 6
	MoreCodeTable5     MoreCapabilityBit = 55 // byte 5, bit 5
	MoreCodeTable4     MoreCapabilityBit = 54 // byte 5, bit 4
	MoreCodeTable3     MoreCapabilityBit = 53 // byte 5, bit 3
	MoreCodeTable2     MoreCapabilityBit = 52 // byte 5, bit 2
	MoreCodeTable1     MoreCapabilityBit = 51 // byte 5, bit 1
)

var moreBits = []bitName{
	{18, "Cash"},
	{17, "Goods"},
	{16, "Services"},
	{15, "Cashback"},
	{14, "Inquiry"},
	{13, "Transfer"},
	{12, "Payment"},
	{11, "Administrative"},
	{28, "Cash deposit"},
	{38, "Numeric keys"},
	{37, "Alphabetic and special characters keys"},
	{36, "Command keys"},
	{35, "Function keys"},
	{48, "Print, attendant"},
	{47, "Print, cardholder"},
	{46, "Display, attendant"},
	{45, "Display, cardholder"},
	{42, "Code table 10"},
	{41, "Code table 9"},
	{58, "Code table 8"},
	{57, "Code table 7"},
	{56, "Code table 6"},
	{55, "Code table 5"},
	{54, "Code table 4"},
	{53, "Code table 3"},
	{52, "Code table 2"},
	{51, "Code table 1"},
}

// Has says whether a bit is set.
func (m MoreCapabilities) Has(b MoreCapabilityBit) bool { return hasBit(m[:], uint8(b)) }

// Set sets one bit.
func (m *MoreCapabilities) Set(b MoreCapabilityBit) { setBit(m[:], uint8(b)) }

// Names lists the bits that are set, as the book names them.
func (m MoreCapabilities) Names() []string { return namesOf(moreBits, m[:]) }

// CodeTable says whether the terminal can show the ISO/IEC 8859 part of an Issuer Code Table Index: packed digits, 01 to 10
// (Book 3, C4).
func (m MoreCapabilities) CodeTable(index byte) bool {
	switch {
	case index >= 1 && index <= 8:
		return hasBit(m[:], 50+index)
	case index == 0x09:
		return hasBit(m[:], uint8(MoreCodeTable9))
	case index == 0x10:
		return hasBit(m[:], uint8(MoreCodeTable10))
	}
	return false
}

// TerminalType is tag 9F35: who operates the terminal, whether it is attended, how it communicates (Book 4, A1).
type TerminalType byte

// OnlineOnly says that the terminal approves nothing by itself.
func (t TerminalType) OnlineOnly() bool { return t&0x0F == 1 || t&0x0F == 4 }

// OfflineOnly says that the terminal cannot ask the issuer.
func (t TerminalType) OfflineOnly() bool { return t&0x0F == 3 || t&0x0F == 6 }

// Unattended says that no merchant is present.
func (t TerminalType) Unattended() bool { return t&0x0F >= 4 && t&0x0F <= 6 }

// ATM says whether a terminal of this type with these capabilities is an automated teller machine: types 14, 15 and 16
// that dispense cash (Book 3, 10.4.2).
func (t TerminalType) ATM(more MoreCapabilities) bool {
	return t >= 0x14 && t <= 0x16 && more.Has(MoreCash)
}
