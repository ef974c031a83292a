package ledger_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tillway/host/ledger"
	"tillway/money"
)

var (
	kwd = money.Currency{Code: "KWD", Numeric: 414, Exponent: 3}
	sar = money.Currency{Code: "SAR", Numeric: 682, Exponent: 2}
	now = time.Date(2026, 11, 23, 9, 30, 15, 0, time.FixedZone("+03", 3*60*60))
)

func entry(from, to string, minor int64) ledger.Entry {
	return ledger.Entry{At: now, Kind: "sale", Ref: "T/1/1", Currency: kwd, Legs: []ledger.Leg{{Account: from, Minor: -minor}, {Account: to, Minor: minor}}}
}

func none(ledger.Record) error { return nil }

func open(t testing.TB, dir string, records func(ledger.Record) error) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open(t.Context(), dir, records)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func post(t testing.TB, l *ledger.Ledger, b ledger.Batch) {
	t.Helper()
	if err := errors.Join(l.Append(b), l.Sync()); err != nil {
		t.Fatal(err)
	}
}

// TestUnbalancedRefused: what does not add up to zero is refused whole, also when it comes beside what does.
func TestUnbalancedRefused(t *testing.T) {
	long := strings.Repeat("x", 65)
	for name, c := range map[string]struct {
		spoil func(*ledger.Entry)
		want  error
	}{
		"a minor unit off": {func(e *ledger.Entry) { e.Legs[1].Minor++ }, ledger.ErrUnbalanced},
		"one leg":          {func(e *ledger.Entry) { e.Legs = e.Legs[:1] }, ledger.ErrEntry},
		"no leg":           {func(e *ledger.Entry) { e.Legs = nil }, ledger.ErrEntry},
		"an empty leg":     {func(e *ledger.Entry) { e.Legs[0].Minor, e.Legs[1].Minor = 0, 0 }, ledger.ErrEntry},
		"thirteen digits":  {func(e *ledger.Entry) { e.Legs[0].Minor, e.Legs[1].Minor = -money.MaxMinor-1, money.MaxMinor+1 }, ledger.ErrEntry},
		"no account":       {func(e *ledger.Entry) { e.Legs[0].Account = "" }, ledger.ErrEntry},
		"a long name":      {func(e *ledger.Entry) { e.Legs[0].Account = long }, ledger.ErrEntry},
		"no kind":          {func(e *ledger.Entry) { e.Kind = "" }, ledger.ErrEntry},
		"no currency":      {func(e *ledger.Entry) { e.Currency = money.Currency{} }, ledger.ErrEntry},
		"nine legs": {func(e *ledger.Entry) {
			for range 7 {
				e.Legs = append(e.Legs, ledger.Leg{Account: "a", Minor: 1})
			}
		}, ledger.ErrEntry},
	} {
		t.Run(name, func(t *testing.T) {
			l := ledger.InMemory()
			bad := entry("a", "b", 100)
			c.spoil(&bad)
			if err := l.Append(ledger.Batch{Entries: []ledger.Entry{entry("a", "b", 5), bad}}); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			if len(l.Entries(0)) != 0 || l.Balance("b", kwd) != 0 {
				t.Error("part of it was posted")
			}
		})
	}
}

// TestTrialBalance: whatever is posted, in two currencies, the trial balance is zero in each, and each account is what a
// plain count says.
func TestTrialBalance(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, none)
	rng := rand.New(rand.NewPCG(7, 7))
	count := map[string]int64{}
	for range 300 {
		e := ledger.Entry{At: now, Kind: "any", Currency: []money.Currency{kwd, sar}[rng.IntN(2)]}
		var sum int64
		for range 1 + rng.IntN(6) {
			minor := 1 + rng.Int64N(1_000_000)
			if rng.IntN(2) == 0 {
				minor = -minor
			}
			sum += minor
			e.Legs = append(e.Legs, ledger.Leg{Account: fmt.Sprintf("a%d", rng.IntN(9)), Minor: minor})
		}
		if sum == 0 {
			continue
		}
		e.Legs = append(e.Legs, ledger.Leg{Account: "rest", Minor: -sum})
		for _, leg := range e.Legs {
			count[e.Currency.Code+leg.Account] += leg.Minor
		}
		if err := l.Append(ledger.Batch{Entries: []ledger.Entry{e}}); err != nil {
			t.Fatal(err)
		}
	}
	check := func(l *ledger.Ledger) {
		t.Helper()
		tables := l.Trial()
		if len(tables) != 2 || tables[0].Currency != "KWD" || tables[1].Currency != "SAR" || tables[0].Exponent != 3 {
			t.Fatalf("tables %+v", tables)
		}
		lines := 0
		for _, table := range tables {
			if table.Off != 0 || table.Debits != table.Credits || table.Debits == 0 {
				t.Errorf("%s is off by %d", table.Currency, table.Off)
			}
			for _, line := range table.Lines {
				lines++
				if want := count[table.Currency+line.Account]; line.Balance != want || line.Credits-line.Debits != want {
					t.Errorf("%s %s: %+v, want %d", table.Currency, line.Account, line, want)
				}
			}
		}
		if lines != len(count) {
			t.Errorf("%d lines, want %d", lines, len(count))
		}
	}
	check(l)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, dir, none)
	defer again.Close()
	check(again)
}

// TestReopened: entries, records and marks are there again, in their order; and nobody else opens it meanwhile.
func TestReopened(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, none)
	post(t, l, ledger.Batch{Entries: []ledger.Entry{entry("a", "b", 100)}, Records: []ledger.Record{{Key: "1", Body: []byte("old")}}})
	post(t, l, ledger.Batch{Entries: []ledger.Entry{entry("b", "a", 30)}, Records: []ledger.Record{{Key: "1", Body: []byte("new")}}})
	mark := l.Mark("card", []byte("4761739001010119"))
	if _, err := ledger.Open(t.Context(), dir, none); !errors.Is(err, ledger.ErrInUse) {
		t.Errorf("opened twice: %v, want ErrInUse", err)
	}
	before, err := json.Marshal(l.Entries(0))
	if err := errors.Join(err, l.Close()); err != nil {
		t.Fatal(err)
	}
	var got []string
	l = open(t, dir, func(r ledger.Record) error { got = append(got, r.Key+string(r.Body)); return nil })
	defer l.Close()
	after, err := json.Marshal(l.Entries(0))
	if err != nil || !bytes.Equal(before, after) || l.Balance("b", kwd) != 70 {
		t.Errorf("%s\n%s\n%v", before, after, err)
	}
	if fmt.Sprint(got) != "[1old 1new]" {
		t.Errorf("records %v", got)
	}
	if l.Mark("card", []byte("4761739001010119")) != mark || l.Mark("other", []byte("4761739001010119")) == mark {
		t.Error("marks are not those of before")
	}
	if other := open(t, t.TempDir(), none); other.Mark("card", []byte("4761739001010119")) == mark {
		t.Error("two ledgers mark alike")
	}
	post(t, l, ledger.Batch{Entries: []ledger.Entry{entry("b", "a", 1)}})
	if list := l.Entries(2); len(list) != 1 || list[0].Number != 3 {
		t.Errorf("entries after the second: %+v", list)
	}
}

// damage changes a closed ledger behind its back.
func damage(t *testing.T, dir string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite3", filepath.Join(dir, "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range statements {
		if _, err := db.ExecContext(context.Background(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// TestAppendOnly: the database refuses to change what stands in it.
func TestAppendOnly(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, none)
	post(t, l, ledger.Batch{Entries: []ledger.Entry{entry("a", "b", 100)}, Records: []ledger.Record{{Key: "1", Body: []byte("x")}}})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite3", filepath.Join(dir, "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range []string{
		"UPDATE entry SET kind = 'x'", "DELETE FROM entry", "UPDATE leg SET minor = 7", "DELETE FROM leg", "UPDATE record SET body = x'00'", "DELETE FROM record",
	} {
		if _, err := db.ExecContext(t.Context(), s); err == nil || !strings.Contains(err.Error(), "append-only") {
			t.Errorf("%s: %v", s, err)
		}
	}
}

// TestDamageFound: a ledger whose books do not add up, or that is no ledger, does not open, and the error says what to do.
func TestDamageFound(t *testing.T) {
	drop := func(table, what string) string { return "DROP TRIGGER " + table + "_no_" + what }
	for name, c := range map[string]struct {
		spoil func(t *testing.T, dir string)
		want  error
	}{
		"an amount changed": {func(t *testing.T, dir string) {
			damage(t, dir, drop("leg", "update"), "UPDATE leg SET minor = minor + 1 WHERE entry = 2 AND line = 1")
		}, ledger.ErrDamaged},
		"an entry gone": {func(t *testing.T, dir string) {
			damage(t, dir, drop("leg", "delete"), drop("entry", "delete"), "DELETE FROM leg WHERE entry = 2", "DELETE FROM entry WHERE number = 2")
		}, ledger.ErrDamaged},
		"legs gone": {func(t *testing.T, dir string) {
			damage(t, dir, drop("leg", "delete"), "DELETE FROM leg WHERE entry = 3")
		}, ledger.ErrDamaged},
		"a strange currency": {func(t *testing.T, dir string) {
			damage(t, dir, drop("entry", "update"), "UPDATE entry SET currency = 'QQQ'")
		}, ledger.ErrDamaged},
		"the key gone": {func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, "ledger.key")); err != nil {
				t.Fatal(err)
			}
		}, ledger.ErrDamaged},
		"the key cut": {func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, "ledger.key"), []byte("short"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, ledger.ErrDamaged},
		"another program's": {func(t *testing.T, dir string) { damage(t, dir, "PRAGMA application_id = 1") }, ledger.ErrForeign},
		"a later schema":    {func(t *testing.T, dir string) { damage(t, dir, "PRAGMA user_version = 9") }, ledger.ErrForeign},
		"no database": {func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, "ledger.db"), bytes.Repeat([]byte("nothing "), 4096), 0o600); err != nil {
				t.Fatal(err)
			}
			_ = os.Remove(filepath.Join(dir, "ledger.db-wal"))
		}, ledger.ErrForeign},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			l := open(t, dir, none)
			for range 3 {
				post(t, l, ledger.Batch{Entries: []ledger.Entry{entry("a", "b", 100)}})
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			c.spoil(t, dir)
			if _, err := ledger.Open(t.Context(), dir, none); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}

// TestRecordRefused: a record that the host cannot read keeps the ledger from opening.
func TestRecordRefused(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, none)
	post(t, l, ledger.Batch{Records: []ledger.Record{{Key: "1", Body: []byte("x")}}})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := ledger.Open(t.Context(), dir, func(ledger.Record) error { return errors.New("no") }); !errors.Is(err, ledger.ErrDamaged) {
		t.Errorf("%v, want ErrDamaged", err)
	}
}

// TestManyAtOnce: what many callers append and wait for at the same time is all there afterwards, whoever's commit it was.
func TestManyAtOnce(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, none)
	var all sync.WaitGroup
	for n := range 16 {
		all.Go(func() {
			for i := range 20 {
				b := ledger.Batch{Entries: []ledger.Entry{entry(fmt.Sprintf("a%d", n), "b", 1)}, Records: []ledger.Record{{Key: fmt.Sprintf("%d/%d", n, i)}}}
				b.Records[0].Body = []byte("x")
				if err := errors.Join(l.Append(b), l.Sync()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	records := 0
	l = open(t, dir, func(ledger.Record) error { records++; return nil })
	defer l.Close()
	if l.Balance("b", kwd) != 320 || records != 320 || len(l.Entries(0)) != 320 {
		t.Errorf("balance %d, %d records", l.Balance("b", kwd), records)
	}
}

// TestFailedForGood: after a commit that failed nothing more is taken, and every wait says so.
func TestFailedForGood(t *testing.T) {
	l := open(t, t.TempDir(), none)
	post(t, l, ledger.Batch{Entries: []ledger.Entry{entry("a", "b", 1)}})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Append(ledger.Batch{Entries: []ledger.Entry{entry("a", "b", 1)}}); err != nil {
		t.Fatal(err)
	}
	if err := l.Sync(); err == nil || l.Err() == nil {
		t.Errorf("commit to a closed database: %v", err)
	}
	if err := l.Append(ledger.Batch{Entries: []ledger.Entry{entry("a", "b", 1)}}); err == nil {
		t.Error("appended after a failed commit")
	}
	if err := l.Sync(); err == nil {
		t.Error("waited for without an error")
	}
}

// TestFee is the rounding rule, row by row: half up to a whole minor unit, then the fixed part, never more than the amount.
func TestFee(t *testing.T) {
	table := []ledger.Fee{
		{BasisPoints: 150},
		{Brand: "visa", BasisPoints: 175, Fixed: 20},
		{Brand: "visa", From: 100_000, BasisPoints: 100, Fixed: 50},
		{Brand: "amex", From: 50_000, BasisPoints: 300},
	}
	if err := ledger.CheckFees(table); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		brand       string
		minor, want int64
	}{
		{"other", 10_000, 150},
		{"other", 33, 0},      // 0.495
		{"other", 34, 1},      // 0.51
		{"other", 100, 2},     // 1.5: half goes up
		{"visa", 10_525, 204}, // 184.1875 + 20
		{"visa", 99_999, 1_770},
		{"visa", 100_000, 1_050}, // the next row
		{"visa", 15, 15},         // never more than the amount
		{"visa", 0, 0},
		{"amex", 49_999, 750}, // below its own row: the general one
		{"amex", 50_000, 1_500},
		{"visa", money.MaxMinor, 10_000_000_050},
	} {
		if got := ledger.FeeOf(table, c.brand, c.minor); got != c.want {
			t.Errorf("%s %d: fee %d, want %d", c.brand, c.minor, got, c.want)
		}
	}
	if got := ledger.FeeOf(nil, "visa", 10_000); got != 0 {
		t.Errorf("without a table: %d", got)
	}
	for name, bad := range map[string]ledger.Fee{
		"negative": {BasisPoints: -1}, "above all": {BasisPoints: 10_001}, "negative fixed": {Fixed: -1}, "negative from": {From: -1}, "twice": {BasisPoints: 7},
	} {
		if err := ledger.CheckFees(append([]ledger.Fee{{BasisPoints: 1}}, bad)); !errors.Is(err, ledger.ErrFee) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestBrand: schemes by the ranges that they publish, at their edges.
func TestBrand(t *testing.T) {
	for number, want := range map[string]string{
		"4761739001010119": "visa", "5100000000000000": "mastercard", "5599999999999999": "mastercard", "5000000000000000": "other",
		"2221000000000000": "mastercard", "2720990000000000": "mastercard", "2220990000000000": "other", "2721000000000000": "other",
		"340000000000000": "amex", "370000000000000": "amex", "3528000000000000": "jcb", "3589000000000000": "jcb", "3590000000000000": "other",
		"6200000000000000": "unionpay", "36000000000000": "diners", "6011000000000000": "discover", "6500000000000000": "discover", "": "other", "6x": "other",
	} {
		if got := ledger.Brand(number); got != want {
			t.Errorf("%.6s: %s, want %s", number, got, want)
		}
	}
}

// TestStatement: lines, fees, what is paid and what is carried to the next, as CSV too.
func TestStatement(t *testing.T) {
	l := ledger.InMemory()
	legs := func(kind, ref string, legs ...ledger.Leg) ledger.Entry {
		return ledger.Entry{At: now, Kind: kind, Ref: ref, Currency: kwd, Legs: legs}
	}
	post(t, l, ledger.Batch{Entries: []ledger.Entry{
		legs("capture", "T/1/1", ledger.Leg{Account: "clearing", Minor: -10_000}, ledger.Leg{Account: "fees", Minor: 150}, ledger.Leg{Account: "payable", Minor: 9_850}),
		legs("capture", "T/1/2", ledger.Leg{Account: "clearing", Minor: -1_000}, ledger.Leg{Account: "other", Minor: 1_000}),
		legs(ledger.Paid, "", ledger.Leg{Account: "payable", Minor: -9_850}, ledger.Leg{Account: "bank", Minor: 9_850}),
		legs("taken back", "T/1/1", ledger.Leg{Account: "clearing", Minor: 10_000}, ledger.Leg{Account: "fees", Minor: -150}, ledger.Leg{Account: "payable", Minor: -9_850}),
	}})
	list := l.Statements("M", "payable", "fees", kwd)
	if len(list) != 2 {
		t.Fatalf("%d statements", len(list))
	}
	if s := list[0]; s.Gross != 10_000 || s.Fees != 150 || s.Paid != 9_850 || s.Left != 0 || len(s.Lines) != 1 || s.PaidAt == nil || s.Number != 1 {
		t.Errorf("first: %+v", s)
	}
	if s := list[1]; s.Gross != -10_000 || s.Fees != -150 || s.Paid != 0 || s.Left != -9_850 || s.PaidAt != nil || s.Number != 2 {
		t.Errorf("second: %+v", s)
	}
	var text strings.Builder
	if err := list[0].WriteCSV(&text); err != nil {
		t.Fatal(err)
	}
	want := `entry,at,kind,reference,gross,fee,net,currency
1,2026-11-23T09:30:15+03:00,capture,T/1/1,10.000,0.150,9.850,KWD
,,carried,,,,0.000,KWD
,,total,,10.000,0.150,9.850,KWD
,2026-11-23T09:30:15+03:00,paid,,,,9.850,KWD
,,left,,,,0.000,KWD
`
	if text.String() != want {
		t.Errorf("%s\nwant\n%s", text.String(), want)
	}
}
