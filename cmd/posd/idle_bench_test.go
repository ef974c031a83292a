package main

import (
	"syscall"
	"testing"
	"time"

	"tillway/device"
)

// BenchmarkIdle is what a driver costs while nothing happens: processor time in milliseconds of each second, with an empty
// slot and with a card that nobody wants. The emulated reader at the other end of the wire runs in the same process and is
// in it, so the driver's own is less.
func BenchmarkIdle(b *testing.B) {
	for name, connect := range wires() {
		for state, in := range map[string]bool{"empty": false, "card-in": true} {
			b.Run(name+"/"+state, func(b *testing.B) {
				p := connect(b)
				b.Cleanup(func() { must(b)(p.reader.Close()) })
				want := device.NoCard
				if in {
					want = device.CardIn
					p.insert(quietChip{})
				}
				for range 1000 {
					if p.reader.Status().Condition == want {
						break
					}
					time.Sleep(5 * time.Millisecond)
				}
				if got := p.reader.Status(); got.Condition != want {
					b.Fatalf("%+v", got)
				}
				before, began := used(b), time.Now()
				for b.Loop() {
					time.Sleep(time.Second)
				}
				b.ReportMetric(float64((used(b)-before).Microseconds())/1000/time.Since(began).Seconds(), "cpu-ms/s")
			})
		}
	}
}

// used is the process's processor time so far.
func used(b *testing.B) time.Duration {
	var u syscall.Rusage
	must(b)(syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// quietChip is a card that is only there.
type quietChip struct{}

func (quietChip) ATR() []byte            { return []byte{0x3B, 0x60, 0x00, 0x00} }
func (quietChip) Reset()                 {}
func (quietChip) Left() bool             { return false }
func (quietChip) Transmit([]byte) []byte { return []byte{0x6D, 0x00} }
