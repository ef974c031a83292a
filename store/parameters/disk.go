package parameters

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"tillway/store"
)

// Disk is one folder, as far as it is needed here. Names are plain: no separator in them.
type Disk interface {
	// Read is a whole plain file of at most so many bytes. Error: fs.ErrNotExist, or that it is longer.
	Read(name string, most int) ([]byte, error)
	// Write makes a new file and flushes what is in it. Its name is durable after Sync.
	Write(name string, content []byte) error
	// Rename puts a file in the place of another, which is gone with it.
	Rename(from, to string) error
	// Remove takes a file away. Error: fs.ErrNotExist.
	Remove(name string) error
	// List is the names of all files.
	List() ([]string, error)
	// Sync flushes names: what was written, renamed or removed before it stays so.
	Sync() error
}

// folder is a Disk of the operating system's.
type folder struct{ path string }

// OpenFolder makes the folder, for this user alone, where it is missing.
func OpenFolder(path string) (Disk, error) {
	if err := store.MakeFolder(path); err != nil {
		return nil, fmt.Errorf("folder of the parameters: %w", err)
	}
	return folder{path}, nil
}

func (f folder) at(name string) string { return filepath.Join(f.path, filepath.Base(name)) }

// Read is Disk's.
func (f folder) Read(name string, most int) ([]byte, error) {
	file, err := os.OpenFile(f.at(name), os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(fmt.Errorf("%s is no plain file", f.at(name)), err)
	}
	b, err := io.ReadAll(io.LimitReader(file, int64(most)+1))
	if err == nil && len(b) > most {
		err = fmt.Errorf("%s has more than %d bytes", f.at(name), most)
	}
	return b, err
}

// Write is Disk's.
func (f folder) Write(name string, content []byte) error {
	if err := os.Remove(f.at(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := os.OpenFile(f.at(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	return errors.Join(err, file.Sync(), file.Close())
}

// Rename is Disk's.
func (f folder) Rename(from, to string) error { return os.Rename(f.at(from), f.at(to)) }

// Remove is Disk's.
func (f folder) Remove(name string) error { return os.Remove(f.at(name)) }

// List is Disk's.
func (f folder) List() ([]string, error) {
	entries, err := os.ReadDir(f.path)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

// Sync is Disk's.
func (f folder) Sync() error {
	d, err := os.Open(f.path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// replace puts a whole new file in the place of the old one, durably: the rename is the one moment at which it changes.
func replace(d Disk, name string, content []byte) error {
	if err := d.Write(name+fresh, content); err != nil {
		return err
	}
	if err := d.Rename(name+fresh, name); err != nil {
		return err
	}
	return d.Sync()
}

// fresh ends the names of files that are not in their place yet.
const fresh = ".new"
