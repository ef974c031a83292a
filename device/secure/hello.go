package secure

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Over a named socket posd and keyd are started apart, and may be of different releases for as long as an upgrade takes. So
// each says first, in one line of JSON that every release can read, what it is: Hello, then Welcome. Fields that a release
// does not know are left out of account. The frames of frame.go follow, of the protocol that Welcome names.
const (
	maxHello = 512 // bytes, the line end among them

	// oldestProtocol and newestProtocol are the protocols that this release speaks. An operation that is added makes no new
	// one: a module that does not have it answers ErrDenied.
	oldestProtocol = 1
	newestProtocol = 1
)

// ErrVersion is two programs of releases that cannot talk to each other.
var ErrVersion = errors.New("keyd and posd are of releases that do not fit: install both from one release, and restart both")

// Hello is posd's first line to a module at a named socket. First says that the state folder is new, so that key files may be
// made; a module that has lost its files is not to make new ones by itself.
type Hello struct {
	Program string `json:"program"` // posd's version, for the log
	First   bool   `json:"first"`
	Oldest  int    `json:"oldest"`
	Newest  int    `json:"newest"`
}

// welcome is the module's answer.
type welcome struct {
	Program  string `json:"program"`
	Protocol int    `json:"protocol"`          // 0: refused
	Refused  string `json:"refused,omitempty"` // why
}

// ReadHello reads posd's first line. Errors: ErrProtocol for what is no such line, ErrVersion for a release that does not fit; the other
// end has been told of the latter. program is the module's own version.
func ReadHello(conn io.ReadWriter, program string) (Hello, error) {
	var h Hello
	if err := readLine(conn, &h); err != nil {
		return h, err
	}
	h.Program = plain(h.Program)
	protocol := min(h.Newest, newestProtocol)
	if h.Oldest < 1 || h.Newest < h.Oldest {
		return h, fmt.Errorf("hello of protocols %d to %d: %w", h.Oldest, h.Newest, ErrProtocol)
	}
	if protocol < max(h.Oldest, oldestProtocol) {
		err := fmt.Errorf("keyd %s speaks protocols %d to %d, posd %s %d to %d: %w", program, oldestProtocol, newestProtocol, h.Program, h.Oldest, h.Newest, ErrVersion)
		return h, errors.Join(err, writeLine(conn, welcome{Program: program, Refused: err.Error()}))
	}
	return h, writeLine(conn, welcome{Program: program, Protocol: protocol})
}

// sayHello is posd's side: it gives the module's version. Errors: ErrVersion, ErrProtocol, and ErrGone for a module that hangs up.
func sayHello(conn io.ReadWriter, h Hello) (program string, err error) {
	h.Oldest, h.Newest = oldestProtocol, newestProtocol
	if err := writeLine(conn, h); err != nil {
		return "", fmt.Errorf("%w: %w", ErrGone, err)
	}
	var w welcome
	err = readLine(conn, &w)
	w.Program = plain(w.Program)
	switch {
	case errors.Is(err, io.EOF):
		return "", fmt.Errorf("%w: it hung up without a word, as it does with every user but the one that its -client names", ErrGone)
	case err != nil:
		return "", err
	case w.Protocol == 0:
		return w.Program, &remote{text: plain(w.Refused), are: []error{ErrVersion}}
	case w.Protocol < oldestProtocol || w.Protocol > newestProtocol:
		return w.Program, fmt.Errorf("keyd %s speaks protocol %d: %w", w.Program, w.Protocol, ErrVersion)
	}
	return w.Program, nil
}

// readLine reads one line of JSON and no byte behind it: frames follow.
func readLine(from io.Reader, into any) error {
	line := make([]byte, 0, maxHello)
	for {
		var b [1]byte
		if _, err := io.ReadFull(from, b[:]); err != nil {
			return fmt.Errorf("hello: %w: %w", ErrProtocol, err)
		}
		if b[0] == '\n' {
			break
		}
		if line = append(line, b[0]); len(line) >= maxHello {
			return fmt.Errorf("hello of more than %d bytes: %w", maxHello, ErrProtocol)
		}
	}
	if err := json.Unmarshal(line, into); err != nil {
		return fmt.Errorf("hello that is no JSON: %w", ErrProtocol)
	}
	return nil
}

func writeLine(to io.Writer, from any) error {
	line, err := json.Marshal(from)
	if err != nil {
		return err
	}
	if len(line) >= maxHello {
		return fmt.Errorf("hello of %d bytes: %w", len(line), ErrTooLong)
	}
	_, err = to.Write(append(line, '\n'))
	return err
}

// plain is a text from the other end as a log may have it.
func plain(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, text)
	return string(slices.Clone([]byte(text))[:min(len(text), maxHello)])
}
