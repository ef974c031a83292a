package emulator

import (
	"bytes"
	"context"
	"testing"

	"tillway/device/ccid"
	"tillway/device/iso7816"
)

// echoChip answers a command with its data and 9000.
type echoChip struct{ atr []byte }

func (c echoChip) ATR() []byte { return c.atr }
func (echoChip) Reset()        {}
func (echoChip) Left() bool    { return false }
func (echoChip) Transmit(apdu []byte) []byte {
	if len(apdu) > 5 {
		return append(bytes.Clone(apdu[5:min(len(apdu), 5+int(apdu[4]))]), 0x90, 0)
	}
	return []byte{0x90, 0}
}

// chipOf is a card with one long answer, a warning and plain status words.
type chipOf map[byte][]byte

func (chipOf) ATR() []byte { return []byte{0x3B, 0x60, 0, 0} }
func (chipOf) Reset()      {}
func (chipOf) Left() bool  { return false }
func (c chipOf) Transmit(apdu []byte) []byte {
	if r, ok := c[apdu[1]]; ok {
		return r
	}
	return []byte{0x6D, 0x00}
}

// T=0 as ISO/IEC 7816-3, 12.2, and Book 1, annex A, show it: command TPDU, answer TPDU.
func TestT0(t *testing.T) {
	long := append(bytes.Repeat([]byte{0xAB}, 256), 0x90, 0)
	chip := chipOf{
		0xA4: unhex(t, "6F0384019000"+"9000"), 0xB2: unhex(t, "70020101"+"9000"), 0xB0: long, 0x82: unhex(t, "6300"),
		0xA5: unhex(t, "6F00"+"6283"),
	}
	for _, row := range []struct {
		name  string
		pairs [][2]string
	}{
		{"case 4: 61, GET RESPONSE", [][2]string{{"00A40400013F", "6106"}, {"00C0000006", "6F03840190009000"}}},
		{"GET RESPONSE for more, then right", [][2]string{{"00A40400013F", "6106"}, {"00C0000000", "6C06"}, {"00C0000006", "6F03840190009000"}}},
		{"GET RESPONSE in two parts", [][2]string{{"00A40400013F", "6106"}, {"00C0000002", "6F036104"}, {"00C0000004", "840190009000"}}},
		{"GET RESPONSE once only", [][2]string{{"00A40400013F", "6106"}, {"00C0000006", "6F03840190009000"}, {"00C0000006", "6985"}}},
		{"GET RESPONSE after another command", [][2]string{{"00A40400013F", "6106"}, {"0082000001FF", "6300"}, {"00C0000006", "6985"}}},
		{"case 2: 6C, again", [][2]string{{"00B2010C00", "6C04"}, {"00B2010C04", "700201019000"}}},
		{"case 2, right at once", [][2]string{{"00B2010C04", "700201019000"}}},
		{"case 4 with a warning", [][2]string{{"00A50400013F", "6283"}, {"00C0000000", "6C02"}, {"00C0000002", "6F009000"}}},
		{"case 3", [][2]string{{"0082000001FF", "6300"}}},
		{"case 1", [][2]string{{"0010000000", "6D00"}}},
		{"256 bytes", [][2]string{{"00B0000001", "6C00"}, {"00B0000000", hexString(long)}}},
		{"no TPDU", [][2]string{{"00B0", "6700"}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := connect(chip, chip.ATR())
			for _, p := range row.pairs {
				if got := w.exchange(unhex(t, p[0])); !bytes.Equal(got, unhex(t, p[1])) {
					t.Fatalf("%s: %X, want %s", p[0], got, p[1])
				}
			}
		})
	}
}

func hexString(b []byte) string {
	const digits = "0123456789ABCDEF"
	var out []byte
	for _, x := range b {
		out = append(out, digits[x>>4], digits[x&15])
	}
	return string(out)
}

var atrT1 = []byte{0x3B, 0xE0, 0x00, 0xFF, 0x81, 0x31, 0x7C, 0x41, 0x92}

// T=1 as the scenarios of ISO/IEC 7816-3, annex A, show it. Blocks are written without length and LRC: PCB, INF.
func TestT1(t *testing.T) {
	for _, row := range []struct {
		name  string
		ifsd  byte
		pairs [][2]string
	}{
		{"two commands", 0, [][2]string{{"00 0001020301FE", "00 FE9000"}, {"40 0001020301FD", "40 FD9000"}}},
		{"block size", 0, [][2]string{{"C1 FE", "E1 FE"}}},
		{"block size 0", 0, [][2]string{{"C1 00", "82 "}}},
		{"command in a chain", 0, [][2]string{{"20 000102", "90 "}, {"40 0301FE", "00 FE9000"}}},
		{"answer in a chain", 2, [][2]string{{"00 0001020303AABBCC", "20 AABB"}, {"90 ", "60 CC90"}, {"80 ", "00 00"}}},
		{"part of a chain lost", 2, [][2]string{{"00 0001020303AABBCC", "20 AABB"}, {"90 ", "60 CC90"}, {"92 ", "60 CC90"}, {"80 ", "00 00"}}},
		{"answer lost", 0, [][2]string{{"00 0001020301FE", "00 FE9000"}, {"80 ", "00 FE9000"}, {"40 0001020301FD", "40 FD9000"}}},
		{"answer lost twice", 0, [][2]string{{"00 0001020301FE", "00 FE9000"}, {"82 ", "00 FE9000"}, {"81 ", "00 FE9000"}}},
		{"command lost", 0, [][2]string{{"80 ", "82 "}, {"00 0001020301FE", "00 FE9000"}}},
		{"second command lost", 0, [][2]string{{"00 0001020301FE", "00 FE9000"}, {"90 ", "92 "}, {"40 0001020301FD", "40 FD9000"}}},
		{"acknowledgement lost", 0, [][2]string{{"20 000102", "90 "}, {"80 ", "90 "}, {"40 0301FE", "00 FE9000"}}},
		{"number out of order", 0, [][2]string{{"40 0001020301FE", "82 "}, {"00 0001020301FE", "00 FE9000"}}},
		{"unknown block", 0, [][2]string{{"FF ", "82 "}, {"00 0001020301FE", "00 FE9000"}}},
		{"resynchronised", 0, [][2]string{{"00 0001020301FE", "00 FE9000"}, {"C0 ", "E0 "}, {"00 0001020301FE", "00 FE9000"}}},
		{"aborted chain", 0, [][2]string{{"20 000102", "90 "}, {"C2 ", "E2 "}, {"40 0001020301FE", "00 FE9000"}}},
		{"time granted that nobody asked for", 0, [][2]string{{"E3 02", "82 "}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := connect(echoChip{atrT1}, echoChip{atrT1}.ATR())
			if row.ifsd != 0 {
				w.exchange(iso7816.S(iso7816.PCBIFSRequest, row.ifsd).Append(nil))
			}
			for _, p := range row.pairs {
				got, err := iso7816.ParseBlock(w.exchange(blockOf(t, p[0]).Append(nil)))
				if want := blockOf(t, p[1]); err != nil || got.PCB != want.PCB || !bytes.Equal(got.INF, want.INF) {
					t.Fatalf("%s: %02X %X (%v), want %s", p[0], got.PCB, got.INF, err, p[1])
				}
			}
		})
	}
	t.Run("wrong LRC", func(t *testing.T) {
		w := connect(echoChip{atrT1}, echoChip{atrT1}.ATR())
		block := iso7816.I(0, false, []byte{0, 1, 2, 3}).Append(nil)
		block[len(block)-1] ^= 1
		if got := w.exchange(block); !bytes.Equal(got, iso7816.R(0, iso7816.EDCError).Append(nil)) {
			t.Fatalf("%X", got)
		}
	})
	t.Run("more time", func(t *testing.T) {
		w := connect(echoChip{atrT1}, echoChip{atrT1}.ATR())
		w.stall()
		request := w.exchange(blockOf(t, "00 0001020301FE").Append(nil))
		if !bytes.Equal(request, iso7816.S(iso7816.PCBWTXRequest, wtxFactor).Append(nil)) {
			t.Fatalf("%X", request)
		}
		if again := w.exchange(blockOf(t, "80 ").Append(nil)); !bytes.Equal(again, request) {
			t.Fatalf("the request was lost: %X", again)
		}
		if got := w.exchange(iso7816.S(iso7816.PCBWTXResponse, wtxFactor).Append(nil)); !bytes.Equal(got, blockOf(t, "00 FE9000").Append(nil)) {
			t.Fatalf("%X", got)
		}
	})
	t.Run("a command without end", func(t *testing.T) {
		w, ok := connect(echoChip{atrT1}, echoChip{atrT1}.ATR()).(*t1)
		if !ok {
			t.Fatal("not T=1")
		}
		for i := range 100 {
			w.exchange(iso7816.I(byte(i)&1, true, make([]byte, 100)).Append(nil))
		}
		if len(w.in) > maxCommand+1 {
			t.Fatalf("%d bytes kept", len(w.in))
		}
	})
}

func blockOf(t *testing.T, text string) iso7816.Block {
	t.Helper()
	pcb, inf, _ := bytes.Cut([]byte(text), []byte(" "))
	return iso7816.Block{PCB: unhex(t, string(pcb))[0], INF: unhex(t, string(inf))}
}

// Every length of command and answer comes through both protocols as the terminal's side of this project speaks them.
func TestBothEnds(t *testing.T) {
	for _, p := range []struct {
		name string
		end  func(wire) func(context.Context, []byte) ([]byte, error)
		atr  []byte
	}{
		{"T=0", func(w wire) func(context.Context, []byte) ([]byte, error) { return iso7816.NewT0(direct{w}).Transmit }, []byte{0x3B, 0x60, 0, 0}},
		{"T=1", func(w wire) func(context.Context, []byte) ([]byte, error) {
			atr, err := iso7816.ParseATR(atrT1)
			if err != nil {
				t.Fatal(err)
			}
			return iso7816.NewT1(direct{w}, atr).Transmit
		}, atrT1},
	} {
		t.Run(p.name, func(t *testing.T) {
			transmit := p.end(connect(echoChip{p.atr}, echoChip{p.atr}.ATR()))
			for n := 1; n <= 255; n++ {
				data := bytes.Repeat([]byte{byte(n)}, n)
				got, err := transmit(t.Context(), append(append([]byte{0, 0xA4, 4, 0, byte(n)}, data...), 0))
				if err != nil || !bytes.Equal(got, append(data, 0x90, 0)) {
					t.Fatalf("%d bytes: %d came back, %v", n, len(got), err)
				}
			}
		})
	}
}

// direct is a reader that is only a wire.
type direct struct{ w wire }

func (d direct) TransmitTPDU(_ context.Context, tpdu []byte, _ byte) ([]byte, error) {
	return d.w.exchange(tpdu), nil
}

// Whatever a terminal writes, a T=1 card writes blocks.
func FuzzT1(f *testing.F) {
	f.Add(iso7816.I(0, false, []byte{0, 0xA4, 4, 0}).Append(nil), []byte{0x80}, byte(2))
	f.Fuzz(func(t *testing.T, block, pcbs []byte, ifsd byte) {
		w := connect(echoChip{atrT1}, echoChip{atrT1}.ATR())
		allowed := defaultIFS
		if ifsd >= 1 && ifsd <= iso7816.MaxINF {
			allowed = int(ifsd)
		}
		w.exchange(iso7816.S(iso7816.PCBIFSRequest, ifsd).Append(nil))
		check := func(answer []byte) {
			t.Helper()
			b, err := iso7816.ParseBlock(answer)
			if err != nil || b.Kind() == iso7816.Unknown {
				t.Fatalf("%X: %v", answer, err)
			}
			if b.Kind() == iso7816.ResynchResponse {
				allowed = defaultIFS // all is as after the reset
			}
			if len(b.INF) > allowed {
				t.Fatalf("%d bytes of INF, %d allowed", len(b.INF), allowed)
			}
		}
		check(w.exchange(block))
		for _, pcb := range pcbs[:min(len(pcbs), 20)] {
			check(w.exchange(iso7816.Block{PCB: pcb}.Append(nil)))
		}
	})
}

// What is framed is found again, whatever stands before it, and cut anywhere.
func FuzzDeframer(f *testing.F) {
	f.Add(byte(0x6F), []byte{1, 2, 3}, []byte{0x00, 0x41}, byte(4))
	f.Add(byte(0x65), []byte{}, []byte{}, byte(0))
	f.Fuzz(func(t *testing.T, kind byte, data, before []byte, cut byte) {
		if len(data) > ccid.MaxData || bytes.IndexByte(before, frameSync) >= 0 {
			return
		}
		message := ccid.Append(nil, ccid.Message{Type: kind, Data: data})
		line := append(bytes.Clone(before), frame(message)...)
		at := int(cut) % len(line)
		var d deframer
		events := append(d.push(line[:at]), d.push(line[at:])...)
		if len(events) != 1 || !bytes.Equal(events[0].message, message) {
			t.Fatalf("%d events", len(events))
		}
		line[len(line)-1] ^= 0x55
		if events := d.push(line); len(events) != 1 || !events[0].damaged {
			t.Fatalf("wrong check byte: %+v", events)
		}
	})
}
