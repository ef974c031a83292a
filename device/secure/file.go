package secure

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"sync"
)

// File is a Module within the calling process. Two files hold its keys: the device key at path.device (mode 0400), and
// at path (mode 0600) the named keys, sealed under the device key. Each is replaced atomically and flushed, file and
// folder. DestroyKey makes a new device key too, so that an older copy of the sealed file, say in a backup, cannot be
// opened with the device key of today; the backup must therefore leave path.device out. One process at a time: a lock on
// path.lock, which ends with the process, refuses a second.
//
// Between calls File holds ciphers, not key bytes; Go offers no way to clear a cipher's key schedule, nor copies that the
// runtime makes. The bytes that it does handle (file contents, new keys) are cleared after use.
type File struct {
	path string
	lock *os.File
	turn chan struct{} // one slot: who rewrites the files

	mu      sync.Mutex
	ciphers map[string]cipher.AEAD // nil once closed
}

var _ Module = (*File)(nil)

// OpenFile opens the keys at path. Both files must be there, plain files of the calling user that nobody else can read:
// else ErrFiles with the fix in the text. An unfinished replacement, left by a power cut, is finished or undone.
func OpenFile(path string) (*File, error) { return open(path, false) }

func open(path string, first bool) (f *File, err error) {
	lock, err := lockFile(path + ".lock")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, lock.Close())
		}
	}()
	if first {
		if err := create(path); err != nil {
			return nil, err
		}
	}
	all, err := load(path)
	if err != nil {
		return nil, err
	}
	defer all.clear()
	f = &File{path: path, lock: lock, turn: make(chan struct{}, 1), ciphers: make(map[string]cipher.AEAD, len(all.keys))}
	for name, key := range all.keys {
		if f.ciphers[name], err = newCipher(key); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// CreateFile is OpenFile for a first start: it makes the sealed file, with no key in it, where there is none, and a device
// key where there is neither. A sealed file without its device key is refused, as by OpenFile: the key is lost, and what
// it sealed with it.
func CreateFile(path string) (*File, error) { return open(path, true) }

// CreateKey is Module's.
func (f *File) CreateKey(ctx context.Context, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	if err := f.begin(ctx); err != nil {
		return err
	}
	defer f.end()
	if _, err := f.cipher(name); err == nil {
		return nil
	}
	all, err := load(f.path)
	if err != nil {
		return err
	}
	defer all.clear()
	if len(all.keys) >= maxKeys {
		return fmt.Errorf("%d keys: %w", len(all.keys), ErrFull)
	}
	key := make([]byte, keyBytes)
	rand.Read(key)
	all.keys[name] = key
	c, err := newCipher(key)
	if err != nil {
		return err
	}
	if err := all.save(f.path); err != nil {
		return fmt.Errorf("new key: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ciphers[name] = c
	return nil
}

// DestroyKey is Module's.
func (f *File) DestroyKey(ctx context.Context, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	if err := f.begin(ctx); err != nil {
		return err
	}
	defer f.end()
	if _, err := f.cipher(name); err != nil {
		return nil // it is not there: nothing to destroy
	}
	all, err := load(f.path)
	if err != nil {
		return err
	}
	defer all.clear()
	clear(all.keys[name])
	delete(all.keys, name)
	if err := all.rekey(f.path); err != nil {
		return fmt.Errorf("destroy a key: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.ciphers, name)
	return nil
}

// Seal is Module's. The result is nonce, ciphertext and tag: 28 bytes longer than plain.
func (f *File) Seal(ctx context.Context, name string, associated, plain []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(plain) > maxPlain {
		return nil, fmt.Errorf("%d bytes: %w", len(plain), ErrTooLong)
	}
	c, err := f.cipher(name)
	if err != nil {
		return nil, err
	}
	return c.Seal(nil, nil, plain, associated), nil
}

// Open is Module's.
func (f *File) Open(ctx context.Context, name string, associated, sealed []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(sealed) > maxPlain+nonceSize+tagSize {
		return nil, fmt.Errorf("%d bytes: %w", len(sealed), ErrForged)
	}
	c, err := f.cipher(name)
	if err != nil {
		return nil, err
	}
	plain, err := c.Open(nil, nil, sealed, associated)
	if err != nil {
		return nil, ErrForged
	}
	return plain, nil
}

// Close waits for a change of keys under way and lets go of the keys; every later call returns ErrClosed.
func (f *File) Close() error {
	f.turn <- struct{}{}
	defer f.end()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ciphers == nil {
		return nil
	}
	f.ciphers = nil
	return f.lock.Close()
}

func (f *File) begin(ctx context.Context) error {
	select {
	case f.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ciphers == nil {
		<-f.turn
		return ErrClosed
	}
	return nil
}

func (f *File) end() { <-f.turn }

func (f *File) cipher(name string) (cipher.AEAD, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ciphers == nil {
		return nil, ErrClosed
	}
	c, ok := f.ciphers[name]
	if !ok {
		return nil, fmt.Errorf("key %q: %w", name, ErrNoKey)
	}
	return c, nil
}

func newCipher(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}
