package transcript

import (
	"bytes"
	"context"
	"errors"

	"tillway/emv"
)

// ErrFull is what a recorder returns once it holds MaxExchanges.
var ErrFull = errors.New("transcript full")

// Recorder is a card in front of another, and remembers what was said. It keeps everything in the clear: it is for test
// cards. One goroutine uses it.
type Recorder struct {
	card emv.Card
	t    Transcript
}

// NewRecorder records a contact card.
func NewRecorder(card emv.Card) *Recorder {
	return &Recorder{card: card, t: Transcript{Interface: "contact"}}
}

// Transmit passes the command on and keeps it with its answer. A command without an answer is not kept. Errors: the
// card's, or ErrFull.
func (r *Recorder) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	if len(r.t.Exchanges) >= MaxExchanges {
		return nil, ErrFull
	}
	response, err := r.card.Transmit(ctx, command)
	if err == nil && len(response) >= 2 {
		r.t.Exchanges = append(r.t.Exchanges, Exchange{bytes.Clone(command), bytes.Clone(response)})
	}
	return response, err
}

// Transcript is a copy of what was recorded so far. It replays strictly.
func (r *Recorder) Transcript() Transcript {
	t := Transcript{Interface: r.t.Interface}
	for _, e := range r.t.Exchanges {
		t.Exchanges = append(t.Exchanges, Exchange{bytes.Clone(e.Command), bytes.Clone(e.Response)})
	}
	return t
}
