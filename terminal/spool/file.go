package spool

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// kept is what the file holds.
type kept struct {
	V      int    `json:"v"`
	Cursor int64  `json:"cursor"` // the journal's row up to which sales were looked at
	Last   uint64 `json:"last"`   // number of the last job
	Jobs   []Job  `json:"jobs"`
}

const version = 1

// aside is what the name of a file ends with that cannot be read.
const aside = ".unreadable"

var errUnreadable = errors.New("it cannot be read")

// maxFile bounds what is read: sixty-four jobs are a tenth of it.
const maxFile = 256 << 10

// read reads the file; nil where there is none.
func read(path string) (*kept, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // none is no error
	}
	if err != nil {
		return nil, fmt.Errorf("receipts to be printed: %w", err)
	}
	k, err := parse(b)
	if err != nil {
		return nil, fmt.Errorf("receipts to be printed: %s: %w: %w", path, errUnreadable, err)
	}
	return &k, nil
}

// parse reads what save wrote, and refuses all else.
func parse(b []byte) (kept, error) {
	var k kept
	if len(b) > maxFile {
		return k, fmt.Errorf("%d bytes are too many", len(b))
	}
	if err := json.Unmarshal(b, &k); err != nil {
		return k, errors.New("it is damaged")
	}
	if k.V != version || k.Cursor < 0 || len(k.Jobs) > maxJobs {
		return k, errors.New("it is not of this release")
	}
	for _, j := range k.Jobs {
		switch j.What {
		case Receipt, Test, Report, Proof, Kernel:
		default:
			return k, errors.New("it holds a paper that this release does not know")
		}
	}
	return k, nil
}

// save puts the file on disk, where it has changed: a new one in its place, both flushed, so that a power cut leaves either.
func (s *Spool) save() error {
	if !s.dirty {
		return nil
	}
	b, err := json.Marshal(s.kept)
	if err != nil {
		return err
	}
	next := s.cfg.Path + ".new"
	if err := writeFile(next, b); err != nil {
		return err
	}
	if err := os.Rename(next, s.cfg.Path); err != nil {
		return err
	}
	if err := flushFolder(filepath.Dir(s.cfg.Path)); err != nil {
		return err
	}
	s.dirty, s.flushed = false, s.kept.Cursor
	return nil
}

func writeFile(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600) //nolint:gosec // in the state folder
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, syncOf(err, f), f.Close())
}

// syncOf flushes what was written whole.
func syncOf(err error, f *os.File) error {
	if err != nil {
		return nil
	}
	return f.Sync()
}

func flushFolder(path string) error {
	d, err := os.Open(path) //nolint:gosec // the state folder
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
