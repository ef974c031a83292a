// Package transcript is recorded exchanges with a card: it reads and writes them, plays them back as a card, and records
// a card while it is used. It is no card: it answers what was recorded and nothing else.
//
// The form is JSON: {"interface": "contact", "exchanges": [{"c": HEX, "r": HEX}, …]}, c a command APDU, r response data
// with SW1 SW2. A transcript that a terminal wrote has a member "session" beside them: kernel, parameters, random numbers and
// answers, all that repeats the transaction (Session, Kernel, Session.Play). A transcript holds card data in the clear; only
// those of test cards are to be kept, and WriteMasked is the form for all others. Printing one shows lengths only.
//
// Sources: ISO/IEC 7816-4 (commands, status words); EMV 4.4 Book 1, Annex A (what 61xx and 6Cxx mean at T=0).
package transcript

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Bounds, checked before anything is kept.
const (
	MaxFile      = 4 << 20 // bytes of a file
	MaxExchanges = 10_000
	maxCommand   = 261
	maxResponse  = 258
)

// ErrFormat is wrapped by what Read and Recorder.Transcript return for a transcript that is none.
var ErrFormat = errors.New("not a transcript")

// Transcript is a recorded session.
type Transcript struct {
	Interface string     `json:"interface"`         // "contact"
	Session   *Session   `json:"session,omitempty"` // nil: of another program, or made by hand
	Exchanges []Exchange `json:"exchanges"`
}

// Exchange is one command and its answer. The command is empty where the recording lacks it.
type Exchange struct {
	Command  []byte
	Response []byte // data, SW1, SW2
}

// wire is an exchange as the file has it.
type wire struct {
	C string `json:"c"`
	R string `json:"r"`
}

// MarshalJSON writes {"c": HEX, "r": HEX}, in upper case: it is the form of the file, data in the clear.
func (e Exchange) MarshalJSON() ([]byte, error) {
	return json.Marshal(wire{fmt.Sprintf("%X", e.Command), fmt.Sprintf("%X", e.Response)})
}

// UnmarshalJSON reads what MarshalJSON writes. Error: ErrFormat.
func (e *Exchange) UnmarshalJSON(b []byte) error {
	var w wire
	if err := json.Unmarshal(b, &w); err != nil {
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if len(w.C) > 2*maxCommand || len(w.R) > 2*maxResponse {
		return fmt.Errorf("exchange longer than an APDU: %w", ErrFormat)
	}
	c, err := hex.DecodeString(w.C)
	if err != nil {
		return fmt.Errorf("command is not hex: %w", ErrFormat)
	}
	r, err := hex.DecodeString(w.R)
	if err != nil || len(r) < 2 {
		return fmt.Errorf("response is not hex with a status: %w", ErrFormat)
	}
	e.Command, e.Response = c, r
	return nil
}

// String shows the command's header and lengths, no data.
func (e Exchange) String() string {
	return fmt.Sprintf("%s (%d bytes) -> %d bytes", header(e.Command), len(e.Command), len(e.Response))
}

// GoString keeps %#v from printing data.
func (e Exchange) GoString() string { return e.String() }

// Format keeps every verb from printing data.
func (e Exchange) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, e.String()) }

func header(command []byte) string {
	return strings.ToUpper(hex.EncodeToString(command[:min(4, len(command))]))
}

// Read reads a transcript; other members of the JSON object are passed over. Errors: ErrFormat, and with it ErrMasked.
func Read(r io.Reader) (Transcript, error) {
	b, err := io.ReadAll(io.LimitReader(r, MaxFile+1))
	if err != nil {
		return Transcript{}, fmt.Errorf("reading a transcript: %w", err)
	}
	if len(b) > MaxFile {
		return Transcript{}, fmt.Errorf("more than %d bytes: %w", MaxFile, ErrFormat)
	}
	if err := checkHead(b); err != nil {
		return Transcript{}, err
	}
	var t Transcript
	if err := json.Unmarshal(b, &t); err != nil {
		return Transcript{}, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if t.Session != nil {
		if err := t.Session.check(); err != nil {
			return Transcript{}, err
		}
	}
	// A terminal's own transcript may have none: a card that was gone before its first answer.
	if len(t.Exchanges) == 0 && t.Session == nil || len(t.Exchanges) > MaxExchanges {
		return Transcript{}, fmt.Errorf("%d exchanges: %w", len(t.Exchanges), ErrFormat)
	}
	return t, nil
}

// Write writes the transcript as Read reads it, one exchange a line, everything in the clear.
func (t Transcript) Write(w io.Writer) error {
	text, err := t.text(upper, upper)
	if err != nil {
		return fmt.Errorf("writing a transcript: %w", err)
	}
	if _, err := io.WriteString(w, text); err != nil {
		return fmt.Errorf("writing a transcript: %w", err)
	}
	return nil
}

func (t Transcript) text(command, response func([]byte) string) (string, error) {
	var b strings.Builder
	name, err := json.Marshal(t.Interface)
	if err != nil {
		return "", err
	}
	fmt.Fprintf(&b, "{\n \"interface\": %s,\n", name)
	if t.Session != nil {
		session, err := json.MarshalIndent(t.Session, " ", " ")
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, " \"session\": %s,\n", session)
	}
	b.WriteString(" \"exchanges\": [")
	for i, e := range t.Exchanges {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "\n  {\"c\": \"%s\", \"r\": \"%s\"}", command(e.Command), response(e.Response))
	}
	b.WriteString("\n ]\n}\n")
	return b.String(), nil
}

func upper(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) }

// Joined is the transcript as a kernel sees it: what T=0 takes several commands for, 61xx or a warning followed by GET
// RESPONSE, and 6Cxx followed by the command with the right length, is one exchange (Book 1, Annex A).
func (t Transcript) Joined() Transcript {
	out := Transcript{Interface: t.Interface, Session: t.Session}
	for i := 0; i < len(t.Exchanges); i++ {
		e := t.Exchanges[i]
		e.Response = append([]byte(nil), e.Response...)
		for i+1 < len(t.Exchanges) {
			joined, ok := join(e, t.Exchanges[i+1])
			if !ok {
				break
			}
			e.Response = joined
			i++
		}
		out.Exchanges = append(out.Exchanges, e)
	}
	return out
}

// join puts the answer of next to that of e, where next fetches what e announced.
func join(e, next Exchange) (response []byte, ok bool) {
	n := len(e.Response) - 2
	data, sw1 := e.Response[:n], e.Response[n]
	getResponse := len(next.Command) == 5 && next.Command[1] == 0xC0
	switch {
	case sw1 == 0x61 && getResponse:
		return append(data[:n:n], next.Response...), true
	case (sw1 == 0x62 || sw1 == 0x63) && n == 0 && getResponse:
		m := len(next.Response) - 2
		if next.Response[m] == 0x6C {
			return e.Response, true // asked again with the right length; the warning stays
		}
		return append(next.Response[:m:m], e.Response...), true
	case sw1 == 0x6C && n == 0 && sameButLength(e.Command, next.Command):
		return next.Response, true
	}
	return nil, false
}

func sameButLength(a, b []byte) bool {
	return len(a) == len(b) && len(a) >= 5 && string(a[:len(a)-1]) == string(b[:len(b)-1])
}
