package pcsc

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
)

// The messages of pcscd's socket that are used (winscard_msg.h). A request is its length, its command and a structure; the answer is
// the same structure, filled in, without a head. All numbers are of 32 bits in the machine's byte order.
const (
	cmdEstablish   = 0x01
	cmdConnect     = 0x04
	cmdReconnect   = 0x05
	cmdDisconnect  = 0x06
	cmdTransmit    = 0x09
	cmdVersion     = 0x11
	cmdStates      = 0x12
	cmdWait        = 0x13 // answered by the states, and later by eight bytes when one has changed
	protocolMajor  = 4
	protocolMinor  = 4 // pcsc-lite 1.9.9 speaks it; later ones take it or say which they want
	newestMinor    = 5 // one message more, which is not used here; the rest is as in 4
	scopeSystem    = 2
	shareExclusive = 1
	shareShared    = 2
	shareDirect    = 3 // of the reader: no card need be there, none is reset
	protocolT0     = 1
	protocolT1     = 2
	resetCard      = 1 // warm
	unpowerCard    = 2 // power off; as an initialisation, power off and on: cold
	leaveCard      = 0
)

// The bits of a reader's state. The lowest, unknown, stands while pcscd's driver reports errors.
const (
	stateUnknown = 0x0001
	statePresent = 0x0004
)

// The sizes of READER_STATE and of the table that pcscd sends: always all of it.
const (
	maxName    = 128
	maxATR     = 33
	atrAt      = maxName + 3*4
	stateSize  = atrAt + maxATR + 3 + 2*4 // three bytes of padding behind the ATR
	maxReaders = 16
	tableSize  = maxReaders * stateSize
)

// readerState is one reader as pcscd tells it.
type readerState struct {
	name    string
	events  uint32 // counts insertions and removals
	bits    uint32
	sharing uint32 // how many programs have it; all ones: one, exclusively
	atr     []byte
}

func (s readerState) cardIn() bool { return s.bits&statePresent != 0 }

var order = binary.NativeEndian

// words puts numbers into a message.
func words(v ...uint32) []byte {
	b := make([]byte, 0, 4*len(v))
	for _, one := range v {
		b = order.AppendUint32(b, one)
	}
	return b
}

// nameField is a reader's name as it stands in messages: filled with zeros.
func nameField(name string) []byte {
	b := make([]byte, maxName)
	copy(b[:maxName-1], name)
	return b
}

// parseStates reads the table of readers. Unused places have no name and are left out.
func parseStates(b []byte) ([]readerState, error) {
	if len(b) != tableSize {
		return nil, fmt.Errorf("pcscd's table of readers has %d bytes, %d are wanted", len(b), tableSize)
	}
	var all []readerState
	for ; len(b) > 0; b = b[stateSize:] {
		end := bytes.IndexByte(b[:maxName], 0)
		switch {
		case end == 0:
			continue
		case end < 0:
			return nil, fmt.Errorf("pcscd names a reader without an end of the name")
		}
		s := readerState{name: string(b[:end]), events: order.Uint32(b[maxName:]), bits: order.Uint32(b[maxName+4:]), sharing: order.Uint32(b[maxName+8:])}
		n := order.Uint32(b[atrAt+maxATR+3:])
		if n > maxATR { // pcscd writes 0xFFFFFFFF in places when it has none
			n = 0
		}
		s.atr = bytes.Clone(b[atrAt : atrAt+n])
		all = append(all, s)
	}
	return all, nil
}

// pick is the reader that a name or a part of one means: the one of just that name, else the only one that has it in its name; capitals do
// not count. Its error says in one sentence what to do.
func pick(all []readerState, want string) (readerState, error) {
	var found []readerState
	for _, s := range all {
		if s.name == want {
			return s, nil
		}
		if strings.Contains(strings.ToLower(s.name), strings.ToLower(want)) {
			found = append(found, s)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(all) == 0:
		return readerState{}, fmt.Errorf("pcscd has no reader: is it plugged in, and its driver installed (libccid)?")
	case len(found) == 0:
		return readerState{}, fmt.Errorf("pcscd has no reader with %q in its name: it has %s", want, namesOf(all))
	}
	return readerState{}, fmt.Errorf("%d readers of pcscd have %q in their names: write more of one into reader.port: %s", len(found), want, namesOf(found))
}

// namesOf lists readers for a person.
func namesOf(all []readerState) string {
	var names []string
	for _, s := range all {
		names = append(names, printable(s.name))
	}
	return strings.Join(names, "; ")
}

// printable is a reader's name as it may be shown.
func printable(name string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return '?'
		}
		return c
	}, name)
}
