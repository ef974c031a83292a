package emulator

import (
	"bytes"
	"slices"

	"tillway/device/ccid"
)

// WireFault is one thing that goes wrong between reader and card or on the line, once.
type WireFault string

// The faults. Each comes in place of one answer, or on top of it.
const (
	FaultMute      WireFault = "mute"         // the card does not answer; the reader reports it
	FaultSlow      WireFault = "slow"         // card and reader ask for more time, then answer
	FaultStalled   WireFault = "stalled"      // the reader asks for more time, again and again, and never answers
	FaultChecksum  WireFault = "bad checksum" // the answer arrives with one byte changed
	FaultParity    WireFault = "parity"       // the reader reports that the card's characters arrived damaged
	FaultShort     WireFault = "short frame"  // the answer breaks off in its middle
	FaultGarbage   WireFault = "garbage"      // bytes of no frame stand before the answer
	FaultStale     WireFault = "stale answer" // the answer to an older command stands before the answer
	FaultLost      WireFault = "lost"         // the answer never arrives
	FaultRefused   WireFault = "refused"      // the reader asks for the command again (NAK)
	FaultReset     WireFault = "reset"        // the reader restarts: the command is lost, the card without power
	FaultRemoved   WireFault = "removed"      // the card leaves the slot in place of answering
	FaultUnplugged WireFault = "unplugged"    // the reader leaves the machine in place of answering
)

// WireFaults lists the faults.
func WireFaults() []WireFault {
	return []WireFault{
		FaultMute, FaultSlow, FaultStalled, FaultChecksum, FaultParity, FaultShort, FaultGarbage, FaultStale, FaultLost, FaultRefused, FaultReset,
		FaultRemoved, FaultUnplugged,
	}
}

type armed struct {
	kind     WireFault
	exchange int
}

// twin is a GemPC Twin without its line: it is given messages and says which bytes go out. It belongs to one goroutine.
type twin struct {
	chip        Chip // nil: the slot is empty
	wire        wire // nil: no power
	tried       bool // to give it power since the card went in
	carried     int  // TPDUs since the card went in; 0 is the answer to reset
	faults      []armed
	synchronous bool // card moves are told after the next command's echo only
	moved       bool // and one is to be told
	emptyTold   bool // the driver has been told that the slot is empty
	parameters  []byte
	protocol    byte
	lastAnswer  []byte
	tell        func(line string)
}

// result is what a message leads to.
type result struct {
	out       []byte
	unplug    bool
	poweredUp bool // the card got power
	left      bool // the card is no longer in the slot
}

const (
	moveAway = 0x02 // slot change: empty
	moveIn   = 0x03 // slot change: a card is in
	moreTime = 0x81 // a byte of 80 or more on the line asks for time

	stalledRequests = 250 // for time, of a reader that is not coming to its end
)

// insert puts a chip into the slot (nil takes it out) and returns what the reader says by itself.
func (r *twin) insert(c Chip) []byte {
	if r.chip == nil && c == nil {
		return nil
	}
	if r.chip != nil {
		r.faults = nil // they were meant for the card that goes
	}
	r.chip, r.wire, r.carried, r.tried, r.emptyTold = c, nil, 0, false, false
	if c != nil {
		c.Reset()
	}
	if r.synchronous {
		r.moved = true
		return nil
	}
	return r.move() // and perhaps nobody listens: the driver has been told when it has asked
}

func (r *twin) move() []byte {
	r.moved = false
	if r.chip == nil {
		return []byte{ccid.NotifySlotChange, moveAway}
	}
	return []byte{ccid.NotifySlotChange, moveIn}
}

// restart is the reader losing its power; the card stays in the slot.
func (r *twin) restart() {
	r.wire, r.synchronous, r.moved, r.parameters, r.protocol = nil, false, false, nil, 0
	r.lastAnswer = nil
}

func (r *twin) icc() ccid.ICC {
	switch {
	case r.chip == nil:
		return ccid.NoICC
	case r.wire == nil:
		return ccid.Inactive
	}
	return ccid.Active
}

// take draws the fault that is armed for an exchange, if one is.
func (r *twin) take(exchange int) WireFault {
	for i, f := range r.faults {
		if f.exchange == exchange {
			r.faults = append(r.faults[:i:i], r.faults[i+1:]...)
			return f.kind
		}
	}
	return ""
}

// serve answers what stood on the line.
func (r *twin) serve(ev event) result {
	switch {
	case ev.nak:
		return result{out: r.lastAnswer}
	case ev.damaged:
		return result{out: nak[:]}
	}
	m, err := ccid.Parse(ev.message)
	if err != nil {
		return result{out: nak[:]}
	}
	fault := WireFault("")
	switch {
	case m.Slot != 0:
	case m.Type == ccid.PowerOn && r.chip != nil && r.carried == 0:
		fault = r.take(0)
	case m.Type == ccid.XfrBlock && r.wire != nil:
		fault = r.take(r.carried + 1)
	}
	switch fault {
	case "", FaultMute, FaultSlow, FaultStalled, FaultChecksum, FaultParity, FaultShort, FaultGarbage, FaultStale, FaultLost:
		// the command is carried out
	case FaultRefused:
		return result{out: nak[:]}
	case FaultReset:
		r.restart()
		return result{}
	case FaultUnplugged:
		return result{unplug: true}
	case FaultRemoved:
		return r.removedDuring(m)
	}
	return r.carry(m, fault)
}

// carry does what the message says and writes echo and answer, with a fault of the line if there is one.
func (r *twin) carry(m ccid.Message, fault WireFault) result {
	echo := frame(ccid.Append(nil, m))
	if r.moved {
		echo = append(echo, r.move()...)
		r.emptyTold = r.chip == nil
	}
	if fault == FaultSlow && r.wire != nil {
		r.wire.stall()
	}
	answer, res := r.answer(m, fault == FaultMute)
	sent := frame(ccid.Append(nil, answer))
	r.lastAnswer = sent
	r.emptyTold = r.emptyTold || answer.Status().ICC == ccid.NoICC
	res.out = append(echo, r.spoil(m, answer, sent, fault)...)
	if res.left {
		res.out = append(res.out, r.insert(nil)...)
	}
	return res
}

// spoil is what stands on the line in place of an answer that a fault meets.
func (r *twin) spoil(m, answer ccid.Message, sent []byte, fault WireFault) []byte {
	framed := func(m ccid.Message) []byte { return frame(ccid.Append(nil, m)) }
	switch fault {
	case FaultSlow:
		wait := ccid.Message{Type: answer.Type, Seq: m.Seq, Params: ccid.Status{ICC: r.icc(), Command: ccid.TimeExtension, Error: 2}.Params(0)}
		return slices.Concat([]byte{moreTime, moreTime}, framed(wait), sent)
	case FaultStalled:
		return bytes.Repeat([]byte{moreTime}, stalledRequests)
	case FaultChecksum:
		sent = bytes.Clone(sent)
		sent[len(sent)-1] ^= 0x01
	case FaultParity:
		return framed(r.failed(answer.Type, m, ccid.XfrParityError))
	case FaultShort:
		return sent[:len(sent)/2]
	case FaultGarbage:
		return append([]byte{0x00, 0x41, 0x7F}, sent...)
	case FaultStale:
		old := r.reply(answer.Type, m, 0, []byte{0x6F, 0x00})
		old.Seq--
		return append(framed(old), sent...)
	case FaultLost:
		return nil
	case FaultMute, FaultRefused, FaultReset, FaultRemoved, FaultUnplugged, "":
	}
	return sent
}

// removedDuring is a command in whose course the card goes away.
func (r *twin) removedDuring(m ccid.Message) result {
	out := append(frame(ccid.Append(nil, m)), r.insert(nil)...)
	r.lastAnswer = frame(ccid.Append(nil, r.failed(ccid.DataBlock, m, ccid.ICCMute)))
	return result{out: append(out, r.lastAnswer...), left: true}
}

func (r *twin) reply(kind byte, m ccid.Message, last byte, data []byte) ccid.Message {
	return ccid.Message{Type: kind, Slot: m.Slot, Seq: m.Seq, Params: ccid.Status{ICC: r.icc()}.Params(last), Data: data}
}

func (r *twin) failed(kind byte, m ccid.Message, reason byte) ccid.Message {
	s := ccid.Status{ICC: r.icc(), Command: ccid.Failed, Error: reason}
	return ccid.Message{Type: kind, Slot: m.Slot, Seq: m.Seq, Params: s.Params(0)}
}

const (
	offsetSlot      = 5 // bError below 80 is the offset of the byte that was refused
	offsetProtocol  = 7
	offsetLength    = 1
	escapeFirmware  = 0x02
	firmwareVersion = "GemTwRC2-V2.00-GO02"
)

// answer is the reader's side of the CCID commands that the Twin knows (CCID 1.1, 6.1).
func (r *twin) answer(m ccid.Message, silent bool) (ccid.Message, result) {
	if m.Slot != 0 {
		return r.failed(ccid.SlotStatus, m, offsetSlot), result{}
	}
	switch m.Type {
	case ccid.PowerOn:
		return r.powerOn(m, silent)
	case ccid.PowerOff:
		r.wire = nil
		return r.reply(ccid.SlotStatus, m, 1, nil), result{} // 1: the clock is stopped low
	case ccid.GetSlotStatus:
		return r.reply(ccid.SlotStatus, m, 0, nil), result{}
	case ccid.GetParameters, ccid.ResetParams, ccid.SetParameters:
		return r.setParameters(m), result{}
	case ccid.Escape:
		return r.escape(m), result{}
	case ccid.XfrBlock:
		return r.transfer(m, silent)
	}
	return r.failed(ccid.SlotStatus, m, ccid.Unsupported), result{}
}

func (r *twin) powerOn(m ccid.Message, silent bool) (ccid.Message, result) {
	var atr []byte
	r.tried = true
	if r.chip != nil && !silent {
		atr = answerToReset(r.chip, r.wire != nil)
	}
	if len(atr) == 0 {
		r.wire = nil
		return r.failed(ccid.DataBlock, m, ccid.ICCMute), result{}
	}
	r.chip.Reset()
	r.wire, r.parameters = connect(r.chip, atr), nil
	if r.tell != nil {
		r.tell(resetLine(atr))
	}
	return r.reply(ccid.DataBlock, m, 0, atr), result{poweredUp: true}
}

// setParameters keeps what the driver sets; protocol and lengths are checked as the Twin's firmware does.
func (r *twin) setParameters(m ccid.Message) ccid.Message {
	if r.chip == nil {
		return r.failed(ccid.Parameters, m, ccid.ICCMute)
	}
	defaults := map[byte][]byte{0: {0x11, 0, 0, 10, 0}, 1: {0x11, 0x10, 0, 0x45, 0, 32, 0}}
	switch want, known := defaults[m.Params[0]]; {
	case m.Type == ccid.ResetParams:
		r.parameters, r.protocol = nil, 0
	case m.Type == ccid.SetParameters && !known:
		return r.failed(ccid.Parameters, m, offsetProtocol)
	case m.Type == ccid.SetParameters && len(m.Data) != len(want):
		return r.failed(ccid.Parameters, m, offsetLength)
	case m.Type == ccid.SetParameters:
		r.protocol, r.parameters = m.Params[0], append([]byte(nil), m.Data...)
	}
	if r.parameters == nil {
		return r.reply(ccid.Parameters, m, r.protocol, defaults[r.protocol])
	}
	return r.reply(ccid.Parameters, m, r.protocol, r.parameters)
}

func (r *twin) escape(m ccid.Message) ccid.Message {
	switch d := m.Data; {
	case len(d) == 1 && d[0] == escapeFirmware:
		return r.reply(ccid.EscapeAnswer, m, 0, []byte(firmwareVersion))
	case len(d) == 3 && d[0] == 1 && d[1] == 1:
		r.synchronous = d[2] == 1
		return r.reply(ccid.EscapeAnswer, m, 0, []byte{0})
	}
	return r.failed(ccid.EscapeAnswer, m, ccid.Unsupported)
}

// transfer carries one TPDU to the card.
func (r *twin) transfer(m ccid.Message, silent bool) (ccid.Message, result) {
	if r.wire == nil || len(m.Data) == 0 {
		return r.failed(ccid.DataBlock, m, ccid.ICCMute), result{}
	}
	r.carried++
	var answer []byte
	if !silent {
		answer = r.wire.exchange(m.Data)
	}
	if r.chip.Left() {
		s := ccid.Status{ICC: ccid.NoICC, Command: ccid.Failed, Error: ccid.ICCMute}
		return ccid.Message{Type: ccid.DataBlock, Seq: m.Seq, Params: s.Params(0)}, result{left: true}
	}
	if answer == nil {
		return r.failed(ccid.DataBlock, m, ccid.ICCMute), result{}
	}
	return r.reply(ccid.DataBlock, m, 0, answer), result{}
}
