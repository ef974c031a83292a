package main

import (
	"bytes"
	"crypto/des" //nolint:gosec // its key schedules are what is looked for
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"tillway/device/secure/x9"
)

var pinSales = flag.Int("pin.sales", 10, "sales with PIN before the memory is searched")

// What is entered at the keypad: the card's own PIN, which the bank approves, and one of twelve digits that nothing else in
// memory can be, which it refuses as wrong.
const (
	rightPIN  = "1234"
	canaryPIN = "902175340168"
	pinCard   = "debit"
	pinPAN    = "5413330089604111"
)

// TestMemoryHoldsNoKeyAndNoPIN: after many sales with PIN the memory of posd and of keyd holds no PIN, no clear PIN block and
// no key, in any form; nor does anything on disk. What has to be found is: a mark in each process. How often posd still
// holds the card number is counted and printed.
func TestMemoryHoldsNoKeyAndNoPIN(t *testing.T) {
	t.Parallel()
	w := whole(t, io.Discard)
	if err := w.cardholder(t.Context(), "insert", pinCard); err != nil {
		t.Fatal(err)
	}
	const mark = "mark-of-the-memory-scan-7QX2"
	w.sellWithPIN(t, *pinSales, mark)
	posd, err := w.pid("posd")
	if err != nil {
		t.Fatal(err)
	}
	keyd, err := childOf(posd, "keyd")
	if err != nil {
		t.Fatal(err)
	}
	w.bankIsFound(t)
	for _, p := range []struct {
		name string
		pid  int
		mark string
		kept int // copies of the card number that may be left over
	}{{"posd", posd, mark, keptInPosd}, {"keyd", keyd, w.path("state"), keptInKeyd}} {
		s, err := w.collected(t, p.pid, p.mark, p.kept)
		switch {
		case errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0:
			t.Logf("%s: only root may look into its memory", p.name)
			continue
		case err != nil:
			t.Fatal(err)
		}
		if s.found["mark"] == 0 {
			t.Errorf("%s: the mark that it holds was not found in %d bytes", p.name, s.bytes)
		}
		secrets := []map[string]int{only(s.found, "PIN"), only(s.found, "key"), only(s.arena, "PIN")}
		if p.name == "posd" {
			secrets = append(secrets, only(s.arena, "key"))
		}
		for _, got := range secrets {
			if len(got) > 0 {
				t.Errorf("%s: %s", p.name, s.report(got))
			}
		}
		card := only(s.found, "card number")
		if sum(card) > p.kept {
			t.Errorf("%s has %d copies of the card number, and may have %d: %s", p.name, sum(card), p.kept, s.report(card))
		}
		t.Logf("%s after %d sales with PIN: %d MiB read, not readable %v, copies of the card number: %d %v, keys in locked memory: %d",
			p.name, *pinSales, s.bytes>>20, s.skip, sum(card), card, sum(only(s.arena, "key")))
	}
	w.nothingOnDisk(t)
}

// How many copies of the card number may be left when the collector has been: Go wipes what it gives back to the system,
// and not the pages of which something is still in use. Without a collection posd has hundreds.
const (
	keptInPosd = 300
	keptInKeyd = 16
)

// collected searches a process, again for a while as long as more copies of the card number are in it than may be: the
// collection comes a moment after the sale.
func (w *world) collected(t *testing.T, pid int, mark string, kept int) (*scan, error) {
	t.Helper()
	for end := time.Now().Add(collectWithin); ; {
		s := newScan()
		w.secrets(t, s)
		s.digits("card number", pinPAN)
		s.add("mark", []byte(mark))
		err := s.process(pid)
		if err != nil || sum(only(s.found, "card number")) <= kept || time.Now().After(end) {
			return s, err
		}
		time.Sleep(pollEvery)
	}
}

const collectWithin = 10 * time.Second

// bankIsFound is the positive control: the bank's simulator hides nothing, and in its memory the same search finds the
// terminal's keys, as they are and as cipher schedules, and the clear PIN blocks that it took apart.
func (w *world) bankIsFound(t *testing.T) {
	t.Helper()
	bank, err := w.pid("hostsim")
	if err != nil {
		t.Fatal(err)
	}
	s := newScan()
	w.secrets(t, s)
	if err := s.process(bank); err != nil {
		t.Fatal(err)
	}
	for _, form := range []string{"PIN block bytes", "key pin.tr31 initial bytes", "key mac.tr31 working bytes", "key mac.tr31 working schedule"} {
		if s.found[form] == 0 {
			t.Errorf("the bank's simulator holds the %s, and the search did not find it", form)
		}
	}
}

// nothingOnDisk searches all that the terminal wrote: database, its log, counters, keys, witness, logs. The bank's folder
// holds the key sheet that the keys were loaded from, and is not the terminal's.
func (w *world) nothingOnDisk(t *testing.T) {
	t.Helper()
	s := newScan()
	w.secrets(t, s)
	s.digits("card number", pinPAN)
	entries, err := os.ReadDir(w.folder)
	if err != nil {
		t.Fatal(err)
	}
	searched := 0
	for _, e := range entries {
		path := filepath.Join(w.folder, e.Name())
		switch {
		case e.Name() == "host":
		case e.IsDir():
			if err := s.files(path); err != nil {
				t.Fatal(err)
			}
			searched++
		case e.Type().IsRegular():
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			s.text(text, len(text), e.Name(), s.found)
			searched++
		}
	}
	if len(s.found) > 0 || searched < 4 {
		t.Errorf("on disk, in %d places: %s", searched, s.report(s.found))
	}
}

// sellWithPIN makes sales with PIN, every other one with a wrong PIN; the wrong ones are declined.
func (w *world) sellWithPIN(t *testing.T, n int, reference string) {
	t.Helper()
	folder := t.TempDir()
	files := map[string]string{}
	for _, pin := range []string{rightPIN, canaryPIN} {
		files[pin] = filepath.Join(folder, pin[:1])
		if err := os.WriteFile(files[pin], []byte(pin+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for i := range n {
		pin, exit := canaryPIN, 1
		if i%2 == 1 || i == n-1 {
			pin, exit = rightPIN, 0
		}
		w.sale(t, exit, "1.000", "--reference", reference, "--pin-file", files[pin])
	}
}

// secrets adds what may not be found anywhere: the PINs, their clear blocks, and every key of the terminal that the bank's
// key sheet leads to, up to the last sale and beyond, with the schedules that ciphers expand them to.
func (w *world) secrets(t *testing.T, s *scan) {
	t.Helper()
	s.digits("PIN", canaryPIN)
	for _, pin := range []string{rightPIN, canaryPIN} {
		field, err := hex.DecodeString(fmt.Sprintf("0%X%s%s", len(pin), pin, strings.Repeat("F", 14-len(pin))))
		if err != nil {
			t.Fatal(err)
		}
		s.binary("PIN field", field)
		block, err := x9.EncodePINBlock(x9.PINFormat0, []byte(pin), pinPAN, nil)
		if err != nil {
			t.Fatal(err)
		}
		s.binary("PIN block", block[:])
	}
	kek := w.keyEncryptingKey(t, s)
	for _, name := range []string{"pin.tr31", "mac.tr31"} {
		header, initial, err := x9.UnwrapKeyBlock(kek, w.sheet(t, name))
		if err != nil {
			t.Fatal(err)
		}
		text, _ := header.OptionalData("KS")
		serial, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		ksn, err := x9.ParseKSN(serial)
		if err != nil {
			t.Fatal(err)
		}
		s.key("key "+name+" initial", initial)
		for c := uint32(1); c <= uint32(8**pinSales+256); c++ { //nolint:gosec // a few hundred
			at := ksn.WithCounter(c)
			if at.Check() != nil {
				continue
			}
			key, err := x9.TDESTransactionKey(initial, at)
			if err != nil {
				t.Fatal(err)
			}
			s.key("key "+name+" transaction", key)
			for _, use := range []x9.TDESUse{x9.TDESPIN, x9.TDESMACRequest, x9.TDESMACResponse} {
				working, err := x9.TDESWorkingKey(key, use)
				if err != nil {
					t.Fatal(err)
				}
				s.key("key "+name+" working", working)
			}
		}
	}
}

// key looks for a key, and for what crypto/des makes of each of its halves: the first thing in memory of a cipher.
func (s *scan) key(name string, key []byte) {
	s.binary(name, key)
	for _, half := range [][]byte{key[:8], key[8:16]} {
		if schedule := desSchedule(half); schedule != nil {
			s.add(name+" schedule", schedule)
		}
	}
}

// desSchedule is the memory of a cipher of crypto/des: sixteen subkeys of eight bytes.
func desSchedule(key []byte) []byte {
	block, err := des.NewCipher(key) //nolint:gosec // as above
	if err != nil {
		return nil
	}
	at := (*[2]unsafe.Pointer)(unsafe.Pointer(&block))[1] // the data word of the interface
	return bytes.Clone(unsafe.Slice((*byte)(at), 16*8))
}

// keyEncryptingKey puts the components of the sheet together.
func (w *world) keyEncryptingKey(t *testing.T, s *scan) []byte {
	t.Helper()
	var shares [][]byte
	for _, name := range []string{"component-1.hex", "component-2.hex"} {
		share, err := hex.DecodeString(w.sheet(t, name))
		if err != nil {
			t.Fatal(err)
		}
		if name != "component-1.hex" { // it counts up from 10 to 1F, as tables of any program do
			s.key("key component", share)
		}
		shares = append(shares, share)
	}
	kek, err := x9.CombineComponents(shares...)
	if err != nil {
		t.Fatal(err)
	}
	s.key("key of keys", kek)
	return kek
}

func (w *world) sheet(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(w.path(filepath.Join("host", "keys", name)))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// childOf finds a child process by its parent and its name.
func childOf(parent int, name string) (int, error) {
	all, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err
	}
	for _, path := range all {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it ended meanwhile
		}
		open, end := bytes.IndexByte(text, '('), bytes.LastIndexByte(text, ')')
		words := strings.Fields(string(text[end+1:]))
		if string(text[open+1:end]) == name && len(words) > 2 && words[1] == strconv.Itoa(parent) {
			return strconv.Atoi(strings.TrimSpace(string(text[:open])))
		}
	}
	return 0, fmt.Errorf("%s has no child %s: %w", strconv.Itoa(parent), name, errGone)
}

// TestScheduleIsWhatCiphersHold is the control of the search for key schedules: the subkeys that DES's own key schedule
// gives for a weak key of zeros are all zero, and those of another key are not.
func TestScheduleIsWhatCiphersHold(t *testing.T) {
	if got := desSchedule(make([]byte, 8)); len(got) != 128 || len(bytes.Trim(got, "\x00")) != 0 {
		t.Errorf("zeros: % X", got)
	}
	one, other := desSchedule([]byte{1, 35, 69, 103, 137, 171, 205, 239}), desSchedule([]byte{254, 220, 186, 152, 118, 84, 50, 16})
	if bytes.Equal(one, other) || len(bytes.Trim(one, "\x00")) < 100 {
		t.Errorf("two keys: % X and % X", one[:16], other[:16])
	}
}
