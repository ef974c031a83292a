package contact_test

import (
	"testing"

	"tillway/emv"
)

var riskRows = []rehearsal{
	{card: "trm-velocity", section: "Book 3, 10.6.3", want: emv.Approved, tags: "95=0000000000 9F36=0015 9F13=0013", must: "80CA9F36 80CA9F13 " + acTCSigned},
	{card: "trm-lower", section: "Book 3, 10.6.3", want: emv.Online, tags: "95=0000004000 9B=E800", must: acARQCSigned},
	{card: "trm-upper", section: "Book 3, 10.6.3", want: emv.Online, tags: "95=0000006000"},
	{card: "trm-backwards", section: "Book 3, 10.6.3", want: emv.Online, tags: "95=0000006000"},
	{card: "trm-new-card", section: "Book 3, 10.6.3", want: emv.Online, tags: "95=0008000000"},
	{card: "trm-no-counters", section: "Book 3, 7.5 and 10.6.3", want: emv.Online, tags: "95=2000006000"},
	{card: "trm-odd-counter", section: "Book 3, 6.5.7", want: emv.Online, tags: "95=2000006000"},
	{card: "trm-lower", section: "Book 4, 12.2.1", host: emv.HostUnable, want: emv.Approved, oda: "cda ok", tags: "95=0000004000 9B=E800 8A=5933 9F27=40", must: acARQCSigned + " " + acTCSigned, never: "0082"},
	{card: "trm-upper", section: "Book 4, 12.2.1", host: emv.HostUnable, want: emv.Declined, tags: "95=0000006000 9B=E800 8A=5A33 9F27=00", must: acARQCSigned + " " + acAAC},
	{card: "trm-new-card", section: "Book 4, 12.2.1", host: emv.HostUnable, want: emv.Approved, tags: "95=0008000000 8A=5933"},
	{card: "trm-one-limit", section: "Book 3, 10.6.3", want: emv.Approved, tags: "95=0000000000", never: "80CA"},
	{card: "trm-not-asked", section: "Book 3, 10.6", want: emv.Online, tags: "95=0000006000 9B=E800", must: "80CA9F36 80CA9F13"},
	{card: "oda-cda", section: "Book 3, 10.6.1", fixed: "9F02=000000019999", want: emv.Approved, tags: "95=0000000000"},
	{card: "oda-cda", section: "Book 3, 10.6.1", fixed: "9F02=000000020000 9A=261123", want: emv.Online, tags: "95=0000008000"},
	{card: "oda-cda", section: "Book 4, 6.5.3", params: func(p *emv.Params) { p.ForceOnline = true }, want: emv.Online, tags: "95=0000000800"},
	{
		card: "oda-cda", section: "Book 3, 10.6.2", want: emv.Online, tags: "95=0000001000",
		params: func(p *emv.Params) {
			p.Applications[0].RandomTarget, p.Applications[0].RandomMaximum, p.Selection = 50, 50, []int{50}
		},
	},
	{
		card: "oda-cda", section: "Book 3, 10.6.2", want: emv.Approved, tags: "95=0000000000",
		params: func(p *emv.Params) {
			p.Applications[0].RandomTarget, p.Applications[0].RandomMaximum, p.Selection = 50, 50, []int{51}
		},
	},

	{card: "res-expired", section: "Book 3, 10.4.3", want: emv.Online, tags: "95=0040000000"},
	{card: "res-last-day", section: "Book 3, 10.4.3", want: emv.Approved, tags: "95=0000000000"},
	{card: "res-last-day", section: "Book 3, 10.4.3", fixed: "9A=261124", want: emv.Online, tags: "95=0040000000"},
	{card: "res-not-effective", section: "Book 3, 10.4.3", want: emv.Online, tags: "95=0020000000"},
	{card: "res-not-effective", section: "Book 3, 10.4.3", fixed: "9A=261124", want: emv.Approved, tags: "95=0000000000"},
	{card: "res-version", section: "Book 3, 10.4.1", want: emv.Approved, tags: "95=0080000000"}, // in no action code
	// With CDA selected an AAC is asked for without a signature, and the TVR says so (Book 2, 6.6).
	{card: "res-abroad", section: "Book 3, 10.4.2 and 10.7", want: emv.Declined, tags: "95=8010000000 9B=6800 8A=5A31 9F27=00", must: acAAC, never: "80AE4 80AE5 80AE8 80AE9"},
	{card: "res-abroad", section: "Book 3, 10.4.2", fixed: "9F1A=0840", want: emv.Approved, tags: "95=0000000000"},
	{card: "res-atm-only", section: "Book 3, 10.4.2", want: emv.Online, tags: "95=0010000000"},
	{card: "res-no-usage", section: "Book 3, 10.4.2", want: emv.Approved, tags: "95=0000000000"},
	{card: "res-no-country", section: "Book 3, 10.4.2", want: emv.Approved, tags: "95=0000000000"},
	terminates("res-month-end", "Book 3, 7.5"),                                                   // a day 00 is no date
	{card: "res-no-goods", section: "Book 3, 10.4.2", want: emv.Approved, tags: "95=0000000000"}, // goods or services is one
	{card: "res-no-cashback", section: "Book 3, 10.4.2", want: emv.Approved, tags: "95=0000000000"},
	{card: "res-no-cashback", section: "Book 3, 10.4.2", fixed: "9C=09 9F03=000000001000", want: emv.Online, tags: "95=0010000000"},

	{card: "iac-absent", section: "Book 3, 10.7", want: emv.Online, tags: "95=8000000000", must: acARQC},
	{card: "iac-absent", section: "Book 3, 10.7", host: emv.HostUnable, want: emv.Declined, tags: "8A=5A33", must: acARQC + " " + acAAC},
	// Terminals that only go online, and that never do.
	{card: "oda-cda", section: "Book 4, A1", fixed: "9F35=21", want: emv.Online, tags: "95=0000000000", must: acARQCSigned},
	{card: "oda-cda", section: "Book 4, A1", fixed: "9F35=23", want: emv.Approved, tags: "95=0000000000 8A=5931", must: acTCSigned},
	{card: "trm-lower", section: "Book 3, 10.7", fixed: "9F35=23", want: emv.Approved, tags: "95=0000004000 8A=5931", must: acTCSigned}, // not in Default
	{card: "trm-upper", section: "Book 3, 10.7", fixed: "9F35=23", want: emv.Declined, tags: "95=8000006000 8A=5A31", must: acAAC},
}

// TestCardsRisk: restrictions, risk management and action analysis (Book 3, 10.4, 10.6 and 10.7).
func TestCardsRisk(t *testing.T) { rehearse(t, riskRows) }

const (
	selectPSE  = "00A404000E"
	selectVisa = "00A4040007A0000000031010"
	selectMC   = "00A4040007A0000000041010"
	selectNext = "00A4040207A0000000031010"
	visaApp    = "A0000000031010"
	mcApp      = "A0000000041010"
)

var selectionRows = []rehearsal{
	{card: "sel-no-pse", section: "Book 1, 12.3.3", want: emv.Approved, aid: visaApp, must: selectPSE + " " + selectVisa + " " + selectMC + " " + selectVisa + " 80A8"},
	{card: "sel-two", section: "Book 1, 12.4", online: emv.PINEntered, want: emv.Online, aid: mcApp, oda: "none failed", tags: "95=8000040000 9B=6800 9F34=420300", must: selectPSE + " 00B2010C 00B2020C 00B2030C " + selectMC + " 80A8"},
	{card: "sel-confirm", section: "Book 1, 12.4", want: emv.Approved, aid: visaApp},
	{card: "sel-next", section: "Book 1, 12.3.3", want: emv.Approved, aid: "A000000003101002", must: selectVisa + " " + selectNext + " " + selectNext + " 00A4040008A000000003101002 80A8"},
	{card: "sel-blocked", section: "Book 1, 12.4", want: emv.Terminated, reason: "blocked", never: "80A8"},
	{card: "sel-blocked-and-other", section: "Book 1, 12.4", want: emv.Approved, aid: visaApp, must: selectMC + " " + selectVisa + " 80A8"},
	{card: "sel-card-blocked", section: "Book 1, 12.3.2", want: emv.Terminated, reason: "card blocked", must: selectPSE, never: selectVisa},
	{card: "sel-refused", section: "Book 3, 10.1", want: emv.Approved, aid: visaApp, must: selectMC + " 80A8 " + selectVisa + " 80A8", tags: "95=0000000000"},
	{card: "sel-refused-only", section: "Book 3, 10.1", want: emv.Terminated, must: "80A8", never: "80AE"},
	{card: "sel-nothing", section: "Book 1, 12.4", want: emv.OtherInterface, reason: "no application in common", must: selectPSE + " " + selectVisa, never: "80A8"},
	{card: "sel-pse-endless", section: "Book 1, 12.3.2", want: emv.Approved, aid: visaApp},
	{card: "sel-pse-empty", section: "Book 1, 12.3.2", want: emv.Approved, aid: visaApp, must: selectPSE + " 00B2010C " + selectVisa},
	{card: "sel-pse-broken", section: "Book 1, 12.3.2", want: emv.Approved, aid: visaApp, must: selectPSE + " 00B2010C " + selectVisa},
	{card: "sel-pse-no-sfi", section: "Book 1, 12.3.2", want: emv.Approved, aid: visaApp, must: selectPSE + " " + selectVisa},
	{card: "sel-pse-two-in-one", section: "Book 1, 12.2.3", online: emv.PINEntered, want: emv.Online, aid: mcApp, must: "00B2010C 00B2020C " + selectMC},
	{card: "sel-pse-blocked", section: "Book 1, 12.3.2", want: emv.Approved, aid: visaApp, must: selectPSE + " " + selectVisa, never: "00B20110"},
	{card: "sel-pse-other-entries", section: "Book 1, 12.2.3", want: emv.Approved, aid: visaApp, must: selectPSE + " 00B2010C 00B2020C " + selectVisa},
	{card: "sel-no-proprietary", section: "Book 1, 11.3.4", want: emv.Terminated, must: selectVisa, never: "80A8"},
	{card: "sel-pdol-cut", section: "Book 3, 5.4", want: emv.Terminated, must: selectVisa, never: "80A8"},
	{card: "sel-other-name", section: "Book 1, 12.4", want: emv.Terminated, must: selectVisa, never: "80A8"},
	{card: "sel-pdol", section: "Book 3, 5.4", want: emv.Approved, oda: "cda ok", must: "80A8000017831500010525" + "0000000000010525" + "E0F8C8" + "0000" + "D3173A1F00 " + acTCSigned},
	{card: "sel-preferred-name", section: "Book 1, 12.4", want: emv.Approved, tags: "9F12=56495341"},
}

// TestCardsSelection: directories, names, blocked applications (Book 1, 12; Book 3, 10.1).
func TestCardsSelection(t *testing.T) { rehearse(t, selectionRows) }

var completionRows = []rehearsal{
	{card: "iss-mandatory", section: "Book 3, 10.9", host: emv.HostApproved, want: emv.Approved, tags: approvedOnline, must: acTCSigned + " 0082 " + acTCSigned},
	{card: "iss-mandatory", section: "Book 3, 10.9", host: emv.HostApproved, auth: "none", want: emv.Declined, tags: "95=0000000000 9B=E800 9F27=00 8A=3030", never: "0082"},
	{card: "cda-online", section: "Book 3, 10.9", host: emv.HostApproved, auth: "forged", want: emv.Declined, tags: "95=0000000040 9B=F800 9F27=00"},
	{card: "iss-external-refused", section: "Book 3, 10.9", host: emv.HostApproved, want: emv.Approved, tags: "95=0000000040 9B=F800 9F27=40"},
	{card: "iss-second-refuses", section: "Book 3, 10.11", host: emv.HostApproved, want: emv.Declined, tags: "95=0000000000 9B=F800 9F27=00 8A=3030"},
	{card: "iss-second-status", section: "Book 3, 6.3.5", host: emv.HostApproved, want: emv.Terminated},
	{card: "iss-second-arqc", section: "Book 3, 9.3", host: emv.HostApproved, want: emv.Declined, oda: "dda ok", tags: "95=0000000000 9B=F800"},
	{card: "iss-cdol2", section: "Book 3, 10.9", host: emv.HostApproved, want: emv.Approved, oda: "cda ok", tags: "95=0000000000 9B=E800 9F27=40", must: acTCSigned + " " + acTCSigned, never: "0082"},
	{card: "iss-cdol2", section: "Book 3, 10.9", host: emv.HostApproved, auth: "forged", want: emv.Declined, tags: "95=0000000000 9B=E800 9F27=00", never: "0082"},

	{card: "script", section: "Book 3, 10.10", host: emv.HostApproved, scripts: "7208860604DA9F580105", want: emv.Approved, tags: "95=0000000000 9B=FC00 9F5B=2000000000", must: "0082 " + acTCSigned + " 04DA9F58"},
	{card: "script", section: "Book 3, 10.10", host: emv.HostApproved, scripts: "710F9F1804AABBCCDD860604DA9F580105", want: emv.Approved, tags: "95=0000000000 9B=FC00 9F5B=20AABBCCDD", must: "0082 04DA9F58 " + acTCSigned},
	{card: "script-second-fails", section: "Book 3, 10.10", host: emv.HostApproved, scripts: "7210860604DA9F580105860604DA9F580106", want: emv.Approved, tags: "95=0000000010 9B=FC00 9F5B=1200000000"},
	{card: "script-second-fails", section: "Book 3, 10.10", host: emv.HostApproved, scripts: "7118860604DA9F580105860604DA9F580106860604DA9F580107", want: emv.Approved, tags: "95=0000000020 9B=FC00 9F5B=1200000000", must: "04DA9F580105 04DA9F580106 " + acTCSigned, never: "04DA9F580107"},
	{card: "script-warns", section: "Book 3, 10.10", host: emv.HostApproved, scripts: "7208860604DA9F580105", want: emv.Approved, tags: "95=0000000000 9B=FC00 9F5B=2000000000"},
	{card: "script-mac", section: "Book 2, 9.2", host: emv.HostApproved, scripts: "7208860604DA9F580105", want: emv.Approved, tags: "95=0000000010 9B=FC00 9F5B=1100000000"},
	{card: "script-unblocks", section: "Book 3, 10.10", host: emv.HostApproved, scripts: "7206860484240000", want: emv.Approved, tags: "95=0000200000 9B=FC00 9F5B=2000000000", must: acTCSigned + " 84240000"},

	{
		card: "script", section: "Book 3, 10.10", host: emv.HostApproved, want: emv.Approved,
		scripts: "7208860604DA9F580106 710F9F1804AABBCCDD860604DA9F580105 7208860604DA9F580107",
		tags:    "95=0000000000 9B=FC00 9F5B=20AABBCCDD20000000002000000000",
		must:    "0082 04DA9F580105 " + acTCSigned + " 04DA9F580106 04DA9F580107",
	},
	{card: "cda-declines", section: "Book 3, 10.8", fixed: large, want: emv.Declined, tags: "95=0000008000 9F27=00 8A=5A31", must: acARQCSigned},

	{card: "tdol-own", section: "Book 3, 9.2.2", want: emv.Approved, tags: "95=0000000000 98=" + hashOf("000000010525 0414 261123")},
	{card: "tdol-default", section: "Book 3, 9.2.2", want: emv.Approved, tags: "95=0000000080 98=" + hashOf("000000010525")},
	{card: "cdol-odd", section: "Book 3, 5.4", want: emv.Approved, tags: approvesOffline, must: "80AE50002A" + "00010525" + "000000010525" + "000000000000" + "0414" + "0000000000" + "0414" + "261123" + "00" + "D3173A1F" + "000000" + "0000" + "0000291D" + "00"},
	{card: "aac-advice", section: "Book 3, 10.8.1", want: emv.Declined, tags: "95=0000000000 9F27=0A"},
	{card: "aac-not-allowed", section: "Book 4, 6.3.7", want: emv.Terminated, tags: "9F27=01"},
	{card: "ac-referral", section: "Book 3, 6.5.5", want: emv.Terminated},
	{card: "ac-more-than-asked", section: "Book 3, 9.3", want: emv.Terminated, must: acARQC},
	{card: "ac-refused", section: "Book 3, 6.3.5", want: emv.Terminated, must: acTC},
	{card: "ac-no-cryptogram", section: "Book 3, 6.5.5.4", want: emv.Terminated, must: acTC},
	{card: "ac-short", section: "Book 3, 6.5.5.4", want: emv.Terminated, must: acTC},
}

// TestCardsCompletion: issuer authentication, scripts, the second cryptogram (Book 3, 9.2, 10.8 to 10.11).
func TestCardsCompletion(t *testing.T) { rehearse(t, completionRows) }

func terminates(card, section string) rehearsal {
	return rehearsal{card: card, section: section, want: emv.Terminated, never: "80AE"}
}

var malformedRows = []rehearsal{
	terminates("afl-none", "Book 3, 10.2"),
	terminates("afl-cut", "Book 3, 10.2"),
	terminates("afl-file-0", "Book 3, 10.2"),
	terminates("afl-file-31", "Book 3, 10.2"),
	terminates("afl-low-bits", "Book 3, 10.2"),
	terminates("afl-record-0", "Book 3, 10.2"),
	terminates("afl-backwards", "Book 3, 10.2"),
	terminates("afl-too-many-signed", "Book 3, 10.2"),
	terminates("afl-no-record", "Book 3, 10.2"),
	terminates("bad-no-pan", "Book 3, 7.2"),
	terminates("bad-no-expiry", "Book 3, 7.2"),
	terminates("bad-no-cdol1", "Book 3, 7.2"),
	terminates("bad-no-cdol2", "Book 3, 7.2"),
	terminates("bad-twice", "Book 3, 10.2"),
	terminates("bad-length", "Book 3, 7.5"),
	terminates("bad-date", "Book 3, 7.5"),
	terminates("bad-cdol", "Book 3, 5.4"),
	terminates("bad-record", "Book 3, 10.2"),
	terminates("bad-record-cut", "Book 3, 10.2"),
	terminates("bad-record-status", "Book 3, 10.2"),
	terminates("bad-gpo-no-afl", "Book 3, 6.5.8.4"),
	terminates("bad-gpo-empty", "Book 3, 6.5.8.4"),
	terminates("bad-gpo-status", "Book 3, 10.1"),
	terminates("bad-two-accounts", "Book 3, Annex A"),
	terminates("bad-gpo-format1-short", "Book 3, 6.5.8.4"),
	terminates("bad-twice-in-record", "Book 3, 10.2"),
	terminates("bad-empty-pan", "Book 3, 7.5"),
	{card: "record-empty", section: "Book 3, 10.2", want: emv.Approved, oda: "dda ok", tags: approvesOffline},
	{card: "record-unknown", section: "Book 3, 7.1", want: emv.Approved, oda: "dda ok", tags: approvesOffline},
	{card: "pad-zeros", section: "Book 3, B1", want: emv.Approved, oda: "dda ok", tags: approvesOffline + "9F1F=414243"},
	{card: "long-lengths", section: "Book 3, B2", want: emv.Approved, oda: "dda ok", tags: approvesOffline + "9F1F=414243"},
	{card: "file-11", section: "Book 3, 5.3.2.1", want: emv.Approved, oda: "dda ok", tags: approvesOffline},
}

// TestCardsMalformed: what is no card's right to send (Book 3, 7 and 10.2).
func TestCardsMalformed(t *testing.T) { rehearse(t, malformedRows) }
