package contact_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"tillway/device/transcript"
	"tillway/emv"
	"tillway/emv/contact"
)

// noise is a card that answers with bytes of the fuzzer: a length, then so many bytes, from the start again when they
// run out. With turns it answers properly until it is its turn.
type noise struct {
	bytes []byte
	at    int
	chip  *chip
	turn  int
	count int
}

func (n *noise) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	if len(command) < 4 || len(command) > 261 {
		panic("not a command")
	}
	if n.count++; n.count < n.turn || len(n.bytes) == 0 {
		return n.chip.Transmit(ctx, command)
	}
	length := int(n.next())
	out := make([]byte, length)
	for i := range out {
		out[i] = n.next()
	}
	if n.turn%2 == 0 { // half of them with a good status
		out = append(out, 0x90, 0x00)
	}
	return out, nil
}

func (n *noise) next() byte {
	b := n.bytes[n.at%len(n.bytes)]
	n.at++
	return b
}

// Whatever a card and a host say: no panic, a bounded number of commands, a decision that follows the rules, and a
// recording that replays to the same decision.
func FuzzTransaction(f *testing.F) {
	f.Add([]byte{}, uint8(0), []byte{0x91, 8, 1, 2, 3, 4, 5, 6, 7, 8})
	f.Add(unhex("06"+visaFile), uint8(2), unhex("71 06 86 04 84 24 00 00"))
	f.Add(unhex("2B770A82021C00940408010100"), uint8(4), unhex("72068604842400009100"))
	for turn := range uint8(9) {
		f.Add(unhex("0D800B40002911223344556677889000"), turn, unhex("7102"))
	}
	f.Fuzz(func(t *testing.T, b []byte, turn uint8, issuer []byte) {
		card := &noise{bytes: b, chip: newChip("9F14=01 9F23=02", ""), turn: int(turn)}
		rec := transcript.NewRecorder(card)
		txn, out, err := contact.New(contact.Config{}).Begin(t.Context(), rec, terminal(), nil)
		if err != nil {
			t.Fatalf("a card's bytes became an error: %v", err)
		}
		if out.Decision == emv.Approved {
			t.Fatal("approved without the issuer")
		}
		if (out.Decision == emv.Online) != (txn != nil) {
			t.Fatalf("%s with transaction %v", out.Decision, txn)
		}
		if txn != nil {
			if got := out.Data.Value(emv.TagCID); len(got) != 1 || emv.CID(got[0]).Cryptogram() != emv.ARQC {
				t.Fatalf("online with CID %X", got)
			}
			second, err := txn.Complete(t.Context(), emv.HostAnswer{Result: emv.HostApproved, IssuerData: issuer})
			if err != nil {
				t.Fatalf("a card's bytes became an error: %v", err)
			}
			if second.Decision == emv.Approved && emv.CID(second.Data.Value(emv.TagCID)[0]).Cryptogram() != emv.TC {
				t.Fatal("approved without a TC")
			}
		}
		if card.count > 400 {
			t.Fatalf("%d commands", card.count)
		}
		short := false
		for _, e := range rec.Transcript().Exchanges {
			short = short || len(e.Response) > 258
		}
		if short || len(rec.Transcript().Exchanges) != card.count {
			return // an answer that is none is not in the recording
		}
		again, replayed, err := contact.New(contact.Config{}).Begin(t.Context(), &replay{left: rec.Transcript().Exchanges}, terminal(), nil)
		if err != nil || replayed.Decision != out.Decision || (again != nil) != (txn != nil) {
			t.Fatalf("replayed: %s, %v; was %s", replayed.Decision, err, out.Decision)
		}
	})
}

// replay plays exchanges back as they are, without joining: the card of a fuzzer may answer 61xx.
type replay struct{ left []transcript.Exchange }

var errOther = errors.New("another command")

func (r *replay) Transmit(_ context.Context, command []byte) ([]byte, error) {
	if len(r.left) == 0 || !bytes.Equal(r.left[0].Command, command) {
		return nil, errOther
	}
	e := r.left[0]
	r.left = r.left[1:]
	return e.Response, nil
}
