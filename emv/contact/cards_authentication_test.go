package contact_test

import (
	"testing"

	"tillway/emv"
)

const (
	internalAuthenticate = "0088"
	acTC                 = "80AE40"
	acTCSigned           = "80AE50"
	acARQC               = "80AE80"
	acARQCSigned         = "80AE90"
	acAAC                = "80AE00"
)

// A failed authentication goes online: bits 7, 4 and 3 of byte 1 are in the card's and in the terminal's action codes. A
// signature that can be no more is not asked for.
func cdaFails(card, section, tvr string) rehearsal {
	return rehearsal{
		card: card, section: section, want: emv.Online, oda: "cda failed",
		tags: "95=" + tvr + " 9B=E800 9F27=80 9F34=1F0002", must: acARQC, never: internalAuthenticate + " " + acARQCSigned + " " + acTC,
	}
}

func ddaFails(card, section, tvr string) rehearsal {
	return rehearsal{
		card: card, section: section, want: emv.Online, oda: "dda failed",
		tags: "95=" + tvr + " 9B=E800 9F27=80", must: acARQC, never: acARQCSigned,
	}
}

func sdaFails(card, tvr string) rehearsal {
	return rehearsal{
		card: card, section: "Book 2, 5.4", want: emv.Online, oda: "sda failed",
		tags: "95=" + tvr + " 9B=E800 9F27=80", must: acARQC, never: internalAuthenticate + " " + acARQCSigned,
	}
}

func cdaApproves(card, section string) rehearsal {
	return rehearsal{
		card: card, section: section, want: emv.Approved, oda: "cda ok", tags: approvesOffline,
		must: acTCSigned, never: internalAuthenticate + " 80AE4 80AE8 80AE9 80AE0",
	}
}

func ddaApproves(card, section, data string) rehearsal {
	return rehearsal{
		card: card, section: section, want: emv.Approved, oda: "dda ok", tags: approvesOffline,
		must: internalAuthenticate + "0000" + data + " " + acTC, never: acTCSigned,
	}
}

var authenticationRows = []rehearsal{
	cdaApproves("oda-cda", "Book 2, 6.6"),
	cdaApproves("oda-cda-1984", "Book 2, 6.1"),
	cdaApproves("oda-cda-remainders", "Book 2, 6.3 and 6.4"),
	cdaApproves("oda-cda-65537", "Book 2, 6.1"),
	cdaApproves("oda-issuer-last-month", "Book 2, 6.3"),
	cdaApproves("oda-issuer-id-short", "Book 2, 6.3"),
	cdaApproves("oda-aip-signed", "Book 3, 10.3"),
	cdaApproves("oda-file-11", "Book 3, 10.3"),
	cdaApproves("oda-xda-bit", "Book 3, C1"),
	cdaApproves("pan-19", "Book 2, 6.4"),
	cdaApproves("psn-none", "Book 3, 7.2"),
	cdaApproves("oda-mastercard", "Book 2, 6.6"),
	ddaApproves("oda-dda", "Book 2, 6.5", "04D3173A1F"),
	ddaApproves("oda-dda-format1", "Book 3, 6.5.9", "04D3173A1F"),
	ddaApproves("oda-dda-long-ddol", "Book 3, 5.4", "09D3173A1F2611230000"),
	ddaApproves("oda-dda-no-ddol", "Book 2, 6.5.1", "04D3173A1F"),
	// SDA approves nothing offline by this kernel's own minimum; the bit "SDA selected" is set.
	{card: "oda-sda", section: "Book 2, 5.4", want: emv.Online, oda: "sda ok", tags: "95=0200000000 9B=E800 9F45=DAC0", must: acARQC, never: internalAuthenticate},
	{
		card: "oda-sda", section: "Book 3, 10.7", params: func(p *emv.Params) { p.LiteralActionCodes = true },
		want: emv.Approved, oda: "sda ok", tags: "95=0200000000 9B=E800 8A=5931", must: acTC, never: internalAuthenticate,
	},
	{card: "oda-none", section: "Book 3, 10.3", want: emv.Online, oda: "none failed", tags: "95=8000000000 9B=6800 9F27=80", must: acARQC, never: internalAuthenticate},
	// The terminal has what the card has not, and the other way round.
	{card: "oda-cda", section: "Book 3, 10.3", fixed: "9F33=E0F8C0", want: emv.Approved, oda: "dda ok", tags: "95=0000000000 9B=E800", must: internalAuthenticate + " " + acTC},
	{card: "oda-cda", section: "Book 3, 10.3", fixed: "9F33=E0F880", want: emv.Online, oda: "sda ok", tags: "95=0200000000 9B=E800", never: internalAuthenticate},
	{card: "oda-cda", section: "Book 3, 10.3", fixed: "9F33=E0F800", want: emv.Online, oda: "none failed", tags: "95=8000000000 9B=6800", never: internalAuthenticate},

	cdaFails("oda-authority-unknown", "Book 2, 6.2", "0400000000"),
	cdaFails("oda-authority-expired", "Book 2, 6.2", "0400000000"),
	cdaFails("oda-issuer-expired", "Book 2, 6.3", "0400000000"),
	cdaFails("oda-issuer-revoked", "Book 2, 5.1.2", "0400000000"),
	cdaFails("oda-issuer-id-wrong", "Book 2, 6.3", "0400000000"),
	cdaFails("oda-issuer-hash", "Book 2, 6.3", "0400000000"),
	cdaFails("oda-issuer-format", "Book 2, 6.3", "0400000000"),
	cdaFails("oda-issuer-header", "Book 2, 6.3", "0400000000"),
	cdaFails("oda-issuer-trailer", "Book 2, 6.3", "0400000000"),
	cdaFails("oda-issuer-algorithm", "Book 2, 6.3", "0400000000"),
	cdaFails("oda-issuer-length", "Book 2, 6.3", "0400000000"),
	cdaFails("oda-issuer-hash-algorithm", "Book 2, 6.3", "0400000000"),
	cdaFails("oda-card-format", "Book 2, 6.4", "0400000000"),
	cdaFails("oda-card-trailer", "Book 2, 6.4", "0400000000"),
	cdaFails("oda-card-algorithm", "Book 2, 6.4", "0400000000"),
	cdaFails("oda-card-length", "Book 2, 6.4", "0400000000"),
	cdaFails("oda-no-card-remainder", "Book 3, 7.5", "2400000000"),
	cdaFails("oda-no-card-exponent", "Book 3, 7.5", "2400000000"),
	cdaFails("oda-no-issuer-remainder", "Book 3, 7.5", "2400000000"),
	cdaFails("oda-no-issuer-exponent", "Book 3, 7.5", "2400000000"),
	cdaFails("oda-no-issuer-certificate", "Book 3, 7.5", "2400000000"),
	cdaFails("oda-no-authority-index", "Book 3, 7.5", "2400000000"),
	cdaFails("oda-card-hash", "Book 2, 6.4", "0400000000"),
	cdaFails("oda-card-pan", "Book 2, 6.4", "0400000000"),
	cdaFails("oda-card-expired", "Book 2, 6.4", "0400000000"),
	cdaFails("oda-no-card-certificate", "Book 3, 7.5", "2400000000"),
	cdaFails("oda-static-changed", "Book 3, 10.3", "0400000000"),
	cdaFails("oda-tag-list-odd", "Book 3, 10.3", "0400000000"),
	sdaFails("oda-sda-changed", "4200000000"),
	sdaFails("oda-sda-hash", "4200000000"),
	sdaFails("oda-sda-algorithm", "4200000000"),
	sdaFails("oda-sda-length", "4200000000"),
	sdaFails("oda-sda-no-signature", "6200000000"),
	ddaFails("oda-aip-changed", "Book 3, 10.3", "0800000000"),
	ddaFails("oda-dda-hash", "Book 2, 6.5.2", "0800000000"),
	ddaFails("oda-dda-format", "Book 2, 6.5.2", "0800000000"),
	ddaFails("oda-dda-algorithm", "Book 2, 6.5.2", "0800000000"),
	ddaFails("oda-dda-length", "Book 2, 6.5.2", "0800000000"),
	ddaFails("oda-dda-ddol-no-number", "Book 2, 6.5.1", "0800000000"),
	{card: "oda-dda-empty", section: "Book 3, 6.5.9.4", want: emv.Terminated, must: internalAuthenticate, never: "80AE"},
	{ // a status that INTERNAL AUTHENTICATE does not have
		card: "oda-dda-refused", section: "Book 3, 6.3.5 and 10.3", want: emv.Terminated, tags: "95=0000000000", must: internalAuthenticate, never: "80AE",
	},
}

// TestCardsAuthentication: what the cards' certificates and signatures are worth (Book 2, 5 and 6; Book 3, 10.3).
func TestCardsAuthentication(t *testing.T) { rehearse(t, authenticationRows) }

const approvedOnline = "95=0000000000 9B=F800 9F27=40 8A=3030 "

var combinedRows = []rehearsal{
	{card: "cda-online", section: "Book 2, 6.6", want: emv.Online, oda: "cda ok", tags: "95=0000000000 9B=E800 9F27=80 8A=-", must: acTCSigned},
	{card: "cda-online", section: "Book 2, 6.6", host: emv.HostApproved, want: emv.Approved, oda: "cda ok", tags: approvedOnline, must: acTCSigned + " 0082 " + acTCSigned},
	{card: "cda-online", section: "Book 2, 6.6", host: emv.HostDeclined, want: emv.Declined, oda: "cda ok", tags: "95=0000000000 9B=F800 9F27=00 8A=3035", must: acTCSigned + " 0082 " + acAAC},
	{card: "cda-online", section: "Book 3, 10.11", host: emv.HostUnable, want: emv.Declined, tags: "9B=E800 9F27=00 8A=5933", must: acTCSigned + " " + acTCSigned, never: "0082"},
	{card: "oda-mastercard-online", section: "Book 3, 10.9", host: emv.HostApproved, want: emv.Approved, oda: "cda ok", tags: "95=0000000000 9B=E800 9F27=40 8A=3030", must: acTCSigned + " " + acTCSigned, never: "0082"},
	// Modes: whether a signature is asked for with an ARQC, and with the TC after the issuer.
	{
		card: "oda-cda", section: "Book 2, 6.6", fixed: "9F02=000000020000", params: mode(1), host: emv.HostApproved, want: emv.Approved, oda: "cda ok",
		tags: "95=0000008000 9B=F800 9F27=40", must: acARQCSigned + " 0082 " + acTCSigned,
	},
	{
		card: "oda-cda", section: "Book 2, 6.6", fixed: "9F02=000000020000", params: mode(2), host: emv.HostApproved, want: emv.Approved, oda: "cda ok",
		tags: "95=0000008000 9B=F800 9F27=40", must: acARQCSigned + " 0082 " + acTC,
	},
	{
		card: "oda-cda", section: "Book 2, 6.6", fixed: "9F02=000000020000", params: mode(3), host: emv.HostApproved, want: emv.Approved,
		tags: "9B=7800 9F27=40", must: acARQC + " 0082 " + acTC,
	},
	{
		card: "oda-cda", section: "Book 2, 6.6", fixed: "9F02=000000020000", params: mode(4), host: emv.HostApproved, want: emv.Approved, oda: "cda ok",
		tags: "9B=F800 9F27=40", must: acARQC + " 0082 " + acTCSigned,
	},
	{card: "cda-declines", section: "Book 2, 6.6.1", want: emv.Declined, tags: "95=0000000000 9F27=00", must: acTCSigned},
	// The man in the middle: whatever he changes is in the hash.
	{card: "cda-wedge-cid", section: "Book 2, 6.6.2", want: emv.Declined, oda: "cda failed", tags: "95=0400000000 9B=E800 8A=5A31", must: acTCSigned},
	{card: "cda-wedge-iad", section: "Book 2, 6.6.2", want: emv.Declined, oda: "cda failed", tags: "95=0400000000 9B=E800 8A=5A31", must: acTCSigned},
	{card: "cda-no-signature", section: "Book 2, 6.6.1", want: emv.Declined, oda: "cda failed", tags: "95=0400000000 9B=E800 8A=5A31", must: acTCSigned, never: acAAC},
	{card: "cda-hash", section: "Book 2, 6.6.2", want: emv.Declined, oda: "cda failed", tags: "95=0400000000 9B=E800 8A=5A31", must: acTCSigned},
	{card: "cda-transaction-hash", section: "Book 2, 6.6.2", want: emv.Declined, oda: "cda failed", tags: "95=0400000000 9B=E800 8A=5A31", must: acTCSigned, never: acAAC},
	{card: "cda-wrong-cid", section: "Book 2, 6.6.2", want: emv.Declined, oda: "cda failed", tags: "95=0400000000 9B=E800 8A=5A31", must: acTCSigned},
	{card: "cda-format1", section: "Book 2, 6.6.1", want: emv.Declined, oda: "cda failed", tags: "95=0400000000 9B=E800 8A=5A31", must: acTCSigned, never: acAAC},
	{card: "cda-plain-cryptogram", section: "Book 2, 6.6.1", want: emv.Declined, oda: "cda failed", tags: "95=0400000000 9B=E800 8A=5A31", must: acTCSigned, never: acAAC},
	// An ARQC with a signature that is none: the card is asked for an AAC, and nobody goes online.
	{card: "cda-wedge-online", section: "Book 4, 6.3.2.1", want: emv.Declined, oda: "cda failed", tags: "95=0400000000 9B=E800 8A=5A31 9F27=00", must: acTCSigned + " " + acAAC},
	{card: "cda-second-wedge", section: "Book 2, 6.6.2", host: emv.HostApproved, want: emv.Declined, oda: "cda failed", tags: "95=0400000000 9B=F800", must: acTCSigned + " 0082 " + acTCSigned},
	{card: "cda-second-no-signature", section: "Book 2, 6.6.1", host: emv.HostApproved, want: emv.Declined, oda: "cda failed", tags: "95=0400000000 9B=F800", must: acTCSigned + " 0082 " + acTCSigned},
	// The card's TC that comes as an ARQC: what is signed counts, so there is nothing more to ask the card for.
	{card: "cda-wedge-cid-arqc", section: "Book 4, 6.3.2.1", want: emv.Declined, oda: "cda failed", tags: "95=0400000000 9B=E800 8A=5A31", must: acTCSigned, never: acAAC},
}

func mode(n int) func(*emv.Params) { return func(p *emv.Params) { p.CDAMode = n } }

// TestCardsCombined: signatures that come with a cryptogram (Book 2, 6.6; Book 4, 6.3.2.1).
func TestCardsCombined(t *testing.T) { rehearse(t, combinedRows) }
