package contact_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"tillway/emv"
	"tillway/emv/contact"
)

// file is the FCI of an application: AID, and what stands in its proprietary template.
func file(aid, objects string) string {
	a5 := fmt.Sprintf("A5%02X%s", len(objects)/2, objects)
	body := fmt.Sprintf("84%02X%s%s", len(aid)/2, aid, a5)
	return fmt.Sprintf("6F%02X%s9000", len(body)/2, body)
}

func directory(entries ...string) string {
	body := ""
	for _, e := range entries {
		body += fmt.Sprintf("61%02X%s", len(e)/2, e)
	}
	return fmt.Sprintf("70%02X%s9000", len(body)/2, body)
}

const (
	pseFound = "6F15840E315041592E5359532E4444463031A5038801019000"
	visaAID  = "A0000000031010"
	visaFile = "6F168407A0000000031010A50B50095649534120544553549000"
)

func TestDirectory(t *testing.T) {
	entry := "4F07" + visaAID + "500456495341"
	for _, r := range []struct {
		name    string
		answers string
		reads   int // records read of the directory
		tries   int // SELECTs by AID
		want    emv.Decision
	}{
		{"one entry", "00A404000E=" + pseFound + " 00B2=6A83 00B2010C=" + directory(entry) + ",RECORD", 2, 1, emv.Online},
		{"no PSE", "00A404000E=6A82", 0, 2, emv.Online},
		{"blocked PSE", "00A404000E=6283", 0, 2, emv.Online},
		{"PSE without a file", "00A404000E=" + file("315041592E5359532E4444463031", ""), 0, 2, emv.Online},
		{"PSE with file 11", "00A404000E=" + file("315041592E5359532E4444463031", "88010B"), 0, 2, emv.Online},
		{"PSE cut", "00A404000E=6F15840E9000", 0, 2, emv.Online},
		{"empty directory", "00A404000E=" + pseFound + " 00B2=6A83 00B2010C=6A83,RECORD", 1, 2, emv.Online},
		{"directory with an error", "00A404000E=" + pseFound + " 00B2020C=6985 00B2010C=" + directory(entry) + ",RECORD", 2, 2, emv.Online},
		{"directory that is none", "00A404000E=" + pseFound + " 00B2010C=6F009000,RECORD", 1, 2, emv.Online},
		{"entry cut", "00A404000E=" + pseFound + " 00B2010C=" + directory("4F07A0") + ",RECORD", 1, 2, emv.Online},
		{"entry without AID", "00A404000E=" + pseFound + " 00B2=6A83 00B2010C=" + directory("500456495341", entry) + ",RECORD", 2, 1, emv.Online},
		{"entry twice", "00A404000E=" + pseFound + " 00B2=6A83 00B2010C=" + directory(entry, entry) + ",RECORD", 2, 1, emv.Online},
		{"directory without end", "00A404000E=" + pseFound + " 00B2=" + directory(entry) + " 00B2010C=" + directory(entry) + ",RECORD", 30, 1, emv.Online},
		{"PSE with an unknown status", "00A404000E=6A86", 0, 2, emv.Online},
		{"PSE with a warning", "00A404000E=6200", 0, 2, emv.Online},
		{"PSE with file 0", "00A404000E=" + file("315041592E5359532E4444463031", "880100"), 0, 2, emv.Online},
		{"PSE with a file of two bytes", "00A404000E=" + file("315041592E5359532E4444463031", "88020101"), 0, 2, emv.Online},
		{"padding around everything", "00A404000E=00006F1A840E315041592E5359532E44444630310000A506008801010000" + "009000 00B2=6A83 00B2010C=000070190000610F" + entry + "000061024F0000" + "9000,RECORD", 2, 1, emv.Online},
		{"lengths in two bytes", "00A404000E=6F8117" + "84810E315041592E5359532E4444463031A5810388010190" + "00 00B2=6A83 00B2010C=" + directory(entry) + ",RECORD", 2, 1, emv.Online},
		{"a record without entries is passed over", "00A404000E=" + pseFound + " 00B2=6A83 00B2010C=70009000,RECORD 00B2020C=" + directory(entry), 3, 1, emv.Online},
		{"an entry of a further directory is passed over", "00A404000E=" + pseFound + " 00B2=6A83 00B2010C=" + directory("9D0E315041592E5359532E4444463032", entry) + ",RECORD", 2, 1, emv.Online},
		{"objects that nobody knows are passed over", "00A404000E=" + pseFound + " 00B2=6A83 00B2010C=" + directory(entry+"9F0A050001010142DF010177") + ",RECORD", 2, 1, emv.Online},
		{"an AID of four bytes, and of seventeen", "00A404000E=" + pseFound + " 00B2=6A83 00B2010C=" + directory("4F04A0000000", "4F11A000000003101000000000000000000000", entry) + ",RECORD", 2, 1, emv.Online},
		{"card blocked", "00A404000E=6A81", 0, 0, emv.Terminated},
		{"no application in common", "00A4040007=6A82", 0, 1, emv.OtherInterface},
		{"the only application blocked", "00A4040007=" + visaFile[:len(visaFile)-4] + "6283", 0, 1, emv.Terminated},
		{"the only application blocked, without an FCI", "00A4040007=6283", 0, 1, emv.Terminated},
		{"card blocked at the AID", "00A4040007=6A81", 0, 1, emv.Terminated},
		{"other AIDs only", "00A404000E=" + pseFound + " 00B2=6A83 00B2010C=" + directory("4F07A0000000041010") + ",RECORD", 2, 2, emv.Online},
	} {
		card := newChip("", "")
		card.answers["00A4040007"+visaAID] = []string{visaFile}
		answers := strings.ReplaceAll(r.answers, "RECORD", card.record())
		if strings.Contains(answers, "00A4040007=") {
			delete(card.answers, "00A4040007"+visaAID)
		}
		card.answer(answers)
		_, out := begin(t, card, terminal(), nil)
		reads := card.sent("00B2")
		if out.Decision == emv.Online {
			reads-- // the application's own
		}
		if out.Decision != r.want || reads != r.reads || card.sent("00A4040007") != r.tries {
			t.Errorf("%s: %s (%s), %d records, %d SELECTs", r.name, out.Decision, out.Reason, reads, card.sent("00A4040007"))
		}
	}
}

// Partial selection goes on with the next occurrence until the card has no more, or the bound is reached.
func TestNextOccurrence(t *testing.T) {
	app := emv.Application{AID: unhex("A000000003"), PartialSelect: true, Scheme: "visa"}
	one, two := visaAID, "A0000000032010"
	card := newChip("", "00A4040005="+file(one, "500141870102")+" 00A4040205="+file(two, "500142870101")+",6A82 "+
		"00A4040007"+one+"="+file(one, "500141")+" 00A4040007"+two+"="+file(two, "500142"))
	_, out := begin(t, card, terminal(app), nil)
	if out.Label != "B" || card.sent("00A40402") != 2 {
		t.Errorf("%s %s: %v", out.Decision, out.Label, card.said)
	}

	card = newChip("", "00A4040005="+file(one, "500141870102")+" 00A4040205="+file(two, "500142870101"))
	begin(t, card, terminal(app), nil)
	if n := card.sent("00A40402"); n != 15 {
		t.Errorf("a card without end was asked %d times for the next", n)
	}

	app.PartialSelect = false
	card = newChip("", "00A4040005="+file(one, "500141"))
	if _, out := begin(t, card, terminal(app), nil); out.Decision != emv.OtherInterface || card.sent("00A40402") != 0 {
		t.Errorf("without partial selection: %s %v", out.Decision, card.said)
	}

	card = newChip("", "00A4040005="+file(one, "500141")[:len(file(one, "500141"))-4]+"6283 00A4040205="+file(two, "500142")+",6A82 "+
		"00A4040007"+two+"="+file(two, "500142"))
	app.PartialSelect = true
	if _, out := begin(t, card, terminal(app), nil); out.Label != "B" {
		t.Errorf("a blocked one before: %s %s %v", out.Decision, out.Label, card.said)
	}
}

// holder answers Choose with what it holds.
type holder struct {
	index int
	ok    bool
	err   error
	asked []emv.Candidate
}

func (*holder) OnlinePIN(context.Context, emv.PINRequest) (emv.PINEntry, error) {
	return emv.PINPadMissing, nil
}

func (*holder) CardPIN(context.Context, emv.CardPINRequest) (emv.CardPINAnswer, error) {
	return emv.CardPINAnswer{Entry: emv.PINPadMissing}, nil
}

func (h *holder) Choose(_ context.Context, list []emv.Candidate) (int, bool, error) {
	h.asked = list
	return h.index, h.ok, h.err
}

func TestConfirmation(t *testing.T) {
	answers := "00A4040007" + visaAID + "=" + file(visaAID, "500456495341870181"+"5F2D046172656E")
	h := &holder{ok: true}
	_, out := begin(t, newChip("", answers), terminal(), h)
	if out.Decision != emv.Online || len(h.asked) != 1 || !h.asked[0].MustConfirm || h.asked[0].Priority != 1 || h.asked[0].Language != "aren" || h.asked[0].Label != "VISA" {
		t.Errorf("%s %+v", out.Decision, h.asked)
	}
	h = &holder{}
	if _, out = begin(t, newChip("", answers), terminal(), h); out.Decision != emv.Terminated || !strings.Contains(out.Reason, "chose no application") {
		t.Errorf("refused: %s %s", out.Decision, out.Reason)
	}
	if _, out = begin(t, newChip("", answers), terminal(), nil); out.Decision != emv.Terminated || !strings.Contains(out.Reason, "nobody can be asked") {
		t.Errorf("nobody there: %s %s", out.Decision, out.Reason)
	}
	h = &holder{}
	if _, out = begin(t, newChip("", ""), terminal(), h); out.Decision != emv.Online || h.asked != nil {
		t.Errorf("one application without confirmation: asked %v", h.asked)
	}
	for name, h := range map[string]*holder{
		"screen broken": {err: errGone},
		"out of range":  {index: 1, ok: true},
		"negative":      {index: -1, ok: true},
	} {
		_, _, err := contact.New(contact.Config{}).Begin(t.Context(), newChip("", answers), terminal(), h)
		if !errors.Is(err, errGone) && !errors.Is(err, contact.ErrParams) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What the receipt calls the application (Book 1, 12.4; Book 4, 11.3).
func TestLabel(t *testing.T) {
	for _, r := range []struct {
		name, objects, more, want string
	}{
		{"label", "500456495341", "6000F0A001", "VISA"},
		{"preferred name, table 1", "5004564953419F1101019F1204436172E9", "6000F0A001", "Caré"},
		{"preferred name, table not the terminal's", "5004564953419F1101059F1204436172E9", "6000F0A001", "VISA"},
		{"preferred name without a table", "5004564953419F120443617265", "6000F0A001", "VISA"},
		{"preferred name in Arabic", "5004564953419F1101069F1204E3EA20E6", "6000F0A021", "\u0643\u064a \u0646"},
		{"preferred name with control characters", "5004564953419F1101019F120443610765", "6000F0A001", "Cae"},
		{"preferred name too long", "5004564953419F1101019F12114142434445464748494A4B4C4D4E4F5051", "6000F0A001", "VISA"},
		{"preferred name whose table only this terminal's ASCII has", "5004564953419F1101029F1203436172", "6000F0A003", "Car"},
		{"preferred name, table 10", "5004564953419F1101109F1203436172", "6000F0A201", "Car"},
		{"preferred name, a table that is none", "5004564953419F11010A9F1203436172", "6000F0A201", "VISA"},
		{"label with control characters", "5005564953410A", "6000F0A001", "VISA"},
		{"nothing", "", "6000F0A001", ""},
	} {
		_, out := begin(t, newChip("", "00A4040007"+visaAID+"="+file(visaAID, r.objects)), fix(terminal(), "9F40="+r.more), nil)
		if out.Label != r.want {
			t.Errorf("%s: %q, want %q", r.name, out.Label, r.want)
		}
	}
}

// A card that refuses the first application is asked with the second, and nothing of the first is left.
func TestBackToSelection(t *testing.T) {
	apps := []emv.Application{{AID: unhex(visaAID), Scheme: "one"}, {AID: unhex("A0000000032010"), Scheme: "two"}}
	card := newChip("", "00A4040007"+visaAID+"="+file(visaAID, "5001419F12014187010"+"1")+" 00A4040007A0000000032010="+file("A0000000032010", "500142870102")+
		" 80A8=6985,80061C00080101009000")
	_, out := begin(t, card, terminal(apps...), nil)
	if out.Decision != emv.Online || out.Scheme != "two" || out.Label != "B" {
		t.Errorf("%+v", out)
	}
	wantTags(t, out.Data, "4F=A0000000032010 84=A0000000032010 9F12=- 50=42")
}

// A blocked card is left alone after the first 6A81 (Book 1, 12.3.3).
func TestCardBlocked(t *testing.T) {
	apps := []emv.Application{{AID: unhex("A0000000041010")}, {AID: unhex(visaAID)}}
	card := newChip("", "00A4040007A0000000041010=6A81")
	_, out := begin(t, card, terminal(apps...), nil)
	if out.Decision != emv.Terminated || !strings.Contains(out.Reason, "card blocked") || card.sent("00A4040007"+visaAID) != 0 {
		t.Errorf("%s: %s %v", out.Decision, out.Reason, card.said)
	}
	_, out = begin(t, newChip("", "00A4040007A0000000041010=6A82 00A4040007"+visaAID+"=6A81"), terminal(apps...), nil)
	if out.Decision != emv.OtherInterface { // from the second AID on it only says that the application is not there
		t.Errorf("6A81 to the second AID: %s %s", out.Decision, out.Reason)
	}
}

// endless is a card that has another application behind each one, and refuses them all when they are started.
type endless struct{ count int }

func (e *endless) Transmit(_ context.Context, command []byte) ([]byte, error) {
	e.count++
	if command[1] != 0xA4 || command[4] != 5 {
		return []byte{0x69, 0x85}, nil
	}
	return unhex(file(fmt.Sprintf("%X%04X", command[5:10], e.count), "500141")), nil
}

func TestEndlessCard(t *testing.T) {
	var apps []emv.Application
	for i := range byte(64) {
		apps = append(apps, emv.Application{AID: []byte{0xA0, 0, 0, 0, i}, PartialSelect: true})
	}
	card := &endless{}
	_, out := begin(t, card, terminal(apps...), nil)
	if out.Decision != emv.Terminated || !strings.Contains(out.Reason, "more than 400 commands") || card.count != 400 {
		t.Errorf("%s: %s after %d commands", out.Decision, out.Reason, card.count)
	}
	card = &endless{}
	_, out = begin(t, card, terminal(apps[:3]...), nil)
	if want := 1 + 3*16 + 32; out.Decision != emv.Terminated || card.count != want {
		t.Errorf("%s: %s after %d commands, want %d: the PSE, 16 SELECTs for an AID, 32 candidates", out.Decision, out.Reason, card.count, want)
	}
}

// TestPSEOff: a terminal that does without the PSE tries its AIDs at once (Book 1, 12.3).
func TestPSEOff(t *testing.T) {
	p := terminal()
	p.Off = []emv.Feature{emv.FeaturePSE}
	card := newChip("", "00A404000E="+pseFound)
	_, out := begin(t, card, p, nil)
	if out.Decision != emv.Online || card.sent("00A404000E") != 0 || card.sent("00A4040007") != 2 {
		t.Errorf("%s: %v", out.Decision, card.said)
	}
}

// TestPriority: priority 1 to 15 first, those of one priority as the card brings them, those without one last; what wants a
// confirmation is not taken without a cardholder (Book 1, 12.2.3 and 12.4, steps 4 and 5).
func TestPriority(t *testing.T) {
	var apps []emv.Application
	answers := "00A404000E=" + pseFound + " 00B2=6A83 00B2010C="
	var entries []string
	for i, priority := range []string{"00", "0F", "02", "-", "02", "81", "01"} {
		aid := fmt.Sprintf("A0000000030%d", i)
		apps = append(apps, emv.Application{AID: unhex(aid)})
		entry := fmt.Sprintf("4F06%s50013%d", aid, i)
		if priority != "-" {
			entry += "8701" + priority
		}
		entries = append(entries, entry)
	}
	h := &picker{}
	begin(t, newChip("", answers+directory(entries...)), terminal(apps...), h)
	if got := strings.Join(h.lists, "/"); got != "5,6,2,4,1,0,3" {
		t.Errorf("offered in the order %s", got)
	}
	card := newChip("", answers+directory(entries...))
	begin(t, card, terminal(apps...), nil)
	card.wantSent(t, "00A4040006A00000000306 00A4040006A00000000302 00A4040006A00000000304 00A4040006A00000000301")
	if card.sent("00A4040006A00000000305") > 0 {
		t.Error("the application that wants a confirmation was taken without one")
	}
}

// TestNoOtherWithoutTheCardholder: after the cardholder's choice was refused by the card, the one that is left is not taken
// without him (Book 1, 12.4).
func TestNoOtherWithoutTheCardholder(t *testing.T) {
	apps := []emv.Application{{AID: unhex(visaAID), Scheme: "one"}, {AID: unhex("A0000000032010"), Scheme: "two"}}
	for name, refusal := range map[string]string{
		"to SELECT":                 " 00A4040007" + visaAID + "=" + file(visaAID, "500141870101") + ",6283",
		"by another name":           " 00A4040007" + visaAID + "=" + file(visaAID, "500141870101") + "," + file(visaAID+"01", "500141"),
		"by an FCI of no sense":     " 00A4040007" + visaAID + "=" + file(visaAID, "500141870101") + ",6F039000",
		"at GET PROCESSING OPTIONS": " 00A4040007" + visaAID + "=" + file(visaAID, "500141870101") + " 80A8=6985,80061C00080101009000",
	} {
		card := newChip("", "00A4040007A0000000032010="+file("A0000000032010", "500142870102")+refusal)
		h := &picker{labels: []string{"A"}}
		_, out := begin(t, card, terminal(apps...), h)
		if got := strings.Join(h.lists, " / "); got != "A,B / B" || out.Decision != emv.Terminated || card.sent("80AE") > 0 {
			t.Errorf("%s: %s: asked %q", name, out.Decision, got)
		}
	}
}

// TestTerminalAIDIsTheCardsName: 9F06 is the name that the card gave to the application selected, longer than the terminal's
// AID after a partial selection, and GET PROCESSING OPTIONS can already have it (Book 1, 12.4).
func TestTerminalAIDIsTheCardsName(t *testing.T) {
	app := emv.Application{AID: unhex("A000000003"), PartialSelect: true, Scheme: "visa"}
	found := file(visaAID, "5001419F38039F0607")
	card := newChip("", "00A4040005="+found+" 00A4040205=6A82 00A4040007"+visaAID+"="+found)
	_, out := begin(t, card, terminal(app), nil)
	wantTags(t, out.Data, "9F06="+visaAID+" 84="+visaAID+" 4F="+visaAID)
	card.wantSent(t, "80A80000098307"+visaAID)
}

// TestLanguageOfTheDirectory: language and code table of the PSE count for entries that have none (Book 1, 12.2.2).
func TestLanguageOfTheDirectory(t *testing.T) {
	pse := file("315041592E5359532E4444463031", "8801015F2D0461726672"+"9F110101")
	h := &holder{ok: true}
	begin(t, newChip("", "00A404000E="+pse+" 00B2=6A83 00B2010C="+directory("4F07"+visaAID+"5004564953418701819F12054361726420")), terminal(), h)
	if len(h.asked) != 1 || h.asked[0].Language != "arfr" || h.asked[0].CodeTable != 1 || h.asked[0].Label != "Card" {
		t.Errorf("%+v", h.asked)
	}
}

// TestDirectoryCountsAfterSelection: what only the directory says of language and code table holds for the application too; what
// the application says itself stands (Book 1, 12.2.2).
func TestDirectoryCountsAfterSelection(t *testing.T) {
	pse := file("315041592E5359532E4444463031", "8801015F2D0461726672"+"9F110101")
	for own, language := range map[string]string{"": "61726672", "5F2D02656E": "656E"} {
		card := newChip("", "00A404000E="+pse+" 00B2=6A83 00B2010C="+directory("4F07"+visaAID+"500456495341")+
			" 00A4040007"+visaAID+"="+file(visaAID, "5004564953419F120443617264"+own))
		_, out := begin(t, card, terminal(), nil)
		if out.Label != "Card" || fmt.Sprintf("%X", out.Data.Value(emv.TagLanguagePreference)) != language {
			t.Errorf("%q: label %q, language %X", own, out.Label, out.Data.Value(emv.TagLanguagePreference))
		}
	}
}

// TestDirectoryMatch: an entry joins the list when its name is the terminal's AID, or begins with one that allows it; of
// several rows the longest counts (Book 1, 12.3.1 and 12.3.2, step 3).
func TestDirectoryMatch(t *testing.T) {
	for name, c := range map[string]struct {
		partial bool
		entry   string
		want    string // scheme
	}{
		"the same name":                     {false, visaAID, "exact"},
		"a longer name":                     {true, visaAID + "01", "exact"},
		"a longer name, not allowed":        {false, visaAID + "01", "all"},
		"a shorter name":                    {true, "A0000000031020", "all"},
		"another name":                      {true, "A0000000041010", ""},
		"the beginning of a terminal's AID": {true, "A0000000", ""},
	} {
		apps := []emv.Application{{AID: unhex("A000000003"), PartialSelect: true, Scheme: "all"}, {AID: unhex(visaAID), PartialSelect: c.partial, Scheme: "exact"}}
		card := newChip("", "00A404000E="+pseFound+" 00A4=6A82 00B2=6A83 00B2010C="+directory(fmt.Sprintf("4F%02X%s500141", len(c.entry)/2, c.entry)))
		card.answer(card.answerOf("00B2010C") + "," + card.record())
		delete(card.answers, "00A4040007"+visaAID)
		card.answer(fmt.Sprintf("00A40400%02X%s=%s", len(c.entry)/2, c.entry, file(c.entry, "500141")))
		_, out := begin(t, card, terminal(apps...), nil)
		if out.Scheme != c.want || (out.Decision == emv.Online) != (c.want != "") {
			t.Errorf("%s: %s by %q: %s", name, out.Decision, out.Scheme, out.Reason)
		}
	}
}
