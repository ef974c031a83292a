// Command bench runs the project's Go benchmarks and prints one line for each measure, `name value unit`, and for
// every benchmark that has a peer the ratio of ours to it.
//
// A benchmark has a peer when it has a part called ours and others beside it: BenchmarkPack/ours and BenchmarkPack/moov
// give the line `iso8583.Pack/ours:moov 0.91 ratio-ns/op`; below 1 ours costs less. It measures nothing itself: it runs
// `go test -bench`, and takes the median of the repeats.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		os.Exit(1)
	}
}

func command() *cobra.Command {
	var time, only string
	var repeats int
	cmd := &cobra.Command{
		Use:          "bench [FOLDER…]",
		Short:        "Run the benchmarks of all folders, or of those named, and print one line each",
		SilenceUsage: true,
		RunE: func(cmd *cobra.Command, folders []string) error {
			if repeats < 1 {
				return errors.New("--repeats is at least 1")
			}
			return run(cmd.Context(), cmd.OutOrStdout(), folders, "-bench="+only, "-benchtime="+time, fmt.Sprintf("-count=%d", repeats))
		},
	}
	cmd.Flags().StringVar(&time, "time", "300ms", "how long each repeat runs, or how often (100x)")
	cmd.Flags().StringVar(&only, "only", ".", "regular expression of the benchmarks to run")
	cmd.Flags().IntVar(&repeats, "repeats", 3, "how often each is run; the median counts")
	return cmd
}

// run measures folder after folder, never two at once, and prints each folder's lines when it is done.
func run(ctx context.Context, out io.Writer, folders []string, flags ...string) error {
	if len(folders) == 0 {
		found, err := withBenchmarks(".")
		if err != nil {
			return err
		}
		folders = found
	}
	for _, folder := range folders {
		args := append([]string{"test", "-run=^$", "-benchmem", "-timeout=10m"}, flags...)
		test := exec.CommandContext(ctx, "go", append(args, "./"+filepath.Clean(folder))...)
		var output, trouble bytes.Buffer
		test.Stdout, test.Stderr = &output, &trouble
		if err := test.Run(); err != nil {
			return fmt.Errorf("%s: %w\n%s%s", folder, err, trouble.String(), output.String())
		}
		for _, line := range report(strings.ReplaceAll(filepath.ToSlash(filepath.Clean(folder)), "/", "."), output.String()) {
			if _, err := fmt.Fprintln(out, line); err != nil {
				return err
			}
		}
	}
	return nil
}

var benchmark = regexp.MustCompile(`(?m)^func Benchmark[A-Z]\w*\(`)

// withBenchmarks finds the folders below root whose tests hold a benchmark.
func withBenchmarks(root string) (folders []string, err error) {
	err = filepath.WalkDir(root, func(name string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && name != root && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata") {
			return filepath.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(name, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		folder := filepath.Dir(name)
		if benchmark.Match(text) && (len(folders) == 0 || folders[len(folders)-1] != folder) {
			folders = append(folders, folder)
		}
		return nil
	})
	if err == nil && len(folders) == 0 {
		err = errors.New("no benchmark found: run this in the project's folder")
	}
	return folders, err
}
