package ccid

import "fmt"

// ICC is bmICCStatus: what is in the slot (section 6.2.6).
type ICC byte

// The states of the slot.
const (
	Active   ICC = 0 // a card, powered
	Inactive ICC = 1 // a card, without power
	NoICC    ICC = 2 // no card
)

// Command is bmCommandStatus: what became of the command (section 6.2.6).
type Command byte

// The fates of a command.
const (
	Done          Command = 0
	Failed        Command = 1 // bError says why
	TimeExtension Command = 2 // bError multiplies the waiting time; the answer is still to come
)

// Status is what every message from the reader says besides its data.
type Status struct {
	ICC     ICC
	Command Command
	Error   byte // bError: the reason, the multiplier, or the offset of the byte that was refused
}

// Status decodes bStatus and bError of a message from the reader.
func (m Message) Status() Status {
	return Status{ICC: ICC(m.Params[0] & 3), Command: Command(m.Params[0] >> 6), Error: m.Params[1]}
}

// Params encodes the status as the first two parameter bytes of a message from the reader, last is the third.
func (s Status) Params(last byte) [3]byte {
	return [3]byte{byte(s.ICC)&3 | byte(s.Command)<<6, s.Error, last}
}

// Reasons of failure in bError (section 6.2.6, table 6.2-2). Below 0x80 they are the offset of a refused byte.
const (
	CmdAborted        byte = 0xFF
	ICCMute           byte = 0xFE
	XfrParityError    byte = 0xFD
	XfrOverrun        byte = 0xFC
	HWError           byte = 0xFB
	BadATRTS          byte = 0xF8
	BadATRTCK         byte = 0xF7
	ProtocolUnknown   byte = 0xF6
	ClassUnknown      byte = 0xF5
	ProcedureConflict byte = 0xF4
	Deactivated       byte = 0xF3
	BusyAutoSequence  byte = 0xF2
	PINTimeout        byte = 0xF0
	PINCancelled      byte = 0xEF
	SlotBusy          byte = 0xE0
	Unsupported       byte = 0x00
)

// reasons are the words for bError in errors.
var reasons = [...]struct {
	code byte
	text string
}{
	{CmdAborted, "command aborted"},
	{ICCMute, "card mute"},
	{XfrParityError, "parity error"},
	{XfrOverrun, "overrun"},
	{HWError, "hardware error"},
	{BadATRTS, "answer to reset with a wrong TS"},
	{BadATRTCK, "answer to reset with a wrong TCK"},
	{ProtocolUnknown, "card's protocol not supported"},
	{ClassUnknown, "card's class not supported"},
	{ProcedureConflict, "conflict in a procedure byte"},
	{Deactivated, "protocol deactivated"},
	{BusyAutoSequence, "busy with its automatic sequence"},
	{PINTimeout, "PIN entry timed out"},
	{PINCancelled, "PIN entry cancelled"},
	{SlotBusy, "slot busy"},
	{Unsupported, "command not supported"},
}

// reason names a bError.
func reason(code byte) string {
	for _, r := range reasons {
		if r.code == code {
			return r.text
		}
	}
	if code < 0x80 {
		return fmt.Sprintf("byte %d of the command refused", code)
	}
	return fmt.Sprintf("reason %02X", code)
}
