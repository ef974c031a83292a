// Package secure is the secure module: the place where keys live, behind an interface that hands out results and never
// a key. It seals what the terminal must keep and may not keep clear.
//
// Here is the part that the journal needs, keys by name and authenticated sealing, and File, which does it within the
// calling process. It is not a hardware security module. What File protects against: somebody who has the database, its
// backup or a discarded disk without the device key file. What it does not protect against: root, the terminal's own
// user, a memory dump, or the raw flash under a file system that leaves old blocks behind. A module in a process of its
// own takes File's place through the same interface; the callers do not change.
//
// Sources: NIST SP 800-38D (AES-GCM, random 96-bit nonces, section 8.2.2: at most 2^32 sealings a key); PCI DSS 4.0.1,
// 3.5 and 3.6 (stored account data unreadable, keys kept apart from what they seal).
package secure

import (
	"context"
	"errors"
)

// Module keeps keys by name and seals with them. Safe for concurrent use. Names are 1 to 64 printable ASCII characters
// without space. No method returns a key, and no error holds data, sealed or clear.
type Module interface {
	// CreateKey makes a random key of that name, durable when it returns nil. A key that is there already stays as it
	// is: that is no error, so that a caller cut off between this and its own record may ask again.
	CreateKey(ctx context.Context, name string) error

	// DestroyKey takes the key away for good, durable when it returns nil; what it sealed can never be opened again. A
	// key that is not there is no error.
	DestroyKey(ctx context.Context, name string) error

	// Seal enciphers plain and authenticates it together with associated, which is not stored. Errors: ErrNoKey,
	// ErrTooLong.
	Seal(ctx context.Context, name string, associated, plain []byte) ([]byte, error)

	// Open is Seal's inverse. Errors: ErrNoKey, and ErrForged when sealed bytes or associated data are not those of Seal.
	Open(ctx context.Context, name string, associated, sealed []byte) ([]byte, error)
}

// What a module refuses. Callers test with errors.Is.
var (
	ErrName    = errors.New("not a key name")
	ErrNoKey   = errors.New("no such key")
	ErrForged  = errors.New("sealed data does not authenticate: changed, moved or of another key")
	ErrTooLong = errors.New("too long to seal")
	ErrFull    = errors.New("too many keys")
	ErrFiles   = errors.New("key files cannot be used") // absent, wrong mode or owner, damaged
	ErrClosed  = errors.New("secure module closed")
)

// Bounds.
const (
	maxName   = 64
	maxKeys   = 1024
	maxPlain  = 1 << 20
	keyBytes  = 32 // AES-256
	nonceSize = 12
	tagSize   = 16
)

func checkName(name string) error {
	if name == "" || len(name) > maxName {
		return ErrName
	}
	for i := range len(name) {
		if name[i] <= ' ' || name[i] > '~' {
			return ErrName
		}
	}
	return nil
}
