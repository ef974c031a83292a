package transcript_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tillway/device/transcript"
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// session makes a transcript of "command=response" pairs.
func session(pairs string) transcript.Transcript {
	t := transcript.Transcript{Interface: "contact"}
	for p := range strings.FieldsSeq(pairs) {
		c, r, _ := strings.Cut(p, "=")
		t.Exchanges = append(t.Exchanges, transcript.Exchange{Command: unhex(c), Response: unhex(r)})
	}
	return t
}

func pairs(t transcript.Transcript) string {
	var out []string
	for _, e := range t.Exchanges {
		out = append(out, fmt.Sprintf("%s=%s", strings.ToUpper(hex.EncodeToString(e.Command)), strings.ToUpper(hex.EncodeToString(e.Response))))
	}
	return strings.Join(out, " ")
}

func read(t *testing.T, name string) transcript.Transcript {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	tr, err := transcript.Read(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func TestReadAndWrite(t *testing.T) {
	tr := read(t, "bertlv-contact-visa.json")
	if tr.Interface != "contact" || len(tr.Exchanges) != 16 {
		t.Fatalf("%q, %d exchanges", tr.Interface, len(tr.Exchanges))
	}
	var b bytes.Buffer
	if err := tr.Write(&b); err != nil {
		t.Fatal(err)
	}
	again, err := transcript.Read(&b)
	if err != nil || pairs(again) != pairs(tr) || again.Interface != tr.Interface {
		t.Errorf("%v", err)
	}
	text, err := json.Marshal(tr)
	if err != nil {
		t.Fatal(err)
	}
	again, err = transcript.Read(bytes.NewReader(text))
	if err != nil || pairs(again) != pairs(tr) {
		t.Errorf("as part of another JSON text: %v", err)
	}
}

func TestReadRefuses(t *testing.T) {
	for name, in := range map[string]string{
		"nothing":         "",
		"a list":          "[]",
		"no exchanges":    `{"interface":"contact","exchanges":[]}`,
		"not hex":         `{"exchanges":[{"c":"0G","r":"9000"}]}`,
		"half a byte":     `{"exchanges":[{"c":"0","r":"9000"}]}`,
		"no status":       `{"exchanges":[{"c":"00A4","r":"90"}]}`,
		"answer not hex":  `{"exchanges":[{"c":"00A4","r":"zzzz"}]}`,
		"answer missing":  `{"exchanges":[{"c":"00A4"}]}`,
		"command long":    `{"exchanges":[{"c":"` + strings.Repeat("00", 262) + `","r":"9000"}]}`,
		"answer long":     `{"exchanges":[{"c":"00","r":"` + strings.Repeat("00", 259) + `"}]}`,
		"a number":        `{"exchanges":[{"c":1,"r":"9000"}]}`,
		"too many":        `{"exchanges":[` + strings.Repeat(`{"c":"","r":"9000"},`, transcript.MaxExchanges) + `{"c":"","r":"9000"}]}`,
		"too large":       strings.Repeat(" ", transcript.MaxFile+1),
		"something after": `{"exchanges":[{"c":"00","r":"9000"}]} {`,
	} {
		if tr, err := transcript.Read(strings.NewReader(in)); !errors.Is(err, transcript.ErrFormat) {
			t.Errorf("%s: %d exchanges, %v", name, len(tr.Exchanges), err)
		}
	}
}

// Printing shows no card data.
func TestExchangeMasks(t *testing.T) {
	e := session("00B2010C00=5A0847617390010101199000").Exchanges[0]
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%X", "%q", "%d"} {
		for _, v := range []any{e, &e, []transcript.Exchange{e}, transcript.Transcript{Exchanges: []transcript.Exchange{e}}} {
			if s := fmt.Sprintf(verb, v); strings.Contains(strings.ToUpper(s), "4761739") || strings.Contains(s, "71 97") {
				t.Errorf("%s of %T prints %s", verb, v, s)
			}
		}
	}
}

// What the T=0 scripts of emv-utils and two recorded sessions are to a kernel (Book 1, Annex A).
func TestJoined(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("testdata", "emv-utils-emulated.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Files map[string][]struct {
			Name      string          `json:"name"`
			Mode      string          `json:"mode"`
			Exchanges json.RawMessage `json:"exchanges"`
		} `json:"files"`
	}
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"test_pcsc_case_1_normal":          "12345678=9000",
		"test_pcsc_case_2_normal":          "00B2010C00=701A61184F07A0000000031010500A564953412044454249548701019000",
		"test_pcsc_case_2_error_late":      "00B2010C00=6581",
		"test_pcsc_case_3_error":           "0082000004DEADBEEF=6A81",
		"test_pcsc_case_4_error_early":     "00A404000E315041592E5359532E444446303100=6A82",
		"test_pcsc_case_2_normal_advanced": "00B2010C00=701A61184F07A0000000031010500A564953412044454249548701019000",
		"test_pcsc_case_4_warning1":        "00A404000E315041592E5359532E444446303100=6F24840E315041592E5359532E4444463031A5128801015F2D08656E6573667264659F1101016286",
	}
	seen := 0
	for _, s := range file.Files["emv_ttl_pcsc_test.c"] {
		var tr transcript.Transcript
		if err := json.Unmarshal(s.Exchanges, &tr.Exchanges); err != nil {
			t.Fatal(err)
		}
		if got := pairs(tr.Joined()); got != want[s.Name] {
			t.Errorf("%s: %s, want %s", s.Name, got, want[s.Name])
		}
		seen++
	}
	if seen != len(want) {
		t.Errorf("%d scripts, want %d", seen, len(want))
	}
	for _, e := range read(t, "emvpt-full-session.json").Joined().Exchanges {
		if e.Command[1] == 0xC0 || e.Response[len(e.Response)-2] == 0x61 || e.Response[len(e.Response)-2] == 0x6C {
			t.Errorf("%v is left", e)
		}
	}
	if got := pairs(read(t, "devnied-wrapperTestSW_6C.json").Joined()); strings.Count(got, "=") != 1 {
		t.Error(got)
	}
	for _, unlike := range []string{
		"00B2010C00=6C1C 00B2020C1C=9000",         // another record
		"00B2010C00=6110 00B2020C00=9000",         // no GET RESPONSE
		"00A4040000=6A82 00C0000010=9000",         // nothing announced
		"00A4040000=01026283 00C0000010=01029000", // data are there already
	} {
		if got := pairs(session(unlike).Joined()); got != unlike {
			t.Errorf("%s became %s", unlike, got)
		}
	}
}

func ask(t *testing.T, p *transcript.Player, command string) string {
	t.Helper()
	r, err := p.Transmit(t.Context(), unhex(command))
	if err != nil {
		return err.Error()
	}
	return strings.ToUpper(hex.EncodeToString(r))
}

func TestStrict(t *testing.T) {
	tr := session("00A40400=9000 80CA9F3600=9F360200019000")
	p := transcript.Strict(tr)
	if got := ask(t, p, "00A40400"); got != "9000" {
		t.Error(got)
	}
	if err := p.Close(); !errors.Is(err, transcript.ErrLeftover) {
		t.Errorf("one left: %v", err)
	}
	if got := ask(t, p, "80CA9F3600"); got != "9F360200019000" || p.Close() != nil {
		t.Error(got, p.Close())
	}
	if _, err := p.Transmit(t.Context(), unhex("80CA9F3600")); !errors.Is(err, transcript.ErrUnexpected) || !errors.Is(p.Close(), transcript.ErrUnexpected) {
		t.Errorf("after the last: %v", err)
	}

	p = transcript.Strict(tr)
	if _, err := p.Transmit(t.Context(), unhex("80CA9F3600")); !errors.Is(err, transcript.ErrUnexpected) || !strings.Contains(err.Error(), "the first that differs is byte 1") {
		t.Errorf("out of order: %v", err)
	}
	if _, err := p.Transmit(t.Context(), unhex("00A40400")); !errors.Is(err, transcript.ErrUnexpected) {
		t.Errorf("after a refusal: %v", err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := transcript.Strict(tr).Transmit(ctx, unhex("00A40400")); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// An answer that is changed by who got it is not changed in the transcript.
func TestAnswersAreCopies(t *testing.T) {
	for _, player := range []func(transcript.Transcript) *transcript.Player{transcript.Strict, transcript.Lenient} {
		tr := session("00A40400=9000")
		r, err := player(tr).Transmit(t.Context(), unhex("00A40400"))
		if err != nil {
			t.Fatal(err)
		}
		r[0] = 0
		if got := pairs(tr); got != "00A40400=9000" {
			t.Error(got)
		}
	}
}

func TestLenient(t *testing.T) {
	for _, r := range []struct{ name, session, ask, want string }{
		{"data differ", "80AE80000100=80019000", "80AE80000200FF00", "80019000"},
		{"P1 differs", "80AE80000100=80019000", "80AE40000100", "6985"},
		{"P2 differs", "00B2010C00=70009000", "00B2011400", "6A83"},
		{"names differ", "00A4040002A00100=9000", "00A4040002A00200", "6A82"},
		{"same name, other Le", "00A4040002A00100=9000", "00A4040002A001", "9000"},
		{"in order", "80AE800000=01119000 80AE800000=01229000", "80AE800000 80AE800000", "01119000 01229000"},
		{"no second cryptogram", "80AE800000=01119000", "80AE800000 80AE800000", "01119000 6985"},
		{"the last answer again", "00B2010C00=01119000", "00B2010C00 00B2010C00", "01119000 01119000"},
		{"passed over, asked for later", "80CA9F3600=01119000 80A8000000=9000", "80A8000000 80CA9F3600", "9000 01119000"},
		{"the half that comes after", "00A40400=9000 00B2010C00=01119000 00A40400=9000 00B2010C00=01229000", "00A40400 00A40400 00B2010C00", "9000 9000 01229000"},
		{"a failure of the recording", "00B2010C00=00000000 00B2010C00=01229000", "00B2010C00", "01229000"},
		{"what is not there", "00A40400=9000", "00A4040002A001 00B2010C00 80CA9F3600 80A8000000 80AE000000 0082000000 00", "6A82 6A83 6A88 6985 6985 6D00 6700"},
	} {
		p := transcript.Lenient(session(r.session))
		var got []string
		for c := range strings.FieldsSeq(r.ask) {
			got = append(got, ask(t, p, c))
		}
		if s := strings.Join(got, " "); s != r.want {
			t.Errorf("%s: %s, want %s", r.name, s, r.want)
		}
	}
	p := transcript.Lenient(session("00A40400=9000 80CA9F3600=9000"))
	ask(t, p, "80CA9F3600")
	if err := p.Close(); !errors.Is(err, transcript.ErrLeftover) {
		t.Errorf("left over: %v", err)
	}
	ask(t, p, "00A40400")
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

func TestRecorder(t *testing.T) {
	tr := session("00A40400=9000 80CA9F3600=9F360200019000")
	rec := transcript.NewRecorder(transcript.Strict(tr))
	command := unhex("00A40400")
	for _, c := range [][]byte{command, unhex("80CA9F3600")} {
		if _, err := rec.Transmit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	command[0] = 0xFF
	if _, err := rec.Transmit(t.Context(), command); !errors.Is(err, transcript.ErrUnexpected) {
		t.Errorf("the card's error: %v", err)
	}
	if got := pairs(rec.Transcript()); got != pairs(tr) || rec.Transcript().Interface != "contact" {
		t.Error(got)
	}
}

func TestRecorderIsBounded(t *testing.T) {
	rec := transcript.NewRecorder(transcript.Lenient(session("00A40400=9000")))
	for range transcript.MaxExchanges {
		if _, err := rec.Transmit(t.Context(), unhex("00A40400")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := rec.Transmit(t.Context(), unhex("00A40400")); !errors.Is(err, transcript.ErrFull) {
		t.Error(err)
	}
}

// What is read is written and read again as the same; and it replays strictly, joined, to its end.
func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"interface":"contact","exchanges":[{"c":"00B2010C00","r":"6C1C"},{"c":"00B2010C1C","r":"700061 10"}]}`))
	f.Add([]byte(`{"interface":"\"","exchanges":[{"c":"00A40400","r":"6286"},{"c":"00C0000000","r":"6C02"},{"c":"00C0000002","r":"6F009000"}]}`))
	f.Add([]byte(`{"exchanges":[{"c":"","r":"9000"}]}`))
	f.Add([]byte(`{"session":{"version":1,"card":"test card, complete","replayable":true,"params":{"amount":{"minor":1,"currency":{"code":"KWD"}},"time":"2026-11-23T09:15:07+03:00","fixed":{"9F37":"01020304"}},"random":["01020304"],"unanswered":"80AE8000","card_failure":"card removed","outcome":{"decision":"","tags":{"95":"0000000000"}}},"exchanges":[{"c":"00A40400","r":"9000"}]}`))
	f.Add([]byte(`{"session":{"version":1,"card":"real card, masked"},"exchanges":[{"c":"**","r":"9000"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		tr, err := transcript.Read(bytes.NewReader(b))
		if err != nil {
			if !errors.Is(err, transcript.ErrFormat) {
				t.Fatal(err)
			}
			return
		}
		var out bytes.Buffer
		if err := tr.Write(&out); err != nil {
			t.Fatal(err)
		}
		first := out.String()
		again, err := transcript.Read(&out)
		if err == nil && again.Session != nil {
			var twice bytes.Buffer
			if err := again.Write(&twice); err != nil || twice.String() != first {
				t.Fatalf("%v: a session is written in two ways:\n%s\n%s", err, first, twice.String())
			}
			p, _ := again.Session.Play()
			_, _ = p.Random.Read(make([]byte, 4))
			_, _ = again.Session.Answer()
		}
		if err != nil || pairs(again) != pairs(tr) || again.Interface != tr.Interface {
			t.Fatalf("%v: %s", err, first)
		}
		if err := tr.WriteMasked(&out); err != nil {
			t.Fatal(err)
		}
		if _, err := transcript.Read(&out); tr.Session != nil && !errors.Is(err, transcript.ErrMasked) {
			t.Fatalf("a masked transcript is read: %v", err)
		}
		if len(tr.Exchanges) == 0 || tr.Session != nil {
			return
		}
		p := transcript.Strict(tr)
		for _, e := range tr.Joined().Exchanges {
			if r, err := p.Transmit(t.Context(), e.Command); err != nil || !bytes.Equal(r, e.Response) {
				t.Fatalf("%v: %v", e, err)
			}
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		lenient := transcript.Lenient(tr)
		for _, e := range tr.Exchanges {
			if r, err := lenient.Transmit(t.Context(), e.Command); err != nil || len(r) < 2 {
				t.Fatalf("%v: %v", e, err)
			}
		}
	})
}
