package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"tillway/device/transcript"
	"tillway/emv"
	"tillway/emv/contact"
	"tillway/terminal"
	"tillway/terminal/lane"
	"tillway/terminal/profile"
	"tillway/terminal/provision"
	"tillway/till"
)

// Bounds on the transcripts that are kept.
const (
	maxTranscripts    = 10_000 // files
	maxWaiting        = 16     // transcripts in memory, of sales since the last write
	maxTranscriptFile = transcript.MaxFile
)

// transcripts are the files that tell what terminal and card said to each other, a file a sale, in a folder beside the
// journal. They are written between sales, so that no sale waits for them: a power cut loses the one of the sale it ends.
// A nil *transcripts keeps nothing.
type transcripts struct {
	dir     string
	keep    int  // files
	inClear bool // those of test cards are complete; all others are masked
	log     *slog.Logger

	mu      sync.Mutex // guards what follows; held over no I/O
	sale    terminal.SaleID
	waiting []transcript.Transcript // in the order of their sales, each sale's latest

	files sync.Mutex // one at a time reads or writes the folder
}

// newTranscripts makes the folder; nil when keep is 0.
func newTranscripts(dir string, keep int, inClear bool, log *slog.Logger) (*transcripts, error) {
	if keep == 0 {
		return nil, nil //nolint:nilnil // nothing is kept
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("transcripts: %w", err)
	}
	return &transcripts{dir: dir, keep: keep, inClear: inClear, log: log}, nil
}

// record puts the recording in front of a kernel.
func (t *transcripts) record(k lane.Kernel, p transcript.Profile) lane.Kernel {
	if t == nil {
		return k
	}
	return transcript.Kernel{
		Kernel: k, Keep: t.add, Profile: p,
		Version: transcript.Version{Name: "contact", Version: contact.Version, Checksum: contact.Checksum()},
	}
}

// next says whose transaction comes. The lane asks for a sale's parameters and begins it on one goroutine.
func (t *transcripts) next(sale terminal.SaleID) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sale = sale
}

// add keeps a transaction as it stands until flush. A later state of the same sale replaces it.
func (t *transcripts) add(tr transcript.Transcript) {
	t.mu.Lock()
	defer t.mu.Unlock()
	tr.Session.Sale = uint64(t.sale)
	if n := len(t.waiting); n > 0 && t.waiting[n-1].Session.Sale == tr.Session.Sale {
		t.waiting[n-1] = tr
		return
	}
	t.waiting = append(t.waiting, tr)
	if len(t.waiting) > maxWaiting {
		t.waiting = t.waiting[1:]
	}
}

// flush writes what waits. Only the folder knows it then: card data leave the memory with it.
func (t *transcripts) flush() {
	if t == nil {
		return
	}
	t.mu.Lock()
	list := t.waiting
	t.waiting = nil
	t.mu.Unlock()
	if len(list) == 0 {
		return
	}
	t.files.Lock()
	defer t.files.Unlock()
	for _, tr := range list {
		if err := t.write(tr); err != nil {
			t.log.Error("a transcript cannot be written; the sale is not touched by it", "sale", tr.Session.Sale, "err", err)
		}
	}
	if err := t.prune(); err != nil {
		t.log.Error("old transcripts cannot be taken away", "err", err)
	}
}

// The words of a file's name, so that a folder can be read by eye.
const (
	approvedWord = "approved"
	otherWord    = "not-approved"
)

func fileName(sale uint64, word string) string { return fmt.Sprintf("%010d-%s.json", sale, word) }

// write puts one transcript on disk: whole, or not at all.
func (t *transcripts) write(tr transcript.Transcript) error {
	var text bytes.Buffer
	form := tr.WriteMasked
	if t.inClear && tr.OfTestCard() {
		form = tr.Write
	}
	if err := form(&text); err != nil {
		return err
	}
	word, other := otherWord, approvedWord
	if tr.Session.Outcome.Decision == emv.Approved {
		word, other = approvedWord, otherWord
	}
	if err := replaceFile(filepath.Join(t.dir, fileName(tr.Session.Sale, word)), text.Bytes()); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(t.dir, fileName(tr.Session.Sale, other))); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// replaceFile writes beside the file, flushes and renames.
func replaceFile(path string, text []byte) (err error) {
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600) //nolint:gosec // in posd's own folder
	if err != nil {
		return err
	}
	if _, err = f.Write(text); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// prune takes the oldest files away until keep are left. Sales that were approved have at most half the room: what a
// technician looks for is among the others.
func (t *transcripts) prune() error {
	var approved, others []string
	entries, err := os.ReadDir(t.dir) // in the order of names, so of sales
	if err != nil {
		return err
	}
	for _, e := range entries {
		switch {
		case strings.HasSuffix(e.Name(), "-"+approvedWord+".json") && !strings.HasSuffix(e.Name(), "-"+otherWord+".json"):
			approved = append(approved, e.Name())
		case strings.HasSuffix(e.Name(), "-"+otherWord+".json"):
			others = append(others, e.Name())
		}
	}
	var errs []error
	drop := func(list []string) []string {
		errs = append(errs, os.Remove(filepath.Join(t.dir, list[0])))
		return list[1:]
	}
	for len(approved)+len(others) > t.keep {
		if len(others) == 0 || len(approved) > t.keep/2 {
			approved = drop(approved)
		} else {
			others = drop(others)
		}
	}
	return errors.Join(errs...)
}

// Transcript implements till.Transcripts.
func (t *transcripts) Transcript(_ context.Context, sale terminal.SaleID) ([]byte, error) {
	if t == nil {
		return nil, fmt.Errorf("%w: transcripts.keep is 0 in the terminal's config", till.ErrNoTranscript)
	}
	t.flush() // of the sale that just ended
	t.files.Lock()
	defer t.files.Unlock()
	for _, word := range []string{approvedWord, otherWord} {
		text, err := os.ReadFile(filepath.Join(t.dir, fileName(uint64(sale), word)))
		if err == nil && len(text) <= maxTranscriptFile {
			return text, nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%w: sale %s", till.ErrNoTranscript, sale)
}

// profileOf names a profile and its text.
func (c *config) profileOf(p profile.Profile) (transcript.Profile, error) {
	out := transcript.Profile{Name: p.Name}
	if c.params != nil {
		out.SHA256 = fmt.Sprintf("%x", sha256.Sum256(c.params.Part(provision.Profile)))
		return out, nil
	}
	text, err := profile.Text(c.Profile)
	if errors.Is(err, profile.ErrNoProfile) {
		text, err = os.ReadFile(c.Profile)
	}
	if err != nil {
		return out, fmt.Errorf("profile: %w", err)
	}
	out.SHA256 = fmt.Sprintf("%x", sha256.Sum256(text))
	return out, nil
}

// transcriptsConfig is the [transcripts] table.
type transcriptsConfig struct {
	Keep      int    `toml:"keep"`
	TestCards string `toml:"test_cards"`
}

func (c transcriptsConfig) check(development bool) error {
	switch {
	case c.Keep < 0 || c.Keep > maxTranscripts:
		return errors.New("transcripts.keep is how many sales' transcripts are kept: 0 to " + strconv.Itoa(maxTranscripts))
	case c.TestCards != "masked" && c.TestCards != "complete":
		return fmt.Errorf("transcripts.test_cards %q: masked or complete", c.TestCards)
	case c.TestCards == "complete" && !development:
		return errors.New(`transcripts.test_cards = "complete" writes test cards' data in the clear: that takes development = true`)
	}
	return nil
}
