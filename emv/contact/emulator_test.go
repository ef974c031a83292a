package contact_test

import (
	"context"
	"errors"
	"testing"

	"tillway/device"
	"tillway/device/emulator"
	"tillway/device/transcript"
	"tillway/emv"
	"tillway/emv/contact"
	"tillway/emv/cryptogram"
)

// virtual is a virtual card in a reader's place.
type virtual struct{ card *emulator.Card }

func (v virtual) Transmit(_ context.Context, command []byte) ([]byte, error) {
	r := v.card.Transmit(command)
	if r == nil {
		return nil, device.ErrRemoved
	}
	return r, nil
}

func insert(t *testing.T, name string) virtual {
	t.Helper()
	p, err := emulator.Ready(name)
	if err != nil {
		t.Fatal(err)
	}
	return virtual{emulator.NewCard(p)}
}

func schemes() emv.Params {
	codes := [5]byte{0xDC, 0x40, 0x00, 0xA8, 0x00}
	return terminal(
		emv.Application{AID: unhex("A0000000031010"), Scheme: "visa", Version: [2]byte{0, 0x8C}, TACOnline: codes, TACDefault: codes},
		emv.Application{AID: unhex("A0000000041010"), Scheme: "mastercard", Version: [2]byte{0, 2}, TACOnline: codes, TACDefault: codes},
	)
}

// The project's virtual cards, each with an issuer's answer that is right, and one that is not.
func TestVirtualCards(t *testing.T) {
	const mastercardIMK = "0123456789ABCDEFFEDCBA9876543210"
	for _, r := range []struct {
		card, imk, pan, psn string
		forge               bool
		result              emv.HostResult
		want                emv.Decision
		tags                string
	}{
		{card: "credit", imk: testIMK, pan: "4761739001010119", psn: "01", result: emv.HostApproved, want: emv.Approved, tags: "9F27=40 9B=7800 8A=3030 9F34=1F0002"},
		{card: "credit", imk: testIMK, pan: "4761739001010119", psn: "01", forge: true, result: emv.HostApproved, want: emv.Declined, tags: "9F27=00 9B=7800 95=8000008040"},
		{card: "credit", imk: testIMK, pan: "4761739001010119", psn: "01", result: emv.HostDeclined, want: emv.Declined, tags: "9F27=00 8A=3035"},
		{card: "credit", imk: testIMK, pan: "4761739001010119", psn: "01", result: emv.HostUnable, want: emv.Declined, tags: "9F27=00 8A=5A33 9B=6800"},
		{card: "expired", imk: testIMK, pan: "4761739001010127", psn: "01", result: emv.HostDeclined, want: emv.Declined, tags: "95=8040008000"},
		{card: "debit", imk: mastercardIMK, pan: "5413330089604111", psn: "00", result: emv.HostApproved, want: emv.Approved, tags: "9F27=40 9B=6800 9F34=1F0002"},
		{card: "debit", imk: mastercardIMK, pan: "5413330089604111", psn: "00", forge: true, result: emv.HostApproved, want: emv.Declined, tags: "9F27=00"},
	} {
		rec := transcript.NewRecorder(insert(t, r.card))
		txn, out := begin(t, rec, schemes(), nil)
		if txn == nil {
			t.Fatalf("%s: %+v", r.card, out)
		}
		keys, err := cryptogram.ForCard(unhex(r.imk), r.pan, r.psn)
		if err == nil {
			err = keys.Verify(out.Data)
		}
		if err != nil {
			t.Fatalf("%s: ARQC: %v", r.card, err)
		}
		reply := cryptogram.Reply{ARC: [2]byte{'0', '0'}, CSU: [4]byte{0, 0x80, 0, 0}}
		if r.result == emv.HostDeclined {
			reply = cryptogram.Reply{ARC: [2]byte{'0', '5'}}
		}
		auth, err := keys.Answer(out.Data, reply)
		if err != nil {
			t.Fatal(err)
		}
		if r.forge {
			auth[0] ^= 1
		}
		out = complete(t, txn, emv.HostAnswer{Result: r.result, IssuerData: append([]byte{0x91, byte(len(auth))}, auth...)})
		if out.Decision != r.want {
			t.Errorf("%s: %s: %s %v", r.card, out.Decision, out.Reason, out.Why)
		}
		wantTags(t, out.Data, r.tags)
		if err := keys.Verify(out.Data); err != nil {
			t.Errorf("%s: final cryptogram: %v", r.card, err)
		}
		replays(t, rec.Transcript(), schemes(), nil)
	}
}

func TestVirtualCardsThatDoNotApprove(t *testing.T) {
	_, out := begin(t, insert(t, "declines"), schemes(), nil)
	if out.Decision != emv.Declined || out.Scheme != "visa" || out.Label != "VISA CREDIT" {
		t.Errorf("declines: %+v", out)
	}
	wantTags(t, out.Data, "9F27=00 8A=5A31")

	txn, out := begin(t, insert(t, "pulled"), schemes(), nil)
	if txn == nil {
		t.Fatalf("%+v", out)
	}
	out, err := txn.Complete(t.Context(), emv.HostAnswer{Result: emv.HostApproved})
	if !errors.Is(err, device.ErrRemoved) || out.Decision != "" {
		t.Errorf("pulled: %s %v", out.Decision, err)
	}
	if _, err := txn.Complete(t.Context(), emv.HostAnswer{Result: emv.HostApproved}); !errors.Is(err, contact.ErrCompleted) {
		t.Errorf("again: %v", err)
	}
}
