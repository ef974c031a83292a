package transcript

import (
	"bytes"
	"context"
	"errors"
	"fmt"
)

// What a player refuses.
var (
	// ErrUnexpected is a command that the transcript does not have at this point.
	ErrUnexpected = errors.New("command not in the transcript")

	// ErrLeftover is what Close returns when exchanges were not used.
	ErrLeftover = errors.New("exchanges left over")
)

// Player is a card that answers out of a transcript. One goroutine uses it.
type Player struct {
	exchanges []Exchange
	used      []bool
	cursor    int // the exchange after the last one used in order
	lenient   bool
	failed    error

	last    []byte // of a session: the command that got no answer; nil: there was none, or it came
	failure error  // how the session failed; nil: it did not
}

// Strict plays a transcript that demands each command byte for byte and in order. The first command that is another one
// is ErrUnexpected, and so is every one after it. Exchanges are as a kernel sees them (Joined).
func Strict(t Transcript) *Player { return newPlayer(t, false) }

// Lenient plays a transcript of a session that another terminal held, with other amounts and random numbers: it compares
// CLA, INS, P1 and P2, and the name in a SELECT. It goes through the transcript in order: of several answers the next
// one not passed yet is taken, then one that was passed over, then the one given last. What was never asked is answered as a card
// without it would: 6A82 to SELECT, 6A83 to READ RECORD, 6A88 to GET DATA, 6985 to GET PROCESSING OPTIONS and GENERATE
// AC, else 6D00. Answers whose status is none (no 6X, no 9X) are failures of the recording and left out.
func Lenient(t Transcript) *Player { return newPlayer(t, true) }

func newPlayer(t Transcript, lenient bool) *Player {
	p := &Player{lenient: lenient}
	if s := t.Session; s != nil && !lenient {
		p.failure = failed(s.Outcome.Failure)
		if len(s.Unanswered) > 0 {
			p.last, p.failure = s.Unanswered, failed(s.CardFailure)
		}
	}
	for _, e := range t.Joined().Exchanges {
		sw1 := e.Response[len(e.Response)-2]
		if lenient && (len(e.Command) < 4 || sw1>>4 != 6 && sw1>>4 != 9) {
			continue
		}
		p.exchanges = append(p.exchanges, e)
	}
	p.used = make([]bool, len(p.exchanges))
	return p
}

// Transmit answers one command. Error: ErrUnexpected (strict only), or the context's.
func (p *Player) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if p.lenient {
		return p.find(command), nil
	}
	if p.failed != nil {
		return nil, p.failed
	}
	if p.cursor == len(p.exchanges) && p.failure != nil && (p.last == nil || bytes.Equal(p.last, command)) {
		p.last = nil
		return nil, fmt.Errorf("as it was recorded: %w", p.failure)
	}
	if p.cursor == len(p.exchanges) {
		p.failed = fmt.Errorf("%s after the last exchange: %w", header(command), ErrUnexpected)
		return nil, p.failed
	}
	e := p.exchanges[p.cursor]
	if !bytes.Equal(e.Command, command) {
		p.failed = fmt.Errorf("exchange %d: %s of %d bytes where %s was recorded, the first that differs is byte %d: %w",
			p.cursor+1, header(command), len(command), e, differs(e.Command, command), ErrUnexpected)
		return nil, p.failed
	}
	p.used[p.cursor] = true
	p.cursor++
	return bytes.Clone(e.Response), nil
}

// differs is the place, from 1, of the first byte in which two commands differ: a place is no card data.
func differs(a, b []byte) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n + 1
}

// find looks ahead, then for one that was passed over, then back.
func (p *Player) find(command []byte) []byte {
	for i := p.cursor; i < len(p.exchanges); i++ {
		if sameKind(p.exchanges[i].Command, command) {
			p.used[i], p.cursor = true, i+1
			return bytes.Clone(p.exchanges[i].Response)
		}
	}
	last := -1
	for i := range p.cursor {
		if !sameKind(p.exchanges[i].Command, command) {
			continue
		}
		last = i
		if !p.used[i] {
			break
		}
	}
	if last >= 0 && (!p.used[last] || repeatable(command)) {
		p.used[last] = true
		return bytes.Clone(p.exchanges[last].Response)
	}
	return absent(command)
}

// sameKind compares CLA INS P1 P2, and the name of a SELECT.
func sameKind(a, b []byte) bool {
	if len(a) < 4 || len(b) < 4 || !bytes.Equal(a[:4], b[:4]) {
		return false
	}
	return a[1] != insSelect || bytes.Equal(commandData(a), commandData(b))
}

// commandData is the data field of a short command: Lc bytes after the fifth.
func commandData(c []byte) []byte {
	if len(c) <= 5 {
		return nil
	}
	return c[5:min(len(c), 5+int(c[4]))]
}

const (
	insSelect               = 0xA4
	insGetProcessingOptions = 0xA8
	insGenerateAC           = 0xAE
	insReadRecord           = 0xB2
	insGetData              = 0xCA
)

// repeatable says that a card answers the command again in the same way.
func repeatable(c []byte) bool {
	return c[1] == insSelect || c[1] == insReadRecord || c[1] == insGetData
}

func absent(c []byte) []byte {
	if len(c) < 4 {
		return []byte{0x67, 0x00}
	}
	switch c[1] {
	case insSelect:
		return []byte{0x6A, 0x82}
	case insReadRecord:
		return []byte{0x6A, 0x83}
	case insGetData:
		return []byte{0x6A, 0x88}
	case insGetProcessingOptions, insGenerateAC:
		return []byte{0x69, 0x85}
	}
	return []byte{0x6D, 0x00}
}

// Close ends the session: ErrLeftover when exchanges were never asked for, and the first refusal when there was one.
// What a lenient player's terminal leaves out is often its right; its caller may pass ErrLeftover over.
func (p *Player) Close() error {
	if p.failed != nil {
		return p.failed
	}
	if p.last != nil && p.cursor == len(p.exchanges) {
		return fmt.Errorf("the last command, which had no answer: %w", ErrLeftover)
	}
	left, first := 0, -1
	for i, used := range p.used {
		if !used {
			left++
			if first < 0 {
				first = i
			}
		}
	}
	if left > 0 {
		return fmt.Errorf("%d of %d, the first is number %d, %s: %w", left, len(p.used), first+1, p.exchanges[first], ErrLeftover)
	}
	return nil
}
