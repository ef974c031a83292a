package pages_test

import (
	"bytes"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	_ "github.com/mattn/go-sqlite3"

	"tillway/store/pages"
)

// made is a database as SQLite writes it: two kinds of tables, rows that fill pages of their own, every type of value.
func made(t testing.TB) (path string, want map[string]bool) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "x.db")
	db, err := sql.Open("sqlite3", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("CREATE TABLE plain (id INTEGER PRIMARY KEY, a, b, c); CREATE TABLE keyed (k TEXT PRIMARY KEY, v BLOB) WITHOUT ROWID"); err != nil {
		t.Fatal(err)
	}
	want = map[string]bool{}
	for i := range 300 {
		a, b := any(int64(i*i*i-1000)), any(strings.Repeat("x", i*37%9000))
		c := []any{nil, 1.5 * float64(i), bytes.Repeat([]byte{byte(i)}, i%100+1), int64(i % 2), int64(-1) << (i % 63)}[i%5]
		if _, err := db.Exec("INSERT INTO plain VALUES (?, ?, ?, ?)", i+1, a, b, c); err != nil {
			t.Fatal(err)
		}
		want[fmt.Sprintf("%d %v", i+1, []any{nil, a, b, c})] = true
		k, v := fmt.Sprintf("key %04d", i), bytes.Repeat([]byte{byte(i)}, 1+i*41%7000)
		if _, err := db.Exec("INSERT INTO keyed VALUES (?, ?)", k, v); err != nil {
			t.Fatal(err)
		}
		want[fmt.Sprintf("0 %v", []any{k, v})] = true
	}
	return path, want
}

func read(t testing.TB, text []byte) map[string]bool {
	t.Helper()
	f, err := pages.Open(4096, bytes.NewReader(text), int64(len(text)), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	if err := f.Rows(func(r pages.Row) error {
		found[fmt.Sprintf("%d %v", r.ID, r.Values)] = true
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return found
}

// TestRowsAreSQLites: every row that SQLite wrote is found, whatever its type and length; also without the first page, and those of half a file
// are found in half a file.
func TestRowsAreSQLites(t *testing.T) {
	path, want := made(t)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	missing := func(found map[string]bool) (n int) {
		for row := range want {
			if !found[row] {
				n++
			}
		}
		return n
	}
	if n := missing(read(t, text)); n != 0 {
		t.Errorf("%d of %d rows are not found", n, len(want))
	}
	clear(text[:4096])
	if n := missing(read(t, text)); n != 0 {
		t.Errorf("without the first page: %d of %d rows are not found", n, len(want))
	}
	if n := missing(read(t, text[:len(text)/2])); n == 0 || n == len(want) {
		t.Errorf("of half a file %d of %d rows are not found", n, len(want))
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, size := range []int{0, 256, 1000, 131072, -4096} {
		if _, err := pages.Open(size, bytes.NewReader(nil), 0, nil, 0); err == nil {
			t.Errorf("pages of %d bytes are taken", size)
		}
	}
}

// FuzzRows: whatever a file and its log hold, reading ends, and the same bytes give the same rows, within bounds.
func FuzzRows(f *testing.F) {
	path, _ := made(f)
	text, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	for at := 0; at+8192 <= len(text); at += 40960 {
		f.Add(text[at:at+8192], []byte(nil))
	}
	f.Add(text[:4096], append(make([]byte, 32+24), text[4096:8192]...))
	f.Fuzz(func(t *testing.T, main, log []byte) {
		var passes [2][]pages.Row
		for i := range passes {
			d, err := pages.Open(512, bytes.NewReader(main), int64(len(main)), bytes.NewReader(log), int64(len(log)))
			if err != nil {
				t.Fatal(err)
			}
			if err := d.Rows(func(r pages.Row) error { passes[i] = append(passes[i], r); return nil }); err != nil {
				t.Fatal(err)
			}
			for _, r := range passes[i] {
				if len(r.Values) == 0 || len(r.Values) > 64 {
					t.Errorf("a row of %d columns", len(r.Values))
				}
			}
		}
		if !reflect.DeepEqual(fmt.Sprint(passes[0]), fmt.Sprint(passes[1])) {
			t.Error("the same bytes give other rows")
		}
	})
}
