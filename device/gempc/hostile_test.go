package gempc

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"tillway/device"
	"tillway/device/ccid"
)

// hostile is one of testdata/hostile.json.
type hostile struct {
	ID, Surface, Input, Note string
}

// hostiles are the vectors of testdata, and more of the same kind in the words of this wire. Those of USB are messages, put into
// a frame here.
func hostiles(t *testing.T) map[string][]byte {
	t.Helper()
	text, err := os.ReadFile("testdata/hostile.json")
	if err != nil {
		t.Fatal(err)
	}
	var list []hostile
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{}
	for _, h := range list {
		b, err := hex.DecodeString(h.Input)
		if err != nil {
			t.Fatal(err)
		}
		all[h.ID+": "+h.Note] = b
		if h.Surface == "USB CCID bulk-in" {
			framed := append([]byte{syncByte, ackByte}, b...)
			all[h.ID+" in a frame: "+h.Note] = append(framed, lrc(framed))
		}
	}
	if len(all) < 10 {
		t.Fatalf("%d vectors", len(all))
	}
	for name, text := range map[string]string{
		"longest length there is":         "0306 80 FFFFFFFF 00 01 000000 00",
		"length one past the longest":     "0306 80 06010000 00 01 000000 00",
		"header, then nothing":            "0306 80 05000000 00 01 0000",
		"start bytes without end":         hex.EncodeToString(bytes.Repeat([]byte{syncByte}, 1000)),
		"start of a frame without end":    hex.EncodeToString(bytes.Repeat([]byte{syncByte, ackByte}, 500)),
		"NAK and its echo":                "031516 031517 0315",
		"movements without end":           hex.EncodeToString(bytes.Repeat([]byte{movedByte, ccid.MovedIn}, 500)),
		"a movement that is none":         "5004 50FF 5050 50",
		"an answer of another slot":       "0306 81 00000000 07 01 020000 81",
		"an answer of a type that is not": "0306 99 00000000 00 01 020000 9F",
		"a command from the reader":       "0306 6F 00000000 00 01 000000 6B",
		"all the bytes":                   hex.EncodeToString(allBytes()),
	} {
		all[name] = unhex(t, text)
	}
	return all
}

func allBytes() []byte {
	b := make([]byte, 256)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

// lrc is the check byte, computed here so that the driver's own is not asked about itself.
func lrc(b []byte) (sum byte) {
	for _, x := range b {
		sum ^= x
	}
	return sum
}

// Hostile bytes in place of an answer, before one and in the middle of the idle line: the reader is back within seconds, and works.
func TestHostileBytes(t *testing.T) {
	for name, bad := range hostiles(t) {
		for where, spoil := range map[string]func(good []byte) []byte{
			"in place of an answer": func([]byte) []byte { return bad },
			"before an answer":      func(good []byte) []byte { return append(bytes.Clone(bad), good...) },
			"after an answer":       func(good []byte) []byte { return append(bytes.Clone(good), bad...) },
		} {
			t.Run(name+" "+where, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var l log
					sends := 0
					r := begin(t, &l, func() (line, error) {
						return newLine(func(b []byte) []byte {
							if sends++; sends == 10 || sends == 12 {
								return spoil(echo(b))
							}
							return echo(b)
						}), nil
					})
					time.Sleep(30 * time.Second)
					synctest.Wait()
					if sends < 20 {
						t.Errorf("asked %d times in all", sends)
					}
					if status := r.Status(); status.Condition != device.NoCard {
						t.Errorf("%+v after %d commands:\n%s", status, sends, l.String())
					}
				})
			})
		}
	}
}

// Whatever the reader sends may be cut between any two bytes, and what it means stays the same.
func TestSplitAtAnyByte(t *testing.T) {
	const echoed, moved, time3, nak, answer = "0306650000000000020000 0062", "5003", "80FF81", "031516", "0306810000000000020200 0084"
	for name, back := range map[string][2]string{ // the first is answered to the command, the second to its repetition
		"echo and answer":           {echoed + answer, ""},
		"moves and time":            {moved + echoed + time3 + moved + answer, ""},
		"refused once, then served": {nak, echoed + answer},
		"garbage before":            {"00414243" + echoed + answer, ""},
	} {
		whole := unhex(t, back[0])
		for cut := 1; cut < len(whole); cut++ {
			synctest.Test(t, func(t *testing.T) {
				l := newLine(nil)
				sends := 0
				l.answer = func([]byte) []byte {
					if sends++; sends == 1 {
						l.in <- whole[:cut]
						return whole[cut:]
					}
					return unhex(t, back[1])
				}
				w := &wire{line: l}
				if err := w.Send(t.Context(), ccid.Message{Type: ccid.GetSlotStatus, Seq: 2}); err != nil {
					t.Fatal(err)
				}
				for {
					m, err := w.Receive(t.Context())
					if err != nil {
						t.Fatalf("%s, cut after %d bytes: %v", name, cut, err)
					}
					if m.Type == ccid.SlotStatus && m.Status().Command == ccid.Done {
						break
					}
				}
				if len(w.in) != 0 || len(l.in) != 0 {
					t.Errorf("%s, cut after %d bytes: %X left over", name, cut, w.in)
				}
			})
		}
	}
}

// The answer to the escape that asks for the firmware's version is shown: it may be long, empty, or not text.
func TestFirmwareAnswers(t *testing.T) {
	for name, c := range map[string]struct{ version, want string }{
		"as printed":   {"GemTwRC2-V2.00-GO02", "gempc /dev/ttyS9 (GemTwRC2-V2.00-GO02)"},
		"nothing":      {"", "gempc /dev/ttyS9"},
		"controls":     {"A\x1b[31m\x00\n\xffB", "gempc /dev/ttyS9 (A[31mB)"},
		"longer":       {string(bytes.Repeat([]byte{'x'}, 200)), "gempc /dev/ttyS9 (" + string(bytes.Repeat([]byte{'x'}, 80)) + ")"},
		"only control": {"\x00\x01\x02", "gempc /dev/ttyS9"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var l log
				r := begin(t, &l, func() (line, error) {
					return newLine(func(b []byte) []byte {
						_, _, m := next(b)
						if m.Type == ccid.Escape && len(m.Data) == 1 {
							return appendFrame(bytes.Clone(b), ccid.Message{Type: ccid.EscapeAnswer, Seq: m.Seq, Data: []byte(c.version)})
						}
						return echo(b)
					}), nil
				})
				time.Sleep(time.Second)
				synctest.Wait()
				if got := r.Name(); got != c.want {
					t.Errorf("%q, want %q", got, c.want)
				}
			})
		})
	}
}
