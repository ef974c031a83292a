package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tillway/device/emulator"
	"tillway/emv/oda"
)

// The list names every ready card with what it is for, and a card's file is there to start one's own from.
func TestCardList(t *testing.T) {
	got := pos(t, "card", "list", "--json")
	var list []readyCard
	if err := json.Unmarshal([]byte(got.out), &list); err != nil || got.code != 0 || len(list) != len(emulator.ReadyNames()) {
		t.Fatalf("exit %d, %d cards: %v", got.code, len(list), err)
	}
	for _, c := range list {
		if c.Note == "" {
			t.Errorf("card %s does not say what it is for", c.Name)
		}
	}
	if got := pos(t, "card", "list"); !strings.Contains(got.out, "oda-cda ") || strings.Count(got.out, "\n") != len(list) {
		t.Errorf("list: %s", got.out)
	}
	if got := pos(t, "card", "list", "platinum"); got.code != exitUsage {
		t.Errorf("exit %d for a card that is not there", got.code)
	}
	own := filepath.Join(t.TempDir(), "own.toml")
	text := "like = \"credit\"\nname = \"own\"\n[[application]]\n[application.data]\n\"5F34\" = \"07\"\n"
	if err := os.WriteFile(own, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if run := cardRun(t, 0, with(own)...); run.Tags["5F34"] != "07" || run.Tags["5A"] != "4761739001010119" {
		t.Errorf("a card like another: %v", run.Tags)
	}
}

// The key file of the test cards is one that a terminal under test takes and one that takes real cards does not.
func TestCardKeyFile(t *testing.T) {
	got := pos(t, "card", "capk")
	file, err := oda.ParseKeys([]byte(got.out), oda.Test)
	if err != nil || got.code != 0 || len(file.Keys) != 8 || len(file.Revoked) != 6 {
		t.Fatalf("exit %d, %d keys, %d revoked: %v", got.code, len(file.Keys), len(file.Revoked), err)
	}
	if _, err := oda.ParseKeys([]byte(got.out), oda.Live); err == nil {
		t.Fatal("test keys for real cards")
	}
}

// served offers a ready card over TCP, as readeremu card does, and gives its address.
func served(t *testing.T, name string, bare bool) string {
	t.Helper()
	p, err := emulator.Ready(name)
	if err != nil {
		t.Fatal(err)
	}
	var chip emulator.Chip = emulator.NewCard(p)
	if bare {
		chip = emulator.Bare(chip)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- emulator.Serve(ctx, l, chip, nil) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return "tcp:" + l.Addr().String()
}

const rehearsalProfile = `
currency = "KWD"
country = 414
[terminal]
type = "22"
capabilities = "E0F8C8"

[[application]]
aid = "A0000000031010"
version = "008C"
tac_denial = "0000000000"
tac_online = "DC4000A800"
tac_default = "DC4000A800"
floor_limit = "20.000"
`

// Cards over TCP, from the key file to the object that is printed: what an integrator sees of a whole transaction.
func TestCardsOverTCP(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	flags := with("--profile", write("terminal.toml", rehearsalProfile), "--capk", write("capk.json", string(emulator.AuthorityKeys())))
	for _, row := range []struct {
		card         string
		flags        string
		exit         int
		outcome, oda string
		tvr, tsi     string
		cvm          string // 9F34
	}{
		{"oda-cda", "", 0, "approved", "cda true", "0000000000", "E800", "1F0002"},
		{"oda-cda-1984", "", 0, "approved", "cda true", "0000000000", "E800", "1F0002"},
		{"oda-dda", "", 0, "approved", "dda true", "0000000000", "E800", "1F0002"},
		{"oda-sda", "", 0, "approved", "sda true", "0200000000", "E800", "1F0002"},
		{"oda-issuer-revoked", "", 0, "online", "cda false", "0400000000", "E800", "1F0002"},
		{"oda-no-authority-index", "--online unable", 1, "declined", "cda false", "2400000000", "E800", "1F0002"},
		{"cda-wedge-iad", "", 1, "declined", "cda false", "0400000000", "E800", "1F0002"},
		{"cda-online", "--online approve", 0, "approved", "cda true", "0000000000", "E800", "1F0002"},
		{"cda-online", "--online decline --arc 3531", 1, "declined", "cda true", "0000000000", "E800", "1F0002"},
		{"pin-plain", "--pin 1234", 0, "approved", "cda true", "0000000000", "E800", "410302"},
		{"pin-enciphered", "--pin 1234", 0, "approved", "cda true", "0000000000", "E800", "440302"},
		{"pin-enciphered", "--pin 4321", 0, "online", "cda true", "0000200000", "E800", "1F0002"},
		{"pin-plain", "", 0, "online", "cda true", "0000080000", "E800", "1F0002"},
		{"trm-upper", "", 0, "online", "cda true", "0000006000", "E800", "1F0002"},
		{"script", "--online approve --issuer-data 7208860604DA9F580105", 0, "approved", "cda true", "0000000000", "EC00", "1F0002"},
		{"afl-cut", "", 1, "terminated", "none false", "0000000000", "0000", ""},
		{"sel-card-blocked", "", 1, "terminated", "none false", "0000000000", "0000", ""},
	} {
		for _, bare := range []bool{false, true} {
			name := strings.TrimSpace(row.card + " " + row.flags)
			if bare {
				name += " with 61xx and 6Cxx"
			}
			t.Run(name, func(t *testing.T) {
				args := append(append([]string{"--card", served(t, row.card, bare)}, flags...), strings.Fields(row.flags)...)
				got := cardRun(t, row.exit, args...)
				oda := fmt.Sprintf("%s %t", got.ODA.Method, got.ODA.OK)
				if got.Outcome != row.outcome || oda != row.oda {
					t.Errorf("%s (%s), %s; want %s, %s", got.Outcome, got.Reason, oda, row.outcome, row.oda)
				}
				for tag, want := range map[string]string{"95": row.tvr, "9B": row.tsi, "9F34": row.cvm} {
					if got.Tags[tag] != want {
						t.Errorf("tag %s is %s, want %s", tag, got.Tags[tag], want)
					}
				}
			})
		}
	}
}
