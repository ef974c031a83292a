package emv

import (
	"errors"
	"fmt"
)

// What a card's status words mean, as far as a kernel acts on them. A *StatusError unwraps to one of these.
var (
	ErrBlocked         = errors.New("application or file blocked")          // 6283
	ErrCardBlocked     = errors.New("card blocked, or command not offered") // 6A81
	ErrNotFound        = errors.New("file or application not found")        // 6A82
	ErrRecordNotFound  = errors.New("record not found")                     // 6A83
	ErrDataNotFound    = errors.New("data object not found")                // 6A88
	ErrConditions      = errors.New("conditions of use not satisfied")      // 6985
	ErrAuthentication  = errors.New("authentication failed")                // 6300
	ErrMethodBlocked   = errors.New("authentication method blocked")        // 6983
	ErrDataInvalidated = errors.New("referenced data invalidated")          // 6984
	ErrLength          = errors.New("wrong length")                         // 6700
	ErrStatus          = errors.New("status not expected")                  // every other one
)

// ErrShortResponse is a response without a status: less than two bytes.
var ErrShortResponse = errors.New("card's response has no status")

// StatusError is a card's answer other than 9000. It unwraps to what callers test for (Book 1, 11; Book 3, 6.3.5).
type StatusError struct{ SW1, SW2 byte }

var statuses = []struct {
	sw1, sw2 byte
	means    error
}{
	{0x62, 0x83, ErrBlocked},
	{0x63, 0x00, ErrAuthentication},
	{0x67, 0x00, ErrLength},
	{0x69, 0x83, ErrMethodBlocked},
	{0x69, 0x84, ErrDataInvalidated},
	{0x69, 0x85, ErrConditions},
	{0x6A, 0x81, ErrCardBlocked},
	{0x6A, 0x82, ErrNotFound},
	{0x6A, 0x83, ErrRecordNotFound},
	{0x6A, 0x88, ErrDataNotFound},
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("card answered %02X%02X: %v", e.SW1, e.SW2, e.Unwrap())
}

// Unwrap is the meaning of the status words, ErrStatus where they have none for a kernel.
func (e *StatusError) Unwrap() error {
	for _, s := range statuses {
		if s.sw1 == e.SW1 && s.sw2 == e.SW2 {
			return s.means
		}
	}
	return ErrStatus
}

// Warning says that the command was carried out all the same: 62xx and 63xx (ISO/IEC 7816-4, 5.6).
func (e *StatusError) Warning() bool { return e.SW1 == 0x62 || e.SW1 == 0x63 }

// SplitResponse takes a response apart: its data, and nil for 9000 or a *StatusError for anything else (the data is there
// then too). ErrShortResponse when there is no status.
func SplitResponse(response []byte) (data []byte, err error) {
	n := len(response) - 2
	if n < 0 {
		return nil, ErrShortResponse
	}
	if sw1, sw2 := response[n], response[n+1]; sw1 != 0x90 || sw2 != 0 {
		return response[:n], &StatusError{sw1, sw2}
	}
	return response[:n], nil
}
