package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"tillway/device"
	"tillway/device/emulator"
	"tillway/device/secure"
	"tillway/device/transcript"
	"tillway/emv"
	"tillway/host"
	"tillway/iso8583"
	"tillway/iso8583/dialect/nac"
	"tillway/money"
	"tillway/store"
	"tillway/store/flushcount"
	"tillway/terminal"
	"tillway/terminal/profile"
)

// quick is a reader with the emulator's credit card always in, and no delay anywhere.
type quick struct{ card *emulator.Card }

func (quick) Name() string                       { return "quick" }
func (quick) Status() device.Status              { return device.Status{Condition: device.CardIn} }
func (quick) AwaitRemoval(context.Context) error { return nil }
func (quick) Release(context.Context) error      { return nil }
func (quick) Close() error                       { return nil }

func (q quick) Present(context.Context) (device.Presented, error) {
	q.card.Reset()
	return device.Presented{Technology: device.Contact, ATR: q.card.ATR(), Card: q}, nil
}

func (q quick) Transmit(_ context.Context, command []byte) ([]byte, error) {
	return q.card.Transmit(command), nil
}

// quickTerminal is a terminal on a real disk, with card and host in the same process and without delay.
func quickTerminal(tb testing.TB) (*stack, *store.Store) {
	tb.Helper()
	return quickWith(tb, "credit", nil, answerAll)
}

// quickWith is that with another card, with keys where a keypad is given, and with whatever stands between terminal and host.
func quickWith(tb testing.TB, card string, pad secure.Keypad, far func(net.Conn, *host.Host)) (*stack, *store.Store) {
	tb.Helper()
	if pad == nil {
		return quickSecured(tb, card, far, nil)
	}
	return quickSecured(tb, card, far, func(a *acquirerConfig, h *host.Config) (module, error) {
		simSecurity(h)
		a.NAC.MAC = "alg3"
		return simModule(tb.Context(), tb.TempDir(), a.Name, pad)
	})
}

// quickSecured lets secured say how terminal and host secure their messages, and make the terminal's module; nil: not at all.
func quickSecured(
	tb testing.TB, card string, far func(net.Conn, *host.Host), secured func(*acquirerConfig, *host.Config) (module, error),
	otherwise ...func(*parts),
) (*stack, *store.Store) {
	tb.Helper()
	log := slog.New(slog.DiscardHandler)
	d, err := openDisk(tb.Context(), tb.TempDir(), log)
	if err != nil {
		tb.Fatal(err)
	}
	inserted, err := emulator.Ready(card)
	if err != nil {
		tb.Fatal(err)
	}
	p, err := profile.Ready("kuwait")
	if err != nil {
		tb.Fatal(err)
	}
	a := defaults().Acquirer
	a.NAC.TPDU, a.NAC.NII = "6000030000", "003"
	var keys module
	var change []func(*host.Config)
	if secured != nil {
		change = append(change, func(c *host.Config) {
			if keys, err = secured(&a, c); err != nil {
				return
			}
			c.Codec, err = hostCodec(a)
		})
	}
	codec, err := iso8583.Compile(nac.Table(nac.Settings{TPDU: a.NAC.TPDU, NII: a.NAC.NII}))
	if err != nil {
		tb.Fatal(err)
	}
	h, herr := newSimHost(codec, rand.New(rand.NewPCG(1, 1)), time.Now, change...)
	if err = errors.Join(err, herr); err != nil {
		tb.Fatal(err)
	}
	if c, ok := keys.(io.Closer); ok {
		tb.Cleanup(func() {
			if err := c.Close(); err != nil {
				tb.Error(err)
			}
		})
	}
	kept, err := newTranscripts(filepath.Join(tb.TempDir(), "transcripts"), 50, true, slog.New(slog.NewTextHandler(tb.Output(), nil)))
	if err != nil {
		tb.Fatal(err)
	}
	made := parts{
		transcripts: kept, profileText: transcript.Profile{Name: p.Name},
		profile: p, acquirer: a, reader: quick{emulator.NewCard(inserted)}, journal: d.journal, sales: d.sales, traces: d.traces,
		dial: func(context.Context) (net.Conn, error) {
			near, there := net.Pipe()
			go far(there, h)
			return near, nil
		},
		clock: time.Now, random: readerFunc(func(b []byte) (int, error) { return copy(b, "\x12\x34\x56\x78"), nil }),
		log: log, cardTalk: time.Minute, module: keys,
	}
	for _, change := range otherwise {
		change(&made)
	}
	s, err := assemble(tb.Context(), made)
	if err != nil {
		tb.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- s.run(ctx) }()
	tb.Cleanup(func() {
		stop()
		if err := <-ran; err != nil {
			tb.Error(err)
		}
		if err := d.close(); err != nil {
			tb.Error(err)
		}
	})
	return s, d.journal
}

// answerAll is a host without network: it ends when the terminal closes its end.
func answerAll(c net.Conn, h *host.Host) {
	defer func() { _ = c.Close() }()
	head := make([]byte, 2)
	for {
		if _, err := io.ReadFull(c, head); err != nil {
			return
		}
		frame := make([]byte, binary.BigEndian.Uint16(head))
		if _, err := io.ReadFull(c, frame); err != nil {
			return
		}
		for _, r := range h.Answer(frame) {
			if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(r.Frame))), r.Frame...)); err != nil {
				return
			}
		}
	}
}

func sellOne(tb testing.TB, s *stack, minor int64) terminal.Sale {
	tb.Helper()
	kwd, _ := money.ByCode("KWD")
	sale, err := s.lane.Start(tb.Context(), terminal.Order{Kind: terminal.KindSale, Amount: money.New(minor, kwd)})
	if err != nil {
		tb.Fatal(err)
	}
	sale, err = watch(tb.Context(), s.lane, sale.ID)
	if err != nil {
		tb.Fatal(err)
	}
	if sale.State != terminal.Approved {
		tb.Fatalf("sale %s: %s, %+v", sale.ID, sale.State, sale.Outcome)
	}
	return sale
}

// TestOnlineSaleFlushesTwice counts what the operating system is asked to put on disk between the cashier's order and
// "approved": once before the request leaves, once before the answer is shown. The counters lease outside that path.
func TestOnlineSaleFlushesTwice(t *testing.T) {
	s, _ := quickTerminal(t)
	sellOne(t, s, 1000) // the first sale opens the batch, with its key
	for range 5 {
		before := flushcount.Read()
		sellOne(t, s, 1000)
		if n := flushcount.Read() - before; n != 2 {
			t.Errorf("an online sale asked for %d flushes, 2 are needed", n)
		}
	}
}

// always is a keypad at which the right PIN is typed each time, at once.
type always struct{}

func (always) Open(context.Context, secure.Prompt) (secure.Keystrokes, error) {
	return &typing{simPIN + string(secure.KeyEnter)}, nil
}

type typing struct{ text string }

func (t *typing) Key(context.Context) (byte, error) {
	key := t.text[0]
	t.text = t.text[1:]
	return key, nil
}

func (t *typing) Close(secure.PINStatus) error { return nil }

// TestSecuredSaleFlushesTwice: PIN and MAC add no flush to a sale; keys are derived ahead, between sales.
func TestSecuredSaleFlushesTwice(t *testing.T) {
	s, _ := quickWith(t, "debit", always{}, answerAll)
	sellOne(t, s, 1000)
	for range 5 {
		before := flushcount.Read()
		if sale := sellOne(t, s, 1000); sale.Method != emv.OnlinePIN {
			t.Errorf("verified by %q", sale.Method)
		}
		if n := flushcount.Read() - before; n != 2 {
			t.Errorf("a sale with PIN and MAC asked for %d flushes, 2 are needed", n)
		}
	}
}

// BenchmarkSecuredSale is BenchmarkSale with an online PIN and a MAC each way; keys are derived in between, which counts.
func BenchmarkSecuredSale(b *testing.B) {
	s, _ := quickWith(b, "debit", always{}, answerAll)
	sellOne(b, s, 1000)
	cpu := cpuTime(b)
	b.ResetTimer()
	for range b.N {
		sellOne(b, s, 1000)
	}
	b.StopTimer()
	b.ReportMetric(float64((cpuTime(b)-cpu).Microseconds())/float64(b.N), "cpu-us/sale")
}

// BenchmarkSale is one online sale from order to "approved", with a real journal and no delay in card and host: wall
// time as ns/op; cpu-us is this process's whole CPU time per sale, card and host included.
func BenchmarkSale(b *testing.B) {
	s, _ := quickTerminal(b)
	sellOne(b, s, 1000)
	flushes, cpu := flushcount.Read(), cpuTime(b)
	b.ResetTimer()
	for range b.N {
		sellOne(b, s, 1000)
	}
	b.StopTimer()
	b.ReportMetric(float64(flushcount.Read()-flushes)/float64(b.N), "flushes/sale")
	b.ReportMetric(float64((cpuTime(b)-cpu).Microseconds())/float64(b.N), "cpu-us/sale")
}

func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkStart is the daemon as it is shipped, from exec to its ready line, with a journal that is there already; and
// its resident memory then.
func BenchmarkStart(b *testing.B) {
	_, program, config := shipped(b)
	startOnce(b, program, config) // makes the journal
	var resident float64
	b.ResetTimer()
	for range b.N {
		resident = startOnce(b, program, config)
	}
	b.ReportMetric(resident, "resident-kB")
}

// shipped is the daemon as it is shipped, in a folder of its own, with a configuration.
func shipped(b *testing.B) (dir, program, config string) {
	b.Helper()
	dir = b.TempDir()
	program = filepath.Join(dir, "posd")
	if out, err := exec.CommandContext(b.Context(), "go", "build", "-buildvcs=false", "-o", program, ".").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	config = filepath.Join(dir, "posd.toml")
	if err := os.WriteFile(config, []byte(benchConfig(b, dir)), 0o600); err != nil {
		b.Fatal(err)
	}
	return dir, program, config
}

// startOnce starts it, waits for its ready line and ends it.
func startOnce(b *testing.B, program, config string) (residentKB float64) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 10*time.Second)
	defer cancel()
	c := exec.CommandContext(ctx, program, "--config", config)
	out, err := c.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := c.Start(); err != nil {
		b.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "posd ready") {
		b.Errorf("%q, %v", line, err)
	}
	b.StopTimer()
	defer b.StartTimer()
	residentKB = residentOf(b, c.Process.Pid)
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		b.Error(err)
	}
	if _, err := io.Copy(io.Discard, out); err != nil {
		b.Error(err)
	}
	if err := c.Wait(); err != nil {
		b.Error(err)
	}
	return residentKB
}

// residentOf is a process's resident memory in kilobytes.
func residentOf(b *testing.B, pid int) (residentKB float64) {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Error(err)
	}
	for l := range strings.Lines(string(status)) {
		if f := strings.Fields(l); len(f) > 1 && f[0] == "VmRSS:" {
			residentKB, _ = strconv.ParseFloat(f[1], 64)
		}
	}
	return residentKB
}

// benchConfig is a config whose host answers nobody and whose reader is not plugged in: neither keeps the daemon from
// being ready.
func benchConfig(tb testing.TB, dir string) string {
	tb.Helper()
	s := httptest.NewTLSServer(http.NotFoundHandler())
	defer s.Close()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(filepath.Join(dir, "ca.pem"), ca, 0o600); err != nil {
		tb.Fatal(err)
	}
	return `
development = true
[keys]
separate = false
[log]
level = "error"
[reader]
port = "no-reader"
[screen]
listen = "127.0.0.1:0"
[acquirer]
address = "127.0.0.1:1"
ca = "ca.pem"
[acquirer.nac]
tpdu = "6000030000"
nii = "003"
`
}
