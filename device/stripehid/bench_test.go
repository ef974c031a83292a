package stripehid_test

import (
	"syscall"
	"testing"
	"time"

	"tillway/device/emulator/hidstripe"
	"tillway/device/stripehid"
)

// processor is the time that this process has had of the processor.
func processor(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkIdle is a second with a reader plugged in that nobody uses, and one without: how much of a processor that takes.
func BenchmarkIdle(b *testing.B) {
	for _, c := range []struct {
		name string
		plug bool
	}{{"attached", true}, {"absent", false}} {
		b.Run(c.name, func(b *testing.B) {
			bus := hidstripe.NewBus()
			if c.plug {
				bus.Plug(emulated(b, hidstripe.SureSwipe))
			}
			r, err := stripehid.Open(stripehid.Config{Maker: "magtek", Bus: bus})
			if err != nil {
				b.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
			before, begun := processor(b), time.Now()
			for b.Loop() {
				time.Sleep(time.Second)
			}
			b.ReportMetric(float64(processor(b)-before)/float64(time.Since(begun))*100, "cpu-%")
			if err := r.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}
