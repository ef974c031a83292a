package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"

	sqlite3 "github.com/mattn/go-sqlite3"

	"tillway/terminal"
)

// copiedAtOnce is how many pages are copied before others may write again: a few milliseconds.
const copiedAtOnce = 256

// Copy writes the journal as it is on disk into a new file at path, whole and by itself: no log beside it. It goes page by page between
// other writes, which it takes in, so that nobody waits for it. Rows that wait for their first commit are in no copy. The audit
// log's anchor is the caller's to keep (Anchor). path must not be there; what is left of a copy that failed is removed. A sale that is in
// its middle when the copy ends is refused with terminal.ErrBusy: whoever put the copy back would end that sale a second time.
func (s *Store) Copy(ctx context.Context, path string) (err error) {
	if err := makeNew(path); err != nil {
		return fmt.Errorf("copy of the journal: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("copy of the journal: %w", err), os.Remove(path))
		}
	}()
	full, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	opened, err := (&sqlite3.SQLiteDriver{}).Open("file:" + (&url.URL{Path: full}).EscapedPath() + "?mode=rw&_journal_mode=OFF&_synchronous=OFF")
	if err != nil {
		return err
	}
	to, ok := opened.(*sqlite3.SQLiteConn)
	if !ok {
		panic(fmt.Sprintf("store: the driver opens a %T", opened))
	}
	err = s.copyPages(ctx, to)
	if err == nil {
		err = between(to)
	}
	if err := errors.Join(err, to.Close()); err != nil {
		return err
	}
	return flushFile(path)
}

// between refuses a copy that has a sale in its middle.
func between(c *sqlite3.SQLiteConn) error {
	rows, err := c.Query("SELECT id FROM sale WHERE final = 0 LIMIT 1", nil)
	if err != nil {
		return err
	}
	switch err := errors.Join(rows.Next(make([]driver.Value, 1)), rows.Close()); {
	case err == nil:
		return terminal.ErrBusy
	case errors.Is(err, io.EOF):
		return nil
	default:
		return err
	}
}

func makeNew(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

func flushFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close(), syncFolder(path))
}

// copyPages copies until the copy is whole. What is written meanwhile goes through the same connection, and so into both.
func (s *Store) copyPages(ctx context.Context, to *sqlite3.SQLiteConn) (err error) {
	var copying *sqlite3.SQLiteBackup
	defer func() {
		if copying != nil {
			err = errors.Join(err, copying.Finish())
		}
	}()
	for done := false; !done; {
		err := s.withConnection(ctx, func(from *sqlite3.SQLiteConn) (err error) {
			if copying == nil {
				if copying, err = to.Backup("main", from, "main"); err != nil {
					return err
				}
			}
			done, err = copying.Step(copiedAtOnce)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// withConnection does something with the one connection, while nobody else writes.
func (s *Store) withConnection(ctx context.Context, do func(*sqlite3.SQLiteConn) error) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.end()
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return err
	}
	return errors.Join(conn.Raw(func(driven any) error {
		c, ok := driven.(*sqlite3.SQLiteConn)
		if !ok {
			panic(fmt.Sprintf("store: the connection is a %T", driven))
		}
		return do(c)
	}), conn.Close())
}

// Anchor is the audit log's sealed end as it lies beside the journal, for a copy's folder.
func (s *Store) Anchor(ctx context.Context) ([]byte, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	defer s.end()
	return readSmall(anchorPath(s.path))
}
