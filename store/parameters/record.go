package parameters

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"tillway/terminal/provision"
)

// Entry is a package that is or was in force.
type Entry struct {
	Version uint32        `json:"version"`
	Digest  provision.Sum `json:"sha256"`
	Since   time.Time     `json:"since"`
	By      string        `json:"by"` // who applied it
}

// Failed is a package that was in force, did not start, and was taken back.
type Failed struct {
	Version uint32    `json:"version"`
	Time    time.Time `json:"time"`
	Reason  string    `json:"reason"` // one sentence
}

// Record is what the file in-force says.
type Record struct {
	Current  *Entry  `json:"current"`  // nil: none, and the terminal waits for one
	Previous *Entry  `json:"previous"` // where a rollback leads to; nil: nowhere
	Highest  uint32  `json:"highest"`  // version that was ever in force
	Starts   int     `json:"starts"`   // with a package that has not worked yet; 0: it has
	Failed   *Failed `json:"failed"`   // the last that was taken back

	// Load are the parts of the package in force whose keys are still to be loaded into the secure module.
	Load []string `json:"load,omitempty"`
}

const (
	recordName    = "in-force"
	recordHeading = "tillway parameters in force 1\n"
	maxRecord     = 4 << 10
)

var errRecord = errors.New("damaged, or not this terminal's own")

// text is what the tag is of.
func (r Record) text() ([]byte, error) {
	b, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	return append(append([]byte(recordHeading), b...), '\n'), nil
}

// join is the whole file: the text, and its tag in base64 on a line of its own.
func join(text, tag []byte) []byte {
	return append(base64.StdEncoding.AppendEncode(bytes.Clone(text), tag), '\n')
}

// split takes a file apart; the record is to be believed when its tag is right, and not before.
func split(file []byte) (r Record, text, tag []byte, err error) {
	lines := strings.SplitAfter(string(file), "\n")
	if len(lines) != 4 || lines[3] != "" || lines[0] != recordHeading {
		return r, nil, nil, errRecord
	}
	text = []byte(lines[0] + lines[1])
	if tag, err = base64.StdEncoding.Strict().DecodeString(strings.TrimSuffix(lines[2], "\n")); err != nil {
		return r, nil, nil, errRecord
	}
	dec := json.NewDecoder(strings.NewReader(lines[1]))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&r); err != nil {
		return r, nil, nil, errRecord
	}
	again, err := r.text()
	if err != nil || !bytes.Equal(again, text) || !bytes.Equal(join(text, tag), file) {
		return r, nil, nil, errRecord
	}
	return r, text, tag, nil
}

// fileName is a package's name in the folder.
func (e Entry) fileName() string {
	return fmt.Sprintf("%d-%s%s", e.Version, e.Digest.Short(), packageEnd)
}

const packageEnd = ".tillway"
