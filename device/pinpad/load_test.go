package pinpad

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	emulated "tillway/device/emulator/pinpad"
	"tillway/device/secure"
	"tillway/device/secure/x9"
)

// newKeyBlock is a key block with a DUKPT key under a transport key.
func newKeyBlock(t *testing.T, transport []byte) string {
	t.Helper()
	h := x9.KeyBlockHeader{Version: 'D', Usage: "B1", Algorithm: 'A', Mode: 'X', KeyVersion: "00", Exportability: 'N', Optional: []x9.OptionalBlock{{ID: "IK", Data: fmt.Sprintf("%X", serialA)}}}
	block, err := x9.WrapKeyBlock(transport, h, initialA, 0, bytes.NewReader(make([]byte, 64)))
	if err != nil {
		t.Fatal(err)
	}
	return block
}

// bring has two people bring a key block, and gives what came of the second.
func bring(t *testing.T, r *rig, block string) (secure.PadLoaded, error) {
	t.Helper()
	if _, err := r.LoadPad(t.Context(), secure.PadKey{Holder: "Amina", Block: block}); err != nil {
		t.Fatal(err)
	}
	return r.LoadPad(t.Context(), secure.PadKey{Holder: "Badr", Block: block})
}

// A pad that has no key yet is not ready, can be given one, and takes PINs under it.
func TestFirstKey(t *testing.T) {
	transport := bytes.Repeat([]byte{0x5A, 0x13, 0x77, 0xC2}, 4)
	with(t, emulated.Config{Pairing: bytes.Clone(pairing), Transport: transport}, pairing, func(t *testing.T, r *rig) {
		if s := r.driver.State(); s.Ready || !strings.Contains(s.Cause, "pos keys pad") {
			t.Errorf("%+v", s)
		}
		if _, err := r.EnterPIN(t.Context(), request()); !errors.Is(err, secure.ErrNoPad) {
			t.Errorf("a PIN without a key: %v", err)
		}
		l, err := bring(t, r, newKeyBlock(t, transport))
		key, _ := x9.KCVAES(initialA)
		if err != nil || string(l.Check) != fmt.Sprintf("%X", key) {
			t.Fatalf("%+v, %v", l, err)
		}
		time.Sleep(5 * time.Second)
		r.pad.Type("1234\r")
		if p, err := r.EnterPIN(t.Context(), request()); err != nil || p.Format != secure.Format4 || clearPIN(t, p) != "1234" {
			t.Errorf("under its first key: %+v, %v", p.Status, err)
		}
	})
}

// A block under another transport key is refused by the pad, which goes on with the key it has; so it does when its cable is pulled before
// the second person has come, and when somebody enters a PIN.
func TestRefusedKeyLeavesTheOld(t *testing.T) {
	c := tdes()
	c.Transport = bytes.Repeat([]byte{0x5A, 0x13, 0x77, 0xC2}, 4)
	with(t, c, pairing, func(t *testing.T, r *rig) {
		old := func(when string) {
			t.Helper()
			r.pad.Type("1234\r")
			if p, err := r.EnterPIN(t.Context(), request()); err != nil || p.Format != secure.Format0 || clearPIN(t, p) != "1234" {
				t.Errorf("%s: %+v, %v", when, p.Status, err)
			}
		}
		if _, err := bring(t, r, newKeyBlock(t, bytes.Repeat([]byte{0x61, 0x22, 0x93, 0x04}, 4))); !errors.Is(err, secure.ErrKeyBlock) {
			t.Errorf("under another transport key: %v", err)
		}
		old("after a refusal")
		good := newKeyBlock(t, c.Transport)
		if _, err := r.LoadPad(t.Context(), secure.PadKey{Holder: "Amina", Block: good}); err != nil {
			t.Error(err)
		}
		r.cable.Unplug()
		time.Sleep(time.Second)
		if _, err := r.LoadPad(t.Context(), secure.PadKey{Holder: "Badr", Block: good}); err == nil {
			t.Error("a pad that is not there took a key")
		}
		if err := r.cable.Plug(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		old("after a pulled cable")
	})
}
