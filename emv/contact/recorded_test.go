package contact_test

import (
	"context"
	"errors"
	"testing"

	"tillway/device/transcript"
	"tillway/emv"
	"tillway/emv/contact"
	"tillway/emv/cryptogram"
)

// testIMK is the issuer master key of published test cards.
const testIMK = "2315208C9110AD402315208C9110AD40"

// The session of a Visa test card: without offline data authentication, EXTERNAL AUTHENTICATE refused with 6700, and two
// cryptograms that the issuer's key confirms.
func TestRecordedVisa(t *testing.T) {
	p := fix(terminal(), "9F02=000000001000 9F1A=0036 5F2A=0036 9A=120316 9C=00")
	rec := transcript.NewRecorder(transcript.Lenient(recorded(t, "bertlv-contact-visa.json")))
	txn, out := begin(t, rec, p, nil)
	if out.Decision != emv.Online || out.Label != "VISA TEST" || out.Scheme != "visa" || out.Method != emv.NoCVM || out.ODA.Method != "none" {
		t.Fatalf("%+v", out)
	}
	wantTags(t, out.Data, "4F=A0000000031010 84=A0000000031010 9F06=A0000000031010 50=564953412054455354 82=1C00 "+
		"94=080101001001010018030400 57=4761340000000050D171220112523451 5A=4761340000000050 5F24=171231 "+
		"8E=0000000000000000410342031E031F02 95=8000008000 9B=6800 9F27=80 9F36=0029 9F26=7CB3BA090724C524 "+
		"9F37=D3173A1F 9F34=1F0202 9F10=06010A03A4B8000F112233445566778899AABBCCDDEEFF 5F36=03 9F21=094107 9F41=00000042 "+
		"9F39=05 9F33=E00800 9F35=21 9F1E=3132333435363738 9F09=008C 8A=-")
	wantWhy(t, out.Why, "TVR byte 1 bit 8")
	wantWhy(t, out.Why, "TVR byte 4 bit 8")
	keys, err := cryptogram.ForCard(unhex(testIMK), "4761340000000050", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := keys.Verify(out.Data); err != nil {
		t.Errorf("ARQC: %v", err)
	}

	out = complete(t, txn, emv.HostAnswer{Result: emv.HostApproved, IssuerData: unhex("91081122334455667788")})
	if out.Decision != emv.Approved {
		t.Errorf("%+v", out)
	}
	wantTags(t, out.Data, "8A=3030 95=8000008040 9B=7800 9F27=40 9F26=BB31D191BCED0CF2 9F10=06010A0364BC00")
	wantWhy(t, out.Why, "TVR byte 5 bit 7")
	if err := keys.Verify(out.Data); err != nil {
		t.Errorf("TC: %v", err)
	}
	_, err = txn.Complete(t.Context(), emv.HostAnswer{Result: emv.HostApproved})
	if !errors.Is(err, contact.ErrCompleted) {
		t.Errorf("second Complete: %v", err)
	}
	wantCommands(t, rec.Transcript(), "80AE80001D00000000100000000000000000368000008000003612031600D3173A1F00",
		"00820000081122334455667788", "80AE40001F303000000000100000000000000000368000008040003612031600D3173A1F00")
	replays(t, rec.Transcript(), p, nil)
}

// The session of a UnionPay test card. The recorded terminal authenticated the card and took a signature; this one does
// neither, and its TVR and CVM results say so. The card's data, counters and answers are the same.
func TestRecordedUnionPay(t *testing.T) {
	var apps []emv.Application
	for _, aid := range []string{"A000000333010101", "A000000333010102"} {
		apps = append(apps, emv.Application{AID: unhex(aid), Scheme: "unionpay", Version: [2]byte{0, 0x20}})
	}
	p := fix(terminal(apps...), "9F02=000000006580 9F1A=0036 5F2A=0036 9A=150316 9C=00 9F37=3510540E 9F21=160136 9F4E=0000")
	holder := &second{}
	rec := transcript.NewRecorder(transcript.Lenient(recorded(t, "bertlv-contact-upi.json")))
	txn, out := begin(t, rec, p, holder)
	if out.Decision != emv.Online || out.Label != "UICC CREDIT" || len(holder.asked) != 2 || len(holder.asked[0]) != 2 || len(holder.asked[1]) != 1 {
		t.Fatalf("%+v, asked %v", out, holder.asked)
	}
	wantTags(t, out.Data, "4F=A000000333010102 82=7C00 5F24=301031 5F34=01 9F36=0006 9F13=0001 9F14=7F 9F23=FF "+
		"95=8000008000 9F34=1F0002 9F26=B04398D218017BF9 9F27=80 5F2D=636E 9F61=-")
	out = complete(t, txn, emv.HostAnswer{Result: emv.HostApproved, IssuerData: unhex("91081122334455667788")})
	if out.Decision != emv.Approved {
		t.Errorf("%+v", out)
	}
	wantTags(t, out.Data, "9F26=E5869B494D460AB4 9F27=40 95=8000008040 9B=7800")
	replays(t, rec.Transcript(), p, &second{})
}

// A whole T=0 session: 61xx and 6Cxx are the reader's business, so the transcript is joined first.
func TestRecordedFullSession(t *testing.T) {
	app := emv.Application{AID: unhex("AFFFFFFFFF1234"), Scheme: "test", Version: [2]byte{0, 0x96}}
	p := fix(terminal(app), "9F02=000000000001 9F1A=0246 5F2A=0978 9A=200724 9C=21 9F37=01234567")
	rec := transcript.NewRecorder(transcript.Lenient(recorded(t, "emvpt-full-session.json")))
	txn, out := begin(t, rec, p, nil)
	if out.Decision != emv.Online || out.Label != "VESA" {
		t.Fatalf("%+v", out)
	}
	wantTags(t, out.Data, "82=3C00 5A=1234560012345608 9F26=B0189101D11416C1 9F27=80 9F36=00F3 95=8040008000 9F34=1F0002")
	out = complete(t, txn, emv.HostAnswer{Result: emv.HostApproved, ARC: [2]byte{'Y', '3'}, IssuerData: unhex("91081234567812345678")})
	if out.Decision != emv.Approved {
		t.Errorf("%+v", out)
	}
	wantTags(t, out.Data, "8A=5933 9F27=40 9F10=06010A03A4A002 9B=7800")
	wantCommands(t, rec.Transcript(), "00820000081234567812345678")
	replays(t, rec.Transcript(), p, nil)
}

// Masked dumps of real cards: what they refuse ends the transaction and nothing else.
func TestRecordedRefusals(t *testing.T) {
	cb := emv.Application{AID: unhex("A0000000421010"), Scheme: "cb"}
	for name, want := range map[string]struct {
		reason string
		aid    string
	}{
		"devnied-FailErrorCard.json":    {"card and terminal have no application in common", ""}, // 6985 to GET PROCESSING OPTIONS
		"devnied-LockedCard.json":       {"card and terminal have no application in common", ""}, // 6985 to SELECT
		"devnied-GeldKartePpse.json":    {"card and terminal have no application in common", ""},
		"devnied-VisaCardPse.json":      {"READ RECORD 1 of file 2: card answered 6A83: record not found", "A0000000421010"},
		"devnied-wrapperTestSW_61.json": {"card and terminal have no application in common", ""},
		"devnied-wrapperTestSW_6C.json": {"card and terminal have no application in common", ""},
		"bertlv-contact-visa.json":      {"card and terminal have no application in common", ""},
		"bertlv-contact-upi.json":       {"card and terminal have no application in common", ""},
		"emvpt-full-session.json":       {"card and terminal have no application in common", ""},
	} {
		_, out := begin(t, transcript.Lenient(recorded(t, name)), terminal(cb), nil)
		decision := emv.OtherInterface // nothing on the list: another way of reading the card is open
		if want.aid != "" || name == "devnied-FailErrorCard.json" {
			decision = emv.Terminated
		}
		if out.Decision != decision || out.Reason != want.reason || string(out.AID) != string(unhex(want.aid)) {
			t.Errorf("%s: %s: %s (%X)", name, out.Decision, out.Reason, out.AID)
		}
	}
}

// second is a cardholder who takes the second application, and the first when it is the only one left.
type second struct{ asked [][]emv.Candidate }

func (*second) OnlinePIN(context.Context, emv.PINRequest) (emv.PINEntry, error) {
	return emv.PINPadMissing, nil
}

func (*second) CardPIN(context.Context, emv.CardPINRequest) (emv.CardPINAnswer, error) {
	return emv.CardPINAnswer{Entry: emv.PINPadMissing}, nil
}

func (s *second) Choose(_ context.Context, c []emv.Candidate) (int, bool, error) {
	s.asked = append(s.asked, c)
	return len(c) - 1, true, nil
}

// failing is a source of random numbers that has none.
type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errNoRandom }

var errNoRandom = errors.New("no entropy")

func wantCommands(t *testing.T, tr transcript.Transcript, commands ...string) {
	t.Helper()
	i := 0
	for _, e := range tr.Exchanges {
		if i < len(commands) && string(e.Command) == string(unhex(commands[i])) {
			i++
		}
	}
	if i != len(commands) {
		t.Errorf("command %s was not sent, or not in this order", commands[i])
	}
}

// replays runs what was recorded again, strictly: the same parameters give the same bytes.
func replays(t *testing.T, tr transcript.Transcript, p emv.Params, holder emv.Cardholder) {
	t.Helper()
	p.Random = failing{}
	if _, fixed := p.Fixed[emv.TagUnpredictableNumber]; !fixed {
		p.Random = terminal().Random
	}
	card := transcript.Strict(tr)
	if txn, _ := begin(t, card, p, holder); txn == nil {
		t.Error("the second run decided otherwise")
	}
}
