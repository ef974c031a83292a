package emulator

import (
	"errors"

	"tillway/device/iso7816"
)

const (
	defaultIFS = 32 // until S(IFS) says otherwise (ISO/IEC 7816-3, 11.4.2)
	maxCommand = 5 + 255 + 1
	wtxFactor  = 2
)

// t1 is T=1 as a card speaks it (ISO/IEC 7816-3, 11.6; Book 1, 9.2): blocks answered in order, chains taken and given,
// block size, waiting time, resynchronisation and abort.
type t1 struct {
	chip       Chip
	ifsc, ifsd int
	ns, nr     byte // our next number, and the one we expect
	in         []byte
	out        []byte // what is left of an answer that goes out in a chain
	chaining   bool
	last       []byte // our last block, and our last I-block, for when they have to be sent again
	lastI      []byte
	stalled    bool   // ask for more time before the next answer
	held       []byte // the answer that waits for the time to be granted
}

func (w *t1) stall() { w.stalled = true }

func (w *t1) exchange(tpdu []byte) []byte {
	b, err := iso7816.ParseBlock(tpdu)
	switch {
	case errors.Is(err, iso7816.ErrLRC):
		return w.report(iso7816.EDCError)
	case err != nil || b.NAD != 0:
		return w.report(iso7816.OtherError)
	}
	switch b.Kind() {
	case iso7816.Information:
		return w.information(b)
	case iso7816.Receipt:
		return w.receipt(b)
	case iso7816.ResynchRequest:
		*w = t1{chip: w.chip, ifsc: w.ifsc, ifsd: defaultIFS}
		return w.send(iso7816.S(iso7816.PCBResynchResponse))
	case iso7816.IFSRequest:
		if n := int(b.INF[0]); n >= 1 && n <= iso7816.MaxINF {
			w.ifsd = n
			return w.send(iso7816.S(iso7816.PCBIFSResponse, b.INF[0]))
		}
	case iso7816.AbortRequest:
		w.in, w.out, w.chaining = nil, nil, false
		return w.send(iso7816.S(iso7816.PCBAbortResponse))
	case iso7816.WTXResponse:
		if held := w.held; held != nil && b.INF[0] == wtxFactor {
			w.held = nil
			return w.reply(held)
		}
	case iso7816.Unknown, iso7816.ResynchResponse, iso7816.IFSResponse, iso7816.AbortResponse, iso7816.WTXRequest:
	}
	return w.report(iso7816.OtherError)
}

// information takes an I-block: part of a command, or the last part of one, which the chip then answers.
func (w *t1) information(b iso7816.Block) []byte {
	if b.NS() != w.nr || w.chaining || w.held != nil || len(b.INF) > w.ifsc {
		return w.report(iso7816.OtherError)
	}
	w.nr ^= 1
	if w.in = append(w.in, b.INF...); len(w.in) > maxCommand+1 {
		w.in = w.in[:maxCommand+1] // one too many: the chip sees a wrong length
	}
	if b.More() {
		return w.send(iso7816.R(w.nr, iso7816.Acknowledged))
	}
	answer := w.chip.Transmit(w.in)
	w.in = nil
	if len(answer) < 2 {
		return nil
	}
	if w.stalled {
		w.stalled, w.held = false, answer
		return w.send(iso7816.S(iso7816.PCBWTXRequest, wtxFactor))
	}
	return w.reply(answer)
}

// receipt takes an R-block: the next part of a chain is wanted, or a block once more (rule 7). Its N(R) is the number of the
// I-block that the reader waits for, so it tells an I-block of ours that was lost from one of its own that never came here.
func (w *t1) receipt(b iso7816.Block) []byte {
	switch {
	case b.NR() != w.ns && w.lastI != nil:
		return w.lastI
	case b.NR() == w.ns && w.chaining:
		return w.reply(w.out)
	case b.NR() == w.ns && w.last != nil && (w.held != nil || w.last[1]&0xC0 == 0x80):
		return w.last // the request for time, or an R-block of our own
	}
	return w.report(iso7816.OtherError)
}

// reply sends as much of an answer as one block holds.
func (w *t1) reply(answer []byte) []byte {
	n := min(len(answer), w.ifsd)
	w.out, w.chaining = answer[n:], n < len(answer)
	b := iso7816.I(w.ns, w.chaining, answer[:n])
	w.ns ^= 1
	w.lastI = w.send(b)
	return w.lastI
}

func (w *t1) send(b iso7816.Block) []byte {
	w.last = b.Append(nil)
	return w.last
}

// report asks for the reader's block again.
func (w *t1) report(what byte) []byte { return w.send(iso7816.R(w.nr, what)) }
