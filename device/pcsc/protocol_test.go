package pcsc

import (
	"bytes"
	"strings"
	"testing"
)

// tableOf is a table as pcscd sends it.
func tableOf(all ...readerState) []byte {
	table := make([]byte, tableSize)
	for i, s := range all {
		b := table[i*stateSize:]
		copy(b, nameField(s.name))
		copy(b[maxName:], words(s.events, s.bits, s.sharing))
		copy(b[atrAt:], s.atr)
		copy(b[atrAt+maxATR+3:], words(uint32(len(s.atr)), 0)) //nolint:gosec // a test's
	}
	return table
}

// The table that Debian 12's pcscd 1.9.9 sent of its two virtual readers, with an ISO 7816 card of vsmartcard's in the first.
func TestStatesOfPcscd(t *testing.T) {
	raw := readTable(t)
	all, err := parseStates(raw)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 2 || all[0].name != "Virtual PCD 00 00" || all[1].name != "Virtual PCD 00 01" {
		t.Fatalf("%+v", all)
	}
	if !all[0].cardIn() || all[1].cardIn() || len(all[0].atr) < 2 || all[0].atr[0] != 0x3B || len(all[1].atr) != 0 {
		t.Errorf("%+v", all)
	}
}

func TestStatesThatAreNone(t *testing.T) {
	nameless := tableOf(readerState{name: "A"})
	for i := range maxName {
		nameless[i] = 'A'
	}
	for name, b := range map[string][]byte{"empty": nil, "cut": make([]byte, tableSize-1), "long": make([]byte, tableSize+1), "a name without end": nameless} {
		if all, err := parseStates(b); err == nil {
			t.Errorf("%s: %+v", name, all)
		}
	}
	odd := tableOf(readerState{name: "A", bits: statePresent})
	copy(odd[atrAt+maxATR+3:], words(0xFFFFFFFF))
	if all, err := parseStates(odd); err != nil || len(all) != 1 || len(all[0].atr) != 0 {
		t.Errorf("an ATR of four thousand million bytes: %+v, %v", all, err)
	}
}

func TestPick(t *testing.T) {
	named := func(names ...string) (all []readerState) {
		for _, n := range names {
			all = append(all, readerState{name: n})
		}
		return all
	}
	two := named("Gemalto PC Twin Reader 00 00", "ACS ACR39U ICC Reader 01 00")
	slots := named("Identive CLOUD 4701 F [Contact] 00 00", "Identive CLOUD 4701 F [Contactless] 01 00")
	for _, c := range []struct {
		all        []readerState
		want, name string
		problem    string
	}{
		{two, "twin", "Gemalto PC Twin Reader 00 00", ""},
		{two, "ACR39U", "ACS ACR39U ICC Reader 01 00", ""},
		{two, "Reader", "", "2 readers"},
		{two, "OMNIKEY", "", "has Gemalto PC Twin Reader 00 00; ACS ACR39U"},
		{slots, "[contact]", "Identive CLOUD 4701 F [Contact] 00 00", ""},
		{named("A", "AA"), "A", "A", ""},
		{named("AA", "A"), "A", "A", ""},
		{nil, "A", "", "no reader"},
		{named("evil\x1b[2J\nname"), "other", "", "evil?[2J?name"},
	} {
		got, err := pick(c.all, c.want)
		if got.name != c.name || (err == nil) != (c.problem == "") || err != nil && !strings.Contains(err.Error(), c.problem) {
			t.Errorf("%q: %q, %v", c.want, got.name, err)
		}
	}
}

// Whatever a table holds, the readers found are within its bounds, and what they say makes the same readers again.
func FuzzStates(f *testing.F) {
	f.Add(tableOf(readerState{name: "Virtual PCD 00 00", events: 3, bits: 0x34, atr: []byte{0x3B, 0x60, 0, 0}}), "pcd")
	f.Add(tableOf(readerState{name: "A"}, readerState{name: "A B"}), "A")
	f.Fuzz(func(t *testing.T, b []byte, want string) {
		if len(b) < tableSize { // let the fuzzer change the beginning
			b = append(b, make([]byte, tableSize-len(b))...)
		}
		all, err := parseStates(b)
		if err != nil {
			return
		}
		again, err := parseStates(tableOf(all...))
		if err != nil || len(again) != len(all) || len(all) > maxReaders {
			t.Fatalf("%d readers became %d: %v", len(all), len(again), err)
		}
		for i := range all {
			a, b := all[i], again[i]
			if a.name != b.name || a.bits != b.bits || a.events != b.events || a.sharing != b.sharing || !bytes.Equal(a.atr, b.atr) || len(a.atr) > maxATR {
				t.Fatalf("%+v became %+v", a, b)
			}
		}
		if found, err := pick(all, want); err == nil && !strings.Contains(strings.ToLower(found.name), strings.ToLower(want)) {
			t.Fatalf("%q picked for %q", found.name, want)
		}
	})
}

func TestCodes(t *testing.T) {
	for code, known := range codes {
		if text := code.Error(); !strings.HasPrefix(text, "pcscd: ") || !strings.Contains(text, known.text) {
			t.Error(text)
		}
	}
	if text := Code(0x80100001).Error(); text != "pcscd: code 80100001" {
		t.Error(text)
	}
}
