package provision

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Why a package is refused. Each is one sentence; whoever judges adds what to do.
var (
	ErrMalformed = errors.New("this is no whole parameter package")
	ErrSignature = errors.New("the signature is not of these bytes: the package was changed or cut after it was signed")
	ErrContent   = errors.New("the package cannot be used")
)

// Package is a package that was read or made: its signature is of its signer, whoever that is. Whether a terminal takes it is
// State.Judge's to say, and whether what is in it can be used Content's.
type Package struct {
	Manifest

	signer Key
	parts  map[string][]byte
	file   []byte
}

// Signer is the key that signed it.
func (p *Package) Signer() Key { return p.signer }

// File is the whole package as it was read or made. The caller must not change it.
func (p *Package) File() []byte { return p.file }

// Digest is the SHA-256 of the whole file.
func (p *Package) Digest() Sum { return sha256.Sum256(p.file) }

// Part is a part's bytes; nil where the package has none of that name. The caller must not change them.
func (p *Package) Part(name string) []byte { return p.parts[name] }

const (
	heading       = "tillway parameters 1\n"
	signerWord    = "signer "
	signatureWord = "signature "
	manifestWord  = "manifest "
)

// Encode makes a package of a manifest and its parts and signs it. Sizes, sums and order of the parts are put into the manifest;
// the same manifest, parts and key give the same bytes. Error: ErrMalformed, for what Parse would refuse.
func Encode(m Manifest, parts map[string][]byte, key ed25519.PrivateKey) (*Package, error) {
	m.Format, m.Parts = Format, []Part{}
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		m.Parts = append(m.Parts, Part{Name: name, Size: len(parts[name]), SHA256: sha256.Sum256(parts[name])})
	}
	line, err := m.line()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if _, err := readManifest(line); err != nil { // also text that is no UTF-8, which JSON would replace
		return nil, err
	}
	public, ok := key.Public().(ed25519.PublicKey)
	if !ok || len(key) != ed25519.PrivateKeySize {
		return nil, errors.New("the key is no Ed25519 private key")
	}
	head := heading + signerWord + base64.StdEncoding.EncodeToString(public) + "\n"
	rest := append(append([]byte(manifestWord), line...), '\n')
	for _, p := range m.Parts {
		rest = append(rest, parts[p.Name]...)
	}
	signature := ed25519.Sign(key, append([]byte(head), rest...))
	file := append([]byte(head+signatureWord+base64.StdEncoding.EncodeToString(signature)+"\n"), rest...)
	return Parse(file)
}

// Parse reads a package and verifies that its bytes are what its signer signed, before anything in it is looked at. Errors:
// ErrMalformed, ErrSignature.
func Parse(file []byte) (*Package, error) {
	if len(file) > MaxBytes {
		return nil, fmt.Errorf("%w: it has more than %d bytes", ErrMalformed, MaxBytes)
	}
	rest, ok := bytes.CutPrefix(file, []byte(heading))
	if !ok {
		return nil, fmt.Errorf("%w: it does not begin with %q", ErrMalformed, heading[:len(heading)-1])
	}
	var signer, signature []byte
	var err error
	if signer, rest, err = binaryLine(rest, signerWord, ed25519.PublicKeySize); err != nil {
		return nil, err
	}
	head := file[:len(file)-len(rest)]
	if signature, rest, err = binaryLine(rest, signatureWord, ed25519.SignatureSize); err != nil {
		return nil, err
	}
	signed := append(bytes.Clone(head), rest...)
	if !ed25519.Verify(signer, signed, signature) {
		return nil, ErrSignature
	}
	p := &Package{file: bytes.Clone(file), signer: Key(signer)}
	if err := p.open(rest); err != nil {
		return nil, err
	}
	return p, nil
}

// open reads manifest and parts, whose signature is right.
func (p *Package) open(rest []byte) (err error) {
	end := bytes.IndexByte(rest[:min(len(rest), maxManifest)], '\n')
	text, named := bytes.CutPrefix(rest[:max(end, 0)], []byte(manifestWord))
	if end < 0 || !named {
		return fmt.Errorf("%w: it has no manifest of at most %d bytes", ErrMalformed, maxManifest)
	}
	if p.Manifest, err = readManifest(text); err != nil {
		return err
	}
	body := p.file[len(p.file)-len(rest)+end+1:]
	p.parts = map[string][]byte{}
	for _, part := range p.Parts {
		if len(body) < part.Size {
			return fmt.Errorf("%w: part %s is cut short", ErrMalformed, part.Name)
		}
		content := body[:part.Size:part.Size]
		body = body[part.Size:]
		if sha256.Sum256(content) != part.SHA256 {
			return fmt.Errorf("%w: part %s is not the one that the manifest lists", ErrMalformed, part.Name)
		}
		p.parts[part.Name] = content
	}
	if len(body) > 0 {
		return fmt.Errorf("%w: %d bytes follow the last part", ErrMalformed, len(body))
	}
	return nil
}

// binaryLine reads a line of a word and so many bytes in base64, and returns what follows it.
func binaryLine(text []byte, word string, size int) (value, rest []byte, err error) {
	n := len(word) + base64.StdEncoding.EncodedLen(size) + 1
	if len(text) < n || string(text[:len(word)]) != word || text[n-1] != '\n' {
		return nil, nil, fmt.Errorf("%w: its line %q is missing or cut", ErrMalformed, word[:len(word)-1])
	}
	value, err = base64.StdEncoding.Strict().DecodeString(string(text[len(word) : n-1]))
	if err != nil || len(value) != size {
		return nil, nil, fmt.Errorf("%w: its line %q cannot be read", ErrMalformed, word[:len(word)-1])
	}
	return value, text[n:], nil
}
