package secure

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// The socket carries frames: the length of the rest in four bytes, then version, kind, the request's number, and the body.
// Requests are answered in any order; a long one may be told of progress, and cancelled. An answer's body is a code, and
// for 0 the result, else a text. Every length is checked before it is used, and whoever breaks the protocol is hung up on.
const (
	frameVersion = 1
	frameHeader  = 1 + 1 + 4
	maxFrame     = frameHeader + maxPlain + 16<<10
	maxInFlight  = 32
	maxErrorText = 1024
)

// The kinds of frames.
const (
	frameRequest  byte = iota + 1 // to the module: operation and arguments
	frameAnswer                   // from it
	frameProgress                 // from it: digits entered
	frameCancel                   // to it: the request's number
	frameEvent                    // from it: an Event, numbered 0
)

// The operations.
const (
	opCreateKey byte = iota + 1
	opDestroyKey
	opSeal
	opOpen
	opNextKey
	opMAC
	opVerifyMAC
	opRelease
	opHostSaw
	opEnterPIN
	opToken
	opImport
	opImportSession
	opStatus
	opDestroy
	opDestroyAll
	opOwes
	opRefill
	opEncipher
	opPropose
	opConfirm
	opWithdraw
	opTicket
	opDecipherSwipe
	opLoadComponent
	opAbort
	opAdmit
	opLoadPad
	opTry
)

// Codes of answers.
const (
	codeOK    byte = 0
	codeOther byte = 255
)

// errorTable gives every error that callers test for its code: the place in the table, from 1. It only ever grows at its
// end.
func errorTable() []error {
	return []error{
		ErrName, ErrNoKey, ErrForged, ErrTooLong, ErrFull, ErrFiles, ErrClosed, ErrExhausted, ErrLease, ErrMAC, ErrUsage, ErrPAN,
		ErrRequest, ErrNoPad, ErrBusy, ErrNoKEK, ErrKeyBlock, ErrWeak, ErrTestKey, ErrSameKey, ErrComponent, ErrDualControl, ErrOwing,
		ErrDestroyed, ErrDenied, ErrProtocol, ErrLocked, context.Canceled, context.DeadlineExceeded, fs.ErrNotExist, ErrTicket, ErrReplayed,
	}
}

// remote is a module's error on this side of the socket: its text, and the identities that it had.
type remote struct {
	text string
	are  []error
}

func (e *remote) Error() string   { return e.text }
func (e *remote) Unwrap() []error { return e.are }

// writeError puts an error into an answer: how many codes, the codes, the text.
func writeError(w *writer, err error) {
	var codes []byte
	for i, known := range errorTable() {
		if errors.Is(err, known) {
			codes = append(codes, byte(i+1))
		}
	}
	if len(codes) == 0 {
		codes = []byte{codeOther}
	}
	text := err.Error()
	w.u8(codes[0])
	w.bytes(codes[1:])
	w.text(text[:min(len(text), maxErrorText)])
}

// readError is writeError's inverse; first is the code that was read already.
func readError(first byte, r *reader) error {
	codes := append([]byte{first}, r.bytes(len(errorTable()))...)
	e := &remote{text: r.text(maxErrorText)}
	if err := r.end(); err != nil {
		return err
	}
	for _, c := range codes {
		if table := errorTable(); int(c) >= 1 && int(c) <= len(table) {
			e.are = append(e.are, table[c-1])
		}
	}
	return e
}

// newFrame begins a frame; finish gives it its length.
func newFrame(kind byte, id uint32, size int) writer {
	w := make(writer, 0, 4+frameHeader+size)
	w.u32(0)
	w.u8(frameVersion)
	w.u8(kind)
	w.u32(id)
	return w
}

func (w writer) finish() ([]byte, error) {
	if len(w)-4 > maxFrame {
		clear(w)
		return nil, fmt.Errorf("frame of %d bytes: %w", len(w)-4, ErrTooLong)
	}
	binary.BigEndian.PutUint32(w, uint32(len(w)-4))
	return w, nil
}

// readFrame reads one frame; io.EOF between frames is the other side's good-bye.
func readFrame(from io.Reader) (kind byte, id uint32, body []byte, err error) {
	var size [4]byte
	if _, err := io.ReadFull(from, size[:]); err != nil {
		return 0, 0, nil, err
	}
	n := binary.BigEndian.Uint32(size[:])
	if n < frameHeader || n > uint32(maxFrame) {
		return 0, 0, nil, fmt.Errorf("frame of %d bytes: %w", n, ErrProtocol)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(from, b); err != nil {
		clear(b)
		return 0, 0, nil, fmt.Errorf("frame cut short: %w: %w", ErrProtocol, err)
	}
	if b[0] != frameVersion {
		return 0, 0, nil, fmt.Errorf("frame of version %d: %w", b[0], ErrProtocol)
	}
	return b[1], binary.BigEndian.Uint32(b[2:]), b[frameHeader:], nil
}
