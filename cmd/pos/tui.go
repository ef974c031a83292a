package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"sync/atomic"
	"syscall"

	tea "charm.land/bubbletea/v2"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

func (a *app) tui() *cobra.Command {
	var language string
	c := &cobra.Command{
		Use: "tui", Short: "Set the terminal up, step by step, on a screen of 80 by 24", Args: args(),
		Long: `tui leads through setting a terminal up: people, devices, parameters, keys, bank, a test sale, paper, the self-test and the page for handing it
over. How far it is comes from the machine every time, so it can be left and begun again anywhere. Each step is a command of pos, and the
screen names it.

It takes any terminal of 80 by 24, a serial console among them, and the keyboard alone; it uses no colour. Labels are in English or, where the terminal
shows Arabic, in Arabic. Secrets and components are typed without being shown, at the prompts of pos login and pos keys component.
Ctrl-C leaves at once: components of a key that is not whole yet are forgotten, and whoever logged in here is logged out.`,
		RunE: func(c *cobra.Command, _ []string) error {
			in, inOK := a.in.(*os.File)
			out, outOK := a.out.(*os.File)
			if !inOK || !outOK || !a.isTerminal() {
				return usage("pos tui wants a terminal: without one there are the commands (pos setup --help)")
			}
			speaks, err := chooseLanguage(language, a.env)
			if err != nil {
				return err
			}
			return a.guide(c.Context(), in, out, speaks)
		},
	}
	c.Flags().StringVar(&language, "lang", "", "en or ar (the terminal's own language)")
	return c
}

// guided is one run of the guide: what it must leave behind as it was.
type guided struct {
	app       app // with a session of its own
	socket    string
	folder    string      // of the session
	tty       *console    //
	acquirer  string      // whose components were entered here and are not a whole key yet; empty: none
	outside   atomic.Bool // a command has the terminal
	left      atomic.Bool // leave has run
	languages languages
}

// guide runs the screen until somebody leaves it.
func (a *app) guide(ctx context.Context, in, out *os.File, speaks languages) error {
	folder, err := os.MkdirTemp("", "tillway-setup-")
	if err != nil {
		return fmt.Errorf("set-up: %w", err)
	}
	t, err := openConsole(in, out)
	if err != nil {
		return errors.Join(fmt.Errorf("set-up: %w", err), os.RemoveAll(folder))
	}
	g := &guided{app: *a, socket: a.findSocket(), folder: folder, tty: t, languages: speaks}
	g.app.socket, g.app.json = g.socket, false
	g.app.env = func(name string) string {
		if name == "TILLWAY_SESSION" {
			return filepath.Join(folder, "session")
		}
		return a.env(name)
	}
	g.app.interrupted = g.leave
	defer g.leave()
	m := newGuide(ctx, g)
	p := tea.NewProgram(m, tea.WithContext(ctx), tea.WithInput(in), tea.WithOutput(out), tea.WithoutRenderer(), tea.WithoutSignalHandler())
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGWINCH)
	done := make(chan struct{})
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		for {
			select {
			case <-done:
				return
			case s := <-signals:
				g.signalled(p, s)
			}
		}
	}()
	_, err = p.Run()
	signal.Stop(signals)
	close(done)
	<-heard
	if errors.Is(err, tea.ErrProgramKilled) && ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		return &exit{exitNothingSent, fmt.Errorf("set-up: %w", err)}
	}
	return nil
}

// signalled is a signal from outside: another size of the terminal, or the end. While a command has the terminal the signal is the command's.
func (g *guided) signalled(p *tea.Program, s os.Signal) {
	if s == syscall.SIGWINCH {
		p.Send(g.tty.size())
		return
	}
	if !g.outside.Load() {
		p.Send(leaveMsg{})
	}
}

// leave puts back what this run changed and did not finish: components of a key that is not whole, the log-in, the terminal.
func (g *guided) leave() {
	if g.left.Swap(true) {
		return
	}
	ctx := context.Background()
	if g.acquirer != "" {
		if _, err := g.run(ctx, "keys", "abort", g.acquirer); err == nil {
			defer func() { fmt.Fprintln(g.app.errOut, "The components that were entered are forgotten.") }()
		}
	}
	_, _ = g.run(ctx, "logout") // nobody may be logged in
	_ = os.RemoveAll(g.folder)
	g.tty.close()
}

// console is the terminal, and how it was before.
type console struct {
	in, out *os.File
	before  *unix.Termios
	shown   []string // lines on the screen; nil: it has to be drawn anew
}

func openConsole(in, out *os.File) (*console, error) {
	before, err := unix.IoctlGetTermios(int(in.Fd()), getTermios) //nolint:gosec // a descriptor is small
	if err != nil {
		return nil, err
	}
	t := &console{in: in, out: out, before: before}
	return t, t.raw()
}

// raw gives every key to the program, Ctrl-C too.
func (t *console) raw() error {
	raw := *t.before
	raw.Lflag &^= unix.ECHO | unix.ICANON | unix.ISIG | unix.IEXTEN
	raw.Iflag &^= unix.IXON | unix.ICRNL
	raw.Cc[unix.VMIN], raw.Cc[unix.VTIME] = 1, 0
	t.shown = nil
	return unix.IoctlSetTermios(int(t.in.Fd()), setTermios, &raw) //nolint:gosec // a descriptor is small
}

// cooked is the terminal as a command wants it, with an empty screen.
func (t *console) cooked() error {
	_, _ = t.out.WriteString(clearScreen)
	return unix.IoctlSetTermios(int(t.in.Fd()), setTermios, t.before) //nolint:gosec // a descriptor is small
}

func (t *console) close() { _ = t.cooked() }

// size is the terminal's; a serial line does not know its own, and has 80 by 24.
func (t *console) size() sizeMsg {
	s := sizeMsg{Width: wantWidth, Height: wantHeight}
	if w, err := unix.IoctlGetWinsize(int(t.out.Fd()), unix.TIOCGWINSZ); err == nil && w.Col > 0 && w.Row > 0 { //nolint:gosec // a descriptor is small
		s = sizeMsg{Width: int(w.Col), Height: int(w.Row)}
	}
	return s
}

// What is sent to a terminal: nothing that a VT100 does not know. The library's own renderer asks for keyboards and modes that old
// consoles print as text.
const (
	clearScreen = "\x1b[2J\x1b[H"
	toLine      = "\x1b[%d;%dH"
	clearLine   = "\x1b[K"
)

// paint brings the lines to the screen: those that changed, which a slow line is thankful for. The cursor ends at row and column, from 1.
func (t *console) paint(lines []string, row, column int) {
	var b []byte
	if t.shown == nil {
		b = append(b, clearScreen...)
		t.shown = make([]string, len(lines))
	}
	for len(t.shown) < len(lines) {
		t.shown = append(t.shown, "")
	}
	for i := range t.shown {
		line := ""
		if i < len(lines) {
			line = lines[i]
		}
		if line != t.shown[i] {
			b = fmt.Appendf(b, toLine+"%s"+clearLine, i+1, 1, line)
			t.shown[i] = line
		}
	}
	b = fmt.Appendf(b, toLine, row, column)
	_, _ = t.out.Write(b)
}
