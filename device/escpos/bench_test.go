package escpos

import (
	"context"
	"net"
	"sync"
	"testing"

	virtual "tillway/device/emulator/escpos"
)

// piped is a driver with a virtual printer at the other end of a pipe.
func piped(b *testing.B) *Printer {
	b.Helper()
	paper := virtual.New(virtual.Config{})
	var serving sync.WaitGroup
	p := New(Config{Port: "usb", Open: func(context.Context) (Line, error) {
		here, there := net.Pipe()
		serving.Go(func() { _ = paper.Serve(context.WithoutCancel(b.Context()), there) })
		return NewLine("pipe", here), nil
	}})
	b.Cleanup(func() {
		if err := p.Close(); err != nil {
			b.Error(err)
		}
		serving.Wait()
	})
	return p
}

// BenchmarkReady is what an idle printer costs, once in ten seconds: driver and virtual printer together.
func BenchmarkReady(b *testing.B) {
	p := piped(b)
	for b.Loop() {
		if err := p.Ready(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPrint is a receipt of text, from its first byte to the printer's word, without a mechanism's time.
func BenchmarkPrint(b *testing.B) {
	p := piped(b)
	for b.Loop() {
		if err := p.Print(b.Context(), receipt(1)); err != nil {
			b.Fatal(err)
		}
	}
}
