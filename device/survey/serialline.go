package survey

import (
	"context"
	"errors"
	"slices"

	"tillway/device/escpos"
	"tillway/device/gempc"
	"tillway/device/pinpad"
	"tillway/device/serial"
	"tillway/terminal/selftest"
)

// A tongue is what one kind of device speaks on a serial line: what it is asked, and how its answer is known.
type tongue struct {
	kind      Kind
	name      string // of the device, for people
	mode      serial.Mode
	questions [][]byte
	known     func(heard []byte) (seen string, ok bool)
	after     []byte // makes good what other devices' questions may have left in it; nil: nothing
}

// tongues are all that a serial line may have at its end.
func tongues() []tongue {
	return []tongue{
		{
			kind: Reader, name: "a card reader (GemPC Twin)", mode: serial.Mode{Baud: 115200, StopBits: 2, DTR: true}, questions: [][]byte{gempc.Question()},
			known: func(heard []byte) (string, bool) {
				version, ok := gempc.Answered(heard)
				return "GemPC Twin " + version, ok
			},
		},
		{
			kind: Pad, name: "a PIN pad", mode: serial.Mode{Baud: 115200, StopBits: 1, RTS: true, DTR: true}, questions: [][]byte{pinpad.Question()},
			known: func(heard []byte) (string, bool) { return "a PIN pad", pinpad.Answered(heard) },
		},
		{
			kind: Printer, name: "a receipt printer", mode: serial.Mode{Baud: escpos.DefaultBaud, StopBits: 1, RTS: true, DTR: true}, questions: escpos.Questions(),
			known: func(heard []byte) (string, bool) {
				_, ok := escpos.Answered(heard)
				return "a receipt printer", ok
			},
			after: []byte{0x1B, '@'}, // ESC @: what is in its line buffer is forgotten
		},
	}
}

// speeds are those that serial printers and readers are set to, the likeliest first.
var speeds = []int{115200, 38400, 19200, 9600, 57600, 4800}

// fixedSpeeds are asked of a device whose speed is its maker's choice: somebody may have changed it all the same.
var fixedSpeeds = []int{9600, 38400}

// maxHeard bounds what is read for one question.
const maxHeard = 1024

// ask opens a port at a speed, asks one tongue's questions and says what came. Nothing is no error.
func (m Machine) ask(ctx context.Context, port string, t tongue) (heard []byte, seen string, known bool, err error) {
	line, err := serial.Open(port, t.mode)
	if err != nil {
		return nil, "", false, err
	}
	defer func() { err = errors.Join(err, line.Close()) }()
	for _, q := range t.questions {
		within, stop := context.WithTimeout(ctx, m.answerWait())
		err := line.Write(within, q)
		for size := len(heard); err == nil && len(heard) < maxHeard; {
			b := make([]byte, 256)
			var n int
			n, err = line.Read(within, b)
			heard = append(heard, b[:n]...)
			if seen, known = t.known(heard); known || len(t.questions) > 1 && len(heard) > size {
				break // a question of several has its answer
			}
		}
		stop()
		switch {
		case known || ctx.Err() != nil:
		case err != nil && within.Err() == nil:
			return heard, "", false, err
		case len(heard) == 0:
			return nil, "", false, nil // who does not answer the first question answers none
		}
		if known {
			break
		}
	}
	if known && t.after != nil {
		if err := line.Write(ctx, t.after); err != nil {
			return heard, seen, known, err
		}
	}
	return heard, seen, known, ctx.Err()
}

// examineSerial opens a serial port and finds out who is there. The meant device is asked first, and at its own speed; where it does not
// answer, it is asked at others, and then the other devices.
func (m Machine) examineSerial(ctx context.Context, p Place) selftest.Finding {
	all := tongues()
	at := slices.IndexFunc(all, func(t tongue) bool { return t.kind == p.Kind })
	meant := all[at]
	if p.Baud != 0 {
		meant.mode.Baud = p.Baud
	}
	heard, seen, known, err := m.ask(ctx, p.Port, meant)
	switch {
	case err != nil:
		return m.Explain(p, err)
	case known:
		return p.good("%s answers at %d baud", seen, meant.mode.Baud)
	}
	noise := len(heard)
	others := speeds
	if p.Kind != Printer {
		others = fixedSpeeds
	}
	for _, baud := range others {
		other := meant
		if other.mode.Baud = baud; baud == meant.mode.Baud {
			continue
		}
		heard, _, known, err := m.ask(ctx, p.Port, other)
		noise += len(heard)
		switch {
		case err != nil:
			return m.Explain(p, err)
		case known && p.Kind == Printer:
			return p.bad("wrong_speed", "the receipt printer on %s speaks at %d baud, and is asked at %d", p.Port, baud, meant.mode.Baud).
				Do("Write baud = " + itoa(baud) + " into [printer].")
		case known:
			return p.bad("wrong_speed", "the %s on %s speaks at %d baud, and its driver at %d", p.Kind.name(), p.Port, baud, meant.mode.Baud)
		}
	}
	for _, other := range all {
		if other.kind == p.Kind {
			continue
		}
		for _, baud := range slices.Compact(append([]int{other.mode.Baud}, speeds...)) {
			if baud != other.mode.Baud && other.kind != Printer {
				continue // only printers are set to another speed
			}
			one := other
			one.mode.Baud = baud
			heard, _, known, err := m.ask(ctx, p.Port, one)
			noise += len(heard)
			switch {
			case err != nil:
				return m.Explain(p, err)
			case known:
				return p.bad("wrong_device", "%s is on %s, where a %s should be", one.name, p.Port, p.Kind.name())
			}
		}
	}
	if noise > 0 {
		return p.bad("wrong_device", "something answers on %s, and it speaks as neither card reader nor PIN pad nor receipt printer does", p.Port)
	}
	return p.bad("silent", "nothing answers on %s at any speed", p.Port)
}
