package contact_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"tillway/emv"
	"tillway/emv/contact"
)

var errGone = errors.New("card gone")

func TestBegin(t *testing.T) {
	online := func(p *emv.Params) { p.TerminalType = 0x22 }
	offline := func(p *emv.Params) { p.TerminalType = 0x23 }
	floor := func(limit int64) func(*emv.Params) {
		return func(p *emv.Params) { p.Applications[0].FloorLimitMinor = limit }
	}
	for _, r := range []row{
		{name: "agreement", section: "Book 3, 8", want: emv.Online, tags: "95=8000008000 9B=6800 9F27=80 9F36=0029 9F26=1122334455667788 9F10=06010A03A4B800 9F34=1F0002 8A=-"},

		// GET PROCESSING OPTIONS
		{name: "GPO format 2", section: "Book 3, 6.5.8.4", answers: "80A8=770A82021C009404080101009000", want: emv.Online, tags: "82=1C00 94=08010100"},
		{name: "GPO format 2 without AFL", section: "Book 3, 6.5.8.4", answers: "80A8=770482021C009000", want: emv.Terminated, reason: "AIP or AFL missing"},
		{name: "GPO of another format", section: "Book 3, 6.5.8.4", answers: "80A8=78061C00080101009000", want: emv.Terminated, reason: "neither format"},
		{name: "GPO empty", section: "Book 3, 6.5.8.4", answers: "80A8=9000", want: emv.Terminated, reason: "not one data object"},
		{name: "GPO refused with 6985", section: "Book 3, 10.1", answers: "80A8=6985", want: emv.Terminated, reason: "no application in common"},
		{name: "GPO refused otherwise", section: "Book 3, 10.1", answers: "80A8=6A88", want: emv.Terminated, reason: "6A88"},
		{
			name: "PDOL", section: "Book 3, 5.4", want: emv.Online, fixed: "9F37=01020304",
			answers: "00A4040007A0000000031010=6F258407A0000000031010A51A50095649534120544553549F380C9F02049F02089F37049F7A039000",
			sent:    "80A800001583130001052500000000000105250102030400000000",
		},

		{
			name: "CDOL1 of every format", section: "Book 3, 5.4", want: emv.Online,
			objects: "8C=5A0A5A049F1A039F1C0A9F1C04DF01029F0203BF0C029F7A01E101",
			sent:    "80AE800028" + "4761739001010119FFFF" + "47617390" + "000414" + "54494C4C303030310000" + "54494C4C" + "0000" + "010525" + "0000" + "00" + "00",
		},

		// READ RECORD
		{name: "no AFL", section: "Book 3, 10.2", answers: "80A8=80021C009000", want: emv.Terminated, reason: "AFL of 0 bytes"},
		{name: "AFL cut", section: "Book 3, 10.2", answers: "80A8=80051C000801019000", want: emv.Terminated, reason: "AFL of 3 bytes"},
		{name: "AFL file 0", section: "Book 3, 10.2", answers: "80A8=80061C00000101009000", want: emv.Terminated, reason: "no file"},
		{name: "AFL file 31", section: "Book 3, 10.2", answers: "80A8=80061C00F80101009000", want: emv.Terminated, reason: "no file"},
		{name: "AFL low bits", section: "Book 3, 10.2", answers: "80A8=80061C00090101009000", want: emv.Terminated, reason: "no file"},
		{name: "AFL record 0", section: "Book 3, 10.2", answers: "80A8=80061C00080001009000", want: emv.Terminated, reason: "records 0 to 1"},
		{name: "AFL backwards", section: "Book 3, 10.2", answers: "80A8=80061C00080201009000", want: emv.Terminated, reason: "records 2 to 1"},
		{name: "AFL signs too many", section: "Book 3, 10.2", answers: "80A8=80061C00080101029000", want: emv.Terminated, reason: "more records signed"},
		{name: "AFL too long", section: "Book 3, 10.2", answers: "80A8=80061C000801FF009000", want: emv.Terminated, reason: "more than 64 records", never: "00B2"},
		{name: "record missing", section: "Book 3, 10.2", answers: "80A8=80061C00080102009000", want: emv.Terminated, reason: "6D00"},
		{name: "record no template", section: "Book 3, 10.2", answers: "00B2010C=71009000", want: emv.Terminated, reason: "not one record template"},
		{name: "record cut", section: "Book 3, 10.2", answers: "00B2010C=700357101" + "29000", want: emv.Terminated, reason: "make no sense"},
		{name: "record twice", section: "Book 3, 10.2", answers: "80A8=800A1C0008010100080101009000", want: emv.Terminated, reason: "twice"},
		{name: "AIP in a record is no AIP", section: "Book 3, 7.5", objects: "82=FFFF 94=FFFFFFFF 9F26=0000000000000000 9F17=00", want: emv.Online, tags: "82=1C00 94=08010100 9F26=1122334455667788 9F17=-", why: "data"},
		{name: "objects inside another template are not taken", section: "Book 3, 7.5", objects: "BF10=5A084761739001010127 E1=FF", want: emv.Online, tags: "5A=4761739001010119"},
		{name: "objects without a value are absent", section: "Book 3, 5.2", objects: "9F0F= 9F0D= 9F14= 9F23= 8E= 5F25=", want: emv.Online, tags: "9F0F=- 9F14=- 95=A000008000", never: "80CA"},
		{name: "mandatory object without a value", section: "Book 3, 5.2", objects: "5F24=", want: emv.Terminated, reason: "lacks tag 5F24"},
		{name: "cardholder's name of a wrong length", section: "Book 3, 7.5", objects: "5F20=41 9F1F= 9F0B=41", want: emv.Online, tags: "5F20=- 9F0B=-"},
		{name: "record repeats the FCI: the FCI stands", section: "Book 3, 10.2", objects: "50=41 84=A0000000041010", want: emv.Online, tags: "50=564953412054455354 84=A0000000031010"},
		{
			name: "FCI with objects of the records: the records stand", section: "Book 1, 11.3.4", want: emv.Online,
			answers: "00A4040007A0000000031010=6F2D8407A0000000031010A52250095649534120544553545A0847617390010101275F3401998202FFFF5F28020840" + "9000 80A8=770A82021C009404080101009000",
			tags:    "5A=4761739001010119 5F34=01 82=1C00 5F28=0414 50=564953412054455354",
		},
		{
			name: "a PDOL behind discretionary data of no sense", section: "Book 1, 11.3.4", want: emv.Online,
			answers: "00A4040007A0000000031010=" + file(visaAID, "500456495341"+"BF0C039F4D05"+"9F38039F1A02"), sent: "80A80000048302",
		},
		{name: "authority's index of a wrong length is not missing", section: "Book 3, 7.5", objects: "8F=0101", answers: "80A8=80065C00080101019000", fixed: "9F33=E00880", want: emv.Online, tags: "95=4200008000"},
		{name: "file 11 of any form", section: "Book 3, 5.3.2.1", answers: "80A8=800A1C0008010100580101009000 00B2015C=FF9000", want: emv.Online},
		{name: "file 11 with a cut record", section: "Book 3, 5.3.2.1", answers: "80A8=800A1C0008010100580101009000 00B2015C=70030101FF9000", want: emv.Online},
		{name: "no PAN", section: "Book 3, 7.2", objects: "5A=-", want: emv.Terminated, reason: "lacks tag 5A"},
		{name: "no expiry", section: "Book 3, 7.2", objects: "5F24=-", want: emv.Terminated, reason: "lacks tag 5F24"},
		{name: "no CDOL1", section: "Book 3, 7.2", objects: "8C=-", want: emv.Terminated, reason: "lacks tag 8C"},
		{name: "no CDOL2", section: "Book 3, 7.2", objects: "8D=-", want: emv.Terminated, reason: "lacks tag 8D"},
		{name: "CDOL1 cut", section: "Book 3, 5.4", objects: "8C=9F02", want: emv.Terminated, reason: "CDOL1"},
		{name: "CDOL1 too greedy", section: "Book 3, 5.4", objects: "8C=9F02FE", want: emv.Terminated, reason: "CDOL1"},
		{name: "PAN no digits", section: "Book 3, Annex A", objects: "5A=47617390010101AB", want: emv.Terminated, reason: "not an account number"},
		{name: "track 2 of another card", section: "Book 3, Annex A", objects: "57=4761739001010127D28122010000000000", want: emv.Terminated, reason: "two accounts"},
		{name: "AUC of three bytes", section: "Book 3, 7.5", objects: "9F07=FF8000", want: emv.Terminated, reason: "9F07 has 3 bytes"},
		{name: "card sends terminal's objects", section: "Book 3, Annex A", objects: "95=FFFFFFFFFF 9F02=000000000001 9F37=00000000 8A=3030", want: emv.Online, tags: "95=8000008000 9F02=000000010525 9F37=D3173A1F 8A=-", why: "data"},

		// processing restrictions
		{name: "version differs", section: "Book 3, 10.4.1", objects: "9F08=0001", want: emv.Online, tags: "95=8080008000", why: "TVR byte 2 bit 8"},
		{name: "no version", section: "Book 3, 10.4.1", objects: "9F08=-", want: emv.Online, tags: "95=8000008000"},
		{name: "ATM only", section: "Book 3, 10.4.2", objects: "9F07=FE00", want: emv.Online, tags: "95=8010008000", why: "TVR byte 2 bit 5"},
		{name: "at an ATM, valid there", section: "Book 3, 10.4.2", objects: "9F07=8200", fixed: "9C=01 9F35=14 9F40=E000F0A001", want: emv.Online, tags: "95=8000008000"},
		{name: "at an ATM, not valid there", section: "Book 3, 10.4.2", objects: "9F07=8100", fixed: "9C=01 9F35=14 9F40=E000F0A001", want: emv.Online, tags: "95=8010008000"},
		{name: "a bank's terminal without cash is no ATM", section: "Book 4, A1", objects: "9F07=8100", fixed: "9C=01 9F35=14", want: emv.Online, tags: "95=8000008000"},
		{name: "a refund is no purchase", section: "Book 3, 10.4.2", objects: "9F07=0100", fixed: "9C=20", want: emv.Online, tags: "95=8000008000"},
		{name: "services only", section: "Book 3, 10.4.2", objects: "9F07=0900", want: emv.Online, tags: "95=8000008000"},
		{name: "no AUC", section: "Book 3, 10.4.2", objects: "9F07=-", want: emv.Online, tags: "95=8000008000"},
		{name: "domestic only, at home", section: "Book 3, 10.4.2", objects: "9F07=2100", want: emv.Online, tags: "95=8000008000"},
		{name: "domestic only, abroad", section: "Book 3, 10.4.2", objects: "9F07=2900 5F28=0840", want: emv.Online, tags: "95=8010008000"},
		{name: "international only, abroad", section: "Book 3, 10.4.2", objects: "9F07=1100 5F28=0840", want: emv.Online, tags: "95=8000008000"},
		{name: "international only, at home", section: "Book 3, 10.4.2", objects: "9F07=1100", want: emv.Online, tags: "95=8010008000"},
		{name: "no issuer country", section: "Book 3, 10.4.2", objects: "9F07=0100 5F28=-", want: emv.Online, tags: "95=8000008000"},
		{name: "cash at home", section: "Book 3, 10.4.2", objects: "9F07=8100", fixed: "9C=01", want: emv.Online, tags: "95=8000008000"},
		{name: "cash abroad", section: "Book 3, 10.4.2", objects: "9F07=8100 5F28=0840", fixed: "9C=01", want: emv.Online, tags: "95=8010008000"},
		{name: "cashback allowed", section: "Book 3, 10.4.2", objects: "9F07=2180", fixed: "9C=09 9F03=000000001000", want: emv.Online, tags: "95=8000008000"},
		{name: "cashback not allowed", section: "Book 3, 10.4.2", objects: "9F07=2140", fixed: "9F03=000000001000", want: emv.Online, tags: "95=8010008000"},
		{name: "last day", section: "Book 3, 10.4.3", fixed: "9A=281231", want: emv.Online, tags: "95=8000008000"},
		{name: "day after", section: "Book 3, 10.4.3", fixed: "9A=290101", want: emv.Online, tags: "95=8040008000", why: "TVR byte 2 bit 7"},
		{name: "expiry without a day", section: "Book 3, 7.5", objects: "5F24=280200", want: emv.Terminated, reason: "no date"},
		{name: "effective date without a day", section: "Book 3, 7.5", objects: "5F25=260200", want: emv.Terminated, reason: "no date"},
		{name: "expiry of the last century", section: "Book 4, 6.7.3", objects: "5F24=991231", want: emv.Online, tags: "95=8040008000"},
		{name: "first day", section: "Book 3, 10.4.3", objects: "5F25=261123", want: emv.Online, tags: "95=8000008000"},
		{name: "day before", section: "Book 3, 10.4.3", objects: "5F25=261124", want: emv.Online, tags: "95=8020008000", why: "TVR byte 2 bit 6"},
		{name: "no such day", section: "Book 3, 7.5", objects: "5F24=260231", want: emv.Terminated, reason: "no date"},

		// cardholder verification
		{name: "not supported by the card", section: "Book 4, 6.3.4.5", answers: "80A8=80060C00080101009000", want: emv.Online, tags: "9F34=3F0000 95=8000008000 9B=2800"},
		{name: "no list", section: "Book 3, 10.5", objects: "8E=-", want: emv.Online, tags: "9F34=3F0000 95=A000008000 9B=2800", why: "TVR byte 1 bit 6"},
		{name: "no rules count as no list", section: "Book 3, 10.5", objects: "8E=0000000000000000", want: emv.Online, tags: "9F34=3F0000 95=A000008000 9B=2800", why: "TVR byte 1 bit 6"},
		{name: "odd list", section: "Book 3, 7.5", objects: "8E=00000000000000001F", want: emv.Terminated, reason: "CVM list of 9 bytes"},
		{name: "online PIN, fail", section: "Book 3, 10.5", objects: "8E=000000000000000002001F00", want: emv.Online, tags: "9F34=3F0001 95=8000908000 9B=6800", why: "TVR byte 3 bit 5"},
		{name: "online PIN, else next", section: "Book 3, 10.5", objects: "8E=000000000000000042001F00", want: emv.Online, tags: "9F34=1F0002 95=8000108000"},
		{name: "condition not met is skipped, bit 7 or not", section: "Book 3, 10.5", objects: "8E=000000000000000002011F00", want: emv.Online, tags: "9F34=1F0002 95=8000008000"},
		{name: "if supported: not supported is skipped", section: "Book 3, 10.5", objects: "8E=00000000000000001E031F03", want: emv.Online, tags: "9F34=1F0302 95=8000008000"},
		{name: "unknown condition is skipped", section: "Book 3, 10.5", objects: "8E=00000000000000001F0A1F00", want: emv.Online, tags: "9F34=1F0002 95=8000008000"},
		{name: "unknown method", section: "Book 3, 10.5", objects: "8E=000000000000000046001F00", want: emv.Online, tags: "9F34=1F0002 95=8000408000", why: "TVR byte 3 bit 7"},
		{name: "unknown method, fail", section: "Book 3, 10.5", objects: "8E=000000000000000006001F00", want: emv.Online, tags: "9F34=3F0001 95=8000C08000"},
		{name: "fail", section: "Book 3, 10.5", objects: "8E=000000000000000040001F00", want: emv.Online, tags: "9F34=400001 95=8000808000"},
		{name: "list ends", section: "Book 4, 6.3.4.5", objects: "8E=000000000000000044005E00", want: emv.Online, tags: "9F34=3F0001 95=8000908000", why: "TVR byte 3 bit 8"},
		{name: "signature, fail", section: "Book 3, 10.5.3", objects: "8E=00000000000000001E001F00", want: emv.Online, tags: "9F34=3F0001 95=8000808000", why: "CVM"},
		{name: "PIN if supported is no PIN pad missing", section: "Book 3, 10.5", objects: "8E=000000000000000041034203020301031F00", want: emv.Online, tags: "9F34=1F0002 95=8000008000"},
		{name: "no rule applies", section: "Book 4, 6.3.4.5", objects: "8E=00000000000000001F01", want: emv.Online, tags: "9F34=3F0001 95=8000808000 9B=6800"},
		{name: "terminal without No CVM", section: "Book 3, 10.5", fixed: "9F33=E00000", want: emv.Online, tags: "9F34=3F0001 95=8000808000"},
		{name: "under X", section: "Book 3, C3", objects: "8E=0000291E000000001F06", want: emv.Online, tags: "9F34=1F0602"},
		{name: "at X is not under", section: "Book 3, C3", objects: "8E=0000291D000000001F06", want: emv.Online, tags: "9F34=3F0001"},
		{name: "at X is not over", section: "Book 3, C3", objects: "8E=0000291D000000001F07", want: emv.Online, tags: "9F34=3F0001"},
		{name: "over X", section: "Book 3, C3", objects: "8E=0000291C000000001F07", want: emv.Online, tags: "9F34=1F0702"},
		{name: "under Y", section: "Book 3, C3", objects: "8E=000000000000291E1F08", want: emv.Online, tags: "9F34=1F0802"},
		{name: "over Y", section: "Book 3, C3", objects: "8E=000000000000291C1F09", want: emv.Online, tags: "9F34=1F0902"},
		{name: "under X in another currency", section: "Book 3, C3", objects: "8E=0000FFFF000000001F06 9F42=0840", want: emv.Online, tags: "9F34=3F0001"},
		{name: "under X without a currency", section: "Book 3, C3", objects: "8E=0000FFFF000000001F06 9F42=-", want: emv.Online, tags: "9F34=3F0001"},
		{name: "unattended cash", section: "Book 3, C3", objects: "8E=00000000000000001F01", fixed: "9C=01 9F35=24", want: emv.Online, tags: "9F34=1F0102"},
		{name: "manual cash", section: "Book 3, C3", objects: "8E=00000000000000001F04", fixed: "9C=01", want: emv.Online, tags: "9F34=1F0402"},
		{name: "cash is not a purchase", section: "Book 3, C3", objects: "8E=00000000000000001F02", fixed: "9C=01", want: emv.Online, tags: "9F34=3F0001"},
		{name: "cashback", section: "Book 3, C3", objects: "8E=00000000000000001F05", fixed: "9C=09", want: emv.Online, tags: "9F34=1F0502"},
		{name: "purchase is no cashback", section: "Book 3, C3", objects: "8E=00000000000000001F05", want: emv.Online, tags: "9F34=3F0001"},

		// risk management
		{name: "risk management whatever the AIP says", section: "Book 3, 10.6", answers: "80A8=80061400080101009000", want: emv.Online, tags: "95=8000008000 9B=6800"},
		{name: "under the floor limit", section: "Book 3, 10.6.1", params: floor(10_526), want: emv.Online, tags: "95=8000000000"},
		{name: "at the floor limit", section: "Book 3, 10.6.1", params: floor(10_525), want: emv.Online, tags: "95=8000008000", why: "TVR byte 4 bit 8"},
		{name: "forced online", section: "Book 3, 10.6", params: func(p *emv.Params) { p.ForceOnline = true }, want: emv.Online, tags: "95=8000008800", why: "TVR byte 4 bit 4"},
		{name: "only one limit: no velocity check", section: "Book 3, 10.6.3", objects: "9F14=01", want: emv.Online, never: "80CA"},
		{name: "velocity within", section: "Book 3, 10.6.3", objects: "9F14=05 9F23=08", answers: "80CA9F36=9F360200069000 80CA9F13=9F130200019000", want: emv.Online, tags: "95=8000008000"},
		{name: "velocity over lower", section: "Book 3, 10.6.3", objects: "9F14=04 9F23=08", answers: "80CA9F36=9F360200069000 80CA9F13=9F130200019000", want: emv.Online, tags: "95=800000C000", why: "TVR byte 4 bit 7"},
		{name: "velocity over both", section: "Book 3, 10.6.3", objects: "9F14=04 9F23=04", answers: "80CA9F36=9F360200069000 80CA9F13=9F130200019000", want: emv.Online, tags: "95=800000E000"},
		{name: "velocity at the upper", section: "Book 3, 10.6.3", objects: "9F14=04 9F23=05", answers: "80CA9F36=9F360200069000 80CA9F13=9F130200019000", want: emv.Online, tags: "95=800000C000"},
		{name: "velocity, counters withheld", section: "Book 3, 10.6.3", objects: "9F14=04 9F23=04", want: emv.Online, tags: "95=A00000E000", why: "TVR byte 1 bit 6"},
		{name: "velocity, last online withheld", section: "Book 3, 10.6.3", objects: "9F14=FF 9F23=FF", answers: "80CA9F36=9F360200069000", want: emv.Online, tags: "95=A00000E000"},
		{name: "velocity, ATC withheld from a new card", section: "Book 3, 10.6.3", objects: "9F14=FF 9F23=FF", answers: "80CA9F13=9F130200009000", want: emv.Online, tags: "95=A00800E000"},
		{name: "velocity, over upper alone is within lower", section: "Book 3, 10.6.3", objects: "9F14=08 9F23=04", answers: "80CA9F36=9F360200069000 80CA9F13=9F130200019000", want: emv.Online, tags: "95=8000008000"},
		{name: "velocity off", section: "Book 3, 10.6.3", objects: "9F14=04 9F23=04", params: func(p *emv.Params) { p.Off = []emv.Feature{emv.FeatureVelocity} }, want: emv.Online, tags: "95=8000008000", never: "80CA"},
		{name: "velocity, counter backwards", section: "Book 3, 10.6.3", objects: "9F14=FF 9F23=FF", answers: "80CA9F36=9F360200019000 80CA9F13=9F130200019000", want: emv.Online, tags: "95=800000E000"},
		{name: "velocity, counter of another tag", section: "Book 3, 6.5.7", objects: "9F14=FF 9F23=FF", answers: "80CA9F36=9F360200019000 80CA9F13=9F360200019000", want: emv.Online, tags: "95=A00000E000"},
		{name: "new card", section: "Book 3, 10.6.3", objects: "9F14=FF 9F23=FF", answers: "80CA9F36=9F360200019000 80CA9F13=9F130200009000", want: emv.Online, tags: "95=8008008000", why: "TVR byte 2 bit 4"},

		// action analysis
		{name: "denial by the issuer", section: "Book 3, 10.7", objects: "9F0E=8000000000", want: emv.Declined, tags: "9F27=00 8A=5A31", sent: "80AE00", why: "TAA"},
		{name: "denial by the terminal", section: "Book 3, 10.7", params: func(p *emv.Params) { p.Applications[0].TACDenial[3] = 0x80 }, want: emv.Declined, sent: "80AE00"},
		{name: "absent denial code denies nothing", section: "Book 3, 10.7", objects: "9F0E=-", want: emv.Online, sent: "80AE80"},
		{name: "absent online code goes online", section: "Book 3, 10.7", objects: "9F0F=-", params: online, want: emv.Online, sent: "80AE80"},
		{name: "unauthenticated card is never approved offline", section: "Book 3, 10.7", params: online, want: emv.Online, sent: "80AE80"},
		{name: "unauthenticated card, offline only", section: "Book 3, 10.7", params: offline, want: emv.Declined, sent: "80AE00"},

		// first GENERATE AC
		{name: "card declines", section: "Book 3, 10.8", answers: "80AE80=800B000029112233445566" + "77889000", want: emv.Declined, tags: "9F27=00 8A=5A31 9F10=-", reason: "the card declined"},
		{name: "card declines, service not allowed", section: "Book 4, 6.3.7", answers: "80AE80=800B0100291122334455667788" + "9000", want: emv.Terminated, reason: "service not allowed"},
		{name: "TC where ARQC was asked for", section: "Book 3, 10.8", answers: "80AE80=800B4000291122334455667788" + "9000", want: emv.Terminated, reason: "TC where ARQC"},
		{name: "ARQC where AAC was asked for", section: "Book 3, 10.8", objects: "9F0E=8000000000", answers: "80AE00=800B8000291122334455667788" + "9000", want: emv.Terminated, reason: "ARQC where AAC"},
		{name: "no known cryptogram", section: "Book 3, 10.8", answers: "80AE80=800BC000291122334455667788" + "9000", want: emv.Terminated, reason: "RFU"},
		{name: "AC format 2", section: "Book 3, 6.5.5.4", answers: "80AE80=771A9F2701809F360200299F260811223344556677889F1003060102" + "9000", want: emv.Online, tags: "9F27=80 9F36=0029 9F26=1122334455667788 9F10=060102"},
		{name: "AC format 2 brings in a PAN", section: "Book 3, 6.5.5.4", answers: "80AE80=771E9F2701809F360200299F260811223344556677885A084761739001010127" + "9000", want: emv.Online, tags: "5A=4761739001010119"},
		{name: "AC format 2 without cryptogram", section: "Book 3, 6.5.5.4", answers: "80AE80=77099F2701809F360200299000", want: emv.Terminated, reason: "9F26 missing"},
		{name: "AC format 2 with two CIDs", section: "Book 3, 6.5.5.4", answers: "80AE80=77189F2701809F2701409F360200299F26081122334455667788" + "9000", want: emv.Terminated, reason: "9F27 twice"},
		{name: "AC format 1 short", section: "Book 3, 6.5.5.4", answers: "80AE80=800A80002911223344556677" + "9000", want: emv.Terminated, reason: "format 1 of 10 bytes"},
		{name: "AC format 1 long", section: "Book 3, 6.5.5.4", answers: "80AE80=802C8000291122334455667788" + "000000000000000000000000000000000000000000000000000000000000000000" + "9000", want: emv.Terminated, reason: "format 1 of 44 bytes"},
		{name: "AC refused", section: "Book 3, 10.8", answers: "80AE80=6985", want: emv.Terminated, reason: "6985"},
		{name: "TC hash", section: "Book 3, 9.2.2", objects: "8C=9814 97=9F0206", want: emv.Online, sent: "80AE800014", tags: "95=8000008000 98=66E714EA8B0BA45FC7106D976E22A635A29CA9D5"},
		{name: "TC hash by default", section: "Book 3, 9.2.2", objects: "8C=9814", params: func(p *emv.Params) { p.Applications[0].DefaultTDOL = unhex("9F0206") }, want: emv.Online, tags: "95=8000008080 98=66E714EA8B0BA45FC7106D976E22A635A29CA9D5", why: "TVR byte 5 bit 8"},
		{name: "TC hash by default, without a default", section: "Book 3, 9.2.2", objects: "8C=9814", want: emv.Online, tags: "95=8000008000 98=DA39A3EE5E6B4B0D3255BFEF95601890AFD80709"},
		{name: "TC hash of a TDOL that makes no sense", section: "Book 3, 5.4", objects: "8C=9814 97=9F02", want: emv.Terminated, reason: "TDOL"},
	} {
		r.run(t)
	}
}

func TestRandomSelection(t *testing.T) {
	for _, r := range []struct {
		name   string
		amount int64
		draw   string // bytes of the source
		tvr    string
	}{
		{"under the threshold, drawn at the target", 999, "13", "8000001000"},     // 19 -> 20
		{"far under the threshold, drawn at the target", 1, "13", "8000001000"},   // 19 -> 20
		{"under the threshold, drawn over it", 999, "14", "8000000000"},           // 20 -> 21
		{"half way, drawn at 50", 5_500, "31", "8000001000"},                      // 49 -> 50
		{"half way, drawn over", 5_500, "32", "8000000000"},                       // 50 -> 51
		{"uneven bytes are drawn again", 999, "FFC600", "8000001000"},             // 255, 198, then 0 -> 1
		{"just under the limit, nearly the maximum", 9_999, "4E", "8000001000"},   // 78 -> 79
		{"just under the limit, drawn at the maximum", 9_999, "4F", "8000000000"}, // 79 -> 80, 79 are selected
	} {
		p := terminal()
		p.TerminalType = 0x22
		a := &p.Applications[0]
		a.FloorLimitMinor, a.RandomThreshold, a.RandomTarget, a.RandomMaximum = 10_000, 1_000, 20, 80
		p.Amount.Minor = r.amount
		p.Random = bytes.NewReader(append(unhex(r.draw), 1, 2, 3, 4))
		_, out := begin(t, newChip("", ""), p, nil)
		t.Log(r.name)
		wantTags(t, out.Data, "95="+r.tvr+" 9F37=01020304")
	}
}

func TestTerminalData(t *testing.T) {
	p := terminal()
	p.Time = time.Date(2009, 1, 2, 3, 4, 5, 0, time.UTC)
	p.AcquirerID, p.MerchantCategory, p.MerchantName = "12345678901", 5411, "TILL"
	_, out := begin(t, newChip("9F08=-", ""), p, nil)
	wantTags(t, out.Data, "9F02=000000010525 81=0000291D 9F03=000000000000 9F04=00000000 5F2A=0414 5F36=03 9C=00 9A=090102 9F21=030405 "+
		"9F41=00000042 9F1A=0414 9F35=21 9F33=E00800 9F40=6000F0A001 9F39=05 9F1C=54494C4C30303031 9F16=4B5730303030303030303030303031 "+
		"9F1E=3132333435363738 9F01=012345678901 9F15=5411 9F4E=54494C4C 9F1B=00000000 9F09=008C")

	_, out = begin(t, newChip("", ""), fix(p, "9F02=000000000999 9F03=000000000100"), nil)
	wantTags(t, out.Data, "9F02=000000000999 81=000003E7 9F04=00000064")
	_, out = begin(t, newChip("", ""), fix(p, "9F02=999999999999 81=00000001"), nil)
	wantTags(t, out.Data, "9F02=999999999999 81=00000001")
}

// No object of the terminal or of the issuer has a place in a template that a card sends: so it cannot set an amount or the
// TVR. And none has a place both in the FCI, which nothing signs, and in what may be signed (Book 3, 7.5).
func TestTemplatesOfTheCard(t *testing.T) {
	for _, e := range emv.Elements() {
		if e.Source != emv.ICC && e.In(0x6F, 0xA5, 0xBF0C, 0x61, 0x70, 0x73, 0x77, 0x80) {
			t.Errorf("%s of the %s in a template of the card", e.Tag, e.Source)
		}
		if e.In(0x6F, 0xA5, 0xBF0C) && e.In(0x70, 0x77, 0x80) && e.Tag != emv.TagApplicationTemplate {
			t.Errorf("%s has its place in the FCI and in records", e.Tag)
		}
	}
}

// A terminal that can only go online, or never, draws no lots (Book 3, 10.6.2).
func TestNoRandomSelection(t *testing.T) {
	for _, kind := range []byte{0x21, 0x24, 0x23} {
		p := terminal()
		p.TerminalType = kind
		a := &p.Applications[0]
		a.FloorLimitMinor, a.RandomTarget, a.RandomMaximum = 20_000, 99, 99
		p.Random = bytes.NewReader(unhex("01020304"))
		_, out := begin(t, newChip("", ""), p, nil)
		wantTags(t, out.Data, "95=8000000000 9F37=01020304")
	}
}

// Neither the log nor what the outcome says of itself shows card data.
func TestNothingIsShown(t *testing.T) {
	var shown strings.Builder
	log := slog.New(slog.NewJSONHandler(&shown, &slog.HandlerOptions{Level: slog.LevelDebug}))
	for _, answers := range []string{"", "80AE80=6985", "00B2010C=70035A0247" + "9000"} {
		txn, out, err := contact.New(contact.Config{Log: log}).Begin(t.Context(), newChip("5F20=54455354 9F1F=39393939", answers), terminal(), nil)
		fmt.Fprintf(&shown, "%v %+v %#v %v", out, out, out, err)
		if txn != nil {
			out, err := txn.Complete(t.Context(), emv.HostAnswer{Result: emv.HostApproved})
			fmt.Fprintf(&shown, "%v %+v %#v %v", out, out, out, err)
		}
	}
	if !strings.Contains(shown.String(), "first GENERATE AC") {
		t.Error("nothing was logged")
	}
	for _, secret := range []string{"4761739001010119", "73900101", "281231", "D2812", "TEST", "54455354", "39393939"} {
		if strings.Contains(strings.ReplaceAll(shown.String(), "VISA TEST", ""), secret) {
			t.Errorf("%s is shown: %s", secret, shown.String())
		}
	}
}

// A card cannot fill the journal with remarks.
func TestRemarksAreBounded(t *testing.T) {
	card := newChip("", "80A8=80061C00080103009000")
	card.answers["00B2020C"] = []string{"7081C8" + strings.Repeat("9500", 100) + "9000"}
	card.answers["00B2030C"] = card.answers["00B2020C"]
	_, out := begin(t, card, terminal(), nil)
	if out.Decision != emv.Online || len(out.Why) > 60 {
		t.Errorf("%s with %d explanations", out.Decision, len(out.Why))
	}
	wantWhy(t, out.Why, "outcome")
}
