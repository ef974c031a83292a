package main

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tillway/device/emulator"
	"tillway/emv"
	"tillway/emv/cryptogram"
)

// printed is what card run --json prints, read as a program would.
type printed struct {
	Outcome   string              `json:"outcome"`
	Reason    string              `json:"reason"`
	AID       string              `json:"aid"`
	ODA       emv.ODA             `json:"oda"`
	Tags      map[string]string   `json:"tags"`
	Exchanges []map[string]string `json:"exchanges"`
	Why       []emv.Why           `json:"why"`
}

// pos runs a command line that needs no daemon.
func pos(t *testing.T, args ...string) result {
	t.Helper()
	var out, errOut bytes.Buffer
	code := run(t.Context(), app{
		in: bytes.NewReader(nil), out: &out, errOut: &errOut, env: func(string) string { return "" }, notify: func(chan<- os.Signal) {},
	}, args)
	return result{code, out.String(), errOut.String()}
}

func cardRun(t *testing.T, code int, args ...string) printed {
	t.Helper()
	got := pos(t, append([]string{"card", "run", "--json"}, args...)...)
	if got.code != code {
		t.Fatalf("exit %d, want %d: %s%s", got.code, code, got.errOut, got.out)
	}
	var p printed
	if err := json.Unmarshal([]byte(got.out), &p); err != nil {
		t.Fatalf("%v: %q", err, got.out)
	}
	return p
}

// fixed makes a run the same every time.
var fixed = []string{"--set", "9A=261123", "--set", "9F21=091507", "--un", "01020304"}

func with(args ...string) []string { return append(append([]string{}, args...), fixed...) }

func TestCardRunShape(t *testing.T) {
	got := pos(t, append([]string{"card", "run", "--json"}, with("credit")...)...)
	var top map[string]json.RawMessage
	if err := json.Unmarshal([]byte(got.out), &top); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"outcome", "aid", "oda", "tags", "exchanges", "why"} {
		if _, ok := top[key]; !ok {
			t.Errorf("no %q in the object", key)
		}
	}
	p := cardRun(t, 0, with("credit")...)
	if p.Outcome != "online" || p.AID != "A0000000031010" || p.ODA.Method != "none" || p.ODA.OK {
		t.Errorf("%+v", p)
	}
	for tag, want := range map[string]string{
		"9F37": "01020304", "9A": "261123", "9F21": "091507", "9F02": "000000001000", "5F2A": "0414", "9F1A": "0414", "9F27": "80",
		"5A": "4761739001010119", "82": "1C00",
	} {
		if p.Tags[tag] != want {
			t.Errorf("%s is %s, want %s", tag, p.Tags[tag], want)
		}
	}
	if len(p.Exchanges) < 5 || p.Exchanges[0]["c"] == "" || len(p.Exchanges[0]["r"]) < 4 || len(p.Why) == 0 || p.Why[0].Section == "" {
		t.Errorf("%+v", p)
	}
}

// issuerData is what the card's issuer answers to an ARQC: the card holds its terminal's run to it.
func issuerData(t *testing.T, p printed, imk, pan, psn string) string {
	t.Helper()
	key, err := hex.DecodeString(imk)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := cryptogram.ForCard(key, pan, psn)
	if err != nil {
		t.Fatal(err)
	}
	var d emv.Data
	text, err := json.Marshal(map[string]string{
		"9F26": p.Tags["9F26"], "9F10": p.Tags["9F10"], "9F36": p.Tags["9F36"], "9F02": p.Tags["9F02"], "9F03": p.Tags["9F03"],
		"9F1A": p.Tags["9F1A"], "95": p.Tags["95"], "5F2A": p.Tags["5F2A"], "9A": p.Tags["9A"], "9C": p.Tags["9C"],
		"9F37": p.Tags["9F37"], "82": p.Tags["82"],
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.UnmarshalJSON(text); err != nil {
		t.Fatal(err)
	}
	if err := keys.Verify(d); err != nil {
		t.Fatalf("the card's ARQC: %v", err)
	}
	answer, err := keys.Answer(d, cryptogram.Reply{ARC: [2]byte{'0', '0'}})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("91%02X%X", len(answer), answer)
}

// A whole sale with an emulated card: its cryptogram verifies, the issuer's answer satisfies it, and what was exchanged
// replays strictly to the same end.
func TestCardRunApprovesAndReplays(t *testing.T) {
	const imk, pan = "2315208C9110AD402315208C9110AD40", "4761739001010119"
	first := cardRun(t, 0, with("credit")...)
	online := with("--online", "approve", "--arc", "3030", "--issuer-data", issuerData(t, first, imk, pan, "01"))
	p := cardRun(t, 0, append([]string{"credit"}, online...)...)
	if p.Outcome != "approved" || p.Tags["8A"] != "3030" || p.Tags["9F27"] != "40" {
		t.Fatalf("%s: %s, tags %v", p.Outcome, p.Reason, p.Tags)
	}
	file := filepath.Join(t.TempDir(), "session.json")
	text, err := json.Marshal(map[string]any{"interface": "contact", "exchanges": p.Exchanges})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	again := cardRun(t, 0, append([]string{file, "--replay", "strict"}, online...)...)
	if again.Outcome != "approved" || fmt.Sprint(again.Tags) != fmt.Sprint(p.Tags) || fmt.Sprint(again.Exchanges) != fmt.Sprint(p.Exchanges) {
		t.Error("the replay differs")
	}
	// Another unpredictable number is another session: strict replay refuses, and prints what it has.
	other := append([]string{"card", "run", "--json", file, "--un", "FFFFFFFF"}, online[:len(online)-2]...)
	got := pos(t, append(other, "--replay", "strict")...)
	if got.code != 2 || !strings.Contains(got.out, `"outcome":"terminated"`) || !strings.Contains(got.errOut, "leaves the recording") {
		t.Errorf("exit %d: %s", got.code, got.errOut)
	}
	if p := cardRun(t, 0, append([]string{file}, other[4:]...)...); p.Outcome != "approved" {
		t.Errorf("lenient: %s", p.Outcome)
	}
	// Stopping at online leaves the rest of the recording: that is what was asked for.
	if p := cardRun(t, 0, append([]string{file}, fixed...)...); p.Outcome != "online" {
		t.Errorf("stopped at %s", p.Outcome)
	}
}

func TestCardRunOutcomes(t *testing.T) {
	for _, row := range []struct {
		args    []string
		code    int
		outcome string
	}{
		{[]string{"credit", "--online", "approve"}, 0, "approved"},
		{[]string{"credit", "--online", "decline", "--arc", "3035"}, 1, "declined"},
		{[]string{"credit", "--online", "unable"}, 1, "declined"},
		{[]string{"debit"}, 0, "online"},
		{[]string{"expired"}, 0, "online"},
		{[]string{"declines"}, 1, "declined"},
		{[]string{"pulled", "--online", "approve"}, 1, "terminated"},
		{[]string{"credit", "--profile", "generic"}, 0, "online"},
	} {
		p := cardRun(t, row.code, row.args...)
		if p.Outcome != row.outcome {
			t.Errorf("%v: %s: %s", row.args, p.Outcome, p.Reason)
		}
	}
}

// Public sessions of other terminals: the kernel comes to the cryptograms that were recorded.
func TestCardRunPublicSessions(t *testing.T) {
	p := cardRun(t, 0, "testdata/bertlv-contact-visa.json",
		"--set", "9F02=000000001000", "--set", "9F1A=0036", "--set", "5F2A=0036", "--set", "9A=120316", "--un", "D3173A1F",
		"--online", "approve", "--arc", "3030", "--issuer-data", "91081122334455667788")
	if p.Outcome != "approved" || p.AID != "A0000000031010" || p.Tags["9F26"] != "BB31D191BCED0CF2" || p.Tags["95"] != "8000008040" {
		t.Errorf("%s %s %v", p.Outcome, p.AID, p.Tags)
	}
	seen := false
	for _, w := range p.Why {
		seen = seen || w.Bit == "TVR byte 5 bit 7"
	}
	if !seen {
		t.Errorf("nobody says why issuer authentication failed: %+v", p.Why)
	}
	p = cardRun(t, 0, "testdata/bertlv-contact-upi.json", "--replay", "lenient", "--profile", "generic",
		"--set", "9F02=000000006580", "--set", "9F1A=0036", "--set", "5F2A=0036", "--un", "3510540E", "--online", "approve", "--arc", "3030")
	if p.Outcome != "approved" || p.AID != "A000000333010102" {
		t.Errorf("%s %s", p.Outcome, p.AID)
	}
}

func TestCardRunRefusals(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, row := range []struct {
		args []string
		say  string
	}{
		{nil, "give a FILE"},
		{[]string{"credit", "debit"}, "accepts at most 1"},
		{[]string{"credit", "--card", "tcp:127.0.0.1:1"}, "not both"},
		{[]string{filepath.Join(dir, "none")}, "no ready card: pos card list names them"},
		{[]string{write("empty.json", "{}")}, "0 exchanges"},
		{[]string{write("bad.json", `{"exchanges":[{"c":"00","r":"9"}]}`)}, "not hex"},
		{[]string{write("bad.toml", "atr = 1")}, "bad.toml"},
		{[]string{"credit", "--pin", "123"}, "4 to 12 digits"},
		{[]string{"credit", "--pin", "12x4"}, "4 to 12 digits"},
		{[]string{"credit", "--profile", write("odd.toml", "[terminal]\ntype = \"22\"\nselection = [1]\n")}, "odd.toml: profile line 3: terminal.selection"},
		{[]string{"credit", "--set", "9A=261332"}, "YYMMDD"},
		{[]string{"credit", "--set", "9F21=2500"}, "HHMMSS"},
		{[]string{"credit", "--profile", filepath.Join(dir, "none")}, "no ready profile: those are generic"},
		{[]string{"credit", "--set", "9F02"}, "TAG=HEX"},
		{[]string{"credit", "--set", "9F02=1"}, "not hex"},
		{[]string{"credit", "--set", "9F02=01"}, "twelve"},
		{[]string{"credit", "--set", "9F02=00000000000A"}, "twelve"},
		{[]string{"credit", "--set", "ZZ=00"}, "tag"},
		{[]string{"credit", "--set", "5A=4761739001010119"}, "belongs to the card"},
		{[]string{"credit", "--un", "123"}, "eight hex digits"},
		{[]string{"credit", "--online", "perhaps"}, "approve, decline and unable"},
		{[]string{"credit", "--arc", "3030"}, "--online"},
		{[]string{"credit", "--online", "approve", "--arc", "30"}, "four hex digits"},
		{[]string{"credit", "--online", "approve", "--issuer-data", "91FF"}, "malformed"},
		{[]string{"credit", "--replay", "loose"}, "strict and lenient"},
		{[]string{"--card", "usb:1"}, "tcp:HOST:PORT"},
		{[]string{"--card", "tcp:nowhere"}, "tcp:HOST:PORT"},
		{[]string{"credit", "--capk", write("keys.json", "[]")}, "0 keys"},
		{[]string{"credit", "--capk", write("keys2.json", "nonsense")}, "not a JSON list"},
		{[]string{"credit", "--capk", write("keys3.json", `[{"rid":"A0","index":"01","modulus":"00","exponent":"03"}]`)}, "rid is not"},
		{[]string{"credit", "--capk", write("keys4.json", `{"keys":[{"rid":"A000000003","index":"01","modulus":"`+strings.Repeat("A5", 64)+`","exponent":"03"}],"revoked":[{"rid":"A0"}]}`)}, "revocation 1"},
	} {
		got := pos(t, append([]string{"card", "run"}, row.args...)...)
		if got.code != 2 || !strings.Contains(got.errOut, row.say) || strings.Count(got.errOut, "\n") != 1 {
			t.Errorf("%v: exit %d: %q", row.args, got.code, got.errOut)
		}
	}
}

// A run takes the keys that are for tests and within EMV's limits, and says how many.
func TestCAKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	keys := `[{"rid":"A000000003","index":"92","modulus":"` + strings.Repeat("A5", 128) + `","exponent":"03","expiry":[]},
		{"rid":"A000000003","index":"93","modulus":"` + strings.Repeat("A5", 256) + `","exponent":"03"},
		{"rid":"A000000003","index":"94","modulus":"` + strings.Repeat("B5", 128) + `","exponent":"03","kind":["live"]}]`
	if err := os.WriteFile(path, []byte(keys), 0o600); err != nil {
		t.Fatal(err)
	}
	p := cardRun(t, 0, "credit", "--capk", path)
	last := p.Why[len(p.Why)-1]
	if last.Bit != "ODA" || !strings.Contains(last.Reason, "1 keys of the test environment; 2 were left out") {
		t.Errorf("%+v", last)
	}
}

// serveVPCD is a card at the other end of a TCP connection, for one session.
func serveVPCD(t *testing.T, answer func(message []byte) (reply []byte, ok bool)) (address string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { _ = ln.Close(); <-done })
	go func() {
		defer close(done)
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
		for {
			var head [2]byte
			if _, err := io.ReadFull(conn, head[:]); err != nil {
				return
			}
			message := make([]byte, binary.BigEndian.Uint16(head[:]))
			if _, err := io.ReadFull(conn, message); err != nil {
				return
			}
			if len(message) == 1 && message[0] != vpcdATR {
				continue
			}
			reply, ok := answer(message)
			if !ok {
				return
			}
			if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...)); err != nil {
				return
			}
		}
	}()
	return "tcp:" + ln.Addr().String()
}

func TestDialledCard(t *testing.T) {
	p, err := emulator.Ready("credit")
	if err != nil {
		t.Fatal(err)
	}
	card := emulator.NewCard(p)
	where := serveVPCD(t, func(m []byte) ([]byte, bool) {
		if len(m) == 1 {
			card.Reset()
			return card.ATR(), true
		}
		return card.Transmit(m), true
	})
	here, there := cardRun(t, 0, with("credit")...), cardRun(t, 0, with("--card", where)...)
	if there.Outcome != "online" || fmt.Sprint(here.Tags) != fmt.Sprint(there.Tags) {
		t.Errorf("the dialled card gives\n%+v\nthe one in the program\n%+v", there, here)
	}
}

func TestDialledCardThatIsNone(t *testing.T) {
	for name, row := range map[string]struct {
		answer  func([]byte) ([]byte, bool)
		code    int
		outcome string
	}{
		"no answer to reset": {func([]byte) ([]byte, bool) { return []byte{}, true }, 2, ""},
		"hangs up at once":   {func([]byte) ([]byte, bool) { return nil, false }, 2, ""},
		"too long":           {func([]byte) ([]byte, bool) { return make([]byte, 5000), true }, 2, ""},
		"goes in the middle": {func(m []byte) ([]byte, bool) { return []byte{0x3B, 0x00}, len(m) == 1 }, 1, "terminated"},
		"keeps asking":       {func(m []byte) ([]byte, bool) { return []byte{0x61, 0x10}, true }, 1, "terminated"},
		"mute":               {func(m []byte) ([]byte, bool) { return []byte{0x3B, 0x00}[:2/len(m)], true }, 1, "terminated"},
	} {
		t.Run(name, func(t *testing.T) {
			got := pos(t, "card", "run", "--json", "--card", serveVPCD(t, row.answer))
			if got.code != row.code || !strings.Contains(got.out, row.outcome) || (row.code == 2) != (strings.Count(got.errOut, "\n") == 1) {
				t.Errorf("exit %d: %q %q", got.code, got.out, got.errOut)
			}
		})
	}
	if got := pos(t, "card", "run", "--card", "tcp:127.0.0.1:1"); got.code != 2 || !strings.Contains(got.errOut, "cannot be reached") {
		t.Errorf("exit %d: %q", got.code, got.errOut)
	}
}

// Public messages re-encode to their own bytes, and without --clear no card number is shown.
func TestDecodeISO(t *testing.T) {
	for _, file := range []string{"hpdh-sales-req.hex", "chip-sale-cvn10-a.hex"} {
		b, err := os.ReadFile(filepath.Join("testdata", file))
		if err != nil {
			t.Fatal(err)
		}
		message := strings.TrimSpace(string(b))
		var d struct {
			MTI       string
			Fields    map[string]string
			Reencoded string
		}
		got := pos(t, "decode", "iso8583", "--dialect", "nac", "--clear", "--json", message)
		if err := json.Unmarshal([]byte(got.out), &d); err != nil || !strings.EqualFold(d.Reencoded, message) || d.MTI != "0200" {
			t.Errorf("%s: %v: %+v", file, err, d)
		}
		track := d.Fields["35"]
		for _, form := range [][]string{{"--json"}, {}} {
			masked := pos(t, append([]string{"decode", "iso8583", message}, form...)...)
			if masked.code != 0 || strings.Contains(masked.out, track) || strings.Contains(masked.out, "reencoded") {
				t.Errorf("%s: exit %d: %s", file, masked.code, masked.out)
			}
		}
	}
	for _, file := range []string{"v93-sale-mac.hex", "v93-reversal-ascii.hex"} {
		b, err := os.ReadFile(filepath.Join("testdata", file))
		if err != nil {
			t.Fatal(err)
		}
		message := strings.TrimSpace(string(b))
		clear := pos(t, "decode", "iso8583", "--dialect", "v93", "--clear", "--json", message)
		var d struct {
			MTI       string
			Fields    map[string]string
			Reencoded string
		}
		if err := json.Unmarshal([]byte(clear.out), &d); err != nil || !strings.EqualFold(d.Reencoded, message) || d.Fields["22"] == "" || d.MTI[0] != '1' {
			t.Errorf("%s: %v: %+v", file, err, d)
		}
		masked := pos(t, "decode", "iso8583", "--dialect", "v93", message)
		if masked.code != 0 || strings.Contains(masked.out, "4761739001010119") || !strings.Contains(masked.out, "Point of service data code") {
			t.Errorf("%s: exit %d: %s", file, masked.code, masked.out)
		}
	}
	for _, row := range [][2]string{{"00", "nac"}, {"0200", "nac"}, {"0200", "other"}, {"00", "v93"}, {"1200", "v93"}} {
		got := pos(t, "decode", "iso8583", "--dialect", row[1], row[0])
		if got.code != 2 || strings.Count(got.errOut, "\n") != 1 {
			t.Errorf("%v: exit %d %q", row, got.code, got.errOut)
		}
	}
}

// Whatever the bytes, what is shown without --clear never holds the digits of a PAN, and decoding ends.
func FuzzDecodeTLV(f *testing.F) {
	for _, s := range []string{"70125A084761739001010119 5F2403281231", "6F168407A0000000031010A50B50095649534120544553549000", "9500", "8C029F02"} {
		b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 4096 {
			return
		}
		masked, err := objects(b, false, 0)
		clear, err2 := objects(b, true, 0)
		if (err == nil) != (err2 == nil) {
			t.Fatalf("masking changes what is read: %v, %v", err, err2)
		}
		var compare func(m, c []object)
		compare = func(m, c []object) {
			if len(m) != len(c) {
				t.Fatal("masking changes how much is read")
			}
			for i := range m {
				if m[i].Secret && len(c[i].Value) > 20 && strings.Contains(m[i].Value, c[i].Value) || m[i].Secret && m[i].Text != "" {
					t.Fatalf("%s is shown", m[i].Tag)
				}
				compare(m[i].Children, c[i].Children)
			}
		}
		compare(masked, clear)
	})
}
