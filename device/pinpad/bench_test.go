package pinpad

import (
	"errors"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	emulated "tillway/device/emulator/pinpad"
)

// onPort is a pad on a pseudo-terminal, its driver and the module.
func onPort(b *testing.B) (*Pad, *emulated.Pad, func()) {
	b.Helper()
	link := filepath.Join(b.TempDir(), "pad")
	pad, err := emulated.Start(link, tdes())
	if err != nil {
		b.Fatal(err)
	}
	driver, err := Open(Config{Port: link})
	if err != nil {
		b.Fatal(err)
	}
	f := module(b, driver, pairing)
	for end := time.Now().Add(time.Minute); !driver.State().Ready && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	return driver, pad, func() {
		if err := errors.Join(f.Close(), driver.Close(), pad.Close()); err != nil {
			b.Error(err)
		}
	}
}

// BenchmarkIdle is a second with a pad plugged in that nobody uses: how much of a processor that takes.
func BenchmarkIdle(b *testing.B) {
	_, _, end := onPort(b)
	defer end()
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before, begun := used(), time.Now()
	for b.Loop() {
		time.Sleep(time.Second)
	}
	b.ReportMetric(float64(used()-before)/float64(time.Since(begun))*100, "cpu-%")
}

// BenchmarkEntry is an entry whose keys are pressed at once: what protocol and encipherment take, both ends in one process.
func BenchmarkEntry(b *testing.B) {
	driver, pad, end := onPort(b)
	defer end()
	for b.Loop() {
		pad.Type("1234\r")
		q := request()
		q.Min, q.Max = 4, 12
		if _, err := driver.EnterPIN(b.Context(), q); err != nil {
			b.Fatal(err)
		}
	}
}
