package terminal

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"tillway/emv"
	"tillway/money"
)

// PINAsk is one PIN that a pad is to take, for the host or for the card. What comes back is enciphered: for the host under a
// key that the pad owns, for the card under the card's own.
type PINAsk struct {
	PAN      emv.PAN              // of a PIN for the host: binds the block to the account
	Card     *emv.PINEncipherment // set: the PIN is for the card (Book 2, 7.2), and the block is the data of its VERIFY
	Amount   money.Amount
	Language string // the card's languages, two letters each, the best first (tag 5F2D); may be empty
	Retry    bool   // the PIN before, of the same card, was wrong
	Tries    int    // tries left; below 0: not known
	Bypass   bool   // the customer may leave it out
	Timeout  time.Duration

	// Progress is told how many digits are entered, never which. It does not block.
	Progress func(digits int)
}

// PINEnd is how an entry ended.
type PINEnd string

// The ends of an entry.
const (
	PINEntered   PINEnd = "entered"
	PINBypassed  PINEnd = "bypassed"
	PINCancelled PINEnd = "cancelled"
	PINTimedOut  PINEnd = "timed out"
)

// PINBlock is an enciphered PIN and the serial number of the key that it is under. It lives in memory and in the sealed
// request until the answer, never in a reversal, and shows nothing of itself.
type PINBlock struct {
	Block  []byte // 8 bytes, or 16 in format 4; as long as the card's key where the PIN is for the card
	KSN    []byte // 10 bytes (TDES) or 12 (AES); nil under a session key
	Layout byte   // ISO 9564 format: 0, 3 or 4; of a block for the host
}

// IsZero says that there is no PIN block.
func (b PINBlock) IsZero() bool { return len(b.Block) == 0 }

// CheckPIN holds a request to its PIN: there is a block where the cardholder was verified by it and nowhere else, of the
// acquirer's length (8 bytes, or 16 in format 4) and in a format for hosts.
func (r Request) CheckPIN(blockBytes int) error {
	switch verified := r.Method == emv.OnlinePIN; {
	case !verified && r.PIN.IsZero():
		return nil
	case verified != !r.PIN.IsZero():
		return errors.New("online PIN without a PIN block, or a PIN block without online PIN")
	case len(r.PIN.Block) != blockBytes || (r.PIN.Layout == 4) != (blockBytes == 16):
		return fmt.Errorf("DE 52: PIN block of %d bytes in format %d, the settings have %d bytes", len(r.PIN.Block), r.PIN.Layout, blockBytes)
	case r.PIN.Layout != 0 && r.PIN.Layout != 3 && r.PIN.Layout != 4: // format 1 binds to no card, format 2 is for the card
		return fmt.Errorf("DE 52: format %d goes to no host", r.PIN.Layout)
	}
	return nil
}

func (b PINBlock) String() string {
	if b.IsZero() {
		return "no PIN block"
	}
	return "PIN block"
}

// GoString shows nothing.
func (b PINBlock) GoString() string { return b.String() }

// Format shows nothing under every verb.
func (b PINBlock) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(b.String())) }

// LogValue shows nothing.
func (b PINBlock) LogValue() slog.Value { return slog.StringValue(b.String()) }

// MarshalText writes nothing of it.
func (b PINBlock) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// MACKey is the right to use one MAC key for one message and its answer. What it names stays in the secure module.
type MACKey struct {
	ID  uint64
	KSN []byte // nil under a session key
}

// Authentication is what an answer's MAC is about: the bytes of the wire that it is over, and what the answer says of
// itself, which nobody believes before the MAC has been verified.
type Authentication struct {
	Data, MAC []byte
	Stray     Stray // for the journal, where the MAC is wrong
}
