package logbook_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"tillway/till/logbook"
)

// A level holds for its area and for its time, and falls back by itself.
func TestLevelFallsBack(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	var out bytes.Buffer
	log, book := logbook.New(&out, "text", slog.LevelInfo, func() time.Time { return now })
	host, card := log.With(logbook.AreaKey, logbook.Host), log.With("sale", 7).With(logbook.AreaKey, logbook.Card)
	say := func() string {
		out.Reset()
		log.Debug("plain")
		host.Debug("wire")
		card.Debug("step")
		var said []string
		for line := range strings.Lines(out.String()) {
			_, rest, _ := strings.Cut(line, "msg=")
			word, _, _ := strings.Cut(rest, " ")
			said = append(said, strings.TrimSpace(word))
		}
		return strings.Join(said, " ")
	}
	if got := say(); got != "" {
		t.Errorf("at info: %q", got)
	}
	if _, err := book.Set(logbook.Host, slog.LevelDebug, time.Minute); err != nil {
		t.Fatal(err)
	}
	if got := say(); got != "wire" {
		t.Errorf("with the host at debug: %q", got)
	}
	if _, err := book.Set("", slog.LevelDebug, 2*time.Minute); err != nil {
		t.Fatal(err)
	}
	if _, err := book.Set(logbook.Host, slog.LevelError, time.Minute); err != nil {
		t.Fatal(err)
	}
	if got := say(); got != "plain step" {
		t.Errorf("all at debug, the host at error: %q", got)
	}
	now = now.Add(time.Minute)
	if got := say(); got != "plain wire step" {
		t.Errorf("the host's level is over: %q", got)
	}
	if s := book.State(); len(s.Overrides) != 1 || s.Now[logbook.Card] != slog.LevelDebug || s.Level != slog.LevelInfo {
		t.Errorf("%+v", s)
	}
	now = now.Add(time.Minute)
	if got := say(); got != "" || len(book.State().Overrides) != 0 {
		t.Errorf("all is over: %q %+v", got, book.State())
	}
	if _, err := book.Set("", slog.LevelDebug, time.Minute); err != nil {
		t.Fatal(err)
	}
	if s := book.Reset(); len(s.Overrides) != 0 || say() != "" {
		t.Errorf("taken back: %+v", s)
	}
	if log.WithGroup("g").With(logbook.AreaKey, logbook.Host).Enabled(t.Context(), slog.LevelDebug) {
		t.Error("an attribute of a group is taken for an area")
	}
}

func TestSetRefuses(t *testing.T) {
	_, book := logbook.New(nil, "json", slog.LevelInfo, time.Now)
	for _, row := range []struct {
		area string
		hold time.Duration
		want error
	}{
		{"bank", time.Minute, logbook.ErrArea},
		{"", 0, logbook.ErrFor},
		{"", 25 * time.Hour, logbook.ErrFor},
		{logbook.Host, time.Millisecond, logbook.ErrFor},
	} {
		if _, err := book.Set(row.area, slog.LevelDebug, row.hold); !errors.Is(err, row.want) {
			t.Errorf("%+v: %v", row, err)
		}
	}
	if len(book.State().Overrides) != 0 {
		t.Error("a refusal set something")
	}
}

// The last lines are kept within bounds, whatever is written.
func TestLinesAreBounded(t *testing.T) {
	log, book := logbook.New(nil, "text", slog.LevelInfo, time.Now)
	for n := range logbook.MaxLines + 10 {
		log.Info("line", "n", n)
	}
	last := book.Last()
	if len(last) != logbook.MaxLines || !strings.HasSuffix(last[0], "n=10") || !strings.HasSuffix(last[len(last)-1], "n=2009") {
		t.Errorf("%d lines, %q to %q", len(last), last[0], last[len(last)-1])
	}
	for range 1000 {
		log.Info(strings.Repeat("x", 10_000))
	}
	total := 0
	for _, line := range book.Last() {
		total += len(line)
	}
	if total > 512<<10 || total < 256<<10 {
		t.Errorf("%d bytes are kept", total)
	}
	if logbook.Of(log) != book || logbook.Of(slog.New(slog.DiscardHandler)) != nil {
		t.Error("the book of a logger is not found, or one of a logger without")
	}
}
