package initramfs

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// ErrModule says that a kernel module is nowhere.
var ErrModule = errors.New("kernel module not found")

// ModuleList is the file that names the added modules, one a line, in the order to load them.
const ModuleList = "modules.list"

// Modules adds the named kernel modules of a lib/modules/VERSION folder, and those that they depend on, as modules/NAME.ko, and
// ModuleList. A module that is built into the kernel counts as there. Error: ErrModule.
func (a *Archive) Modules(folder string, names ...string) error {
	m := modules{archive: a, files: map[string]string{}, done: map[string]bool{}}
	err := filepath.WalkDir(folder, func(file string, _ fs.DirEntry, err error) error {
		if stem, rest, ok := strings.Cut(filepath.Base(file), ".ko"); ok && (rest == "" || rest == ".xz" || rest == ".zst") {
			m.files[underscores(stem)] = file
		}
		return err
	})
	if err != nil {
		return err
	}
	builtin, err := os.ReadFile(filepath.Join(folder, "modules.builtin"))
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(builtin)) {
		m.done[underscores(strings.TrimSuffix(filepath.Base(strings.TrimSpace(line)), ".ko"))] = true
	}
	for _, name := range names {
		if err := m.add(underscores(name)); err != nil {
			return err
		}
	}
	a.File(ModuleList, 0o644, []byte(strings.Join(m.order, "\n")+"\n"))
	return nil
}

// underscores is a module's name as the kernel has it: files are named with dashes or underscores, as it happens.
func underscores(name string) string { return strings.ReplaceAll(name, "-", "_") }

type modules struct {
	archive *Archive
	files   map[string]string // name: file
	done    map[string]bool
	order   []string
}

func (m *modules) add(name string) error {
	if name == "" || m.done[name] {
		return nil
	}
	m.done[name] = true
	file := m.files[name]
	if file == "" {
		return fmt.Errorf("%w: %s", ErrModule, name)
	}
	code, err := readModule(file)
	if err != nil {
		return err
	}
	needs, err := depends(code)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	for _, need := range needs {
		if err := m.add(underscores(need)); err != nil {
			return err
		}
	}
	m.archive.File("modules/"+name+".ko", 0o644, code)
	m.order = append(m.order, name)
	return nil
}

// readModule unpacks a module where the distribution packs them.
func readModule(file string) ([]byte, error) {
	unpack := map[string]string{".xz": "xz", ".zst": "zstd"}[filepath.Ext(file)]
	if unpack == "" {
		return os.ReadFile(file)
	}
	out, err := exec.Command(unpack, "-dc", file).Output() //nolint:noctx // one small file
	if err != nil {
		return nil, fmt.Errorf("unpacking %s: %w: is %s installed?", file, err, unpack)
	}
	return out, nil
}

// depends reads the modules that a module needs from its .modinfo: strings that end with a zero byte, "depends=a,b" among them.
func depends(code []byte) ([]string, error) {
	f, err := elf.NewFile(bytes.NewReader(code))
	if err != nil {
		return nil, err
	}
	section := f.Section(".modinfo")
	if section == nil {
		return nil, fmt.Errorf("%w: no .modinfo in it", ErrModule)
	}
	info, err := section.Data()
	if err != nil {
		return nil, err
	}
	for pair := range strings.SplitSeq(string(info), "\x00") {
		if list, ok := strings.CutPrefix(pair, "depends="); ok && list != "" {
			return strings.Split(list, ","), nil
		}
	}
	return nil, nil
}
