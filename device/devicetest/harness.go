// Package devicetest is the conformance suite that every reader driver passes: one call of Run in the driver's tests,
// with the emulated reader at the other end of its wire.
//
// It holds no emulator: whoever calls Run brings one that fulfils Harness.
package devicetest

// Fault is one way in which card, reader or wire misbehave, once.
type Fault string

// The faults. Each happens in place of, or on top of, one answer.
const (
	Mute        Fault = "mute"         // the card does not answer; the reader reports it
	Slow        Fault = "slow"         // the reader asks for more time, then answers
	BadChecksum Fault = "bad checksum" // the answer arrives with one byte changed
	ShortFrame  Fault = "short frame"  // the answer breaks off in its middle and never goes on
	Garbage     Fault = "garbage"      // bytes that belong to no frame stand before the answer
	Lost        Fault = "lost"         // the answer never arrives
	Refused     Fault = "refused"      // the reader did not understand the command and asks for it again (NAK)
	Reset       Fault = "reset"        // the reader restarts: the card has lost its power, the command is lost
	Removed     Fault = "removed"      // the card leaves the slot instead of answering
	Unplugged   Fault = "unplugged"    // the reader leaves the machine instead of answering; Replug brings it back
)

// Harness is the emulated reader, driven by the suite. Its methods may be called at any time from any goroutine and
// return when the thing has happened.
type Harness interface {
	// Insert puts a card into the slot. answer gives the response APDU (data and SW1 SW2) to each command APDU; the
	// harness speaks the protocol that the ATR offers first, at the level of the emulated reader. In T=0 the card does
	// not see the Le of a command with data. Without an ATR the card never answers to reset.
	Insert(atr []byte, answer func(command []byte) []byte)

	// InsertWarm is Insert with a card that answers its warm resets, those while it has power, otherwise than the cold ones.
	InsertWarm(cold, warm []byte, answer func(command []byte) []byte)

	// Remove takes the card out; nothing happens when there is none.
	Remove()

	// Fault arms one fault for the card that is in the slot, or for the next one when the slot is empty. Exchanges are
	// counted from the card's insertion: 0 is the first answer to reset, n the n-th TPDU or T=1 block that the reader
	// carries to the card. It happens once; what the card had carried out by then stays carried out.
	Fault(kind Fault, exchange int)

	// Unplug takes the reader off the machine (its port disappears); Replug brings it back, working, at the same name.
	// The card stays in its slot, without power.
	Unplug()
	Replug()
}
