// Package support makes the file that a shop sends to whoever helps it: what a terminal is, did and said, without a secret. It packs, and
// it takes out; what goes in is chosen by those who know it (till, cmd/posd, cmd/pos), from what is masked already.
//
// Nothing secret is meant to reach it. Card data, keys and PINs have types that mask themselves, a config is shown by a list of what may
// be, and free text of people is left out by name. Scrub is the net below that, for what somebody typed where it does not belong.
package support

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"
	"unicode/utf8"
)

// Bounds of a bundle.
const (
	MaxBundle = 5 << 20   // bytes of a bundle; its files together are kept below, so that packing cannot miss it
	maxFiles  = 200       //
	maxText   = 768 << 10 // of one file; the end of a longer one is kept, since what went wrong is there
	room      = 256 << 10 // for manifest and headers
)

// File is one file of a bundle: text, in UTF-8.
type File struct {
	Name string `json:"name"` // with folders, like "terminal/status.json"
	Text string `json:"text"`
}

// JSON is a file of a value, indented.
func JSON(name string, v any) File {
	text, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return File{Name: name + ".missing", Text: "it cannot be written: " + err.Error() + "\n"}
	}
	return File{Name: name, Text: string(text) + "\n"}
}

// Missing is the file that stands in for one that could not be had.
func Missing(name string, err error) File {
	return File{Name: name + ".missing", Text: err.Error() + "\n"}
}

// Listed is a file as the manifest has it.
type Listed struct {
	Name   string `json:"name"`
	Bytes  int    `json:"bytes"`
	SHA256 string `json:"sha256"`
	Cut    bool   `json:"cut,omitempty"`    // its beginning was left out
	Masked int    `json:"masked,omitempty"` // numbers like a card's that stood in it and were masked: somebody ought to know why
}

// Manifest is manifest.json, the last file of a bundle.
type Manifest struct {
	Format  int       `json:"format"` // 1
	Made    time.Time `json:"made"`
	By      string    `json:"by"` // the program and its version
	Files   []Listed  `json:"files"`
	LeftOut []string  `json:"left_out,omitempty"` // for want of room
}

// ManifestName is the manifest's file.
const ManifestName = "manifest.json"

// Folder is what all files lie in, so that unpacking makes one folder.
const Folder = "tillway-support"

// Pack writes a bundle as a tar.gz and says what is in it. Every file is scrubbed. The first files are those that stay where there is
// not room for all.
func Pack(w io.Writer, files []File, by string, made time.Time) (Manifest, error) {
	m := Manifest{Format: 1, Made: made.UTC().Truncate(time.Second), By: by}
	zipped := gzip.NewWriter(w)
	packed := tar.NewWriter(zipped)
	add := func(name, text string) error {
		header := &tar.Header{Name: path.Join(Folder, name), Mode: 0o600, Size: int64(len(text)), ModTime: m.Made, Format: tar.FormatPAX}
		if err := packed.WriteHeader(header); err != nil {
			return err
		}
		_, err := io.WriteString(packed, text)
		return err
	}
	left := MaxBundle - room
	for n, f := range files {
		name, err := clean(f.Name)
		if err != nil {
			return m, err
		}
		text, cut := tail(f.Text)
		text, masked := Scrub(text)
		if n >= maxFiles || len(text)+1024 > left {
			m.LeftOut = append(m.LeftOut, name)
			continue
		}
		left -= len(text) + 1024 // a header's and its padding
		if err := add(name, text); err != nil {
			return m, fmt.Errorf("support bundle: %w", err)
		}
		m.Files = append(m.Files, Listed{name, len(text), fmt.Sprintf("%x", sha256.Sum256([]byte(text))), cut, masked})
	}
	list := JSON(ManifestName, m)
	if err := errors.Join(add(list.Name, list.Text), packed.Close(), zipped.Close()); err != nil {
		return m, fmt.Errorf("support bundle: %w", err)
	}
	return m, nil
}

// clean refuses a name that would leave the folder.
func clean(name string) (string, error) {
	if name == "" || len(name) > 120 || path.IsAbs(name) || path.Clean(name) != name || strings.HasPrefix(name, "..") || strings.ContainsAny(name, "\\\n\x00") {
		return "", fmt.Errorf("support bundle: %q is no name of a file in it", name)
	}
	return name, nil
}

// tail is the end of a text that is too long, from a line's beginning on.
func tail(text string) (string, bool) {
	if len(text) <= maxText {
		return text, false
	}
	text = text[len(text)-maxText:]
	if _, rest, ok := strings.Cut(text, "\n"); ok {
		text = rest
	}
	for text != "" && !utf8.RuneStart(text[0]) {
		text = text[1:]
	}
	return text, true
}
