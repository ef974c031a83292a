package emulator

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// terminalPair is a pseudo-terminal: the emulator reads and writes the master; a driver opens the slave by name. The slave is
// held open here too, or the master would read EIO whenever no driver has it open.
type terminalPair struct {
	master *os.File
	slave  *os.File
	name   string
}

// openPair makes a pseudo-terminal in raw mode. It is opened without creack/pty because that leaves the master in blocking
// mode, where closing it does not end a read.
func openPair() (_ *terminalPair, err error) {
	master, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("pseudo-terminal: /dev/ptmx: %w (is /dev/pts mounted?)", err)
	}
	p := &terminalPair{master: os.NewFile(uintptr(master), "/dev/ptmx")}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	if err := unix.IoctlSetPointerInt(master, unix.TIOCSPTLCK, 0); err != nil {
		return nil, fmt.Errorf("pseudo-terminal: unlock: %w", err)
	}
	number, err := unix.IoctlGetInt(master, unix.TIOCGPTN)
	if err != nil {
		return nil, fmt.Errorf("pseudo-terminal: number: %w", err)
	}
	p.name = "/dev/pts/" + strconv.Itoa(number)
	slave, err := unix.Open(p.name, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("pseudo-terminal: %s: %w", p.name, err)
	}
	p.slave = os.NewFile(uintptr(slave), p.name)
	if err := raw(slave); err != nil {
		return nil, fmt.Errorf("pseudo-terminal: raw mode: %w", err)
	}
	return p, nil
}

// raw turns off everything that the line discipline does to bytes, as cfmakeraw(3) has it.
func raw(fd int) error {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return err
	}
	t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	t.Oflag &^= unix.OPOST
	t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	t.Cflag = t.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	return unix.IoctlSetTermios(fd, unix.TCSETS, t)
}

// close takes the port away: a driver that has the slave open sees the line drop.
func (p *terminalPair) close() {
	if p.slave != nil {
		_ = p.slave.Close()
	}
	_ = p.master.Close()
}

// lockTries bounds the attempts to lock a file that others take away at the same time.
const lockTries = 10

// lockFile makes and locks a file. A holder takes the file away before it lets go, so a lock counts only while the file
// still stands at its path.
func lockFile(path string) (*os.File, error) {
	for range lockTries {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, fmt.Errorf("%w: %w: choose a path in a folder that can be written to", ErrLink, err)
		}
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			_ = f.Close()
			return nil, fmt.Errorf("%w: %s is held by another virtual reader: end that one, or choose another path", ErrLink, path)
		}
		ours, err1 := f.Stat()
		there, err2 := os.Stat(path)
		if err1 == nil && err2 == nil && os.SameFile(ours, there) {
			return f, nil
		}
		_ = f.Close()
	}
	return nil, fmt.Errorf("%w: %s comes and goes: choose another path", ErrLink, path)
}
