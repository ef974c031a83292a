package tillway

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"

	"tillway/device/secure"
	"tillway/device/secure/x9"
	"tillway/emv"
	"tillway/iso8583"
	"tillway/terminal"
	"tillway/terminal/people"
)

// The canaries of this file: none of them may be in what is printed, in any form.
const (
	canaryPAN    = "4761739001010119"
	canaryTrack2 = "4761739001010119D28122010987654321"
	canaryExpiry = "2812"
	canaryPIN    = "902175340168"
	canaryKey    = "8D3FA1C75E2B90466BD21E5F07C9A834"
	canarySecret = "Zwiebelkuchen-7319"
)

// sensitive is every type that carries card data, a PIN, a key or a secret through the terminal's own code, with a canary
// in it. A type that masks belongs into this table.
func sensitive(t *testing.T) map[string]any {
	key := unhex(t, canaryKey)
	pan, err := emv.NewPAN(canaryPAN)
	if err != nil {
		t.Fatal(err)
	}
	track, err := emv.NewTrack2(unhex(t, canaryTrack2))
	if err != nil {
		t.Fatal(err)
	}
	var tags emv.Data
	tags.Put(0x5A, unhex(t, canaryPAN))
	tags.Put(0x57, unhex(t, canaryTrack2))
	card := terminal.CardData{PAN: pan, Expiry: canaryExpiry, PSN: "01", Track2: track}
	block := terminal.PINBlock{Block: key[:8], KSN: []byte("\xFF\xFF\x98\x76\x54\x32\x10\xE0\x00\x01"), Layout: 0}
	message := iso8583.NewMessage("0200")
	message.Set(2, canaryPAN)
	message.SetBytes(35, []byte(canaryTrack2))
	message.SetBytes(52, key[:8])
	device, err := x9.NewTDESDevice(key, x9.KSN([]byte("\xFF\xFF\x98\x76\x54\x32\x10\xE0\x00\x00")))
	if err != nil {
		t.Fatal(err)
	}
	aes, err := x9.NewAESDevice(key, [8]byte{1, 2, 3})
	if err != nil {
		t.Fatal(err)
	}
	return map[string]any{
		"emv.PAN":             pan,
		"emv.Track2":          track,
		"emv.Data":            tags,
		"terminal.CardData":   card,
		"terminal.Secret":     terminal.Secret{Card: card, Request: []byte(canaryTrack2), Reversal: []byte(canaryPAN)},
		"terminal.PINBlock":   block,
		"terminal.Request":    terminal.Request{Card: card, PIN: block, Tags: tags},
		"terminal.PINAsk":     terminal.PINAsk{PAN: pan},
		"iso8583.Message":     *message,
		"secure.PAN":          secure.PAN(canaryPAN),
		"secure.PINRequest":   secure.PINRequest{Set: "acquirer", PAN: canaryPAN},
		"terminal.SessionKey": terminal.SessionKey{Use: terminal.KeyForPIN, Cryptogram: key, Check: "ABCDEF"},
		"secure.Proposal":     secure.Proposal{Use: secure.UsePIN, Cryptogram: key, Check: "ABCDEF"},
		"secure.Component":    secure.Component{Set: "acquirer", Of: 2, Number: 1, Holder: "anna", Algorithm: secure.TDES, Value: key},
		"people.Secret":       people.NewSecret([]byte(canarySecret)),
		"people.Hash":         people.Hash(canarySecret),
		"people.Token":        people.NewToken([32]byte(append(key, key...))),
		"x9.TDESDevice":       device,
		"x9.AESDevice":        aes,
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// shows says in which form a text holds a canary: as it is, in hexadecimal, in base64's and Go's ways of printing bytes.
func shows(text string) (form string, found bool) {
	key, _ := hex.DecodeString(canaryKey)
	low := strings.ToLower(text)
	for form, canary := range map[string]string{
		"card number": canaryPAN, "track 2": canaryTrack2, "PIN": canaryPIN, "secret": canarySecret, "key": canaryKey,
		"half a key": canaryKey[:16], "card number in hex": hex.EncodeToString([]byte(canaryPAN)),
		"secret in hex": hex.EncodeToString([]byte(canarySecret)), "key as it is": string(key[:8]),
		"expiry": `"` + canaryExpiry + `"`, "expiry under a wrong verb": "=" + canaryExpiry + ")",
	} {
		if strings.Contains(low, strings.ToLower(canary)) {
			return form, true
		}
	}
	for form, b := range map[string][]byte{
		"card number": []byte(canaryPAN), "packed card number": bcd(canaryPAN), "key": key[:8], "secret": []byte(canarySecret),
	} {
		for _, verb := range []string{"%d", "%x", "%#v", "%v", "%o", "%b"} {
			list := strings.Trim(fmt.Sprintf(verb, b), "[]{}byte")
			if strings.Contains(low, strings.ToLower(list)) {
				return form + " as " + verb, true
			}
		}
		text, err := json.Marshal(b)
		if err == nil && strings.Contains(low, strings.ToLower(strings.TrimRight(strings.Trim(string(text), `"`), "=")[:len(b)-1])) {
			return form + " in base64", true
		}
	}
	return "", false
}

func bcd(digits string) []byte {
	b, _ := hex.DecodeString(digits)
	return b
}

// TestNothingPrintsASecret: no verb, no log handler, no encoder and no error text shows what a sensitive type holds, alone,
// behind a pointer, in a list or in a struct of somebody else's.
func TestNothingPrintsASecret(t *testing.T) {
	if _, found := shows(fmt.Sprintf("%d", bcd(canaryPAN))); !found {
		t.Fatal("the search does not find a packed card number")
	}
	if _, found := shows("card " + canaryPAN); !found {
		t.Fatal("the search does not find a card number")
	}
	for name, value := range sensitive(t) {
		var texts bytes.Buffer
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%b", "%c", "%U", "%e", "%t", "%08.3f"} {
			for _, v := range []any{value, &value, []any{value}, struct{ Inner any }{value}, map[string]any{"k": value}} {
				fmt.Fprintf(&texts, verb+"\n", v)
			}
			fmt.Fprintln(&texts, fmt.Errorf("sale 7: "+verb, value))
			if form, found := shows(texts.String()); found {
				t.Errorf("%s under %s shows its %s", name, verb, form)
			}
			texts.Reset()
		}
		for _, handler := range []slog.Handler{slog.NewTextHandler(&texts, nil), slog.NewJSONHandler(&texts, nil)} {
			slog.New(handler).With("with", value).Error("text", "value", value, slog.Group("g", "inner", value))
		}
		if form, found := shows(texts.String()); found {
			t.Errorf("%s in a log shows its %s", name, form)
		}
		if name == "people.Hash" {
			continue // its record is stored as JSON: that is what the hash is for
		}
		if text, err := json.Marshal(value); err == nil {
			if form, found := shows(string(text)); found {
				t.Errorf("%s as JSON shows its %s", name, form)
			}
		}
	}
}

const panicVariable = "TILLWAY_TEST_PANIC"

// TestMain panics with a sensitive value when a test starts this program as its child.
func TestMain(m *testing.M) {
	name := os.Getenv(panicVariable)
	if name == "" {
		os.Exit(m.Run())
	}
	t := &testing.T{}
	value := sensitive(t)[name]
	if value == nil {
		fmt.Println("no such type")
		os.Exit(0)
	}
	panic(value)
}

// TestPanicsShowNoSecret: Go's own report of a panic, with every goroutine's stack, shows nothing of the value that the
// program panicked with.
func TestPanicsShowNoSecret(t *testing.T) {
	for name := range sensitive(t) {
		cmd := exec.CommandContext(t.Context(), os.Args[0]) //nolint:gosec // this test program
		cmd.Env = append(os.Environ(), panicVariable+"="+name, "GOTRACEBACK=system")
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), "panic: ") || !strings.Contains(string(out), "goroutine 1 ") {
			t.Errorf("%s: the child did not panic: %v\n%s", name, err, out)
			continue
		}
		if form, found := shows(string(out)); found {
			t.Errorf("a panic with %s shows its %s", name, form)
		}
	}
}
