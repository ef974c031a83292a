package emulator

import (
	"bytes"

	"tillway/device/iso7816"
)

// Chip is what a virtual reader can have in its slot. Card is one; a test may bring another. Its methods are called by one
// goroutine at a time.
type Chip interface {
	ATR() []byte
	Reset()                      // power comes, warm reset, or the card goes into the slot
	Transmit(apdu []byte) []byte // nil: mute, or Left
	Left() bool                  // it left the slot in place of answering
}

// WarmChip is a Chip that may answer a warm reset otherwise than a cold one.
type WarmChip interface {
	WarmATR() []byte // empty: mute
}

// answerToReset is what a chip says to a reset, warm when it had power before.
func answerToReset(c Chip, warm bool) []byte {
	if w, ok := c.(WarmChip); ok && warm {
		return w.WarmATR()
	}
	return c.ATR()
}

// wire is the card's end of its protocol: one TPDU or block in, one out; nil is no answer.
type wire interface {
	exchange(tpdu []byte) []byte
	// stall lets the card ask for more time before its next answer, where the protocol has words for it.
	stall()
}

// connect is a card's wire after a reset: the protocol its ATR offers first.
func connect(c Chip, answered []byte) wire {
	atr, err := iso7816.ParseATR(answered)
	if err == nil && atr.Protocol() == 1 {
		return &t1{chip: c, ifsc: atr.IFSC(), ifsd: defaultIFS}
	}
	return &t0{chip: c}
}

// t0 is T=0 as a card speaks it, procedure bytes aside (ISO/IEC 7816-3, 10 and 12.2; Book 1, 9.3 and annex A). It cannot
// tell a command without data from one that asks for data: P3 is Le then, and a wrong one is answered 6Cxx.
type t0 struct {
	chip    Chip
	pending []byte // data for GET RESPONSE
	header  [4]byte
	again   []byte // answer to the command of this header, to be had for the right Le
}

const insGetResponse = 0xC0

func (*t0) stall() {} // a NULL procedure byte, which the reader keeps to itself

func (w *t0) exchange(tpdu []byte) []byte {
	if len(tpdu) < 5 {
		return swLength.bytes(nil)
	}
	header := [4]byte(tpdu)
	if tpdu[1] == insGetResponse && len(tpdu) == 5 {
		return w.getResponse(tpdu)
	}
	answer := w.again
	if header != w.header || len(tpdu) > 5 {
		answer = nil
	}
	w.pending, w.again = nil, nil
	if answer == nil {
		if answer = w.chip.Transmit(tpdu); len(answer) < 2 {
			return nil
		}
	}
	data, status := answer[:len(answer)-2], answer[len(answer)-2:]
	switch {
	case len(data) == 0:
		return status
	case len(tpdu) == 5 && len(data) == want(tpdu[4]):
		return answer
	case len(tpdu) == 5:
		w.header, w.again = header, answer
		return []byte{0x6C, byte(len(data))} //nolint:gosec // 256 is written 00
	}
	w.pending = data
	if status[0] == 0x90 {
		return []byte{0x61, byte(len(data))} //nolint:gosec // 256 is written 00
	}
	return status // a warning: the data are fetched after it
}

func (w *t0) getResponse(tpdu []byte) []byte {
	switch n := want(tpdu[4]); {
	case tpdu[2] != 0 || tpdu[3] != 0:
		return swP1P2.bytes(nil)
	case len(w.pending) == 0:
		return swConditions.bytes(nil)
	case n > len(w.pending):
		return []byte{0x6C, byte(len(w.pending))} //nolint:gosec // 256 is written 00
	case n < len(w.pending):
		part := bytes.Clone(w.pending[:n])
		w.pending = w.pending[n:]
		return append(part, 0x61, byte(len(w.pending))) //nolint:gosec // less than 256
	}
	data := w.pending
	w.pending = nil
	return swOK.bytes(data)
}

// want reads P3 as Le.
func want(p3 byte) int {
	if p3 == 0 {
		return 256
	}
	return int(p3)
}
