package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	sqlite3 "github.com/mattn/go-sqlite3"
	"github.com/pressly/goose/v3"
)

//go:embed migration/*.sql
var migrations embed.FS

// schema is the number of the newest migration, which each migration writes into user_version.
const schema = 5

// applicationID is "TILL", in the database's header.
const applicationID = 0x54494C4C

// Why a journal does not open, or stopped. Each comes with a sentence that says what to do.
var (
	ErrInUse    = errors.New("journal in use by another program")
	ErrDamaged  = errors.New("journal damaged")
	ErrForeign  = errors.New("not a Tillway journal")
	ErrNewer    = errors.New("journal written by a newer Tillway")
	ErrReadOnly = errors.New("journal cannot be written")
	ErrDiskFull = errors.New("disk full")
)

// settings are made on every connection, in this order, and then asked for: the exclusive lock comes before the first
// use of the log, which then needs no shared-memory file. Automatic checkpoints are a safety net at 64 MiB of log, for a
// daemon that finds no idle moment. The cache of pages is half a MiB, not SQLite's two: a sale reads and writes a handful of pages, and what
// does not fit is a read of the kernel's own cache.
var settings = []struct{ pragma, want string }{
	{"busy_timeout=2000", "2000"},
	{"locking_mode=exclusive", "exclusive"},
	{"journal_mode=wal", "wal"},
	{"synchronous=full", "2"},
	{"secure_delete=on", "1"},
	{"wal_autocheckpoint=16384", "16384"},
	{"temp_store=memory", "2"},
	{"cache_size=-512", "-512"},
	{"trusted_schema=off", "0"},
	{"cell_size_check=on", "1"},
}

type connector struct {
	dsn    string
	driver *sqlite3.SQLiteDriver
}

func (c connector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.dsn) }
func (c connector) Driver() driver.Driver                        { return c.driver }

// openDatabase opens one connection and keeps to it. Its driver belongs to it alone: nothing registers itself.
func openDatabase(ctx context.Context, path string) (*sql.DB, error) {
	if err := makeFile(path); err != nil {
		return nil, err
	}
	if err := looksLikeOne(path); err != nil {
		return nil, err
	}
	full, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	dsn := "file:" + (&url.URL{Path: full}).EscapedPath() + "?mode=rw&_txlock=immediate&_synchronous=FULL&_busy_timeout=2000"
	db := sql.OpenDB(connector{dsn, &sqlite3.SQLiteDriver{ConnectHook: apply}})
	db.SetMaxOpenConns(1)
	db.SetMaxIdleConns(1)
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// makeFile makes an empty database that only the daemon's user may read, where there is none, and makes its name durable.
func makeFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close(), syncFolder(path))
}

// magic begins every SQLite database that is not empty.
const magic = "SQLite format 3\x00"

// looksLikeOne refuses a file that does not begin as a database does, before SQLite sees it: that would delete the log beside it, which may
// hold what came last.
func looksLikeOne(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	head := make([]byte, len(magic))
	switch _, err := io.ReadFull(f, head); {
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return nil //nolint:nilerr // empty, made by makeFile; or SQLite says in its own words what is wrong
	case string(head) != magic:
		return fmt.Errorf("%w: %s: give another path, or move it away; if it was this terminal's journal, see posd db check", ErrForeign, path)
	}
	return nil
}

// MakeFolder makes a folder that only this user may look into, and those above it that are missing, and makes their names
// durable: what is flushed in a folder whose own name was not is lost with it when the power fails.
func MakeFolder(path string) error {
	path = filepath.Clean(path)
	if above := filepath.Dir(path); above != path {
		if _, err := os.Lstat(above); errors.Is(err, fs.ErrNotExist) {
			if err := MakeFolder(above); err != nil {
				return err
			}
		}
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		if info, serr := os.Stat(path); serr != nil || !info.IsDir() {
			return err
		}
		if err := syncFolder(path); !errors.Is(err, fs.ErrPermission) {
			return err // one that was there may lie in a folder that is somebody else's to flush
		}
		return nil
	}
	return syncFolder(path)
}

func syncFolder(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// apply makes the settings on a new connection and asserts that each is in force.
func apply(conn *sqlite3.SQLiteConn) error {
	for _, s := range settings {
		name, _, _ := strings.Cut(s.pragma, "=")
		if _, err := ask(conn, "PRAGMA "+s.pragma); err != nil {
			return err
		}
		got, err := ask(conn, "PRAGMA "+name)
		if err != nil {
			return err
		}
		if got != s.want {
			return fmt.Errorf("SQLite has %s %q where the journal needs %q: the folder's file system cannot do it; put the journal on a local disk", name, got, s.want)
		}
	}
	return nil
}

// ask runs a statement and returns the first column of its first row as text, or nothing.
func ask(conn *sqlite3.SQLiteConn, query string) (string, error) {
	rows, err := conn.Query(query, nil)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	value := make([]driver.Value, len(rows.Columns()))
	if err := rows.Next(value); err != nil || len(value) == 0 {
		if errors.Is(err, io.EOF) {
			return "", nil
		}
		return "", err
	}
	return fmt.Sprint(value[0]), nil
}

// migrate brings the schema up to date. Where it is already, that costs two reads of the header.
func migrate(ctx context.Context, db *sql.DB, path string) error {
	var id, version, tables int
	// The tool's own table alone is a first start that the power cut short.
	err := db.QueryRowContext(ctx, `SELECT application_id, user_version,
		(SELECT count(*) FROM sqlite_schema WHERE tbl_name NOT IN ('goose_db_version', 'sqlite_sequence'))
		FROM pragma_application_id, pragma_user_version`).Scan(&id, &version, &tables)
	if err != nil {
		return err
	}
	switch {
	case id == 0 && version == 0 && tables == 0: // new
	case id != applicationID:
		return fmt.Errorf("%w: %s is another program's database: give another path, or move it away", ErrForeign, path)
	case version > schema:
		return fmt.Errorf("%w: %s has schema %d, this program knows %d: install the newer program again", ErrNewer, path, version, schema)
	case version == schema:
		return nil
	}
	files, err := fs.Sub(migrations, "migration")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, files,
		goose.WithDisableGlobalRegistry(true), goose.WithSlog(slog.New(slog.DiscardHandler)))
	if err != nil {
		return err
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("bring the schema up to date: %w", err)
	}
	return nil
}

// explain puts an error of SQLite or of the file system into one line that says what to do. Others pass.
func explain(path string, err error) error {
	var e sqlite3.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("open journal: the folder of %s is not there: make it, or give another path: %w", path, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: %s: give the daemon's user write permission on file and folder: %w", ErrReadOnly, path, err)
	case !errors.As(err, &e):
		return err
	}
	switch e.Code {
	case sqlite3.ErrBusy, sqlite3.ErrLocked:
		return fmt.Errorf("%w: %s: stop the other daemon or tool that has it open: %w", ErrInUse, path, err)
	case sqlite3.ErrCorrupt:
		return fmt.Errorf("%w: %s: keep the file and its -wal as they are, and see posd db check, or put back the last backup: %w", ErrDamaged, path, err)
	case sqlite3.ErrNotADB:
		return fmt.Errorf("%w: %s: give another path, or move it away: %w", ErrForeign, path, err)
	case sqlite3.ErrReadonly, sqlite3.ErrPerm, sqlite3.ErrCantOpen:
		return fmt.Errorf("%w: %s: give the daemon's user write permission on file and folder: %w", ErrReadOnly, path, err)
	case sqlite3.ErrFull:
		return fmt.Errorf("%w: %s: free space on its disk, then start again: %w", ErrDiskFull, path, err)
	case sqlite3.ErrIoErr:
		return fmt.Errorf("%w: %s: the disk fails to read or write: look at the system log, replace the disk: %w", ErrDamaged, path, err)
	default:
	}
	return err
}
