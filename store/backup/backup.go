package backup

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Format is the version of the form.
const Format = 1

// The files that a backup may have, by their paths in the state folder.
const (
	Journal = "journal.db"
	Anchor  = "journal.db.anchor"
	Keys    = "keyd/keys"
)

// Names lists them in the order in which they are written.
func Names() []string { return []string{Journal, Anchor, Keys} }

const (
	manifestName = "manifest.json"
	maxManifest  = 64 << 10
	maxFile      = 64 << 30 // bytes of a journal
	maxSmall     = 16 << 20 // and of every other file
)

// Manifest says what a backup is.
type Manifest struct {
	Format     int       `json:"format"`
	Made       time.Time `json:"made"`
	Version    string    `json:"version"` // of the program that made it
	TerminalID string    `json:"tid"`
	MerchantID string    `json:"mid"`
	Acquirer   string    `json:"acquirer"`
	Rows       int64     `json:"rows"` // the journal's highest at least
	Owed       int       `json:"owed"` // what waited for the bank
	Sales      uint64    `json:"sales"`
	Traces     uint64    `json:"traces"` // highest numbers that may have been given out
	Files      []File    `json:"files"`
}

// File is one file of a backup.
type File struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"` // hexadecimal
}

// ErrDamaged says that a file is no whole backup: cut, changed, or something else.
var ErrDamaged = errors.New("no whole backup")

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s: take another copy of it", ErrDamaged, fmt.Sprintf(format, args...))
}

// Write writes a backup of the files that are there in from, a folder laid out by Names. m.Files and m.Format are filled in.
func Write(w io.Writer, m Manifest, from string) error {
	m.Format, m.Files = Format, nil
	for _, name := range Names() {
		f, err := measure(from, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("backup: %w", err)
		}
		m.Files = append(m.Files, f)
	}
	text, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	packed := gzip.NewWriter(w)
	out := tar.NewWriter(packed)
	if err := member(out, manifestName, int64(len(text)), bytes.NewReader(text)); err != nil {
		return err
	}
	for _, f := range m.Files {
		if err := copyIn(out, from, f); err != nil {
			return err
		}
	}
	return errors.Join(out.Close(), packed.Close())
}

func measure(from, name string) (File, error) {
	f, err := os.Open(filepath.Join(from, filepath.FromSlash(name)))
	if err != nil {
		return File{}, err
	}
	defer f.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, f)
	return File{name, n, hex.EncodeToString(sum.Sum(nil))}, err
}

func copyIn(out *tar.Writer, from string, f File) error {
	in, err := os.Open(filepath.Join(from, filepath.FromSlash(f.Name)))
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	defer in.Close()
	return member(out, f.Name, f.Bytes, in)
}

func member(out *tar.Writer, name string, size int64, content io.Reader) error {
	if err := out.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: size, Typeflag: tar.TypeReg, Format: tar.FormatPAX}); err != nil {
		return fmt.Errorf("backup: %s: %w", name, err)
	}
	if _, err := io.CopyN(out, content, size); err != nil {
		return fmt.Errorf("backup: %s: %w", name, err)
	}
	return nil
}

// Read unpacks a backup into a folder that is there and empty, and flushes what it wrote. With an error the folder holds nothing that may
// be used. Errors: ErrDamaged, or the disk's.
func Read(r io.Reader, to string) (Manifest, error) {
	unpacked, err := gzip.NewReader(r)
	if err != nil {
		return Manifest{}, damaged("%v", err)
	}
	in := tar.NewReader(unpacked)
	m, err := readManifest(in)
	if err != nil {
		return m, err
	}
	for _, f := range m.Files {
		if err := unpack(in, f, to); err != nil {
			return m, err
		}
	}
	if _, err := in.Next(); !errors.Is(err, io.EOF) {
		return m, damaged("there is more in it than its manifest says")
	}
	if n, err := io.Copy(io.Discard, io.LimitReader(unpacked, maxManifest)); err != nil || n == maxManifest { // and the checksum behind it
		return m, damaged("its end is not right")
	}
	return m, nil
}

func readManifest(in *tar.Reader) (m Manifest, err error) {
	h, err := in.Next()
	if err != nil || h.Name != manifestName || h.Typeflag != tar.TypeReg || h.Size > maxManifest {
		return m, damaged("it does not begin with a manifest")
	}
	text, err := io.ReadAll(io.LimitReader(in, maxManifest))
	if err != nil {
		return m, damaged("its manifest ends early")
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&m); err != nil {
		return m, damaged("its manifest cannot be read: %v", err)
	}
	if m.Format != Format {
		return m, fmt.Errorf("the backup has format %d, and this program knows %d: use the release that made it (%s)", m.Format, Format, m.Version)
	}
	return m, m.check()
}

// check holds the manifest to the list of names, in its order, and to the bounds.
func (m Manifest) check() error {
	at := -1
	for _, f := range m.Files {
		i := slices.Index(Names(), f.Name)
		most := int64(maxSmall)
		if f.Name == Journal {
			most = maxFile
		}
		if i <= at || f.Bytes < 0 || f.Bytes > most || len(f.SHA256) != 2*sha256.Size {
			return damaged("its manifest names %.40q, which it cannot have there", f.Name)
		}
		at = i
	}
	if len(m.Files) == 0 || m.Files[0].Name != Journal {
		return damaged("it has no journal")
	}
	return nil
}

func unpack(in *tar.Reader, f File, to string) error {
	h, err := in.Next()
	if err != nil || h.Name != f.Name || h.Typeflag != tar.TypeReg || h.Size != f.Bytes {
		return damaged("%s is not where its manifest says", f.Name)
	}
	path := filepath.Join(to, filepath.FromSlash(f.Name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	sum := sha256.New()
	err = fill(io.MultiWriter(out, sum), in, f, sum)
	return errors.Join(err, out.Sync(), out.Close())
}

func fill(out io.Writer, in io.Reader, f File, sum hash.Hash) error {
	if n, err := io.Copy(out, in); err != nil || n != f.Bytes {
		if errors.Is(err, io.ErrUnexpectedEOF) || err == nil {
			return damaged("%s ends early", f.Name)
		}
		return fmt.Errorf("%s: %w", f.Name, err)
	}
	if hex.EncodeToString(sum.Sum(nil)) != f.SHA256 {
		return damaged("%s was changed", f.Name)
	}
	return nil
}
