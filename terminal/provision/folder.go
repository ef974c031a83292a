package provision

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"tillway/terminal/profile"
)

// ErrFolder says that a folder is none that a package can be made of.
var ErrFolder = errors.New("the folder cannot be made a package of")

// ManifestFile is the one file of such a folder that is no part: what the manifest says, for people to write.
const ManifestFile = "package.toml"

// folderManifest is ManifestFile.
type folderManifest struct {
	Terminal string         `toml:"terminal"`
	Merchant string         `toml:"merchant"`
	Version  uint32         `toml:"version"`
	Note     string         `toml:"note"`
	Acquirer string         `toml:"acquirer"`
	Trust    []folderSigner `toml:"trust"`
}

type folderSigner struct {
	Name    string `toml:"name"`
	Key     Key    `toml:"key"`
	Expires Date   `toml:"expires"`
}

// FromFolder makes a package of a folder: package.toml, and a file for each part under the part's name. Any other file is refused,
// so that a slip of a name leaves nothing out. Errors: ErrFolder, and Encode's.
func FromFolder(dir fs.FS, key ed25519.PrivateKey) (*Package, error) {
	m, err := readFolderManifest(dir)
	if err != nil {
		return nil, err
	}
	parts := map[string][]byte{}
	err = fs.WalkDir(dir, ".", func(name string, d fs.DirEntry, err error) error {
		kind, known := kindOf(name)
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{".", "keys", "acquirers"}, name), name == ManifestFile:
			return nil
		case d.IsDir() || !known:
			return fmt.Errorf("%w: %s is no part of a package: the parts are %s", ErrFolder, name, partNames())
		case !d.Type().IsRegular():
			return fmt.Errorf("%w: %s is no plain file", ErrFolder, name)
		}
		parts[name], err = readBounded(dir, name, kind.most)
		return err
	})
	if err != nil {
		return nil, err
	}
	return Encode(m, parts, key)
}

func readFolderManifest(dir fs.FS) (Manifest, error) {
	text, err := readBounded(dir, ManifestFile, maxManifest)
	if errors.Is(err, fs.ErrNotExist) {
		return Manifest{}, fmt.Errorf("%w: it has no %s: pos provision new makes one", ErrFolder, ManifestFile)
	}
	if err != nil {
		return Manifest{}, err
	}
	if line, problem := profile.Bounds(text); problem != "" {
		return Manifest{}, fmt.Errorf("%w: %s line %d: %s", ErrFolder, ManifestFile, line, problem)
	}
	var f folderManifest
	md, err := toml.Decode(string(text), &f)
	if err != nil {
		return Manifest{}, fmt.Errorf("%w: %s: %s", ErrFolder, ManifestFile, strings.ReplaceAll(err.Error(), "\n", " "))
	}
	if extra := md.Undecoded(); len(extra) > 0 {
		return Manifest{}, fmt.Errorf("%w: %s: unknown key %s: terminal, merchant, version, note, acquirer and trust", ErrFolder, ManifestFile, extra[0])
	}
	m := Manifest{Format: Format, Terminal: f.Terminal, Merchant: f.Merchant, Version: f.Version, Note: f.Note, Acquirer: f.Acquirer, Parts: []Part{}}
	for _, s := range f.Trust {
		m.Trust = append(m.Trust, Signer(s))
	}
	if problem := m.check(); problem != "" {
		return m, fmt.Errorf("%w: %s: %s", ErrFolder, ManifestFile, problem)
	}
	return m, nil
}

func readBounded(dir fs.FS, name string, most int) ([]byte, error) {
	f, err := dir.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, int64(most)+1))
	if err == nil && len(b) > most {
		err = fmt.Errorf("%w: %s has more than %d bytes", ErrFolder, name, most)
	}
	return b, err
}

func partNames() string {
	var all []string
	for _, k := range partKinds() {
		all = append(all, path.Clean(k.name))
	}
	return strings.Join(append(all, keysPattern, acquirerPattern, acquirerCAPattern), ", ")
}
