package ccid

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tillway/device"
	"tillway/device/iso7816"
)

// Transport carries messages to and from one reader. It is used by one goroutine at a time. Its errors wrap those of
// package device, and end the exchange at hand: device.ErrUnplugged when the reader is gone, device.ErrProtocol for a
// damaged answer, the context's error when that ends.
type Transport interface {
	// Send sends one message to the reader.
	Send(ctx context.Context, m Message) error

	// Receive returns the next message from the reader. A card movement is a NotifySlotChange with the slots' bits in
	// Params[0] (bit 1 card present, bit 2 changed); a reader that asks for time outside of any message is a SlotStatus
	// with the command status TimeExtension and the sequence number of the last message sent.
	Receive(ctx context.Context) (Message, error)
}

// Card presence in NotifySlotChange, slot 0 (section 6.3.1).
const (
	MovedOut byte = 0x02
	MovedIn  byte = 0x03
)

// The bounds on a reader that owes an answer.
const (
	DefaultPatience = 3 * time.Second        // silence of the reader before it counts as lost
	graceAfterMove  = 250 * time.Millisecond // silence after the card's removal was told: the answer may be swallowed
	maxExtensions   = 200                    // times that one command may ask for more time
	maxExtended     = time.Minute            // and how long one may take in all, its first wait not counted
	maxStale        = 100                    // answers to older commands that are thrown away for one command
	maxMoves        = 100                    // movements told in the middle of one: more are a contact that is broken, or a lie
)

// Slot is one slot of a reader: what is in it, and the conversation with it. One goroutine owns it.
type Slot struct {
	transport Transport
	features  Features
	patience  time.Duration
	seq       byte
	icc       ICC
	moves     int  // movements told so far
	moved     bool // one was told since the last reset: a card without power is not the one that was powered
	atr       iso7816.ATR
	aborting  bool          // a command that was given up is being ended
	wait      time.Duration // what a powered card may need before it answers, besides the reader's own time
}

// NewSlot is slot 0 of the reader behind the transport. patience is the longest silence of a reader that owes an
// answer, the card's own waiting time not included; 0 means DefaultPatience.
func NewSlot(transport Transport, patience time.Duration) *Slot {
	if patience <= 0 {
		patience = DefaultPatience
	}
	return &Slot{transport: transport, patience: patience, icc: NoICC}
}

// ICC is the last that was heard of the slot's state.
func (s *Slot) ICC() ICC { return s.icc }

// Moves counts the card movements that were told so far: when it has grown, the slot was empty in between.
func (s *Slot) Moves() int { return s.moves }

// CommandError is a command that the reader refused or failed to carry out.
type CommandError struct {
	Command byte // type of the command
	Status  Status
	Moved   bool // the card was moved since it was powered, or may have been
}

func (e *CommandError) Error() string {
	return fmt.Sprintf("reader failed command %02X: %s", e.Command, reason(e.Status.Error))
}

// Unwrap is the error of package device that the failure amounts to.
func (e *CommandError) Unwrap() error {
	switch {
	case e.Status.ICC == NoICC, e.Status.ICC == Inactive && e.Moved && (e.Command == XfrBlock || e.Command == secureMessage):
		return device.ErrRemoved
	case e.Status.Error == ICCMute:
		return device.ErrMute
	}
	return device.ErrProtocol
}

// Refresh asks for the slot's state.
func (s *Slot) Refresh(ctx context.Context) (ICC, error) {
	_, err := s.exchange(ctx, Message{Type: GetSlotStatus}, 0)
	if _, refused := errors.AsType[*CommandError](err); refused {
		err = nil // the status is what was asked for, whatever else the reader says
	}
	return s.icc, err
}

// Escape sends a command of the reader's maker and returns its answer.
func (s *Slot) Escape(ctx context.Context, command ...byte) ([]byte, error) {
	m, err := s.exchange(ctx, Message{Type: Escape, Data: command}, 0)
	return m.Data, err
}

// PowerOff takes the power off the card. Without a card it does nothing.
func (s *Slot) PowerOff(ctx context.Context) error {
	_, err := s.exchange(ctx, Message{Type: PowerOff}, 0)
	if errors.Is(err, device.ErrRemoved) {
		return nil
	}
	return err
}

// errRefused says that a card answered to reset, but not as EMV demands. To the cardholder that is a mute card.
var errRefused = fmt.Errorf("%w: answer to reset refused", device.ErrMute)

// PowerOn begins a card session (EMV Contact Interface Specification, 6.1 and 8.4): contacts activated, reset, protocol told to
// the reader. A card that says nothing at all loses its power, as the book has it, and is activated once more: contacts that
// have just met often fail the first time. Errors: device.ErrRemoved, device.ErrMute for a card without an acceptable
// answer, which then has no power, those of the transport.
func (s *Slot) PowerOn(ctx context.Context) (iso7816.ATR, error) {
	if err := s.PowerOff(ctx); err != nil {
		return iso7816.ATR{}, err
	}
	atr, err := s.activate(ctx)
	if errors.Is(err, device.ErrMute) && !errors.Is(err, errRefused) {
		if err = s.deactivate(ctx, nil); err == nil {
			atr, err = s.activate(ctx)
		}
	}
	if err == nil {
		s.atr, s.moved = atr, false
		err = s.setParameters(ctx)
	}
	if err != nil {
		return iso7816.ATR{}, s.deactivate(ctx, err)
	}
	return atr, nil
}

// deactivate takes the power off a card that still has it, because of a failure.
func (s *Slot) deactivate(ctx context.Context, failure error) error {
	if ctx.Err() != nil || s.icc != Active || errors.Is(failure, device.ErrUnplugged) {
		return failure
	}
	return errors.Join(failure, s.PowerOff(ctx))
}

// activate is a cold reset and, when the answer to that is refused, a warm one, where EMV accepts more (8.3.3.2, 8.4). There is no
// third. A reader that took the power off because it could not read the answer makes the second one cold as well.
func (s *Slot) activate(ctx context.Context) (iso7816.ATR, error) {
	atr, err := s.reset(ctx, false)
	if !errors.Is(err, errRefused) {
		return atr, err
	}
	atr, again := s.reset(ctx, s.icc == Active)
	if again != nil {
		return iso7816.ATR{}, fmt.Errorf("%w; once more: %w", err, again)
	}
	return atr, nil
}

// reset powers the card and reads its answer. A second IccPowerOn while the card has power is a warm reset (section 6.1.1).
// Errors: errRefused for an answer that is none of EMV's, device.ErrMute for none, those of the transport.
func (s *Slot) reset(ctx context.Context, warm bool) (iso7816.ATR, error) {
	const fiveVolts, automatic = 1, 0 // bPowerSelect; every EMV card takes 5 V
	power := byte(fiveVolts)
	if s.features.AutoVoltage {
		power = automatic
	}
	answer, err := s.exchange(ctx, Message{Type: PowerOn, Params: [3]byte{power}}, resetWait)
	refused, ok := errors.AsType[*CommandError](err)
	if ok && (refused.Status.Error == BadATRTS || refused.Status.Error == BadATRTCK) {
		return iso7816.ATR{}, fmt.Errorf("%w: %w", errRefused, err)
	}
	if err != nil {
		return iso7816.ATR{}, err
	}
	atr, err := iso7816.ParseATR(answer.Data)
	if err == nil {
		err = atr.CheckEMV(warm)
	}
	if err != nil {
		return iso7816.ATR{}, fmt.Errorf("%w: %w", errRefused, err)
	}
	return atr, nil
}

// Waiting times. A card at 4 MHz has elementary time units of 93 microseconds; the reader keeps the exact times, these
// only have to be longer.
const (
	resetWait = 2 * time.Second        // up to 20,160 units for all of an answer to reset
	unitWait  = 100 * time.Microsecond // one elementary time unit
)

// setParameters tells a reader the protocol and the times of the card (section 6.1.7): one at TPDU level always, one at APDU
// level that does not find them by itself; that one may refuse, because the protocol is its business.
func (s *Slot) setParameters(ctx context.Context) error {
	convention := byte(0)
	if s.atr.TS == 0x3F {
		convention = 0x02
	}
	m := Message{Type: SetParameters, Params: [3]byte{s.atr.Protocol()}}
	if s.atr.Protocol() == 1 {
		m.Data = []byte{s.atr.Speed(), 0x10 | convention, s.atr.GuardTime(), s.atr.BWI()<<4 | s.atr.CWI(), 0, byte(s.atr.IFSC()), 0}
		// Block waiting time: 2^BWI x 960 x 372/f, which are 960 units at the default speed; then 258 characters in.
		s.wait = (960<<s.atr.BWI() + 258*16) * unitWait
	} else {
		m.Data = []byte{s.atr.Speed(), convention, s.atr.GuardTime(), s.atr.WI(), 0}
		// One work waiting time, 960 x WI units at the default speed, and 263 characters both ways; a card that needs
		// longer sends 60, of which the reader tells us.
		s.wait = (960*time.Duration(s.atr.WI()) + 263*16) * unitWait
	}
	if s.features.Level != TPDU && s.features.AutoParameters {
		return nil
	}
	_, err := s.exchange(ctx, m, 0)
	if refused, ok := errors.AsType[*CommandError](err); ok && s.features.Level != TPDU && refused.Status.ICC == Active {
		return nil
	}
	if err != nil {
		return fmt.Errorf("telling the reader the card's protocol: %w", err)
	}
	return nil
}

// TransmitTPDU carries one TPDU or block to the powered card. It makes Slot an iso7816.TPDU.
func (s *Slot) TransmitTPDU(ctx context.Context, tpdu []byte, waits byte) ([]byte, error) {
	if len(tpdu) > s.features.maxData() {
		return nil, fmt.Errorf("%w: TPDU of %d bytes", device.ErrProtocol, len(tpdu))
	}
	m := Message{Type: XfrBlock, Params: [3]byte{waits}, Data: tpdu}
	answer, err := s.exchange(ctx, m, s.wait*time.Duration(max(waits, 1)))
	if err != nil {
		return nil, err
	}
	if err := s.Gone(); err != nil {
		return nil, err // some readers say so only here, with command status done
	}
	return answer.Data, nil
}

// Gone says why a card that was powered is powered no more: device.ErrRemoved, or device.ErrProtocol when it lost its
// power in the slot; nil while it has it. It does no I/O.
func (s *Slot) Gone() error {
	switch {
	case s.icc == NoICC, s.icc == Inactive && (s.moved || s.features.Untold):
		return device.ErrRemoved
	case s.icc == Inactive:
		return fmt.Errorf("%w: the card has lost its power", device.ErrProtocol)
	}
	return nil
}

// answers is the type of answer to each command (table 6.1-1).
func answers(command byte) byte {
	switch command {
	case PowerOn, XfrBlock, secureMessage:
		return DataBlock
	case SetParameters, GetParameters, ResetParams:
		return Parameters
	case Escape:
		return EscapeAnswer
	}
	return SlotStatus
}

// exchange sends one command and returns its answer: the one with its sequence number and type, or a failure of any
// type. It waits out time extensions, throws away what belongs to older commands, and keeps the slot's state.
func (s *Slot) exchange(ctx context.Context, m Message, wait time.Duration) (Message, error) {
	s.seq++
	m.Seq = s.seq
	if err := s.transport.Send(ctx, m); errors.Is(err, device.ErrUnplugged) {
		return Message{}, err // which command met it is of no interest
	} else if err != nil {
		return Message{}, fmt.Errorf("command %02X: %w", m.Type, err)
	}
	limit, latest := s.patience+wait, time.Now().Add(wait+maxExtended)
	extensions, stale, moves := 0, 0, 0
	out := false // the card's removal was told since the command
	for {
		answer, err := s.receive(ctx, limit)
		if err != nil {
			if errors.Is(err, device.ErrUnplugged) {
				return Message{}, err
			}
			if errors.Is(err, device.ErrTimeout) || ctx.Err() != nil {
				s.abort(ctx, m.Seq)
			}
			if out && errors.Is(err, device.ErrTimeout) {
				return Message{}, fmt.Errorf("command %02X: %w", m.Type, device.ErrRemoved)
			}
			return Message{}, fmt.Errorf("command %02X: %w", m.Type, err)
		}
		if answer.Type == NotifySlotChange {
			s.moved = true
			if moves++; moves > maxMoves { // each would begin the wait anew, and it would never end
				s.abort(ctx, m.Seq)
				return Message{}, fmt.Errorf("command %02X: %w: %d card movements in the middle of it", m.Type, device.ErrTimeout, moves)
			}
			if answer.Params[0]&1 == 0 {
				s.moves++
				s.icc, out = NoICC, true
				limit = graceAfterMove
			}
			continue
		}
		status := answer.Status()
		if answer.Seq != m.Seq || answer.Slot != m.Slot || answer.Type < DataBlock {
			if stale++; stale > maxStale {
				return Message{}, fmt.Errorf("command %02X: %w: %d answers, none to it", m.Type, device.ErrProtocol, stale)
			}
			continue
		}
		if status.Command == TimeExtension {
			if extensions++; extensions > maxExtensions || !time.Now().Before(latest) {
				s.abort(ctx, m.Seq)
				return Message{}, fmt.Errorf("command %02X: %w: %d time extensions", m.Type, device.ErrTimeout, extensions)
			}
			limit = s.patience + min(max(wait, s.wait)*time.Duration(max(status.Error, 1)), time.Until(latest))
			continue
		}
		if status.ICC <= NoICC {
			if s.icc == Active && status.ICC == Inactive && s.moved && m.Type != PowerOff {
				s.moves++ // its removal went unnoticed, its successor's coming did not
			}
			s.icc = status.ICC
		}
		if status.Command != Done {
			return Message{}, &CommandError{m.Type, status, s.moved || s.features.Untold}
		}
		if answer.Type != answers(m.Type) {
			return Message{}, fmt.Errorf("command %02X: %w: answer of type %02X", m.Type, device.ErrProtocol, answer.Type)
		}
		return answer, nil
	}
}

// Aborter is a Transport with a second way to the reader, for what cannot wait: the control pipe of USB.
type Aborter interface {
	// Abort is the class request ABORT for a slot (section 5.3.1). seq is what the Abort message that follows has.
	Abort(ctx context.Context, slot, seq byte) error
}

// abortLimit bounds the ending of a command that was given up.
const abortLimit = time.Second

// abort ends a command that was given up, so that the slot is free for the next (section 5.3.1: the request on the control
// pipe, then the message with the same number, whose answer ends it). It needs a Transport that is an Aborter; without one, and when it fails, the
// answer may still come, and is thrown away then because of its number.
func (s *Slot) abort(ctx context.Context, seq byte) {
	aborter, ok := s.transport.(Aborter)
	if !ok || s.aborting {
		return
	}
	s.aborting = true
	defer func() { s.aborting = false }()
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortLimit)
	defer cancel()
	s.seq = seq + 1
	if aborter.Abort(within, 0, s.seq) != nil {
		return
	}
	s.seq-- // exchange counts it up
	_, _ = s.exchange(within, Message{Type: Abort}, 0)
}

// receive is one message within the limit; device.ErrTimeout when there is none.
func (s *Slot) receive(ctx context.Context, limit time.Duration) (Message, error) {
	within, cancel := context.WithTimeoutCause(ctx, limit, device.ErrTimeout)
	defer cancel()
	m, err := s.transport.Receive(within)
	if err != nil && within.Err() != nil && ctx.Err() == nil {
		return Message{}, fmt.Errorf("%w: no answer from the reader", device.ErrTimeout)
	}
	return m, err
}
