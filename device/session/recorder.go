package session

import (
	"bytes"
	"sync"

	"tillway/device/ccid"
)

// Recorder remembers what goes over a wire. Its Tap may be called from any goroutine.
type Recorder struct {
	framing Framing

	mu     sync.Mutex
	frames []spoken
	full   bool
	bytes  int
}

type spoken struct {
	out bool
	raw []byte
}

// NewRecorder records a wire with a framing.
func NewRecorder(f Framing) *Recorder { return &Recorder{framing: f} }

// Tap is given each piece as it goes over the wire. What comes from one side without a word of the other is one frame. A look
// at the slot that brings what the one before brought is forgotten again, so that waiting does not fill the file.
func (r *Recorder) Tap(out bool, b []byte) {
	if len(b) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	last := len(r.frames) - 1
	if !out {
		if last >= 0 && !r.frames[last].out {
			r.frames[last].raw = append(r.frames[last].raw, b...)
		} else if last >= 0 { // what comes before the first word belongs to nothing
			r.frames = append(r.frames, spoken{false, bytes.Clone(b)})
		}
		r.bytes += len(b)
		return
	}
	r.forget()
	if r.full = r.full || len(r.frames)+2 > MaxFrames || r.bytes > MaxFile/4; r.full {
		return
	}
	r.frames = append(r.frames, spoken{true, bytes.Clone(b)})
	r.bytes += len(b)
}

// forget drops the last look at the slot, when it brought nothing new.
func (r *Recorder) forget() {
	n := len(r.frames)
	if n < 4 || r.frames[n-1].out || r.frames[n-3].out || !r.frames[n-2].out || !r.frames[n-4].out {
		return
	}
	before, now := r.frames[n-4:n-2], r.frames[n-2:]
	if r.framing.asksSlot(before[0].raw) && r.framing.asksSlot(now[0].raw) &&
		r.framing.likeness(before[1].raw) == r.framing.likeness(now[1].raw) {
		r.bytes -= len(now[0].raw) + len(now[1].raw)
		r.frames = r.frames[:n-2]
	}
}

// Full says that the wire said more than a session holds; the rest is missing.
func (r *Recorder) Full() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.full
}

// Session is what was recorded, with the head: masked when its card is RealCard.
func (r *Recorder) Session(h Head) Session {
	r.mu.Lock()
	defer r.mu.Unlock()
	h.Framing = r.framing
	s := Session{Head: h}
	powering := false
	for _, f := range r.frames {
		if f.out {
			pieces := r.framing.cut(f.raw)
			powering = len(pieces) == 1 && pieces[0].message && r.framing.body(pieces[0])[0] == ccid.PowerOn
		}
		text := upper(f.raw)
		if h.Card == RealCard {
			text = r.framing.mask(f.raw, powering)
		}
		s.Frames = append(s.Frames, Frame{f.out, text})
	}
	return s
}
