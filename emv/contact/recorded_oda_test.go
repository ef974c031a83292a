package contact_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"tillway/device/transcript"
	"tillway/emv"
	"tillway/emv/oda"
)

// authorities are the public keys under which the recorded cards' certificates stand.
func authorities(t testing.TB) emv.CAKeys {
	t.Helper()
	b, err := os.ReadFile("testdata/authorities.json")
	if err != nil {
		t.Fatal(err)
	}
	f, err := oda.ParseKeys(b, oda.Test)
	if err != nil || len(f.Keys) != 2 {
		t.Fatalf("%d keys: %v", len(f.Keys), err)
	}
	return f.CAKeys
}

// unionPay is the terminal of the recorded UnionPay session, with the two unpredictable numbers that it drew: one for
// INTERNAL AUTHENTICATE, one for GENERATE AC.
func unionPay(t testing.TB, capabilities, set string) emv.Params {
	t.Helper()
	var apps []emv.Application
	for _, aid := range []string{"A000000333010101", "A000000333010102"} {
		apps = append(apps, emv.Application{AID: unhex(aid), Scheme: "unionpay", Version: [2]byte{0, 0x20}})
	}
	p := fix(terminal(apps...), "9F02=000000006580 9F1A=0036 5F2A=0036 9A=150316 9C=00 9F21=160136 9F4E=0000 9F33="+capabilities+" "+set)
	p.CAKeys = authorities(t)
	p.Random = bytes.NewReader(unhex("7863AFC6 3510540E 00000000"))
	return p
}

// TestRecordedDDA authenticates a UnionPay test card whose session and certificates others made, byte for byte as its terminal
// did: the same command, the same TVR and TSI.
func TestRecordedDDA(t *testing.T) {
	rec := transcript.NewRecorder(transcript.Lenient(recorded(t, "bertlv-contact-upi.json")))
	p := unionPay(t, "E020C8", "")
	txn, out := begin(t, rec, p, &second{})
	if txn == nil || out.ODA != (emv.ODA{Method: "dda", OK: true}) {
		t.Fatalf("%s %+v: %v", out.Decision, out.ODA, out.Why)
	}
	wantTags(t, out.Data, "95=0000008000 9B=E800 9F22=09 9F37=3510540E 9F26=B04398D218017BF9")
	if n := len(out.Data.Value(emv.TagICCDynamicNumber)); n < 2 {
		t.Errorf("dynamic number of %d bytes", n)
	}
	wantCommands(t, rec.Transcript(), "00880000047863AFC600")
}

func TestRecordedSDA(t *testing.T) {
	_, out := begin(t, transcript.Lenient(recorded(t, "bertlv-contact-upi.json")), unionPay(t, "E02080", ""), &second{})
	if out.ODA != (emv.ODA{Method: "sda", OK: true}) {
		t.Fatalf("%+v: %v", out.ODA, out.Why)
	}
	wantTags(t, out.Data, "95=0200008000 9B=E800 9F37=7863AFC6")
	if n := len(out.Data.Value(emv.TagDataAuthenticationCode)); n != 2 {
		t.Errorf("data authentication code of %d bytes", n)
	}
}

// TestRecordedWithoutAIP takes the card's AIP out of the data that its issuer signed: the tag list is in a signed record, so
// it cannot name nothing, and without the AIP the signature is not valid.
func TestRecordedWithoutAIP(t *testing.T) {
	for capabilities, want := range map[string]string{"E02080": "95=4200008000 9B=E800", "E02040": "95=0800008000 9B=E800"} {
		tr := recorded(t, "bertlv-contact-upi.json")
		for i, e := range tr.Exchanges {
			if e.Command[1] == 0xB2 {
				tr.Exchanges[i].Response = bytes.Replace(e.Response, unhex("9F4A0182"), unhex("9F7A0182"), 1)
			}
		}
		_, out := begin(t, transcript.Lenient(tr), unionPay(t, capabilities, ""), &second{})
		wantTags(t, out.Data, want)
		if out.ODA.OK {
			t.Errorf("%+v", out.ODA)
		}
	}
}

// TestRecordedLastDay: the recorded card's certificates end in December 2030.
func TestRecordedLastDay(t *testing.T) {
	for day, want := range map[string]string{"301231": "9B=E800", "310101": "9B=E800"} {
		_, out := begin(t, transcript.Lenient(recorded(t, "bertlv-contact-upi.json")), unionPay(t, "E02040", "9A="+day), &second{})
		wantTags(t, out.Data, want)
		if out.ODA.OK != (day == "301231") || (out.Data.Value(emv.TagTVR)[0] == 0x08) == out.ODA.OK {
			t.Errorf("%s: %+v, TVR %X", day, out.ODA, out.Data.Value(emv.TagTVR))
		}
	}
}

// TestRecordedFullSessionDDA authenticates the card of mrautio/emvpt's whole session.
func TestRecordedFullSessionDDA(t *testing.T) {
	app := emv.Application{AID: unhex("AFFFFFFFFF1234"), Scheme: "test", Version: [2]byte{0, 0x96}}
	p := fix(terminal(app), "9F02=000000000001 9F1A=0246 5F2A=0978 9A=200724 9C=21 9F37=01234567 9F33=E000C0")
	p.CAKeys = authorities(t)
	rec := transcript.NewRecorder(transcript.Lenient(recorded(t, "emvpt-full-session.json")))
	_, out := begin(t, rec, p, nil)
	if out.ODA != (emv.ODA{Method: "dda", OK: true}) {
		t.Fatalf("%+v: %v", out.ODA, out.Why)
	}
	wantTags(t, out.Data, "9F22=92")
	if tvr := out.Data.Value(emv.TagTVR); tvr[0] != 0 {
		t.Errorf("TVR %X", tvr)
	}
	wantCommands(t, rec.Transcript(), "00880000040123456700")

	p.CAKeys.Keys = p.CAKeys.Keys[:1]
	_, out = begin(t, transcript.Lenient(recorded(t, "emvpt-full-session.json")), p, nil)
	if out.ODA.OK || out.Data.Value(emv.TagTVR)[0] != 0x08 || out.Data.Value(emv.TagTSI)[0]&0x80 == 0 {
		t.Errorf("without the authority's key: %+v, TVR %X, TSI %X", out.ODA, out.Data.Value(emv.TagTVR), out.Data.Value(emv.TagTSI))
	}
	for _, w := range out.Why {
		if strings.Contains(w.Reason, "INTERNAL AUTHENTICATE") {
			t.Errorf("%v", w)
		}
	}
}
