package device

import (
	"errors"
	"strings"
)

// Called is err of a device that is no reader: where the sentence of ErrUnplugged, ErrBusy or ErrPermission begins it, name stands in place of
// "reader", so that whoever reads it looks at the right cable. errors.Is finds what it found before; nil stays nil.
func Called(name string, err error) error {
	if err == nil {
		return nil
	}
	for _, e := range []error{ErrUnplugged, ErrBusy, ErrPermission} {
		if rest, ok := strings.CutPrefix(err.Error(), e.Error()); ok && errors.Is(err, e) {
			return called{err, strings.Replace(e.Error(), "reader", name, 1) + rest}
		}
	}
	return err
}

type called struct {
	error
	text string
}

func (c called) Error() string { return c.text }
func (c called) Unwrap() error { return c.error }
