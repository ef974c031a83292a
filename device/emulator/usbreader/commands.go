package usbreader

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"tillway/device/emulator"
	"tillway/device/iso7816"
)

// The messages (CCID 1.1, 6.1 to 6.3).
const (
	setParameters    = 0x61
	powerOn          = 0x62
	powerOff         = 0x63
	getSlotStatus    = 0x65
	secure           = 0x69
	escape           = 0x6B
	getParameters    = 0x6C
	resetParameters  = 0x6D
	xfrBlock         = 0x6F
	abort            = 0x72
	dataBlock        = 0x80
	slotStatus       = 0x81
	parameters       = 0x82
	escapeAnswer     = 0x83
	notifySlotChange = 0x50

	headLength = 10
)

// Reasons in bError (table 6.2-2); those below 80 are the place of the byte that is refused.
const (
	badLength    = 1
	badSlot      = 5
	badPower     = 7
	badLevel     = 8
	unsupported  = 0x00
	slotBusy     = 0xE0
	pinCancelled = 0xEF
	parityError  = 0xFD
	mute         = 0xFE
	aborted      = 0xFF
)

// message is one message to the reader.
type message struct {
	kind, slot, seq byte
	params          [3]byte
	data            []byte
}

// parse takes a message from what has come. used is 0 while it is not whole; bad is what cannot become one.
func parse(b []byte, most uint32) (m message, used int, bad bool) {
	if len(b) < headLength {
		return m, 0, false
	}
	n := binary.LittleEndian.Uint32(b[1:])
	if n > most-headLength {
		return m, 0, true
	}
	whole := headLength + int(n)
	if len(b) < whole {
		return m, 0, false
	}
	return message{b[0], b[5], b[6], [3]byte(b[7:10]), slices.Clone(b[headLength:whole])}, whole, len(b) > whole
}

// reply is a message from the reader.
type reply struct {
	kind, status, reason, last byte
	data                       []byte
}

// bytes is the reply to a command, as it goes out.
func (a reply) bytes(m message) []byte {
	b := []byte{a.kind, 0, 0, 0, 0, m.slot, m.seq, a.status, a.reason, a.last}
	binary.LittleEndian.PutUint32(b[1:], uint32(len(a.data))) //nolint:gosec // at most mostMessage
	return append(b, a.data...)
}

// icc is bmICCStatus.
func (r *Reader) icc() byte {
	switch {
	case r.chip == nil:
		return 2
	case r.contacts == nil:
		return 1
	}
	return 0
}

func (r *Reader) done(kind byte, data []byte) reply {
	return reply{kind: kind, status: r.icc(), data: data}
}

func (r *Reader) failed(kind, reason byte) reply {
	return reply{kind: kind, status: r.icc() | 0x40, reason: reason}
}

func (r *Reader) put(m message, a reply) {
	if b := a.bytes(m); r.cfg.NoEmpty {
		r.in.PutWithoutEnd(b)
	} else {
		r.in.Put(b)
	}
}

// take draws the fault that is meant for an exchange.
func (r *Reader) take(m message) emulator.WireFault {
	exchange := r.carried + 1
	switch {
	case m.kind == powerOn && r.chip != nil && r.carried == 0:
		exchange = 0
	case m.kind != xfrBlock && m.kind != secure || r.contacts == nil:
		return ""
	}
	i := slices.IndexFunc(r.faults, func(f armed) bool { return f.exchange == exchange })
	if i < 0 {
		return ""
	}
	kind := r.faults[i].kind
	r.faults = slices.Delete(r.faults, i, i+1)
	return kind
}

// serve carries out a command, with a fault if one is meant for it. unplug says that the reader goes in place of answering.
func (r *Reader) serve(m message) (unplug bool) {
	if m.slot != 0 {
		r.put(m, r.failed(answerTo(m.kind), badSlot))
		return false
	}
	if m.kind == abort {
		r.abort(m)
		return false
	}
	if r.busy != nil {
		r.put(m, r.failed(answerTo(m.kind), slotBusy))
		return false
	}
	fault := r.take(m)
	switch fault {
	case emulator.FaultUnplugged:
		return true
	case emulator.FaultReset:
		r.restart()
		return false
	case emulator.FaultRemoved:
		r.insert(nil)
		r.put(m, r.failed(dataBlock, mute))
		return false
	case emulator.FaultSlow:
		if r.contacts != nil {
			r.contacts.Stall()
		}
	default: // the command is carried out
	}
	a := r.carry(m, fault == emulator.FaultMute)
	r.spoil(m, a, fault)
	return false
}

// spoil sends an answer, in the way that a fault says.
func (r *Reader) spoil(m message, a reply, fault emulator.WireFault) {
	wait := reply{kind: a.kind, status: r.icc() | 0x80, reason: 1}
	switch fault {
	case emulator.FaultSlow:
		r.put(m, wait)
		r.put(m, wait)
	case emulator.FaultStalled:
		for range 250 {
			r.put(m, wait)
		}
		r.busy = &m
		return
	case emulator.FaultParity:
		a = r.failed(a.kind, parityError)
	case emulator.FaultShort:
		b := a.bytes(m)
		r.in.Put(b[:len(b)/2])
		return
	case emulator.FaultGarbage:
		r.in.Put(nil)
	case emulator.FaultStale:
		old := m
		old.seq--
		r.put(old, reply{kind: a.kind, status: r.icc(), data: []byte{0x6F, 0x00}})
	case emulator.FaultLost:
		r.busy = &m
		return
	default: // happened before, or is the card's
	}
	r.put(m, a)
}

// answerTo is the type of answer that a command has (table 6.1-1).
func answerTo(kind byte) byte {
	switch kind {
	case powerOn, xfrBlock, secure:
		return dataBlock
	case getParameters, setParameters, resetParameters:
		return parameters
	case escape:
		return escapeAnswer
	}
	return slotStatus
}

// abort ends what the reader is busy with, when the control pipe has named the same number before (5.3.1).
func (r *Reader) abort(m message) {
	if r.aborting != int(m.seq) {
		r.put(m, r.failed(slotStatus, unsupported))
		return
	}
	r.aborting = -1
	if r.busy != nil {
		r.put(*r.busy, r.failed(answerTo(r.busy.kind), aborted))
		r.busy = nil
	}
	r.put(m, r.done(slotStatus, nil))
}

// carry is the reader's side of the commands.
func (r *Reader) carry(m message, silent bool) reply {
	switch m.kind {
	case powerOn:
		return r.powerOn(m, silent)
	case powerOff:
		r.contacts, r.atr, r.partial, r.answer = nil, nil, nil, nil
		return r.done(slotStatus, nil)
	case getSlotStatus:
		return r.done(slotStatus, nil)
	case setParameters, getParameters, resetParameters:
		return r.parameters(m)
	case xfrBlock:
		return r.transfer(m, silent)
	case secure:
		return r.secure(m)
	}
	return r.failed(answerTo(m.kind), unsupported)
}

func (r *Reader) powerOn(m message, silent bool) reply {
	if automatic := features[r.cfg.Level]&0x08 != 0; automatic && m.params[0] != 0 || !automatic && m.params[0] == 0 || m.params[0] > 3 {
		return r.failed(dataBlock, badPower)
	}
	if r.chip == nil {
		return r.failed(dataBlock, mute)
	}
	warm := r.contacts != nil
	r.contacts, r.atr, r.partial, r.answer = nil, nil, nil, nil
	if !silent {
		r.contacts, r.atr = emulator.Activate(r.chip, warm)
	}
	if r.contacts == nil {
		return r.failed(dataBlock, mute)
	}
	if r.cfg.Watch != nil {
		r.cfg.Watch(fmt.Sprintf("reset, ATR %X", r.atr))
	}
	return r.done(dataBlock, r.atr)
}

// parameters keeps nothing but the protocol; lengths are checked as readers do.
func (r *Reader) parameters(m message) reply {
	defaults := [2][]byte{{0x11, 0, 0, 10, 0}, {0x11, 0x10, 0, 0x45, 0, 32, 0}}
	if r.contacts == nil {
		return r.failed(parameters, mute)
	}
	if m.kind == setParameters {
		if m.params[0] > 1 {
			return r.failed(parameters, badPower) // byte 7 here, too
		}
		if len(m.data) != len(defaults[m.params[0]]) {
			return r.failed(parameters, badLength)
		}
		r.protocol = m.params[0]
	}
	a := r.done(parameters, defaults[r.protocol])
	a.last = r.protocol
	return a
}

// offered is the protocol that the card with power talks.
func (r *Reader) offered() byte {
	atr, err := iso7816.ParseATR(r.atr)
	if err != nil {
		return 0
	}
	return atr.Protocol()
}

// transfer carries a TPDU or an APDU to the card.
func (r *Reader) transfer(m message, silent bool) reply {
	if r.contacts == nil {
		return r.failed(dataBlock, mute)
	}
	level := binary.LittleEndian.Uint16(m.params[1:])
	if r.cfg.Level == ExtendedAPDU {
		switch level {
		case 0x0010:
			if len(r.answer) == 0 || len(m.data) != 0 {
				return r.failed(dataBlock, badLevel)
			}
			return r.part(false)
		case 0x0001, 0x0003:
			if r.partial = append(r.partial, m.data...); len(r.partial) > mostMessage {
				return r.failed(dataBlock, badLength)
			}
			a := r.done(dataBlock, nil)
			a.last = 0x10
			return a
		}
		m.data, r.partial = append(r.partial, m.data...), nil
	} else if level != 0 {
		return r.failed(dataBlock, badLevel)
	}
	if len(m.data) == 0 {
		return r.failed(dataBlock, badLength)
	}
	return r.exchange(m.data, silent)
}

// exchange lets the card answer.
func (r *Reader) exchange(command []byte, silent bool) reply {
	r.carried++
	var answer []byte
	switch {
	case silent:
	case r.cfg.Level == TPDU:
		if r.protocol != r.offered() {
			break // the reader talks the other protocol: the card does not understand
		}
		answer = r.contacts.Exchange(command)
	default:
		answer = r.apdu(command)
	}
	if r.chip.Left() {
		r.insert(nil)
	}
	if len(answer) == 0 {
		return r.failed(dataBlock, mute)
	}
	if r.cfg.Level == ExtendedAPDU && len(answer) > int(r.cfg.MaxAnswer)-headLength {
		r.answer = answer
		return r.part(true)
	}
	return r.done(dataBlock, answer)
}

// part is the next part of a long answer.
func (r *Reader) part(first bool) reply {
	n := min(len(r.answer), int(r.cfg.MaxAnswer)-headLength)
	a := r.done(dataBlock, r.answer[:n])
	r.answer = r.answer[n:]
	switch {
	case first:
		a.last = 1
	case len(r.answer) == 0:
		a.last = 2
	default:
		a.last = 3
	}
	return a
}

// apdu is a reader that does by itself what the protocol asks for: in T=0 the card does not see the Le of a command with
// data, and what it holds back is fetched; or handed on, by readers that do that.
func (r *Reader) apdu(command []byte) []byte {
	if r.offered() == 1 {
		return r.chip.Transmit(command)
	}
	if r.cfg.HandsOn {
		if n := len(command); n == 4 {
			command = append(command[:4:4], 0)
		} else if n > 5 && n == 6+int(command[4]) {
			command = command[:n-1]
		}
		return r.contacts.Exchange(command)
	}
	return fetch(r.contacts, command)
}

// fetch is an APDU of a T=0 card over a reader that knows the protocol: the driver's own T=0, which the TPDU level proves.
func fetch(c *emulator.Contacts, command []byte) []byte {
	answer, err := iso7816.NewT0(tpdus{c}).Transmit(context.Background(), command)
	if err != nil {
		return nil
	}
	return answer
}

// tpdus makes the contacts an iso7816.TPDU.
type tpdus struct{ contacts *emulator.Contacts }

func (t tpdus) TransmitTPDU(_ context.Context, tpdu []byte, _ byte) ([]byte, error) {
	return t.contacts.Exchange(tpdu), nil
}
