package main

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A scan looks for secrets in the memory of other processes and in files, in every form that a program may hold them in.
// It counts; it never prints what it found.
type scan struct {
	first [1 << 16]bool       // the first two bytes of a needle
	by    map[uint32][]needle // by the first four
	found map[string]int      // by needle's name and form
	where map[string][]string // the first places, by the same
	arena map[string]int      // found in memory that is locked and left out of core files, where the kernel has no better
	skip  []string            // mappings that this process may not read
	bytes int64               // looked at
	seen  map[string]struct{} // needles that were added
}

type needle struct {
	name string
	b    []byte
}

func newScan() *scan {
	return &scan{by: map[uint32][]needle{}, found: map[string]int{}, where: map[string][]string{}, arena: map[string]int{}, seen: map[string]struct{}{}}
}

// digits looks for a number as ASCII, packed two to a byte, and its ASCII in hexadecimal.
func (s *scan) digits(name, number string) {
	s.add(name+" ascii", []byte(number))
	s.add(name+" hex", []byte(hex.EncodeToString([]byte(number))))
	even := number
	if len(even)%2 == 1 {
		even += "F" // as track 2 and tag 5A are padded
	}
	if b, err := hex.DecodeString(even); err == nil {
		s.add(name+" bcd", b)
	}
}

// binary looks for bytes as they are and in hexadecimal of either case.
func (s *scan) binary(name string, b []byte) {
	s.add(name+" bytes", b)
	s.add(name+" hex", []byte(hex.EncodeToString(b)))
	s.add(name+" HEX", bytes.ToUpper([]byte(hex.EncodeToString(b))))
}

// add puts a needle in. Shorter than six bytes it would be found by chance.
func (s *scan) add(name string, b []byte) {
	if len(b) < 6 {
		panic(fmt.Sprintf("needle %s of %d bytes is too short to mean anything", name, len(b)))
	}
	if _, twice := s.seen[string(b)]; twice {
		return
	}
	s.seen[string(b)] = struct{}{}
	s.first[binary.LittleEndian.Uint16(b)] = true
	key := binary.LittleEndian.Uint32(b)
	s.by[key] = append(s.by[key], needle{name, slices.Clone(b)})
}

const (
	scanChunk   = 1 << 20
	scanOverlap = 512 // longer than every needle
)

// text counts needles in b that begin before limit.
func (s *scan) text(b []byte, limit int, where string, into map[string]int) {
	for i := 0; i < limit && i+4 <= len(b); i++ {
		if !s.first[binary.LittleEndian.Uint16(b[i:])] {
			continue
		}
		for _, n := range s.by[binary.LittleEndian.Uint32(b[i:])] {
			if !bytes.HasPrefix(b[i:], n.b) {
				continue
			}
			into[n.name]++
			if len(s.where[n.name]) < 3 {
				s.where[n.name] = append(s.where[n.name], fmt.Sprintf("%s+%#x", where, i))
			}
		}
	}
	s.bytes += int64(min(limit, len(b)))
}

// files looks through every file below a folder.
func (s *scan) files(folder string) error {
	return eachFile(folder, func(name string, text []byte) { s.text(text, len(text), name, s.found) })
}

func eachFile(folder string, do func(name string, text []byte)) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := folder + "/" + e.Name()
		switch {
		case e.IsDir():
			err = eachFile(name, do)
		case e.Type().IsRegular():
			var text []byte
			if text, err = os.ReadFile(name); err == nil {
				do(name, text)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// A mapping is one range of a process's memory.
type mapping struct {
	from, to uint64
	name     string
	locked   bool // and left out of core files: memory that somebody took for secrets
}

// process looks through all memory of a process that this one may read. While it looks the process stands still.
func (s *scan) process(pid int) error {
	maps, err := mappings(pid)
	if err != nil {
		return err
	}
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		return err
	}
	defer func() { _ = mem.Close() }() // only read
	chunk := make([]byte, scanChunk+scanOverlap)
	for _, m := range maps {
		into := s.found
		if m.locked {
			into = s.arena
		}
		for at := m.from; at < m.to; at += scanChunk {
			want := min(uint64(len(chunk)), m.to-at)
			n, err := mem.ReadAt(chunk[:want], int64(at)) //nolint:gosec // an address of user space
			if n == 0 {
				if err != nil && !errors.Is(err, io.EOF) {
					s.skip = append(s.skip, m.name)
				}
				break
			}
			s.text(chunk[:n], scanChunk, fmt.Sprintf("%s %#x", m.name, at), into)
		}
	}
	return nil
}

// mappings lists what a process has mapped readable, with the flags that say what it is for.
func mappings(pid int) (list []mapping, err error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/smaps", pid))
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	lines := bufio.NewScanner(f)
	readable := false
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) >= 5 && strings.Contains(words[0], "-") && !strings.HasSuffix(words[0], ":") {
			readable = words[1][0] == 'r'
			from, to, _ := strings.Cut(words[0], "-")
			m := mapping{name: strings.Join(words[5:], " ")}
			if m.from, err = strconv.ParseUint(from, 16, 64); err != nil {
				return nil, err
			}
			if m.to, err = strconv.ParseUint(to, 16, 64); err != nil {
				return nil, err
			}
			if m.name == "[vvar]" || m.name == "[vsyscall]" || m.name == "[vvar_vclock]" {
				readable = false // the kernel's
			}
			if readable {
				list = append(list, m)
			}
			continue
		}
		if readable && len(words) > 0 && words[0] == "VmFlags:" {
			list[len(list)-1].locked = slices.Contains(words, "lo") && slices.Contains(words, "dd")
		}
	}
	return list, lines.Err()
}

// report is what was found, by name, with the first places.
func (s *scan) report(counts map[string]int) string {
	if len(counts) == 0 {
		return "none"
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		out = append(out, fmt.Sprintf("%s: %d (%s)", name, counts[name], strings.Join(s.where[name], ", ")))
	}
	return strings.Join(out, "; ")
}

// only is the part of the counts whose names begin so.
func only(counts map[string]int, prefix string) map[string]int {
	out := map[string]int{}
	for name, n := range counts {
		if strings.HasPrefix(name, prefix) {
			out[name] = n
		}
	}
	return out
}

func sum(counts map[string]int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}

// plant is the child of TestScanFinds: it reads a number, keeps it in every form but forgets the text that it came in, and
// waits to be looked at.
func plant() {
	line, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if err != nil {
		panic(err)
	}
	keep := plantedForms(strings.TrimSpace(line))
	fmt.Println("planted")
	_, _ = io.Copy(io.Discard, os.Stdin) // until the parent closes it
	runtime.KeepAlive(keep)
}

// plantedForms are a number as text, packed and in hexadecimal, and a key that is made of it, as it is and in hexadecimal.
func plantedForms(number string) [][]byte {
	packed, err := hex.DecodeString(number)
	if err != nil {
		panic(err)
	}
	key := plantedKey(number)
	return [][]byte{[]byte(number), packed, []byte(hex.EncodeToString([]byte(number))), key, []byte(hex.EncodeToString(key))}
}

func plantedKey(number string) []byte {
	key := sha256.Sum256([]byte(number))
	return key[:16]
}

// TestScanFinds is the positive control of every scan here: each form that is planted in another process is found there,
// and a number that was not planted is not.
func TestScanFinds(t *testing.T) {
	var planted, absent string
	for _, n := range []*string{&planted, &absent} {
		var b [8]byte
		if _, err := rand.Read(b[:]); err != nil {
			t.Fatal(err)
		}
		*n = fmt.Sprintf("%012d", binary.BigEndian.Uint64(b[:])%1e12)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0]) //nolint:gosec // this test program
	cmd.Env = append(os.Environ(), childVariable+"=plant")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Wait() }() // it ends when its input does
	defer func() { _ = in.Close() }()
	if _, err := fmt.Fprintln(in, planted); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	s := newScan()
	s.digits("planted", planted)
	s.digits("absent", absent)
	s.binary("key", plantedKey(planted))
	if err := s.process(cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	for _, form := range []string{"planted ascii", "planted bcd", "planted hex", "key bytes", "key hex"} {
		if s.found[form] == 0 {
			t.Errorf("%s was planted and not found in %d bytes", form, s.bytes)
		}
	}
	if got := only(s.found, "absent"); len(got) > 0 {
		t.Errorf("found what nobody planted: %s", s.report(got))
	}
	folder := t.TempDir()
	for i, form := range plantedForms(planted) {
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprint(i)), append(make([]byte, 1<<20-3), form...), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f := newScan()
	f.digits("planted", planted)
	f.binary("key", plantedKey(planted))
	if err := f.files(folder); err != nil {
		t.Fatal(err)
	}
	if len(f.found) != 5 {
		t.Errorf("in files: %s", f.report(f.found))
	}
}
