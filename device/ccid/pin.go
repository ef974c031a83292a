package ccid

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"tillway/device"
	"tillway/device/iso7816"
)

// ErrNoPINPad says that a reader takes no PIN on keys of its own, or none for this card.
var ErrNoPINPad = errors.New("reader has no keys for a PIN that this card could be asked for")

// PINEntry is how a cardholder is to be asked for a PIN on the reader's own keys.
type PINEntry struct {
	Least, Most int           // digits, 4 to 12 (Book 3, 6.5.12)
	Timeout     time.Duration // for the entry; 1 to 255 s
}

// PINVerifier is a card, as device.Card, behind a reader with keys. The PIN goes from the keys to the card and never
// through this program.
type PINVerifier interface {
	// VerifyPIN has the reader ask for a PIN and send it to the card in VERIFY as a plaintext PIN block (Book 3, 6.5.12). It
	// returns the card's status. Errors: ErrPINEntry, ErrNoPINPad, ErrPINCancelled, ErrPINTimeout, those of device.Card.
	VerifyPIN(ctx context.Context, entry PINEntry) (sw [2]byte, err error)
}

// How a PIN entry ends without a PIN.
var (
	ErrPINEntry     = errors.New("no such PIN entry: 4 to 12 digits, in 1 to 255 seconds") // the caller's mistake: nothing was sent
	ErrPINCancelled = errors.New("PIN entry cancelled")
	ErrPINTimeout   = errors.New("PIN entry timed out")
)

// secureMessage is PC_to_RDR_Secure (section 6.1.11).
const secureMessage byte = 0x69

// VerifyPIN is PINVerifier's.
func (c *card) VerifyPIN(ctx context.Context, entry PINEntry) (sw [2]byte, err error) {
	if entry.Least < 4 || entry.Most > 12 || entry.Least > entry.Most || entry.Timeout < time.Second || entry.Timeout > 255*time.Second {
		return sw, fmt.Errorf("%w: %d to %d digits in %v", ErrPINEntry, entry.Least, entry.Most, entry.Timeout)
	}
	err = c.reader.call(ctx, func(ctx context.Context) (err error) {
		o := &c.reader.owner
		if o.card != c {
			return c.ended
		}
		if _, blocks := c.protocol.(*iso7816.T1); blocks || !o.slot.features.PINPad {
			return ErrNoPINPad // in T=1 at TPDU level the reader would have to know our block numbers
		}
		sw, err = o.slot.verifyPIN(ctx, entry)
		if err == nil || errors.Is(err, ErrPINCancelled) || errors.Is(err, ErrPINTimeout) {
			return err
		}
		return o.lost(ctx, err)
	})
	return sw, err
}

// verifyPIN sends the PIN verification data structure (section 6.1.11) with a command whose PIN block the reader fills in:
// length in four bits, digits in four bits each, FF behind.
func (s *Slot) verifyPIN(ctx context.Context, entry PINEntry) (sw [2]byte, err error) {
	const (
		verification   = 0x00
		digitsOfFour   = 0x89 // bmFormatString: system units of bytes, block at byte 1, left, BCD
		eightWithNibb  = 0x47 // bmPINBlockString: length of four bits, block of seven bytes behind it
		lengthAtFour   = 0x04 // bmPINLengthFormat: length at bit 4
		whenConfirmed  = 0x02 // bEntryValidationCondition: the key OK
		oneMessage     = 0x01
		englishUS      = 0x0409
		pinBlockLength = 8
	)
	b := []byte{verification, byte(entry.Timeout / time.Second), digitsOfFour, eightWithNibb, lengthAtFour}
	b = append(b, byte(entry.Most), byte(entry.Least), whenConfirmed, oneMessage)
	b = binary.LittleEndian.AppendUint16(b, englishUS)
	b = append(b, 0, 0, 0, 0) // bMsgIndex; bTeoPrologue, for T=1 at TPDU level alone
	b = append(b, 0x00, 0x20, 0x00, 0x80, pinBlockLength, 0x20, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF)
	answer, err := s.exchange(ctx, Message{Type: secureMessage, Data: b}, entry.Timeout+s.wait)
	if failed, ok := errors.AsType[*CommandError](err); ok {
		switch failed.Status.Error {
		case PINCancelled:
			return sw, ErrPINCancelled
		case PINTimeout:
			return sw, ErrPINTimeout
		}
	}
	if err == nil {
		err = s.Gone()
	}
	if err != nil {
		return sw, err
	}
	if len(answer.Data) != len(sw) {
		return sw, fmt.Errorf("%w: answer of %d bytes to a PIN", device.ErrProtocol, len(answer.Data))
	}
	return [2]byte(answer.Data), nil
}
