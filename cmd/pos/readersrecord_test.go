package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"

	"tillway/device/ccid"
	"tillway/device/emulator"
	"tillway/device/emulator/usbreader"
	"tillway/device/emulator/virtualusb"
	"tillway/device/gempc"
	tapes "tillway/device/session"
)

// aTwin is an emulated reader with a card and a customer who takes it out when he may.
func aTwin(t *testing.T, card emulator.Chip) (link string) {
	t.Helper()
	link = filepath.Join(t.TempDir(), "reader")
	twin, err := emulator.StartGemPC(emulator.GemPCConfig{
		Link: link, Card: card, Hand: emulator.Hand{TakeOut: 20 * time.Millisecond, PutBack: time.Hour},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = twin.Close() })
	return link
}

func aCard(t *testing.T, name string) *emulator.Card {
	t.Helper()
	p, err := emulator.Ready(name)
	if err != nil {
		t.Fatal(err)
	}
	return emulator.NewCard(p)
}

// stranger is a card whose numbers are a real card's, as far as anybody can tell.
type stranger struct{ *emulator.Card }

func (s stranger) Transmit(apdu []byte) []byte {
	r := s.Card.Transmit(apdu)
	for _, from := range []string{"\x47\x61\x73\x90\x01\x01\x01\x19"} {
		r = bytes.ReplaceAll(r, []byte(from), []byte("\x47\x61\x73\x90\x99\x99\x99\x93"))
	}
	return r
}

// noDaemon is a machine on which no terminal runs.
func noDaemon(context.Context, string) (net.Conn, error) { return nil, os.ErrNotExist }

// A recording of each protocol is written, read, and played: the driver that it was made with gets through it as it did then.
func TestReadersRecord(t *testing.T) {
	for _, name := range []string{"credit", "debit", "oda-cda-1984"} {
		t.Run(name, func(t *testing.T) {
			link := aTwin(t, aCard(t, name))
			file := filepath.Join(t.TempDir(), "twin.session")
			var out, errs strings.Builder
			a := app{in: strings.NewReader(""), out: &out, errOut: &errs, env: func(string) string { return "" }, dial: noDaemon}
			if code := run(t.Context(), a, []string{"readers", "record", file, "--port", link}); code != exitDone {
				t.Fatalf("exit %d: %s", code, errs.String())
			}
			for _, says := range []string{"Insert a card", "Leave the card in", "Take the card out"} {
				if !strings.Contains(errs.String(), says) {
					t.Errorf("%q is not said", says)
				}
			}
			if !strings.Contains(out.String(), "card: test") {
				t.Error(out.String())
			}
			s := readTape(t, file)
			if !strings.Contains(s.Reader, "GemTwRC2") || s.Card != tapes.TestCard {
				t.Errorf("%+v", s.Head)
			}
			plays(t, s)
			if code := run(t.Context(), a, []string{"readers", "record", file, "--port", link}); code != exitUsage {
				t.Errorf("a file that is there: exit %d", code)
			}
		})
	}
}

// Of a card that is not known to be a test card no byte of the exchange is in the file, and it says so.
func TestReadersRecordMasks(t *testing.T) {
	link := aTwin(t, stranger{aCard(t, "credit")})
	file := filepath.Join(t.TempDir(), "masked.session")
	var out, errs strings.Builder
	a := app{in: strings.NewReader(""), out: &out, errOut: &errs, env: func(string) string { return "" }, dial: noDaemon}
	if code := run(t.Context(), a, []string{"readers", "record", file, "--port", link, "--json"}); code != exitDone {
		t.Fatalf("exit %d: %s", code, errs.String())
	}
	if !strings.Contains(out.String(), `"card":"masked"`) {
		t.Error(out.String())
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	bare := strings.NewReplacer(" ", "", "\n", "").Replace(string(text))
	for _, secret := range []string{"4761739099999993", "A0000000031010", "315041592E5359532E", "5F24", "9F4A"} {
		if strings.Contains(bare, secret) {
			t.Errorf("%s is in the file", secret)
		}
	}
	if !strings.Contains(bare, "47656D5477") || !strings.Contains(bare, "**") { // the firmware is told, as ever
		t.Error(string(text))
	}
	if _, err := tapes.NewPlayer(readTape(t, file)); !errors.Is(err, tapes.ErrSession) {
		t.Errorf("a masked session plays: %v", err)
	}
}

// A reader that is not there, a driver that there is not, and a terminal that runs: nothing is written, and what to do is said.
func TestReadersRecordRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "none.session")
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"no port":   {[]string{"--driver", "gempc"}, "--port"},
		"no reader": {[]string{"--port", "/dev/no-such-port", "--wait", "50ms"}, "is the cable in?"},
		"no driver": {[]string{"--driver", "pcsc"}, "gempc and usb"},
		"no card":   {[]string{"--port", aTwin(t, nil), "--wait", "300ms"}, "in time"},
		"two files": {[]string{"another"}, "FILE"},
	} {
		var out, errs strings.Builder
		a := app{in: strings.NewReader(""), out: &out, errOut: &errs, env: func(string) string { return "" }, dial: noDaemon}
		if code := run(t.Context(), a, append([]string{"readers", "record", file}, c.args...)); code == exitDone || !strings.Contains(errs.String(), c.says) {
			t.Errorf("%s: exit %d, %s", name, code, errs.String())
		}
		if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: a file was left: %v", name, err)
		}
	}
}

// A reader on USB is recorded too, message by message, and played to the part of the driver that is the same on every wire.
func TestReadersRecordUSB(t *testing.T) {
	bus := virtualusb.NewBus()
	far, err := usbreader.New(usbreader.Config{Level: usbreader.TPDU})
	if err != nil {
		t.Fatal(err)
	}
	plug := bus.Plug(far)
	defer plug.Unplug()
	f := recordFlags{driver: "usb", wait: 20 * time.Second, bus: bus}
	reader, rec, err := openTapped(f)
	if err != nil {
		t.Fatal(err)
	}
	far.Insert(aCard(t, "debit"))
	a := app{errOut: takesOut{far.Remove}}
	card, err := a.present(t.Context(), reader, f.wait)
	taken := rec.Session(tapes.Head{Driver: "usb", Reader: reader.Name(), Date: time.Unix(1, 0), Card: card})
	if err = errors.Join(err, reader.Close()); err != nil || card != tapes.TestCard {
		t.Fatalf("%q, %v", card, err)
	}
	s, err := tapes.Read(bytes.NewReader(taken.Text()))
	if err != nil {
		t.Fatal(err)
	}
	player, err := tapes.NewPlayer(s)
	if err != nil {
		t.Fatal(err)
	}
	again := ccid.NewReader(ccid.ReaderConfig{
		Driver: "played", Reopen: time.Second, Retry: time.Second, Silent: "it says nothing",
		Connect: func(context.Context) (*ccid.Connection, error) {
			return &ccid.Connection{
				Transport: &playing{t: t, player: player}, Poll: 20 * time.Millisecond, Close: func() error { return nil },
				Greet: func(context.Context, *ccid.Slot) (string, error) { return "", nil },
			}, nil
		},
	})
	card, err = (&app{errOut: io.Discard}).present(t.Context(), again, f.wait)
	if err = errors.Join(err, again.Close(), player.Done()); err != nil || card != s.Card {
		t.Errorf("played: %q, %v", card, err)
	}
}

// takesOut is a technician who does what he is told.
type takesOut struct{ remove func() }

func (w takesOut) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte("Take the card out")) {
		w.remove()
	}
	return len(b), nil
}

// playing is a session behind a driver's transport.
type playing struct {
	t      *testing.T
	player *tapes.Player
	in     []byte
}

func (p *playing) Send(_ context.Context, m ccid.Message) (err error) {
	if p.in, err = p.player.Hear(ccid.Append(nil, m)); err != nil {
		p.t.Error(err)
	}
	return err
}

func (p *playing) Receive(ctx context.Context) (ccid.Message, error) {
	switch {
	case len(p.in) == 0:
		<-ctx.Done()
		return ccid.Message{}, ctx.Err()
	case p.in[0] == ccid.NotifySlotChange:
		m := ccid.Message{Type: p.in[0], Params: [3]byte{p.in[1]}}
		p.in = p.in[2:]
		return m, nil
	}
	n := ccid.HeaderLength + int(binary.LittleEndian.Uint32(p.in[1:]))
	m, err := ccid.Parse(p.in[:n])
	p.in = p.in[n:]
	return m, err
}

// The sessions of testdata, whoever recorded them, are played to the driver of today.
func TestPlaysSessions(t *testing.T) {
	names, err := filepath.Glob("testdata/*.session")
	if err != nil || len(names) == 0 {
		t.Fatalf("%v, %v", names, err)
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) { plays(t, readTape(t, name)) })
	}
}

func readTape(t *testing.T, name string) tapes.Session {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	s, err := tapes.Read(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return s
}

// plays puts a session behind a serial port and has the driver go through it, as pos readers record did.
func plays(t *testing.T, s tapes.Session) {
	t.Helper()
	player, err := tapes.NewPlayer(s)
	if err != nil {
		t.Fatal(err)
	}
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	heard := make(chan error, 1)
	go func() { heard <- serve(master, player) }()
	reader, err := gempc.Open(gempc.Config{Port: slave.Name()})
	if err != nil {
		t.Fatal(err)
	}
	var errs strings.Builder
	a := app{errOut: &errs}
	card, err := a.present(t.Context(), reader, 20*time.Second)
	if err != nil || card != s.Card {
		t.Errorf("card %q, %v", card, err)
	}
	if err := errors.Join(reader.Close(), slave.Close()); err != nil {
		t.Error(err)
	}
	if err := <-heard; err != nil {
		t.Error(err)
	}
	if err := errors.Join(player.Done(), master.Close()); err != nil {
		t.Error(err)
	}
}

// serve is the reader's side of the port, until the driver's is closed.
func serve(master *os.File, player *tapes.Player) error {
	var in []byte
	for chunk := make([]byte, 4096); ; {
		n, err := master.Read(chunk)
		if err != nil {
			return nil //nolint:nilerr // EIO: the other side is closed
		}
		in = append(in, chunk[:n]...)
		for len(in) >= 13 && len(in) >= 13+int(in[3])+int(in[4])<<8 {
			whole := 13 + int(in[3]) + int(in[4])<<8
			back, err := player.Hear(in[:whole])
			if err != nil {
				return err
			}
			in = in[whole:]
			if _, err := master.Write(back); err != nil {
				return err
			}
		}
	}
}
