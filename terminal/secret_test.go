package terminal_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"tillway/emv"
	"tillway/terminal"
)

// However card data are printed, logged or marshalled, alone or inside something, none of them shows.
func TestCardDataNeverShows(t *testing.T) {
	const digits, expiry = "4761739001010119", "2812"
	pan, err := emv.NewPAN(digits)
	if err != nil {
		t.Fatal(err)
	}
	track, err := emv.NewTrack2([]byte("\x47\x61\x73\x90\x01\x01\x01\x19\xD2\x81\x22\x01"))
	if err != nil {
		t.Fatal(err)
	}
	card := terminal.CardData{PAN: pan, Expiry: expiry, PSN: "01", Track2: track}
	message := []byte("0200" + digits + "D" + expiry)
	secret := terminal.Secret{Card: card, Request: message, Reversal: message}
	var data emv.Data
	data.Put(emv.TagPAN, []byte("\x47\x61\x73\x90\x01\x01\x01\x19"))
	data.Put(emv.TagAmountAuthorised, []byte("\x28\x12\x28\x12\x28\x12"))

	forms := []string{
		digits, digits[6:12], expiry, fmt.Sprintf("%x", digits), fmt.Sprintf("%x", message), base64.StdEncoding.EncodeToString(message),
		"52 55 54 49 55 51 57 48", "71 97 115 144", "40 18",
	}
	for name, v := range map[string]any{
		"card": card, "&card": &card, "secret": secret, "&secret": &secret, "data": data, "&data": &data,
		"request": terminal.Request{Card: card, Tags: data}, "entry": struct{ Secret *terminal.Secret }{&secret},
		"outcome": emv.Outcome{Data: data},
	} {
		var out bytes.Buffer
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%t"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		options := &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{} // it may hold any digits
			}
			return a
		}}
		slog.New(slog.NewTextHandler(&out, options)).Info("m", "v", v)
		slog.New(slog.NewJSONHandler(&out, options)).Info("m", "v", v)
		if b, err := json.Marshal(v); err == nil {
			out.Write(b)
		}
		for _, form := range forms {
			if strings.Contains(out.String(), form) {
				t.Errorf("%s shows %q", name, form)
			}
		}
	}
}
