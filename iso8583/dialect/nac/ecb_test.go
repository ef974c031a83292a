package nac

import (
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"tillway/iso8583"
	"tillway/terminal"
)

// TestPublishedKeyExchange: the public message of a key exchange has one key of single DES in DE 48, with its check value
// and zeros behind, and reads by the same rule as ours. That the key is what the check value says is tested with the keys.
func TestPublishedKeyExchange(t *testing.T) {
	text, err := os.ReadFile("testdata/public/hpdh-key-exchange-req.hex")
	if err != nil {
		t.Fatal(err)
	}
	wire, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	codec, err := iso8583.Compile(Table(Settings{}))
	if err != nil {
		t.Fatal(err)
	}
	m, err := codec.Unpack(wire[2:])
	if err != nil {
		t.Fatal(err)
	}
	field, _ := m.Get(48)
	keys, err := ecbKeys(field, 16, terminal.KeyForPIN)
	if err != nil || len(keys) != 1 || hex.EncodeToString(keys[0].Cryptogram) != "ec9df695353fa075" || keys[0].Check != "BFFA61" {
		t.Errorf("%d keys, %v", len(keys), err)
	}
	if code, _ := m.Get(70); strings.TrimLeft(code, "0") != "101" {
		t.Errorf("network management code %q", code)
	}
	if _, err := ecbKeys(field, ecbKeyDigits, terminal.KeyForPIN, terminal.KeyForMAC); err == nil {
		t.Error("one key of single DES is taken for two of triple DES")
	}
}
