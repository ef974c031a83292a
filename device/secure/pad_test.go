package secure

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tillway/device/secure/x9"
)

// hostile is a pad's driver that says whatever a test wants: the module believes none of it that cannot be.
type hostile struct {
	pin    PadPIN
	err    error
	cipher PadCipher
	loaded []string // key blocks
	refuse error    // of a key block
}

func (h *hostile) Load(_ context.Context, block string) (CheckValue, error) {
	h.loaded = append(h.loaded, block)
	return "A1B2C3", h.refuse
}

func (h *hostile) Pair(c PadCipher)                                     { h.cipher = c }
func (h *hostile) EnterPIN(context.Context, PINRequest) (PadPIN, error) { return h.pin, h.err }
func (h *hostile) State() PadState                                      { return PadState{Port: "port", Cause: "none"} }

func TestHostilePad(t *testing.T) {
	h := &hostile{}
	bothWays(t, Options{Pad: h}, func(t *testing.T, r *rig) {
		q := PINRequest{Set: "bank", PAN: "4761739001010119", Amount: "KWD 1.000", Timeout: time.Minute}
		good := PadPIN{Status: PINEntered, Format: Format0, KSN: make([]byte, 10), Block: make([]byte, 8)}
		h.pin = good
		p, err := r.EnterPIN(t.Context(), q)
		if err != nil || p.Status != PINEntered || p.Lease.Set != "bank" || p.Lease.Use != UsePIN || len(p.Block) != 8 {
			t.Fatalf("%+v, %v", p, err)
		}
		for name, bad := range map[string]PadPIN{
			"no format": {Status: PINEntered, KSN: make([]byte, 10), Block: make([]byte, 8)}, "a block too short": {Status: PINEntered, Format: Format0, KSN: make([]byte, 10), Block: make([]byte, 7)},
			"AES under TDES": {Status: PINEntered, Format: Format4, KSN: make([]byte, 10), Block: make([]byte, 16)}, "no serial number": {Status: PINEntered, Format: Format3, Block: make([]byte, 8)},
			"format 9": {Status: PINEntered, Format: 9, KSN: make([]byte, 10), Block: make([]byte, 8)},
		} {
			h.pin = bad
			_, err := r.EnterPIN(t.Context(), q)
			want(t, name, err, ErrProtocol)
		}
		h.pin = good
		asked := q
		asked.Format = Format3
		_, err = r.EnterPIN(t.Context(), asked)
		want(t, "another format than asked for", err, ErrProtocol)
		card := q
		card.Card = &CardPIN{Modulus: bytes.Repeat([]byte{0xC5}, 128), Exponent: []byte{3}}
		_, err = r.EnterPIN(t.Context(), card)
		want(t, "a host's block for a card", err, ErrProtocol)
		h.pin = PadPIN{Status: PINCancelled, Block: []byte("more")}
		if p, err := r.EnterPIN(t.Context(), q); err != nil || p.Status != PINCancelled || p.Block != nil {
			t.Errorf("%+v, %v", p, err)
		}
		h.err = ErrExhausted
		_, err = r.EnterPIN(t.Context(), q)
		want(t, "its error", err, ErrExhausted)
		h.err = nil
		st, err := r.Status(t.Context())
		if err != nil || st.Pad == nil || st.Pad.Port != "port" || st.Pad.Ready {
			t.Errorf("%+v, %v", st.Pad, err)
		}
	})
}

// What goes to the pad is for one session, one number, one direction and one header.
func TestPadCipher(t *testing.T) {
	h := &hostile{}
	r := newRig(t, Options{Path: filepath.Join(t.TempDir(), "keys"), First: true, Pad: h}, false)
	s := PadSession{Serial: "S1"}
	_, err := h.cipher.SealForPad(s, 1, nil, []byte("text"))
	want(t, "without a key", err, ErrNoKey)
	if !strings.Contains(err.Error(), "pos keys import pinpad pad") {
		t.Error(err)
	}
	kek := loadKEK(t, r, PadSet, AES128)
	block := func(usage string) string {
		return wrap(t, kek, x9.KeyBlockHeader{Version: 'D', Usage: usage, Algorithm: 'A', Mode: map[string]byte{"B3": 'X', "M6": 'C', "K1": 'D'}[usage]}, unhex("3C0A17E23C1B17E23C2C17E23C3D17E2"))
	}
	for _, usage := range []string{"M6", "K1"} {
		_, err := r.Import(t.Context(), PadSet, UsePad, block(usage))
		want(t, "a key block of usage "+usage, err, ErrUsage)
	}
	if _, err := r.Import(t.Context(), PadSet, UsePad, block("B3")); err != nil {
		t.Fatal(err)
	}
	_, err = r.NextKey(t.Context(), PadSet, UsePad)
	want(t, "a lease of it", err, ErrUsage)
	sealed, err := h.cipher.SealForPad(s, 1, []byte("head"), []byte("text"))
	if err != nil || bytes.Contains(sealed, []byte("text")) {
		t.Fatal(err)
	}
	_, err = h.cipher.OpenFromPad(s, 1, []byte("head"), sealed)
	want(t, "the other direction", err, ErrForged)
	for name, other := range map[string]func() ([]byte, error){
		"another number": func() ([]byte, error) { return h.cipher.SealForPad(s, 2, []byte("head"), []byte("text")) },
		"another session": func() ([]byte, error) {
			return h.cipher.SealForPad(PadSession{Serial: "S2"}, 1, []byte("head"), []byte("text"))
		},
		"another header": func() ([]byte, error) { return h.cipher.SealForPad(s, 1, []byte("tail"), []byte("text")) },
	} {
		if b, err := other(); err != nil || bytes.Equal(b, sealed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err = h.cipher.SealForPad(s, 3, nil, make([]byte, 5000))
	want(t, "too long", err, ErrTooLong)
	if errors.Is(err, ErrForged) {
		t.Error(err)
	}
}
