package session

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"
)

// ErrSession is wrapped when a file is no session: cut off, edited, or never one. The text says where and why.
var ErrSession = errors.New("no reader session")

// The bounds of a file.
const (
	MaxFile   = 4 << 20 // bytes
	MaxFrames = 20_000
	maxHead   = 200 // characters of one value in the head
)

// Framing is how messages stand on the wire.
type Framing string

// The framings.
const (
	Message Framing = "ccid"  // each line one CCID message
	Serial  Framing = "gempc" // 03 06, message, exclusive or; echoes, moves and time requests between
)

// What a session's card was.
const (
	NoCard   = "none"
	TestCard = "test"   // a published one: all bytes are there
	RealCard = "masked" // what was exchanged with it is stars
)

// Head is what is known of the reader.
type Head struct {
	Driver  string // of posd: gempc, usb
	Framing Framing
	Reader  string // its name, as the driver tells it, with the firmware's version
	IDs     string // vendor and product, 08E6:3437; empty of a serial reader
	Date    time.Time
	Card    string
}

// Frame is what one side sent before the other spoke.
type Frame struct {
	Out bool   // from the driver to the reader
	Hex string // upper case, no spaces; "**" is a byte that is not shown
}

// Session is a head and its frames.
type Session struct {
	Head
	Frames []Frame
}

// first is the file's first line.
const first = "Tillway reader session 1"

// Text is the file. It is what Read takes.
func (s Session) Text() []byte {
	var b bytes.Buffer
	fmt.Fprintln(&b, first)
	for _, row := range s.rows() {
		if *row.value != "" {
			fmt.Fprintf(&b, "%s: %s\n", row.name, *row.value)
		}
	}
	fmt.Fprintf(&b, "date: %s\n", s.Date.UTC().Format(time.RFC3339))
	for _, f := range s.Frames {
		mark := '<'
		if f.Out {
			mark = '>'
		}
		fmt.Fprintf(&b, "%c%s\n", mark, spaced(f.Hex))
	}
	fmt.Fprintf(&b, "end: %d %x\n", len(s.Frames), sha256.Sum256(b.Bytes()))
	return b.Bytes()
}

// rows are the head's texts, in the file's order.
func (h *Head) rows() []struct {
	name  string
	value *string
} {
	return []struct {
		name  string
		value *string
	}{
		{"driver", &h.Driver},
		{"framing", (*string)(&h.Framing)},
		{"reader", &h.Reader},
		{"ids", &h.IDs},
		{"card", &h.Card},
	}
}

func spaced(text string) string {
	var b strings.Builder
	for i := 0; i+1 < len(text); i += 2 {
		b.WriteByte(' ')
		b.WriteString(text[i : i+2])
	}
	return b.String()
}

// Read reads a whole file. Error: ErrSession, with the line and what is wrong with it, or the reader's.
func Read(r io.Reader) (Session, error) {
	text, err := io.ReadAll(io.LimitReader(r, MaxFile+1))
	if err != nil {
		return Session{}, fmt.Errorf("reading a session: %w", err)
	}
	if len(text) > MaxFile {
		return Session{}, fmt.Errorf("%w: longer than %d bytes", ErrSession, MaxFile)
	}
	body, err := sealed(text)
	if err != nil {
		return Session{}, err
	}
	var s Session
	lines := bufio.NewScanner(bytes.NewReader(body))
	lines.Buffer(nil, MaxFile)
	for n := 1; lines.Scan(); n++ {
		if err := s.line(n, lines.Text()); err != nil {
			return Session{}, fmt.Errorf("%w: line %d: %w", ErrSession, n, err)
		}
	}
	if !bytes.Equal(s.Text(), text) {
		return Session{}, fmt.Errorf("%w: it is not written as recordings are", ErrSession)
	}
	return s, s.check()
}

var endLine = regexp.MustCompile(`(?s)^(.*\n)end: (\d{1,6}) ([0-9a-f]{64})\n$`)

// sealed is the text before the end line, once that is right.
func sealed(text []byte) ([]byte, error) {
	if !bytes.HasPrefix(text, []byte(first+"\n")) {
		return nil, fmt.Errorf("%w: the first line is not %q", ErrSession, first)
	}
	m := endLine.FindSubmatch(text)
	if m == nil {
		return nil, fmt.Errorf("%w: it has no end: it was cut off; record it again", ErrSession)
	}
	if sum := sha256.Sum256(m[1]); hex.EncodeToString(sum[:]) != string(m[3]) {
		return nil, fmt.Errorf("%w: it was changed after it was recorded; take the file as it was, or record it again", ErrSession)
	}
	return m[1], nil
}

// line takes one line in.
func (s *Session) line(n int, text string) error {
	switch {
	case n == 1:
		return nil
	case len(s.Frames) >= MaxFrames:
		return fmt.Errorf("more than %d frames", MaxFrames)
	case strings.HasPrefix(text, ">"), strings.HasPrefix(text, "<"):
		shown := strings.ReplaceAll(text[1:], " ", "")
		if _, err := hex.DecodeString(strings.ReplaceAll(shown, "**", "00")); err != nil || shown == "" {
			return errors.New("bytes are two digits each, or two stars")
		}
		s.Frames = append(s.Frames, Frame{Out: text[0] == '>', Hex: shown})
		return nil
	}
	name, value, found := strings.Cut(text, ": ")
	if !found || len(value) > maxHead || len(s.Frames) > 0 {
		return errors.New("neither a frame nor a word of the head")
	}
	for _, row := range s.rows() {
		if row.name == name {
			*row.value = value
			return nil
		}
	}
	if name != "date" {
		return fmt.Errorf("the head has no %q", name)
	}
	date, err := time.Parse(time.RFC3339, value)
	s.Date = date
	return err
}

// check refuses what can be written and means nothing.
func (s Session) check() error {
	stars := false
	for _, f := range s.Frames {
		stars = stars || strings.Contains(f.Hex, "*")
	}
	switch {
	case s.Framing != Message && s.Framing != Serial:
		return fmt.Errorf("%w: framing %q: there are %q and %q", ErrSession, s.Framing, Message, Serial)
	case s.Card != NoCard && s.Card != TestCard && s.Card != RealCard:
		return fmt.Errorf("%w: card %q: there are none, test and masked", ErrSession, s.Card)
	case stars && s.Card != RealCard:
		return fmt.Errorf("%w: bytes are hidden, and its card is said to be %q", ErrSession, s.Card)
	case len(s.Frames) == 0 || !s.Frames[0].Out:
		return fmt.Errorf("%w: it does not begin with what the driver says", ErrSession)
	}
	return nil
}
