package emv

import (
	"cmp"
	"slices"
	"strings"

	"tillway/emv/tlv"
)

// Source says who gives a data element its value (Book 3, Annex A).
type Source string

// The sources.
const (
	ICC      Source = "ICC"
	Terminal Source = "terminal"
	Issuer   Source = "issuer"
)

// Format is how a value is written (Book 3, 4.3).
type Format string

// The formats.
const (
	FormatA   Format = "a"   // letters
	FormatAN  Format = "an"  // letters and digits
	FormatANS Format = "ans" // letters, digits and special characters
	FormatB   Format = "b"   // binary: a number, bits, or objects
	FormatCN  Format = "cn"  // digits, left-justified, filled with F
	FormatN   Format = "n"   // digits, right-justified, filled with 0
)

// Element is one row of the tag table: a data element of the EMV books.
type Element struct {
	Tag       tlv.Tag
	Name      string // as the book spells it
	Source    Source
	Format    Format
	Min, Max  int    // length in bytes
	Templates string // tags of the templates it is found in, separated by spaces
	Secret    bool   // card data that is never written in the clear
	Book      string // where it is defined
}

// Padding is how a value is fitted to the length that a data object list asks for (Book 3, 5.4).
func (e Element) Padding() tlv.Padding {
	switch e.Format {
	case FormatN:
		return tlv.PadNumeric
	case FormatCN:
		return tlv.PadCompressedNumeric
	case FormatA, FormatAN, FormatANS, FormatB:
	}
	return tlv.PadOther
}

// Fits says whether a value of so many bytes is one that the table allows.
func (e Element) Fits(length int) bool { return length >= e.Min && length <= e.Max }

// In says whether one of the templates is a place for the object.
func (e Element) In(templates ...tlv.Tag) bool {
	return slices.ContainsFunc(templates, func(t tlv.Tag) bool {
		return slices.Contains(strings.Fields(e.Templates), t.String())
	})
}

// Elements lists the whole table in ascending order of tags.
func Elements() []Element { return slices.Clone(elements) }

// Lookup finds a tag's row; ok is false for a tag that the terminal does not know.
func Lookup(tag tlv.Tag) (e Element, ok bool) {
	i, ok := slices.BinarySearchFunc(elements, tag, func(e Element, t tlv.Tag) int { return cmp.Compare(e.Tag, t) })
	if !ok {
		return Element{}, false
	}
	return elements[i], true
}

// SecretTag says whether a data object is card data that must not be written in the clear: PAN, track data, expiry,
// cardholder name, account number, PIN data, and the certificates out of which anybody recovers the PAN.
func SecretTag(tag tlv.Tag) bool {
	e, _ := Lookup(tag)
	return e.Secret
}

// annexA is where nearly every row is defined.
const annexA = "Book 3, Annex A"

// The table, in ascending order of tags (a test holds it to that).
var elements = []Element{
	{TagIssuerIdentificationNumber, "Issuer Identification Number", ICC, FormatN, 3, 3, "BF0C 73", false, annexA},
	{TagADFName, "Application Dedicated File (ADF) Name", ICC, FormatB, 5, 16, "61", false, annexA},
	{TagApplicationLabel, "Application Label", ICC, FormatANS, 1, 16, "61 A5", false, annexA},
	{TagTrack1Data, "Track 1 Data", ICC, FormatANS, 0, 76, "70 77", true, "Book C-2, A.1.179"},
	{TagTrack2EquivalentData, "Track 2 Equivalent Data", ICC, FormatB, 1, 19, "70 77", true, annexA},
	{TagPAN, "Application Primary Account Number (PAN)", ICC, FormatCN, 1, 10, "70 77", true, annexA},
	{TagApplicationTemplate, "Application Template", ICC, FormatB, 0, 252, "70", false, annexA},
	{TagFCITemplate, "File Control Information (FCI) Template", ICC, FormatB, 0, 252, "", false, annexA},
	{TagReadRecordTemplate, "READ RECORD Response Message Template", ICC, FormatB, 0, 252, "", false, annexA},
	{TagIssuerScriptTemplate1, "Issuer Script Template 1", Issuer, FormatB, 0, 252, "", false, annexA},
	{TagIssuerScriptTemplate2, "Issuer Script Template 2", Issuer, FormatB, 0, 252, "", false, annexA},
	{TagDirectoryDiscretionaryTemplate, "Directory Discretionary Template", ICC, FormatB, 0, 252, "61", false, annexA},
	{TagResponseFormat2, "Response Message Template Format 2", ICC, FormatB, 0, 255, "", false, annexA},
	{TagResponseFormat1, "Response Message Template Format 1", ICC, FormatB, 0, 255, "", false, annexA},
	{TagAmountAuthorisedBinary, "Amount, Authorised (Binary)", Terminal, FormatB, 4, 4, "", false, annexA},
	{TagAIP, "Application Interchange Profile", ICC, FormatB, 2, 2, "77 80", false, annexA},
	{TagCommandTemplate, "Command Template", Terminal, FormatB, 0, 252, "", false, annexA},
	{TagDFName, "Dedicated File (DF) Name", ICC, FormatB, 5, 16, "6F", false, annexA},
	{TagIssuerScriptCommand, "Issuer Script Command", Issuer, FormatB, 0, 261, "71 72", false, annexA},
	{TagApplicationPriorityIndicator, "Application Priority Indicator", ICC, FormatB, 1, 1, "61 A5", false, annexA},
	{TagSFI, "Short File Identifier (SFI)", ICC, FormatB, 1, 1, "A5", false, annexA},
	{TagAuthorisationCode, "Authorisation Code", Issuer, FormatANS, 6, 6, "", false, annexA},
	{TagAuthorisationResponseCode, "Authorisation Response Code", Issuer, FormatAN, 2, 2, "", false, annexA},
	{TagCDOL1, "Card Risk Management Data Object List 1 (CDOL1)", ICC, FormatB, 0, 252, "70 77", false, annexA},
	{TagCDOL2, "Card Risk Management Data Object List 2 (CDOL2)", ICC, FormatB, 0, 252, "70 77", false, annexA},
	{TagCVMList, "Cardholder Verification Method (CVM) List", ICC, FormatB, 8, 252, "70 77", false, annexA},
	{TagCAPublicKeyIndex, "Certification Authority Public Key Index", ICC, FormatB, 1, 1, "70 77", false, annexA},
	{TagIssuerPublicKeyCertificate, "Issuer Public Key Certificate", ICC, FormatB, 0, 248, "70 77", false, annexA},
	{TagIssuerAuthenticationData, "Issuer Authentication Data", Issuer, FormatB, 8, 16, "", false, annexA},
	{TagIssuerPublicKeyRemainder, "Issuer Public Key Remainder", ICC, FormatB, 0, 248, "70 77", false, annexA},
	{TagSignedStaticApplicationData, "Signed Static Application Data", ICC, FormatB, 0, 248, "70 77", false, annexA},
	{TagAFL, "Application File Locator (AFL)", ICC, FormatB, 0, 252, "77 80", false, annexA},
	{TagTVR, "Terminal Verification Results", Terminal, FormatB, 5, 5, "", false, annexA},
	{TagTDOL, "Transaction Certificate Data Object List (TDOL)", ICC, FormatB, 0, 252, "70 77", false, annexA},
	{TagTCHashValue, "Transaction Certificate (TC) Hash Value", Terminal, FormatB, 20, 20, "", false, annexA},
	{TagTransactionPINData, "Transaction Personal Identification Number (PIN) Data", Terminal, FormatB, 0, 255, "", true, annexA},
	{TagTransactionDate, "Transaction Date", Terminal, FormatN, 3, 3, "", false, annexA},
	{TagTSI, "Transaction Status Information", Terminal, FormatB, 2, 2, "", false, annexA},
	{TagTransactionType, "Transaction Type", Terminal, FormatN, 1, 1, "", false, annexA},
	{TagDDFName, "Directory Definition File (DDF) Name", ICC, FormatB, 5, 16, "61", false, annexA},
	{TagFCIProprietaryTemplate, "File Control Information (FCI) Proprietary Template", ICC, FormatB, 0, 252, "6F", false, annexA},
	{TagCardholderName, "Cardholder Name", ICC, FormatANS, 2, 26, "70 77", true, annexA},
	{TagApplicationExpirationDate, "Application Expiration Date", ICC, FormatN, 3, 3, "70 77", true, annexA},
	{TagApplicationEffectiveDate, "Application Effective Date", ICC, FormatN, 3, 3, "70 77", false, annexA},
	{TagIssuerCountryCode, "Issuer Country Code", ICC, FormatN, 2, 2, "70 77", false, annexA},
	{TagTransactionCurrencyCode, "Transaction Currency Code", Terminal, FormatN, 2, 2, "", false, annexA},
	{TagLanguagePreference, "Language Preference", ICC, FormatAN, 2, 8, "A5", false, annexA},
	{TagServiceCode, "Service Code", ICC, FormatN, 2, 2, "70 77", true, annexA},
	{TagPANSequenceNumber, "Application PAN Sequence Number", ICC, FormatN, 1, 1, "70 77", false, annexA},
	{TagTransactionCurrencyExponent, "Transaction Currency Exponent", Terminal, FormatN, 1, 1, "", false, annexA},
	{TagIssuerURL, "Issuer URL", ICC, FormatANS, 0, 255, "BF0C 73", false, annexA},
	{TagIBAN, "International Bank Account Number (IBAN)", ICC, FormatB, 0, 34, "BF0C 73", true, annexA},
	{TagBIC, "Bank Identifier Code (BIC)", ICC, FormatB, 8, 11, "BF0C 73", false, annexA},
	{TagIssuerCountryCodeAlpha2, "Issuer Country Code (alpha2 format)", ICC, FormatA, 2, 2, "BF0C 73", false, annexA},
	{TagIssuerCountryCodeAlpha3, "Issuer Country Code (alpha3 format)", ICC, FormatA, 3, 3, "BF0C 73", false, annexA},
	{TagAccountType, "Account Type", Terminal, FormatN, 1, 1, "", false, annexA},
	{TagAcquirerIdentifier, "Acquirer Identifier", Terminal, FormatN, 6, 6, "", false, annexA},
	{TagAmountAuthorised, "Amount, Authorised (Numeric)", Terminal, FormatN, 6, 6, "", false, annexA},
	{TagAmountOther, "Amount, Other (Numeric)", Terminal, FormatN, 6, 6, "", false, annexA},
	{TagAmountOtherBinary, "Amount, Other (Binary)", Terminal, FormatB, 4, 4, "", false, annexA},
	{TagApplicationDiscretionaryData, "Application Discretionary Data", ICC, FormatB, 1, 32, "70 77", false, annexA},
	{TagAIDTerminal, "Application Identifier (AID) - terminal", Terminal, FormatB, 5, 16, "", false, annexA},
	{TagAUC, "Application Usage Control", ICC, FormatB, 2, 2, "70 77", false, annexA},
	{TagApplicationVersionICC, "Application Version Number - ICC", ICC, FormatB, 2, 2, "70 77", false, annexA},
	{TagApplicationVersionTerminal, "Application Version Number - terminal", Terminal, FormatB, 2, 2, "", false, annexA},
	{TagASRPD, "Application Selection Registered Proprietary Data", ICC, FormatB, 0, 252, "BF0C 73", false, annexA},
	{TagCardholderNameExtended, "Cardholder Name Extended", ICC, FormatANS, 27, 45, "70 77", true, annexA},
	{TagIINExtended, "Issuer Identification Number Extended", ICC, FormatN, 3, 4, "BF0C 73", false, annexA},
	{TagIACDefault, "Issuer Action Code - Default", ICC, FormatB, 5, 5, "70 77", false, annexA},
	{TagIACDenial, "Issuer Action Code - Denial", ICC, FormatB, 5, 5, "70 77", false, annexA},
	{TagIACOnline, "Issuer Action Code - Online", ICC, FormatB, 5, 5, "70 77", false, annexA},
	{TagIssuerApplicationData, "Issuer Application Data", ICC, FormatB, 0, 32, "77 80", false, annexA},
	{TagIssuerCodeTableIndex, "Issuer Code Table Index", ICC, FormatN, 1, 1, "A5", false, annexA},
	{TagApplicationPreferredName, "Application Preferred Name", ICC, FormatANS, 1, 16, "61 A5", false, annexA},
	{TagLastOnlineATCRegister, "Last Online Application Transaction Counter (ATC) Register", ICC, FormatB, 2, 2, "", false, annexA},
	{TagLowerConsecutiveOfflineLimit, "Lower Consecutive Offline Limit", ICC, FormatB, 1, 1, "70 77", false, annexA},
	{TagMerchantCategoryCode, "Merchant Category Code", Terminal, FormatN, 2, 2, "", false, annexA},
	{TagMerchantIdentifier, "Merchant Identifier", Terminal, FormatANS, 15, 15, "", false, annexA},
	{TagPINTryCounter, "Personal Identification Number (PIN) Try Counter", ICC, FormatB, 1, 1, "", false, annexA},
	{TagIssuerScriptIdentifier, "Issuer Script Identifier", Issuer, FormatB, 4, 4, "71 72", false, annexA},
	{TagTokenRequestorID, "Token Requestor ID", ICC, FormatN, 6, 6, "70 77", false, annexA},
	{TagTerminalCountryCode, "Terminal Country Code", Terminal, FormatN, 2, 2, "", false, annexA},
	{TagTerminalFloorLimit, "Terminal Floor Limit", Terminal, FormatB, 4, 4, "", false, annexA},
	{TagTerminalIdentification, "Terminal Identification", Terminal, FormatAN, 8, 8, "", false, annexA},
	{TagTerminalRiskManagementData, "Terminal Risk Management Data", Terminal, FormatB, 1, 8, "", false, annexA},
	{TagIFDSerialNumber, "Interface Device (IFD) Serial Number", Terminal, FormatAN, 8, 8, "", false, annexA},
	{TagTrack1DiscretionaryData, "Track 1 Discretionary Data", ICC, FormatANS, 0, 252, "70 77", true, annexA},
	{TagTrack2DiscretionaryData, "Track 2 Discretionary Data", ICC, FormatCN, 0, 252, "70 77", true, annexA},
	{TagTransactionTime, "Transaction Time", Terminal, FormatN, 3, 3, "", false, annexA},
	{TagCAPublicKeyIndexTerminal, "Certification Authority Public Key Index - terminal", Terminal, FormatB, 1, 1, "", false, annexA},
	{TagUpperConsecutiveOfflineLimit, "Upper Consecutive Offline Limit", ICC, FormatB, 1, 1, "70 77", false, annexA},
	{TagPaymentAccountReference, "Payment Account Reference (PAR)", ICC, FormatAN, 29, 29, "70 77", false, annexA},
	{TagLast4DigitsOfPAN, "Last 4 Digits of PAN", ICC, FormatN, 2, 2, "70 77", false, annexA},
	{TagApplicationCryptogram, "Application Cryptogram", ICC, FormatB, 8, 8, "77 80", false, annexA},
	{TagCID, "Cryptogram Information Data", ICC, FormatB, 1, 1, "77 80", false, annexA},
	{TagICCPINPublicKeyCertificate, "ICC PIN Encipherment Public Key Certificate", ICC, FormatB, 0, 248, "70 77", true, annexA},
	{TagICCPINPublicKeyExponent, "ICC PIN Encipherment Public Key Exponent", ICC, FormatB, 1, 3, "70 77", false, annexA},
	{TagICCPINPublicKeyRemainder, "ICC PIN Encipherment Public Key Remainder", ICC, FormatB, 0, 248, "70 77", false, annexA},
	{TagIssuerPublicKeyExponent, "Issuer Public Key Exponent", ICC, FormatB, 1, 3, "70 77", false, annexA},
	{TagTerminalCapabilities, "Terminal Capabilities", Terminal, FormatB, 3, 3, "", false, annexA},
	{TagCVMResults, "Cardholder Verification Method (CVM) Results", Terminal, FormatB, 3, 3, "", false, annexA},
	{TagTerminalType, "Terminal Type", Terminal, FormatN, 1, 1, "", false, annexA},
	{TagATC, "Application Transaction Counter (ATC)", ICC, FormatB, 2, 2, "77 80", false, annexA},
	{TagUnpredictableNumber, "Unpredictable Number", Terminal, FormatB, 4, 4, "", false, annexA},
	{TagPDOL, "Processing Options Data Object List (PDOL)", ICC, FormatB, 0, 252, "A5", false, annexA},
	{TagPOSEntryMode, "Point-of-Service (POS) Entry Mode", Terminal, FormatN, 1, 1, "", false, annexA},
	{TagAmountReferenceCurrency, "Amount, Reference Currency", Terminal, FormatB, 4, 4, "", false, annexA},
	{TagApplicationReferenceCurrency, "Application Reference Currency", ICC, FormatN, 2, 8, "70 77", false, annexA},
	{TagTransactionReferenceCurrencyCode, "Transaction Reference Currency Code", Terminal, FormatN, 2, 2, "", false, annexA},
	{TagTransactionReferenceCurrencyExponent, "Transaction Reference Currency Exponent", Terminal, FormatN, 1, 1, "", false, annexA},
	{TagAdditionalTerminalCapabilities, "Additional Terminal Capabilities", Terminal, FormatB, 5, 5, "", false, annexA},
	{TagTransactionSequenceCounter, "Transaction Sequence Counter", Terminal, FormatN, 2, 4, "", false, annexA},
	{TagApplicationCurrencyCode, "Application Currency Code", ICC, FormatN, 2, 2, "70 77", false, annexA},
	{TagApplicationReferenceCurrencyExponent, "Application Reference Currency Exponent", ICC, FormatN, 1, 4, "70 77", false, annexA},
	{TagApplicationCurrencyExponent, "Application Currency Exponent", ICC, FormatN, 1, 1, "70 77", false, annexA},
	{TagDataAuthenticationCode, "Data Authentication Code", ICC, FormatB, 2, 2, "", false, annexA},
	{TagICCPublicKeyCertificate, "ICC Public Key Certificate", ICC, FormatB, 0, 248, "70 77", true, annexA},
	{TagICCPublicKeyExponent, "ICC Public Key Exponent", ICC, FormatB, 1, 3, "70 77", false, annexA},
	{TagICCPublicKeyRemainder, "ICC Public Key Remainder", ICC, FormatB, 0, 248, "70 77", false, annexA},
	{TagDDOL, "Dynamic Data Authentication Data Object List (DDOL)", ICC, FormatB, 0, 252, "70 77", false, annexA},
	{TagSDATagList, "Static Data Authentication Tag List", ICC, FormatB, 0, 252, "70 77", false, annexA},
	{TagSignedDynamicApplicationData, "Signed Dynamic Application Data", ICC, FormatB, 0, 248, "77 80", false, annexA},
	{TagICCDynamicNumber, "ICC Dynamic Number", ICC, FormatB, 2, 8, "", false, annexA},
	{TagLogEntry, "Log Entry", ICC, FormatB, 2, 2, "BF0C 73", false, annexA},
	{TagMerchantNameAndLocation, "Merchant Name and Location", Terminal, FormatANS, 0, 255, "", false, annexA},
	{TagLogFormat, "Log Format", ICC, FormatB, 0, 252, "", false, annexA},
	{TagIssuerScriptResults, "Issuer Script Results", Terminal, FormatB, 5, 255, "", false, "Book 4, A5"},
	{TagTrack2DataContactless, "Track 2 Data (contactless magnetic stripe mode)", ICC, FormatB, 0, 19, "70 77", true, "Book C-2, A.1.181"},
	{TagFCIIssuerDiscretionaryData, "File Control Information (FCI) Issuer Discretionary Data", ICC, FormatB, 0, 222, "A5", false, annexA},
}

// CryptogramTags are the objects without which an issuer cannot check an application cryptogram: no message that carries one may
// leave any of them out.
func CryptogramTags() []tlv.Tag {
	return []tlv.Tag{
		TagTVR, TagAIP, TagTransactionDate, TagTransactionType, TagTransactionCurrencyCode, TagAmountAuthorised,
		TagIssuerApplicationData, TagTerminalCountryCode, TagApplicationCryptogram, TagCID, TagATC, TagUnpredictableNumber,
	}
}
