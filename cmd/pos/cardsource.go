package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"tillway/device"
	"tillway/device/emulator"
	"tillway/device/transcript"
	"tillway/emv"
)

// openedCard is a card that is ready for the kernel, and the log of what is exchanged with it.
type openedCard struct {
	card  emv.Card
	log   *transcript.Recorder
	close func() error // what a recording has left over, or nil
	atr   []byte       // the answer to reset; empty of a recording
	ours  bool         // it is emulated, and its certificates come from the emulator's authorities

	session *transcript.Session // of a recording that has one, and is to be repeated; else nil
}

func opened(raw emv.Card, close func() error) openedCard {
	log := transcript.NewRecorder(raw) // below procedure, so that it replays strictly
	return openedCard{card: procedure{log}, log: log, close: close}
}

// openCard finds the card that the command line names.
func openCard(ctx context.Context, f cardFlags, has given, argv []string) (openedCard, error) {
	if f.replay != "strict" && f.replay != "lenient" {
		return openedCard{}, usage("--replay %q: there are strict and lenient", f.replay)
	}
	switch {
	case f.card != "" && len(argv) > 0:
		return openedCard{}, usage("give a FILE or --card, not both")
	case f.card != "":
		return dialCard(ctx, f.card)
	case len(argv) == 0:
		return openedCard{}, usage("give a FILE: a transcript, a card profile or a ready card (pos card list names them); or --card tcp:HOST:PORT")
	}
	name := argv[0]
	if slices.Contains(emulator.ReadyNames(), name) {
		p, err := emulator.Ready(name)
		if err != nil {
			return openedCard{}, usage("card %s: %w", name, err)
		}
		return emulated(p), nil
	}
	text, err := readFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return openedCard{}, usage("%q is no file, and no ready card: pos card list names them", name)
	}
	if err != nil {
		return openedCard{}, err
	}
	if trimmed := bytes.TrimSpace(text); len(trimmed) > 0 && trimmed[0] == '{' {
		return replayed(name, text, f.replay, has("replay"))
	}
	p, err := emulator.ParseProfile(text)
	if err != nil {
		return openedCard{}, usage("%s: %w", name, err)
	}
	return emulated(p), nil
}

func emulated(p emulator.Profile) openedCard {
	card := emulator.NewCard(p)
	card.Reset()
	out := opened(chip{card}, func() error { return nil })
	out.atr, out.ours = card.ATR(), true
	return out
}

// chip is an emulated card without a reader between.
type chip struct{ card *emulator.Card }

func (c chip) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	answer := c.card.Transmit(command)
	switch {
	case len(answer) >= 2:
		return answer, nil
	case c.card.Left():
		return nil, device.ErrRemoved
	}
	return nil, device.ErrMute
}

// replayed is a recording as a card. One with a session is repeated strictly, unless the command line wants it lenient.
func replayed(name string, text []byte, mode string, said bool) (openedCard, error) {
	t, err := transcript.Read(bytes.NewReader(text))
	if err != nil {
		return openedCard{}, usage("%s: %w", name, err)
	}
	if mode == "lenient" && (said || t.Session == nil) {
		return opened(transcript.Lenient(t), func() error { return nil }), nil // it answers by kind of command: what is left says nothing
	}
	card := transcript.Strict(t)
	open := opened(card, card.Close)
	open.session = t.Session
	return open, nil
}

// procedure does what a reader's driver does for T=0: it fetches what 61xx announces and repeats with the length that
// 6Cxx asks for (ISO/IEC 7816-3, 12.2), so that recordings made below a driver can be replayed.
type procedure struct{ card emv.Card }

const maxFetches = 8

func (p procedure) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	answer, err := p.card.Transmit(ctx, command)
	var data []byte
	for range maxFetches {
		if err != nil || len(answer) < 2 {
			return answer, err
		}
		sw1, sw2 := answer[len(answer)-2], answer[len(answer)-1]
		switch {
		case sw1 == 0x61:
			data = append(data, answer[:len(answer)-2]...)
			answer, err = p.card.Transmit(ctx, []byte{0x00, 0xC0, 0x00, 0x00, sw2})
		case sw1 == 0x6C && len(answer) == 2 && len(command) >= 5:
			again := bytes.Clone(command)
			again[len(again)-1] = sw2
			answer, err = p.card.Transmit(ctx, again)
		default:
			return append(data, answer...), nil
		}
	}
	return nil, fmt.Errorf("the card keeps asking for the same command: %w", device.ErrProtocol)
}

// unSource gives the unpredictable numbers of --un in turn, and what comes after them and every other random number from
// the system.
type unSource struct{ numbers [][]byte }

const unBytes = 4

func newUNSource(texts []string) (*unSource, error) {
	s := &unSource{}
	for _, t := range texts {
		b, err := hex.DecodeString(t)
		if err != nil || len(b) != unBytes {
			return nil, usage("--un %q is not eight hex digits", t)
		}
		s.numbers = append(s.numbers, b)
	}
	return s, nil
}

func (s *unSource) Read(b []byte) (int, error) {
	if len(b) != unBytes || len(s.numbers) == 0 {
		return rand.Read(b)
	}
	n := copy(b, s.numbers[0])
	s.numbers = s.numbers[1:]
	return n, nil
}

// errDial says that the card at the other end of --card cannot be reached.
var errDial = errors.New("the card cannot be reached")
