package emulator

import "fmt"

// watch is a chip whose exchanges are told to somebody.
type watch struct {
	Chip
	tell func(line string)
}

func (w watch) Transmit(apdu []byte) []byte {
	answer := w.Chip.Transmit(apdu)
	line := Describe(apdu, answer)
	if answer == nil && w.Left() {
		line += ", left the slot"
	}
	w.tell(line)
	return answer
}

// Describe is one exchange for a log. Records, which hold account number and track, and what is sent to be verified are
// shown by their length only.
func Describe(apdu, answer []byte) string {
	command := fmt.Sprintf("%X", apdu)
	hidden := len(apdu) < 4
	if len(apdu) >= 2 {
		hidden = apdu[1] == insReadRecord
		if apdu[1] == insVerify {
			command = fmt.Sprintf("%X… (%d bytes)", apdu[:min(5, len(apdu))], len(apdu))
		}
	}
	switch {
	case answer == nil:
		return "> " + command + " < no answer"
	case hidden && len(answer) > 2:
		return fmt.Sprintf("> %s < (%d bytes) %X", command, len(answer)-2, answer[len(answer)-2:])
	}
	return fmt.Sprintf("> %s < %X", command, answer)
}

// resetLine is an answer to reset for a log.
func resetLine(atr []byte) string { return fmt.Sprintf("reset, ATR %X", atr) }
