package session

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"

	"tillway/device/ccid"
)

// ErrUnexpected is wrapped when a driver says what it did not say when the session was recorded.
var ErrUnexpected = errors.New("not what was recorded")

// Player is the reader of a session: it answers as that did, and refuses what it was not asked then. Only the looks at the slot may
// be more or fewer, because they go by the clock; sequence numbers follow the driver's.
type Player struct {
	framing Framing
	left    []exchange
	icc     ccid.ICC // as the last answer had it
}

type exchange struct{ out, in []byte }

// NewPlayer plays a session. A masked one cannot be played: ErrSession.
func NewPlayer(s Session) (*Player, error) {
	if s.Card == RealCard {
		return nil, fmt.Errorf("%w to play: its card's bytes are hidden", ErrSession)
	}
	p := &Player{framing: s.Framing, icc: ccid.NoICC}
	for _, f := range s.Frames {
		raw, err := hex.DecodeString(f.Hex)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrSession, err)
		}
		if f.Out {
			p.left = append(p.left, exchange{out: raw})
			continue
		}
		if len(p.left) == 0 {
			return nil, fmt.Errorf("%w: the reader speaks first", ErrSession)
		}
		at := &p.left[len(p.left)-1]
		at.in = append(at.in, raw...)
	}
	return p, nil
}

// Hear takes one frame of the driver's and gives what the reader sends back; nothing, where it was silent. Error: ErrUnexpected.
func (p *Player) Hear(out []byte) ([]byte, error) {
	pieces := p.framing.cut(out)
	if len(pieces) != 1 || !pieces[0].message {
		return nil, fmt.Errorf("%w: %X is no message", ErrUnexpected, out)
	}
	for i, e := range p.left {
		if p.same(e.out, out) {
			p.left = p.left[i+1:]
			return p.answer(e, out), nil
		}
		if !p.framing.asksSlot(e.out) {
			break
		}
	}
	if p.framing.asksSlot(out) {
		return p.slot(out), nil
	}
	next := "the end"
	if len(p.left) > 0 {
		next = fmt.Sprintf("%X", p.left[0].out)
	}
	return nil, fmt.Errorf("%w: the driver says %X, and said %s", ErrUnexpected, out, next)
}

// same compares two frames of the driver's, sequence numbers aside.
func (p *Player) same(a, b []byte) bool {
	one, two := p.framing.cut(a), p.framing.cut(b)
	if len(one) != 1 || len(two) != 1 || !one[0].message || !two[0].message {
		return bytes.Equal(a, b)
	}
	return bytes.Equal(p.framing.number(one[0], 0), p.framing.number(two[0], 0))
}

// answer is what was answered, with the driver's number in place of the recorded one.
func (p *Player) answer(e exchange, out []byte) []byte {
	then, now := p.seq(e.out), p.seq(out)
	var back []byte
	for _, piece := range p.framing.cut(e.in) {
		if !piece.message {
			back = append(back, piece.raw...)
			continue
		}
		body := p.framing.body(piece)
		if body[0] >= ccid.DataBlock && ccid.ICC(body[atStatus]&3) <= ccid.NoICC {
			p.icc = ccid.ICC(body[atStatus] & 3)
		}
		back = append(back, p.framing.number(piece, body[atSeq]-then+now)...)
	}
	return back
}

func (p *Player) seq(out []byte) byte {
	pieces := p.framing.cut(out)
	if len(pieces) == 0 || !pieces[0].message {
		return 0
	}
	return p.framing.body(pieces[0])[atSeq]
}

// slot answers a look at the slot that was not recorded: it is as the last answer had it.
func (p *Player) slot(out []byte) []byte {
	m := ccid.Message{Type: ccid.SlotStatus, Seq: p.seq(out), Params: ccid.Status{ICC: p.icc}.Params(0)}
	if p.framing == Serial {
		return append(bytes.Clone(out), p.framing.frame(m)...) // behind the echo
	}
	return p.framing.frame(m)
}

// Done is nil when the driver has heard all, looks at the slot aside.
func (p *Player) Done() error {
	for _, e := range p.left {
		if !p.framing.asksSlot(e.out) {
			return fmt.Errorf("%w: the driver had still to say %X", ErrUnexpected, e.out)
		}
	}
	return nil
}
