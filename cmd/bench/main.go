// Command bench runs the project's Go benchmarks and prints one line for each measure, `name value unit`, and for
// every benchmark that has a peer the ratio of ours to it.
//
// A benchmark has a peer when it has a part called ours and others beside it: BenchmarkPack/ours and BenchmarkPack/moov
// give the line `iso8583.Pack/ours:moov 0.91 ratio-ns/op`; below 1 ours costs less. It measures nothing itself: it runs
// `go test -bench` several times over, so that ours and its peer take turns, and takes the median.
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
			return run(cmd.Context(), cmd.OutOrStdout(), folders, repeats, "-test.bench="+only, "-test.benchtime="+time)
		},
	}
	cmd.Flags().StringVar(&time, "time", "200ms", "how long each repeat runs, or how often (100x)")
	cmd.Flags().StringVar(&only, "only", ".", "regular expression of the benchmarks to run")
	cmd.Flags().IntVar(&repeats, "repeats", 5, "how often each is run; the median counts")
	return cmd
}

// run measures folder after folder, never two at once, and prints each folder's lines when it is done.
func run(ctx context.Context, out io.Writer, folders []string, repeats int, flags ...string) (err error) {
	if len(folders) == 0 {
		if folders, err = withBenchmarks("."); err != nil {
			return err
		}
	}
	built, err := os.MkdirTemp("", "tillway-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(built)) }()
	binary := filepath.Join(built, "bench.test")
	keep := filepath.Join(built, "keep") // what is expensive to make is kept from one repeat to the next
	if err := os.Mkdir(keep, 0o700); err != nil {
		return err
	}
	for _, folder := range folders {
		folder = filepath.Clean(folder)
		if _, err := output(ctx, ".", "", "go", "test", "-c", "-o", binary, "./"+filepath.ToSlash(folder)); err != nil {
			return err
		}
		var printed strings.Builder
		for range repeats {
			text, err := output(ctx, folder, keepIn+"="+keep, binary, append([]string{"-test.run=^$", "-test.benchmem", "-test.timeout=20m"}, flags...)...)
			if err != nil {
				return fmt.Errorf("%s: %w", folder, err)
			}
			printed.WriteString(text)
		}
		for _, line := range report(strings.ReplaceAll(filepath.ToSlash(folder), "/", "."), printed.String()) {
			if _, err := fmt.Fprintln(out, line); err != nil {
				return err
			}
		}
	}
	return nil
}

// keepIn names, in the environment of the benchmarks, a folder that lasts over all repeats.
const keepIn = "TILLWAY_BENCH_KEEP"

// output is what a command prints; its error holds that too. setting is added to its environment, unless it is empty.
func output(ctx context.Context, folder, setting, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = folder
	if setting != "" {
		cmd.Env = append(os.Environ(), setting)
	}
	var printed, trouble bytes.Buffer
	cmd.Stdout, cmd.Stderr = &printed, &trouble
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%w\n%s%s", err, trouble.String(), printed.String())
	}
	return printed.String(), nil
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
