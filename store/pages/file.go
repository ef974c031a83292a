package pages

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Bounds of what is read.
const (
	minPage   = 512
	maxPage   = 65536
	maxPages  = 1 << 24   // 64 GiB in pages of four kilobytes
	maxRecord = 512 << 10 // bytes of one row: the journal's have half of that
)

// The log's parts in bytes (4.1).
const (
	logHeader   = 32
	frameHeader = 24
)

// ErrPage says that the size of the pages is none that SQLite has.
var ErrPage = errors.New("no SQLite page size")

// File is a database, and its log where there is one, as bytes. Not safe for concurrent use.
type File struct {
	size   int // of a page
	pages  int64
	frames int64
	main   io.ReaderAt
	log    io.ReaderAt
	newest map[uint32]int64 // by page: its last frame in the log
	salt   [8]byte          // of the log's frames that are of its last run
}

// Open takes a database of mainBytes, and its log of logBytes (nil and 0: there is none), whose pages have size bytes. They stay the caller's to
// close, and must not change. Error: ErrPage, or that they cannot be read.
func Open(size int, main io.ReaderAt, mainBytes int64, log io.ReaderAt, logBytes int64) (*File, error) {
	if size < minPage || size > maxPage || size&(size-1) != 0 {
		return nil, fmt.Errorf("%w: %d", ErrPage, size)
	}
	f := &File{size: size, main: main, log: log, newest: map[uint32]int64{}}
	f.pages = min((mainBytes+int64(size)-1)/int64(size), maxPages) // the last may be cut
	if log == nil || logBytes < logHeader+frameHeader {
		return f, nil
	}
	f.frames = min((logBytes-logHeader)/int64(frameHeader+size), maxPages)
	return f, f.readFrames()
}

// readFrames finds the newest frame of each page. A frame of an earlier run of the log has another salt, and is passed over; checksums are
// not asked: a damaged frame costs its own rows and not those behind it.
func (f *File) readFrames() error {
	head := make([]byte, frameHeader)
	for n := range f.frames {
		if _, err := f.log.ReadAt(head, f.frame(n)); err != nil {
			return fmt.Errorf("log, frame %d: %w", n, err)
		}
		if n == 0 {
			copy(f.salt[:], head[8:16])
		}
		page := binary.BigEndian.Uint32(head)
		if page == 0 || page > maxPages || [8]byte(head[8:16]) != f.salt {
			continue
		}
		f.newest[page] = n
	}
	return nil
}

func (f *File) frame(n int64) int64 { return logHeader + n*int64(frameHeader+f.size) }

// at reads a page as it stands in the log's frame n, or in the database where n is below zero. A page that ends early is filled with zeros.
func (f *File) at(page uint32, n int64) ([]byte, error) {
	b := make([]byte, f.size)
	var err error
	if n >= 0 {
		_, err = f.log.ReadAt(b, f.frame(n)+frameHeader)
	} else {
		_, err = f.main.ReadAt(b, int64(page-1)*int64(f.size))
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return b, err
}

// now is a page as it was last written; nil where there is none.
func (f *File) now(page uint32) ([]byte, error) {
	if n, ok := f.newest[page]; ok {
		return f.at(page, n)
	}
	if page == 0 || int64(page) > f.pages {
		return nil, nil
	}
	return f.at(page, -1)
}

// Rows gives every row that is found, oldest version first: the database, then the log from its beginning. It ends with the first error of yield, or
// of reading.
func (f *File) Rows(yield func(Row) error) error {
	for page := range f.pages {
		b, err := f.at(uint32(page+1), -1) //nolint:gosec // at most maxPages
		if err != nil {
			return fmt.Errorf("page %d: %w", page+1, err)
		}
		if err := f.rows(b, page == 0, 0, yield); err != nil {
			return err
		}
	}
	head := make([]byte, frameHeader)
	for n := range f.frames {
		if _, err := f.log.ReadAt(head, f.frame(n)); err != nil {
			return fmt.Errorf("log, frame %d: %w", n, err)
		}
		page := binary.BigEndian.Uint32(head)
		b, err := f.at(page, n)
		if err != nil {
			return fmt.Errorf("log, frame %d: %w", n, err)
		}
		age := n + 1
		if [8]byte(head[8:16]) != f.salt {
			age = 0 // of an earlier run: the database has it, or newer
		}
		if err := f.rows(b, page == 1, age, yield); err != nil {
			return err
		}
	}
	return nil
}
