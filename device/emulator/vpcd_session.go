package emulator

import (
	"context"
	"encoding/binary"
	"io"
	"time"
)

// vpcdSession is one connection of a VPCD. It belongs to one goroutine.
type vpcdSession struct {
	slot    *VPCD
	chip    Chip
	ctx     context.Context
	powered bool
	used    bool      // an APDU was carried since the power came
	off     time.Time // when the power was taken off a used card; zero: it was not
}

// serve answers until the connection ends. pcscd asks for the ATR a few times a second, to see whether a card is there: the hand moves then.
func (s *vpcdSession) serve(conn io.ReadWriter) error {
	for {
		message, err := readVPCD(conn)
		if err != nil {
			return err
		}
		if wait := s.slot.cfg.Hand.TakeOut; wait > 0 && !s.off.IsZero() && time.Since(s.off) >= wait {
			return errTakenOut
		}
		answer, err := s.answer(message)
		if err != nil {
			return err
		}
		if answer == nil {
			continue
		}
		out := binary.BigEndian.AppendUint16(nil, uint16(len(answer))) //nolint:gosec // at most 258
		if _, err := conn.Write(append(out, answer...)); err != nil {
			return err
		}
	}
}

// answer is nothing where the protocol has none.
func (s *vpcdSession) answer(message []byte) ([]byte, error) {
	if len(message) > 1 {
		return s.transmit(message)
	}
	switch message[0] {
	case vpcdOff:
		if s.used {
			s.off = time.Now()
		}
		s.powered, s.used = false, false
	case vpcdOn, vpcdReset:
		warm := s.powered
		s.chip.Reset()
		s.powered, s.off = true, time.Time{}
		if s.slot.cfg.Watch != nil {
			s.slot.cfg.Watch(resetLine(answerToReset(s.chip, warm)))
		}
	case vpcdATR:
		return s.chip.ATR(), nil
	}
	return nil, nil
}

// transmit carries an APDU, with the fault that is armed for it.
func (s *vpcdSession) transmit(apdu []byte) ([]byte, error) {
	s.used, s.off = true, time.Time{}
	switch s.slot.due() {
	case FaultRemoved:
		return nil, errTakenOut
	case FaultUnplugged:
		s.slot.pulled()
		return nil, context.Canceled
	case FaultMute:
		<-s.ctx.Done() // the protocol has no word for it
		return nil, s.ctx.Err()
	case FaultLost:
		return nil, nilUnless(s.chip.Transmit(apdu))
	case FaultShort:
		answer := s.chip.Transmit(apdu)
		return answer[:min(len(answer), 1)], nilUnless(answer)
	case FaultGarbage:
		answer := append([]byte(nil), s.chip.Transmit(apdu)...)
		for i := range answer {
			answer[i] ^= 0xA5
		}
		return answer, nilUnless(answer)
	default: // nothing is armed, or what this wire does not have
	}
	answer := s.chip.Transmit(apdu)
	if answer == nil && s.chip.Left() {
		return nil, errTakenOut
	}
	return answer, nilUnless(answer)
}

// nilUnless is the end of the connection for a card that does not answer.
func nilUnless(answer []byte) error {
	if answer == nil {
		return errNoAnswer
	}
	return nil
}

// pulled is Unplug by a fault, from the goroutine that plays.
func (v *VPCD) pulled() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.out = true
	if v.stop != nil {
		v.stop()
		v.stop = nil
	}
}
