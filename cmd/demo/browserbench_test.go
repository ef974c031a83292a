package main

import "testing"

// BenchmarkScreen measures in a real browser, against the real programs: from a command to the first event of it, from an event
// to its paint, and the daemon's memory with ten open pages. Each is a median of its own.
func BenchmarkScreen(b *testing.B) {
	needBrowser(b)
	stage := newBrowserStage(b, "shop", openShop)
	runBrowser(b, "bench.mjs", []*browserStage{stage}, nil, func(line browserLine) {
		for unit, value := range line.Figures {
			b.Run(line.Scenario, func(b *testing.B) {
				b.ReportMetric(value, unit)
				b.ReportMetric(0, "ns/op")
			})
		}
	})
}
