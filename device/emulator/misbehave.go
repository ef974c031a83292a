package emulator

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"tillway/emv/tlv"
)

// action is what a card does with a command in place of answering it, or after.
type action uint8

const (
	behave action = iota
	leave
	mute
	replace // with another answer
	alter   // the answer that it would have given
)

type fault struct {
	kind   string // "exchange": any command
	number int    // 0: each
	do     action
	answer []byte // replace: status included
	edit   edit   // alter
}

// edit is one change of an answer's data object.
type edit struct {
	tag   tlv.Tag
	word  string // set, flip or drop
	value []byte
}

func parseFault(f Fault) (fault, error) {
	out, err := parseAt(f.At)
	if err != nil {
		return fault{}, err
	}
	bad := fmt.Errorf("%w: do is %q, it must be leave, mute, a status word such as 6985, \"answer HEX\", \"set TAG=HEX\", \"flip TAG\" or \"drop TAG\"",
		ErrProfile, f.Do)
	word, rest, _ := strings.Cut(f.Do, " ")
	switch word {
	case "leave":
		out.do = leave
	case "mute":
		out.do = mute
	case "set", "flip", "drop":
		name, value, _ := strings.Cut(rest, "=")
		out.do, out.edit.word = alter, word
		var errTag, errValue error
		out.edit.tag, errTag = tlv.ParseTag(name)
		out.edit.value, errValue = hex.DecodeString(value)
		if errTag != nil || errValue != nil || len(out.edit.value) > maxRecordBytes || word != "set" && value != "" {
			return fault{}, bad
		}
	case "answer":
		b, err := hex.DecodeString(strings.ReplaceAll(rest, " ", ""))
		if err != nil || len(b) < 2 || len(b) > 258 || !isStatus(b[len(b)-2:]) {
			return fault{}, bad
		}
		out.do, out.answer = replace, b
	default:
		b, err := hex.DecodeString(f.Do)
		if err != nil || len(b) != 2 || !isStatus(b) {
			return fault{}, bad
		}
		out.do, out.answer = replace, b
	}
	return out, nil
}

func isStatus(b []byte) bool { return (b[0]>>4 == 6 || b[0] == 0x90) && b[0] != 0x60 }

// parseAt reads which command a fault is for.
func parseAt(text string) (fault, error) {
	out := fault{kind: strings.TrimPrefix(text, "every ")}
	if out.kind == text {
		at := strings.LastIndexByte(text, ' ')
		if at < 0 {
			return fault{}, fmt.Errorf("%w: at is %q, write it like \"generate ac 2\", \"exchange 5\" or \"every get data\"", ErrProfile, text)
		}
		n, err := strconv.Atoi(text[at+1:])
		if err != nil || n < 1 || n > 1000 {
			return fault{}, fmt.Errorf("%w: at is %q, it ends in a number from 1 to 1000", ErrProfile, text)
		}
		out.kind, out.number = text[:at], n
	}
	known := out.kind == "exchange" && out.number > 0 || out.kind == kindScript
	for _, k := range kinds {
		known = known || k.name == out.kind
	}
	if !known {
		return fault{}, fmt.Errorf("%w: at is %q, no such command", ErrProfile, text)
	}
	return out, nil
}

// misbehave looks whether this command is one that the card does not answer as it should.
func (c *Card) misbehave(kind string, cmd command) fault {
	for _, f := range c.faults {
		n := c.counts[kind]
		switch f.kind {
		case "exchange":
			n = c.exchanges
		case kind:
		case kindScript:
			if !cmd.inScript() {
				continue
			}
			n = c.counts[kindScript]
		default:
			continue
		}
		if f.number == 0 || f.number == n {
			return f
		}
	}
	if c.profile.TestAmounts && kind == "generate ac" && c.app != nil {
		return fault{do: c.testAmount(cmd)}
	}
	return fault{}
}

// change makes the fault's edit in an answer, in templates too. What is no TLV stays as it is.
func (f fault) change(data []byte) []byte {
	items, err := tlv.Parse(data)
	if err != nil {
		return data
	}
	var out []byte
	for _, it := range items {
		value := it.Value
		switch {
		case it.Tag != f.edit.tag && it.Tag.Constructed():
			value = f.change(value)
		case it.Tag != f.edit.tag:
		case f.edit.word == "drop":
			continue
		case f.edit.word == "set":
			value = f.edit.value
		case len(value) > 0:
			value = bytes.Clone(value)
			value[len(value)-1] ^= 1
		}
		out = tlv.Append(out, it.Tag, value)
	}
	return out
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
