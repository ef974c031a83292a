package pcsc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tillway/device"
	"tillway/device/emulator"
	"tillway/device/emulator/pcscd"
)

// credit is the emulator's card.
func credit(t *testing.T) *emulator.Card {
	t.Helper()
	profile, err := emulator.Ready("credit")
	if err != nil {
		t.Fatal(err)
	}
	return emulator.NewCard(profile)
}

var selectPSE = append([]byte{0x00, 0xA4, 0x04, 0x00, 14}, "1PAY.SYS.DDF01"...)

// toolsRead has Debian's programs find the card in the reader and read it.
func toolsRead(t *testing.T, reader string, atr []byte) {
	t.Helper()
	want := strings.ToLower(strings.ReplaceAll(fmt.Sprintf("% x", atr), " ", ":"))
	soon(t, "opensc-tool sees the card", func() bool { return strings.Contains(output(t, "opensc-tool", "-l"), "Yes") })
	if out := output(t, "opensc-tool", "-r", "0", "-a"); !strings.Contains(out, want) {
		t.Errorf("opensc-tool read another answer to reset:\n%s", out)
	}
	apdu := strings.ReplaceAll(fmt.Sprintf("% X", selectPSE), " ", ":")
	out := output(t, "opensc-tool", "-r", "0", "-s", apdu)
	if !strings.Contains(out, "SW1=0x90, SW2=0x00") && !strings.Contains(out, "SW1=0x61") {
		t.Errorf("opensc-tool selects the payment environment:\n%s", out)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	scan, err := exec.CommandContext(ctx, "pcsc_scan", "-n").CombinedOutput()
	if ctx.Err() == nil {
		t.Errorf("pcsc_scan ended: %v", err)
	}
	spaced := strings.ToUpper(fmt.Sprintf("% x", atr))
	if text := string(scan); !strings.Contains(text, reader) || !strings.Contains(text, spaced) {
		t.Errorf("pcsc_scan does not show %s with %s:\n%s", reader, spaced, text)
	}
}

// Debian's programs read our card through vpcd.
func TestToolsReadOurCard(t *testing.T) {
	if !debian(t) {
		return
	}
	startPcscd(t, vpcdReader)
	card := credit(t)
	ctx, stop := context.WithCancel(t.Context())
	plugged := make(chan error, 1)
	go func() { plugged <- plugCard(ctx, emulator.Bare(card)) }()
	toolsRead(t, "Virtual PCD", card.ATR())
	stop()
	if err := <-plugged; err != nil {
		t.Error(err)
	}
}

// Debian's pcscd reads our card through our GemPC Twin on a pseudo-terminal, with the serial driver of libccid; and our driver reads it through
// that pcscd.
func TestLibccidReadsOurTwin(t *testing.T) {
	if !debian(t) {
		return
	}
	card := credit(t)
	link := filepath.Join(t.TempDir(), "twin")
	twin, err := emulator.StartGemPC(emulator.GemPCConfig{Link: link, Card: card, Hand: emulator.StillHand()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = twin.Close() }()
	port, err := filepath.EvalSymlinks(link)
	if err != nil {
		t.Fatal(err)
	}
	startPcscd(t, "FRIENDLYNAME \"GemPCTwin serial\"\nDEVICENAME "+port+":GemPCTwin\nLIBPATH /usr/lib/pcsc/drivers/serial/libccidtwin.so\n")
	toolsRead(t, "GemPCTwin serial", card.ATR())
	r, err := Open(Config{Port: "gempctwin"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	p, err := r.Present(t.Context())
	if err != nil {
		t.Fatalf("%v, %+v", err, r.Status())
	}
	if !bytes.Equal(p.ATR, card.ATR()) {
		t.Errorf("answer to reset %X", p.ATR)
	}
	pse, err := p.Card.Transmit(t.Context(), append(bytes.Clone(selectPSE), 0))
	if err != nil || len(pse) < 4 || pse[0] != 0x6F || !bytes.HasSuffix(pse, []byte{0x90, 0}) {
		t.Errorf("%X, %v", pse, err)
	}
	if err := r.Release(t.Context()); err != nil {
		t.Error(err)
	}
}

// otherCard starts vsmartcard's card, which is not ours, in the slot.
func otherCard(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.Command("/usr/bin/python3", append([]string{"testdata/vicc.py"}, args...)...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v: apt-get install vsmartcard-vpicc python3-pycryptodome", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("vicc said:\n%s", said.String())
		}
	})
}

// Our driver refuses a card of somebody else's for what EMV does not allow in its answer to reset, and reads it once it has another one:
// its master file is selected, and it makes random numbers.
func TestReadsAnotherCard(t *testing.T) {
	if !debian(t) {
		return
	}
	for name, c := range map[string]struct {
		atr  string
		want error
	}{
		"its own answer to reset": {"", device.ErrMute},
		"one of EMV's, T=0":       {"3B600000", nil},
		"one of EMV's, T=1":       {"3BE000FF81317C4192", nil},
	} {
		t.Run(name, func(t *testing.T) {
			startPcscd(t, vpcdReader)
			otherCard(t, "--type", "iso7816", "--hostname", "localhost", "--port", "35963", "--atr", c.atr)
			r, err := Open(Config{Port: "Virtual PCD 00 00"})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = r.Close() }()
			p, err := r.Present(t.Context())
			if !errors.Is(err, c.want) {
				t.Fatal(err)
			}
			if c.want != nil {
				becomes(t, r, device.CardFailed, "not as EMV demands")
				return
			}
			if mf, err := p.Card.Transmit(t.Context(), []byte{0x00, 0xA4, 0x00, 0x0C, 0x02, 0x3F, 0x00}); err != nil || !bytes.Equal(mf, []byte{0x90, 0x00}) {
				t.Fatalf("SELECT of the master file: %X, %v", mf, err)
			}
			one, err := p.Card.Transmit(t.Context(), []byte{0x00, 0x84, 0x00, 0x00, 0x08})
			if err != nil || len(one) != 10 || !bytes.HasSuffix(one, []byte{0x90, 0x00}) {
				t.Fatalf("GET CHALLENGE: %X, %v", one, err)
			}
			two, err := p.Card.Transmit(t.Context(), []byte{0x00, 0x84, 0x00, 0x00, 0x08})
			if err != nil || bytes.Equal(one, two) {
				t.Errorf("GET CHALLENGE twice: %X, %X, %v", one, two, err)
			}
		})
	}
}

// script is one client's talk with a pcscd: a line for each answer.
type script struct {
	t     *testing.T
	c, d  *conn // two clients
	lines []string
}

func (s *script) note(what string, err error, more ...any) {
	line := what + ": "
	if err != nil {
		line += err.Error()
	} else {
		line += "ok"
	}
	s.lines = append(s.lines, line+fmt.Sprint(append([]any{" "}, more...)...))
}

// state notes the reader's state, once it has become what it will be: pcscd's own thread looks at slots every 0.4 s.
func (s *script) state(what string, in bool) readerState {
	var found readerState
	soon(s.t, "the reader is "+what, func() bool {
		all, err := s.c.states(s.t.Context())
		if err != nil || len(all) == 0 {
			s.t.Fatal(err)
		}
		found = all[0]
		return found.cardIn() == in
	})
	s.note(what, nil, fmt.Sprintf("%s events %d state %02X atr %X", found.name, found.events, found.bits, found.atr))
	return found
}

func (s *script) connect(what string, c *conn, share, protocols uint32) uint32 {
	h, err := c.connect(s.t.Context(), readerName, share, protocols)
	s.note(what, err)
	return h
}

func (s *script) reconnect(what string, c *conn, h, protocols, how uint32) {
	taken, err := c.reconnect(s.t.Context(), h, protocols, how)
	s.note(what, err, taken)
}

func (s *script) transmit(what string, c *conn, h, protocol uint32, apdu []byte) {
	answer, err := c.transmit(s.t.Context(), h, protocol, apdu)
	s.note(what, err, fmt.Sprintf("%X", answer))
}

func (s *script) disconnect(what string, c *conn, h, how uint32) {
	s.note(what, c.disconnect(s.t.Context(), h, how))
}

// play is the script: all that the driver does, and what else may happen to it.
func play(t *testing.T, socket string, insert func(atr []byte), remove func()) []string {
	ctx := t.Context()
	s := &script{t: t}
	for _, c := range []**conn{&s.c, &s.d} {
		var err error
		if *c, err = dial(ctx, socket); err != nil {
			t.Fatal(err)
		}
		defer (*c).close()
	}
	_, err := s.c.call(ctx, cmdVersion, words(4, 3, 0), nil, 8)
	s.note("version 4.3", err)
	t0, t1 := []byte{0x3B, 0x60, 0, 0}, []byte{0x3B, 0xE0, 0x00, 0xFF, 0x81, 0x31, 0x7C, 0x41, 0x92}
	s.state("empty", false)
	_, err = s.c.connect(ctx, "No such reader", shareExclusive, 3)
	s.note("another reader", err)
	s.connect("exclusive without a card", s.c, shareExclusive, 3)
	h := s.connect("direct without a card", s.c, shareDirect, 0)
	s.reconnect("reset without a card", s.c, h, 3, unpowerCard)
	s.disconnect("given back without a card", s.c, h, unpowerCard)

	insert(t0)
	s.state("T=0 card", true)
	h = s.connect("direct", s.c, shareDirect, 0)
	s.reconnect("T=1 of a T=0 card", s.c, h, protocolT1, unpowerCard)
	s.reconnect("cold", s.c, h, protocolT0, unpowerCard)
	s.transmit("case 1", s.c, h, protocolT0, []byte{0x80, 0x10, 0, 0, 0})
	s.transmit("case 2, wrong length", s.c, h, protocolT0, []byte{0, 0xB2, 1, 0x0C, 0})
	s.transmit("case 2", s.c, h, protocolT0, []byte{0, 0xB2, 1, 0x0C, 12})
	s.connect("exclusive beside it", s.d, shareExclusive, 3)
	s.connect("direct beside it", s.d, shareDirect, 0)
	s.reconnect("warm", s.c, h, 3, resetCard)
	s.transmit("after the warm reset", s.c, h, protocolT0, []byte{0, 0xB2, 1, 0x0C, 12})
	s.disconnect("power off", s.c, h, unpowerCard)
	s.state("without power", true)
	h = s.connect("exclusive", s.c, shareExclusive, 3)
	s.transmit("after the power", s.c, h, protocolT0, []byte{0, 0xB2, 1, 0x0C, 12})
	remove()
	s.state("removed", false)
	s.transmit("removed", s.c, h, protocolT0, []byte{0, 0xB2, 1, 0x0C, 12})
	s.reconnect("removed", s.c, h, 3, unpowerCard)
	insert(t1)
	s.state("T=1 card", true)
	s.transmit("another card", s.c, h, protocolT0, []byte{0, 0xB2, 1, 0x0C, 12})
	s.reconnect("another card", s.c, h, 3, unpowerCard)
	s.transmit("T=1", s.c, h, protocolT1, []byte{0, 0xB2, 1, 0x0C, 0})
	s.disconnect("left with power", s.c, h, leaveCard)
	s.state("with power", true)
	h = s.connect("shared", s.c, shareShared, 3)
	g := s.connect("shared, too", s.d, shareShared, 3)
	s.connect("exclusive beside shared", s.d, shareExclusive, 3)
	s.disconnect("one goes", s.d, g, leaveCard)
	s.transmit("shared", s.c, h, protocolT1, []byte{0, 0xB2, 1, 0x0C, 0})
	g = s.connect("direct beside shared", s.d, shareDirect, 0)
	s.reconnect("direct to exclusive beside shared", s.d, g, 3, unpowerCard)
	s.transmit("shared, after that", s.c, h, protocolT1, []byte{0, 0xB2, 1, 0x0C, 0})
	remove()
	s.state("empty again", false)
	return s.lines
}

// The virtual pcscd answers as Debian's does: one script, the same answers.
func TestVirtualPcscdIsLikePcscd(t *testing.T) {
	if !debian(t) {
		return
	}
	startPcscd(t, vpcdReader)
	var stop context.CancelFunc
	var plugged chan error
	want := play(t, Socket, func(atr []byte) {
		var ctx context.Context
		ctx, stop = context.WithCancel(t.Context())
		plugged = make(chan error, 1)
		var c emulator.Chip = chip{atr, atr, respond}
		if len(atr) == 4 {
			c = emulator.Bare(c)
		}
		go func() { plugged <- plugCard(ctx, c) }()
	}, func() {
		stop()
		if err := <-plugged; err != nil {
			t.Error(err)
		}
	})
	socket := filepath.Join(t.TempDir(), "pcscd.comm")
	server, err := pcscd.Listen(pcscd.Config{Socket: socket, Complain: func(line string) { t.Error(line) }})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Close() }()
	slot := server.AddReader(readerName)
	got := play(t, socket, func(atr []byte) { slot.Insert(chip{atr, atr, respond}) }, slot.Remove)
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Errorf("pcscd:   %s\n        virtual: %s", at(want, i), at(got, i))
		}
	}
	if len(want) < 30 {
		t.Errorf("only %d answers were compared", len(want))
	}
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "nothing"
}

// respond is a card with one record.
func respond(apdu []byte) []byte {
	if apdu[1] == 0xB2 {
		return append([]byte("twelve bytes"), 0x90, 0x00)
	}
	return []byte{0x63, 0x00}
}
