package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"tillway/emv"
	"tillway/money"
	"tillway/store"
	"tillway/terminal"
)

// keepIn names, in the environment of a benchmark, a folder where it may keep what is expensive to make for its next run;
// cmd/bench sets it, and takes the folder away at its end.
const keepIn = "TILLWAY_BENCH_KEEP"

// fewRows and manyRows are the journals that are compared: of a terminal's first day, and of its years.
const (
	fewRows  = 1_000
	manyRows = 1_000_000
)

// filler fills a journal as the lane does, with real rows, seals and tags; only the commits are larger.
type filler struct {
	journal *store.Store
	table   []terminal.Row
	cards   []terminal.CardData
	kwd     money.Currency
	sale    terminal.SaleID
}

func newFiller(tb testing.TB, journal *store.Store) *filler {
	tb.Helper()
	f := &filler{journal: journal, table: terminal.Table()}
	f.kwd, _ = money.ByCode("KWD")
	last, err := journal.Highest(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	f.sale = last
	for n := range 2000 { // customers: their tokens lie all over the index
		packed, err := hex.DecodeString(fmt.Sprintf("4761739%08d%dD28122011143800000000F", n*3, 0))
		if err != nil {
			tb.Fatal(err)
		}
		track, err := emv.NewTrack2(packed)
		if err != nil {
			tb.Fatal(err)
		}
		f.cards = append(f.cards, terminal.CardData{PAN: track.PAN(), Expiry: track.Expiry(), PSN: "01", Track2: track})
	}
	return f
}

// approved is an online sale that goes well: five rows.
var approvedSale = []terminal.Event{terminal.Start, terminal.Presented, terminal.GoOnline, terminal.HostApproved, terminal.CardAgrees}

// sell appends one sale. Without flush its commits wait for the journal's own, a thousand rows later.
func (f *filler) sell(ctx context.Context, flush bool) error {
	batch, err := f.journal.Batch(ctx, defaults().Acquirer.Name)
	if err != nil {
		return err
	}
	f.sale++
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).Add(time.Duration(f.sale) * time.Minute)
	card := f.cards[int(f.sale*7919)%len(f.cards)] //nolint:gosec // small numbers
	sale := terminal.Sale{
		V: terminal.RecordVersion, ID: f.sale, Kind: terminal.KindSale, State: terminal.Ready, Acquirer: defaults().Acquirer.Name, Batch: batch,
		Amount: money.New(1_000+int64(f.sale%9_000), f.kwd), Started: at, TerminalID: "TILL0001", MerchantID: "KW0000000000001",
		Key: fmt.Sprintf("order-%d", f.sale), Reference: fmt.Sprintf("basket %d", f.sale), LocalTime: at,
	}
	for _, event := range approvedSale {
		r, err := terminal.Next(f.table, sale.State, event)
		if err != nil {
			return err
		}
		at = at.Add(time.Second)
		sale.State, sale.Updated = r.To, at
		e := terminal.Entry{Time: at, Kind: terminal.SaleEntry, From: r.From, Event: string(event), Duties: r.Duties, Erase: r.From == terminal.Sending}
		switch event {
		case terminal.GoOnline:
			sale.STAN, sale.Invoice = uint32(f.sale%1_000_000), uint32(f.sale%1_000_000) //nolint:gosec // six digits
			sale.MaskedPAN, sale.Scheme, sale.Label, sale.AID = card.PAN.Masked(), "visa", "VISA CREDIT", "A0000000031010"
			e.Secret = &terminal.Secret{Card: card, Request: make([]byte, 300), Reversal: make([]byte, 120)}
		case terminal.HostApproved:
			sale.ResponseCode, sale.RRN, sale.AuthCode = "00", fmt.Sprintf("%012d", f.sale), fmt.Sprintf("%06d", f.sale%1_000_000)
		default:
		}
		now := sale
		e.Sale = &now
		if err := f.journal.Append(ctx, flush && r.Commit, e); err != nil {
			return err
		}
	}
	return nil
}

// perBatch is how many sales a busy day has.
const perBatch = 400

// fill makes rows, day after day: a day's sales, then the batch is settled, and the journal checkpointed.
func (f *filler) fill(ctx context.Context, rows int) error {
	for n := range rows / len(approvedSale) {
		if err := f.sell(ctx, false); err != nil {
			return err
		}
		if n%perBatch == perBatch/2 { // so that half a day is left in the end
			if err := f.settle(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// settle ends the batch as the acquirer's owner does when the host has the same totals.
func (f *filler) settle(ctx context.Context) error {
	acquirer := defaults().Acquirer.Name
	number, err := f.journal.Batch(ctx, acquirer)
	if err != nil {
		return err
	}
	if err := f.journal.Append(ctx, true); err != nil {
		return err
	}
	b, err := f.journal.BatchRecord(ctx, acquirer, number)
	if err != nil {
		return err
	}
	items, err := f.journal.Items(ctx, acquirer, number)
	if err != nil {
		return err
	}
	for _, event := range []terminal.BatchEvent{terminal.BatchSettle, terminal.BatchDrained, terminal.BatchInBalance} {
		if event == terminal.BatchSettle && b.State == terminal.BatchDraining {
			continue // a daemon that was started in between found that its day is over
		}
		row, err := terminal.NextBatch(terminal.BatchTable(), b.State, event)
		if err != nil {
			return err
		}
		b.State, b.Totals = row.To, terminal.TotalsOf(terminal.Counted(items))
		now := b
		if err := f.journal.Append(ctx, true, terminal.Entry{Time: b.Opened, Kind: terminal.BatchEntry, Event: string(event), Batch: &now}); err != nil {
			return err
		}
	}
	return f.journal.Checkpoint(ctx)
}

// filled is a state folder whose journal has at least so many rows; that with many is made once a benchmark run.
func filled(b *testing.B, rows int) string {
	b.Helper()
	dir := os.Getenv(keepIn)
	if dir == "" || rows < manyRows {
		dir = b.TempDir()
	}
	dir = filepath.Join(dir, fmt.Sprintf("posd-%d-rows", rows))
	if _, err := os.Stat(filepath.Join(dir, "made")); err == nil {
		return dir
	}
	begun := time.Now()
	d, err := openDisk(b.Context(), dirOf(b, dir), slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	f := newFiller(b, d.journal)
	if err := f.fill(b.Context(), rows); err != nil {
		b.Fatal(err)
	}
	if err := d.close(); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "made"), nil, 0o600); err != nil {
		b.Fatal(err)
	}
	b.Logf("%d rows made in %v", rows, time.Since(begun).Round(time.Millisecond))
	return dir
}

// dirOf is the state folder within a kept one.
func dirOf(tb testing.TB, dir string) string {
	tb.Helper()
	state := filepath.Join(dir, "state")
	if err := os.MkdirAll(state, 0o700); err != nil {
		tb.Fatal(err)
	}
	return state
}

// TestFillerFills holds the benchmark's rows against the store's own examination, and counts them.
func TestFillerFills(t *testing.T) {
	d, err := openDisk(t.Context(), t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.close(); err != nil {
			t.Error(err)
		}
	}()
	f := newFiller(t, d.journal)
	if err := errors.Join(f.fill(t.Context(), 300*len(approvedSale)), f.sell(t.Context(), true)); err != nil {
		t.Fatal(err)
	}
	report, err := d.journal.Verify(t.Context())
	if err != nil || len(report.Findings) > 0 {
		t.Errorf("%+v, %v", report, err)
	}
	if c, err := d.journal.Counts(t.Context()); err != nil || c.Highest != 301*int64(len(approvedSale))+3 || c.Owed != 0 {
		t.Errorf("%+v, %v: want %d rows", c, err, 301*len(approvedSale)+3)
	}
}

// BenchmarkJournal is what one online sale costs the journal, both flushes included, with a thousand rows in it and with a
// million: the median of each, sale about, so that whatever else the machine does meets both. The ratio must stay at most 1.1.
func BenchmarkJournal(b *testing.B) {
	var took [2][]float64
	var fillers [2]*filler
	for i, rows := range []int{fewRows, manyRows} {
		d, err := openDisk(b.Context(), dirOf(b, filled(b, rows)), slog.New(slog.DiscardHandler))
		if err != nil {
			b.Fatal(err)
		}
		defer func() {
			if err := d.close(); err != nil {
				b.Error(err)
			}
		}()
		fillers[i] = newFiller(b, d.journal)
		for range 100 { // what a day has read already
			if err := fillers[i].sell(b.Context(), true); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ResetTimer()
	for range b.N {
		for i, f := range fillers {
			begun := time.Now()
			if err := f.sell(b.Context(), true); err != nil {
				b.Fatal(err)
			}
			took[i] = append(took[i], float64(time.Since(begun)))
		}
	}
	b.StopTimer()
	few, many := middle(took[0]), middle(took[1])
	b.ReportMetric(few/1e3, "us/sale-thousand")
	b.ReportMetric(many/1e3, "us/sale-million")
	b.ReportMetric(many/few, "ratio-million:thousand")
}

func middle(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// halfDay settles what other benchmarks left in the open batch, and sells half a day's sales.
func halfDay(b *testing.B, state string) {
	b.Helper()
	d, err := openDisk(b.Context(), state, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	f := newFiller(b, d.journal)
	err = f.settle(b.Context())
	for range perBatch / 2 {
		err = errors.Join(err, f.sell(b.Context(), false))
	}
	if err := errors.Join(err, d.close()); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkStartMillion is BenchmarkStart with a million rows in the journal: from exec to the ready line.
func BenchmarkStartMillion(b *testing.B) {
	dir, program, config := shipped(b)
	if err := os.Rename(dirOf(b, filled(b, manyRows)), filepath.Join(dir, "state")); err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := os.Rename(filepath.Join(dir, "state"), filepath.Join(filled(b, manyRows), "state")); err != nil {
			b.Fatal(err)
		}
	}()
	halfDay(b, filepath.Join(dir, "state"))
	startOnce(b, program, config) // the first start makes the witness
	var resident float64
	b.ResetTimer()
	for range b.N {
		resident = startOnce(b, program, config)
	}
	b.StopTimer()
	b.ReportMetric(resident, "resident-kB")
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(100*time.Millisecond), "ratio-to-100ms")
	var size int64
	if info, err := os.Stat(filepath.Join(dir, "state", "journal.db")); err == nil {
		size = info.Size()
	}
	b.ReportMetric(float64(size)/(1<<20), "journal-MiB")
}
