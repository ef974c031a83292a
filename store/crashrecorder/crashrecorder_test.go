//go:build linux

package crashrecorder_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tillway/store/crashrecorder"
)

func TestMain(m *testing.M) {
	crashrecorder.Serve()
	os.Exit(m.Run())
}

// record runs what a program does to its files, and gives every state that a power cut could have left, up to want.
func record(t *testing.T, want int, deaf string, program func(r *crashrecorder.Recorder, dir string)) (states []crashrecorder.State) {
	t.Helper()
	dir := t.TempDir()
	r, err := crashrecorder.Mount(dir, deaf)
	if errors.Is(err, crashrecorder.ErrUnable) {
		t.Skipf("NOT CHECKED: the crash recorder itself: %v (Linux with /dev/fuse, as root)", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer r.Drop()
	program(r, dir)
	recording, err := r.End()
	if err != nil {
		t.Fatal(err)
	}
	for s := range recording.States(1, want) {
		states = append(states, s)
	}
	return states
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// put writes a file in the ways in which programs do it; flushed in part or whole.
func put(t *testing.T, path, text string, flushFile, flushFolder bool) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	must(t, err)
	_, err = f.WriteString(text)
	must(t, err)
	if flushFile {
		must(t, f.Sync())
	}
	must(t, f.Close())
	if flushFolder {
		flush(t, filepath.Dir(path))
	}
}

func flush(t *testing.T, folder string) {
	t.Helper()
	d, err := os.Open(folder)
	must(t, err)
	must(t, d.Sync())
	must(t, d.Close())
}

// TestReplacedFile is the oldest question: a file replaced by writing beside it and renaming. With both flushes nothing but
// the old or the new text is ever there, and the new one once it was promised; without one of them, states show what is lost.
func TestReplacedFile(t *testing.T) {
	before, after := strings.Repeat("old ", 300), strings.Repeat("new ", 400)
	for _, c := range []struct {
		name         string
		file, folder bool
		want         []string // what the file may hold, unpromised; "torn" stands for anything else
		lost         bool     // states there must be without the new text, after it was promised
	}{
		{"both flushed", true, true, []string{"old", "new"}, false},
		{"folder not flushed", true, false, []string{"old", "new"}, true},
		{"file not flushed", false, true, []string{"old", "new", "torn"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			seen, lost := map[string]bool{}, false
			for _, s := range record(t, 200, "", func(r *crashrecorder.Recorder, dir string) {
				put(t, filepath.Join(dir, "f"), before, true, true)
				r.Mark("old")
				put(t, filepath.Join(dir, "f.new"), after, c.file, false)
				must(t, os.Rename(filepath.Join(dir, "f.new"), filepath.Join(dir, "f")))
				if c.folder {
					flush(t, dir)
				}
				r.Mark("new")
			}) {
				if s.Marks == 0 {
					continue
				}
				what := "torn"
				switch string(s.Files["f"].Data) {
				case before:
					what = "old"
				case after:
					what = "new"
				}
				seen[what] = true
				lost = lost || (s.Marks == 2 && what != "new")
			}
			for _, want := range c.want {
				if !seen[want] {
					t.Errorf("no state is %s", want)
				}
				delete(seen, want)
			}
			if len(seen) > 0 {
				t.Errorf("states that cannot be: %v", seen)
			}
			if lost != c.lost {
				t.Errorf("lost after the promise: %t, want %t", lost, c.lost)
			}
		})
	}
}

// TestUnflushedWrites: of three writes without a flush, any may be missing, and a later one be there without an earlier; one
// may be torn at a sector, never within. What was flushed before stays.
func TestUnflushedWrites(t *testing.T) {
	const size = 1024
	block := func(of string) string { return strings.Repeat(of, size) }
	var reordered, torn, grown int
	for _, s := range record(t, 500, "", func(r *crashrecorder.Recorder, dir string) {
		put(t, filepath.Join(dir, "f"), block("0"), true, true)
		r.Mark(nil)
		f, err := os.OpenFile(filepath.Join(dir, "f"), os.O_WRONLY, 0)
		must(t, err)
		for i, text := range []string{"a", "b", "c"} {
			_, err := f.WriteAt([]byte(block(text)), int64((i+1)*size))
			must(t, err)
		}
		must(t, f.Close())
	}) {
		data := s.Files["f"].Data
		if s.Marks == 0 {
			continue
		}
		if len(data) < size || string(data[:size]) != block("0") {
			t.Fatalf("after operation %d (%s) what was flushed is gone", s.After, s.Fate)
		}
		has := [3]int{} // sectors that are there
		for at := size; at < len(data); at += 512 {
			sector := string(data[at:min(at+512, len(data))])
			i := at/size - 1
			switch {
			case sector == block(string(rune('a' + i)))[:512]:
				has[i]++
			case strings.Count(sector, "\x00") == 512 || strings.Count(sector, "\xA5") == 512:
				grown++
			default:
				t.Fatalf("a sector is torn within: %.16q at %d", sector, at)
			}
		}
		if has[0] == 0 && has[2] == 2 {
			reordered++
		}
		if has[1] == 1 {
			torn++
		}
	}
	if reordered == 0 || torn == 0 || grown == 0 {
		t.Errorf("%d states reordered, %d torn, %d grown without content", reordered, torn, grown)
	}
}

// TestFoldersModesAndLies: a new folder is there when the one above was flushed, a file's mode when the file was, and a disk
// that lies loses what it said it had flushed. Nothing is left of what was removed, once that is flushed.
func TestFoldersModesAndLies(t *testing.T) {
	states := record(t, 500, "sub/lies", func(r *crashrecorder.Recorder, dir string) {
		must(t, os.Mkdir(filepath.Join(dir, "sub"), 0o700))
		put(t, filepath.Join(dir, "sub/kept"), "kept", true, true)
		r.Mark("kept but for the folder's own name")
		flush(t, dir)
		r.Mark("kept")
		must(t, os.Chmod(filepath.Join(dir, "sub/kept"), 0o400))
		put(t, filepath.Join(dir, "sub/lies"), "lies", true, true)
		r.Mark("said to be kept")
		must(t, os.Remove(filepath.Join(dir, "sub/lies")))
		flush(t, filepath.Join(dir, "sub"))
		r.Mark("removed")
	})
	count := map[string]int{}
	for _, s := range states {
		kept, lies := s.Files["sub/kept"], s.Files["sub/lies"]
		switch {
		case s.Marks == 1 && !s.Files["sub"].Folder:
			count["folder lost"]++
		case s.Marks >= 2 && string(kept.Data) != "kept":
			t.Errorf("after operation %d (%s) sub/kept is lost", s.After, s.Fate)
		case s.Marks == 3 && string(lies.Data) != "lies":
			count["lie"]++
		}
		if s.Marks == 3 && kept.Mode == 0o600 {
			count["old mode"]++
		}
		if s.Marks == 3 && kept.Mode == 0o400 {
			count["new mode"]++
		}
		if _, there := s.Files["sub/lies"]; s.Marks == 4 && there {
			t.Errorf("after operation %d (%s) sub/lies is back", s.After, s.Fate)
		}
		dir := t.TempDir()
		must(t, s.Write(dir))
		for name, f := range s.Files {
			info, err := os.Stat(filepath.Join(dir, name))
			if err != nil || info.IsDir() != f.Folder || uint32(info.Mode().Perm()) != f.Mode || (!f.Folder && info.Size() != int64(len(f.Data))) {
				t.Errorf("%s was written as %v, %v", name, info, err)
			}
		}
	}
	for _, want := range []string{"folder lost", "lie", "old mode", "new mode"} {
		if count[want] == 0 {
			t.Errorf("no state shows: %s (%v)", want, count)
		}
	}
}
