// Package device holds the words that every reader driver and its callers share: Reader, Presented, Card, Technology,
// Status and the errors. It drives nothing itself; the drivers are the folders below it.
package device

import (
	"context"
	"errors"
	"time"

	"tillway/device/magstripe"
)

// Technology is the way a card is read.
type Technology uint8

// The technologies. Contactless is not driven yet.
const (
	Contact     Technology = iota + 1 // ISO/IEC 7816-3 chip, inserted
	Contactless                       // ISO/IEC 14443 chip, tapped
	MagStripe                         // ISO/IEC 7813 tracks, swiped
)

func (t Technology) String() string {
	switch t {
	case Contact:
		return "contact"
	case Contactless:
		return "contactless"
	case MagStripe:
		return "magstripe"
	}
	return "unknown"
}

// What can go wrong between terminal, reader and card. Drivers wrap these with what was being done; callers test with
// errors.Is. ErrRemoved, ErrMute, ErrTimeout, ErrProtocol and ErrMisread are the card's; the others are the reader's.
var (
	ErrRemoved    = errors.New("card removed")
	ErrMute       = errors.New("card does not answer: wrong way round, or damaged")
	ErrTimeout    = errors.New("card or reader did not answer in time")
	ErrProtocol   = errors.New("card or reader broke the protocol")
	ErrMisread    = errors.New("stripe could not be read")
	ErrUnplugged  = errors.New("reader unplugged")
	ErrBusy       = errors.New("reader held by another program")
	ErrPermission = errors.New("no permission to open the reader")
	ErrClosed     = errors.New("reader closed")
)

// Card is a powered card. It satisfies emv.Card.
type Card interface {
	// Transmit sends one command APDU (ISO/IEC 7816-4, short form, at most 261 bytes) and returns the response data
	// followed by SW1 SW2, at least 2 and at most 258 bytes. GET RESPONSE and 6Cxx are the driver's business and never
	// seen here. Errors: ErrRemoved, ErrMute, ErrTimeout, ErrProtocol, ErrUnplugged, or the context's.
	Transmit(ctx context.Context, command []byte) (response []byte, err error)
}

// Presented is one card that a cardholder offered.
type Presented struct {
	Technology Technology
	ATR        []byte          // answer to reset, 2 to 33 bytes; contact only
	Card       Card            // valid until Release, the next Present, or an error that ends it; none of a stripe
	Stripe     magstripe.Swipe // the tracks, checked for themselves; stripe only
	Clear      bool            // the reader sent the tracks in clear: a test; stripe only
}

// Condition says in one word how a reader is.
type Condition string

// The conditions, worst first.
const (
	Absent     Condition = "absent"     // not there: unplugged, no such port, no permission
	NoCard     Condition = "no card"    // working, slot empty
	CardIn     Condition = "card in"    // working, a card in the slot
	CardFailed Condition = "card fault" // working, a card in the slot that cannot be used
)

// Status is a reader's condition and, when something is wrong, the cause and the fix in one sentence.
type Status struct {
	Condition Condition
	Cause     string
}

// Reader is one reader with one slot. One goroutine at a time calls Present, AwaitRemoval and Release; Status may be
// called from any. A reader recovers by itself when it is plugged in again: no new Reader is needed.
type Reader interface {
	// Name tells a technician which reader this is: driver, port and, once read, the firmware version.
	Name() string

	// Status is the last known condition; it does no I/O.
	Status() Status

	// Present waits until a card is in the slot, powers it and returns it. It returns ErrMute for a card that does not
	// answer to reset (the caller may ask for it again), ErrMisread for a pass of a stripe that gave no track 2, and the
	// context's error when that ends. While the reader is unplugged it keeps waiting for it: Status says why.
	Present(ctx context.Context) (Presented, error)

	// AwaitRemoval returns nil once the slot is empty (at once if it is), or the context's error. An unplugged reader
	// has an empty slot, and so has one for stripes.
	AwaitRemoval(ctx context.Context) error

	// Release takes the power off the card; the card stays in the slot. Without a powered card it does nothing.
	Release(ctx context.Context) error

	// Close frees the port; every later call returns ErrClosed. It waits for the driver's goroutines.
	Close() error
}

// Await waits for a change, for at, or for what ends it: the context (its error), or the life of a driver that Close ends (ErrClosed). It is for
// drivers whose goroutine closes changed when something has.
func Await(ctx, life context.Context, changed <-chan struct{}, at <-chan time.Time) error {
	select {
	case <-changed:
		return nil
	case <-at:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-life.Done():
		return ErrClosed
	}
}
