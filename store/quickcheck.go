package store

import (
	"context"
	"fmt"
	"strings"
)

// QuickCheckBytes is the size of database up to which QuickCheck looks: it holds the one connection meanwhile, and is not broken off,
// because an interrupt could meet a commit.
const QuickCheckBytes = 64 << 20

// QuickCheck has SQLite look at the form of every page (PRAGMA quick_check): what is damaged in one line, empty when nothing is. looked is
// false for a database above QuickCheckBytes. It says nothing about contents: Verify does.
func (s *Store) QuickCheck(ctx context.Context) (damage string, looked bool, err error) {
	size, err := read(ctx, s, scanCells, "SELECT c.page_count * p.page_size FROM pragma_page_count c, pragma_page_size p")
	if err != nil {
		return "", false, err
	}
	if size[0].number(0) > QuickCheckBytes {
		return "", false, nil
	}
	lines, err := read(ctx, s, scanCells, "PRAGMA quick_check(1)")
	if err != nil {
		return "", true, err
	}
	for _, l := range lines {
		if text := l.text(0); text != "ok" {
			return strings.ReplaceAll(fmt.Sprintf("%.200s", text), "\n", " "), true, nil
		}
	}
	return "", true, nil
}

// Last is the highest number that was given, or may have been by an earlier run.
func (c *Counter) Last() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}
