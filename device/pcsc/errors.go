package pcsc

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"tillway/device"
)

// Code is what pcscd answered a request with (PC/SC part 5, pcsclite.h). It unwraps to the device errors that it means.
type Code uint32

// The codes that have a meaning here.
const (
	codeInvalidHandle    Code = 0x80100003
	codeInsufficient     Code = 0x80100008
	codeUnknownReader    Code = 0x80100009
	codeSharingViolation Code = 0x8010000B
	codeNoSmartcard      Code = 0x8010000C
	codeProtoMismatch    Code = 0x8010000F
	codeCommError        Code = 0x80100013
	codeNotTransacted    Code = 0x80100016
	codeUnavailable      Code = 0x80100017
	codeServiceStopped   Code = 0x8010001E
	codeNoReaders        Code = 0x8010002E
	codeUnsupportedCard  Code = 0x80100065
	codeUnresponsive     Code = 0x80100066
	codeUnpowered        Code = 0x80100067
	codeReset            Code = 0x80100068
	codeRemoved          Code = 0x80100069
)

// codes is what each code means. Of a failed exchange pcscd does not say whether the card was silent or the protocol broken: it is both.
var codes = map[Code]struct {
	text  string
	means []error
}{
	codeInvalidHandle:    {"handle not known", []error{device.ErrUnplugged}},
	codeInsufficient:     {"answer too long", []error{device.ErrProtocol}},
	codeUnknownReader:    {"reader not known", []error{device.ErrUnplugged}},
	codeSharingViolation: {"reader in use by another program", []error{device.ErrBusy}},
	codeNoSmartcard:      {"no card in the slot", []error{device.ErrRemoved}},
	codeProtoMismatch:    {"card has none of the protocols T=0 and T=1", []error{device.ErrProtocol}},
	codeCommError:        {"reader does not answer pcscd", []error{device.ErrProtocol, device.ErrMute}},
	codeNotTransacted:    {"exchange with the card failed", []error{device.ErrProtocol, device.ErrMute}},
	codeUnavailable:      {"reader not available", []error{device.ErrUnplugged}},
	codeServiceStopped:   {"another version of the protocol", nil},
	codeNoReaders:        {"no reader there", []error{device.ErrUnplugged}},
	codeUnsupportedCard:  {"card not supported by the reader", []error{device.ErrMute}},
	codeUnresponsive:     {"card does not answer", []error{device.ErrMute}},
	codeUnpowered:        {"card has no power", []error{device.ErrMute}},
	codeReset:            {"card was reset by somebody else", []error{device.ErrProtocol}},
	codeRemoved:          {"card was removed", []error{device.ErrRemoved}},
}

func (c Code) Error() string {
	if known, ok := codes[c]; ok {
		return fmt.Sprintf("pcscd: %s (%08X)", known.text, uint32(c))
	}
	return fmt.Sprintf("pcscd: code %08X", uint32(c))
}

// Unwrap gives the device errors that the code means.
func (c Code) Unwrap() []error {
	if known, ok := codes[c]; ok {
		return known.means
	}
	return []error{device.ErrProtocol}
}

// trouble is an error in a technician's words alone; what it means is told to programs.
type trouble struct {
	text  string
	means error
}

func (t *trouble) Error() string { return t.text }
func (t *trouble) Unwrap() error { return t.means }

// errRefused says that pcscd closed the connection without a word, which it does to users that its policy does not let in.
var errRefused = &trouble{"pcscd does not let this user in: polkit needs a rule for org.debian.pcsc-lite.access_pcsc and access_card " +
	"(firmware-notes/pc-sc.md has one)", device.ErrPermission}

// errGone says that pcscd ended while it owed an answer.
var errGone = &trouble{"pcscd has ended: systemctl start pcscd.socket", device.ErrUnplugged}

// dialError says why pcscd's socket could not be connected to, and what to do.
func dialError(socket string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return &trouble{fmt.Sprintf("pcscd is not running (%s): systemctl start pcscd.socket", socket), device.ErrUnplugged}
	case errors.Is(err, fs.ErrPermission):
		return &trouble{fmt.Sprintf("%s may not be opened: let posd's user connect to it", socket), device.ErrPermission}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &trouble{"pcscd does not take connections: systemctl restart pcscd", device.ErrTimeout}
	}
	return &trouble{fmt.Sprintf("pcscd's socket %s: %v", socket, err), device.ErrUnplugged}
}
