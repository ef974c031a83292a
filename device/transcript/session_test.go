package transcript_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"tillway/device"
	"tillway/device/emulator"
	"tillway/device/transcript"
	"tillway/emv"
	"tillway/emv/contact"
	"tillway/emv/tlv"
	"tillway/money"
	"tillway/terminal"
	"tillway/terminal/profile"
)

// chip is a card of the emulator without a reader between; at command number pull it is gone.
type chip struct {
	card *emulator.Card
	pull int
}

func (c *chip) Transmit(_ context.Context, command []byte) ([]byte, error) {
	if c.pull--; c.pull == 0 {
		return nil, device.ErrRemoved
	}
	if answer := c.card.Transmit(command); len(answer) >= 2 {
		return answer, nil
	}
	return nil, device.ErrRemoved
}

func ready(t *testing.T, name string, edit ...string) *chip {
	t.Helper()
	text, err := emulator.ReadyText(name)
	if err != nil {
		t.Fatal(err)
	}
	p, err := emulator.ParseProfile([]byte(strings.NewReplacer(edit...).Replace(string(text))))
	if err != nil {
		t.Fatal(err)
	}
	card := emulator.NewCard(p)
	card.Reset()
	return &chip{card: card}
}

func kuwait(t *testing.T) emv.Params {
	t.Helper()
	p, err := profile.Ready("kuwait")
	if err != nil {
		t.Fatal(err)
	}
	amount, err := money.Parse("10.525", p.Currency)
	if err != nil {
		t.Fatal(err)
	}
	params := p.Params(terminal.Order{Kind: terminal.KindSale, Amount: amount}, time.Date(2026, 11, 23, 9, 15, 7, 0, time.UTC), 1043)
	params.Random = rand.NewChaCha8([32]byte{7})
	return params
}

// customer takes the first application and has a pad for PINs.
type customer struct{ pin []byte }

func (customer) Choose(context.Context, []emv.Candidate) (int, bool, error) { return 0, true, nil }

func (customer) OnlinePIN(context.Context, emv.PINRequest) (emv.PINEntry, error) {
	return emv.PINEntered, nil
}

func (c customer) CardPIN(ctx context.Context, ask emv.CardPINRequest) (emv.CardPINAnswer, error) {
	answer, err := ask.Card.Transmit(ctx, append([]byte{0x00, 0x20, 0x00, 0x80, 0x08}, c.pin...))
	return emv.CardPINAnswer{Entry: emv.PINEntered, Response: answer}, err
}

// sell runs a transaction and returns what was recorded last.
func sell(t *testing.T, kernel transcript.Beginner, card emv.Card, params emv.Params, holder emv.Cardholder, answer *emv.HostAnswer) (transcript.Transcript, emv.Outcome, error) {
	t.Helper()
	var kept []transcript.Transcript
	k := transcript.Kernel{Kernel: kernel, Keep: func(tr transcript.Transcript) { kept = append(kept, tr) }}
	tx, out, err := k.Begin(t.Context(), card, params, holder)
	want := 1
	if tx != nil && answer != nil {
		want++
		out, err = tx.Complete(t.Context(), *answer)
	}
	if len(kept) != want {
		t.Fatalf("%d transcripts, want %d", len(kept), want)
	}
	return kept[len(kept)-1], out, err
}

func written(t *testing.T, tr transcript.Transcript, write func(transcript.Transcript, io.Writer) error) string {
	t.Helper()
	var b bytes.Buffer
	if err := write(tr, &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// What the terminal writes of a test card repeats the transaction, from the file alone: bytes, outcome, TVR, TSI, reasons.
func TestRecordedTransactionReplays(t *testing.T) {
	kernel := contact.New(contact.Config{})
	for _, row := range []struct {
		card   string
		pull   int
		holder emv.Cardholder
		answer *emv.HostAnswer
	}{
		{"credit", 0, customer{}, &emv.HostAnswer{Result: emv.HostApproved, ARC: [2]byte{'0', '0'}, IssuerData: []byte{0x91, 8, 1, 2, 3, 4, 5, 6, 7, 8}}},
		{"credit", 0, customer{}, &emv.HostAnswer{Result: emv.HostUnable}},
		{"credit", 0, nil, &emv.HostAnswer{Result: emv.HostDeclined, ARC: [2]byte{'0', '5'}}},
		{"credit", 0, customer{}, nil},
		{"debit", 0, customer{}, &emv.HostAnswer{Result: emv.HostApproved}},
		{"declines", 0, customer{}, nil},
		{"expired", 0, customer{}, nil},
		{"credit", 1, customer{}, nil},
		{"credit", 4, customer{}, nil},
		{"pulled", 0, customer{}, &emv.HostAnswer{Result: emv.HostApproved}},
	} {
		card := ready(t, row.card)
		card.pull = row.pull
		tr, out, err := sell(t, kernel, card, kuwait(t), row.holder, row.answer)
		text := written(t, tr, transcript.Transcript.Write)
		read, rerr := transcript.Read(strings.NewReader(text))
		if rerr != nil {
			t.Fatalf("%s: %v", row.card, rerr)
		}
		params, holder := read.Session.Play()
		answer, answered := read.Session.Answer()
		played := transcript.Strict(read)
		var host *emv.HostAnswer
		if answered {
			host = &answer
		}
		again, now, nerr := sell(t, kernel, played, params, holder, host)
		if cerr := played.Close(); cerr != nil {
			t.Errorf("%s: the replay leaves the recording: %v", row.card, cerr)
		}
		if (err == nil) != (nerr == nil) || !reflect.DeepEqual(now.Why, out.Why) || now.Decision != out.Decision {
			t.Errorf("%s: %s %v, and again %s %v", row.card, out.Decision, err, now.Decision, nerr)
		}
		if d := read.Session.Differences(now); len(d) > 0 {
			t.Errorf("%s: %v", row.card, d)
		}
		if second := written(t, again, transcript.Transcript.Write); second != text {
			t.Errorf("%s: recorded again it is\n%s\nnot\n%s", row.card, second, text)
		}
	}
}

// A replay sees a change of anything it was recorded with.
func TestReplaySeesDifferences(t *testing.T) {
	kernel := contact.New(contact.Config{})
	tr, out, err := sell(t, kernel, ready(t, "credit"), kuwait(t), customer{}, nil)
	if err != nil || len(tr.Session.Differences(out)) != 0 {
		t.Fatal(err, tr.Session.Differences(out))
	}
	params, holder := tr.Session.Play()
	params.Amount.Minor++
	if _, _, err := sell(t, kernel, transcript.Strict(tr), params, holder, nil); !errors.Is(err, transcript.ErrUnexpected) {
		t.Errorf("another amount: %v", err)
	}
	tr.Session.Random = nil
	short, holder := tr.Session.Play()
	if _, _, err := sell(t, kernel, transcript.Strict(tr), short, holder, nil); !errors.Is(err, transcript.ErrExhausted) {
		t.Errorf("no random numbers: %v", err)
	}
	for name, change := range map[string]func(*emv.Outcome){
		"decision": func(o *emv.Outcome) { o.Decision = emv.Declined },
		"tvr":      func(o *emv.Outcome) { o.Data.Put(emv.TagTVR, []byte{0, 0, 0, 0, 1}) },
		"tag gone": func(o *emv.Outcome) { o.Data.Delete(emv.TagTSI) },
		"reason":   func(o *emv.Outcome) { o.Why = slices.Clone(o.Why); o.Why[0].Reason += "." },
		"aid":      func(o *emv.Outcome) { o.AID = nil },
	} {
		other := out
		other.Data = out.Data.Clone()
		change(&other)
		if d := tr.Session.Differences(other); len(d) != 1 {
			t.Errorf("%s: %q", name, d)
		}
	}
}

// Of a real card nothing is written that leads to its account, nothing of it replays, and the file says so. The number is
// planted where a card may put one: in its own objects, in objects that are no secret, in ASCII, and in bytes that are no
// objects.
func TestMasked(t *testing.T) {
	const number, digits = "4539578763621486", "34353339353738373633363231343836"
	tr := transcript.Transcript{Interface: "contact", Session: &transcript.Session{
		Version: 1, Card: transcript.TestCard, Replayable: true, Unanswered: unhex("80AE80000C" + number + "00112233"),
		CardPINs: []transcript.CardPIN{{Entry: emv.PINEntered, Data: unhex(number), Commands: []transcript.Hex{unhex(number)}}},
		Host:     &transcript.Host{Result: emv.HostApproved, IssuerData: unhex("7208" + number)},
		Outcome: transcript.Outcome{
			Tags: map[string]string{"5A": number, "57": number + "D2812", "95": "8000008000", "9F1F": number, "DF01": number, "9F10": "06" + number},
			Why:  []emv.Why{{Bit: "data", Reason: "the card says " + number}},
		},
	}}
	for e := range strings.FieldsSeq("00A4040007A000000003101000=6F0984075649534100" + "0010" + "9000 " +
		"00B2010C00=70" + "25" + "5A08" + number + "5F24032812315F200A" + "4A4F484E2F444F452020" + "9F10080601" + number[:12] + "9000 " +
		"00B2020C00=7014" + "57" + "12" + number + "D28122010000000000" + "0F" + "9000 " +
		"00B2030C00=" + digits + "9000 00B2040C00=7012" + "5010" + digits + "9000 80AE800008" + number + "00=80" + "0B" + "80" + "0001" + number + "9000") {
		c, r, _ := strings.Cut(e, "=")
		tr.Exchanges = append(tr.Exchanges, transcript.Exchange{Command: unhex(c), Response: unhex(r)})
	}
	text := written(t, tr, transcript.Transcript.WriteMasked)
	for _, secret := range []string{number, digits, "4A4F484E", "281231", "D2812", "281220", "1234567D"} {
		if strings.Contains(text, secret) {
			t.Errorf("%s is in it:\n%s", secret, text)
		}
	}
	for _, kept := range []string{"real card, masked", `"replayable": false`, "00B2010C00", "00A4040007A0000000031010", "8000008000", "9000"} {
		if !strings.Contains(text, kept) {
			t.Errorf("no %s in\n%s", kept, text)
		}
	}
	if _, err := transcript.Read(strings.NewReader(text)); !errors.Is(err, transcript.ErrMasked) || !errors.Is(err, transcript.ErrFormat) {
		t.Errorf("a masked transcript is read: %v", err)
	}
	if tr.Session.Card != transcript.TestCard || len(tr.Session.CardPINs[0].Data) == 0 {
		t.Error("masking changed what it was given")
	}
}

// The plaintext PIN that a pad sends to the card is in no transcript, and one replays without it.
func TestPlaintextPINIsNotKept(t *testing.T) {
	pin := []byte{0x24, 0x12, 0x34, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}
	asks := beginner(func(ctx context.Context, card emv.Card, _ emv.Params, holder emv.Cardholder) (emv.Transaction, emv.Outcome, error) {
		answer, err := holder.CardPIN(ctx, emv.CardPINRequest{Card: card})
		out := emv.Outcome{Decision: emv.Declined}
		out.Data.Put(0xDF01, answer.Response)
		return nil, out, err
	})
	tr, out, err := sell(t, asks, transcript.Lenient(session("0020008000=63C2")), kuwait(t), customer{pin}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"complete": written(t, tr, transcript.Transcript.Write), "masked": written(t, tr, transcript.Transcript.WriteMasked)} {
		if strings.Contains(text, "241234") || !strings.Contains(text, "00200080") {
			t.Errorf("%s:\n%s", name, text)
		}
	}
	params, holder := tr.Session.Play()
	_, again, err := sell(t, asks, transcript.Strict(tr), params, holder, nil)
	if err != nil || len(tr.Session.Differences(again)) != 0 || !bytes.Equal(out.Data.Value(0xDF01), []byte{0x63, 0xC2}) {
		t.Errorf("%v %v", err, tr.Session.Differences(again))
	}
	var clear transcript.Transcript
	k := transcript.Kernel{Kernel: asks, Keep: func(tr transcript.Transcript) { clear = tr }, ClearPIN: true}
	if _, _, err := k.Begin(t.Context(), transcript.Lenient(session("0020008000=63C2")), kuwait(t), customer{pin}); err != nil {
		t.Fatal(err)
	}
	if text := written(t, clear, transcript.Transcript.Write); !strings.Contains(text, "241234") {
		t.Error("asked for, the PIN is not there")
	}
}

type beginner func(context.Context, emv.Card, emv.Params, emv.Cardholder) (emv.Transaction, emv.Outcome, error)

func (b beginner) Begin(ctx context.Context, c emv.Card, p emv.Params, h emv.Cardholder) (emv.Transaction, emv.Outcome, error) {
	return b(ctx, c, p, h)
}

// Whatever else a terminal brings to a transaction comes back out of a file: every field, also those of tomorrow.
func TestParamsKeepEveryField(t *testing.T) {
	var p emv.Params
	fillAny(t, reflect.ValueOf(&p).Elem(), "Params")
	text, err := json.Marshal(transcript.Params{Params: p})
	if err != nil {
		t.Fatal(err)
	}
	var back transcript.Params
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	if !reflect.DeepEqual(back.Params, p) {
		t.Errorf("it was\n%+v\nand is\n%+v", p, back.Params)
	}
	for _, bad := range []string{`{"amount":1}`, `{"time":"yesterday"}`, `{"unknown":1}`, `{"capabilities":"00"}`, `{"cda_mode":"1"}`, `{"fixed":{"ZZ":"00"}}`, `{"applications":{}}`, `[]`, `{"force_online":1}`} {
		if err := json.Unmarshal([]byte(bad), &back); !errors.Is(err, transcript.ErrFormat) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// fillAny gives every field a value that is not zero. Interfaces are what a session records answers of.
func fillAny(t *testing.T, v reflect.Value, name string) {
	t.Helper()
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.Date(2026, 11, 23, 9, 15, 7, 5, time.UTC)))
		return
	case v.Kind() == reflect.Interface:
		if !slices.Contains([]string{"Params.Random", "Params.History", "Params.ExceptionFile", "Params.Offline"}, name) {
			t.Errorf("%s is an interface: a session has to record what it answers", name)
		}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fillAny(t, v.Field(i), name+"."+v.Type().Field(i).Name)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fillAny(t, v.Index(0), name+"[]")
		fillAny(t, v.Index(1), name+"[]")
	case reflect.Array:
		for i := range v.Len() {
			v.Index(i).SetUint(uint64(i + 1))
		}
	case reflect.Map:
		v.Set(reflect.ValueOf(map[tlv.Tag][]byte{emv.TagUnpredictableNumber: {1, 2, 3, 4}}))
	case reflect.String:
		v.SetString("some <text>")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(-7)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		v.SetUint(200)
	default:
		t.Fatalf("%s: a %s has no form in a transcript yet", name, v.Type())
	}
}

// The ready cards are test cards; a number outside the published ones, however near, is not.
func TestTestNumbers(t *testing.T) {
	for number, want := range map[string]bool{
		"4761739001010119": true, "5413330089604111": true, "6210948000000011": true,
		"4539578763621486": false, "4761730000000011": false, "476173900101011": false, "47617390010101190": false, "5413330000000000": false,
	} {
		pan, err := emv.NewPAN(number)
		if err != nil {
			t.Fatal(err)
		}
		if got := transcript.IsTestNumber(pan); got != want {
			t.Errorf("%s: %t", pan, got)
		}
	}
	if transcript.IsTestNumber(emv.PAN{}) {
		t.Error("no number is a test card's")
	}
}

// However a session is printed, no card data and no PIN is in it.
func TestSessionMasks(t *testing.T) {
	const number = "4761739001010119"
	s := &transcript.Session{
		Unanswered: unhex(number), CardPINs: []transcript.CardPIN{{Data: unhex(number), Commands: []transcript.Hex{unhex(number)}}},
		Host: &transcript.Host{IssuerData: unhex(number)}, Outcome: transcript.Outcome{Decision: emv.Online, Tags: map[string]string{"5A": number}},
	}
	var log bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%X", "%q", "%d"} {
		for _, v := range []any{s, *s, s.Outcome, s.CardPINs, s.Unanswered, transcript.Transcript{Session: s}} {
			fmt.Fprintf(&log, verb+"\n", v)
		}
	}
	for _, l := range []*slog.Logger{slog.New(slog.NewTextHandler(&log, nil)), slog.New(slog.NewJSONHandler(&log, nil))} {
		l.Info("session", "session", *s, "pointer", s, "outcome", s.Outcome, "pin", s.CardPINs[0], "host", s.Host, "command", s.Unanswered,
			"transcript", transcript.Transcript{Session: s}, "exchange", transcript.Exchange{Command: unhex(number)})
	}
	if text := log.String(); strings.Contains(text, number) || strings.Contains(text, "71 97 115") {
		t.Error(text)
	}
}

// The ready cards of the emulator count as test cards, those at least that sell: of them a developer's terminal keeps what can
// be replayed.
func TestReadyCardsAreTestCards(t *testing.T) {
	kernel := contact.New(contact.Config{})
	for _, name := range []string{"credit", "debit", "expired", "declines", "pulled", "oda-cda", "pin-plain"} {
		tr, _, err := sell(t, kernel, ready(t, name), kuwait(t), customer{}, nil)
		if err != nil || !tr.OfTestCard() {
			t.Errorf("%s: %v: %s is not among the test numbers, see testcards.go", name, err, tr.Session.PAN)
		}
	}
	if tr, _, err := sell(t, kernel, ready(t, "credit", "4761739001010119", "4539578763621486"), kuwait(t), customer{}, nil); err != nil || tr.OfTestCard() {
		t.Errorf("a number of another range counts as a test card's: %v", err)
	}
}
