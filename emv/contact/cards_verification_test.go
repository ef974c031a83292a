package contact_test

import (
	"testing"

	"tillway/emv"
)

const (
	verifyPlain = "0020008008"
	verifyRSA   = "00200088"
	tryCounter  = "80CA9F17"
	challenge   = "0084000000"
)

var pinRows = []rehearsal{
	{card: "pin-plain", section: "Book 3, 10.5.1", words: "1234", want: emv.Approved, method: emv.OfflinePIN, tags: "95=0000000000 9B=E800 9F34=410302", must: tryCounter + " " + verifyPlain + " " + acTCSigned},
	{card: "pin-plain", section: "Book 4, 6.3.4.1", words: "9999 1234", want: emv.Approved, method: emv.OfflinePIN, tags: "95=0000000000 9F34=410302", must: verifyPlain + " " + verifyPlain},
	{card: "pin-plain", section: "Book 4, 6.3.4.1", words: "9999 8888 7777", want: emv.Online, method: emv.NoCVM, tags: "95=0000200000 9F34=1F0002", must: verifyPlain + " " + verifyPlain + " " + verifyPlain + " " + acARQCSigned},
	{card: "pin-plain", section: "Book 4, 6.3.4.3", words: "bypass", want: emv.Online, tags: "95=0000080000 9F34=1F0002", never: "0020"},
	{card: "pin-plain", section: "Book 3, 10.5.1", words: "no-pad", want: emv.Online, tags: "95=0000100000 9F34=1F0002", never: "0020"},
	{card: "pin-plain", section: "Book 3, C3", fixed: "9F33=E078C8", want: emv.Approved, tags: "95=0000000000 9F34=1F0002", never: "0020 " + tryCounter},
	{card: "pin-plain-only", section: "Book 4, 6.3.4.5", words: "bypass", want: emv.Online, method: emv.NoVerification, tags: "95=0000880000 9F34=010001"},
	{card: "pin-plain-only", section: "Book 3, 10.5.1", fixed: "9F33=E028C8", want: emv.Online, tags: "95=0000900000 9F34=3F0001", never: "0020 " + tryCounter},
	{card: "pin-enciphered", section: "Book 2, 7.2", words: "1234", want: emv.Approved, method: emv.OfflinePIN, tags: "95=0000000000 9F34=440302", must: tryCounter + " " + challenge + " " + verifyRSA + "80 " + acTCSigned, never: verifyPlain},
	{card: "pin-enciphered", section: "Book 2, 7.2", words: "4321 1234", want: emv.Approved, method: emv.OfflinePIN, tags: "95=0000000000 9F34=440302", must: challenge + " " + verifyRSA + " " + challenge + " " + verifyRSA, never: verifyPlain},
	{card: "pin-enciphered-own-key", section: "Book 2, 7.1", words: "1234", want: emv.Approved, method: emv.OfflinePIN, tags: "95=0000000000 9F34=440302", must: challenge + " " + verifyRSA + "80"},
	{card: "pin-enciphered-only", section: "Book 4, 6.3.4.1", words: "1111 2222 3333", want: emv.Online, tags: "95=0000A00000 9F34=040001", must: verifyRSA + " " + verifyRSA + " " + verifyRSA},
	// No key, no encipherment: the method fails, and no bit of its own says why (Book 3, 10.5.1).
	{card: "pin-key-expired", section: "Book 2, 7.1", words: "1234", want: emv.Approved, method: emv.NoCVM, tags: "95=0000000000 9F34=1F0002", never: "0020"},
	{card: "pin-key-hash", section: "Book 2, 7.1", words: "1234", want: emv.Approved, method: emv.NoCVM, tags: "95=0000000000 9F34=1F0002", never: "0020"},
	{card: "pin-no-challenge", section: "Book 2, 7.2", words: "1234", want: emv.Approved, method: emv.NoCVM, tags: "95=0000000000 9F34=1F0002", must: challenge, never: "0020"},
	{card: "pin-short-challenge", section: "Book 2, 7.2", words: "1234", want: emv.Approved, method: emv.NoCVM, tags: "95=0000000000 9F34=1F0002", must: challenge, never: "0020"},
	{card: "pin-last-try", section: "Book 4, 6.3.4.1", words: "9999", want: emv.Online, tags: "95=0000200000 9F34=1F0002", must: verifyPlain},
	{card: "pin-last-try", section: "Book 4, 6.3.4.1", words: "1234", want: emv.Approved, tags: "95=0000000000 9F34=410302"},
	{card: "pin-blocked", section: "Book 4, 6.3.4.1", want: emv.Online, tags: "95=0000200000 9F34=1F0002", must: tryCounter, never: "0020"},
	{card: "pin-blocked-silent", section: "Book 3, 10.5.1", words: "1234", want: emv.Online, tags: "95=0000200000 9F34=1F0002", must: tryCounter + " " + verifyPlain},
	{card: "pin-no-counter", section: "Book 4, 6.3.4.1", words: "1234", want: emv.Approved, tags: "95=0000000000 9F34=410302"},
	{card: "pin-plain-signature", section: "Book 4, 6.3.4.5", words: "1234", want: emv.Approved, method: emv.OfflinePIN, tags: "95=0000000000 9F34=030000"},
	{card: "pin-enciphered-signature", section: "Book 4, 6.3.4.5", words: "1234", want: emv.Approved, method: emv.OfflinePIN, tags: "95=0000000000 9F34=050000"},
	{card: "pin-invalidated", section: "Book 3, 10.5.1", words: "1234", want: emv.Online, tags: "95=0000200000 9F34=1F0002", must: verifyPlain},
	{card: "pin-odd-status", section: "Book 3, 6.3.5", words: "1234", want: emv.Terminated, must: verifyPlain, never: "80AE"},
	{card: "pin-odd-counter", section: "Book 4, 6.3.4.1", words: "1234", want: emv.Approved, tags: "95=0000000000 9F34=410302"},
	// Somebody between says that the PIN is right. The card's signed results know of none: nothing is approved offline, and an
	// issuer that is asked sees both (9F34, 9F10).
	{card: "pin-wedge", section: "Book 3, 10.5.1", words: "9999", want: emv.Declined, tags: "95=0000000000 9F34=410302 8A=5A31", must: acTCSigned},
	{card: "pin-wedge", section: "Book 3, 10.5.1", words: "9999", fixed: large, want: emv.Online, tags: "95=0000008000 9F34=410302", must: acARQCSigned},
}

// TestCardsPIN: PINs that the card checks (Book 3, 10.5.1; Book 4, 6.3.4; Book 2, 7).
func TestCardsPIN(t *testing.T) { rehearse(t, pinRows) }

const large = "9F02=000000025000" // over the floor limit of 20.000, and over every X and Y

var cvmRows = []rehearsal{
	{card: "cvm-signature", section: "Book 3, 10.5.3", want: emv.Approved, method: emv.Signature, tags: "95=0000000000 9F34=1E0000"},
	{card: "cvm-signature", section: "Book 3, 10.5", fixed: "9F33=E0D8C8", want: emv.Online, method: emv.NoVerification, tags: "95=0000800000 9F34=3F0001"},
	{card: "cvm-online-pin", section: "Book 3, 10.5.2", online: emv.PINEntered, want: emv.Online, method: emv.OnlinePIN, tags: "95=0000040000 9F34=020000", must: acARQCSigned},
	{card: "cvm-online-pin", section: "Book 3, 10.5.2", online: emv.PINBypassed, fixed: "9C=00", want: emv.Online, method: emv.NoVerification, tags: "95=0000880000 9F34=020001"},
	{card: "cvm-online-pin", section: "Book 3, 10.5.2", fixed: "9F33=E0B8C8", want: emv.Online, tags: "95=0000900000 9F34=3F0001"},
	{card: "cvm-fail", section: "Book 3, 10.5", want: emv.Online, tags: "95=0000800000 9F34=400001"},
	{card: "cvm-unknown", section: "Book 3, 10.5", want: emv.Online, method: emv.NoCVM, tags: "95=0000400000 9F34=1F0002"},
	{card: "cvm-unknown-last", section: "Book 3, 10.5", want: emv.Online, tags: "95=0000C00000 9F34=3F0001"},
	{card: "cvm-under-x", section: "Book 3, C3", want: emv.Approved, method: emv.NoCVM, tags: "95=0000000000 9F34=5F0602"},
	{card: "cvm-under-x", section: "Book 3, C3", fixed: large, want: emv.Online, method: emv.Signature, tags: "95=0000008000 9F34=1E0000"},
	{card: "cvm-over-x", section: "Book 3, C3", want: emv.Approved, method: emv.Signature, tags: "9F34=5E0700"},
	{card: "cvm-over-x", section: "Book 3, C3", fixed: "9F02=000000005000", want: emv.Approved, method: emv.NoCVM, tags: "9F34=1F0002"},
	{card: "cvm-under-y", section: "Book 3, C3", want: emv.Approved, method: emv.Signature, tags: "9F34=5E0800"},
	{card: "cvm-under-y", section: "Book 3, C3", fixed: "9F02=000000004999", want: emv.Approved, method: emv.NoCVM, tags: "9F34=5F0602"},
	{card: "cvm-under-y", section: "Book 3, C3", fixed: large, online: emv.PINEntered, want: emv.Online, method: emv.OnlinePIN, tags: "95=0000048000 9F34=020000"},
	{card: "cvm-over-y", section: "Book 3, C3", want: emv.Approved, method: emv.Signature, tags: "9F34=5E0900"},
	{card: "cvm-over-y", section: "Book 3, C3", fixed: "9F02=000000009999", want: emv.Approved, method: emv.NoCVM, tags: "9F34=1F0002"},
	{card: "cvm-foreign-currency", section: "Book 3, C3", want: emv.Approved, method: emv.Signature, tags: "9F34=1E0000"},
	{card: "cvm-no-currency", section: "Book 3, C3", want: emv.Approved, method: emv.Signature, tags: "9F34=1E0000"},
	{card: "cvm-unattended-cash", section: "Book 3, C3", want: emv.Online, tags: "95=0000800000 9F34=3F0001 9B=E800"},
	{card: "cvm-unattended-cash", section: "Book 3, C3", fixed: "9C=01 9F35=25", want: emv.Approved, tags: "95=0000000000 9F34=1F0102"},
	{card: "cvm-cashback", section: "Book 3, C3", want: emv.Approved, tags: "9F34=1F0202"},
	{card: "cvm-cashback", section: "Book 3, C3", fixed: "9C=09 9F03=000000001000", want: emv.Approved, method: emv.Signature, tags: "95=0000000000 9F34=5E0500"},
	{card: "cvm-no-list", section: "Book 3, 7.5 and 10.5", want: emv.Online, method: emv.NoVerification, tags: "95=2000000000 9B=A800 9F34=3F0000"},
	{card: "cvm-empty-list", section: "Book 3, 10.5", want: emv.Online, tags: "95=2000000000 9B=A800 9F34=3F0000"},
	{card: "cvm-odd-list", section: "Book 3, 10.5", want: emv.Terminated, never: "80AE"},
	{card: "cvm-not-supported", section: "Book 3, 10.5", want: emv.Approved, tags: "95=0000000000 9B=A800 9F34=3F0000"},
}

// TestCardsCVM: the CVM list (Book 3, 10.5 and C3; Book 4, 6.3.4).
func TestCardsCVM(t *testing.T) { rehearse(t, cvmRows) }
