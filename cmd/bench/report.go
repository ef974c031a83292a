package main

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A measure is one unit of one benchmark, over all repeats, in the order in which go test printed them.
type measure struct {
	name, unit string
	values     []float64
}

// The number of processors, which go test puts at the end of every name unless it is one.
var processors = regexp.MustCompile(`-\d+$`)

// report turns go test's output into lines: the measures in their order, each ratio after the last measure of ours.
func report(folder, output string) (lines []string) {
	measures := read(folder, output)
	for _, m := range measures {
		lines = append(lines, fmt.Sprintf("%s %s %s", m.name, number(median(m.values)), m.unit))
	}
	for _, m := range measures {
		group, ours := strings.CutSuffix(m.name, "/ours")
		if !ours {
			continue
		}
		for _, peer := range measures {
			name, beside := strings.CutPrefix(peer.name, group+"/")
			if !beside || name == "ours" || strings.Contains(name, "/") || peer.unit != m.unit || median(peer.values) == 0 {
				continue
			}
			lines = append(lines, fmt.Sprintf("%s:%s %.2f ratio-%s", m.name, name, median(m.values)/median(peer.values), m.unit))
		}
	}
	return lines
}

// read collects the measures of lines such as "BenchmarkPack/ours-2  1000  2500 ns/op  480 B/op  3 allocs/op".
func read(folder, output string) (measures []measure) {
	for line := range strings.Lines(output) {
		words := strings.Fields(line)
		if len(words) < 4 || !strings.HasPrefix(words[0], "Benchmark") {
			continue
		}
		if _, err := strconv.ParseUint(words[1], 10, 64); err != nil {
			continue
		}
		name := folder + "." + processors.ReplaceAllString(strings.TrimPrefix(words[0], "Benchmark"), "")
		for i := 2; i+1 < len(words); i += 2 {
			value, err := strconv.ParseFloat(words[i], 64)
			if err != nil {
				break
			}
			at := slices.IndexFunc(measures, func(m measure) bool { return m.name == name && m.unit == words[i+1] })
			if at < 0 {
				measures = append(measures, measure{name: name, unit: words[i+1]})
				at = len(measures) - 1
			}
			measures[at].values = append(measures[at].values, value)
		}
	}
	return measures
}

// median of at least one value; of an even number, the lower of the two in the middle.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[(len(sorted)-1)/2]
}

func number(v float64) string {
	if v >= 100 || v == float64(int64(v)) {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'f', 3, 64)
}
