package initramfs

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ErrLibrary says that a shared library is nowhere: the package that holds it has to be installed.
var ErrLibrary = errors.New("shared library not found")

// Libraries is where shared libraries are looked for, folder by folder. In the guest each stands where its name, and not a
// cache, leads the loader: in Inside.
type Libraries struct {
	Folders []string
	Inside  string // folder of the archive, one that the loader looks into by itself
}

// Program adds a program (or a shared library that a program opens by name) as name, with its loader and all that it is linked
// against. Errors: ErrLibrary, or that the file cannot be read.
func (a *Archive) Program(l Libraries, file, name string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	a.File(name, 0o755, text)
	needs, loader, err := dynamic(text)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if loader != "" {
		code, err := os.ReadFile(loader) // through the link that it usually is
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		a.File(loader, 0o755, code)
		// The loader is a library too, under its own name.
		a.File(filepath.Join(l.Inside, filepath.Base(loader)), 0o755, code)
	}
	for _, need := range needs {
		if err := a.Library(l, need); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	return nil
}

// Library adds a shared library, with those that it needs: one that a program opens by its name. Error: ErrLibrary.
func (a *Archive) Library(l Libraries, name string) error {
	inside := filepath.Join(l.Inside, name)
	if a.Has(inside) {
		return nil
	}
	at := l.find(name)
	if at == "" {
		return fmt.Errorf("%w: %s in %s", ErrLibrary, name, strings.Join(l.Folders, ", "))
	}
	return a.Program(l, at, inside)
}

func (l Libraries) find(name string) string {
	for _, folder := range l.Folders {
		at := filepath.Join(folder, name)
		if info, err := os.Stat(at); err == nil && info.Mode().IsRegular() {
			return at
		}
	}
	return ""
}

// dynamic is what a program is linked against, and its loader; neither for a static one.
func dynamic(text []byte) (needs []string, loader string, err error) {
	f, err := elf.NewFile(bytes.NewReader(text))
	if err != nil {
		return nil, "", err
	}
	for _, p := range f.Progs {
		if p.Type != elf.PT_INTERP {
			continue
		}
		b := make([]byte, min(p.Filesz, 4096))
		if _, err := p.ReadAt(b, 0); err != nil {
			return nil, "", err
		}
		loader = string(bytes.TrimRight(b, "\x00"))
	}
	if !slices.ContainsFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_DYNAMIC }) {
		return nil, loader, nil
	}
	needs, err = f.ImportedLibraries()
	return needs, loader, err
}
