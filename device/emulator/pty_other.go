//go:build !linux

package emulator

import (
	"errors"
	"os"
)

type terminalPair struct {
	master *os.File
	name   string
}

func openPair() (*terminalPair, error) {
	return nil, errors.New("a virtual serial reader needs Linux and its pseudo-terminals")
}

func (p *terminalPair) close() { _ = p.master.Close() }

func lockFile(path string) (*os.File, error) { return os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) }
