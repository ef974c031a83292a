package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tillway/device"
	"tillway/device/emulator"
	"tillway/emv/oda"
)

// A card that takes every command and says nothing is mute after the deadline, not for ever.
func TestSilentCard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		go func() { _, _ = io.Copy(io.Discard, theirs) }() // ends with the pipe
		start := time.Now()
		_, err := (&vpcdCard{ours}).Transmit(t.Context(), []byte{0x00, 0xB2, 0x01, 0x0C, 0x00})
		if !errors.Is(err, device.ErrMute) || time.Since(start) != vpcdDeadline {
			t.Errorf("%v after %s", err, time.Since(start))
		}
		if err := errors.Join(ours.Close(), theirs.Close()); err != nil {
			t.Error(err)
		}
	})
}

// t0Card answers as cards of other makers do that keep T=0's procedures to themselves: SELECT and GET PROCESSING OPTIONS announce
// their answers with 61xx, READ RECORD and GET DATA want their very length with 6Cxx, and a length of 256 is 00.
func t0Card(t *testing.T) string {
	t.Helper()
	p, err := emulator.Ready("credit")
	if err != nil {
		t.Fatal(err)
	}
	card := emulator.NewCard(p)
	var waiting []byte
	return serveVPCD(t, func(m []byte) ([]byte, bool) {
		switch {
		case len(m) == 1:
			card.Reset()
			return card.ATR(), true
		case m[1] == 0xC0 && m[len(m)-1] == byte(len(waiting)-2):
			return waiting, true
		case m[1] == 0xC0:
			return []byte{0x67, 0x00}, true
		}
		answer := bytes.Clone(card.Transmit(m))
		n := len(answer) - 2
		switch {
		case n > 0 && m[4] == 0 && len(m) == 5:
			card.Transmit(m) // the command that is repeated is the same again
			return []byte{0x6C, byte(n)}, true
		case n > 0 && len(m) > 5 && m[1] != 0xAE:
			waiting = answer
			return []byte{0x61, byte(n)}, true
		}
		return answer, true
	})
}

func TestT0OverVPCD(t *testing.T) {
	here, there := cardRun(t, 0, with("credit")...), cardRun(t, 0, with("--card", t0Card(t))...)
	if there.Outcome != "online" || fmt.Sprint(here.Tags) != fmt.Sprint(there.Tags) {
		t.Errorf("with 61xx and 6Cxx\n%+v\nwithout\n%+v", there, here)
	}
	seen := ""
	for _, x := range there.Exchanges {
		seen += x["c"][:4] + " " + x["r"] + "\n"
	}
	if !strings.Contains(seen, "00C0 ") || !strings.Contains(seen, "00B2 6C") {
		t.Errorf("the exchanges do not show the procedures:\n%s", seen)
	}
}

// Messages of no bytes, and of many, are no answers.
func TestOddVPCDMessages(t *testing.T) {
	for _, length := range []uint16{0, 1, maxVPCDAnswer + 1, 0xFFFF} {
		ours, theirs := net.Pipe()
		go func() {
			var head [2]byte
			_, _ = io.ReadFull(theirs, head[:])
			_, _ = io.CopyN(io.Discard, theirs, int64(binary.BigEndian.Uint16(head[:])))
			_, _ = theirs.Write(append(binary.BigEndian.AppendUint16(nil, length), make([]byte, min(length, 8))...))
			_ = theirs.Close()
		}()
		if answer, err := (&vpcdCard{ours}).Transmit(t.Context(), []byte{0, 0xC0, 0, 0, 0}); err == nil {
			t.Errorf("%d bytes: %X", length, answer)
		}
		if err := ours.Close(); err != nil {
			t.Error(err)
		}
	}
}

// The keys of the emulator's authorities never pass for live ones.
func TestEmulatorsKeysAreTestKeys(t *testing.T) {
	for environment, usable := range map[oda.Environment]bool{oda.Test: true, oda.Live: false} {
		if file, err := oda.ParseKeys(emulator.AuthorityKeys(), environment); (err == nil && len(file.Keys) > 0) != usable {
			t.Errorf("%s: %d keys, %v", environment, len(file.Keys), err)
		}
	}
}
