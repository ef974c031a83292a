package iso8583

import (
	"errors"
	"fmt"
)

// What an *Error unwraps to.
var (
	ErrMalformed = errors.New("malformed message")            // bytes from outside make no sense
	ErrValue     = errors.New("value does not fit its field") // what was to be packed
)

// Error says which field was refused and why: numbers and lengths, never contents. Field 0 is the MTI, 1 the bitmap, and
// -1 the frame as a whole.
type Error struct {
	Field  int
	Reason string
	Err    error // ErrMalformed or ErrValue
}

func (e *Error) Error() string {
	switch e.Field {
	case -1:
		return fmt.Sprintf("%v: %s", e.Err, e.Reason)
	case 0:
		return fmt.Sprintf("%v: message type: %s", e.Err, e.Reason)
	case 1:
		return fmt.Sprintf("%v: bitmap: %s", e.Err, e.Reason)
	}
	return fmt.Sprintf("%v: field %d: %s", e.Err, e.Field, e.Reason)
}

// Unwrap gives ErrMalformed or ErrValue.
func (e *Error) Unwrap() error { return e.Err }

func malformed(field int, format string, args ...any) *Error {
	return &Error{Field: field, Reason: fmt.Sprintf(format, args...), Err: ErrMalformed}
}

func misfit(field int, format string, args ...any) *Error {
	return &Error{Field: field, Reason: fmt.Sprintf(format, args...), Err: ErrValue}
}

// reason is an encoder's or prefixer's complaint, before the field it belongs to is known.
type reason string

func (r reason) Error() string { return string(r) }

func because(format string, args ...any) error { return reason(fmt.Sprintf(format, args...)) }
