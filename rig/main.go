//go:build linux

// Command rig is hardware in the loop without hardware: it boots a virtual machine with a Linux kernel, plugs readers into its USB
// controller, runs the real posd on them, and compares what cashier, terminal and bank say of each sale with what must come of it.
//
// The readers are three kinds: QEMU's own USB reader and USB serial port, which this project did not write, with an emulated card and
// an emulated GemPC Twin behind them; and the project's emulated USB devices, by USB/IP. Every scenario has a deadline. `make
// test-usb` runs it; kernel and programs come from make/test-usb.sh.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// options are the command line.
type options struct {
	kernel      string // folder of an unpacked kernel package
	programs    string // folder of posd, keyd, pos, hostsim and guest
	debian      string // folder of unpacked packages, for the programs that read our reader
	accelerator string
	replugs     int
	limit       time.Duration
	only        string
	keep        bool
}

func main() {
	runtime.LockOSThread() // QEMU ends with this thread, however it ends: see qemu.Start
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	var o options
	flag.StringVar(&o.kernel, "kernel", "bin/usb/kernel", "folder of an unpacked kernel package: boot/vmlinuz-* and lib/modules/*")
	flag.StringVar(&o.programs, "programs", "bin/usb", "folder of posd, keyd, pos, hostsim and guest")
	flag.StringVar(&o.debian, "debian", "bin/usb/debian", "folder of unpacked Debian packages: pcscd, libccid and opensc")
	flag.StringVar(&o.accelerator, "accelerator", "auto", "tcg (emulation), kvm, or auto: kvm where it works")
	flag.IntVar(&o.replugs, "replugs", 20, "how often a reader is plugged out and in again in a loop")
	flag.DurationVar(&o.limit, "limit", 3*time.Minute, "bound of everything; a machine that does much else needs more")
	flag.StringVar(&o.only, "only", "", "play only the scenarios whose name has these words in it; others behind |")
	flag.BoolVar(&o.keep, "keep", false, "keep the folder with QEMU's and the programs' logs")
	flag.Parse()
	if err := run(ctx, o); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		fmt.Fprintln(os.Stderr, "rig: failed:", err)
		os.Exit(1) //nolint:gocritic // stop has nothing left to do
	}
}

func run(ctx context.Context, o options) (err error) {
	ctx, stop := context.WithTimeoutCause(ctx, o.limit, fmt.Errorf("not done within %v", o.limit))
	defer stop()
	begun := time.Now()
	folder, err := os.MkdirTemp("", "tillway-usb-")
	if err != nil {
		return err
	}
	defer func() {
		if o.keep {
			fmt.Println("logs are kept in", folder)
			return
		}
		err = errors.Join(err, os.RemoveAll(folder))
	}()
	m, err := boot(ctx, o, folder)
	if err != nil {
		return err
	}
	defer m.close()
	fmt.Printf("guest up after %.1f s (%s)\n", time.Since(begun).Seconds(), m.accelerator)
	s, err := openShop(ctx, m, o)
	if err != nil {
		return fmt.Errorf("%w\n%s", err, m.qemu.Said())
	}
	defer s.close()
	fmt.Printf("bank up after %.1f s\n", time.Since(begun).Seconds())
	played, failed := s.play(ctx, o.only)
	if failed != nil {
		_ = os.WriteFile(filepath.Join(folder, "posd.log"), []byte(s.log(context.WithoutCancel(ctx), "posd")), 0o600)
		return failed
	}
	if played == 0 {
		return fmt.Errorf("no scenario has %q in its name", o.only)
	}
	fmt.Printf("%d scenarios as expected, in %.1f s\n", played, time.Since(begun).Seconds())
	return nil
}

// A scenario is one thing that happens to readers, cards and cables, and what must come of it.
type scenario struct {
	name  string
	limit time.Duration
	play  func(context.Context, *shop) error
}

// scenarios are all, in the order in which they are played: those of one [reader] table together.
func scenarios() []scenario {
	return slices.Concat(serialScenarios(), ccidScenarios(), stripeScenarios(), pcscScenarios(), oracleScenarios())
}

// play plays all scenarios, goes on behind one that fails, and gives the failures.
func (s *shop) play(ctx context.Context, only string) (played int, failed error) {
	for _, sc := range scenarios() {
		if !slices.ContainsFunc(strings.Split(only, "|"), func(words string) bool { return strings.Contains(sc.name, words) }) {
			continue
		}
		played++
		begun := time.Now()
		s.noted = ""
		err := s.one(ctx, sc)
		took := time.Since(begun).Seconds()
		if err != nil {
			fmt.Printf("FAILED  %5.1f s  %s: %v\nposd says:\n%s\npcscd says:\n%s\n", took, sc.name, err,
				tail(s.log(context.WithoutCancel(ctx), "posd")), tail(s.log(context.WithoutCancel(ctx), "pcscd")))
			failed = errors.Join(failed, fmt.Errorf("%s: %w", sc.name, err))
			if ctx.Err() != nil {
				return played, failed
			}
			continue
		}
		fmt.Printf("ok      %5.1f s  %s%s\n", took, sc.name, s.noted)
	}
	return played, failed
}

func (s *shop) one(ctx context.Context, sc scenario) error {
	ctx, stop := context.WithTimeoutCause(ctx, sc.limit, fmt.Errorf("not done within %v", sc.limit))
	defer stop()
	err := sc.play(ctx, s)
	return errors.Join(err, s.tidy(context.WithoutCancel(ctx)))
}

// tail is the end of a log.
func tail(text string) string {
	const most = 3000
	if len(text) > most {
		text = text[len(text)-most:]
	}
	return text
}
