package iso7816

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"tillway/device"
)

// The exchanges of EMV Book 1, annex A (Examples of exchanges using T=0), and what goes wrong with them.
func TestT0(t *testing.T) {
	for _, c := range []struct{ name, command, script, want string }{
		{"A1 case 1", "00A40000", "> 00A4000000\n< 9000", "9000"},
		{"A2 case 2", "00B2010C03", "> 00B2010C03\n< 7001409000", "7001409000"},
		{"A2 case 2, 256 bytes", "00B0000000", "> 00B0000000\n< " + strings.Repeat("5A", 256) + "9000", strings.Repeat("5A", 256) + "9000"},
		{"A3 case 3", "00D6000002CAFE", "> 00D6000002CAFE\n< 9000", "9000"},
		{"A4 case 4", "80A800000283 0000", "> 80A80000028300\n< 6103\n> 00C0000003\n< 8001009000", "8001009000"},
		{"case 4 that answers at once", "80A80000028300 00", "> 80A80000028300\n< 6985", "6985"},
		{
			"A5 case 2 with 61 and 6C", "00B2010C00",
			"> 00B2010C00\n< 6C04\n> 00B2010C04\n< 6104\n> 00C0000004\n< 010203049000", "010203049000",
		},
		{
			"A6 case 4 with 61 twice", "80A80000028300 00",
			"> 80A80000028300\n< 6102\n> 00C0000002\n< 01026101\n> 00C0000001\n< 039000", "0102039000",
		},
		{
			"A7 case 4 with a warning", "80A80000028300 00",
			"> 80A80000028300\n< 6283\n> 00C0000000\n< 6C02\n> 00C0000002\n< 01029000", "01026283",
		},
		{"case 4, warning without data", "80A80000028300 00", "> 80A80000028300\n< 6300\n> 00C0000000\n< 6985", "6300"},
		{"case 3 with a warning", "0082000002CAFE", "> 0082000002CAFE\n< 6300", "6300"},
		{"case 3 that announces data", "0082000002CAFE", "> 0082000002CAFE\n< 6110", "6110"},
		{"case 1 that announces data", "00820000", "> 0082000000\n< 6110", "6110"},
		{"case 2 with a warning and data", "00B2010C02", "> 00B2010C02\n< 01026282", "01026282"},
		{"6C to a command with data", "00D6000002CAFE", "> 00D6000002CAFE\n< 6C01", "6C01"},
		{
			"6100 is 256 bytes", "80A80000028300 00",
			"> 80A80000028300\n< 6100\n> 00C0000000\n< " + strings.Repeat("5A", 256) + "9000", strings.Repeat("5A", 256) + "9000",
		},
		{"an error while fetching", "80A80000028300 00", "> 80A80000028300\n< 6102\n> 00C0000002\n< 6F00", "6F00"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := NewT0(newScript(t, false, c.script)).Transmit(t.Context(), unhex(t, c.command))
			if err != nil || !bytes.Equal(got, unhex(t, c.want)) {
				t.Errorf("%X, %v", got, err)
			}
		})
	}
}

func TestT0Refuses(t *testing.T) {
	for _, c := range []struct {
		name, command, script string
		want                  error
	}{
		{"no command", "", "", ErrCommand},
		{"three bytes", "00A404", "", ErrCommand},
		{"Lc beyond the end", "00A4040003A000", "", ErrCommand},
		{"Lc 00 and data", "00A4040000A000", "", ErrCommand},
		{"bytes after Le", "00A4040001A00000", "", ErrCommand},
		{"no status words", "00B2010C00", "> 00B2010C00\n< 90", device.ErrProtocol},
		{"no answer", "00B2010C00", "> 00B2010C00\n< nothing", device.ErrProtocol},
		{"answer too long", "00B0000000", "> 00B0000000\n< " + strings.Repeat("5A", 257) + "9000", device.ErrProtocol},
		{"more than 256 bytes in pieces", "80A80000028300 00", "> 80A80000028300\n< 6180\n> 00C0000080\n< " +
			strings.Repeat("5A", 200) + "6180\n> 00C0000080\n< " + strings.Repeat("5A", 57) + "9000", device.ErrProtocol},
		{"a status that is none", "00B2010C00", "> 00B2010C00\n< 0000", device.ErrProtocol},
		{"a procedure byte as status", "00B2010C00", "> 00B2010C00\n< 6000", device.ErrProtocol},
		{"data that case 1 does not ask for", "00A40000", "> 00A4000000\n< 01029000", device.ErrProtocol},
		{"data that case 3 does not ask for", "00D6000002CAFE", "> 00D6000002CAFE\n< 01029000", device.ErrProtocol},
		{"mute", "00B2010C00", "> 00B2010C00\n< mute", device.ErrMute},
		{"removed while fetching", "80A80000028300 00", "> 80A80000028300\n< 6102\n> 00C0000002\n< removed", device.ErrRemoved},
		{"61 without end", "80A80000028300 00", "> 80A80000028300\n< 6101\n" + strings.Repeat("> 00C0000001\n< 6101\n", maxRounds-1), device.ErrProtocol},
		{"6C without end", "00B2010C00", "> 00B2010C00\n< 6C00\n" + strings.Repeat("> 00B2010C00\n< 6C00\n", maxRounds-1), device.ErrProtocol},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := NewT0(newScript(t, false, c.script)).Transmit(t.Context(), unhex(t, c.command))
			if got != nil || !errors.Is(err, c.want) {
				t.Errorf("%X, %v, want %v", got, err, c.want)
			}
		})
	}
}

// chip answers T=0 TPDUs for FuzzT0: a response cut as the bytes of pieces say.
type chip struct {
	response, rest []byte
	pieces         []byte
	sent           int
}

func (c *chip) TransmitTPDU(_ context.Context, tpdu []byte, _ byte) ([]byte, error) {
	if c.sent++; c.sent > maxRounds {
		return nil, fmt.Errorf("%d TPDUs", c.sent)
	}
	if tpdu[1] != insGetResponse {
		c.rest = c.response
		return append([]byte(nil), c.announce()...), nil
	}
	n := len(c.rest)
	if len(c.pieces) > 0 {
		n, c.pieces = min(n, int(c.pieces[0])), c.pieces[1:]
	}
	if tpdu[4] == 0 && n < len(c.rest) {
		n = min(256, len(c.rest))
	}
	n = min(n, (int(tpdu[4])+255)%256+1)
	out := append([]byte(nil), c.rest[:n]...)
	c.rest = c.rest[n:]
	return append(out, c.announce()...), nil
}

func (c *chip) announce() []byte {
	if len(c.rest) == 0 {
		return []byte{0x90, 0x00}
	}
	return []byte{0x61, byte(min(len(c.rest), 256))}
}

// However a card cuts its response into pieces, the whole of it arrives, or the bounds are met.
func FuzzT0(f *testing.F) {
	f.Add([]byte("response"), []byte{3, 2})
	f.Fuzz(func(t *testing.T, response, pieces []byte) {
		if len(response) > 256 {
			response = response[:256]
		}
		card := &chip{response: response, pieces: pieces}
		got, err := NewT0(card).Transmit(t.Context(), []byte{0x80, 0xA8, 0, 0, 2, 0x83, 0, 0})
		if err != nil {
			if !errors.Is(err, device.ErrProtocol) || card.sent < maxRounds {
				t.Fatalf("%v after %d TPDUs", err, card.sent)
			}
			return
		}
		if want := append(bytes.Clone(response), 0x90, 0x00); !bytes.Equal(got, want) {
			t.Fatalf("%X, want %X", got, want)
		}
	})
}
