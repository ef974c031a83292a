package store

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"math"
	"os"
	"strings"
	"sync"
	"syscall"
)

// Counter gives ascending numbers from 1, none twice, whatever happens to the power or to the database. Its file, outside
// the database, says up to which number a block is leased; it says so, flushed, before the first number of the block is
// given. After a crash the rest of the block is skipped. Safe for concurrent use. One process at a time: a lock on
// path.lock, which ends with the process, refuses a second.
//
// What a Counter cannot see by itself: its own file put back from an old backup. Raise, with what the journal knows,
// narrows that; a Witness, kept where the backup does not reach, closes it.
type Counter struct {
	path  string
	block uint64
	lock  *os.File
	turn  chan struct{} // one slot: who writes the file

	witness Witness // nil without
	name    string  // there

	mu     sync.Mutex
	last   uint64 // given
	leased uint64 // on disk
	closed bool
}

// Witness remembers, away from the counter's file and database, how far numbers were leased. Raise has it on disk when it
// returns. Settle sets it back to what was really given, when the counter is closed.
type Witness interface {
	Highest(name string) uint64
	Raise(ctx context.Context, name string, n uint64) error
	Settle(ctx context.Context, name string, n uint64) error
}

// What a counter refuses with. With any of them, no number may be used.
var (
	ErrCounter   = errors.New("counter file cannot be used") // absent, damaged
	ErrExhausted = errors.New("counter exhausted: the terminal has to be set up anew")
)

// maxBlock bounds what a crash skips.
const maxBlock = 1 << 20

// counterForm is the whole file: the number, and the CRC-32C of the text before it. A file of any other length or form is
// damaged.
const counterForm = "tillway counter 1 leased %020d crc "

// CreateCounter is OpenCounter for a first start, when there is no database yet: a file that is not there is made, and
// counting begins at 1. A file that is there goes on as it is.
func CreateCounter(path string, block uint64) (*Counter, error) {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		if err := writeLease(path, 0); err != nil {
			return nil, err
		}
	}
	return OpenCounter(path, block)
}

// OpenCounter opens the file at path, which must be there, and leases the first block of that many numbers (1 to 2^20).
// An absent or damaged file is refused with ErrCounter: to guess would be to risk a number twice.
func OpenCounter(path string, block uint64) (*Counter, error) {
	if block == 0 || block > maxBlock {
		return nil, fmt.Errorf("counter %s: block of %d numbers, must be 1 to %d", path, block, maxBlock)
	}
	lock, err := lockFile(path + ".lock")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCounter, err)
	}
	leased, err := readLease(path)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	c := &Counter{path: path, block: block, lock: lock, turn: make(chan struct{}, 1), last: leased, leased: leased}
	if err := c.lease(context.Background(), leased+1); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return c, nil
}

// Next is lane.Counter's. It flushes only when the block is used up and nobody called Refill.
func (c *Counter) Next(ctx context.Context) (uint64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	for {
		n, want, err := c.take()
		if err != nil || want == 0 {
			return n, err
		}
		if err := c.lease(ctx, want); err != nil {
			return 0, err
		}
	}
}

// take gives the next number, or says which number has to be leased first.
func (c *Counter) take() (n, want uint64, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return 0, 0, fmt.Errorf("counter %s: %w", c.path, fs.ErrClosed)
	}
	if c.last >= math.MaxInt64 {
		return 0, 0, fmt.Errorf("counter %s: %w", c.path, ErrExhausted)
	}
	if c.last >= c.leased {
		return 0, c.last + 1, nil
	}
	c.last++
	return c.last, 0, nil
}

// Refill leases the next block once half of this one is used. The owner of idle time calls it, so that a sale does not
// wait for a flush; with nothing to do it costs nothing.
func (c *Counter) Refill(ctx context.Context) error {
	c.mu.Lock()
	left, want, closed := c.leased-c.last, c.leased+1, c.closed
	c.mu.Unlock()
	if left > c.block/2 && !closed {
		return nil
	}
	return c.lease(ctx, want)
}

// Raise makes sure that no number up to n is given any more. The daemon calls it at start with the highest number that
// the journal shows.
func (c *Counter) Raise(ctx context.Context, n uint64) error {
	if n >= math.MaxInt64 {
		return fmt.Errorf("counter %s: raise to %d: %w", c.path, n, ErrExhausted)
	}
	c.mu.Lock()
	behind, leased := c.last < n, c.leased
	c.mu.Unlock()
	if !behind {
		return nil
	}
	if leased <= n {
		if err := c.lease(ctx, n+1); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = max(c.last, n)
	return nil
}

// Witnessed makes sure that no number that w has seen is given again, and that w sees every lease from now on, before the
// first number of it is given. Called once, before the first Next.
func (c *Counter) Witnessed(ctx context.Context, w Witness, name string) error {
	if err := c.Raise(ctx, w.Highest(name)); err != nil {
		return err
	}
	c.mu.Lock()
	leased := c.leased
	c.mu.Unlock()
	if err := w.Raise(ctx, name, leased); err != nil {
		return fmt.Errorf("counter %s: %w", c.path, err)
	}
	c.witness, c.name = w, name
	return nil
}

// lease writes a lease that covers n, unless there is one.
func (c *Counter) lease(ctx context.Context, n uint64) error {
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-c.turn }()
	c.mu.Lock()
	leased, closed := c.leased, c.closed
	c.mu.Unlock()
	if closed {
		return fmt.Errorf("counter %s: %w", c.path, fs.ErrClosed)
	}
	if leased >= n {
		return nil
	}
	to := min(n-1, math.MaxInt64-c.block) + c.block
	if c.witness != nil {
		if err := c.witness.Raise(ctx, c.name, to); err != nil {
			return fmt.Errorf("counter %s: %w", c.path, err)
		}
	}
	if err := writeLease(c.path, to); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leased = to
	return nil
}

// Close gives the numbers of the block that were not used back, so that the next start goes on without a gap, and ends
// the counter. When that fails they are skipped, no more.
func (c *Counter) Close() error {
	c.turn <- struct{}{}
	defer func() { <-c.turn }()
	c.mu.Lock()
	closed, last, leased := c.closed, c.last, c.leased
	c.closed = true
	c.mu.Unlock()
	if closed {
		return nil
	}
	var err error
	if last != leased {
		err = writeLease(c.path, last)
	}
	if c.witness != nil && err == nil {
		err = c.witness.Settle(context.Background(), c.name, last)
	}
	return errors.Join(err, c.lock.Close())
}

// lockFile makes and locks a file for this process, until it is closed or the process ends (fcntl(2), advisory locks).
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.FcntlFlock(f.Fd(), syscall.F_SETLK, &syscall.Flock_t{Type: syscall.F_WRLCK}); err != nil {
		return nil, errors.Join(fmt.Errorf("%s is held by another process: stop the other daemon: %w", path, err), f.Close())
	}
	return f, nil
}

func encodeLease(leased uint64) string {
	text := fmt.Sprintf(counterForm, leased)
	return fmt.Sprintf("%s%08x\n", text, crc32.Checksum([]byte(text), crc32.MakeTable(crc32.Castagnoli)))
}

// decodeLease accepts exactly what encodeLease writes.
func decodeLease(text string) (uint64, bool) {
	var leased uint64
	if _, err := fmt.Sscanf(text, strings.TrimSuffix(counterForm, " crc "), &leased); err != nil {
		return 0, false
	}
	return leased, leased <= math.MaxInt64 && text == encodeLease(leased)
}

func readLease(path string) (uint64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, fmt.Errorf("%w: %w: put it back; on a terminal that never sold, create it", ErrCounter, err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 256))
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrCounter, err)
	}
	leased, ok := decodeLease(string(b))
	if !ok {
		return 0, fmt.Errorf("%w: %s is damaged: numbers could come twice; ask support for a new one above the highest number used", ErrCounter, path)
	}
	return leased, nil
}

// writeLease puts a whole new file in the old one's place, flushed, and flushes the folder.
func writeLease(path string, leased uint64) error {
	fresh := path + ".new"
	f, err := os.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCounter, err)
	}
	_, err = io.WriteString(f, encodeLease(leased))
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(fresh, path)
	}
	if err == nil {
		err = syncFolder(path)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCounter, err)
	}
	return nil
}

// Leased is up to which number the file says that numbers may have been given.
func (c *Counter) Leased() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.leased
}
