package ccid

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tillway/device"
)

// reader is a Transport that says what a text says and fails the test at the first message it did not expect. "> TYPE
// PARAMS DATA" is a command; the lines below it are what the reader sends then: "< TYPE STATUS ERROR DATA" an answer with
// the command's number, "<NN …" one with another number, "move NN" a card movement, "after 2s" waits before the next
// line, "gone" is an unplug, "damaged" a transport's damaged answer.
type reader struct {
	t     *testing.T
	lines []string
	seq   byte
}

func newReader(t *testing.T, text string) *reader {
	r := &reader{t: t}
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			r.lines = append(r.lines, line)
		}
	}
	t.Cleanup(func() {
		if len(r.lines) > 0 && !t.Failed() {
			t.Errorf("never came: %q", r.lines)
		}
	})
	return r
}

func (r *reader) Send(_ context.Context, m Message) error {
	for len(r.lines) > 0 && !strings.HasPrefix(r.lines[0], ">") {
		r.t.Fatalf("sent %02X, but the reader had still to say %q", m.Type, r.lines[0])
	}
	got := strings.TrimSpace(fmt.Sprintf("> %02X %X %X", m.Type, m.Params, m.Data))
	if len(r.lines) == 0 || r.lines[0] != got {
		r.t.Fatalf("sent %q, want %q", got, append(r.lines, "the end")[0])
	}
	if m.Slot != 0 || m.Seq == r.seq {
		r.t.Fatalf("slot %d, number %d after %d", m.Slot, m.Seq, r.seq)
	}
	r.lines, r.seq = r.lines[1:], m.Seq
	return nil
}

func (r *reader) Receive(ctx context.Context) (Message, error) {
	for len(r.lines) > 0 {
		line := r.lines[0]
		switch {
		case line[0] == '>':
			<-ctx.Done()
			return Message{}, ctx.Err()
		case line == "gone":
			r.lines = r.lines[1:]
			return Message{}, device.ErrUnplugged
		case line == "damaged":
			r.lines = r.lines[1:]
			return Message{}, device.ErrProtocol
		}
		r.lines = r.lines[1:]
		if wait, ok := strings.CutPrefix(line, "after "); ok {
			d, err := time.ParseDuration(wait)
			if err != nil {
				r.t.Fatal(err)
			}
			select {
			case <-time.After(d):
				continue
			case <-ctx.Done():
				return Message{}, ctx.Err()
			}
		}
		if move, ok := strings.CutPrefix(line, "move "); ok {
			return Message{Type: NotifySlotChange, Params: [3]byte{unhex(r.t, move)[0]}}, nil
		}
		head, rest, _ := strings.Cut(line, " ")
		b := unhex(r.t, rest)
		m := Message{Type: b[0], Seq: r.seq, Params: [3]byte{b[1], b[2]}, Data: b[3:]}
		if head != "<" {
			m.Seq += unhex(r.t, head[1:])[0]
		}
		return m, nil
	}
	<-ctx.Done()
	return Message{}, ctx.Err()
}

const (
	offOK  = "> 63 000000\n< 81 01 00\n"
	onT0   = "> 62 010000\n< 80 00 00 3B600000\n"
	onT1   = "> 62 010000\n< 80 00 00 3BE800008131FE4554494C4C5741593180\n"
	paraT0 = "> 61 000000 1100000A00\n< 82 00 00 1100000A00\n" // as libccid sends it
	paraT1 = "> 61 010000 1110004500FE00\n< 82 00 00 1110004500FE00\n"
	ready  = offOK + onT0 + paraT0
	block  = "> 6F 000000 00A40000\n"
)

var command = []byte{0, 0xA4, 0, 0}

// in runs a test against a reader in fake time.
func in(t *testing.T, text string, test func(t *testing.T, s *Slot)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, NewSlot(newReader(t, text), 0)) })
}

func TestPowerOn(t *testing.T) {
	for _, c := range []struct{ name, script, want string }{
		{"T=0", offOK + onT0 + paraT0, "3B600000"},
		{"T=1", offOK + onT1 + paraT1, "3BE800008131FE4554494C4C5741593180"},
		{"inverse convention", offOK + "> 62 010000\n< 80 00 00 3F600000\n> 61 000000 1102000A00\n< 82 00 00 1102000A00\n", "3F600000"},
		{
			"mute, then well", offOK + "> 62 010000\n< 80 41 FE\n" + onT0 + paraT0,
			"3B600000",
		},
		{
			"mute with power, then well", offOK + "> 62 010000\n< 80 40 FE\n" + offOK + onT0 + paraT0,
			"3B600000",
		},
		{
			"mute, then refused cold, accepted warm",
			offOK + "> 62 010000\n< 80 41 FE\n" + strings.Repeat("> 62 010000\n< 80 00 00 3B021450\n", 2) + paraT0,
			"3B021450",
		},
		{
			"T=14 cold, T=1 warm", offOK + "> 62 010000\n< 80 00 00 3BE000008E0E60\n" + onT1 + paraT1,
			"3BE800008131FE4554494C4C5741593180",
		},
		{"refused cold, accepted warm", offOK + "> 62 010000\n< 80 00 00 3B021450\n> 62 010000\n< 80 00 00 3B021450\n" + paraT0, "3B021450"},
		{"wrong TS told by the reader", offOK + "> 62 010000\n< 80 41 F8\n" + onT0 + paraT0, "3B600000"},
		{"slow", offOK + "> 62 010000\nafter 4s\n< 80 80 05\nafter 12s\n< 80 00 00 3B600000\n" + paraT0, "3B600000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in(t, c.script, func(t *testing.T, s *Slot) {
				atr, err := s.PowerOn(t.Context())
				if err != nil || !bytes.Equal(atr.Append(nil), unhex(t, c.want)) || s.ICC() != Active || s.Gone() != nil {
					t.Errorf("%X, %v, ICC %d", atr.Append(nil), err, s.ICC())
				}
			})
		})
	}
}

func TestPowerOnFails(t *testing.T) {
	for _, c := range []struct {
		name, script string
		want         error
	}{
		{"no card", offOK + "> 62 010000\n< 80 42 FE\n", device.ErrRemoved},
		{"mute twice", offOK + strings.Repeat("> 62 010000\n< 80 41 FE\n", 2), device.ErrMute},
		{"mute warm", offOK + "> 62 010000\n< 80 00 00 3B021450\n> 62 010000\n< 80 40 FE\n" + offOK, device.ErrMute},
		{
			"wrong TCK told by a reader that took the power off: what only a warm reset may answer is refused",
			offOK + "> 62 010000\n< 80 41 F7\n> 62 010000\n< 80 00 00 3B021450\n" + offOK, device.ErrMute,
		},
		{"mute, then refused cold and warm", offOK + "> 62 010000\n< 80 41 FE\n" + strings.Repeat("> 62 010000\n< 80 00 00 3B6F00\n", 2) + offOK, device.ErrMute},
		{"nonsense twice, then power off", offOK + strings.Repeat("> 62 010000\n< 80 00 00 0102\n", 2) + offOK, device.ErrMute},
		{"gone", offOK + "> 62 010000\ngone\n", device.ErrUnplugged},
		{"silent", offOK + "> 62 010000\n", device.ErrTimeout},
		{"parameters refused", offOK + onT0 + "> 61 000000 1100000A00\n< 82 40 0A\n" + offOK, device.ErrProtocol},
		{"answer of another type", offOK + "> 62 010000\n< 81 00 00\n" + offOK, device.ErrProtocol},
		{"damaged", offOK + "> 62 010000\ndamaged\n", device.ErrProtocol},
	} {
		t.Run(c.name, func(t *testing.T) {
			in(t, c.script, func(t *testing.T, s *Slot) {
				if _, err := s.PowerOn(t.Context()); !errors.Is(err, c.want) {
					t.Errorf("%v, want %v", err, c.want)
				}
			})
		})
	}
}

func TestTransmit(t *testing.T) {
	for _, c := range []struct {
		name, script, want string
	}{
		{"answer", block + "< 80 00 00 9000", "9000"},
		{"stale answers first", block + "<FF 80 00 00 6F00\n<FE 81 02 00\n< 6F 00 00 00A40000\n< 80 00 00 9000", "9000"},
		{"time extensions", block + "after 2900ms\n< 80 80 03\nafter 5s\n< 80 80 01\nafter 2s\n< 80 00 00 9000", "9000"},
		{"insertion told late", block + "move 03\n< 80 00 00 9000", "9000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in(t, ready+c.script, func(t *testing.T, s *Slot) {
				if _, err := s.PowerOn(t.Context()); err != nil {
					t.Fatal(err)
				}
				got, err := s.TransmitTPDU(t.Context(), command, 0)
				if err != nil || !bytes.Equal(got, unhex(t, c.want)) {
					t.Errorf("%X, %v", got, err)
				}
			})
		})
	}
}

func TestTransmitFails(t *testing.T) {
	extensions := strings.Repeat("< 80 80 01\n", maxExtensions+1)
	for _, c := range []struct {
		name, script string
		want         error
	}{
		{"removed, told by the status", block + "< 80 42 FE", device.ErrRemoved},
		{"removed, with command status done", block + "< 80 02 00", device.ErrRemoved},
		{"removed, answer swallowed", block + "move 02", device.ErrRemoved},
		{"swapped", block + "move 03\n< 80 41 FE", device.ErrRemoved},
		{"swapped, with command status done", block + "move 03\n< 80 01 00", device.ErrRemoved},
		{"power lost", block + "< 80 01 00", device.ErrProtocol},
		{"mute", block + "< 80 40 FE", device.ErrMute},
		{"parity", block + "< 80 40 FD", device.ErrProtocol},
		{"silent", block, device.ErrTimeout},
		{"silent after an extension", block + "< 80 80 02", device.ErrTimeout},
		{"extensions without end", block + extensions, device.ErrTimeout},
		{"only stale answers", block + strings.Repeat("<FF 80 00 00 9000\n", maxStale+1), device.ErrProtocol},
		{"gone", block + "gone", device.ErrUnplugged},
	} {
		t.Run(c.name, func(t *testing.T) {
			in(t, ready+c.script, func(t *testing.T, s *Slot) {
				if _, err := s.PowerOn(t.Context()); err != nil {
					t.Fatal(err)
				}
				if got, err := s.TransmitTPDU(t.Context(), command, 0); got != nil || !errors.Is(err, c.want) {
					t.Errorf("%X, %v, want %v", got, err, c.want)
				}
			})
		})
	}
	in(t, "", func(t *testing.T, s *Slot) {
		if _, err := s.TransmitTPDU(t.Context(), make([]byte, MaxData+1), 0); !errors.Is(err, device.ErrProtocol) {
			t.Errorf("262 bytes: %v", err)
		}
	})
}

// A silent reader is waited for as long as it may need, and no longer: 3 s of its own, and the card's waiting time (T=1,
// BWI 4: 960 x 16 units and 258 characters of 16, of 100 microseconds each), times the extension asked for.
func TestHowLongItWaits(t *testing.T) {
	const card = (960*16 + 258*16) * 100 * time.Microsecond
	in(t, offOK+onT1+paraT1+"> 6F 000000 00A40000\n> 6F 050000 00A40000\n> 65 000000\n> 65 000000\nmove 02\n", func(t *testing.T, s *Slot) {
		if _, err := s.PowerOn(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			waits byte
			want  time.Duration
		}{{0, 3*time.Second + card}, {5, 3*time.Second + 5*card}} {
			began := time.Now()
			_, err := s.TransmitTPDU(t.Context(), command, c.waits)
			if took := time.Since(began); !errors.Is(err, device.ErrTimeout) || took != c.want {
				t.Errorf("waited %v, want %v: %v", took, c.want, err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.Refresh(ctx); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, device.ErrTimeout) {
			t.Errorf("%v, want the context's", err)
		}
		// The card's removal was told, and the answer swallowed: that is known soon.
		began := time.Now()
		_, err := s.Refresh(t.Context())
		if took := time.Since(began); !errors.Is(err, device.ErrRemoved) || took != graceAfterMove {
			t.Errorf("waited %v: %v", took, err)
		}
	})
}

func TestRefreshEscapeAndPowerOff(t *testing.T) {
	in(t, `
		> 65 000000
		< 81 02 00
		> 65 000000
		< 81 41 00
		> 6B 000000 02
		< 83 01 00 47656D
		> 6B 000000 6A
		< 83 41 00
		> 63 000000
		< 81 42 FE
	`, func(t *testing.T, s *Slot) {
		if icc, err := s.Refresh(t.Context()); icc != NoICC || err != nil {
			t.Errorf("%d, %v", icc, err)
		}
		if icc, err := s.Refresh(t.Context()); icc != Inactive || err != nil {
			t.Errorf("command refused: %d, %v", icc, err)
		}
		if version, err := s.Escape(t.Context(), 2); string(version) != "Gem" || err != nil {
			t.Errorf("%q, %v", version, err)
		}
		_, err := s.Escape(t.Context(), 0x6A)
		failed, ok := errors.AsType[*CommandError](err)
		if !ok || failed.Status.Error != Unsupported || !strings.Contains(err.Error(), "not supported") {
			t.Errorf("%v", err)
		}
		if err := s.PowerOff(t.Context()); err != nil {
			t.Errorf("power off without a card: %v", err)
		}
	})
}

// flood is a reader that tells movements and nothing else, without end.
type flood struct{}

func (flood) Send(context.Context, Message) error { return nil }

func (flood) Receive(ctx context.Context) (Message, error) {
	select {
	case <-time.After(2 * time.Second):
		return Message{Type: NotifySlotChange, Params: [3]byte{MovedIn}}, nil
	case <-ctx.Done():
		return Message{}, ctx.Err()
	}
}

// A reader that tells movements for ever keeps nobody for ever: each is news, none is the answer.
func TestMovementsWithoutEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if _, err := NewSlot(flood{}, 0).Refresh(ctx); !errors.Is(err, device.ErrTimeout) {
			t.Errorf("%v, want a reader that does not answer", err)
		}
	})
}
