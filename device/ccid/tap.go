package ccid

import (
	"context"
	"errors"
)

// tapped is a transport whose messages are told to somebody as they stand on a bare wire: out to the reader, or in. A card
// movement is its two bytes (section 6.3.1).
type tapped struct {
	Transport
	tap func(out bool, b []byte)
}

func (t tapped) Send(ctx context.Context, m Message) error {
	t.tap(true, Append(nil, m))
	return t.Transport.Send(ctx, m)
}

// Abort is the transport's, where it is an Aborter: that a wire is recorded changes nothing on it.
func (t tapped) Abort(ctx context.Context, slot, seq byte) error {
	if a, ok := t.Transport.(Aborter); ok {
		return a.Abort(ctx, slot, seq)
	}
	return errors.ErrUnsupported
}

func (t tapped) Receive(ctx context.Context) (Message, error) {
	m, err := t.Transport.Receive(ctx)
	switch {
	case err != nil || len(m.Data) > MaxData:
	case m.Type == NotifySlotChange:
		t.tap(false, []byte{m.Type, m.Params[0]})
	default:
		t.tap(false, Append(nil, m))
	}
	return m, err
}
