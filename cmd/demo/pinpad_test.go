package main

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	emulated "tillway/device/emulator/pinpad"
	"tillway/device/secure/x9"
	"tillway/emv"
	"tillway/terminal"
)

// withPad is the whole stack with an emulated PIN pad in the place of the on-screen PIN: the pad alone has the bank's key for PINs; the
// terminal has the MAC key, and the key that it and the pad know each other by.
func withPad(t *testing.T) (*world, *emulated.Pad) {
	t.Helper()
	programs, err := built()
	if err != nil {
		t.Fatal(err)
	}
	w, err := stage(t.Context(), programs, t.TempDir(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.end)
	config, err := os.ReadFile(w.config)
	if err != nil {
		t.Fatal(err)
	}
	config = bytes.Replace(config, []byte("on_screen = true"), []byte(`pad = "pinpad"`), 1)
	if err := os.WriteFile(w.config, config, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := w.startAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	kek := shareKey(t, w.sheet(t, "component-1.hex"), w.sheet(t, "component-2.hex"))
	header, initial, err := x9.UnwrapKeyBlock(kek, w.sheet(t, "pin.tr31"))
	if err != nil {
		t.Fatal(err)
	}
	serial, _ := header.OptionalData("KS")
	ksn, err := hex.DecodeString(serial)
	if err != nil {
		t.Fatal(err)
	}
	pairing := make([]byte, 16)
	rand.Read(pairing)
	pad, err := emulated.Start(w.path("pinpad"), emulated.Config{Pairing: bytes.Clone(pairing), PINKey: initial, KSN: ksn})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pad.Close() })
	w.load(t, acquirer, "mac", []string{w.sheet(t, "component-1.hex"), w.sheet(t, "component-2.hex")}, w.sheet(t, "mac.tr31"))
	shares := []string{"0F1E2D3C4B5A69788796A5B4C3D2E1F0", "13579BDF02468ACE13579BDF02468ACF"}
	block, err := x9.WrapKeyBlock(shareKey(t, shares...), x9.KeyBlockHeader{Version: 'D', Usage: "B3", Algorithm: 'A', Mode: 'X', KeyVersion: "00", Exportability: 'N'}, pairing, 0, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	w.load(t, "pinpad", "pad", shares, block, "--algorithm", "AES-128")
	w.padIs(t, "ready")
	return w, pad
}

func shareKey(t *testing.T, shares ...string) []byte {
	t.Helper()
	var all [][]byte
	for _, s := range shares {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b)
	}
	key, err := x9.CombineComponents(all...)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// load loads one key as people do.
func (w *world) load(t *testing.T, set, use string, shares []string, block string, more ...string) {
	t.Helper()
	for i, share := range shares {
		args := append([]string{"component", set, fmt.Sprint(i + 1), "2", "--holder", fmt.Sprint("custodian ", i)}, more...)
		if _, err := w.keys(t.Context(), share, args...); err != nil {
			t.Fatal(err)
		}
	}
	file := w.path(set + "-" + use + ".tr31")
	if err := os.WriteFile(file, []byte(block+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := w.keys(t.Context(), "", "import", set, use, file); err != nil {
		t.Fatal(err)
	}
}

// padIs waits until the module says so of the pad.
func (w *world) padIs(t *testing.T, what string) {
	t.Helper()
	last := ""
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		said, err := w.keys(t.Context(), "", "status")
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(said) {
			if strings.HasPrefix(line, "PIN pad") && strings.Contains(line, what) {
				return
			}
		}
		last = said
	}
	t.Fatalf("the pad never was %q:\n%s", what, last)
}

// TestDebitThroughThePad: debit sales with online PIN, whole programs and all: the PIN is pressed at the pad, the bank opens its
// block, and posd and keyd never have it. A wrong PIN is declined, a customer who cancels pays nothing, and where a pad is pulled out in the
// middle of an entry, what the card allows instead is asked for; plugged in again, it serves the next customer.
func TestDebitThroughThePad(t *testing.T) {
	t.Parallel()
	w, pad := withPad(t)
	if err := w.cardholder(t.Context(), "insert", pinCard); err != nil {
		t.Fatal(err)
	}
	pad.Type(rightPIN + "\r")
	w.sale(t, 0, "10.525")
	if shown := pad.Shown(); len(shown) != 1 || shown[0].Amount != "10.525 KWD" || shown[0].Prompt != 1 {
		t.Errorf("the pad showed %+v", shown)
	}
	pad.Type(canaryPIN + "\r")
	w.sale(t, 1, "1.000")
	pad.Type("12\x1b")
	w.sale(t, 3, "2.000")

	ended := make(chan int, 1)
	pad.Type("12")
	go func() {
		_, status, err := w.cashier(t.Context(), "sale", "3.000")
		if err != nil {
			status = -1
		}
		ended <- status
	}()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if n, shown := pad.Entering(); shown && n == 2 {
			break
		}
	}
	pad.Unplug()
	// The card's list of methods has signature behind the PIN, and the bank is told that the pad does not work (TVR byte 3, bit 5).
	if err := compare("differs")(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	if status := <-ended; status != 5 {
		t.Errorf("a sale whose PIN and signature both failed ended with %d", status)
	}
	w.padIs(t, "is the cable in")
	if err := w.settled(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := pad.Plug(); err != nil {
		t.Fatal(err)
	}
	w.padIs(t, "ready")
	pad.Type(rightPIN + "\r")
	w.sale(t, 0, "4.000")

	sales, err := w.sales(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ends := map[terminal.State]int{}
	for _, s := range sales {
		ends[s.State]++
		if s.State == terminal.Approved && s.Method != emv.OnlinePIN {
			t.Errorf("sale %d was verified by %q", s.ID, s.Method)
		}
	}
	if len(sales) != 5 || ends[terminal.Approved] != 2 || ends[terminal.Declined] != 1 || ends[terminal.Cancelled] != 1 || ends[terminal.Reversed] != 1 {
		t.Errorf("%d sales: %v", len(sales), ends)
	}
	found := newScan()
	found.digits("PIN", canaryPIN)
	if err := found.files(w.folder); err != nil {
		t.Fatal(err)
	}
	if len(found.found) > 0 {
		t.Errorf("on disk: %v", found.found)
	}
}
