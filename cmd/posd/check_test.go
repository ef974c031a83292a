package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tillway/terminal"
	"tillway/terminal/selftest"
)

// owes puts a reversal into the state folder as a terminal does that owes it since then; parked, as one that the bank has refused for good.
func owes(t *testing.T, state string, since time.Time, parked bool) {
	t.Helper()
	d, err := openDisk(t.Context(), state, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	batch, err := d.journal.Batch(t.Context(), "acquirer")
	if err != nil {
		t.Fatal(err)
	}
	sale := terminal.Sale{V: terminal.RecordVersion, ID: 7, State: terminal.Sending, Acquirer: "acquirer", Batch: batch, STAN: 9, Started: since}
	entries := []terminal.Entry{{
		Time: since, Kind: terminal.SaleEntry, From: terminal.Ready, Event: string(terminal.GoOnline), Duties: []terminal.Duty{terminal.OweReversal},
		Sale: &sale, Secret: &terminal.Secret{Reversal: []byte("reversal")},
	}}
	ended := sale
	ended.State = terminal.Reversed
	entries = append(entries, terminal.Entry{Time: since, Kind: terminal.SaleEntry, From: terminal.Sending, Event: string(terminal.PowerLost), Sale: &ended})
	err = d.journal.Append(t.Context(), true, entries...)
	if err == nil && parked {
		debts, derr := d.journal.Due(t.Context(), "acquirer")
		if derr != nil || len(debts) != 1 {
			t.Fatalf("%d debts: %v", len(debts), derr)
		}
		debt := debts[0]
		debt.State, debt.Reason = terminal.Parked, "the bank refused it: code 12"
		err = d.journal.Append(t.Context(), true, terminal.Entry{Time: since, Kind: terminal.DebtEntry, Event: string(terminal.DebtPut), Debt: &debt})
	}
	if err := errors.Join(err, d.close()); err != nil {
		t.Fatal(err)
	}
}

// found looks for a fault in what posd check says of a config.
func found(t *testing.T, path, fault string) selftest.Finding {
	t.Helper()
	var said bytes.Buffer
	r := checkStopped(t.Context(), source{path: path}, &said)
	at := slices.IndexFunc(r.Findings, func(f selftest.Finding) bool { return f.Fault == fault })
	if at < 0 {
		t.Fatalf("no %s in %s%s", fault, r.Text(), said.String())
	}
	return r.Findings[at]
}

// TestCheckOfTheQueue: what waits for long and what is parked is pointed out, with what it is; what has just come is not.
func TestCheckOfTheQueue(t *testing.T) {
	for _, c := range []struct {
		name   string
		since  time.Duration
		parked bool
		fault  string
		says   []string
	}{
		{"old", -26 * time.Hour, false, "queue_old", []string{"1 message waits", "26h0m0s", "pos queue send"}},
		{"parked", -time.Minute, true, "queue_parked", []string{"1 message is parked", "reversal of sale 7", "code 12", "write it off"}},
		{"fresh", -time.Minute, false, "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "posd.toml")
			text := benchConfig(t, dir)
			runFor(t, dir, text)
			write(t, path, text)
			owes(t, filepath.Join(dir, "state"), time.Now().Add(c.since), c.parked)
			if c.fault == "" {
				r := checkStopped(t.Context(), source{path: path}, &bytes.Buffer{})
				if strings.Contains(r.Text(), "queue_") || !strings.Contains(r.Text(), "queue, waiting: 1 message waits") {
					t.Errorf("%s", r.Text())
				}
				return
			}
			f := found(t, path, c.fault)
			for _, word := range c.says {
				if !strings.Contains(f.Cause+" "+f.Fix, word) {
					t.Errorf("it says nothing of %q: %+v", word, f)
				}
			}
		})
	}
}

// TestCheckChangesNothing: a sale that a power cut left open is still open behind posd check, and what it owes is still owed.
func TestCheckChangesNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "posd.toml")
	text := benchConfig(t, dir)
	runFor(t, dir, text)
	write(t, path, text)
	oweReversal(t, filepath.Join(dir, "state"), "acquirer")
	checkStopped(t.Context(), source{path: path}, &bytes.Buffer{})
	d, err := openDisk(t.Context(), filepath.Join(dir, "state"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	open, oerr := d.journal.Unfinished(t.Context())
	if err := errors.Join(oerr, d.close()); err != nil {
		t.Fatal(err)
	}
	if len(open) != 1 || open[0].State != terminal.Sending {
		t.Errorf("unfinished are %+v", open)
	}
}

// TestCheckBeforeTheFirstStart: a folder that is not there is no fault, and is not made.
func TestCheckBeforeTheFirstStart(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "posd.toml")
	write(t, path, benchConfig(t, dir))
	r := checkStopped(t.Context(), source{path: path}, &bytes.Buffer{})
	for _, f := range r.Findings {
		if f.Status == selftest.Fault && f.Check != selftest.Reader {
			t.Errorf("%+v", f)
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, "state*")); err != nil || len(left) > 0 {
		t.Errorf("it made %q, %v", left, err)
	}
}

// TestCheckThatHangs: a check that does not come back is reported within its limit, and is not begun again before it has.
func TestCheckThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &examiner{}
		hang := make(chan struct{})
		begun := 0
		c := check{selftest.Disk, fileLimit, func(context.Context) []selftest.Finding {
			begun++
			<-hang
			return []selftest.Finding{selftest.Good(selftest.Disk, "", "")}
		}}
		for range 2 {
			got := e.within(t.Context(), c)
			if len(got) != 1 || got[0].Status != selftest.NotChecked || got[0].Cause == "" {
				t.Errorf("%+v", got)
			}
		}
		close(hang)
		synctest.Wait()
		if got := e.within(t.Context(), c); len(got) != 1 || got[0].Status != selftest.OK || begun != 2 {
			t.Errorf("it came back, was begun %d times, and says %+v", begun, got)
		}
	})
}
