package main

import (
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// Bounds of the search for a smaller story, in runs, and of what is printed of it.
const (
	maxTries   = 60
	maxStories = 3
	maxLines   = 150
)

// explain reports a seed that broke a rule: how to run it again, and the smallest story that still breaks one: with the fewest
// orders, and without the faults that it does not need.
func (t *tally) explain(tb *testing.T, dir string, p plan, violations []string) {
	tb.Helper()
	t.mu.Lock()
	t.told++
	told := t.told
	t.mu.Unlock()
	again := fmt.Sprintf("make sim SEEDS=1 SEED=%d", p.seed)
	if told > maxStories {
		tb.Errorf("%s: %s", again, violations[0])
		return
	}
	small, w, left := minimal(tb, dir, p)
	tb.Errorf("%s\n%s\nwith %d orders and without %s:\n%s\nits story:\n%s", again, strings.Join(violations, "\n"),
		small.orders, strings.Join(slices.Sorted(maps.Keys(small.without)), ", "), strings.Join(left, "\n"), w.brief())
}

// minimal looks for the smallest plan that still breaks a rule. Draws stay where they were, so a run with fewer orders is the
// beginning of the longer one.
func minimal(tb testing.TB, dir string, p plan) (small plan, w *world, violations []string) {
	tb.Helper()
	t, ok := tb.(*testing.T)
	if !ok {
		panic("the simulation needs a test")
	}
	tries := 0
	breaks := func(q plan) bool {
		if tries++; tries > maxTries {
			return false
		}
		v, found := simulate(t, dir, q)
		if len(found) == 0 {
			return false
		}
		small, w, violations = q, v, found
		return true
	}
	if !breaks(p) {
		return p, &world{story: &story{lines: []string{"it does not happen again: the seed does not tell one story"}}}, nil
	}
	for low, high := 1, p.orders; low < high; {
		q := small
		if q.orders = (low + high) / 2; breaks(q) {
			high = q.orders
		} else {
			low = q.orders + 1
		}
	}
	for _, fault := range append([]string{"power cut"}, slices.Sorted(maps.Keys(w.faults))...) {
		q := small
		q.without = maps.Clone(small.without)
		if q.without == nil {
			q.without = map[string]bool{}
		}
		q.without[fault] = true
		breaks(q)
	}
	return small, w, violations
}

// brief is the story's lines with the frames as message type and trace number, the newest at the end.
func (s *story) brief() string {
	var out []string
	for _, line := range s.lines {
		at, rest, ok := strings.Cut(line, " ")
		dir, data, framed := strings.Cut(rest, " ")
		if !ok || !framed || len(dir) != 1 {
			out = append(out, line)
			continue
		}
		text := fmt.Sprintf("%d bytes that cannot be read", len(data)/2)
		if m, err := readHex(data); err == nil {
			text = fmt.Sprintf("%s STAN %s amount %s code %s", m.mti, m.stan, m.amount, m.rc)
		}
		out = append(out, fmt.Sprintf("%s %s %s", at, dir, text))
	}
	if len(out) > maxLines {
		out = append([]string{fmt.Sprintf("(%d lines before)", len(out)-maxLines)}, out[len(out)-maxLines:]...)
	}
	return strings.Join(out, "\n")
}

func readHex(data string) (wireMessage, error) {
	b, err := hex.DecodeString(data)
	if err != nil {
		return wireMessage{}, err
	}
	return readWire(b)
}
