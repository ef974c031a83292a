// Command demo runs the whole terminal without hardware and without a bank: host simulator, reader emulator and the
// terminal daemon, as the real programs.
//
// `demo run` (make run) starts them in a folder and stays up for a person to try things. `demo` (make demo) starts them
// in a temporary folder on free ports, plays every kind of transaction and every fault that exists so far, prints the
// receipts as they come, and compares the result with what is expected and the terminal's books with the host's.
// It knows the programs only from outside: their flags, files, local interfaces and exit status.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	runtime.LockOSThread() // children die with this thread: see launch
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1) //nolint:gocritic // stop has nothing left to do
	}
}

func command() *cobra.Command {
	var programs string
	root := &cobra.Command{
		Use:           "demo",
		Short:         "Play every transaction and fault against the real programs, and check the books",
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.PersistentFlags().StringVar(&programs, "programs", beside(), "folder of posd, pos, readeremu and hostsim")
	var keep bool
	root.Flags().BoolVar(&keep, "keep", false, "keep the temporary folder, and say where it is")
	root.RunE = func(cmd *cobra.Command, _ []string) error { return play(cmd.Context(), programs, keep) }

	var folder, config string
	run := &cobra.Command{
		Use:   "run",
		Short: "Start the terminal with simulated reader and host, and stay up",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return stayUp(cmd.Context(), programs, folder, config) },
	}
	run.Flags().StringVar(&folder, "folder", "run", "where everything is kept: journal, logs, the host's certificate")
	run.Flags().StringVar(&config, "config", filepath.Join("cmd", "posd", "posd.toml"), "copied to the folder's posd.toml where there is none")
	root.AddCommand(run)
	return root
}

// beside is the folder that this program stands in: the others are built next to it.
func beside() string {
	path, err := os.Executable()
	if err != nil {
		return "bin"
	}
	return filepath.Dir(path)
}
