package secure

import (
	"crypto/rand"
	"errors"
	"fmt"

	"golang.org/x/crypto/argon2"
)

// A Protector keeps the device key, which opens everything else that the module keeps. Here are the two of software: a
// file that only its user reads, and one sealed under an unlock secret. A TPM that unseals it, or a PKCS#11 token that
// unwraps it, takes their place through Options.Protect.
type Protector interface {
	// Protect gives the content of the device key's file, at most 4096 bytes, for a device key of 40 bytes.
	Protect(device []byte) (file []byte, err error)

	// Recover is Protect's inverse; the module wipes what it returns. Errors: ErrLocked, ErrFiles.
	Recover(file []byte) (device []byte, err error)

	// Storage says in a sentence what this protects against, and what not.
	Storage() string
}

// ErrLocked says that the unlock secret is missing or wrong.
var ErrLocked = errors.New("key files are locked: the unlock secret is missing or wrong")

const (
	deviceBytes   = len(deviceMagic) + idBytes + keyBytes
	maxDeviceFile = 4096
)

// deviceFile is the protector without a secret: the file is magic, identity, key.
type deviceFile struct{}

// Protect is Protector's.
func (deviceFile) Protect(device []byte) ([]byte, error) {
	return append([]byte(deviceMagic), device...), nil
}

// Recover is Protector's.
func (deviceFile) Recover(file []byte) ([]byte, error) {
	switch {
	case len(file) == lockedBytes && string(file[:len(lockedMagic)]) == lockedMagic:
		return nil, ErrLocked
	case len(file) != deviceBytes || string(file[:len(deviceMagic)]) != deviceMagic:
		return nil, fmt.Errorf("%w: no device key, or cut short", ErrFiles)
	}
	return append([]byte(nil), file[len(deviceMagic):]...), nil
}

// Storage is Protector's.
func (deviceFile) Storage() string {
	return "software: AES-256-GCM under a device key file (mode 0400); protects a stolen database or backup, not a stolen disk or a machine taken over"
}

// With an unlock secret the file is magic, identity, salt, and the key sealed under what Argon2id makes of the secret; all
// before it is associated data. Argon2id runs with the second set of RFC 9106, section 4: three passes over 64 MiB, four
// lanes. The magic fixes that: nothing in the file can lower it.
const (
	lockedMagic  = "TILLWDA1"
	saltBytes    = 16
	lockedHeader = len(lockedMagic) + idBytes + saltBytes
	lockedBytes  = lockedHeader + nonceSize + keyBytes + tagSize
	argonPasses  = 3
	argonKiB     = 64 << 10
	argonLanes   = 4
	minSecret    = 12 // bytes
	maxSecret    = 1024
)

// unlockSecret is the protector with one. What the secret became is kept, so that a new device key can be written while the
// module runs; the secret itself is its caller's, for the start alone.
type unlockSecret struct {
	secret []byte
	salt   [saltBytes]byte
	key    []byte // nil until it is derived
}

func (u *unlockSecret) derive() {
	u.key = argon2.IDKey(u.secret, u.salt[:], argonPasses, argonKiB, argonLanes, keyBytes)
}

// hold moves the derived key into the arena and forgets the secret.
func (u *unlockSecret) hold(a *arena) error {
	kept, err := a.keep(u.key)
	clear(u.key)
	u.key, u.secret = kept, nil
	return err
}

// Protect is Protector's.
func (u *unlockSecret) Protect(device []byte) ([]byte, error) {
	if u.key == nil {
		rand.Read(u.salt[:])
		u.derive()
	}
	c, err := newCipher(u.key)
	if err != nil {
		return nil, err
	}
	head := append(append([]byte(lockedMagic), device[:idBytes]...), u.salt[:]...)
	return c.Seal(head, nil, device[idBytes:], head), nil
}

// Recover is Protector's.
func (u *unlockSecret) Recover(file []byte) ([]byte, error) {
	if len(file) == deviceBytes && string(file[:len(deviceMagic)]) == deviceMagic {
		return nil, fmt.Errorf("%w: it needs no unlock secret, and one was given", ErrFiles)
	}
	if len(file) != lockedBytes || string(file[:len(lockedMagic)]) != lockedMagic {
		return nil, fmt.Errorf("%w: no device key, or cut short", ErrFiles)
	}
	if salt := [saltBytes]byte(file[lockedHeader-saltBytes : lockedHeader]); u.key == nil || salt != u.salt {
		clear(u.key)
		u.salt = salt
		u.derive()
	}
	c, err := newCipher(u.key)
	if err != nil {
		return nil, err
	}
	key, err := c.Open(nil, nil, file[lockedHeader:], file[:lockedHeader])
	if err != nil {
		clear(u.key)
		u.key = nil
		return nil, fmt.Errorf("%w: %w", ErrFiles, ErrLocked)
	}
	defer clear(key)
	return append(append(make([]byte, 0, idBytes+keyBytes), file[len(lockedMagic):len(lockedMagic)+idBytes]...), key...), nil
}

// Storage is Protector's.
func (u *unlockSecret) Storage() string {
	return "software: AES-256-GCM under an unlock secret (Argon2id); protects a stolen disk, not a machine taken over while it runs"
}
