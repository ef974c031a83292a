package main

import (
	"context"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"tillway/device/emulator"
	"tillway/device/emulator/pcscd"
	"tillway/terminal"
)

// realPcscd is given by make test-pcsc, which has name spaces for it and installs what it needs.
var realPcscd = flag.Bool("pcscd", false, "sell through Debian's pcscd, too")

// aPcscd is a pcscd with one virtual reader, and the customer at it.
type aPcscd interface {
	insert(*emulator.Card)
	remove()
	stop()
	start()
}

// virtual is our own.
type virtual struct {
	t      *testing.T
	server *pcscd.Server
	slot   *pcscd.Slot
}

func (v virtual) insert(c *emulator.Card) { v.slot.Insert(c) }
func (v virtual) remove()                 { v.slot.Remove() }
func (v virtual) stop()                   { v.server.Stop() }

func (v virtual) start() {
	if err := v.server.Start(); err != nil {
		v.t.Error(err)
	}
}

// debians is Debian's, with vsmartcard's reader.
type debians struct {
	t      *testing.T
	config string
	cmd    *exec.Cmd
	card   *emulator.VPCD
}

const vpcdReader = `FRIENDLYNAME "Virtual PCD"
DEVICENAME /dev/null:0x8C7B
LIBPATH /usr/lib/pcsc/drivers/serial/libifdvpcd.so
CHANNELID 0x8C7B
`

func (d *debians) insert(c *emulator.Card) {
	if err := d.card.Insert(emulator.Bare(c)); err != nil {
		d.t.Error(err)
	}
}

func (d *debians) remove() {
	if err := d.card.Remove(); err != nil {
		d.t.Error(err)
	}
}

func (d *debians) stop() {
	_ = d.cmd.Process.Kill()
	_ = d.cmd.Wait()
}

func (d *debians) start() {
	_ = os.Remove("/run/pcscd/pcscd.pid")
	_ = os.Remove("/run/pcscd/pcscd.comm")
	d.cmd = exec.Command("pcscd", "--foreground", "--config", d.config)
	if err := d.cmd.Start(); err != nil {
		d.t.Fatalf("%v: apt-get install pcscd vsmartcard-vpcd", err)
	}
}

// sellsThrough has the real posd sell with driver = "pcsc": what the bank approves and what it declines, a card that is pulled in the middle,
// and a pcscd that ends and comes back.
func sellsThrough(t *testing.T, p aPcscd, socket string) {
	programs, err := built()
	if err != nil {
		t.Fatal(err)
	}
	w, err := stage(t.Context(), programs, t.TempDir(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.end)
	text, err := os.ReadFile(w.config)
	if err != nil {
		t.Fatal(err)
	}
	reader := "driver = \"pcsc\"\nport = \"virtual pcd 00 00\"\nsocket = \"" + socket + "\""
	text = []byte(strings.Replace(string(text), `port = "reader"`, reader, 1))
	if err := os.WriteFile(w.config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, start := range []func(context.Context) error{w.startHost, w.startTerminal, w.loadKeys} {
		if err := start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	profile, err := emulator.Ready("credit")
	if err != nil {
		t.Fatal(err)
	}
	card := emulator.NewCard(profile)
	sell := func(amount string, want int) {
		t.Helper()
		p.insert(card)
		printed, status, err := w.cashier(t.Context(), "sale", amount)
		if err != nil || status != want {
			t.Fatalf("pos sale %s ended with %d, want %d: %v\n%s", amount, status, want, err, printed)
		}
		p.remove()
		if err := w.settled(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	sell("10.525", 0)
	sell("10.051", 1)
	sell("3.100", 0)
	p.stop()
	if err := w.await(t.Context(), "the terminal says that pcscd has gone", func(ctx context.Context) bool {
		s, err := w.status(ctx)
		return err == nil && !s.Reader.OK && strings.Contains(s.Reader.Cause, "systemctl start pcscd.socket")
	}); err != nil {
		t.Fatal(err)
	}
	p.start()
	sell("4.200", 0)
	pulled, err := emulator.Ready("pulled") // leaves in place of its second cryptogram
	if err != nil {
		t.Fatal(err)
	}
	card = emulator.NewCard(pulled)
	sell("5.000", 5)
	sales, err := w.sales(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	count := map[terminal.State]int{}
	for _, s := range sales {
		count[s.State]++
	}
	if count[terminal.Approved] != 3 || count[terminal.Declined] != 1 || count[terminal.Reversed] != 1 || len(sales) != 5 {
		t.Errorf("sales %v", count)
	}
}

func TestSellsThroughPcscd(t *testing.T) {
	t.Run("virtual", func(t *testing.T) {
		socket := filepath.Join(t.TempDir(), "pcscd.comm")
		server, err := pcscd.Listen(pcscd.Config{Socket: socket, Complain: func(line string) { t.Error(line) }})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = server.Close() })
		sellsThrough(t, virtual{t, server, server.AddReader("Virtual PCD 00 00")}, socket)
	})
	t.Run("Debian's", func(t *testing.T) {
		if !*realPcscd {
			t.Log("NOT CHECKED with Debian's pcscd: make test-pcsc does that")
			return
		}
		d := &debians{t: t, config: t.TempDir(), card: emulator.StartVPCD(emulator.VPCDConfig{Address: "127.0.0.1:35963"})}
		t.Cleanup(func() { _ = d.card.Close() })
		if err := os.WriteFile(filepath.Join(d.config, "reader"), []byte(vpcdReader), 0o600); err != nil {
			t.Fatal(err)
		}
		d.start()
		t.Cleanup(d.stop)
		sellsThrough(t, d, "/run/pcscd/pcscd.comm")
	})
}
