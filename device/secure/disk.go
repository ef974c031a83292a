package secure

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// The device key's file is its protector's (protector.go). The sealed file is magic, identity of the device key that seals
// it, and, sealed, the length of the list in four bytes, the list, and the module's content (content.go); magic and
// identity are its associated data. The list is, for each key in order of name, a length
// byte, the name, the key.
const (
	deviceMagic = "TILLWDK1"
	sealedMagic = "TILLWSK2"
	firstMagic  = "TILLWSK1" // before there was anything but the list in the sealed file
	idBytes     = 8
	headerBytes = len(sealedMagic) + idBytes
	maxContent  = 256 << 10
	maxFile     = headerBytes + nonceSize + 4 + 2 + tagSize + maxKeys*(1+maxName+keyBytes) + maxContent
)

// keyring is the files' content, in memory only while they are read or rewritten.
type keyring struct {
	device  []byte            // identity and key
	keys    map[string][]byte // by name
	content []byte            // the rest of the sealed file
	protect Protector         // of the device key's file
}

func (k *keyring) clear() {
	clear(k.device)
	for _, key := range k.keys {
		clear(key)
	}
	clear(k.content)
}

func devicePath(path string) string { return path + ".device" }

// nextPath holds the new device key while a replacement is under way.
func nextPath(path string) string { return path + ".device.next" }

func create(path string, p Protector) error {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return nil // OpenFile says what is wrong with it, if anything
	}
	k := &keyring{keys: map[string][]byte{}, protect: p}
	defer k.clear()
	device, err := readDevice(devicePath(path), p)
	switch {
	case err == nil: // a first start cut off between the two files, or a sealed file that was lost
		k.device = device
	case errors.Is(err, fs.ErrNotExist):
		k.device = newDevice()
		content, err := k.protect.Protect(k.device)
		if err != nil {
			return err
		}
		defer clear(content)
		if err := replace(devicePath(path), content, 0o400); err != nil {
			return err
		}
	default:
		return err
	}
	return k.save(path)
}

func newDevice() []byte {
	device := make([]byte, idBytes+keyBytes)
	rand.Read(device)
	return device
}

// save replaces the sealed file, under the device key that is in force.
func (k *keyring) save(path string) error {
	header := append([]byte(sealedMagic), k.device[:idBytes]...)
	c, err := newCipher(k.device[idBytes:])
	if err != nil {
		return err
	}
	list := k.list()
	defer clear(list)
	plain := make([]byte, 0, 4+len(list)+len(k.content))
	plain = append(append(binary.BigEndian.AppendUint32(plain, uint32(len(list))), list...), k.content...)
	defer clear(plain)
	return replace(path, c.Seal(header, nil, plain, header), 0o600)
}

// rekey replaces both: the new device key is beside the old until the sealed file that needs it is in place.
func (k *keyring) rekey(path string) error {
	clear(k.device)
	k.device = newDevice()
	content, err := k.protect.Protect(k.device)
	if err != nil {
		return err
	}
	defer clear(content)
	if err := replace(nextPath(path), content, 0o400); err != nil {
		return err
	}
	if err := k.save(path); err != nil {
		return err
	}
	return promote(path)
}

// promote puts the next device key in the place of the old one, which is overwritten first: on a file system that
// writes in place, its bytes are gone.
func promote(path string) error {
	if err := overwrite(devicePath(path)); err != nil {
		return err
	}
	if err := os.Rename(nextPath(path), devicePath(path)); err != nil {
		return fmt.Errorf("%w: %w", ErrFiles, err)
	}
	return syncFolder(path)
}

// sealedBy says whether the sealed file is already under this device key, though its replacement did not end well.
func sealedBy(path string, device []byte) bool {
	b, err := read(path, 0o600, maxFile)
	return err == nil && len(b) >= headerBytes && slices.Equal(b[len(sealedMagic):headerBytes], device[:idBytes])
}

func overwrite(path string) error {
	if err := os.Chmod(path, 0o600); err != nil {
		return fmt.Errorf("%w: %w", ErrFiles, err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFiles, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFiles, err)
	}
	if _, err := f.Write(make([]byte, min(info.Size(), int64(maxDeviceFile)))); err != nil {
		return fmt.Errorf("%w: %w", ErrFiles, err)
	}
	return f.Sync()
}

func load(path string) (*keyring, error) { return loadWith(path, deviceFile{}) }

// loadWith opens both files, the device key's with what protects it.
func loadWith(path string, p Protector) (*keyring, error) {
	sealed, err := read(path, 0o600, maxFile)
	if err != nil {
		return nil, err
	}
	if len(sealed) < headerBytes+nonceSize+tagSize || !slices.Contains([]string{sealedMagic, firstMagic}, string(sealed[:len(sealedMagic)])) {
		return nil, fmt.Errorf("%w: %s is no key file, or cut short: put back the copy that belongs to this terminal", ErrFiles, path)
	}
	header := sealed[:headerBytes]
	device, err := deviceKey(path, header[len(sealedMagic):], p)
	if err != nil {
		return nil, err
	}
	k := &keyring{device: device, protect: p}
	c, err := newCipher(device[idBytes:])
	if err != nil {
		return nil, err
	}
	plain, err := c.Open(nil, nil, sealed[headerBytes:], header)
	if err != nil {
		k.clear()
		return nil, fmt.Errorf("%w: %s does not open with %s: one of them is damaged; put back the copy that belongs to this terminal", ErrFiles, path, devicePath(path))
	}
	defer clear(plain)
	list := plain
	if string(header[:len(sealedMagic)]) == sealedMagic {
		r := &reader{b: plain}
		n := r.u32()
		list = r.take(int(min(n, uint32(maxFile))))
		k.content = slices.Clone(r.b)
		if r.bad {
			list = nil
		}
	}
	if k.keys, err = parseList(list); err != nil {
		k.clear()
		return nil, fmt.Errorf("%w: %s: %w", ErrFiles, path, err)
	}
	return k, nil
}

// deviceKey finds the device key with the identity that the sealed file names, and puts right what a power cut in
// the middle of rekey left.
func deviceKey(path string, id []byte, p Protector) ([]byte, error) {
	next, err := readDevice(nextPath(path), p)
	switch {
	case err == nil && slices.Equal(next[:idBytes], id):
		if err := promote(path); err != nil {
			clear(next)
			return nil, err
		}
		return next, nil
	case err == nil:
		clear(next)
		if err := os.Remove(nextPath(path)); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrFiles, err)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	device, err := readDevice(devicePath(path), p)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(device[:idBytes], id) {
		clear(device)
		return nil, fmt.Errorf("%w: %s is not the device key that sealed %s: one of them comes from another terminal or an older backup", ErrFiles, devicePath(path), path)
	}
	return device, nil
}

// readDevice reads a device key's file.
func readDevice(path string, p Protector) ([]byte, error) {
	b, err := read(path, 0o400, maxDeviceFile)
	if err != nil {
		return nil, err
	}
	defer clear(b)
	device, err := p.Recover(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(device) != idBytes+keyBytes {
		clear(device)
		return nil, fmt.Errorf("%w: %s holds a device key of %d bytes", ErrFiles, path, len(device))
	}
	return device, nil
}

// read returns a file of at most limit bytes, if it is a plain file of ours with exactly that mode.
func read(path string, mode fs.FileMode, limit int) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w: without it nothing sealed can be opened; put it back, or start with a new state folder", ErrFiles, err)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFiles, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFiles, err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: %s is not a plain file", ErrFiles, path)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) != os.Geteuid() {
		return nil, fmt.Errorf("%w: %s belongs to user %d, must belong to %d: chown %d %s", ErrFiles, path, st.Uid, os.Geteuid(), os.Geteuid(), path)
	}
	if info.Mode().Perm() != mode {
		return nil, fmt.Errorf("%w: %s has mode %04o, must be %04o: chmod %04o %s", ErrFiles, path, info.Mode().Perm(), mode, mode, path)
	}
	b, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFiles, err)
	}
	if len(b) > limit {
		clear(b)
		return nil, fmt.Errorf("%w: %s is longer than %d bytes", ErrFiles, path, limit)
	}
	return b, nil
}

// lockFile makes and locks a file for this process, until it is closed or the process ends (fcntl(2), advisory locks).
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFiles, err)
	}
	if err := syscall.FcntlFlock(f.Fd(), syscall.F_SETLK, &syscall.Flock_t{Type: syscall.F_WRLCK}); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %s is held by another process: stop the other daemon: %w", ErrFiles, path, err), f.Close())
	}
	return f, nil
}

// replace writes a file beside path, flushes it, renames it over path and flushes the folder.
func replace(path string, content []byte, mode fs.FileMode) error {
	fresh := path + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", ErrFiles, err)
	}
	f, err := os.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFiles, err)
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(fresh, path)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFiles, err)
	}
	return syncFolder(path)
}

// makeFolder makes a folder, and those above it that are missing, and makes their names durable: a file that was flushed in
// a folder whose own name was not is lost with it when the power fails.
func makeFolder(path string) error {
	if above := filepath.Dir(path); above != path {
		if _, err := os.Lstat(above); errors.Is(err, fs.ErrNotExist) {
			if err := makeFolder(above); err != nil {
				return err
			}
		}
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		if info, serr := os.Stat(path); serr != nil || !info.IsDir() {
			return err
		}
		if err := syncFolder(path); !errors.Is(err, fs.ErrPermission) {
			return err // one that was there may lie in a folder that is somebody else's to flush
		}
		return nil
	}
	return syncFolder(path)
}

func syncFolder(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFiles, err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("%w: %w", ErrFiles, err)
	}
	return nil
}

func (k *keyring) list() []byte {
	names := make([]string, 0, len(k.keys))
	for name := range k.keys {
		names = append(names, name)
	}
	slices.Sort(names)
	out := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(names)*(1+maxName+keyBytes)), uint16(len(names)))
	for _, name := range names {
		out = append(out, byte(len(name)))
		out = append(out, name...)
		out = append(out, k.keys[name]...)
	}
	return out
}

var errList = errors.New("key list malformed")

func parseList(b []byte) (map[string][]byte, error) {
	if len(b) < 2 {
		return nil, errList
	}
	n := int(binary.BigEndian.Uint16(b))
	b = b[2:]
	if n > maxKeys {
		return nil, errList
	}
	keys, last := make(map[string][]byte, n), ""
	for range n {
		if len(b) < 1 || len(b) < 1+int(b[0])+keyBytes {
			return nil, errList
		}
		size := int(b[0])
		name := string(b[1 : 1+size])
		if checkName(name) != nil || name <= last {
			return nil, errList
		}
		keys[name] = slices.Clone(b[1+size : 1+size+keyBytes])
		b, last = b[1+size+keyBytes:], name
	}
	if len(b) != 0 {
		return nil, errList
	}
	return keys, nil
}
