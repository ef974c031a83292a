package transcript_test

import (
	"context"
	"errors"
	"testing"

	"tillway/device"
	"tillway/device/transcript"
	"tillway/emv"
)

// gate closes after its first answer, and then fails.
type gate struct{ n int }

func (g *gate) Closed(context.Context, emv.OfflineQuestion) (string, error) {
	switch g.n++; g.n {
	case 1:
		return "", nil
	case 2:
		return "20 approvals wait.", nil
	}
	return "", device.ErrUnplugged
}

// What the terminal's gate said is in the session, and is said again in a replay.
func TestGateIsRecorded(t *testing.T) {
	type said struct {
		why string
		err error
	}
	var heard [][]said
	asks := beginner(func(ctx context.Context, _ emv.Card, p emv.Params, _ emv.Cardholder) (emv.Transaction, emv.Outcome, error) {
		var all []said
		for range 3 {
			why, err := p.Offline.Closed(ctx, emv.OfflineQuestion{})
			all = append(all, said{why, err})
		}
		heard = append(heard, all)
		return nil, emv.Outcome{Decision: emv.Declined}, nil
	})
	var kept transcript.Transcript
	k := transcript.Kernel{Kernel: asks, Keep: func(tr transcript.Transcript) { kept = tr }}
	p := kuwait(t)
	p.Offline = &gate{}
	if _, _, err := k.Begin(t.Context(), transcript.Lenient(session("0020008000=63C2")), p, nil); err != nil {
		t.Fatal(err)
	}
	again, _ := kept.Session.Play()
	if _, _, err := asks.Begin(t.Context(), nil, again, nil); err != nil {
		t.Fatal(err)
	}
	for i, then := range heard[0] {
		now := heard[1][i]
		if then.why != now.why || (then.err == nil) != (now.err == nil) || then.err != nil && !errors.Is(now.err, device.ErrUnplugged) {
			t.Errorf("answer %d: %q %v, and in the replay %q %v", i+1, then.why, then.err, now.why, now.err)
		}
	}
	if _, err := again.Offline.Closed(t.Context(), emv.OfflineQuestion{}); !errors.Is(err, transcript.ErrExhausted) {
		t.Errorf("asked once more: %v", err)
	}
	if plain, _ := (&transcript.Session{}).Play(); plain.Offline != nil {
		t.Error("a gate where none was asked")
	}
}
