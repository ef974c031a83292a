package session

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"tillway/device/ccid"
)

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func file(t testing.TB) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/twin.session")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// A recording is read whole. Cut off anywhere, or with any one character changed, it is refused, with the reason.
func TestReadRefuses(t *testing.T) {
	whole := file(t)
	s, err := Read(bytes.NewReader(whole))
	if err != nil {
		t.Fatal(err)
	}
	if s.Driver != "gempc" || s.Framing != Serial || s.Card != TestCard || len(s.Frames) < 20 || !bytes.Equal(s.Text(), whole) {
		t.Errorf("%+v, %d frames", s.Head, len(s.Frames))
	}
	for n := 0; n < len(whole); n += 29 {
		if _, err := Read(bytes.NewReader(whole[:n])); !errors.Is(err, ErrSession) {
			t.Fatalf("cut off after %d bytes: %v", n, err)
		}
	}
	for n := 0; n < len(whole); n += 29 {
		edited := bytes.Clone(whole)
		edited[n] ^= 1
		if _, err := Read(bytes.NewReader(edited)); !errors.Is(err, ErrSession) {
			t.Fatalf("byte %d changed: %v", n, err)
		}
	}
	for name, c := range map[string]struct{ text, says string }{
		"empty":        {"", "first line"},
		"cut off":      {string(whole[:len(whole)/2]), "cut off"},
		"a line less":  {strings.Replace(string(whole), "driver: gempc\n", "", 1), "changed after"},
		"more behind":  {string(whole) + "# note\n", "cut off"},
		"another file": {"{}", "first line"},
	} {
		if _, err := Read(strings.NewReader(c.text)); !errors.Is(err, ErrSession) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What can be sealed and means nothing is refused, too.
func TestReadChecks(t *testing.T) {
	good := Session{Head{"gempc", Serial, "gempc", "", time.Unix(1, 0), TestCard}, []Frame{{true, "03"}, {false, "0306"}}}
	if _, err := Read(bytes.NewReader(good.Text())); err != nil {
		t.Fatal(err)
	}
	for says, spoil := range map[string]func(*Session){
		"framing":          func(s *Session) { s.Framing = "morse" },
		"card":             func(s *Session) { s.Card = "mine" },
		"hidden":           func(s *Session) { s.Frames[1].Hex = "03**" },
		"begin":            func(s *Session) { s.Frames[0].Out = false },
		"does not begin":   func(s *Session) { s.Frames = nil },
		"two digits":       func(s *Session) { s.Frames[0].Hex = "0*" },
		"neither":          func(s *Session) { s.Driver = "x\nsecret" },
		"not written":      func(s *Session) { s.Frames[0].Hex = "0306"; s.Driver = "a\ndriver: b" },
		"two digits each,": func(s *Session) { s.Frames[0].Hex = "0x" },
	} {
		bad := good
		bad.Frames = append([]Frame(nil), good.Frames...)
		spoil(&bad)
		if _, err := Read(bytes.NewReader(bad.Text())); !errors.Is(err, ErrSession) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
}

// The answer to reset and the reader's own words are shown, and no byte of what card and terminal say, in either framing, nor
// what a broken frame leaves of it.
func TestMask(t *testing.T) {
	const pan = "4761739099999993"
	for _, f := range []Framing{Serial, Message} {
		r := NewRecorder(f)
		say := func(out bool, m ccid.Message) { r.Tap(out, f.frame(m)) }
		say(true, ccid.Message{Type: ccid.PowerOn, Seq: 1})
		say(false, ccid.Message{Type: ccid.DataBlock, Seq: 1, Data: unhex(t, "3B600000")})
		say(true, ccid.Message{Type: ccid.XfrBlock, Seq: 2, Data: unhex(t, "0020008008 24"+pan[:4]+"FFFFFFFFFF")})
		say(false, ccid.Message{Type: ccid.DataBlock, Seq: 2, Data: unhex(t, "5A08"+pan+"9000")})
		say(true, ccid.Message{Type: 0x69, Seq: 3, Data: unhex(t, pan)}) // Secure
		broken := f.frame(ccid.Message{Type: ccid.DataBlock, Seq: 3, Data: unhex(t, "5A08"+pan+"9000")})
		r.Tap(false, broken[:len(broken)-3])
		s := r.Session(Head{Driver: "x", Card: RealCard})
		text := strings.ReplaceAll(string(s.Text()), " ", "")
		if strings.Contains(text, pan[:8]) || strings.Contains(text, "00200080") {
			t.Errorf("%s:\n%s", f, s.Text())
		}
		if !strings.Contains(text, "3B600000") {
			t.Errorf("%s: no answer to reset:\n%s", f, s.Text())
		}
		if back, err := Read(bytes.NewReader(s.Text())); err != nil || back.Card != RealCard {
			t.Errorf("%s: %v", f, err)
		}
		if _, err := NewPlayer(s); !errors.Is(err, ErrSession) {
			t.Errorf("%s: a masked session plays: %v", f, err)
		}
	}
}

// Waiting does not fill a recording: of looks at the slot that bring the same only the first is kept.
func TestRecorderForgets(t *testing.T) {
	for _, f := range []Framing{Serial, Message} {
		r := NewRecorder(f)
		look := func(seq byte, icc ccid.ICC) {
			r.Tap(true, f.frame(ccid.Message{Type: ccid.GetSlotStatus, Seq: seq}))
			answer := f.frame(ccid.Message{Type: ccid.SlotStatus, Seq: seq, Params: ccid.Status{ICC: icc}.Params(0)})
			r.Tap(false, answer[:3])
			r.Tap(false, answer[3:])
		}
		for i := range 1000 {
			look(byte(i), ccid.NoICC)
		}
		for i := range 1000 {
			look(byte(i), ccid.Inactive)
		}
		r.Tap(true, f.frame(ccid.Message{Type: ccid.PowerOn}))
		if s := r.Session(Head{Card: NoCard}); len(s.Frames) != 5 || r.Full() {
			t.Errorf("%s: %d frames:\n%s", f, len(s.Frames), s.Text())
		}
	}
}

// A player answers what was recorded, with the driver's numbers, lets it look at the slot as often as it likes, and refuses all else.
func TestPlayer(t *testing.T) {
	for _, f := range []Framing{Serial, Message} {
		message := func(kind, seq byte, data string) []byte {
			return f.frame(ccid.Message{Type: kind, Seq: seq, Data: unhex(t, data)})
		}
		r := NewRecorder(f)
		for _, pair := range [][2][]byte{
			{message(ccid.GetSlotStatus, 1, ""), message(ccid.SlotStatus, 1, "")},
			{message(ccid.PowerOn, 2, ""), message(ccid.DataBlock, 2, "3B600000")},
			{message(ccid.XfrBlock, 3, "00B2010C00"), append(message(ccid.DataBlock, 2, "6F00"), message(ccid.DataBlock, 3, "9000")...)}, // a stale one first
		} {
			r.Tap(true, pair[0])
			r.Tap(false, pair[1])
		}
		s := r.Session(Head{Card: TestCard})
		p, err := NewPlayer(s)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 5 {
			if back, err := p.Hear(message(ccid.GetSlotStatus, byte(50+i), "")); err != nil || !bytes.HasSuffix(back, message(ccid.SlotStatus, byte(50+i), "")) {
				t.Fatalf("%s: %X, %v", f, back, err)
			}
		}
		if err := p.Done(); !errors.Is(err, ErrUnexpected) {
			t.Errorf("%s: nothing left to say: %v", f, err)
		}
		if back, err := p.Hear(message(ccid.PowerOn, 60, "")); err != nil || !bytes.Equal(back, message(ccid.DataBlock, 60, "3B600000")) {
			t.Errorf("%s: %X, %v", f, back, err)
		}
		if _, err := p.Hear(message(ccid.XfrBlock, 61, "00B2020C00")); !errors.Is(err, ErrUnexpected) {
			t.Errorf("%s: another command: %v", f, err)
		}
		want := append(message(ccid.DataBlock, 61, "6F00"), message(ccid.DataBlock, 62, "9000")...)
		if back, err := p.Hear(message(ccid.XfrBlock, 62, "00B2010C00")); err != nil || !bytes.Equal(back, want) {
			t.Errorf("%s: %X, %v, want %X", f, back, err, want)
		}
		if _, err := p.Hear(message(ccid.XfrBlock, 63, "00B2010C00")); !errors.Is(err, ErrUnexpected) || p.Done() != nil {
			t.Errorf("%s: after the end: %v, %v", f, err, p.Done())
		}
	}
}

// What is read is written back byte for byte, and plays without a panic whatever its frames are.
func FuzzRead(f *testing.F) {
	f.Add(string(file(f)))
	for _, text := range []string{"", "driver: x\n> 03\n< 06\n", "framing: ccid\ncard: none\n> 65\n", "> **\n"} {
		f.Add(first + "\n" + text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		sealedText := []byte(text)
		if s, err := Read(strings.NewReader(text)); err != nil {
			if !errors.Is(err, ErrSession) {
				t.Fatal(err)
			}
			// With the right seal, so that the lines are looked at.
			var s Session
			for n, line := range strings.Split(strings.TrimPrefix(text, first+"\n"), "\n") {
				if s.line(n+2, line) != nil {
					break
				}
			}
			sealedText = s.Text()
		} else if !bytes.Equal(s.Text(), sealedText) {
			t.Fatal("written otherwise than read")
		}
		s, err := Read(bytes.NewReader(sealedText))
		if err != nil {
			return
		}
		p, err := NewPlayer(s)
		if err != nil {
			return
		}
		for _, frame := range s.Frames {
			if raw, err := hex.DecodeString(frame.Hex); err == nil && frame.Out {
				_, _ = p.Hear(raw)
			}
		}
	})
}

// However frames are broken, no byte behind the head of one that carries a card's data is shown.
func FuzzMask(f *testing.F) {
	f.Add([]byte{0x6F, 0xA5, 0xA5, 0xA5}, byte(0), true)
	f.Add([]byte{0xA5, 0xA5}, byte(3), false)
	f.Fuzz(func(t *testing.T, noise []byte, cut byte, serial bool) {
		framing := Message
		if serial {
			framing = Serial
		}
		secret := bytes.Repeat([]byte{0xA7}, 16)
		if bytes.Contains(noise, []byte{0xA7}) {
			return
		}
		raw := framing.frame(ccid.Message{Type: ccid.DataBlock, Data: secret})
		raw = append(bytes.Clone(noise), raw[:len(raw)-int(cut)%8]...)
		if len(noise) > 0 && !serial {
			return // a bare message begins where a transfer does
		}
		if text := framing.mask(raw, false); strings.Contains(text, "A7A7A7A7") || len(text) != 2*len(raw) {
			t.Fatalf("%X is shown as %s", raw, text)
		}
	})
}
