package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"tillway/device/secure"
)

// In development a PIN can be typed on this screen. The keys go straight to the secure module's own socket, one by one as
// they are pressed: neither the daemon nor a variable of this program ever holds a PIN.

const (
	deskEvery = 50 * time.Millisecond
	deskFor   = 3 * time.Second
	enterFor  = 500 * time.Millisecond // within which an entry that Enter ends has ended
	keyPoll   = 100                    // milliseconds
	keyBackup = 0x7F                   // what the backspace key of most terminals sends
)

// keySource gives keys one by one. ok is false when none was pressed for a moment.
type keySource interface {
	next() (key byte, ok bool, err error)
	close()
}

// enterPIN serves one PIN prompt: it connects to the module's on-screen keypad and sends it what is pressed until the entry
// ends.
func (s *selling) enterPIN(ctx context.Context, socket string) error {
	desk, err := openDesk(ctx, socket)
	if err != nil {
		return err
	}
	defer func() { _ = desk.Close() }() // the entry has ended, or ends with it
	keys, err := s.keys()
	if err != nil {
		return err
	}
	defer func() {
		if keys != s.source {
			keys.close()
		}
	}()
	p := desk.Prompt
	if p.Insecure != "" {
		s.app.tell(p.Insecure)
	}
	text := "PIN for " + p.Amount
	if p.Retry {
		text = "PIN was wrong. " + text
		if p.Tries >= 0 {
			text = fmt.Sprintf("PIN was wrong, tries left: %d. PIN for %s", p.Tries, p.Amount)
		}
	}
	if p.Tries == 1 {
		text = "LAST TRY: a wrong PIN blocks the card. " + text
	}
	if p.Bypass {
		text += " (b: without PIN)"
	}
	s.app.tell(text + " (Enter ends it, Esc cancels)")
	ended := make(chan struct{})
	how := ""
	waiting, stop := context.WithCancel(ctx)
	go func() {
		defer close(ended)
		how, _ = desk.Wait(waiting) // an error is the module gone, or this entry left
	}()
	err = s.pressAll(ctx, desk, keys, ended)
	stop()
	<-ended
	if how != "" && how != "entered" {
		s.app.tell("PIN entry: " + how + ".")
	}
	return err
}

// pressAll sends keys until the entry has ended. When no more keys come it waits a moment for that: then hanging up cancels
// the entry.
func (s *selling) pressAll(ctx context.Context, desk *secure.Desk, keys keySource, ended <-chan struct{}) error {
	for {
		select {
		case <-ended:
			return nil
		default:
		}
		key, ok, err := keys.next()
		if err == nil && ok {
			err = desk.Press(keyOf(key))
			if err != nil {
				err = io.EOF // the module has hung up: the entry is over
			} else if keyOf(key) == secure.KeyEnter {
				await(ctx, ended, enterFor) // what follows may be the next PIN
			}
		}
		switch {
		case err == nil:
			continue
		case !errors.Is(err, io.EOF):
			return fmt.Errorf("keys for the PIN: %w", err)
		}
		await(ctx, ended, deskFor)
		return nil
	}
}

// await waits until an entry has ended, or a while.
func await(ctx context.Context, ended <-chan struct{}, most time.Duration) {
	select {
	case <-ended:
	case <-time.After(most):
	case <-ctx.Done():
	}
}

// openDesk connects as soon as the module asks: the daemon's screen may be a moment ahead of it.
func openDesk(ctx context.Context, socket string) (*secure.Desk, error) {
	deadline := time.Now().Add(deskFor)
	for {
		desk, err := secure.OpenDesk(ctx, socket)
		if !errors.Is(err, secure.ErrNoPrompt) || time.Now().After(deadline) {
			return desk, err
		}
		if !pause(ctx, deskEvery) {
			return nil, ctx.Err()
		}
	}
}

// keyOf is a key of a screen as the module knows it.
func keyOf(key byte) byte {
	switch key {
	case '\n', '\r':
		return secure.KeyEnter
	case keyBackup:
		return secure.KeyClear
	case 'B':
		return secure.KeyBypass
	}
	return key
}

// keys is where a PIN is typed: --pin-file, or the terminal.
func (s *selling) keys() (keySource, error) {
	if s.source != nil {
		return s.source, nil
	}
	if s.pinFile != "" && s.pinFile != "-" {
		f, err := os.Open(s.pinFile)
		if err != nil {
			return nil, fmt.Errorf("--pin-file: %w", err)
		}
		s.source = &keysOf{r: f, c: f}
		return s.source, nil
	}
	f, ok := s.app.in.(*os.File)
	if s.pinFile == "-" || !ok {
		return &keysOf{r: s.app.in}, nil
	}
	return openTTY(f, s.app.errOut)
}

// keysOf reads keys from a file or a pipe: digits, a line end for Enter, the byte 1B for cancel.
type keysOf struct {
	r   io.Reader
	c   io.Closer
	one [1]byte
}

func (k *keysOf) next() (byte, bool, error) {
	if _, err := io.ReadFull(k.r, k.one[:]); err != nil {
		return 0, false, err
	}
	key := k.one[0]
	k.one[0] = 0
	return key, true, nil
}

func (k *keysOf) close() {
	if k.c != nil {
		_ = k.c.Close() // only read
	}
}

// tty is a terminal that shows stars: each key comes as it is pressed, and none is shown.
type tty struct {
	f      *os.File
	out    io.Writer
	before *unix.Termios
	one    [1]byte
	digits int
}

func openTTY(f *os.File, out io.Writer) (keySource, error) {
	fd := int(f.Fd()) //nolint:gosec // a descriptor is small
	before, err := unix.IoctlGetTermios(fd, getTermios)
	if err != nil {
		return nil, errors.New("nobody can type a PIN here: standard input is no terminal; give --pin-file, or - for standard input")
	}
	quiet := *before
	quiet.Lflag &^= unix.ECHO | unix.ICANON
	if err := unix.IoctlSetTermios(fd, setTermios, &quiet); err != nil {
		return nil, fmt.Errorf("terminal: %w", err)
	}
	return &tty{f: f, out: out, before: before}, nil
}

func (t *tty) next() (byte, bool, error) {
	fds := []unix.PollFd{{Fd: int32(t.f.Fd()), Events: unix.POLLIN}} //nolint:gosec // a descriptor is small
	if n, err := unix.Poll(fds, keyPoll); n == 0 || errors.Is(err, unix.EINTR) {
		return 0, false, nil // nothing was pressed
	}
	n, err := unix.Read(int(t.f.Fd()), t.one[:]) //nolint:gosec // a descriptor is small
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		return 0, false, nil
	case err != nil:
		return 0, false, err
	case n == 0:
		return 0, false, io.EOF
	}
	key := t.one[0]
	t.one[0] = 0
	switch {
	case key >= '0' && key <= '9':
		t.digits++
		_, _ = fmt.Fprint(t.out, "*")
	case key == keyBackup || key == secure.KeyClear:
		if t.digits > 0 {
			t.digits--
			_, _ = fmt.Fprint(t.out, "\b \b")
		}
	}
	return key, true, nil
}

func (t *tty) close() {
	_ = unix.IoctlSetTermios(int(t.f.Fd()), setTermios, t.before) //nolint:gosec // a descriptor is small
	if t.digits > 0 {
		_, _ = fmt.Fprint(t.out, strings.Repeat("\b \b", t.digits)+"\n")
	}
}
