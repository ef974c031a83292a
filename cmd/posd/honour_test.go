package main

import (
	"bytes"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tillway/device/emulator"
	"tillway/emv"
	"tillway/emv/oda"
	"tillway/terminal/profile"
)

func edited(t *testing.T, pairs ...string) profile.Profile {
	t.Helper()
	b, err := profile.Text("kuwait")
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("kuwait.toml does not hold %q", pairs[i])
		}
		text = strings.Replace(text, pairs[i], pairs[i+1], 1)
	}
	p, err := profile.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// The daemon starts with the shop's profile, and refuses in one sentence what it cannot keep, though the kernel does it.
func TestHonours(t *testing.T) {
	if err := honours(edited(t), false); err != nil {
		t.Fatalf("kuwait: %v", err)
	}
	const methods = `["online_pin", "no_cvm"]`
	if err := honours(edited(t, methods, `["online_pin", "no_cvm", "offline_pin_enciphered", "signature"]`), false); err != nil {
		t.Errorf("PINs enciphered for the card, and signatures: %v", err)
	}
	swiping := edited(t, `fallback_after = 3`, `card_data_input = ["chip", "stripe"]`)
	if err := honours(swiping, true); err != nil {
		t.Errorf("a stripe reader: %v", err)
	}
	swiping.Terminal.Capabilities[1] = 0x08 // no CVM alone
	if err := honours(swiping, true); err == nil || !strings.Contains(err.Error(), "neither online_pin nor signature") {
		t.Errorf("a stripe reader, and no way to verify: %v", err)
	}
	const limits = "[offline]\ncount = 5\nsum = \"50\"\n"
	keeping := []string{`type        = "21"`, `type = "22"`, `[deadlines]`, limits + `[deadlines]`}
	if err := honours(edited(t, append(keeping, `offline_data_authentication = []`, `offline_data_authentication = ["dda"]`)...), false); err != nil {
		t.Errorf("approvals without the host, within limits: %v", err)
	}
	if err := honours(edited(t, keeping...), false); err == nil || !strings.Contains(err.Error(), "from a copy") {
		t.Errorf("approvals without the host, of cards that nobody authenticates: %v", err)
	}
	for _, row := range []struct {
		old, replacement, says string
		stripe                 bool
	}{
		{`type        = "21"`, `type = "22"`, "how much may wait", false},
		{`type        = "21"`, `type = "23"`, "never asks the host", false},
		{`type        = "21"`, `type = "25"`, "attended", false},
		{`type        = "21"`, `type = "24"`, "attended", false},
		{`type        = "21"`, `type = "34"`, "attended", false},
		{`type        = "21"`, `type = "11"`, "merchant", false},
		{`type        = "21"`, ``, "terminal.type is left out", false},
		{`country   = 414             # ISO 3166-1 numeric`, ``, "country is left out", false},
		{`tac_online  = "DC4004F800"`, ``, "tac_online is left out", false},
		{`literal_action_codes = false`, ``, "literal_action_codes is left out", false},
		{`literal_action_codes = false`, `literal_action_codes = true`, "write false", false},
		{methods, `["online_pin", "no_cvm", "offline_pin_plaintext"]`, "offline_pin_plaintext needs", false},
		{`fallback_after = 3`, `card_data_input = ["chip", "stripe"]`, "no reader for it", false},
		{`fallback_after = 3`, `card_data_input = ["chip", "manual"]`, "by keys", false},
		{`fallback_after = 3`, `card_data_input = []`, "nothing else", false},
		{`[merchant]`, "selection = [1]\n[merchant]", "for pos card run", false},
		{`[merchant]`, "force_online = true\n[merchant]", "for pos card run", false},
		{`[roles]`, "[[exception]]\npan = \"4761739001010119\"\n[roles]", "for pos card run", false},
		{`[roles]`, "[[earlier_sale]]\npan = \"4761739001010119\"\namount = \"1\"\n[roles]", "for pos card run", false},
		{`fallback_after = 3`, ``, "takes no stripe", true},
	} {
		err := honours(edited(t, row.old, row.replacement), row.stripe)
		if err == nil || !strings.Contains(err.Error(), row.says) || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "profile kuwait") {
			t.Errorf("%q: %v, want %q", row.replacement, err, row.says)
		}
	}
}

// A terminal with CA keys authenticates the card of a sale, and the issuer reads of it in the TVR: with the keys, without the one
// that is needed, and at a terminal that does not.
func TestSaleAuthenticatesItsCard(t *testing.T) {
	const off = `offline_data_authentication = []`
	on := edited(t, off, `offline_data_authentication = ["dda", "cda"]`)
	file, err := oda.ParseKeys(emulator.AuthorityKeys(), oda.Test)
	if err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		profile profile.Profile
		keys    emv.CAKeys
		want    emv.ODA
		tvr     byte // byte 1
	}{
		"with the authority's key": {on, file.CAKeys, emv.ODA{Method: "cda", OK: true}, 0x00},
		"without it":               {on, emv.CAKeys{}, emv.ODA{Method: "cda"}, 0x04},
		"not at this terminal":     {edited(t), file.CAKeys, emv.ODA{Method: "none"}, 0x80},
	} {
		s, _ := quickSecured(t, "oda-cda", answerAll, nil, func(p *parts) { p.profile, p.caKeys = row.profile, row.keys })
		sale := sellOne(t, s, 1000)
		if tvr := sale.Tags.Value(emv.TagTVR); sale.ODA != row.want || len(tvr) != 5 || tvr[0] != row.tvr {
			t.Errorf("%s: %+v, TVR %X", name, sale.ODA, tvr)
		}
	}
}

// caKeyFile is a terminal's own key file of one key. The modulus is made up; the check sum is its own.
func caKeyFile(environment, expiry string) string {
	modulus := bytes.Repeat([]byte{0xA5}, 128)
	sum := oda.CheckSum([5]byte{0xA0, 0, 0, 0, 3}, 0x92, oda.Key{Modulus: modulus, Exponent: []byte{3}})
	return fmt.Sprintf(`{"environment": %q, "keys": [{"rid": "A000000003", "index": "92", "modulus": "%X", "exponent": "03", "expiry": %q, "sha1": "%X"}]}`,
		environment, modulus, expiry, sum)
}

// The authorities' keys are of the profile's environment, live ones at a till; a terminal that authenticates cards has some,
// and their last days are watched.
func TestCAKeysAtStart(t *testing.T) {
	const off = `offline_data_authentication = []`
	dda, live := []string{off, `offline_data_authentication = ["dda"]`}, []string{`ca_keys    = "test"`, `ca_keys = "live"`}
	cardPIN := []string{`["online_pin", "no_cvm"]`, `["online_pin", "offline_pin_enciphered", "no_cvm"]`}
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	for name, row := range map[string]struct {
		edits       []string
		development bool
		file        string // empty: none is named
		keys        int
		says        string // the error, or what is logged
	}{
		"none, and none needed":          {nil, false, "", 0, ""},
		"none, and needed":               {dda, true, "", 0, "name the file"},
		"none, and PINs for the card":    {cardPIN, true, "", 0, "takes offline_pin_enciphered"},
		"test keys in development":       {dda, true, caKeyFile("test", "2030-12-31"), 1, "keys=1"},
		"test keys at a till":            {dda, false, caKeyFile("test", "2030-12-31"), 0, "anybody makes a card"},
		"live keys at a till":            {live, false, caKeyFile("live", "2030-12-31"), 1, "environment=live"},
		"test keys for live":             {live, false, caKeyFile("test", "2030-12-31"), 0, "the file is for test"},
		"live keys for test":             {nil, true, caKeyFile("live", "2030-12-31"), 0, "the file is for live"},
		"expired":                        {nil, true, caKeyFile("test", "2026-11-22"), 1, "has expired"},
		"on its last day":                {nil, true, caKeyFile("test", "2026-11-23"), 1, "expires soon"},
		"collection with nothing usable": {live, false, "[" + strings.TrimSuffix(strings.SplitAfterN(caKeyFile("test", ""), "[", 2)[1], "}"), 0, "no key that a live terminal can use"},
	} {
		t.Run(name, func(t *testing.T) {
			c := config{Development: row.development}
			if row.file != "" {
				c.CAKeys = filepath.Join(t.TempDir(), "capk.json")
				write(t, c.CAKeys, row.file)
			}
			var out bytes.Buffer
			keys, err := c.loadCAKeys(edited(t, row.edits...), now, slog.New(slog.NewTextHandler(&out, nil)))
			said := out.String()
			if err != nil {
				said = err.Error()
			}
			if len(keys.Keys) != row.keys || (err == nil) != (row.keys > 0 || row.says == "") || !strings.Contains(said, row.says) {
				t.Errorf("%d keys, %v, said %q", len(keys.Keys), err, said)
			}
		})
	}
}
