package ledger

import (
	"context"
	"crypto/rand"
	"database/sql"
	"database/sql/driver"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	sqlite3 "github.com/mattn/go-sqlite3"

	"tillway/money"
)

//go:embed schema.sql
var schema string

// applicationID is "TLDG", in the database's header; version is the schema's.
const (
	applicationID = 0x544C4447
	version       = 1
)

// Why a ledger does not open. Each comes with a sentence that says what to do.
var (
	ErrInUse   = errors.New("ledger in use by another program")
	ErrForeign = errors.New("not a ledger of this program")
	ErrDamaged = errors.New("ledger damaged")
)

// settings are made on every connection and then asked for; the exclusive lock comes before the first use of the log.
var settings = []struct{ pragma, want string }{
	{"busy_timeout=500", "500"},
	{"locking_mode=exclusive", "exclusive"},
	{"journal_mode=wal", "wal"},
	{"synchronous=full", "2"},
	{"foreign_keys=on", "1"},
	{"temp_store=memory", "2"},
	{"trusted_schema=off", "0"},
	{"cell_size_check=on", "1"},
}

// file is the database. Its one user is the Ledger, which commits one batch after the other.
type file struct {
	db                 *sql.DB
	entry, leg, record *sql.Stmt
}

type connector struct {
	dsn    string
	driver *sqlite3.SQLiteDriver
}

func (c connector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.dsn) }
func (c connector) Driver() driver.Driver                        { return c.driver }

// Open opens the ledger of a folder, or makes it: ledger.db, and ledger.key, under which card numbers are marked. records
// gets every record, oldest first. One program may have it open. The caller closes it. Errors: ErrInUse, ErrForeign,
// ErrDamaged (an entry that does not balance, or a gap), and those of the file system.
func Open(ctx context.Context, folder string, records func(Record) error) (*Ledger, error) {
	if err := makeFolder(folder); err != nil {
		return nil, fmt.Errorf("folder of the ledger: %w", err)
	}
	l := InMemory()
	path := filepath.Join(folder, "ledger.db")
	_, err := os.Stat(path)
	fresh := errors.Is(err, fs.ErrNotExist)
	if l.key, err = markKey(filepath.Join(folder, "ledger.key"), fresh); err != nil {
		return nil, err
	}
	db, err := connect(ctx, path)
	if err != nil {
		return nil, explain(path, err)
	}
	l.file = &file{db: db}
	if err := l.file.prepare(ctx, path); err != nil {
		return nil, errors.Join(explain(path, err), db.Close())
	}
	if err := l.load(ctx, records); err != nil {
		return nil, errors.Join(explain(path, err), db.Close())
	}
	return l, nil
}

// Close commits what waits and closes the database. In memory it does nothing.
func (l *Ledger) Close() error {
	if l.file == nil {
		return nil
	}
	return errors.Join(l.Sync(), l.file.db.Close())
}

// markKey reads the key of the marks, or makes it for a new ledger. Without it a ledger's transactions could not be
// recognised any more.
func markKey(path string, fresh bool) ([]byte, error) {
	key, err := os.ReadFile(path)
	switch {
	case err == nil && len(key) == 32:
		return key, nil
	case err == nil:
		return nil, fmt.Errorf("%w: %s has %d bytes and not 32: put back the one that belongs to ledger.db", ErrDamaged, path, len(key))
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("key of the ledger: %w", err)
	case !fresh:
		return nil, fmt.Errorf("%w: %s is missing beside ledger.db: put it back, or move ledger.db away to start anew", ErrDamaged, path)
	}
	key = make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	if err := putKey(path, key); err != nil {
		return nil, fmt.Errorf("key of the ledger: %w", err)
	}
	return key, nil
}

// putKey makes the key's file whole or not at all, whenever the power fails.
func putKey(path string, key []byte) error {
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(key)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// makeFolder makes the folder, with those above it, and makes their names durable.
func makeFolder(path string) error {
	path = filepath.Clean(path)
	if above := filepath.Dir(path); above != path {
		if _, err := os.Lstat(above); errors.Is(err, fs.ErrNotExist) {
			if err := makeFolder(above); err != nil {
				return err
			}
		}
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		if info, serr := os.Stat(path); serr != nil || !info.IsDir() {
			return err
		}
		if err := syncFolder(filepath.Dir(path)); !errors.Is(err, fs.ErrPermission) {
			return err // one that was there may lie in a folder that is somebody else's to flush
		}
		return nil
	}
	return syncFolder(filepath.Dir(path))
}

func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func connect(ctx context.Context, path string) (*sql.DB, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(f.Close(), syncFolder(filepath.Dir(path))); err != nil {
		return nil, err
	}
	full, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	dsn := "file:" + (&url.URL{Path: full}).EscapedPath() + "?mode=rw&_txlock=immediate&_synchronous=FULL&_busy_timeout=500"
	db := sql.OpenDB(connector{dsn, &sqlite3.SQLiteDriver{ConnectHook: apply}})
	db.SetMaxOpenConns(1)
	db.SetMaxIdleConns(1)
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// apply makes the settings on a new connection and asserts that each is in force: the driver's own default would lose
// acknowledged commits when the power fails.
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
			return fmt.Errorf("SQLite has %s %q where the ledger needs %q: put it on a local disk", name, got, s.want)
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

// prepare makes the tables of a new database, in one commit with its header, and the statements.
func (f *file) prepare(ctx context.Context, path string) error {
	var id, is, tables int
	err := f.db.QueryRowContext(ctx, `SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)
		FROM pragma_application_id, pragma_user_version`).Scan(&id, &is, &tables)
	switch {
	case err != nil:
		return err
	case id == 0 && is == 0 && tables == 0:
		head := fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d;", applicationID, version)
		if _, err := f.db.ExecContext(ctx, "BEGIN IMMEDIATE;"+schema+head+"COMMIT;"); err != nil {
			return err
		}
	case id != applicationID:
		return fmt.Errorf("%w: %s is another program's database: give another folder", ErrForeign, path)
	case is != version:
		return fmt.Errorf("%w: %s has schema %d, this program knows %d: give another folder", ErrForeign, path, is, version)
	}
	for statement, query := range map[**sql.Stmt]string{
		&f.entry:  "INSERT INTO entry (number, at, kind, ref, currency) VALUES (?, ?, ?, ?, ?)",
		&f.leg:    "INSERT INTO leg (entry, line, account, minor) VALUES (?, ?, ?, ?)",
		&f.record: "INSERT INTO record (key, body) VALUES (?, ?)",
	} {
		if *statement, err = f.db.PrepareContext(ctx, query); err != nil { //nolint:sqlclosecheck // they live as long as the database, and end with it
			return err
		}
	}
	return nil
}

// write commits batches: one transaction, one flush.
func (f *file) write(batches []Batch) (err error) {
	ctx := context.Background() // a commit that has begun is not given up
	tx, err := f.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tx.Rollback())
		}
	}()
	entry, leg, record := tx.StmtContext(ctx, f.entry), tx.StmtContext(ctx, f.leg), tx.StmtContext(ctx, f.record) //nolint:sqlclosecheck // they end with the transaction
	for _, b := range batches {
		for _, e := range b.Entries {
			if _, err := entry.ExecContext(ctx, e.Number, e.At.Format(time.RFC3339Nano), e.Kind, e.Ref, e.Code); err != nil {
				return err
			}
			for i, l := range e.Legs {
				if _, err := leg.ExecContext(ctx, e.Number, i, l.Account, l.Minor); err != nil {
					return err
				}
			}
		}
		for _, r := range b.Records {
			if _, err := record.ExecContext(ctx, r.Key, r.Body); err != nil {
				return err
			}
		}
	}
	return tx.Commit()
}

// load reads the books: every entry is checked as if it were posted now.
func (l *Ledger) load(ctx context.Context, records func(Record) error) error {
	rows, err := l.file.db.QueryContext(ctx, `SELECT e.number, e.at, e.kind, e.ref, e.currency, l.account, l.minor
		FROM entry e LEFT JOIN leg l ON l.entry = e.number ORDER BY e.number, l.line`)
	if err != nil {
		return err
	}
	defer rows.Close()
	var now Entry
	finish := func() error {
		if now.Number == 0 {
			return nil
		}
		if err := now.check(); err != nil {
			return fmt.Errorf("%w: entry %d: %w", ErrDamaged, now.Number, err)
		}
		if number := now.Number; number != int64(len(l.entries)+1) || len(l.entries) >= maxEntries {
			return fmt.Errorf("%w: entry %d stands where %d should", ErrDamaged, number, len(l.entries)+1)
		}
		l.post(&now)
		return nil
	}
	for rows.Next() {
		var number int64
		var at, kind, ref, code string
		var name sql.NullString
		var minor sql.NullInt64
		if err := rows.Scan(&number, &at, &kind, &ref, &code, &name, &minor); err != nil {
			return err
		}
		if number != now.Number {
			if err := finish(); err != nil {
				return err
			}
			currency, err := money.ByCode(code)
			if err != nil {
				return fmt.Errorf("%w: entry %d: %w", ErrDamaged, number, err)
			}
			now = Entry{Number: number, Kind: kind, Ref: ref, Currency: currency}
			if now.At, err = time.Parse(time.RFC3339Nano, at); err != nil {
				return fmt.Errorf("%w: entry %d: %w", ErrDamaged, number, err)
			}
		}
		if now.Legs = append(now.Legs, Leg{name.String, minor.Int64}); len(now.Legs) > maxLegs {
			return fmt.Errorf("%w: entry %d has more than %d legs", ErrDamaged, number, maxLegs)
		}
	}
	if err := errors.Join(rows.Err(), finish()); err != nil {
		return err
	}
	return l.loadRecords(ctx, records)
}

func (l *Ledger) loadRecords(ctx context.Context, records func(Record) error) error {
	rows, err := l.file.db.QueryContext(ctx, "SELECT key, body FROM record ORDER BY number")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var r Record
		if err := rows.Scan(&r.Key, &r.Body); err != nil {
			return err
		}
		if err := records(r); err != nil {
			return fmt.Errorf("%w: record %q: %w", ErrDamaged, r.Key, err)
		}
	}
	return rows.Err()
}

// explain puts an error of SQLite into one line that says what to do. Others pass.
func explain(path string, err error) error {
	var e sqlite3.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code {
	case sqlite3.ErrBusy, sqlite3.ErrLocked:
		return fmt.Errorf("%w: %s: end the other program, or give another folder: %w", ErrInUse, path, err)
	case sqlite3.ErrNotADB:
		return fmt.Errorf("%w: %s: give another folder, or move it away: %w", ErrForeign, path, err)
	case sqlite3.ErrCorrupt:
		return fmt.Errorf("%w: %s: move it away to start anew: %w", ErrDamaged, path, err)
	default:
	}
	return err
}
