package ccid

// Level is what a reader takes in one XfrBlock (section 5.1, dwFeatures bits 16 to 18).
type Level uint8

// The levels.
const (
	TPDU         Level = iota // one T=0 TPDU or T=1 block
	ShortAPDU                 // one short APDU: protocol, GET RESPONSE and blocks are the reader's business
	ExtendedAPDU              // one short or extended APDU, in several messages if need be
)

func (l Level) String() string { return [...]string{"TPDU", "short APDU", "extended APDU"}[l%3] }

// Features is what a reader does by itself, and what it can take. The zero value is a reader at TPDU level that takes
// messages of MaxMessage bytes and gives a card 5 V.
type Features struct {
	Level          Level
	AutoVoltage    bool // it chooses the card's voltage
	AutoParameters bool // it sets protocol and speed by itself after a reset
	MaxMessage     int  // longest message it takes, header included; 0 is MaxMessage
	Untold         bool // movements are told late or never: a card that is found without its power has been taken out
	PINPad         bool // it takes a PIN on keys of its own (PC_to_RDR_Secure, PIN verification)
}

// maxData is how many bytes one XfrBlock may carry.
func (f Features) maxData() int {
	if f.MaxMessage == 0 {
		return MaxData
	}
	return min(f.MaxMessage, MaxMessage) - HeaderLength
}
