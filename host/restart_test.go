package host_test

import (
	"bytes"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"tillway/host"
	"tillway/host/ledger"
	"tillway/iso8583"
)

// durable is a host whose books lie in a folder; again starts it anew on the same folder.
type durable struct {
	*rig

	dir    string
	change func(*host.Config)
}

func newDurable(t testing.TB, change func(*host.Config)) *durable {
	t.Helper()
	cfg := config(t)
	d := &durable{rig: &rig{t: t, codec: cfg.Codec}, dir: t.TempDir(), change: change}
	d.start()
	t.Cleanup(func() { _ = d.h.Close() })
	return d
}

func (d *durable) start() {
	d.t.Helper()
	cfg := config(d.t)
	cfg.Books = func(records func(ledger.Record) error) (*ledger.Ledger, error) {
		return ledger.Open(d.t.Context(), d.dir, records)
	}
	if d.change != nil {
		d.change(&cfg)
	}
	h, err := host.New(cfg)
	if err != nil {
		d.t.Fatal(err)
	}
	d.h = h
}

func (d *durable) again() {
	d.t.Helper()
	if err := d.h.Close(); err != nil {
		d.t.Fatal(err)
	}
	d.start()
}

// trial checks that the books are zero, and that every cardholder's account in them is what the issuer decides by.
func (r *rig) trial() {
	r.t.Helper()
	tables := r.h.Trial()
	if len(tables) != 1 || tables[0].Off != 0 || tables[0].Debits != tables[0].Credits {
		r.t.Fatalf("trial balance %+v", tables)
	}
	accounts := map[string]int64{}
	for _, line := range tables[0].Lines {
		accounts[line.Account] = line.Balance
	}
	for _, s := range r.h.Accounts() {
		if got := accounts["card:"+s.Name]; got != s.Balance.Minor {
			r.t.Fatalf("account %s has %d in the books, and the issuer says %d", s.Name, got, s.Balance.Minor)
		}
	}
}

// TestRestart: after a restart a repeat gets the very answer of before, a used STAN and a used cryptogram are refused, a
// reversal gives back once, and one that came before its original still keeps it out.
func TestRestart(t *testing.T) {
	d := newDurable(t, nil)
	sold, _ := d.sale(credit, 1, 10_525)
	first := d.pack(d.one(sold))
	declined, _ := d.sale(credit, 2, 10_051)
	second := d.pack(d.one(declined))
	early, _ := d.sale(debit, 3, 700)
	d.code(reversal(early, debit))
	gone, _ := d.sale(debit, 4, 800)
	d.one(gone)
	d.one(reversal(gone, debit))
	strange, _ := d.sale(unknown, 5, 900)
	d.one(strange)
	d.again()
	d.trial()
	if d.books() != 1 || d.balance(credit) != opening-10_525 || d.balance(debit) != opening {
		t.Errorf("balances %d and %d", d.balance(credit), d.balance(debit))
	}
	if got := d.pack(d.one(sold)); !bytes.Equal(got, first) {
		t.Error("the repeat of the approved sale is answered differently")
	}
	if got := d.pack(d.one(declined)); !bytes.Equal(got, second) {
		t.Error("the repeat of the declined sale is answered differently")
	}
	if got := d.code(strange); got != "14" {
		t.Errorf("repeat with a strange card: %s", got)
	}
	other, _ := d.sale(credit, 1, 500)
	if got := d.code(other); got != "94" {
		t.Errorf("used STAN: %s, want 94", got)
	}
	if got := d.code(early); got != "94" {
		t.Errorf("original after its reversal: %s, want 94", got)
	}
	replay, _ := sold.Get(60)
	sold.Set(60, "000002")
	if got := d.code(sold); got != "05" {
		t.Errorf("used cryptogram: %s, want 05", got)
	}
	sold.Set(60, replay)
	for range 2 {
		if got := d.code(reversal(gone, debit)); got != "00" || d.balance(debit) != opening {
			t.Errorf("second reversal: %s, balance %d", got, d.balance(debit))
		}
		if got := d.code(reversal(sold, debit)); got != "76" {
			t.Errorf("another card's reversal: %s, want 76", got)
		}
	}
	for range 2 {
		if got := d.code(reversal(sold, credit)); got != "00" || d.balance(credit) != opening {
			t.Errorf("reversal: %s, balance %d", got, d.balance(credit))
		}
		d.again()
	}
	d.trial()
	d.books()
}

// TestRestartWalk mixes sales, repeats, reversals and restarts: what stands and every balance survive each.
func TestRestartWalk(t *testing.T) {
	d := newDurable(t, nil)
	rng := rand.New(rand.NewPCG(3, 1))
	var all []*iso8583.Message
	standing := 0
	for step := range 120 {
		switch op := rng.IntN(10); {
		case op < 5 || len(all) == 0:
			m, _ := d.sale(credit, step+1, 1_000)
			if d.code(m) == "00" {
				standing++
			}
			all = append(all, m)
		case op < 7:
			d.code(all[rng.IntN(len(all))])
		case op < 9:
			before := d.books()
			d.code(reversal(all[rng.IntN(len(all))], credit))
			standing -= before - d.books()
		default:
			d.again()
		}
		if d.trial(); d.books() != standing || d.balance(credit) != opening-int64(standing)*1_000 {
			t.Fatalf("step %d: %d stand, want %d; balance %d", step, d.books(), standing, d.balance(credit))
		}
	}
}

// TestNoCardOnDisk: neither a card's number nor its track is in what the books write.
func TestNoCardOnDisk(t *testing.T) {
	d := newDurable(t, nil)
	for stan, c := range []card{credit, debit, unknown} {
		m, _ := d.sale(c, stan+1, 10_525)
		d.one(m)
		d.one(reversal(m, c))
	}
	if err := d.h.Close(); err != nil {
		t.Fatal(err)
	}
	files := 0
	err := filepath.WalkDir(d.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		files++
		b, err := os.ReadFile(path)
		for _, c := range []card{credit, debit, unknown} {
			if bytes.Contains(b, []byte(c.pan)) || bytes.Contains(b, unhex(t, c.pan)) || bytes.Contains(b, []byte(c.pan[6:])) {
				t.Errorf("%s has the number of %s", filepath.Base(path), c.name)
			}
		}
		return err
	})
	if err != nil || files < 2 {
		t.Errorf("%d files: %v", files, err)
	}
	d.start()
}

// TestBooksGone: a host that cannot write its books answers nothing any more, and never what it could not write.
func TestBooksGone(t *testing.T) {
	d := newDurable(t, nil)
	m, _ := d.sale(credit, 1, 10_525)
	if err := d.h.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if replies := d.h.Answer(d.pack(m)); len(replies) != 0 {
			t.Fatal("answered what is not on disk")
		}
	}
	d.start()
	if d.balance(credit) != opening || len(d.h.Ledger()) != 0 {
		t.Error("half a sale is on disk")
	}
	if got := d.code(m); got != "00" {
		t.Errorf("after the restart: %s", got)
	}
}

// TestAccountGone: a ledger with money of an account that the configuration lacks does not start.
func TestAccountGone(t *testing.T) {
	d := newDurable(t, nil)
	m, _ := d.sale(credit, 1, 10_525)
	d.one(m)
	if err := d.h.Close(); err != nil {
		t.Fatal(err)
	}
	cfg := config(t)
	cfg.Accounts = cfg.Accounts[1:]
	cfg.Books = func(records func(ledger.Record) error) (*ledger.Ledger, error) {
		return ledger.Open(t.Context(), d.dir, records)
	}
	if _, err := host.New(cfg); err == nil {
		t.Error("started")
	}
	d.start()
}
