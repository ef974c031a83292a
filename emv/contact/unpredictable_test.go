package contact

import (
	"bufio"
	"crypto/rand"
	"encoding/binary"
	"io"
	"os"
	"os/exec"
	"slices"
	"testing"

	"tillway/emv"
)

const (
	restarts        = 10
	drawsPerRestart = 100_000
	drawOnly        = "TILLWAY_DRAW_ONLY" // set: the test binary draws and writes, and tests nothing
)

// TestMain lets the test binary stand for a terminal that is started again: it draws unpredictable numbers and writes them.
func TestMain(m *testing.M) {
	if os.Getenv(drawOnly) == "" {
		os.Exit(m.Run())
	}
	if err := draw(); err != nil {
		os.Exit(1)
	}
}

func draw() error {
	s := &session{params: emv.Params{Random: rand.Reader}}
	w := bufio.NewWriter(os.Stdout)
	for range drawsPerRestart {
		if err := s.drawUnpredictableNumber(); err != nil {
			return err
		}
		if _, err := w.Write(s.data.Value(emv.TagUnpredictableNumber)); err != nil {
			return err
		}
	}
	return w.Flush()
}

// TestAttackPrePlay: a million unpredictable numbers over ten starts of the program. No start repeats another's numbers, no
// byte favours a value, and there are about as many repeats as chance gives: more is a weak source, none is a counter
// (Bond and others, 2012; Book 4, 6.5.6).
func TestAttackPrePlay(t *testing.T) {
	var all []uint32
	firsts := map[uint32]int{}
	var count [4][256]int
	for restart := range restarts {
		cmd := exec.CommandContext(t.Context(), os.Args[0])                       //nolint:gosec // this test's own binary
		cmd.Env = append(os.Environ(), drawOnly+"=1", "GORACE=atexit_sleep_ms=0") // one with the race detector would wait a second
		out, err := cmd.Output()
		if err != nil || len(out) != 4*drawsPerRestart {
			t.Fatalf("start %d: %d bytes, %v", restart, len(out), err)
		}
		for i := 0; i < len(out); i += 4 {
			n := binary.BigEndian.Uint32(out[i:])
			if i == 0 {
				firsts[n]++
			}
			all = append(all, n)
			for at := range 4 {
				count[at][out[i+at]]++
			}
		}
	}
	if len(firsts) != restarts {
		t.Errorf("%d starts began with %d numbers", restarts, len(firsts))
	}
	for at := range count {
		expected := float64(len(all)) / 256
		square := 0.0
		for _, n := range count[at] {
			square += (float64(n) - expected) * (float64(n) - expected) / expected
		}
		if square < 100 || square > 450 { // 255 degrees of freedom: 255 on average, both ends beyond one in ten thousand million
			t.Errorf("byte %d: chi-square %.0f", at+1, square)
		}
	}
	slices.Sort(all)
	repeats := len(all) - len(slices.Compact(all))
	if repeats < 40 || repeats > 240 { // 116 on average
		t.Errorf("%d repeats in %d numbers", repeats, restarts*drawsPerRestart)
	}
}

// A source that ends is an error, and no number is there.
func TestUnpredictableNumberNeedsItsSource(t *testing.T) {
	s := &session{params: emv.Params{Random: io.LimitReader(rand.Reader, 3)}}
	if err := s.drawUnpredictableNumber(); err == nil || s.data.Has(emv.TagUnpredictableNumber) {
		t.Errorf("%v, %s", err, s.data)
	}
}
