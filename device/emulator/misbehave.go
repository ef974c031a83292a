package emulator

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"tillway/emv/tlv"
)

// action is what a card does with a command in place of answering it.
type action uint8

const (
	behave action = iota
	leave
	mute
	refuse
)

type fault struct {
	kind   string // "exchange": any command
	number int
	do     action
	status sw
}

func parseFault(f Fault) (fault, error) {
	at := strings.LastIndexByte(f.At, ' ')
	if at < 0 {
		return fault{}, fmt.Errorf("%w: at is %q, write it like \"generate ac 2\" or \"exchange 5\"", ErrProfile, f.At)
	}
	n, err := strconv.Atoi(f.At[at+1:])
	if err != nil || n < 1 || n > 1000 {
		return fault{}, fmt.Errorf("%w: at is %q, it ends in a number from 1 to 1000", ErrProfile, f.At)
	}
	out := fault{kind: f.At[:at], number: n}
	known := out.kind == "exchange"
	for _, k := range kinds {
		known = known || k.name == out.kind
	}
	if !known {
		return fault{}, fmt.Errorf("%w: at is %q, no such command", ErrProfile, f.At)
	}
	switch f.Do {
	case "leave":
		out.do = leave
	case "mute":
		out.do = mute
	default:
		b, err := hex.DecodeString(f.Do)
		if err != nil || len(b) != 2 || b[0]>>4 != 6 && b[0] != 0x90 || b[0] == 0x60 {
			return fault{}, fmt.Errorf("%w: do is %q, it must be leave, mute or a status word such as 6985", ErrProfile, f.Do)
		}
		out.do, out.status = refuse, sw(uint16(b[0])<<8|uint16(b[1]))
	}
	return out, nil
}

// misbehave looks whether this command is one that the card does not answer as it should.
func (c *Card) misbehave(kind string, cmd command) (action, sw) {
	for _, f := range c.faults {
		if f.kind == "exchange" && f.number == c.exchanges || f.kind == kind && f.number == c.counts[kind] {
			return f.do, f.status
		}
	}
	if c.profile.TestAmounts && kind == "generate ac" && c.app != nil {
		return c.testAmount(cmd), 0
	}
	return behave, 0
}

// Test amounts, in the last three decimals of an amount in Kuwaiti dinars.
const (
	amountLeaveFirst   = 201 // the card leaves at the first GENERATE AC
	amountLeaveSecond  = 202 // the card leaves at the second
	amountRefuseSecond = 203 // the card answers the second with an AAC
)

func (c *Card) testAmount(cmd command) action {
	switch c.step {
	case initiated:
		if values, ok := split(c.app.cdol1, cmd.data); ok && testAmount(values) == amountLeaveFirst {
			return leave
		}
	case requested:
		if testAmount(c.sent) == amountLeaveSecond {
			return leave
		}
	case selected, finished:
	}
	return behave
}

// testAmount is the last three digits of the amount, or 0 for another currency than the dinar.
func testAmount(values map[tlv.Tag][]byte) int {
	amount := values[tagAmount]
	if !bytes.Equal(values[tagCurrency], []byte{0x04, 0x14}) || len(amount) != 6 {
		return 0
	}
	digits := hex.EncodeToString(amount)
	n, err := strconv.Atoi(digits[len(digits)-3:])
	if err != nil {
		return 0
	}
	return n
}

// split takes the data of a list apart again; false when the length is not the list's.
func split(dol tlv.DOL, data []byte) (map[tlv.Tag][]byte, bool) {
	values := map[tlv.Tag][]byte{}
	for _, w := range dol {
		if len(data) < w.Length {
			return nil, false
		}
		values[w.Tag], data = data[:w.Length:w.Length], data[w.Length:]
	}
	return values, len(data) == 0
}
