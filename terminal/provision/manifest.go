package provision

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"time"
	"unicode"
	"unicode/utf8"
)

// Format is the version of the file format that this program reads and writes.
const Format = 1

// Bounds of a package.
const (
	MaxBytes    = 1 << 20  // of a whole file
	maxManifest = 32 << 10 // of its line
	maxParts    = 32
	maxSigners  = 8
	maxVersion  = 999_999_999
	maxNote     = 200 // bytes
	maxSigner   = 40  // bytes of a signer's name
)

// Manifest is what a package says of itself. Its JSON, as encoding/json writes it, is the one way to write it.
type Manifest struct {
	Format   int    `json:"format"`
	Terminal string `json:"terminal"` // the one terminal that it is for, 8 letters and digits
	Merchant string `json:"merchant"` // 15 letters and digits
	Version  uint32 `json:"version"`  // from 1; a terminal never goes back
	Note     string `json:"note"`     // one line for people, may be empty

	// Acquirer is the name of the one in force, of those that have parts of their own; empty: config.toml has the only one.
	Acquirer string `json:"acquirer,omitempty"`

	Trust []Signer `json:"trust"` // who may sign the package after this one
	Parts []Part   `json:"parts"` // in order of their names
}

// Signer is somebody who may sign packages.
type Signer struct {
	Name    string `json:"name"`
	Key     Key    `json:"key"`
	Expires Date   `json:"expires"` // the last day, in UTC
}

// Part is one file within a package.
type Part struct {
	Name   string `json:"name"`
	Size   int    `json:"size"` // bytes
	SHA256 Sum    `json:"sha256"`
}

// Key is an Ed25519 public key; as text it is base64.
type Key [ed25519.PublicKeySize]byte

// MarshalText writes base64.
func (k Key) MarshalText() ([]byte, error) {
	return base64.StdEncoding.AppendEncode(nil, k[:]), nil
}

// UnmarshalText reads base64, in its one form.
func (k *Key) UnmarshalText(b []byte) error {
	raw, err := base64.StdEncoding.Strict().DecodeString(string(b))
	if err != nil || len(raw) != len(k) {
		return fmt.Errorf("%.60q is no Ed25519 public key in base64", b)
	}
	copy(k[:], raw)
	return nil
}

// String is base64.
func (k Key) String() string { return base64.StdEncoding.EncodeToString(k[:]) }

// Fingerprint is what people compare: half of the SHA-256 of the key, in eight groups of four hexadecimal digits. It is as
// long as finding another key with the same one takes 2^128 tries.
func (k Key) Fingerprint() string {
	sum := sha256.Sum256(k[:])
	text := fmt.Sprintf("%X", sum[:16])
	var out []byte
	for i := 0; i < len(text); i += 4 {
		if i > 0 {
			out = append(out, '-')
		}
		out = append(out, text[i:i+4]...)
	}
	return string(out)
}

// Sum is a SHA-256; as text it is hexadecimal.
type Sum [sha256.Size]byte

// MarshalText writes hexadecimal digits, small ones.
func (s Sum) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, s[:]), nil }

// UnmarshalText reads hexadecimal digits.
func (s *Sum) UnmarshalText(b []byte) error {
	if raw, err := hex.DecodeString(string(b)); err != nil || copy(s[:], raw) != len(s) || len(raw) != len(s) {
		return fmt.Errorf("%.70q is no SHA-256", b)
	}
	return nil
}

// String is hexadecimal.
func (s Sum) String() string { return hex.EncodeToString(s[:]) }

// Short is the beginning of it, for people.
func (s Sum) Short() string { return s.String()[:16] }

// Date is a day like 2028-12-31.
type Date string

// UnmarshalText takes a day that there is.
func (d *Date) UnmarshalText(b []byte) error {
	day, err := time.Parse(time.DateOnly, string(b))
	if err != nil || day.Year() < 2000 {
		return fmt.Errorf("%.20q is no day: write it like 2028-12-31", b)
	}
	*d = Date(b)
	return nil
}

// Over says whether the whole day, in UTC, has passed at a time.
func (d Date) Over(now time.Time) bool {
	day, err := time.Parse(time.DateOnly, string(d))
	return err != nil || !now.Before(day.AddDate(0, 0, 1))
}

var (
	terminalForm = regexp.MustCompile(`^[A-Za-z0-9]{8}$`)
	acquirerForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)
	merchantForm = regexp.MustCompile(`^[A-Za-z0-9]{15}$`)
)

// check says what is wrong with a manifest; "" when nothing is.
func (m Manifest) check() string {
	switch {
	case m.Format != Format:
		return fmt.Sprintf("format %d is not the %d that this release reads", m.Format, Format)
	case !terminalForm.MatchString(m.Terminal):
		return fmt.Sprintf("terminal %.20q is not 8 letters and digits", m.Terminal)
	case !merchantForm.MatchString(m.Merchant):
		return fmt.Sprintf("merchant %.20q is not 15 letters and digits", m.Merchant)
	case m.Version < 1 || m.Version > maxVersion:
		return fmt.Sprintf("version %d is not 1 to %d", m.Version, maxVersion)
	case m.Acquirer != "" && !acquirerForm.MatchString(m.Acquirer):
		return fmt.Sprintf("acquirer %.40q is not 1 to 32 letters, digits, - and _", m.Acquirer)
	case !oneLine(m.Note, maxNote):
		return fmt.Sprintf("note has more than %d bytes, or more than one line", maxNote)
	case len(m.Trust) < 1 || len(m.Trust) > maxSigners:
		return fmt.Sprintf("trust names %d signers: 1 to %d", len(m.Trust), maxSigners)
	case len(m.Parts) > maxParts:
		return fmt.Sprintf("%d parts are more than %d", len(m.Parts), maxParts)
	}
	for i, s := range m.Trust {
		if s.Name == "" || !oneLine(s.Name, maxSigner) {
			return fmt.Sprintf("trust %d: a signer has a name of at most %d bytes", i+1, maxSigner)
		}
		if new(Date).UnmarshalText([]byte(s.Expires)) != nil {
			return fmt.Sprintf("trust %d: expires %.20q is no day like 2028-12-31", i+1, s.Expires)
		}
		for _, other := range m.Trust[:i] {
			if other.Key == s.Key || other.Name == s.Name {
				return fmt.Sprintf("trust names %.40q twice", s.Name)
			}
		}
	}
	for i, p := range m.Parts {
		kind, ok := kindOf(p.Name)
		switch {
		case !ok:
			return fmt.Sprintf("there is no part %.60q", p.Name)
		case i > 0 && p.Name <= m.Parts[i-1].Name:
			return fmt.Sprintf("part %s is out of order, or there twice", p.Name)
		case p.Size < 1 || p.Size > kind.most:
			return fmt.Sprintf("part %s has %d bytes: 1 to %d", p.Name, p.Size, kind.most)
		}
	}
	return ""
}

func oneLine(s string, most int) bool {
	if len(s) > most || !utf8.ValidString(s) {
		return false
	}
	for _, c := range s {
		if !unicode.IsPrint(c) {
			return false
		}
	}
	return true
}

// line is the manifest's line, without its end.
func (m Manifest) line() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(m); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// readManifest takes exactly what line writes: members that are unknown, there twice, in another order or spelt otherwise do
// not come out as they went in.
func readManifest(text []byte) (Manifest, error) {
	var m Manifest
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&m); err != nil {
		return m, fmt.Errorf("%w: the manifest cannot be read", ErrMalformed)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return m, fmt.Errorf("%w: something follows the manifest", ErrMalformed)
	}
	again, err := m.line()
	if err != nil || !bytes.Equal(again, text) {
		return m, fmt.Errorf("%w: the manifest is not written in its one form", ErrMalformed)
	}
	if problem := m.check(); problem != "" {
		return m, fmt.Errorf("%w: %s", ErrMalformed, problem)
	}
	return m, nil
}
