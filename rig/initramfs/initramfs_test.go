package initramfs

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// entry is one of an archive, as read by the format's description.
type entry struct {
	mode int
	data string
}

// unpack reads a newc archive: header of six and thirteen times eight characters, name and data filled to four bytes each.
func unpack(t *testing.T, b []byte) map[string]entry {
	t.Helper()
	all := map[string]entry{}
	for at := 0; ; {
		head := string(b[at : at+110])
		if head[:6] != "070701" {
			t.Fatalf("magic %q at %d", head[:6], at)
		}
		var fields [13]int
		for i := range fields {
			if _, err := fmt.Sscanf(head[6+8*i:14+8*i], "%x", &fields[i]); err != nil {
				t.Fatal(err)
			}
		}
		mode, size, nameSize := fields[1], fields[6], fields[11]
		name := string(b[at+110 : at+110+nameSize-1])
		if b[at+110+nameSize-1] != 0 {
			t.Fatalf("%q does not end with zero", name)
		}
		at = (at + 110 + nameSize + 3) &^ 3
		data := string(b[at : at+size])
		at = (at + size + 3) &^ 3
		if name == "TRAILER!!!" {
			if at != len(b) {
				t.Errorf("%d bytes behind the end", len(b)-at)
			}
			return all
		}
		if _, twice := all[name]; twice {
			t.Errorf("%s stands there twice", name)
		}
		all[name] = entry{mode, data}
	}
}

func TestArchive(t *testing.T) {
	var b bytes.Buffer
	a := NewArchive(&b)
	a.File("/a/b/c", 0o644, []byte("three"))
	a.File("a/b/../b/c", 0o600, []byte("again"))
	a.Link("a/l", "b/c")
	a.Folder("a")
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	got := unpack(t, b.Bytes())
	want := map[string]entry{"a": {0o040755, ""}, "a/b": {0o040755, ""}, "a/b/c": {0o100644, "three"}, "a/l": {0o120777, "b/c"}}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", got, want)
	}
	if !a.Has("a/b") || a.Has("b") {
		t.Error("Has does not know what is there")
	}
	a = NewArchive(&b)
	if a.File("/", 0o600, nil); a.Close() == nil {
		t.Error("a file without a name was taken")
	}
}

// TestProgram takes this test's own program and the shell, which is linked against the C library.
func TestProgram(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Log("NOT CHECKED: programs are ELF files on Linux alone")
		return
	}
	var b bytes.Buffer
	a := NewArchive(&b)
	l := Libraries{Folders: []string{"/lib/" + runtime.GOARCH + "-linux-gnu", "/lib/x86_64-linux-gnu", "/lib/aarch64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib"}, Inside: "lib/inside"}
	if err := a.Program(l, "/bin/sh", "bin/sh"); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	files := unpack(t, b.Bytes())
	needs, loader, err := dynamic([]byte(files["bin/sh"].data))
	if err != nil {
		t.Fatal(err)
	}
	for _, need := range needs {
		if files["lib/inside/"+need].data == "" {
			t.Errorf("%s is missing", need)
		}
	}
	if loader != "" && files[clean(loader)].data == "" {
		t.Errorf("the loader %s is missing", loader)
	}
	if len(needs) > 0 {
		l.Folders = []string{t.TempDir()}
		if err := NewArchive(&b).Program(l, "/bin/sh", "bin/sh"); !errors.Is(err, ErrLibrary) || !strings.Contains(err.Error(), needs[0]) {
			t.Errorf("a library that is nowhere: %v", err)
		}
	}
	if err := NewArchive(&b).Program(l, "initramfs_test.go", "x"); err == nil {
		t.Error("a text was taken for a program")
	}
}

func TestModules(t *testing.T) {
	folder := t.TempDir()
	write := func(name string, data []byte) {
		if err := os.WriteFile(filepath.Join(folder, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("modules.builtin", []byte("kernel/drivers/usb/core/usbcore.ko\n"))
	write("low-part.ko", module("name=low_part\x00depends=\x00"))
	write("top.ko", module("license=GPL\x00depends=low_part,usbcore\x00"))
	write("lost.ko", module("depends=nowhere\x00"))
	write("other.ko", module("depends=\x00"))
	var b bytes.Buffer
	a := NewArchive(&b)
	if err := a.Modules(folder, "top", "low_part", "usbcore"); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	files := unpack(t, b.Bytes())
	if got := files[ModuleList].data; got != "low_part\ntop\n" {
		t.Errorf("order of loading: %q", got)
	}
	if files["modules/low_part.ko"].data == "" || files["modules/top.ko"].data == "" || files["modules/other.ko"].data != "" {
		t.Error("not the modules that were asked for")
	}
	for _, bad := range []string{"lost", "unknown"} {
		if err := NewArchive(&b).Modules(folder, bad); !errors.Is(err, ErrModule) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// module is an ELF file that has a .modinfo and nothing else.
func module(info string) []byte {
	const names = "\x00.modinfo\x00.shstrtab\x00"
	const head, section = 64, 64
	le := func(n uint64, size int) (b []byte) {
		for range size {
			b, n = append(b, byte(n)), n>>8
		}
		return b
	}
	at := head + len(names)
	sections := at + len(info)
	b := append([]byte("\x7fELF\x02\x01\x01"), make([]byte, 9)...)
	for _, f := range []struct {
		n    int
		size int
	}{{1, 2}, {62, 2}, {1, 4}, {0, 8}, {0, 8}, {sections, 8}, {0, 4}, {head, 2}, {0, 2}, {0, 2}, {section, 2}, {3, 2}, {2, 2}} {
		b = append(b, le(uint64(f.n), f.size)...)
	}
	b = append(append(b, names...), info...)
	row := func(name, kind, offset, size int) {
		for _, f := range []struct {
			n    int
			size int
		}{{name, 4}, {kind, 4}, {0, 8}, {0, 8}, {offset, 8}, {size, 8}, {0, 4}, {0, 4}, {1, 8}, {0, 8}} {
			b = append(b, le(uint64(f.n), f.size)...)
		}
	}
	row(0, 0, 0, 0)
	row(1, 1, at, len(info))
	row(10, 3, head, len(names))
	return b
}

// FuzzDepends: any bytes give names or an error.
func FuzzDepends(f *testing.F) {
	f.Add(module("depends=a,b\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		names, err := depends(b)
		if err != nil && len(names) > 0 {
			t.Fatalf("%q and %v", names, err)
		}
		_, _, _ = dynamic(b)
	})
}
