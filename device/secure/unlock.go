package secure

import (
	"crypto/rand"
	"errors"
	"fmt"

	"golang.org/x/crypto/argon2"
)

// The device key file of a module with an unlock secret is magic, identity, salt, and the device key sealed under what
// Argon2id makes of the secret; all before the sealed key is associated data. Argon2id runs with the second set of
// RFC 9106, section 4: three passes over 64 MiB, four lanes. It is fixed by the magic: nothing in the file can lower it.
const (
	lockedMagic       = "TILLWDA1"
	saltBytes         = 16
	lockedHeader      = len(lockedMagic) + idBytes + saltBytes
	lockedDeviceBytes = lockedHeader + nonceSize + keyBytes + tagSize
	maxDeviceFile     = lockedDeviceBytes
	argonPasses       = 3
	argonKiB          = 64 << 10
	argonLanes        = 4
	minSecret         = 12 // bytes
	maxSecret         = 1024
)

// ErrLocked says that the unlock secret is missing or wrong.
var ErrLocked = errors.New("key files are locked: the unlock secret is missing or wrong")

// An unlock is what the secret became, kept while the files are read or written.
type unlock struct {
	salt [saltBytes]byte
	key  []byte
}

func newUnlock(secret []byte) *unlock {
	u := &unlock{}
	rand.Read(u.salt[:])
	u.derive(secret)
	return u
}

func (u *unlock) derive(secret []byte) {
	u.key = argon2.IDKey(secret, u.salt[:], argonPasses, argonKiB, argonLanes, keyBytes)
}

func (u *unlock) clear() {
	if u != nil {
		clear(u.key)
	}
}

// wrap is the whole device key file.
func (u *unlock) wrap(device []byte) ([]byte, error) {
	c, err := newCipher(u.key)
	if err != nil {
		return nil, err
	}
	head := append(append([]byte(lockedMagic), device[:idBytes]...), u.salt[:]...)
	return c.Seal(head, nil, device[idBytes:], head), nil
}

func unwrapDevice(path string, file, secret []byte) ([]byte, *unlock, error) {
	if len(secret) == 0 {
		return nil, nil, fmt.Errorf("%s: %w", path, ErrLocked)
	}
	u := &unlock{salt: [saltBytes]byte(file[lockedHeader-saltBytes : lockedHeader])}
	u.derive(secret)
	c, err := newCipher(u.key)
	if err != nil {
		return nil, nil, err
	}
	key, err := c.Open(nil, nil, file[lockedHeader:], file[:lockedHeader])
	if err != nil {
		u.clear()
		return nil, nil, fmt.Errorf("%s: %w: %w", path, ErrFiles, ErrLocked)
	}
	device := append(append(make([]byte, 0, idBytes+keyBytes), file[len(lockedMagic):len(lockedMagic)+idBytes]...), key...)
	clear(key)
	return device, u, nil
}
