package contact_test

import (
	"testing"

	"tillway/device/transcript"
	"tillway/emv"
)

// The UnionPay test card was read by a terminal that took a signature: its CVM Results went to the card in CDOL1, and are
// those that this kernel works out with the same capabilities (Book 4, 6.3.4.4 and 6.3.4.5).
func TestRecordedSignature(t *testing.T) {
	app := emv.Application{AID: unhex("A000000333010102"), Scheme: "unionpay", Version: [2]byte{0, 0x20}}
	p := fix(terminal(app), "9F02=000000006580 9F1A=0036 5F2A=0036 9A=150316 9C=00 9F37=3510540E 9F21=160136 9F4E=0000 9F33=E0F8C8")
	session := recorded(t, "bertlv-contact-upi.json")
	_, out := begin(t, transcript.Lenient(session), p, &keypad{})
	wantTags(t, out.Data, "9F34=5E0300")
	if out.Method != emv.Signature || !out.SignatureDue {
		t.Errorf("method %q, signature due %t", out.Method, out.SignatureDue)
	}
	for _, e := range session.Exchanges {
		if e.Command[1] == 0xAE && e.Command[2] == 0x80 { // the last three bytes before Le are 9F34
			if end := e.Command[len(e.Command)-4 : len(e.Command)-1]; string(end) != string(out.Data.Value(emv.TagCVMResults)) {
				t.Errorf("the recorded terminal's CVM Results are %X", end)
			}
			return
		}
	}
	t.Error("the recording has no GENERATE AC")
}

// The emvpt test card was given its PIN in plaintext: this kernel's VERIFY is the recorded one, byte for byte, and the card
// takes it (Book 3, 6.5.12).
func TestRecordedPlaintextPIN(t *testing.T) {
	p := fix(terminal(emv.Application{AID: unhex("AFFFFFFFFF1234"), Version: [2]byte{0, 1}}), "9A=200724 9F33=E0E8C8")
	rec := transcript.NewRecorder(transcript.Lenient(recorded(t, "emvpt-full-session.json")))
	_, out := begin(t, rec, p, &keypad{words: []string{"1234"}})
	wantTags(t, out.Data, "9F34=410302 8E=00000000000000000201440341031E0302031F00")
	if out.Method != emv.OfflinePIN || out.SignatureDue {
		t.Errorf("method %q, signature due %t", out.Method, out.SignatureDue)
	}
	wantCommands(t, rec.Transcript(), "0020008008241234FFFFFFFFFF")
}
