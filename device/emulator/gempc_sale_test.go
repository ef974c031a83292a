package emulator_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tillway/device"
	"tillway/device/emulator"
	"tillway/device/gempc"
	"tillway/device/iso7816"
)

// bench is a driver and the virtual reader at the other end of its wire.
type bench struct {
	*testing.T
	twin   *emulator.GemPC
	reader device.Reader
	link   string
}

func connect(t *testing.T, cfg emulator.GemPCConfig) *bench {
	t.Helper()
	cfg.Link = filepath.Join(t.TempDir(), "reader")
	twin, err := emulator.StartGemPC(cfg)
	if err != nil {
		t.Fatal(err)
	}
	reader, err := gempc.Open(gempc.Config{Port: cfg.Link, Patience: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		closeIt(t, reader)
		closeIt(t, twin)
	})
	return &bench{t, twin, reader, cfg.Link}
}

const patience = 10 * time.Second // never reached by what works

// present gives a terminal that talks to the card in the slot.
func (b *bench) present() *terminal {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), patience)
	defer cancel()
	p, err := b.reader.Present(ctx)
	if err != nil {
		b.Fatalf("Present: %v", err)
	}
	return newTerminal(b.T, func(apdu []byte) []byte {
		ctx, cancel := context.WithTimeout(b.Context(), patience)
		defer cancel()
		r, err := p.Card.Transmit(ctx, apdu)
		if errors.Is(err, device.ErrRemoved) {
			return nil
		}
		if err != nil {
			b.Fatalf("Transmit: %v", err)
		}
		return r
	})
}

func (b *bench) end() {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), patience)
	defer cancel()
	if err := b.reader.Release(ctx); err != nil {
		b.Fatalf("Release: %v", err)
	}
	b.gone()
}

// gone waits until the card was taken out.
func (b *bench) gone() {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), patience)
	defer cancel()
	if err := b.reader.AwaitRemoval(ctx); err != nil {
		b.Fatalf("AwaitRemoval: %v", err)
	}
}

// A card whose answer to a cold reset EMV refuses (no TB1) is used as it answers the warm one, here in the other protocol.
func TestWarmResetOfACard(t *testing.T) {
	p := ready(t, "credit")
	p.ATR, p.WarmATR = emulator.Hex{0x3B, 0x02, 0x14, 0x50}, ready(t, "debit").ATR
	b := connect(t, emulator.GemPCConfig{Card: emulator.NewCard(p)})
	x := b.present()
	x.read(visa)
	x.wants(x.ask(arqc, 0x8C), arqc)
	if p.WarmATR = (emulator.Hex{0x3C}); p.Check() == nil {
		t.Error("a warm answer that is none was taken")
	}
}

// Records, certificates and signatures of the greatest length come through the wire whole, at T=0 in one answer and at T=1
// in a chain of blocks.
func TestLongAnswers(t *testing.T) {
	for name, aid := range map[string]string{"oda-cda-1984": visa, "oda-mastercard": mastercard} {
		t.Run(name, func(t *testing.T) {
			b := connect(t, emulator.GemPCConfig{Card: emulator.NewCard(ready(t, name))})
			x := b.present()
			x.read(aid)
			_, card, _ := chain(t, x)
			x.absorb(x.send(0x9000, command(0x80, 0xAE, tc|0x10, 0, x.fill(0x8C))))
			if body := card.recovered(t, x.data.Value(0x9F4B), 5, x.data.Value(0x9F37)); body[11] != tc {
				t.Errorf("signed: %X", body[:40])
			}
		})
	}
}

// Sales with both cards through the driver, one after the other, with nobody there but the automatic hand.
func TestSalesWithAutomaticHand(t *testing.T) {
	hand := emulator.Hand{TakeOut: time.Millisecond, PutBack: 400 * time.Millisecond}
	t.Run("T=0", func(t *testing.T) {
		b := connect(t, emulator.GemPCConfig{Card: emulator.NewCard(ready(t, "credit")), Hand: hand})
		for range 2 {
			x := b.present()
			x.read(visa)
			x.wants(x.ask(arqc, 0x8C), arqc)
			answer := x.answer("00")
			x.send(0x9000, append([]byte{0x00, 0x82, 0, 0, byte(len(answer))}, answer...))
			x.wants(x.ask(tc, 0x8D), tc)
			b.end()
		}
	})
	t.Run("T=1", func(t *testing.T) {
		b := connect(t, emulator.GemPCConfig{Card: emulator.NewCard(ready(t, "debit")), Hand: hand})
		for range 2 {
			x := b.present()
			x.read(mastercard)
			x.wants(x.ask(arqc, 0x8C), arqc)
			x.data.Put(0x91, x.answer("00"))
			x.wants(x.ask(tc, 0x8D), tc)
			b.end()
		}
	})
	t.Run("a card that leaves by itself comes back", func(t *testing.T) {
		b := connect(t, emulator.GemPCConfig{Card: emulator.NewCard(ready(t, "pulled")), Hand: hand})
		for range 2 {
			x := b.present()
			x.read(visa)
			x.wants(x.ask(arqc, 0x8C), arqc)
			if r := x.transmit(command(0x80, 0xAE, tc, 0, make([]byte, 31))); r != nil {
				t.Fatalf("answers %X", r)
			}
		}
	})
}

// However a card lost its power, the hand takes it out: a terminal that asks for that waits for nothing else. Each row leaves a
// card in the slot without power and without an order to take it off, or without a command since it came.
func TestHandTakesOutWhatHasNoPower(t *testing.T) {
	hand := emulator.Hand{TakeOut: time.Millisecond, PutBack: 50 * time.Millisecond}
	spoiled := func(fault emulator.WireFault) func(*bench) {
		return func(b *bench) {
			if err := b.twin.FaultNext(fault, 1); err != nil {
				b.Fatal(err)
			}
			p, err := b.reader.Present(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			if _, err := p.Card.Transmit(b.Context(), []byte{0x00, 0xA4, 0x04, 0x00, 0x00}); err == nil {
				b.Fatalf("%s: the card answers", fault)
			}
		}
	}
	for name, use := range map[string]func(*bench){
		"the reader starts anew":    spoiled(emulator.FaultReset),
		"an answer is damaged":      spoiled(emulator.FaultChecksum),
		"the card hangs":            spoiled(emulator.FaultMute),
		"no end of time requests":   spoiled(emulator.FaultStalled),
		"the answer is lost":        spoiled(emulator.FaultLost),
		"given up before a command": func(b *bench) { b.present() },
		"the card is mute": func(b *bench) {
			if err := b.twin.Insert(scripted{}); err != nil {
				b.Fatal(err)
			}
			if _, err := b.reader.Present(b.Context()); !errors.Is(err, device.ErrMute) {
				b.Fatal(err)
			}
		},
		"the terminal starts anew": func(b *bench) {
			b.present().read(visa)
			closeIt(b.T, b.reader)
			var err error
			if b.reader, err = gempc.Open(gempc.Config{Port: b.link, Patience: 200 * time.Millisecond}); err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { closeIt(b.T, b.reader) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := connect(t, emulator.GemPCConfig{Card: emulator.NewCard(ready(t, "credit")), Hand: hand})
			use(b)
			if name == "the terminal starts anew" { // which knows of no card to release
				b.gone()
			} else {
				b.end()
			}
			if name != "the card is mute" {
				b.present().read(visa)
			}
		})
	}
}

// What somebody does with the card goes before what the hand was about to do.
func TestOrdersBeforeHand(t *testing.T) {
	b := connect(t, emulator.GemPCConfig{
		Card: emulator.NewCard(ready(t, "credit")),
		Hand: emulator.Hand{TakeOut: time.Millisecond, PutBack: time.Hour},
	})
	b.present().read(visa)
	b.end()
	if s := b.status(); s.Card {
		t.Fatalf("%+v", s)
	}
	if err := b.twin.Insert(emulator.NewCard(ready(t, "debit"))); err != nil {
		t.Fatal(err)
	}
	if s := b.status(); !s.Card || s.Name != "debit" {
		t.Fatalf("%+v", s)
	}
	b.present().read(mastercard)
	if err := b.twin.Remove(); err != nil {
		t.Fatal(err)
	}
	if s := b.status(); s.Card || s.Powered {
		t.Fatalf("%+v", s)
	}
}

// The driver has seen an empty slot only once it has asked.
func TestSeen(t *testing.T) {
	twin, err := emulator.StartGemPC(emulator.GemPCConfig{
		Link: filepath.Join(t.TempDir(), "reader"), Card: emulator.NewCard(ready(t, "credit")),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer closeIt(t, twin)
	b := &bench{T: t, twin: twin}
	line, err := os.OpenFile(b.status().Link, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer closeIt(t, line)
	// Escape 01 01 01 and GetSlotStatus, as frames; the answers are echo and message.
	talk := func(message string, answer int) {
		t.Helper()
		frame := append([]byte{3, 6}, unhex(t, message)...)
		frame = append(frame, iso7816.LRC(frame))
		if _, err := line.Write(frame); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(line, make([]byte, len(frame)+answer)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := io.ReadFull(line, make([]byte, 2)); err != nil { // 50 03: the card that was there from the start
		t.Fatal(err)
	}
	talk("6B030000000000000000010101", 14)
	if b.status().Seen {
		t.Error("seen empty while a card is in")
	}
	if err := twin.Remove(); err != nil {
		t.Fatal(err)
	}
	if b.status().Seen {
		t.Error("seen before the driver asked")
	}
	talk("65000000000001000000", 15) // with the movement, 50 02
	if !b.status().Seen {
		t.Error("not seen, and the driver asked")
	}
	if err := twin.Insert(emulator.NewCard(ready(t, "credit"))); err != nil {
		t.Fatal(err)
	}
	if b.status().Seen {
		t.Error("seen empty while a card is in")
	}
}

func (b *bench) status() emulator.GemPCStatus {
	b.Helper()
	s, err := b.twin.Status()
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// The log has every exchange and no card data.
func TestWatch(t *testing.T) {
	var mu sync.Mutex
	var log strings.Builder
	b := connect(t, emulator.GemPCConfig{Card: emulator.NewCard(ready(t, "debit")), Watch: func(line string) {
		mu.Lock()
		defer mu.Unlock()
		log.WriteString(line + "\n")
	}})
	x := b.present()
	x.read(mastercard)
	x.wants(x.ask(arqc, 0x8C), arqc)
	mu.Lock()
	defer mu.Unlock()
	for _, want := range []string{"reset, ATR 3BE8", "> 00A4040007A0000000041010", "> 00B2010C", "> 80AE8000"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %q in the log", want)
		}
	}
	if strings.Contains(log.String(), "5413330089604111") {
		t.Error("account number in the log")
	}
}

// The link is the reader's port for as long as it lives, and nobody else's.
func TestLink(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "reader")
	if err := os.Symlink("/dev/pts/nowhere", link); err != nil { // of a run that was killed
		t.Fatal(err)
	}
	twin, err := emulator.StartGemPC(emulator.GemPCConfig{Link: link})
	if err != nil {
		t.Fatal(err)
	}
	first := target(t, link)
	if _, err := emulator.StartGemPC(emulator.GemPCConfig{Link: link}); !errors.Is(err, emulator.ErrLink) {
		t.Fatalf("a second reader at the link: %v", err)
	}
	if got := target(t, link); got != first {
		t.Fatalf("the second reader changed the link to %s", got)
	}
	for _, step := range []struct {
		do   func() error
		want error
		held bool
	}{
		{twin.Replug, emulator.ErrNoPlug, true},
		{twin.Unplug, nil, false},
		{twin.Unplug, emulator.ErrNoPlug, false},
		{twin.Replug, nil, true},
	} {
		if err := step.do(); !errors.Is(err, step.want) {
			t.Fatalf("%v, want %v", err, step.want)
		}
		if _, err := os.Stat(link); (err == nil) != step.held {
			t.Fatalf("link: %v", err)
		}
	}
	for range 2 {
		closeIt(t, twin)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if err := twin.Insert(emulator.NewCard(ready(t, "credit"))); !errors.Is(err, emulator.ErrClosed) {
		t.Errorf("Insert after Close: %v", err)
	}
	if _, err := twin.Status(); !errors.Is(err, emulator.ErrClosed) {
		t.Errorf("Status after Close: %v", err)
	}
}

func target(t *testing.T, link string) string {
	t.Helper()
	s, err := os.Readlink(link)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A path that cannot be a link is refused with what to do.
func TestLinkRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, link := range map[string]string{
		"no path": "", "a file": file, "no folder": filepath.Join(file+"s", "reader"), "not a folder": filepath.Join(file, "reader"),
	} {
		if twin, err := emulator.StartGemPC(emulator.GemPCConfig{Link: link}); !errors.Is(err, emulator.ErrLink) {
			t.Errorf("%s: %v", name, err)
			if err == nil {
				closeIt(t, twin)
			}
		}
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != "precious" {
		t.Errorf("the file in the way: %q, %v", got, err)
	}
}

// Faults are known by name, bounded, and forgotten with the card they were meant for.
func TestFaultOrders(t *testing.T) {
	b := connect(t, emulator.GemPCConfig{Card: emulator.NewCard(ready(t, "credit"))})
	if err := b.twin.Fault("sulk", 1); !errors.Is(err, emulator.ErrNoFault) {
		t.Errorf("%v", err)
	}
	var full error
	for i := 0; full == nil && i < 1000; i++ {
		full = b.twin.FaultNext(emulator.FaultSlow, 1000+i)
	}
	if !errors.Is(full, emulator.ErrNoFault) {
		t.Errorf("%v", full)
	}
	if s := b.status(); s.Armed == 0 {
		t.Errorf("%+v", s)
	}
	if err := b.twin.Remove(); err != nil {
		t.Fatal(err)
	}
	if s := b.status(); s.Armed != 0 {
		t.Errorf("%+v", s)
	}
}
