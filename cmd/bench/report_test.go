package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const printed = `goos: linux
pkg: tillway/iso8583
BenchmarkPack/ours-2         	  500000	      2400 ns/op	     480 B/op	       3 allocs/op
BenchmarkPack/ours-2         	  500000	      2600 ns/op	     480 B/op	       3 allocs/op
BenchmarkPack/ours-2         	  500000	      2500 ns/op	     480 B/op	       3 allocs/op
BenchmarkPack/moov-2         	  400000	      5000 ns/op	     960 B/op	       0 allocs/op
BenchmarkPack/moov/spec-2    	  400000	      9000 ns/op
BenchmarkSale-2              	     100	    120000 ns/op	         2.000 flushes/sale	         0.125 extra/sale
Benchmarks are printed above 1 2
PASS
ok  	tillway/iso8583	5.0s
`

func TestReport(t *testing.T) {
	want := []string{
		"iso8583.Pack/ours 2500 ns/op",
		"iso8583.Pack/ours 480 B/op",
		"iso8583.Pack/ours 3 allocs/op",
		"iso8583.Pack/moov 5000 ns/op",
		"iso8583.Pack/moov 960 B/op",
		"iso8583.Pack/moov 0 allocs/op",
		"iso8583.Pack/moov/spec 9000 ns/op",
		"iso8583.Sale 120000 ns/op",
		"iso8583.Sale 2 flushes/sale",
		"iso8583.Sale 0.125 extra/sale",
		"iso8583.Pack/ours:moov 0.50 ratio-ns/op",
		"iso8583.Pack/ours:moov 0.50 ratio-B/op",
	}
	if got := report("iso8583", printed); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if got := report("x", "PASS\nok tillway/x 0.1s\n"); len(got) != 0 {
		t.Errorf("no benchmark ran, and it reports %q", got)
	}
}

func TestWithBenchmarks(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"a/a_test.go":          "func BenchmarkA(b *testing.B) {}",
		"a/again_test.go":      "func BenchmarkB(b *testing.B) {}",
		"b/b_test.go":          "func TestB(t *testing.T) {}\n// func BenchmarkNot(",
		"c/c.go":               "func BenchmarkC(b *testing.B) {}",
		".d/d_test.go":         "func BenchmarkD(b *testing.B) {}",
		"e/testdata/e_test.go": "func BenchmarkE(b *testing.B) {}",
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := withBenchmarks(root)
	if err != nil || !slices.Equal(got, []string{filepath.Join(root, "a")}) {
		t.Errorf("found %q, %v", got, err)
	}
	if got, err := withBenchmarks(filepath.Join(root, "b")); err == nil {
		t.Errorf("no benchmark is there, and it found %q", got)
	}
}
