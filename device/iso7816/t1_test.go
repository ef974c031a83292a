package iso7816

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"tillway/device"
)

// hello is how every conversation begins (EMV Contact Interface Specification, 9.2.4.2.5).
const hello = "> S(IFS request) FE\n< S(IFS response) FE\n"

// card32 is a card that takes 32 bytes a block, the least that many do.
func card32(t *testing.T) ATR {
	t.Helper()
	a, err := ParseATR(unhex(t, "3BE0000081312041 31"))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// The scenarios of ISO/IEC 7816-3, annex A, and those of EMV's error rules. The command is 00A40000
// unless the script shows another.
func TestT1(t *testing.T) {
	chained := "00D6000040" + strings.Repeat("77", 64)
	first, second, third := chained[:64], chained[64:128], chained[128:]
	for _, c := range []struct{ name, command, script, want string }{
		{"one block each", "", hello + "> I(0,0) 00A40000\n< I(0,0) 9000", "9000"},
		{"waiting time extension", "", hello +
			"> I(0,0) 00A40000\n< S(WTX request) 05\n> S(WTX response) 05\n< I(0,0) 9000", "9000"},
		{"the card changes its block size", "", hello +
			"> I(0,0) 00A40000\n< S(IFS request) 40\n> S(IFS response) 40\n< I(0,0) 9000", "9000"},
		{"chain to the card", chained, hello + "> I(0,1) " + first + "\n< R(1)\n> I(1,1) " + second +
			"\n< R(0)\n> I(0,0) " + third + "\n< I(0,0) 9000", "9000"},
		{"chain from the card", "", hello +
			"> I(0,0) 00A40000\n< I(0,1) 0102\n> R(1)\n< I(1,1) 0304\n> R(0)\n< I(0,0) 9000", "010203049000"},
		{"chains both ways", chained, hello + "> I(0,1) " + first + "\n< R(1)\n> I(1,1) " + second +
			"\n< R(0)\n> I(0,0) " + third + "\n< I(0,1) 01\n> R(1)\n< I(1,0) 9000", "019000"},
		{"the card got a damaged block", "", hello +
			"> I(0,0) 00A40000\n< R(0) edc\n> I(0,0) 00A40000\n< I(0,0) 9000", "9000"},
		{"the answer is damaged", "", hello + "> I(0,0) 00A40000\n< damaged\n> R(0) edc\n< I(0,0) 9000", "9000"},
		{"the answer is lost", "", hello + "> I(0,0) 00A40000\n< mute\n> R(0) other\n< I(0,0) 9000", "9000"},
		{"the block and the complaint are lost", "", hello +
			"> I(0,0) 00A40000\n< mute\n> R(0) other\n< R(0) other\n> I(0,0) 00A40000\n< I(0,0) 9000", "9000"},
		{"WTX request damaged", "", hello +
			"> I(0,0) 00A40000\n< damaged\n> R(0) edc\n< S(WTX request) 02\n> S(WTX response) 02\n< I(0,0) 9000", "9000"},
		{"WTX response damaged at the card", "", hello + "> I(0,0) 00A40000\n< S(WTX request) 02\n" +
			"> S(WTX response) 02\n< S(WTX request) 02\n> S(WTX response) 02\n< I(0,0) 9000", "9000"},
		{"first block damaged at the card", "", "> S(IFS request) FE\n< R(0) edc\n" + hello + "> I(0,0) 00A40000\n< I(0,0) 9000", "9000"},
		{"block size answer damaged", "", "> S(IFS request) FE\n< damaged\n" + hello + "> I(0,0) 00A40000\n< I(0,0) 9000", "9000"},
		{"block size answer with another size", "", "> S(IFS request) FE\n< S(IFS response) 20\n" + hello + "> I(0,0) 00A40000\n< I(0,0) 9000", "9000"},
		{"chain, block damaged at the card", chained, hello + "> I(0,1) " + first + "\n< R(0) edc\n> I(0,1) " + first +
			"\n< R(1)\n> I(1,1) " + second + "\n< R(0)\n> I(0,0) " + third + "\n< I(0,0) 9000", "9000"},
		{"chain, acknowledgement damaged", chained, hello + "> I(0,1) " + first + "\n< damaged\n> R(0) edc\n< R(1)\n> I(1,1) " +
			second + "\n< R(0)\n> I(0,0) " + third + "\n< I(0,0) 9000", "9000"},
		{"chain of the card, block damaged", "", hello + "> I(0,0) 00A40000\n< I(0,1) 01\n> R(1)\n< damaged\n> R(1) edc\n< I(1,0) 9000", "019000"},
		{"chain of the card, acknowledgement damaged", "", hello +
			"> I(0,0) 00A40000\n< I(0,1) 01\n> R(1)\n< R(1) edc\n> R(1)\n< I(1,0) 9000", "019000"},
		{"an old block again", "", hello + "> I(0,0) 00A40000\n< I(0,1) 01\n> R(1)\n< I(0,1) 01\n> R(1) other\n< I(1,0) 9000", "019000"},
		{"an acknowledgement instead of the answer", "", hello + "> I(0,0) 00A40000\n< R(1)\n> R(0) other\n< I(0,0) 9000", "9000"},
		{"errors do not add up over a chain", "", hello + "> I(0,0) 00A40000\n< damaged\n> R(0) edc\n< damaged\n> R(0) edc\n< I(0,1) 01\n" +
			"> R(1)\n< damaged\n> R(1) edc\n< damaged\n> R(1) edc\n< I(1,0) 9000", "019000"},
		{"a request of the card is a valid answer: counting starts anew", "", hello + "> I(0,0) 00A40000\n< damaged\n> R(0) edc\n< damaged\n" +
			"> R(0) edc\n< S(WTX request) 02\n> S(WTX response) 02\n< damaged\n> R(0) edc\n< I(0,0) 9000", "9000"},
		{"empty blocks in a chain", "", hello + "> I(0,0) 00A40000\n< I(0,1)\n> R(1)\n< I(1,1) 90\n> R(0)\n< I(0,0) 00", "9000"},
		{"NAD of another", "", hello + "> I(0,0) 00A40000\n< NAD 21\n> R(0) other\n< I(0,0) 9000", "9000"},
		{"PCB without meaning", "", hello + "> I(0,0) 00A40000\n< PCB DF\n> R(0) other\n< I(0,0) 9000", "9000"},
		{"the card asks to resynchronise", "", hello + "> I(0,0) 00A40000\n< S(RESYNCH request)\n> R(0) other\n< I(0,0) 9000", "9000"},
		{"block size 255 asked for", "", hello + "> I(0,0) 00A40000\n< S(IFS request) FF\n> R(0) other\n< I(0,0) 9000", "9000"},
		{"twice wrong, then right", "", hello + "> I(0,0) 00A40000\n< damaged\n> R(0) edc\n< mute\n> R(0) other\n< I(0,0) 9000", "9000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.command == "" {
				c.command = "00A40000"
			}
			got, err := NewT1(newScript(t, true, c.script), card32(t)).Transmit(t.Context(), unhex(t, c.command))
			if err != nil || !bytes.Equal(got, unhex(t, c.want)) {
				t.Errorf("%X, %v", got, err)
			}
		})
	}
}

func TestT1GivesUp(t *testing.T) {
	thrice := "> I(0,0) 00A40000\n< damaged\n> R(0) edc\n< damaged\n> R(0) edc\n< damaged\n"
	for _, c := range []struct {
		name, command, script string
		want                  error
	}{
		{"malformed", "00A4", "", ErrCommand},
		{"block size never agreed", "", strings.Repeat("> S(IFS request) FE\n< mute\n", 3), device.ErrMute},
		{"block size answered by another block", "", strings.Repeat("> S(IFS request) FE\n< I(0,0) 9000\n", 3), device.ErrProtocol},
		{"three damaged answers, no resynchronisation", "", hello + thrice + strings.Repeat("> S(RESYNCH request)\n< damaged\n", 3), device.ErrProtocol},
		{"mute thrice", "", hello + "> I(0,0) 00A40000\n< mute\n> R(0) other\n< mute\n> R(0) other\n< mute\n", device.ErrMute},
		{"asked for again thrice", "", hello + strings.Repeat("> I(0,0) 00A40000\n< R(0) edc\n", 3) +
			"> S(RESYNCH request)\n< S(RESYNCH response)\n", device.ErrProtocol},
		{"the card aborts", "", hello + "> I(0,0) 00A40000\n< S(ABORT request)\n> S(ABORT response)\n< R(0)\n", device.ErrProtocol},
		{"removed", "", hello + "> I(0,0) 00A40000\n< removed\n", device.ErrRemoved},
		{"reader silent", "", hello + "> I(0,0) 00A40000\n< silent\n", device.ErrTimeout},
		{"response of one byte", "", hello + "> I(0,0) 00A40000\n< I(0,0) 90\n", device.ErrProtocol},
		{"response without end", "", hello + "> I(0,0) 00A40000\n< I(0,1) " + strings.Repeat("5A", 200) +
			"\n> R(1)\n< I(1,1) " + strings.Repeat("5A", 59) + "\n", device.ErrProtocol},
		{"empty blocks without end", "", hello + "> I(0,0) 00A40000\n< I(0,1)\n" +
			strings.Repeat("> R(1)\n< I(1,1)\n> R(0)\n< I(0,1)\n", maxBlocks/2-1), device.ErrProtocol},
		{"extensions and damage in turn without end", "", hello + "> I(0,0) 00A40000\n< damaged\n" +
			strings.Repeat("> R(0) edc\n< S(WTX request) 01\n> S(WTX response) 01\n< damaged\n", maxBlocks/2-1), device.ErrProtocol},
		{"waiting time extensions without end", "", hello + "> I(0,0) 00A40000\n< S(WTX request) 01\n" +
			strings.Repeat("> S(WTX response) 01\n< S(WTX request) 01\n", maxBlocks-2), device.ErrProtocol},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.command == "" {
				c.command = "00A40000"
			}
			got, err := NewT1(newScript(t, true, c.script), card32(t)).Transmit(t.Context(), unhex(t, c.command))
			if got != nil || !errors.Is(err, c.want) {
				t.Errorf("%X, %v, want %v", got, err, c.want)
			}
		})
	}
}

// Numbers go on over commands, and start anew, block sizes too, after a resynchronisation.
func TestT1Conversation(t *testing.T) {
	card := newScript(t, true, hello+`
		> I(0,0) 00A40000
		< I(0,0) 9000
		> I(1,0) 00A40000
		< S(WTX request) 07
		> S(WTX response) 07
		< I(1,1) 02
		> R(0)
		< I(0,0) 6A82
		> I(0,0) 00A40000
		< I(1,1) 01
		> R(0)
		< I(0,0) 9000
		> I(1,0) 00A40000
		< damaged
		> R(1) edc
		< damaged
		> R(1) edc
		< damaged
		> S(RESYNCH request)
		< damaged
		> S(RESYNCH request)
		< S(RESYNCH response)
		`+hello+`
		> I(0,0) 00A40000
		< I(0,0) 9000
	`)
	t1 := NewT1(card, card32(t))
	for i, want := range []string{"9000", "026A82", "019000", "", "9000"} {
		got, err := t1.Transmit(t.Context(), []byte{0, 0xA4, 0, 0})
		if want == "" {
			if !errors.Is(err, device.ErrProtocol) {
				t.Errorf("command %d: %X, %v", i, got, err)
			}
			continue
		}
		if err != nil || !bytes.Equal(got, unhex(t, want)) {
			t.Errorf("command %d: %X, %v", i, got, err)
		}
	}
	// The extension that the card asked for holds for the one exchange after it.
	if want := []byte{0, 0, 0, 7, 0}; !bytes.Equal(card.waits[:5], want) {
		t.Errorf("waits %v, want %v", card.waits[:5], want)
	}
}

// wall is a hostile card: whatever the terminal sends, the next bytes of the fuzzer come back, with a right LRC where they say so.
type wall struct {
	t     *testing.T
	bytes []byte
	limit int // longest INF that the terminal may send now
	sent  int
}

func (w *wall) TransmitTPDU(_ context.Context, tpdu []byte, _ byte) ([]byte, error) {
	if w.sent++; w.sent > maxBlocks+maxSends {
		w.t.Fatalf("%d blocks for one command", w.sent)
	}
	b, err := ParseBlock(tpdu)
	if err != nil || b.NAD != 0 || b.Kind() == Unknown {
		w.t.Fatalf("sent %X: %v", tpdu, err)
	}
	if b.Kind() == Information && len(b.INF) > w.limit {
		w.t.Fatalf("sent %d bytes to a card that takes %d", len(b.INF), w.limit)
	}
	if len(w.bytes) < 3 {
		return nil, device.ErrMute
	}
	how, pcb, n := w.bytes[0], w.bytes[1], min(int(w.bytes[2]), len(w.bytes)-3)
	body := w.bytes[3 : 3+n]
	w.bytes = w.bytes[3+n:]
	if how&1 != 0 {
		return body, nil
	}
	if how&2 != 0 && b.PCB == PCBIFSRequest {
		pcb, body = PCBIFSResponse, b.INF
	}
	if pcb == PCBIFSRequest && len(body) == 1 && body[0] != 0 && body[0] <= MaxINF {
		w.limit = int(body[0])
	}
	if len(body) > MaxINF {
		body = body[:MaxINF]
	}
	return Block{PCB: pcb, INF: body}.Append(nil), nil
}

// Whatever a card sends, a command ends: with a response of the right size or a named error, within the bound on blocks, and what
// the terminal says meanwhile is well formed and fits the card.
func FuzzT1(f *testing.F) {
	greet := []byte{2, 0, 0}
	f.Add(append(greet, 0, 0x00, 2, 0x90, 0x00), []byte{0, 0xA4, 0, 0})
	f.Add(append(greet, 0, 0xC3, 1, 5, 0, 0x20, 1, 0x90, 0, 0x40, 1, 0x00), []byte{0, 0xA4, 0, 0})
	f.Add(append(greet, 0, 0xC1, 1, 16, 0, 0x90, 0), append([]byte{0, 0xD6, 0, 0, 40}, make([]byte, 40)...))
	f.Add(append(greet, 1, 0, 1, 9, 0, 0xC2, 0, 0, 0xC0, 0), []byte{0, 0xA4, 0, 0})
	atr, err := ParseATR(unhex(f, "3BE000008131204131"))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, bytes, command []byte) {
		card := &wall{t: t, bytes: bytes, limit: atr.IFSC()}
		t1 := NewT1(card, atr)
		for range 2 { // the second one finds what the first left
			card.sent = 0
			response, err := t1.Transmit(t.Context(), command)
			switch {
			case err == nil && (len(response) < 2 || len(response) > MaxResponse):
				t.Fatalf("response of %d bytes", len(response))
			case err != nil && !errors.Is(err, device.ErrProtocol) && !errors.Is(err, ErrCommand):
				t.Fatal(err)
			}
			card.limit = max(card.limit, atr.IFSC()) // a resynchronisation brings the first size back
		}
	})
}
