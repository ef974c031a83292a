package contact_test

import (
	"context"
	"errors"
	"testing"

	"tillway/emv"
	"tillway/emv/contact"
)

// pad answers for the cardholder at a PIN pad, and keeps what it was asked.
type pad struct {
	entry emv.PINEntry
	err   error
	asked []emv.PINRequest
}

func (*pad) Choose(context.Context, []emv.Candidate) (int, bool, error) { return 0, true, nil }

func (p *pad) OnlinePIN(_ context.Context, ask emv.PINRequest) (emv.PINEntry, error) {
	p.asked = append(p.asked, ask)
	return p.entry, p.err
}

func (*pad) CardPIN(context.Context, emv.CardPINRequest) (emv.CardPINAnswer, error) {
	return emv.CardPINAnswer{Entry: emv.PINPadMissing}, nil
}

// TestOnlinePIN: what the pad says decides TVR, CVM results and what the card is told (Book 3, 10.5 and 10.5.2; Book 4,
// 6.3.4 and A4).
func TestOnlinePIN(t *testing.T) {
	const (
		pinThenNoCVM = "8E=000000000000000042001F00"
		pinOrFail    = "8E=000000000000000002001F00"
		ifSupported  = "8E=000000000000000042031F00"
		twice        = "8E=0000000000000000420042001F00"
		capable      = "9F33=204800"
	)
	for _, c := range []struct {
		name, list, fixed string
		entry             emv.PINEntry
		required          bool
		own               [3]byte // 9F33 of the application
		want              emv.Decision
		tags              string
		method            emv.Method
		asked             int
	}{
		{"entered", pinThenNoCVM, capable, emv.PINEntered, false, [3]byte{}, emv.Online, "9F34=420000 95=8000048000 9B=6800", emv.OnlinePIN, 1},
		{"entered, by condition", ifSupported, capable, emv.PINEntered, false, [3]byte{}, emv.Online, "9F34=420300 95=8000048000", emv.OnlinePIN, 1},
		{"entered, required", pinThenNoCVM, capable, emv.PINEntered, true, [3]byte{}, emv.Online, "9F34=420000 95=8000048000", emv.OnlinePIN, 1},
		{"bypassed", pinThenNoCVM, capable, emv.PINBypassed, false, [3]byte{}, emv.Online, "9F34=1F0002 95=8000088000", emv.NoCVM, 1},
		{"bypassed, fail", pinOrFail, capable, emv.PINBypassed, false, [3]byte{}, emv.Online, "9F34=020001 95=8000888000", emv.NoVerification, 1},
		{"bypassed: not asked again", twice, capable, emv.PINBypassed, false, [3]byte{}, emv.Online, "9F34=1F0002 95=8000088000", emv.NoCVM, 1},
		{"no pad", pinThenNoCVM, capable, emv.PINPadMissing, false, [3]byte{}, emv.Online, "9F34=1F0002 95=8000108000", emv.NoCVM, 1},
		{"no pad, required", pinThenNoCVM, capable, emv.PINPadMissing, true, [3]byte{}, emv.Declined, "9F34=1F0002 95=8000100000", emv.NoCVM, 1},
		{"bypassed, required", pinThenNoCVM, capable, emv.PINBypassed, true, [3]byte{}, emv.Declined, "95=8000080000", emv.NoCVM, 1},
		{"the card wants none, required", "8E=00000000000000001F00", capable, emv.PINEntered, true, [3]byte{}, emv.Declined, "9F34=1F0002", emv.NoCVM, 0},
		{"terminal without", pinThenNoCVM, "9F33=200800", emv.PINEntered, false, [3]byte{}, emv.Online, "9F34=1F0002 95=8000108000", emv.NoCVM, 0},
		{"terminal without, by condition", ifSupported, "9F33=200800", emv.PINEntered, false, [3]byte{}, emv.Online, "9F34=1F0002 95=8000008000", emv.NoCVM, 0},
		{"application without", pinThenNoCVM, "", emv.PINEntered, false, [3]byte{0x20, 0x08}, emv.Online, "9F33=200800 9F34=1F0002 95=8000108000", emv.NoCVM, 0},
		{"application with", pinThenNoCVM, "", emv.PINEntered, false, [3]byte{0x20, 0x48}, emv.Online, "9F33=204800 9F34=420000", emv.OnlinePIN, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := terminal()
			if c.fixed != "" {
				p = fix(p, c.fixed)
			}
			p.Applications[0].PINRequired, p.Applications[0].Capabilities = c.required, c.own
			holder, card := &pad{entry: c.entry}, newChip(c.list, "")
			_, out := begin(t, card, p, holder)
			if out.Decision != c.want || out.Method != c.method {
				t.Errorf("%s (%q) by %q, want %s by %q", out.Decision, out.Reason, out.Method, c.want, c.method)
			}
			wantTags(t, out.Data, c.tags)
			if len(holder.asked) != c.asked {
				t.Fatalf("asked %d times, want %d", len(holder.asked), c.asked)
			}
			if c.asked > 0 && (holder.asked[0].PAN.Clear() != "4761739001010119" || holder.asked[0].Amount != p.Amount || holder.asked[0].Required != c.required) {
				t.Errorf("asked for %+v", holder.asked[0])
			}
			if generated := card.sent("80AE") > 0; generated != (c.want == emv.Online) {
				t.Errorf("GENERATE AC sent: %t", generated)
			}
		})
	}
}

// TestOnlinePINGivenUp: cancelling ends the transaction before the card is asked for a cryptogram; a pad that says
// nonsense is a defect.
func TestOnlinePINGivenUp(t *testing.T) {
	for _, c := range []struct {
		holder *pad
		want   error
	}{{&pad{err: emv.ErrCancelled}, emv.ErrCancelled}, {&pad{entry: "maybe"}, contact.ErrParams}} {
		card := newChip("8E=000000000000000042001F00", "")
		_, out, err := contact.New(contact.Config{}).Begin(t.Context(), card, fix(terminal(), "9F33=204800"), c.holder)
		if !errors.Is(err, c.want) || out.Decision != "" || card.sent("80AE") > 0 {
			t.Errorf("%v, decision %q; want %v and no cryptogram", err, out.Decision, c.want)
		}
	}
}
