package link

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"tillway/iso8583"
)

// Length is how a frame's length is written before it. Empty means BinaryLength.
type Length string

// The lengths that acquirers have.
const (
	BinaryLength Length = "binary" // two bytes, big endian
	BCDLength    Length = "bcd"    // two bytes of two digits each: at most 9999
	ASCIILength  Length = "ascii"  // four digits: at most 9999
)

// Counted is what a frame's length counts. Empty means CountMessage.
type Counted string

// The counts.
const (
	CountMessage Counted = "message" // TPDU and message
	CountBody    Counted = "body"    // the message without its TPDU
	CountAll     Counted = "all"     // TPDU, message, and the length itself
)

const tpduBytes = 5

// ErrFraming is wrapped by every complaint of Check.
var ErrFraming = errors.New("framing of messages")

// Framing is how one acquirer tells messages apart on a stream. The zero value is two binary bytes that count TPDU and message.
type Framing struct {
	Length Length
	Counts Counted
}

// Check says whether it is one of the known. Error: ErrFraming.
func (f Framing) Check() error {
	if !slices.Contains([]Length{"", BinaryLength, BCDLength, ASCIILength}, f.Length) {
		return fmt.Errorf("%w: length %q is not binary, bcd or ascii", ErrFraming, string(f.Length))
	}
	if !slices.Contains([]Counted{"", CountMessage, CountBody, CountAll}, f.Counts) {
		return fmt.Errorf("%w: %q is not what a length counts: message, body or all", ErrFraming, string(f.Counts))
	}
	return nil
}

// Bytes is how many bytes the length itself has: 2 or 4.
func (f Framing) Bytes() int {
	if f.Length == ASCIILength {
		return 4
	}
	return 2
}

// Append puts a message, TPDU included, behind its length at the end of dst. Error: ErrFrame, where the length cannot say it.
func (f Framing) Append(dst, message []byte) ([]byte, error) {
	if len(message) == 0 || len(message) > iso8583.MaxFrame {
		return dst, fmt.Errorf("%w: message of %d bytes, must be 1 to %d", ErrFrame, len(message), iso8583.MaxFrame)
	}
	n := len(message) + f.over()
	if n < 1 || f.Length != "" && f.Length != BinaryLength && n > 9999 {
		return dst, fmt.Errorf("%w: message of %d bytes does not go with this length", ErrFrame, len(message))
	}
	switch f.Length {
	case BCDLength:
		dst = append(dst, byte(n/1000)<<4|byte(n/100%10), byte(n/10%10)<<4|byte(n%10))
	case ASCIILength:
		dst = fmt.Appendf(dst, "%04d", n)
	case BinaryLength, "":
		dst = binary.BigEndian.AppendUint16(dst, uint16(n)) //nolint:gosec // at most MaxFrame and two
	}
	return append(dst, message...), nil
}

// Size reads a length of Bytes bytes: how many bytes of TPDU and message follow it, 1 to iso8583.MaxFrame. Error: ErrFrame.
func (f Framing) Size(head []byte) (int, error) {
	if len(head) != f.Bytes() {
		return 0, fmt.Errorf("%w: %d length bytes, must be %d", ErrFrame, len(head), f.Bytes())
	}
	n := 0
	switch f.Length {
	case BCDLength:
		for _, b := range head {
			if b>>4 > 9 || b&0x0F > 9 {
				return 0, fmt.Errorf("%w: its length is not decimal", ErrFrame)
			}
			n = n*100 + int(b>>4)*10 + int(b&0x0F)
		}
	case ASCIILength:
		for _, b := range head {
			if b < '0' || b > '9' {
				return 0, fmt.Errorf("%w: its length is not decimal", ErrFrame)
			}
			n = n*10 + int(b-'0')
		}
	case BinaryLength, "":
		n = int(binary.BigEndian.Uint16(head))
	}
	size := n - f.over()
	if n == 0 || size < 1 || size > iso8583.MaxFrame {
		return 0, fmt.Errorf("%w: length %d, must be for 1 to %d bytes", ErrFrame, n, iso8583.MaxFrame)
	}
	return size, nil
}

// over is by how much the length says more than TPDU and message have.
func (f Framing) over() int {
	switch f.Counts {
	case CountBody:
		return -tpduBytes
	case CountAll:
		return f.Bytes()
	case CountMessage, "":
	}
	return 0
}

// Read reads one frame of at most that many bytes and gives it without its length. Errors: the reader's own, io.EOF between
// frames among them, and ErrFrame.
func (f Framing) Read(r io.Reader, most int) ([]byte, error) {
	head := make([]byte, f.Bytes())
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err //nolint:wrapcheck // io.EOF says that the stream has ended between frames
	}
	n, err := f.Size(head)
	if err != nil {
		return nil, err
	}
	if n > most {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrFrame, n, most)
	}
	frame := make([]byte, n)
	if m, err := io.ReadFull(r, frame); err != nil {
		return nil, fmt.Errorf("%d of %d bytes of a frame: %w", m, n, err)
	}
	return frame, nil
}

// TPDUAnswer is how an answer's TPDU goes with its request's. Empty means TPDUEither.
type TPDUAnswer string

// The ways of hosts; public messages show both.
const (
	TPDUEither  TPDUAnswer = "either"
	TPDUKept    TPDUAnswer = "kept"    // as the request had it
	TPDUSwapped TPDUAnswer = "swapped" // destination and source changed over
)

// Check says whether it is one of the known. Error: ErrFraming.
func (a TPDUAnswer) Check() error {
	if slices.Contains([]TPDUAnswer{"", TPDUEither, TPDUKept, TPDUSwapped}, a) {
		return nil
	}
	return fmt.Errorf("%w: TPDU of answers %q is not either, kept or swapped", ErrFraming, string(a))
}

// mismatch says why an answer's TPDU is not the one that this acquirer sends, or nothing.
func (a TPDUAnswer) mismatch(request, answer []byte) string {
	switch {
	case a == TPDUKept && !slices.Equal(request, answer):
		return "TPDU is not the request's"
	case a == TPDUSwapped && !swapped(request, answer):
		return "TPDU is not the request's turned round"
	}
	return ""
}

// swapped: the first byte stays, destination and source change places.
func swapped(request, answer []byte) bool {
	return len(request) == tpduBytes && len(answer) == tpduBytes && request[0] == answer[0] &&
		slices.Equal(request[1:3], answer[3:5]) && slices.Equal(request[3:5], answer[1:3])
}
