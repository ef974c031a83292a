package pcscd

import (
	"time"

	"tillway/device/emulator"
)

// Fault is one way in which card, reader or the wire between them misbehave, once.
type Fault string

// The faults.
const (
	Mute      Fault = "mute"      // the card does not answer
	Damaged   Fault = "damaged"   // its answer arrives damaged, and pcscd's driver can do no more
	Slow      Fault = "slow"      // it asks for more time, which pcscd's driver grants
	Lost      Fault = "lost"      // the answer never arrives: pcscd's driver gives up after LostAfter
	Reset     Fault = "reset"     // the reader starts anew; the card has lost its power
	Removed   Fault = "removed"   // the card leaves in place of answering
	Unplugged Fault = "unplugged" // the reader leaves in place of answering; Plug brings it back
)

// How long pcscd's driver waits for a lost answer, and how late a slow one is.
const (
	LostAfter = 100 * time.Millisecond
	SlowBy    = 20 * time.Millisecond
)

// The bits of a reader's state, and the other numbers of the protocol.
const (
	absent     = 0x02
	present    = 0x04
	swallowed  = 0x08 // pcscd's word for a mute card
	powered    = 0x10
	negotiable = 0x20

	protocolT0, protocolT1 = 1, 2
	undefined              = 0

	exclusive, _, direct = 1, 2, 3

	leave, warmReset, unpower = 0, 1, 2
)

// The results that pcscd gives.
const (
	invalidHandle    = 0x80100003
	invalidValue     = 0x80100011
	insufficient     = 0x80100008
	unknownReader    = 0x80100009
	sharingViolation = 0x8010000B
	noSmartcard      = 0x8010000C
	protoMismatch    = 0x8010000F
	notTransacted    = 0x80100016
	unavailable      = 0x80100017
	serviceStopped   = 0x8010001E
	unresponsive     = 0x80100066
	unpowered        = 0x80100067
	resetByOther     = 0x80100068
	removedCard      = 0x80100069
)

// Slot is one virtual reader. Its methods may be called from any goroutine and return when the thing has happened.
type Slot struct {
	server *Server
	name   string

	// Guarded by server.mu.
	plugged  bool
	events   uint32
	bits     uint32
	atr      []byte
	protocol uint32
	chip     emulator.Chip
	bare     emulator.Chip // the same at T=0
	handles  map[uint32]*handle
	holder   uint32 // handle that has the reader exclusively; 0: none
	asleep   bool   // without power since a handle was given back so
	exchange int
	faults   map[int]Fault
}

// handle is one connection of a client to a reader.
type handle struct {
	slot  *Slot
	event uint32 // result for its next use: removed or reset
}

// Insert puts a card into the slot; pcscd powers it.
func (s *Slot) Insert(c emulator.Chip) {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	if s.chip != nil {
		s.takeOut()
		clear(s.faults)
	}
	s.chip, s.bare, s.exchange = c, emulator.Bare(c), 0
	s.events++
	if s.plugged {
		s.powerUp(false)
	}
	s.server.tell()
}

// Remove takes the card out; nothing happens when there is none.
func (s *Slot) Remove() {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.takeOut()
	s.server.tell()
}

// Disturb arms one fault. Exchanges are counted from the insertion: 0 is the first answer to reset, n the n-th TPDU, or at T=1 the n-th
// command.
func (s *Slot) Disturb(f Fault, exchange int) {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.faults[exchange] = f
}

// Unplug takes the reader off the machine; the card stays in it. Plug brings it back.
func (s *Slot) Unplug() {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.unplug()
}

// Plug brings an unplugged reader back.
func (s *Slot) Plug() {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.plugged, s.events = true, 0
	s.powerUp(false)
	s.server.tell()
}

func (s *Slot) unplug() {
	s.plugged, s.protocol, s.atr, s.holder = false, undefined, nil, 0
	for _, h := range s.handles {
		h.event = unavailable
	}
	s.server.tell()
}

func (s *Slot) takeOut() {
	if s.chip == nil {
		return
	}
	s.chip, s.bare = nil, nil
	s.events++
	s.bits, s.atr, s.protocol = absent, nil, undefined
	clear(s.faults)
	for _, h := range s.handles {
		h.event = removedCard
	}
}

// fault is the one that is due, taken off the list.
func (s *Slot) fault() Fault {
	f := s.faults[s.exchange]
	delete(s.faults, s.exchange)
	return f
}

// powerUp resets the card and says whether it answered.
func (s *Slot) powerUp(warm bool) bool {
	s.protocol, s.asleep, s.atr = undefined, false, nil
	if s.chip == nil {
		s.bits = absent
		return false
	}
	warm = warm && s.bits&powered != 0
	f := Fault("")
	if s.exchange == 0 {
		f = s.fault()
		s.exchange = 1
	}
	answer := s.chip.ATR()
	if w, ok := s.chip.(emulator.WarmChip); ok && warm {
		answer = w.WarmATR()
	}
	s.bare.Reset()
	switch {
	case f == Removed:
		s.takeOut()
		return false
	case f != "" && f != Slow || len(answer) == 0:
		s.bits = present | swallowed
		return false
	}
	s.bits, s.atr = present|powered|negotiable, answer
	return true
}

// transmit carries bytes to the card. It returns the answer, or a result; wait is how long to wait before that result is told.
func (s *Slot) transmit(send []byte) (answer []byte, result uint32, wait time.Duration) {
	f := s.fault()
	s.exchange++
	switch {
	case f == Removed:
		s.takeOut()
		s.server.tell()
		return nil, notTransacted, 0
	case f == Unplugged:
		s.unplug()
		return nil, unavailable, 0
	case f == Reset:
		s.bits &^= powered
		return nil, notTransacted, 0
	case f == Lost:
		s.ask(send)
		return nil, notTransacted, LostAfter
	case f == Damaged:
		s.ask(send)
		return nil, notTransacted, 0
	case f == Mute, s.bits&powered == 0:
		return nil, notTransacted, 0
	case f == Slow:
		wait = SlowBy
	}
	answer = s.ask(send)
	if s.chip.Left() {
		s.takeOut()
		s.server.tell()
		return nil, notTransacted, 0
	}
	if len(answer) == 0 {
		return nil, notTransacted, 0
	}
	return answer, 0, wait
}

// ask has the card answer.
func (s *Slot) ask(send []byte) []byte {
	if s.protocol == protocolT1 {
		return s.chip.Transmit(send)
	}
	return s.bare.Transmit(send)
}

// offered is the protocols that an answer to reset offers; T=0 where it names none.
func offered(atr []byte) uint32 {
	if len(atr) < 2 {
		return 0
	}
	all := uint32(0)
	at, follow := 2, atr[1]>>4
	for range 8 {
		for bit := range 3 {
			at += int(follow >> bit & 1)
		}
		if follow&8 == 0 || at >= len(atr) {
			break
		}
		all |= 1 << (atr[at] & 0x0F)
		follow = atr[at] >> 4
		at++
	}
	if all == 0 {
		return protocolT0
	}
	return all
}
