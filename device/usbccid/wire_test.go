package usbccid

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tillway/device"
	"tillway/device/ccid"
	"tillway/device/emulator/virtualusb"
	"tillway/device/usb"
)

// raw is a reader whose answers are whatever packets it is given: say gets each command and puts packets.
type raw struct {
	configuration []byte
	in, moves     virtualusb.Queue
	say           func(r *raw, command []byte)
	aborted       []uint16
	damaged       atomic.Int32 // transfers of the interrupt endpoint that are still to fail
}

func (r *raw) Descriptors() virtualusb.Descriptors {
	return virtualusb.Descriptors{
		Device:        [18]byte{18, 1, 0, 2, 0, 0, 0, 64, 0xE6, 0x08, 0x37, 0x34, 0, 1, 0, 0, 0, 1},
		Configuration: r.configuration,
	}
}

func (r *raw) Control(_ context.Context, setup [8]byte, _ []byte) ([]byte, error) {
	if s := virtualusb.ParseSetup(setup); s.RequestType == 0x21 && s.Request == 1 {
		r.aborted = append(r.aborted, s.Value)
		return nil, nil
	}
	return nil, virtualusb.ErrStall
}

func (r *raw) Out(_ context.Context, _ uint8, data []byte) error { r.say(r, data); return nil }

func (r *raw) In(ctx context.Context, endpoint uint8, most int) ([]byte, error) {
	if endpoint == 0x81 {
		if r.damaged.Add(-1) >= 0 {
			return nil, device.ErrProtocol
		}
		return r.moves.Next(ctx, most)
	}
	return r.in.Next(ctx, most)
}

// answers is a reader with a T=0 card that behaves, but for what spoiled gives in place of the answer to an exchange.
func answers(spoiled func(seq byte) [][]byte) func(r *raw, m []byte) {
	return func(r *raw, m []byte) {
		reply := func(kind byte, data ...byte) {
			head := []byte{kind, byte(len(data)), 0, 0, 0, 0, m[6], 0, 0, 0} //nolint:gosec // short
			r.in.Put(append(head, data...))
		}
		switch m[0] {
		case ccid.PowerOn:
			reply(ccid.DataBlock, 0x3B, 0x60, 0x00, 0x00)
		case ccid.SetParameters:
			reply(ccid.Parameters, m[10:]...)
		case ccid.XfrBlock:
			if packets := spoiled(m[6]); packets != nil {
				for _, p := range packets {
					r.in.PutWithoutEnd(p)
				}
				return
			}
			reply(ccid.DataBlock, 0x90, 0x00)
		default:
			reply(ccid.SlotStatus)
		}
	}
}

// open starts a driver for a raw reader.
func open(t *testing.T, r *raw) *Reader {
	t.Helper()
	bus := virtualusb.NewBus()
	r.configuration = unhex(t, head+functional+endpoints)
	plug := bus.Plug(r)
	reader, err := Open(Config{Bus: bus})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := reader.Close(); err != nil {
			t.Error(err)
		}
		plug.Unplug()
	})
	return reader
}

// Answers that are none end the card's session with an error of their kind, in bounded time, and the slot is reset: the next card works.
func TestBadAnswers(t *testing.T) {
	file, err := os.Open("testdata/bad-answers.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows := 0
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		rows++
		words := strings.SplitN(lines.Text(), " ", 3)
		t.Run(words[0], func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bad := true
				reader := open(t, &raw{say: answers(func(seq byte) [][]byte {
					if !bad {
						return nil
					}
					packet := unhex(t, strings.Replace(words[1], "XX", hex.EncodeToString([]byte{seq}), 1))
					if words[0] == "ccid-02" {
						return slicesOf(packet, 5000)
					}
					return [][]byte{packet}
				})})
				p, err := reader.Present(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				answer, err := p.Card.Transmit(t.Context(), []byte{0, 0xA4, 4, 0})
				if !errors.Is(err, device.ErrProtocol) && !errors.Is(err, device.ErrTimeout) {
					t.Errorf("%s: %X, %v", words[2], answer, err)
				}
				if took := time.Since(began); took > 70*time.Second {
					t.Errorf("it took %v", took)
				}
				bad = false
				if p, err = reader.Present(t.Context()); err != nil {
					t.Fatal(err)
				}
				if answer, err := p.Card.Transmit(t.Context(), []byte{0, 0xA4, 4, 0}); err != nil || !bytes.Equal(answer, []byte{0x90, 0x00}) {
					t.Errorf("afterwards: %X, %v", answer, err)
				}
			})
		})
	}
	if rows < 10 {
		t.Errorf("only %d rows", rows)
	}
}

func slicesOf(b []byte, n int) [][]byte {
	all := make([][]byte, n)
	for i := range all {
		all[i] = b
	}
	return all
}

// Answers in every way that packets may cut them.
func TestAnswersInPackets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, length := range []int{2, 53, 54, 55, 118, 119, 181, 182, 183, 246, 258} {
			for _, end := range []bool{true, false} {
				r := &raw{}
				r.say = func(_ *raw, m []byte) {
					if m[0] != ccid.XfrBlock {
						answers(nil)(r, m)
						return
					}
					answer := append([]byte{ccid.DataBlock, byte(length), byte(length >> 8), 0, 0, 0, m[6], 0, 0, 0}, bytes.Repeat([]byte{0x90}, length)...)
					r.in.Put(nil) // an empty packet before the answer is nobody's
					if end {
						r.in.Put(answer)
					} else {
						r.in.PutWithoutEnd(answer)
					}
				}
				reader := open(t, r)
				p, err := reader.Present(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				for range 3 {
					if answer, err := p.Card.Transmit(t.Context(), []byte{0, 0xB0, 0, 0, 0}); err != nil || len(answer) != length {
						t.Fatalf("%d bytes, end %v: %d, %v", length, end, len(answer), err)
					}
				}
				if err := reader.Close(); err != nil {
					t.Error(err)
				}
			}
		}
	})
}

// A command that its caller gives up is aborted: on the control pipe first, then with the message, both with one number.
func TestAborts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var messages [][]byte
		r := &raw{}
		mute := true
		r.say = func(r *raw, m []byte) {
			messages = append(messages, bytes.Clone(m))
			if m[0] == ccid.XfrBlock && mute {
				return
			}
			answers(func(byte) [][]byte { return nil })(r, m)
		}
		reader := open(t, r)
		p, err := reader.Present(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, err := p.Card.Transmit(ctx, []byte{0, 0xA4, 4, 0}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		last := messages[len(messages)-1]
		if len(r.aborted) != 1 || last[0] != ccid.Abort || r.aborted[0] != uint16(last[6])<<8 {
			t.Errorf("aborted %04X, last message %X", r.aborted, last)
		}
		mute = false
		if p, err = reader.Present(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Card.Transmit(t.Context(), []byte{0, 0xA4, 4, 0}); err != nil {
			t.Error(err)
		}
	})
}

// fed is a usb.Device whose bulk-in endpoint gives bytes in packets, and then nothing.
type fed struct {
	usb.Device
	rest []byte
}

func (f *fed) Read(ctx context.Context, _ uint8, b []byte) (int, error) {
	if len(f.rest) == 0 {
		return 0, device.ErrUnplugged
	}
	n := 0
	for n < len(b) && len(f.rest) > 0 {
		size := min(int(f.rest[0])%65, len(f.rest)-1, len(b)-n) // each packet has its length before it
		copy(b[n:], f.rest[1:1+size])
		f.rest = f.rest[1+size:]
		if n += size; size < 64 {
			break
		}
	}
	return n, ctx.Err()
}

// FuzzAnswers: whatever packets come, what is taken for a message is one, and reading ends.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte{12, 0x80, 2, 0, 0, 0, 0, 5, 0, 0, 0, 0x90, 0})
	f.Add([]byte{0, 10, 0x81, 0, 0, 0, 0, 0, 5, 1, 0, 0, 1, 0x80})
	f.Add([]byte{10, 0x80, 0xFF, 0xFF, 0xFF, 0xFF, 0, 1, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		w := &wire{device: &fed{rest: b}, layout: layout{in: usb.Endpoint{Address: 0x82, Kind: usb.Bulk, MaxPacket: 64}}, life: t.Context()}
		for range 1 + len(b) {
			m, err := w.readMessage()
			if errors.Is(err, device.ErrUnplugged) {
				return
			}
			if err != nil && !errors.Is(err, device.ErrProtocol) {
				t.Fatal(err)
			}
			if err == nil && len(m.Data) > ccid.MaxData {
				t.Fatalf("%d bytes of data", len(m.Data))
			}
		}
		t.Fatal("reading does not end")
	})
}

// A transfer of the interrupt endpoint that is damaged, by a motor beside the till perhaps, leaves the reader's word on cards heard; an
// endpoint that does nothing but fail is given up.
func TestDamagedInterrupt(t *testing.T) {
	for damaged, heard := range map[int32]bool{0: true, 1: true, mostDamaged: true, mostDamaged + 1: false} {
		synctest.Test(t, func(t *testing.T) {
			looks := 0
			fine := answers(func(byte) [][]byte { return nil })
			r := &raw{}
			r.say = func(r *raw, m []byte) {
				if m[0] == ccid.GetSlotStatus {
					looks++
				}
				fine(r, m)
			}
			r.damaged.Store(damaged)
			open(t, r)
			time.Sleep(pollTold + pollTold/2) // in the middle between two looks of the driver's own
			synctest.Wait()
			before := looks
			r.moves.Put([]byte{ccid.NotifySlotChange, ccid.MovedIn})
			synctest.Wait()
			if got := looks > before; got != heard {
				t.Errorf("after %d damaged transfers: a movement heard %v, want %v", damaged, got, heard)
			}
		})
	}
}
