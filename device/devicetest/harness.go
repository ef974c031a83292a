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
	Stalled     Fault = "stalled"      // the reader asks for more time, again and again (250 times), and never answers
	BadChecksum Fault = "bad checksum" // the answer arrives with one byte changed
	Parity      Fault = "parity"       // the reader reports that the card's characters arrived damaged
	ShortFrame  Fault = "short frame"  // the answer breaks off in its middle and never goes on
	Garbage     Fault = "garbage"      // bytes that belong to no frame stand before the answer
	Stale       Fault = "stale answer" // the answer to an older command stands before the answer
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

// Limits is what a wire, or the reader at its end, does not have.
type Limits struct {
	// APDU says that the reader takes whole APDUs: exchanges are counted in them, and the blocks of T=1, with their
	// repetition, are the reader's business. A fault in an exchange then ends a T=1 card as it ends a T=0 card.
	APDU bool

	// Faults are those that cannot happen here, each with the reason. Mute, Lost, Removed and Unplugged happen everywhere.
	Faults map[Fault]string

	// Resets is why the driver has no say in how a card is reset, or does not see what it answers; empty where it has.
	Resets string
}

// Limited is a Harness whose wire has limits. What the suite leaves out because of them it names in its output.
type Limited interface {
	Harness
	Limits() Limits
}

// everywhere are the faults that no wire may leave out.
func everywhere() []Fault { return []Fault{Mute, Lost, Removed, Unplugged} }
