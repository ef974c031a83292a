package store_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"tillway/device/secure"
	"tillway/store"
	"tillway/store/crashrecorder"
	"tillway/terminal"
)

// sellIn names, in the environment of a second process of this test program, the state folder that it shall sell in.
const sellIn = "TILLWAY_TEST_SELL_IN"

func TestMain(m *testing.M) {
	crashrecorder.Serve()
	if dir := os.Getenv(sellIn); dir != "" {
		if err := sell(dir); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// errEnough ends a seller that nobody killed.
var errEnough = errors.New("sold enough")

// sell makes sales until it is killed, and says after each commit what is acknowledged: "number sale rows".
func sell(dir string) error {
	keys, err := secure.CreateFile(filepath.Join(dir, "keys"))
	if err != nil {
		return err
	}
	counter, err := store.CreateCounter(filepath.Join(dir, "sale.counter"), 5)
	if err != nil {
		return err
	}
	ctx := context.Background()
	s, err := store.Open(ctx, store.Config{Path: filepath.Join(dir, "journal.db"), Sealer: keys})
	if err != nil {
		return err
	}
	batch, err := s.Batch(ctx, acquirer)
	if err != nil {
		return err
	}
	for range 10_000 {
		n, err := counter.Next(ctx)
		if err != nil {
			return err
		}
		fmt.Printf("number %d\n", n)
		sale := terminal.Sale{V: terminal.RecordVersion, ID: terminal.SaleID(n), Acquirer: acquirer, Batch: batch, State: terminal.Ready}
		for _, event := range undone {
			r, err := terminal.Next(terminal.Table(), sale.State, event)
			if err != nil {
				return err
			}
			sale.State = r.To
			now := sale
			e := terminal.Entry{Kind: terminal.SaleEntry, From: r.From, Event: string(event), Duties: r.Duties, Sale: &now}
			if event == terminal.GoOnline {
				e.Secret = &terminal.Secret{Request: []byte("request"), Reversal: []byte("reversal")}
			}
			if err := s.Append(ctx, r.Commit, e); err != nil {
				return err
			}
			if r.Commit {
				fmt.Printf("%s %d\n", sale.State, n)
			}
		}
		if n%7 == 0 {
			if err := s.Checkpoint(ctx); err != nil {
				return err
			}
		}
	}
	return errEnough
}

// A process that sells is killed, again and again, in the middle: what it said was on disk is there, no number comes
// twice, and as long as it lives nobody else gets at its files.
func TestKilledWhileSelling(t *testing.T) {
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var given, sent, ended string // last that was acknowledged
	for round := range 6 {
		seller := exec.CommandContext(t.Context(), self)
		seller.Env = append(os.Environ(), sellIn+"="+dir)
		out, err := seller.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := seller.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for left := 20 + 17*round; left > 0 && lines.Scan(); left-- {
			hear(t, lines.Text(), &given, &sent, &ended)
		}
		if round == 0 {
			checkLocked(t, dir)
		}
		if err := seller.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() { // what it still said before it died counts too
			hear(t, lines.Text(), &given, &sent, &ended)
		}
		if err := seller.Wait(); err == nil || ended == "" {
			t.Fatalf("the seller was not killed in the middle of its work: %v, last sale %q", err, ended)
		}
		checkKilled(t, dir, given, sent, ended)
	}
}

func hear(t *testing.T, line string, given, sent, ended *string) {
	t.Helper()
	word, n, _ := strings.Cut(line, " ")
	switch word {
	case "number":
		if len(n) < len(*given) || len(n) == len(*given) && n <= *given {
			t.Errorf("number %s came after %s", n, *given)
		}
		*given = n
	case string(terminal.Sending):
		*sent = n
	case string(terminal.Reversed):
		*ended = n
	default:
		t.Fatalf("the seller said %q", line)
	}
}

func checkLocked(t *testing.T, dir string) {
	t.Helper()
	if _, err := secure.OpenFile(filepath.Join(dir, "keys")); !errors.Is(err, secure.ErrFiles) || !strings.Contains(err.Error(), "another process") {
		t.Errorf("keys in use: %v", err)
	}
	if _, err := store.OpenCounter(filepath.Join(dir, "sale.counter"), 5); !errors.Is(err, store.ErrCounter) || !strings.Contains(err.Error(), "another process") {
		t.Errorf("counter in use: %v", err)
	}
	f := newFolder(t)
	if _, err := store.Open(t.Context(), store.Config{Path: filepath.Join(dir, "journal.db"), Sealer: f.keys}); !errors.Is(err, store.ErrInUse) {
		t.Errorf("journal in use: %v", err)
	}
}

func checkKilled(t *testing.T, dir, given, sent, ended string) {
	t.Helper()
	keys, err := secure.OpenFile(filepath.Join(dir, "keys"))
	if err != nil {
		t.Fatal(err)
	}
	defer keys.Close()
	s, err := store.Open(t.Context(), store.Config{Path: filepath.Join(dir, "journal.db"), Sealer: keys})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Abort() }()
	last := func(text string) terminal.Sale {
		t.Helper()
		id, err := terminal.ParseSaleID(text)
		if err != nil {
			t.Fatal(err)
		}
		sale, err := s.Sale(t.Context(), id)
		if err != nil {
			t.Fatalf("sale %s was acknowledged: %v", text, err)
		}
		return sale
	}
	if sale := last(ended); sale.State != terminal.Reversed {
		t.Errorf("sale %s was acknowledged as Reversed and is %s", ended, sale.State)
	}
	last(sent)
	debts := due(t, s)
	unfinished, err := s.Unfinished(t.Context())
	if err != nil || len(unfinished) > 1+5 {
		t.Errorf("%d unfinished sales (%v), want at most one a round", len(unfinished), err)
	}
	for _, d := range debts {
		if string(d.Message) != "reversal" {
			t.Errorf("reversal of sale %d did not open", d.Sale)
		}
	}
	rows := journal(t, s)
	var reversed int
	for i, r := range rows {
		if r.Seq != int64(i+1) {
			t.Fatalf("row %d has number %d", i+1, r.Seq)
		}
		if r.To == string(terminal.Reversed) {
			reversed++
		}
	}
	if reversed != len(debts) {
		t.Errorf("%d sales reversed, %d reversals are due", reversed, len(debts))
	}
	counter, err := store.OpenCounter(filepath.Join(dir, "sale.counter"), 5)
	if err != nil {
		t.Fatal(err)
	}
	defer counter.Close()
	next := take(t, counter, 1)[0]
	if before := last(sent).ID; next <= uint64(before) || fmt.Sprint(next) == given {
		t.Errorf("number %d comes after sale %d", next, before)
	}
}
