//go:build linux

package qemu

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// TestMonitor speaks with a monitor whose lines are those of QEMU 7.2.
func TestMonitor(t *testing.T) {
	ours, theirs := net.Pipe()
	heard := make(chan string, 8)
	go func() {
		defer theirs.Close()
		lines := bufio.NewScanner(theirs)
		say := func(s string) { _, _ = io.WriteString(theirs, s+"\r\n") }
		say(`{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "Debian"}, "capabilities": ["oob"]}}`)
		for _, answer := range []string{
			`{"return": {}}`,
			`{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "DEVICE_DELETED", "data": {"device": "rdr", "path": "/machine/peripheral/rdr"}}` + "\r\n" + `{"return": {}}`,
			`{"error": {"class": "DeviceNotFound", "desc": "Device 'rdr' not found"}}`,
		} {
			if !lines.Scan() {
				return
			}
			heard <- lines.Text()
			say(answer)
		}
	}()
	m, err := NewMonitor(ours)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Do("device_del", map[string]any{"id": "rdr"}); err != nil {
		t.Error(err)
	}
	if err := m.Await("DEVICE_DELETED", time.Minute); err != nil {
		t.Error(err)
	}
	if err := m.Do("device_del", map[string]any{"id": "rdr"}); !errors.Is(err, ErrMonitor) || !strings.Contains(err.Error(), "Device 'rdr' not found") {
		t.Errorf("a refusal: %v", err)
	}
	if err := m.Do("quit", nil); !errors.Is(err, ErrMonitor) {
		t.Errorf("after the end: %v", err)
	}
	if got := <-heard; got != `{"execute":"qmp_capabilities"}` {
		t.Errorf("first order %s", got)
	}
	if got := <-heard; got != `{"arguments":{"id":"rdr"},"execute":"device_del"}` {
		t.Errorf("second order %s", got)
	}
	if err := m.Await("NEVER", 0); !errors.Is(err, ErrMonitor) {
		t.Errorf("an event that does not come: %v", err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}

type chip struct {
	resets int
	gone   bool
}

func (c *chip) Gone() bool { return c.gone }

func (*chip) ATR() []byte { return []byte{0x3B, 0x00} }
func (c *chip) Reset()    { c.resets++ }
func (*chip) Transmit(apdu []byte) []byte {
	if apdu[0] == 0xFF {
		return nil
	}
	return []byte{0x90, 0x00}
}

// TestCard plays QEMU: the bytes are those of ccid-card-passthru.
func TestCard(t *testing.T) {
	ours, theirs := net.Pipe()
	said := make(chan string)
	go func() {
		for {
			kind, data, err := readMessage(theirs)
			if err != nil {
				close(said)
				return
			}
			said <- hex.EncodeToString([]byte{byte(kind)}) + ":" + hex.EncodeToString(data)
		}
	}()
	created := make(chan *Card)
	go func() {
		c, err := NewCard(ours)
		if err != nil {
			t.Error(err)
		}
		created <- c
	}()
	want := func(s string) {
		t.Helper()
		if got := <-said; got != s {
			t.Errorf("the card said %s, want %s", got, s)
		}
	}
	want("01:5653434400000002" + "00000000")
	c := <-created
	served := make(chan error)
	go func() { served <- c.Serve() }()
	tell := func(s string) {
		t.Helper()
		b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := theirs.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan error)
	one := &chip{}
	go func() { done <- c.Insert(one) }()
	want("05:3b00")
	tell("00000002 00000000 00000004 00000000")
	if err := <-done; err != nil || one.resets != 1 {
		t.Errorf("%v, %d resets", err, one.resets)
	}
	tell("00000007 00000000 00000005 00A4040000")
	want("07:9000")
	tell("00000007 00000000 00000001 FF") // mute
	tell("00000008 00000000 00000000")
	want("09:")
	one.gone = true
	tell("00000007 00000000 00000005 00A4040000")
	want("07:9000")
	want("06:")
	tell("00000002 00000000 00000004 00000000") // nobody waits for that one
	go func() { done <- c.Remove() }()
	want("06:")
	tell("00000002 00000000 00000004 00000001")
	if err := <-done; !errors.Is(err, ErrCard) {
		t.Errorf("a refusal: %v", err)
	}
	tell("00000007 00000000 00020000") // too long
	if err := <-served; !errors.Is(err, ErrCard) {
		t.Error(err)
	}
	if err := errors.Join(ours.Close(), theirs.Close()); err != nil {
		t.Error(err)
	}
}

// FuzzMessage: what is taken is no longer than what came.
func FuzzMessage(f *testing.F) {
	f.Add([]byte{0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 1, 0xFF})
	f.Fuzz(func(t *testing.T, b []byte) {
		kind, data, err := readMessage(bytes.NewReader(b))
		if err == nil && (len(data)+messageHead > len(b) || kind != uint32(b[3])|uint32(b[2])<<8|uint32(b[1])<<16|uint32(b[0])<<24) {
			t.Fatalf("message %d of %d bytes out of %d", kind, len(data), len(b))
		}
	})
}
