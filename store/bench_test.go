package store_test

import (
	"testing"

	"tillway/store"
	"tillway/store/flushcount"
	"tillway/terminal"
)

// BenchmarkCommit is one durable row.
func BenchmarkCommit(b *testing.B) {
	s := newFolder(b).open()
	before := flushcount.Read()
	for b.Loop() {
		if err := s.Append(b.Context(), true, note("a stray answer")); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(flushcount.Read()-before)/float64(b.N), "flushes/op")
}

// BenchmarkSale is what an approved online sale asks of the journal: five rows, two commits, two sealings.
func BenchmarkSale(b *testing.B) {
	s := newFolder(b).open()
	next := terminal.SaleID(0)
	newTeller(b, s, 1)
	before := flushcount.Read()
	for b.Loop() {
		next++
		newTeller(b, s, next).do(approved...)
	}
	b.ReportMetric(float64(flushcount.Read()-before)/float64(b.N), "flushes/op")
}

// BenchmarkOpen is the start of a daemon whose journal is up to date.
func BenchmarkOpen(b *testing.B) {
	f := newFolder(b)
	s := f.open()
	for id := terminal.SaleID(1); id <= 100; id++ {
		newTeller(b, s, id).do(approved...)
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s, err := store.Open(b.Context(), store.Config{Path: f.path(), Sealer: f.keys})
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Abort(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRecovery is what a start asks of a journal with many ended sales: it must not grow with them.
func BenchmarkRecovery(b *testing.B) {
	s := newFolder(b).open()
	for id := terminal.SaleID(1); id <= 2000; id++ {
		newTeller(b, s, id).do(approved...)
	}
	for b.Loop() {
		if _, err := s.Unfinished(b.Context()); err != nil {
			b.Fatal(err)
		}
		if _, err := s.Due(b.Context(), acquirer); err != nil {
			b.Fatal(err)
		}
		if _, err := s.Counts(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkNumber is a number of a leased block.
func BenchmarkNumber(b *testing.B) {
	c, err := store.CreateCounter(b.TempDir()+"/counter", 1<<20)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := c.Next(b.Context()); err != nil {
			b.Fatal(err)
		}
		if err := c.Refill(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
