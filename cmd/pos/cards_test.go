package main

import (
	"encoding/json"
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
