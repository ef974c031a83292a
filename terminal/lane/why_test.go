package lane

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"tillway/device"
	"tillway/emv"
	"tillway/terminal"
)

// torn is a kernel whose card goes away: in the middle of Begin, or in the middle of Complete.
type torn struct{ late bool }

func (k torn) outcome(step string) emv.Outcome {
	out := emv.Outcome{AID: []byte{0xA0, 0, 0, 0, 3, 0x10, 0x10}, Label: "VISA", Why: []emv.Why{{Bit: "TVR byte 1 bit 8", Reason: "of the test", Section: "Book 3, 10.3", Step: step}}}
	out.Data.Put(emv.TagPAN, []byte{0x47, 0x61, 0x73, 0x90, 0x01, 0x01, 0x01, 0x19})
	out.Data.Put(emv.TagTVR, []byte{0x80, 0, 0, 0, 0})
	return out
}

func (k torn) Begin(context.Context, emv.Card, emv.Params, emv.Cardholder) (emv.Transaction, emv.Outcome, error) {
	out := k.outcome("first")
	if k.late {
		out.Decision = emv.Online
		return k, out, nil
	}
	return nil, out, fmt.Errorf("GENERATE AC: %w", device.ErrRemoved)
}

func (k torn) Complete(context.Context, emv.HostAnswer) (emv.Outcome, error) {
	return k.outcome("second"), fmt.Errorf("GENERATE AC: %w", device.ErrRemoved)
}

// A card that is pulled out leaves the record of how far it came: that is the sale whose reasons are asked for.
func TestAPulledCardLeavesItsReasons(t *testing.T) {
	for _, row := range []struct {
		kernel torn
		state  terminal.State
		step   string
	}{
		{torn{}, terminal.Cancelled, "first"},
		{torn{late: true}, terminal.Reversed, "second"},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := start(t, row.kernel, slot{}, always("00"))
			defer b.end()
			b.sell(1000, "")
			s := b.last()
			if s.State != row.state || s.AID != "A0000000031010" || s.MaskedPAN != "476173******0119" || len(s.Why) != 1 || s.Why[0].Step != row.step {
				t.Errorf("%s: %s %s %v", s.State, s.AID, s.MaskedPAN, s.Why)
			}
			if tvr := s.Tags.Value(emv.TagTVR); len(tvr) != 5 || s.Tags.Has(emv.TagPAN) {
				t.Errorf("%v", s.Tags)
			}
		})
	}
}
