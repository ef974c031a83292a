package store_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tillway/device/secure"
	"tillway/store"
	"tillway/terminal"
)

// forms are the ways in which a card number could stand in a file.
func forms(pan string) map[string][]byte {
	padded := pan
	if len(padded)%2 == 1 {
		padded += "F"
	}
	right, _ := hex.DecodeString(padded)
	left, _ := hex.DecodeString(strings.Repeat("0", len(pan)%2) + pan)
	utf16 := make([]byte, 0, 2*len(pan))
	for i := range len(pan) {
		utf16 = append(utf16, pan[i], 0)
	}
	return map[string][]byte{
		"ascii": []byte(pan), "hex": []byte(hex.EncodeToString([]byte(pan))), "BCD": right, "BCD from the left": left, "UTF-16": utf16,
	}
}

// leaks lists where in a folder's files any of the forms stands.
func leaks(t testing.TB, dir string, forms map[string][]byte) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 4 {
		t.Fatalf("only %d files to search: %v", len(files), files)
	}
	var found []string
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for name, form := range forms {
			if bytes.Contains(content, form) || bytes.Contains(bytes.ToUpper(content), bytes.ToUpper(form)) && name == "hex" {
				found = append(found, filepath.Base(file)+": "+name)
			}
		}
	}
	return found
}

// No card number in any file, at any step of sales that end in every way, with debts queued.
func TestNoClearCardDataOnDisk(t *testing.T) {
	f := newFolder(t)
	counter, err := store.CreateCounter(filepath.Join(f.dir, "sale.counter"), 10)
	if err != nil {
		t.Fatal(err)
	}
	defer counter.Close()
	var log bytes.Buffer
	s, err := store.Open(t.Context(), store.Config{Path: f.path(), Sealer: f.keys, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Abort() }()
	clear := forms(canary)
	track := forms(secret(t).Card.Track2.Clear()[17:])
	for id, events := range [][]terminal.Event{approved, refused, undone} {
		k := newTeller(t, s, terminal.SaleID(id+1))
		for _, event := range events {
			k.do(event)
			if found := append(leaks(t, f.dir, clear), leaks(t, f.dir, track)...); len(found) > 0 {
				t.Fatalf("after %s: card data in %v", event, found)
			}
		}
	}
	if err := s.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	if found := leaks(t, f.dir, clear); len(found) > 0 {
		t.Errorf("after the checkpoint: card data in %v", found)
	}
	if strings.Contains(log.String(), canary) {
		t.Error("card number in the log")
	}
	// The control: planted in the journal's own log in each form, it is found.
	for name, form := range clear {
		e := note("planted " + string(form))
		if err := s.Append(t.Context(), true, e); err != nil {
			t.Fatal(err)
		}
		if found := leaks(t, f.dir, map[string][]byte{name: form}); len(found) == 0 {
			t.Errorf("planted as %s, and not found", name)
		}
	}
}

// What is erased is gone from database and log once the log is folded back: even its sealed form.
func TestErasedRequestLeavesNoTrace(t *testing.T) {
	f := newFolder(t)
	var seen [][]byte
	s, err := store.Open(t.Context(), store.Config{Path: f.path(), Sealer: spy{f.keys, &seen}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Abort() }()
	seen = nil // the audit log's first anchor
	newTeller(t, s, 1).do(approved...)
	if len(seen) != 3 {
		t.Fatalf("%d things were sealed, want message, card and request", len(seen))
	}
	message, card, request := seen[0], seen[1], seen[2]
	for name, b := range map[string][]byte{"request": request, "card": card} {
		if len(leaks(t, f.dir, map[string][]byte{"sealed": b})) == 0 {
			t.Errorf("sealed %s is not in any file before the checkpoint: nothing is proved by its absence", name)
		}
	}
	if err := s.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"request": request, "message": message} {
		if found := leaks(t, f.dir, map[string][]byte{"sealed": b, "its middle": b[len(b)/2:]}); len(found) != 0 {
			t.Errorf("sealed %s still in %v", name, found)
		}
	}
	if len(leaks(t, f.dir, map[string][]byte{"sealed": card})) == 0 {
		t.Error("the sealed card went too: a refund would need it")
	}
}

// spy notes what was sealed. A row's tag seals nothing: it is left out.
type spy struct {
	*secure.File
	seen *[][]byte
}

func (s spy) Seal(ctx context.Context, name string, associated, plain []byte) ([]byte, error) {
	sealed, err := s.File.Seal(ctx, name, associated, plain)
	if len(plain) > 0 {
		*s.seen = append(*s.seen, sealed)
	}
	return sealed, err
}

// Each way of spoiling a sealed message keeps just that debt back; the rest goes on.
func TestSpoiltMessagesAreQuarantined(t *testing.T) {
	for name, c := range map[string]struct {
		spoil string
		left  string // sales whose reversals are still due
	}{
		"nothing":    {"SELECT 1", "1 2 3 4"},
		"first bit":  {flip(2, 0), "1 3 4"},
		"middle bit": {flip(2, 20), "1 3 4"},
		"cut short":  {"UPDATE card SET sealed = substr(sealed, 1, 20) WHERE purpose = 'message' AND id = 2", "1 3 4"},
		"empty":      {"UPDATE card SET sealed = x'' WHERE purpose = 'message' AND id = 2", "1 3 4"},
		"deleted":    {"DELETE FROM card WHERE purpose = 'message' AND id = 2", "1 3 4"},
		"swapped": {`CREATE TEMP TABLE was AS SELECT * FROM card WHERE purpose = 'message';
			UPDATE card SET sealed = (SELECT w.sealed FROM was w WHERE w.id = 5 - card.id) WHERE purpose = 'message' AND id IN (2, 3)`, "1 4"},
		"other purpose": {"UPDATE card SET sealed = (SELECT c.sealed FROM card c WHERE c.purpose = 'card' AND c.id = 2) WHERE purpose = 'message' AND id = 2", "1 3 4"},
		"other key":     {"UPDATE card SET key = 'batch/nac/000002' WHERE purpose = 'message' AND id = 2", "1 3 4"},
		"all":           {"UPDATE card SET sealed = zeroblob(60)", ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFolder(t)
			s := f.open()
			for id := terminal.SaleID(1); id <= 4; id++ {
				newTeller(t, s, id).do(undone...)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			db := raw(t, f.path())
			if _, err := db.Exec(c.spoil); err != nil {
				t.Fatal(err)
			}
			db.Close()
			var log bytes.Buffer
			s, err := store.Open(t.Context(), store.Config{Path: f.path(), Sealer: f.keys, Log: slog.New(slog.NewTextHandler(&log, nil))})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = s.Abort() }()
			var left []string
			for range 2 { // asked again, it says the same and logs no more
				left = nil
				for _, d := range due(t, s) {
					left = append(left, d.Sale.String())
					if !strings.HasPrefix(string(d.Message), "reversal ") {
						t.Errorf("sale %d has another message", d.Sale)
					}
				}
			}
			if got := strings.Join(left, " "); got != c.left {
				t.Errorf("due %q, want %q", got, c.left)
			}
			missing := 4 - len(left)
			if got := s.Quarantined(); got != missing {
				t.Errorf("%d in quarantine, want %d", got, missing)
			}
			if got := strings.Count(log.String(), "does not open"); got != missing {
				t.Errorf("%d lines logged, want %d:\n%s", got, missing, &log)
			}
			if counts, err := s.Counts(t.Context()); err != nil || counts.Owed != 4 {
				t.Errorf("%d owed (%v), want still 4", counts.Owed, err)
			}
		})
	}
}

// flip changes one bit of a debt's sealed message.
func flip(debt, at int) string {
	return fmt.Sprintf(`UPDATE card SET sealed = unhex(substr(hex(sealed), 1, 2*%[1]d) ||
		CASE substr(hex(sealed), 2*%[1]d+1, 1) WHEN '0' THEN '1' ELSE '0' END || substr(hex(sealed), 2*%[1]d+2))
		WHERE purpose = 'message' AND id = %[2]d`, at, debt)
}
