// Package logbook is the daemon's log as a technician has it in hand: levels that change while it runs, for all or for one area, and
// fall back by themselves; and the last lines, kept in memory within bounds, for whoever comes too late to see them.
//
// It is a handler of log/slog and no log of its own. It masks nothing: card data, keys and PINs have types that mask themselves under
// every verb, and are never logged in another form; a test greps the lines of sales at level debug.
package logbook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// AreaKey is the attribute that says which area a logger is of: log.With(logbook.AreaKey, "host").
const AreaKey = "area"

// The areas, each a part of the daemon with a logger of its own.
const (
	Card    = "card"    // the card kernel, step by step
	Reader  = "reader"  // card and stripe readers
	Host    = "host"    // the acquirer's link and its messages
	Keys    = "keys"    // the secure module
	Store   = "store"   // the journal
	Till    = "till"    // the local interface and cash registers
	Printer = "printer" // the receipt printer
)

// Areas are all of them, in the order of their names.
func Areas() []string { return []string{Card, Host, Keys, Printer, Reader, Store, Till} }

// Bounds of what is kept and asked for.
const (
	MaxLines   = 2000      // lines that are kept
	maxBytes   = 512 << 10 // of them together
	maxLine    = 4 << 10   // of one, in bytes; the rest of a longer one is not kept
	DefaultFor = 10 * time.Minute
	LongestFor = 24 * time.Hour
)

// Errors of Set.
var (
	ErrArea = errors.New("no such area")
	ErrFor  = errors.New("a level holds for one second to 24 hours")
)

// Override is a level that somebody has set, until it falls back.
type Override struct {
	Area  string     `json:"area,omitempty"` // empty: every area that has no level of its own
	Level slog.Level `json:"level"`
	Until time.Time  `json:"until"`
}

// State is what pos log shows.
type State struct {
	Level     slog.Level            `json:"level"`               // the config's, to which everything falls back
	Now       map[string]slog.Level `json:"now"`                 // by area, what is logged at this moment; "" is what has no area
	Overrides []Override            `json:"overrides,omitempty"` // those in force, by area
}

// Book is one daemon's. Safe for concurrent use.
type Book struct {
	base  slog.Level
	clock func() time.Time

	set atomic.Pointer[map[string]Override] // never changed, replaced; nil: nothing is set

	mu    sync.Mutex // guards what follows; held over no I/O but the log's own
	out   io.Writer
	lines []string // oldest first
	bytes int
}

// New is a logger that writes to out in "text" or "json", at a level, and its book.
func New(out io.Writer, format string, level slog.Level, clock func() time.Time) (*slog.Logger, *Book) {
	b := &Book{base: level, clock: clock, out: out}
	all := &slog.HandlerOptions{Level: slog.LevelDebug - 4} // the book decides
	var inner slog.Handler = slog.NewTextHandler(b, all)
	if format == "json" {
		inner = slog.NewJSONHandler(b, all)
	}
	return slog.New(&handler{book: b, inner: inner}), b
}

// Of is the book of a logger that New made, or one made of it; nil of another.
func Of(log *slog.Logger) *Book {
	if h, ok := log.Handler().(*handler); ok {
		return h.book
	}
	return nil
}

// Set has an area ("" for all) logged at a level for a while, and says what holds. Setting it again replaces it. Errors ErrArea, ErrFor.
func (b *Book) Set(area string, level slog.Level, hold time.Duration) (State, error) {
	if area != "" && !slices.Contains(Areas(), area) {
		return State{}, fmt.Errorf("%.20q: %w: there are %s", area, ErrArea, strings.Join(Areas(), ", "))
	}
	if hold < time.Second || hold > LongestFor {
		return State{}, fmt.Errorf("%s: %w", hold, ErrFor)
	}
	for {
		old := b.set.Load()
		next := map[string]Override{}
		if old != nil {
			maps.Copy(next, *old)
		}
		next[area] = Override{Area: area, Level: level, Until: b.clock().Add(hold)}
		if b.set.CompareAndSwap(old, &next) {
			return b.State(), nil
		}
	}
}

// Reset takes every level that was set back at once.
func (b *Book) Reset() State {
	b.set.Store(nil)
	return b.State()
}

// State is what holds now.
func (b *Book) State() State {
	s := State{Level: b.base, Now: map[string]slog.Level{}}
	for _, area := range append(Areas(), "") {
		s.Now[area] = b.level(area)
	}
	if set := b.set.Load(); set != nil {
		now := b.clock()
		for _, area := range slices.Sorted(maps.Keys(*set)) {
			if o := (*set)[area]; now.Before(o.Until) {
				s.Overrides = append(s.Overrides, o)
			}
		}
	}
	return s
}

// level is what holds for an area now: its own, that of all, or the config's.
func (b *Book) level(area string) slog.Level {
	set := b.set.Load()
	if set == nil {
		return b.base
	}
	now := b.clock()
	for _, of := range []string{area, ""} {
		if o, ok := (*set)[of]; ok && now.Before(o.Until) {
			return o.Level
		}
	}
	return b.base
}

// Write takes one line of the handler within, keeps it and passes it on.
func (b *Book) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	kept := string(bytes.TrimRight(line[:min(len(line), maxLine)], "\n"))
	b.lines, b.bytes = append(b.lines, kept), b.bytes+len(kept)
	for len(b.lines) > MaxLines || b.bytes > maxBytes {
		b.bytes -= len(b.lines[0])
		b.lines = b.lines[1:]
	}
	if b.out == nil {
		return len(line), nil
	}
	return b.out.Write(line)
}

// Last are the lines that are kept, oldest first.
func (b *Book) Last() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.lines)
}

// handler asks the book before it lets a record through.
type handler struct {
	book   *Book
	inner  slog.Handler
	area   string
	groups int // that are open: an attribute in one is no area
}

// Enabled is slog.Handler's.
func (h *handler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= h.book.level(h.area)
}

// Handle is slog.Handler's.
func (h *handler) Handle(ctx context.Context, r slog.Record) error { return h.inner.Handle(ctx, r) }

// WithAttrs is slog.Handler's.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := *h
	next.inner = h.inner.WithAttrs(attrs)
	for _, a := range attrs {
		if a.Key == AreaKey && h.groups == 0 {
			next.area = a.Value.String()
		}
	}
	return &next
}

// WithGroup is slog.Handler's.
func (h *handler) WithGroup(name string) slog.Handler {
	next := *h
	next.inner, next.groups = h.inner.WithGroup(name), h.groups+1
	return &next
}
