package iso7816

import (
	"context"
	"errors"
)

// TPDU is a reader that carries protocol data units to a powered card.
type TPDU interface {
	// TransmitTPDU sends one T=0 TPDU (header of five bytes, data) or one T=1 block and returns the card's answer:
	// data and SW1 SW2, or one block, not yet checked. For T=1, waits multiplies the block waiting time of this one
	// exchange (0 and 1 are the same). The answer is the caller's. Errors are those of device.Card.
	TransmitTPDU(ctx context.Context, tpdu []byte, waits byte) ([]byte, error)
}

// ErrCommand says that a command APDU is malformed: the caller's mistake, nothing was sent.
var ErrCommand = errors.New("malformed command APDU")

// MaxResponse is the longest response to a short command APDU (ISO/IEC 7816-4): 256 bytes of data, and SW1 SW2.
const MaxResponse = 258

// Case tells which of the four cases a short command APDU is (ISO/IEC 7816-3, 12.1.3), 0 for none of them.
func Case(command []byte) int {
	switch n := len(command); {
	case n == 4:
		return 1
	case n == 5:
		return 2
	case n > 5 && command[4] != 0 && n == 5+int(command[4]):
		return 3
	case n > 5 && command[4] != 0 && n == 6+int(command[4]):
		return 4
	}
	return 0
}
