package emulator

import "time"

// Hand is the customer's: what happens to the card without anybody's command.
type Hand struct {
	// TakeOut is how long after a card that a terminal has powered, or tried to, lost its power the card is taken out, whether the
	// terminal took the power off or something went wrong: whoever is asked to take a card out does. 0: never.
	TakeOut time.Duration
	// PutBack is how long after it was taken out, or left the slot by itself, the card is put back, counted from when the
	// terminal has been told that the slot is empty: nobody swaps a card between two looks of a reader. 0: never.
	PutBack time.Duration
}

// StillHand leaves the card where it is.
func StillHand() Hand { return Hand{} }

// AutoHand takes the card out when a sale is over and puts it back, so that one sale can follow the other.
func AutoHand() Hand { return Hand{TakeOut: 300 * time.Millisecond, PutBack: time.Second} }
