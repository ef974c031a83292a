package pcscd

import (
	"bytes"
	"fmt"
	"io"
	"time"
)

// sizes is how long each structure is; pcscd hangs up on others.
var sizes = map[uint32]int{
	cmdEstablish: 12, cmdRelease: 8, cmdConnect: 4 + nameSize + 20, cmdReconnect: 24, cmdDisconnect: 12, cmdTransmit: 32,
	cmdVersion: 12, cmdStates: 0, cmdWait: 0, cmdStopWait: 0,
}

// answer is what pcscd says to a message, after a wait perhaps. Not ok: it hangs up.
func (s *Server) answer(c *client, command uint32, body []byte) (answer []byte, wait time.Duration, ok bool) {
	size, known := sizes[command]
	if !known || len(body) != size {
		s.config.Complain(fmt.Sprintf("message %02X of %d bytes", command, len(body)))
		return nil, 0, false
	}
	var send []byte
	if command == cmdTransmit {
		n := get(body, 3)
		if n > maxMessage || get(body, 6) > maxMessage {
			s.config.Complain("transmit: more than fits")
			return nil, 0, false
		}
		send = make([]byte, n)
		if _, err := io.ReadFull(c.conn, send); err != nil {
			return nil, 0, false
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch command {
	case cmdVersion:
		result := uint32(0)
		if get(body, 0) != 4 || get(body, 1) != s.config.Minor {
			result = serviceStopped
		}
		put(body, 4, s.config.Minor, result)
	case cmdEstablish:
		s.next++
		c.context = s.next
		put(body[4:], c.context, 0)
	case cmdRelease:
		put(body[4:], s.release(c, get(body, 0)))
	case cmdStates:
		return s.states(), 0, true
	case cmdWait:
		c.waiting = true
		return s.states(), 0, true
	case cmdStopWait:
		if !c.waiting {
			return nil, 0, true // its news is under way
		}
		c.waiting = false
		return make([]byte, 8), 0, true
	case cmdConnect:
		if s.config.NoCards {
			return nil, 0, false
		}
		s.connect(c, body)
	default:
		return s.withHandle(c, command, body, send)
	}
	return body, 0, true
}

func (s *Server) release(c *client, context uint32) uint32 {
	if context != c.context {
		return invalidHandle
	}
	for id, h := range c.handles {
		h.slot.giveBack(id, warmReset)
	}
	clear(c.handles)
	return 0
}

// withHandle answers what needs a handle; pcscd hangs up when the client has no such one.
func (s *Server) withHandle(c *client, command uint32, body, send []byte) ([]byte, time.Duration, bool) {
	id := get(body, 0)
	h := c.handles[id]
	if h == nil {
		s.config.Complain(fmt.Sprintf("message %02X with a handle that is none", command))
		return nil, 0, false
	}
	switch command {
	case cmdReconnect:
		result := h.reconnect(id, get(body, 1), get(body, 2), get(body, 3))
		put(body[16:], h.slot.protocol, result)
	case cmdDisconnect:
		result := uint32(0)
		if !h.slot.plugged {
			result = unavailable
		} else {
			h.slot.giveBack(id, get(body, 1))
			delete(c.handles, id)
		}
		put(body[8:], result)
	case cmdTransmit:
		answer, result, wait := h.transmit(id, send)
		if result == 0 && len(answer) > int(get(body, 6)) {
			answer, result = nil, insufficient
		}
		put(body[24:], uint32(len(answer)), result) //nolint:gosec // an APDU
		return append(body, answer...), wait, true
	}
	return body, 0, true
}

// connect is SCardConnect.
func (s *Server) connect(c *client, body []byte) {
	name, _, _ := bytes.Cut(body[4:4+nameSize], []byte{0})
	numbers := body[4+nameSize:]
	id, protocol, result := s.open(string(name), get(numbers, 0), get(numbers, 1))
	if result == 0 {
		c.handles[id] = s.slotNamed(string(name)).handles[id]
	}
	put(numbers[8:], id, protocol, result)
}

func (s *Server) slotNamed(name string) *Slot {
	for _, slot := range s.slots {
		if slot.name == name && slot.plugged {
			return slot
		}
	}
	return nil
}

func (s *Server) open(name string, share, protocols uint32) (id, protocol, result uint32) {
	slot := s.slotNamed(name)
	switch {
	case share < exclusive || share > direct, share != direct && protocols&(protocolT0|protocolT1) == 0:
		return 0, 0, invalidValue
	case slot == nil:
		return 0, 0, unknownReader
	case slot.holder != 0, share == exclusive && len(slot.handles) > 0:
		return 0, 0, sharingViolation
	}
	if share != direct {
		if slot.chip == nil {
			return 0, 0, noSmartcard
		}
		if slot.asleep {
			slot.powerUp(false)
		}
		if slot.bits&powered == 0 {
			return 0, 0, unpowered
		}
		if result := slot.agree(protocols); result != 0 {
			return 0, 0, result
		}
		protocol = slot.protocol
	}
	s.next++
	slot.handles[s.next] = &handle{slot: slot}
	if share == exclusive {
		slot.holder = s.next
	}
	s.tell()
	return s.next, protocol, 0
}

// agree settles the protocol: the one that is in use, else T=1 before T=0.
func (s *Slot) agree(protocols uint32) uint32 {
	can := protocols & (protocolT0 | protocolT1)
	if s.protocol != undefined {
		can &= s.protocol
	} else {
		can &= offered(s.atr)
	}
	switch {
	case can&protocolT1 != 0:
		s.protocol = protocolT1
	case can&protocolT0 != 0:
		s.protocol = protocolT0
	default:
		return protoMismatch
	}
	return 0
}

// reconnect is SCardReconnect.
func (h *handle) reconnect(id, share, protocols, initialise uint32) uint32 {
	s := h.slot
	switch {
	case !s.plugged:
		return unavailable
	case share != exclusive || protocols&(protocolT0|protocolT1) == 0:
		return invalidValue
	case s.holder != 0 && s.holder != id:
		return sharingViolation
	}
	if initialise != leave {
		h.event = resetByOther // until it has a protocol
		answered := s.powerUp(initialise == warmReset)
		for other, one := range s.handles {
			if other != id && one.event == 0 {
				one.event = resetByOther
			}
		}
		s.server.tell()
		switch {
		case s.chip == nil:
			return noSmartcard
		case !answered:
			return unresponsive
		}
	}
	if s.chip == nil {
		return noSmartcard
	}
	if result := s.agree(protocols); result != 0 {
		return result
	}
	if s.holder == 0 && len(s.handles) > 1 {
		return sharingViolation
	}
	s.holder, h.event = id, 0
	return 0
}

// giveBack is SCardDisconnect.
func (s *Slot) giveBack(id, disposition uint32) {
	delete(s.handles, id)
	if s.holder == id {
		s.holder = 0
	}
	if s.chip != nil && s.plugged {
		switch disposition {
		case warmReset:
			s.powerUp(true)
		case unpower:
			s.bits, s.protocol, s.asleep = present, undefined, true
		}
	}
	s.server.tell()
}

// transmit is SCardTransmit.
func (h *handle) transmit(id uint32, send []byte) (answer []byte, result uint32, wait time.Duration) {
	s := h.slot
	switch {
	case h.event != 0:
		return nil, h.event, 0
	case !s.plugged:
		return nil, unavailable, 0
	case s.chip == nil:
		return nil, removedCard, 0
	case s.protocol == undefined:
		return nil, protoMismatch, 0
	case s.holder != 0 && s.holder != id:
		return nil, sharingViolation, 0
	}
	return s.transmit(send)
}
