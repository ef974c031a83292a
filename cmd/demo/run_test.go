package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tillway/terminal/profile"
)

// TestFirstTime: a new folder gets a configuration and a profile under which everything that the simulators play can be tried;
// what a person changed afterwards stays.
func TestFirstTime(t *testing.T) {
	s := fake(t, nil)
	s.stripe = true
	if err := s.firstTime(filepath.Join(t.TempDir(), "none.toml")); err == nil {
		t.Error("started from a file that is not there")
	}
	if err := s.firstTime(filepath.Join("..", "posd", "posd.toml")); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{`profile = "demo.toml"`, `ca_keys = "capk.json"`, `port = "stripe"`, `mac = "alg3"`, `partial  = "amount"`, `listen = "127.0.0.1:8443"`} {
		if !strings.Contains(string(text), "\n"+line) {
			t.Errorf("no line %s", line)
		}
	}
	written, err := os.ReadFile(s.path(profileFile))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := profile.Parse(written); err != nil || !strings.Contains(string(written), `card_data_input = ["chip", "stripe"]`) {
		t.Errorf("profile %s: %v", written, err)
	}
	for _, own := range []string{s.config, s.path(profileFile)} {
		if err := os.WriteFile(own, []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.firstTime(filepath.Join("..", "posd", "posd.toml")); err != nil {
		t.Fatal(err)
	}
	for _, own := range []string{s.config, s.path(profileFile)} {
		if text, err := os.ReadFile(own); err != nil || string(text) != "mine" {
			t.Errorf("%s holds %q, %v: what a person changed must stay", own, text, err)
		}
	}
}

// TestHostOf: the simulated bank listens where the terminal looks for it, and nowhere but on this machine.
func TestHostOf(t *testing.T) {
	config := filepath.Join(t.TempDir(), "posd.toml")
	for address, want := range map[string]string{
		"127.0.0.1:18583": "127.0.0.1:18583 127.0.0.1:18584", "[::1]:8583": "[::1]:8583 [::1]:8584",
		"192.0.2.1:8583": "", "bank.example:8583": "", "127.0.0.1:0": "", "127.0.0.1:65535": "", "": "",
	} {
		if err := os.WriteFile(config, []byte("[acquirer]\naddress = \""+address+"\"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		host, local, err := hostOf(config)
		if got := strings.TrimSpace(host + " " + local); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", address, got, err)
		}
		if err != nil && !strings.Contains(err.Error(), "such as 127.0.0.1:8583") {
			t.Errorf("it said %v", err)
		}
	}
}

// TestDoorsOf: the screen is where the config says, at its usual place where that says nothing, and nowhere where it is empty; the door
// for cash registers is where it says, else nowhere.
func TestDoorsOf(t *testing.T) {
	config := filepath.Join(t.TempDir(), "posd.toml")
	for text, want := range map[string][2]string{
		"": {usualScreen, ""}, "[screen]\nlisten = \"\"": {}, "[screen]\nlisten = \"[::1]:9\"": {"[::1]:9", ""}, "[ecr]\nlisten = \"127.0.0.1:8443\"": {usualScreen, "127.0.0.1:8443"},
	} {
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if screen, ecr, err := doorsOf(config); screen != want[0] || ecr != want[1] || err != nil {
			t.Errorf("%q: %q, %q, %v", text, screen, ecr, err)
		}
	}
}

// TestNext: who runs the stack in a folder of their own is told how to reach it there.
func TestNext(t *testing.T) {
	s := fake(t, nil)
	s.page = readerPage
	if said := s.next(); !strings.Contains(said, "http://"+readerPage+"/") {
		t.Errorf("no word of the page: %s", said)
	}
	s.screen = usualScreen
	if said := s.next(); !strings.Contains(said, "pen http://127.0.0.1:8580/ ") {
		t.Errorf("no word of the cashier's screen: %s", said)
	}
	if said := s.next(); !strings.Contains(said, "--socket "+s.path("posd.sock")) || !strings.Contains(said, "--control "+s.path("reader.ctl")) {
		t.Errorf("it said %s", said)
	}
}
