package contact_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"tillway/emv"
	"tillway/emv/cryptogram"
	"tillway/emv/tlv"
)

// TestSignedTagList: the Static Data Authentication Tag List names the AIP and nothing else, or not at all (Book 3, 10.3).
func TestSignedTagList(t *testing.T) {
	for list, want := range map[string]byte{"82": 0, "8282": 0x04, "5A": 0x04, "829F36": 0x04, "9F36": 0x04} {
		card := insertText(t, "like = \"oda-cda\"\n[[application]]\n[application.rsa.objects]\n\"9F4A\" = \""+list+"\"")
		_, out := begin(t, card, offline(t), nil)
		if tvr := out.Data.Value(emv.TagTVR)[0]; tvr != want || out.ODA.OK != (want == 0) {
			t.Errorf("%s: TVR %02X, %+v", list, tvr, out.ODA)
		}
		if said := strings.Contains(fmt.Sprint(out.Why), "Static Data Authentication Tag List"); said == (want == 0) {
			t.Errorf("%s: %v", list, out.Why)
		}
	}
}

// inside changes the objects of the template that an answer is.
func inside(template tlv.Tag, change func([]tlv.Item) []tlv.Item) func([]byte) []byte {
	return func(r []byte) []byte {
		items, err := tlv.Parse(r[:len(r)-2])
		if err != nil || len(items) != 1 || items[0].Tag != template {
			return r
		}
		inner, _ := tlv.Parse(items[0].Value)
		var body []byte
		for _, it := range change(inner) {
			body = tlv.Append(body, it.Tag, it.Value)
		}
		return append(tlv.Append(nil, template, body), r[len(r)-2:]...)
	}
}

// without leaves objects out.
func without(tags ...tlv.Tag) func([]tlv.Item) []tlv.Item {
	return func(items []tlv.Item) (kept []tlv.Item) {
		for _, it := range items {
			if !strings.Contains(fmt.Sprint(tags), it.Tag.String()) {
				kept = append(kept, it)
			}
		}
		return kept
	}
}

// TestCertificateLength: a certificate with a zero byte before it is the same number and no certificate.
func TestCertificateLength(t *testing.T) {
	longer := func(items []tlv.Item) []tlv.Item {
		for i, it := range items {
			if it.Tag == emv.TagICCPublicKeyCertificate {
				items[i].Value = append([]byte{0}, it.Value...)
			}
		}
		return items
	}
	_, out := begin(t, wedge{insert(t, "oda-cda"), 0xB2, inside(emv.TagReadRecordTemplate, longer)}, offline(t), nil)
	if tvr := out.Data.Value(emv.TagTVR)[0]; tvr != 0x04 {
		t.Errorf("TVR %02X: %v", tvr, out.Why)
	}
}

// TestInternalAuthenticate: what is no answer ends the transaction, before a cryptogram (Book 3, 6.5.9 and 8.1).
func TestInternalAuthenticate(t *testing.T) {
	for name, change := range map[string]func([]byte) []byte{
		"a warning":          func(r []byte) []byte { return append(r[:len(r)-2], 0x62, 0x00) },
		"an error with data": func(r []byte) []byte { return append(r[:len(r)-2], 0x6A, 0x88) },
		"no data":            func([]byte) []byte { return unhex("9000") },
		"no data object":     func([]byte) []byte { return unhex("77059F4B05AA9000") },
		"another template":   func([]byte) []byte { return unhex("70039F4B009000") },
		"two":                func(r []byte) []byte { return append(r[:len(r)-2], unhex("8001AA9000")...) },
		"no signature":       inside(emv.TagResponseFormat2, func([]tlv.Item) []tlv.Item { return []tlv.Item{{Tag: emv.TagATC, Value: []byte{0, 1}}} }),
	} {
		card := &heard{virtual: insert(t, "oda-dda")}
		_, out := begin(t, wedge{card, 0x88, change}, offline(t), nil)
		if out.Decision != emv.Terminated || card.asked("80AE", 4) != "" {
			t.Errorf("%s: %s (%s)", name, out.Decision, out.Reason)
		}
	}
	card := wedge{insert(t, "oda-dda"), 0x88, func([]byte) []byte { return unhex("8003AABBCC9000") }}
	if _, out := begin(t, card, offline(t), nil); out.Data.Value(emv.TagTVR)[0] != 0x08 {
		t.Errorf("a short signature: %v", out.Why)
	}
}

// TestCDAWithoutSignature: a TC or an ARQC that was asked for with a signature and has none is a failed CDA, in either format;
// what format 2 must have beside it ends the transaction when it is missing (Book 2, 6.6.1; Book 3, 6.5.5.4).
func TestCDAWithoutSignature(t *testing.T) {
	format1 := func(cid byte) func([]byte) []byte {
		return func([]byte) []byte { return append([]byte{0x80, 11, cid, 0, 17}, unhex("11223344556677889000")...) }
	}
	drop := func(tags ...tlv.Tag) func([]byte) []byte { return inside(emv.TagResponseFormat2, without(tags...)) }
	for _, r := range []struct {
		name, card string
		change     func([]byte) []byte
		want       emv.Decision
		tvr        byte
		ac         string
	}{
		{"TC in format 1", "oda-cda", format1(0x40), emv.Declined, 0x04, "80AE50"},
		{"ARQC in format 1", "cda-online", format1(0x80), emv.Declined, 0x04, "80AE50 80AE00"},
		{"AAC in format 1", "cda-declines", format1(0x00), emv.Declined, 0x00, "80AE50"},
		{"TC, no signature", "oda-cda", drop(emv.TagSignedDynamicApplicationData), emv.Declined, 0x04, "80AE50"},
		{"ARQC, no signature", "cda-online", drop(emv.TagSignedDynamicApplicationData), emv.Declined, 0x04, "80AE50 80AE00"},
		{"no CID", "oda-cda", drop(emv.TagCID), emv.Terminated, 0x00, "80AE50"},
		{"no ATC", "oda-cda", drop(emv.TagATC), emv.Terminated, 0x00, "80AE50"},
		{"issuer application data left out", "oda-cda", drop(emv.TagIssuerApplicationData), emv.Declined, 0x04, "80AE50"},
		{"AAC with a signature that is none", "cda-declines", inside(emv.TagResponseFormat2, func(items []tlv.Item) []tlv.Item {
			return append(items, tlv.Item{Tag: emv.TagSignedDynamicApplicationData, Value: make([]byte, 96)})
		}), emv.Declined, 0x00, "80AE50"},
		{"AAC without cryptogram", "cda-declines", drop(emv.TagApplicationCryptogram), emv.Terminated, 0x00, "80AE50"},
	} {
		first := true
		card := &heard{virtual: insert(t, r.card)}
		_, out := begin(t, wedge{card, 0xAE, func(b []byte) []byte {
			if !first {
				return b
			}
			first = false
			return r.change(b)
		}}, offline(t), nil)
		if tvr := out.Data.Value(emv.TagTVR)[0]; out.Decision != r.want || tvr != r.tvr || card.asked("80AE", 6) != r.ac {
			t.Errorf("%s: %s (%s), TVR %02X, sent %s: %v", r.name, out.Decision, out.Reason, tvr, card.asked("80AE", 6), out.Why)
		}
		if arc := string(out.Data.Value(emv.TagAuthorisationResponseCode)); r.tvr != 0 && arc != "Z1" {
			t.Errorf("%s: response code %s", r.name, arc)
		}
	}
}

// TestCIDIsSigned: bits of the CID beside the cryptogram's kind are signed as well (Book 2, 6.6.2, step 6).
func TestCIDIsSigned(t *testing.T) {
	card := insertText(t, "like = \"oda-cda\"\n[[application]]\n[application.rsa]\ndefects = [\"dynamic cid\"]")
	_, out := begin(t, card, offline(t), nil)
	if tvr := out.Data.Value(emv.TagTVR)[0]; out.Decision != emv.Declined || tvr != 0x04 {
		t.Errorf("%s, TVR %02X", out.Decision, tvr)
	}
	for _, w := range out.Why {
		if strings.Contains(w.Reason, "cryptogram information") {
			return
		}
	}
	t.Errorf("%v", out.Why)
}

// TestSignedPDOL: what GET PROCESSING OPTIONS brought the card is signed with the cryptogram, and the cryptogram is the one
// that the issuer's key confirms.
func TestSignedPDOL(t *testing.T) {
	card := insertText(t, "like = \"cda-online\"\n[[application]]\npdol = \"9F1A 02 9F35 01 9F02 06\"")
	txn, out := begin(t, card, offline(t), nil)
	if txn == nil || !out.ODA.OK {
		t.Fatalf("%s: %v", out.Decision, out.Why)
	}
	verifies := func(out emv.Outcome) {
		t.Helper()
		keys, err := cryptogram.ForCard(unhex(testIMK), "4761739001010119", "01")
		if err == nil {
			err = keys.Verify(out.Data)
		}
		if err != nil || len(out.Data.Value(emv.TagICCDynamicNumber)) != 8 {
			t.Errorf("cryptogram: %v", err)
		}
	}
	verifies(out)
	number := bytes.Clone(out.Data.Value(emv.TagICCDynamicNumber))
	out = complete(t, txn, emv.HostAnswer{Result: emv.HostApproved})
	if out.Decision != emv.Approved || !out.ODA.OK {
		t.Fatalf("%s: %v", out.Decision, out.Why)
	}
	verifies(out)
	if bytes.Equal(number, out.Data.Value(emv.TagICCDynamicNumber)) {
		t.Error("9F4C is the first signature's")
	}
}

// TestOfflineOnlyCDA: a terminal that is offline only and gets an ARQC decides without the issuer, at once, and has that
// cryptogram signed too, whatever the mode.
func TestOfflineOnlyCDA(t *testing.T) {
	p := fix(offline(t), "9F33=E008C8 9F35=23")
	p.TerminalType, p.CDAMode = 0x23, 3
	card := &heard{virtual: insert(t, "cda-online")}
	_, out := begin(t, card, p, nil)
	if got := card.asked("80AE", 6); got != "80AE50 80AE50" || out.Data.Value(emv.TagTVR)[0] != 0 {
		t.Errorf("%s, sent %s, TVR %X", out.Decision, got, out.Data.Value(emv.TagTVR))
	}
}

// TestAttackYesCard: a clone has the signed static data of a card, and says yes to every PIN and every request; what it cannot
// do is sign. No terminal approves it offline, whatever the profile's action codes are.
func TestAttackYesCard(t *testing.T) {
	for kind, want := range map[byte]struct {
		ac   string
		want emv.Decision
	}{0x21: {"80AE80", emv.Online}, 0x22: {"80AE80", emv.Online}, 0x23: {"80AE00", emv.Declined}} {
		p := fix(offline(t), fmt.Sprintf("9F33=E0B8C8 9F35=%02X", kind))
		p.TerminalType = kind
		card := &heard{virtual: insert(t, "oda-sda")}
		txn, out := begin(t, card, p, nil)
		if out.Decision != want.want || card.asked("80AE", 6) != want.ac || out.Data.Value(emv.TagTVR)[0] != 0x02 {
			t.Errorf("terminal %02X: %s, sent %s: %v", kind, out.Decision, card.asked("80AE", 6), out.Why)
		}
		if txn == nil {
			continue
		}
		if out = complete(t, txn, emv.HostAnswer{Result: emv.HostUnable}); out.Decision != emv.Declined || !strings.HasSuffix(card.asked("80AE", 6), "80AE00") {
			t.Errorf("terminal %02X, issuer not reached: %s", kind, out.Decision)
		}
	}
	// One that says TC where an ARQC was asked for gains nothing.
	yes := wedge{insert(t, "oda-sda"), 0xAE, func([]byte) []byte { return unhex("800B40001111223344556677889000") }}
	if _, out := begin(t, yes, offline(t), nil); out.Decision != emv.Terminated {
		t.Errorf("a TC where an ARQC was asked for: %s", out.Decision)
	}
}
