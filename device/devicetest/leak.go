package devicetest

import (
	"bytes"
	"os"
	"runtime"
	"testing"
	"time"
)

// weight is what a process holds.
type weight struct {
	goroutines, descriptors int
	heap                    uint64 // bytes in use after a collection
}

// The growth that is let pass: a harness may be in the middle of something, and the runtime keeps caches.
const (
	growthHandles = 6
	growthHeap    = 1 << 20
)

// weigh collects garbage and counts.
func weigh(t *testing.T) weight {
	t.Helper()
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return weight{runtime.NumGoroutine(), len(open), m.HeapAlloc}
}

// handles is goroutines and descriptors together.
func (w weight) handles() int { return w.goroutines + w.descriptors }

// grown fails the test when the process holds more than it did, beyond what is let pass. What is only slow to leave gets
// two seconds.
func (w weight) grown(t *testing.T, since string) {
	t.Helper()
	now := weigh(t)
	for range 100 {
		if now.handles() <= w.handles()+growthHandles && now.heap <= w.heap+growthHeap {
			return
		}
		time.Sleep(20 * time.Millisecond)
		now = weigh(t)
	}
	t.Errorf("after %s: goroutines %d to %d, descriptors %d to %d, heap %d to %d bytes",
		since, w.goroutines, now.goroutines, w.descriptors, now.descriptors, w.heap, now.heap)
}

// thousand looks for what is lost with each card.
func thousand(t *testing.T, connect Connect) {
	before := weigh(t)
	t.Run("inserted", func(t *testing.T) {
		reader, harness := connect(t)
		b := newBench(t, reader, harness)
		var during weight
		for i := range 1000 {
			harness.Insert(atrT0, respond)
			p := b.present()
			if got, err := b.transmit(p.Card, readCommand); err != nil || !bytes.Equal(got, respond(readCommand)) {
				t.Fatalf("card %d: %X, %v", i, got, err)
			}
			if err := reader.Release(t.Context()); err != nil {
				t.Fatal(err)
			}
			harness.Remove()
			b.removed()
			if i == 100 {
				during = weigh(t)
			}
		}
		during.grown(t, "900 cards")
		if err := reader.Close(); err != nil {
			t.Fatal(err)
		}
	})
	for range 100 { // the harness may take a moment to leave
		if weigh(t).handles() <= before.handles() {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("%d goroutines and descriptors before, %d after", before.handles(), weigh(t).handles())
}
