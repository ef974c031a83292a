package escpos

import (
	"context"
	"errors"

	"tillway/device"
	"tillway/device/usb"
)

// Questions are what a printer answers at once, one byte each, whatever keeps it from printing (DLE EOT 1 to 4). Nothing is printed.
func Questions() [][]byte {
	var all [][]byte
	for n := byte(1); n <= 4; n++ {
		all = append(all, askNow(n))
	}
	return all
}

// Answered says that what a line brought is a printer's answers to all Questions in turn, and the state that they tell. Reports that the
// printer made by itself may stand between them; anything else is no printer's, or came at another speed.
func Answered(heard []byte) (state State, ok bool) {
	var d decoder
	answers, known := byte(0), 0
	d.feed(heard, func(m message) {
		switch m.kind {
		case immediate:
			answers++
			state = state.now(answers, m.data[0])
			known++
		case automatic:
			known += len(m.data)
		case inTurn, block: // nobody asked for these
		}
	})
	state.Connected = true
	return state, answers == 4 && known == len(heard)
}

// Ask opens a printer's port, asks all Questions and closes it again. It says what was heard, and whether that is a printer's; nothing
// heard is no error. Errors are those of opening: device.ErrUnplugged, ErrPermission, ErrBusy, ErrProtocol, or the context's.
func Ask(ctx context.Context, cfg Config) (heard []byte, state State, known bool, err error) {
	open := New(cfg).cfg.Open
	line, err := open(ctx)
	if err != nil {
		return nil, state, false, device.Called(what, err)
	}
	defer func() { err = errors.Join(err, line.Close()) }()
	for _, q := range Questions() {
		before := len(heard)
		within, stop := context.WithTimeout(ctx, answerWithin)
		err := line.Write(within, q)
		for err == nil && len(heard) == before {
			b := make([]byte, maxReadAtOnce)
			var n int
			n, err = line.Read(within, b)
			heard = append(heard, b[:n]...)
		}
		stop()
		switch {
		case ctx.Err() != nil:
			return heard, state, false, ctx.Err()
		case err != nil && len(heard) == 0, len(heard) > maxBlock:
			return heard, state, false, nil
		}
	}
	state, known = Answered(heard)
	return heard, state, known, nil
}

// IsPrinter says that a device on USB says of itself that it is a printer, or is one that is set to its maker's own class.
func IsPrinter(d usb.Info) bool { return isPrinter(d, usb.ID{}) }
