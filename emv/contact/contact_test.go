package contact_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tillway/device/transcript"
	"tillway/emv"
	"tillway/emv/contact"
	"tillway/emv/tlv"
	"tillway/money"
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

// recorded reads a session of testdata.
func recorded(t *testing.T, name string) transcript.Transcript {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	tr, err := transcript.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// terminal is an attended terminal in Kuwait that can only go online.
func terminal(apps ...emv.Application) emv.Params {
	kwd, err := money.ByCode("KWD")
	if err != nil {
		panic(err)
	}
	if len(apps) == 0 {
		apps = []emv.Application{{AID: unhex("A0000000031010"), PartialSelect: true, Scheme: "visa", Version: [2]byte{0, 0x8C}}}
	}
	return emv.Params{
		Applications:     apps,
		Amount:           money.New(10_525, kwd),
		TransactionType:  0x00,
		Time:             time.Date(2026, 11, 23, 9, 41, 7, 0, time.UTC),
		SequenceCounter:  42,
		TerminalCountry:  414,
		TerminalType:     0x21,
		Capabilities:     [3]byte{0xE0, 0x08, 0x00},
		MoreCapabilities: [5]byte{0x60, 0x00, 0xF0, 0xA0, 0x01},
		TerminalID:       "TILL0001",
		MerchantID:       "KW0000000000001",
		IFDSerial:        "12345678",
		Random:           bytes.NewReader(unhex("D3173A1F 00000000 00000000")),
	}
}

// fix sets terminal objects: "9F02=000000001000 9C=00".
func fix(p emv.Params, objects string) emv.Params {
	p.Fixed = map[tlv.Tag][]byte{}
	for o := range strings.FieldsSeq(objects) {
		name, value, _ := strings.Cut(o, "=")
		tag, err := tlv.ParseTag(name)
		if err != nil {
			panic(err)
		}
		p.Fixed[tag] = unhex(value)
	}
	return p
}

// wantTags compares objects: "95=8000008000 9F27=80", a value of - meaning that the tag is not there.
func wantTags(t *testing.T, d emv.Data, objects string) {
	t.Helper()
	for o := range strings.FieldsSeq(objects) {
		name, want, _ := strings.Cut(o, "=")
		tag, err := tlv.ParseTag(name)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := d.Get(tag)
		if !ok && want == "-" {
			continue
		}
		if g := fmt.Sprintf("%X", got); !ok || g != want {
			t.Errorf("tag %s is %q, want %q", name, g, want)
		}
	}
}

// wantWhy wants a reason for a bit.
func wantWhy(t *testing.T, why []emv.Why, bit string) {
	t.Helper()
	for _, w := range why {
		if w.Bit == bit && w.Reason != "" && w.Section != "" {
			return
		}
	}
	t.Errorf("nothing says why %s, of %v", bit, why)
}

func begin(t *testing.T, card emv.Card, p emv.Params, holder emv.Cardholder) (emv.Transaction, emv.Outcome) {
	t.Helper()
	txn, out, err := contact.New(contact.Config{}).Begin(t.Context(), card, p, holder)
	if err != nil {
		t.Fatal(err)
	}
	if (txn != nil) != (out.Decision == emv.Online) {
		t.Fatalf("decision %q with transaction %v", out.Decision, txn)
	}
	return txn, out
}

func complete(t *testing.T, txn emv.Transaction, answer emv.HostAnswer) emv.Outcome {
	t.Helper()
	out, err := txn.Complete(t.Context(), answer)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
