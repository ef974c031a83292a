package pcsc

import (
	"bytes"
	"context"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tillway/device"
	"tillway/device/devicetest"
	"tillway/device/emulator"
)

// realPcscd is given by make test-pcsc, which runs these tests as root in name spaces of their own: vpcd listens on every address, and
// pcscd has one place for its socket.
var realPcscd = flag.Bool("pcscd", false, "test against Debian's pcscd, libccid, vsmartcard and opensc, which have to be there")

// debian says that a test needs Debian's programs, or that it is not run without them.
func debian(t *testing.T) bool {
	t.Helper()
	if !*realPcscd {
		t.Log("NOT CHECKED against Debian's pcscd: make test-pcsc does that")
	}
	return *realPcscd
}

// daemon is a running pcscd of Debian's.
type daemon struct {
	t      testing.TB
	config string
	cmd    *exec.Cmd
	said   bytes.Buffer // read once it has ended
}

const vpcdReader = `FRIENDLYNAME "Virtual PCD"
DEVICENAME /dev/null:0x8C7B
LIBPATH /usr/lib/pcsc/drivers/serial/libifdvpcd.so
CHANNELID 0x8C7B
`

// startPcscd starts pcscd with one reader, described as in /etc/reader.conf.d. It ends with the test.
func startPcscd(t testing.TB, reader string) *daemon {
	t.Helper()
	d := &daemon{t: t, config: t.TempDir()}
	if err := os.WriteFile(filepath.Join(d.config, "reader"), []byte(reader), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		d.kill()
		if t.Failed() {
			t.Logf("pcscd said:\n%s", d.said.Bytes()[max(0, d.said.Len()-3000):])
		}
	})
	d.start()
	return d
}

func (d *daemon) start() {
	d.t.Helper()
	_ = os.Remove("/run/pcscd/pcscd.pid")
	_ = os.Remove(Socket)
	d.cmd = exec.Command("pcscd", "--foreground", "--info", "--config", d.config)
	d.cmd.Stdout, d.cmd.Stderr = &d.said, &d.said
	if err := d.cmd.Start(); err != nil {
		d.t.Fatalf("%v: apt-get install pcscd", err)
	}
	soon(d.t, "pcscd takes connections", func() bool {
		c, err := dial(d.t.Context(), Socket)
		if err != nil {
			return false
		}
		defer c.close()
		all, err := c.states(d.t.Context())
		return err == nil && len(all) > 0
	})
}

func (d *daemon) kill() {
	if d.cmd != nil {
		_ = d.cmd.Process.Kill()
		_ = d.cmd.Wait()
		d.cmd = nil
	}
}

// soon waits for something that another program does.
func soon(t testing.TB, what string, so func() bool) {
	t.Helper()
	for range 600 {
		if so() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("waited in vain until %s", what)
}

// vpcdPeer is the suite's card in the virtual reader of Debian's pcscd.
type vpcdPeer struct {
	t    testing.TB
	d    *daemon
	chip emulator.Chip
	stop context.CancelFunc
	gone sync.WaitGroup

	mu       sync.Mutex
	faults   map[int]devicetest.Fault
	exchange int
	left     bool
}

func newVPCDPeer(t *testing.T) *vpcdPeer {
	p := &vpcdPeer{t: t, d: startPcscd(t, vpcdReader), faults: map[int]devicetest.Fault{}}
	t.Cleanup(p.Remove)
	return p
}

// faulty is the card with the peer's faults: the answer to reset is exchange 0.
type faulty struct {
	chip
	p *vpcdPeer
}

func (f faulty) due(exchange int) devicetest.Fault {
	due := f.p.faults[exchange]
	delete(f.p.faults, exchange)
	return due
}

func (f faulty) ATR() []byte     { return f.answer(f.chip.ATR()) }
func (f faulty) WarmATR() []byte { return f.answer(f.chip.WarmATR()) }

func (f faulty) answer(atr []byte) []byte {
	f.p.mu.Lock()
	defer f.p.mu.Unlock()
	if f.p.exchange == 0 {
		f.p.exchange = 1
		due := f.due(0)
		f.p.left = due == devicetest.Removed
		if f.p.left || due == devicetest.Mute {
			return nil
		}
	}
	return atr
}

func (f faulty) Transmit(apdu []byte) []byte {
	f.p.mu.Lock()
	defer f.p.mu.Unlock()
	due := f.due(f.p.exchange)
	f.p.exchange++
	switch due { //nolint:exhaustive // Limits has the others
	case devicetest.Mute:
		return nil
	case devicetest.Lost:
		f.chip.Transmit(apdu)
		time.Sleep(100 * time.Millisecond) // the patience of a reader's driver
		return nil
	case devicetest.Slow:
		time.Sleep(100 * time.Millisecond)
	case devicetest.Removed:
		f.p.left = true
		return nil
	case devicetest.Unplugged:
		_ = f.p.d.cmd.Process.Kill()
		return nil
	}
	return f.chip.Transmit(apdu)
}

func (f faulty) Left() bool { return f.p.left }

func (p *vpcdPeer) Insert(atr []byte, answer func([]byte) []byte) { p.InsertWarm(atr, atr, answer) }

func (p *vpcdPeer) InsertWarm(cold, warm []byte, answer func([]byte) []byte) {
	p.takeOut()
	f := faulty{chip{cold, warm, answer}, p}
	p.mu.Lock()
	p.exchange, p.left = 0, false
	p.mu.Unlock()
	p.chip = atT0(f)
	if offersT1(cold, warm) {
		p.chip = f
	}
	if p.d.cmd != nil {
		p.plug()
	}
}

// offersT1 says which protocol the suite's card will be spoken to with: that of the first answer that EMV accepts.
func offersT1(answers ...[]byte) bool {
	return slices.ContainsFunc(answers, func(atr []byte) bool { return len(atr) > 5 && atr[4] == 0x81 })
}

// plug connects the card to vpcd, and waits until pcscd has seen it.
func (p *vpcdPeer) plug() {
	ctx, stop := context.WithCancel(context.Background())
	p.stop = stop
	p.gone.Go(func() { _ = plugCard(ctx, p.chip) })
	p.seen(true)
}

// seen waits until pcscd knows of a card, or of none.
func (p *vpcdPeer) seen(in bool) {
	soon(p.t, "pcscd sees the card move", func() bool {
		p.mu.Lock()
		left := p.left
		p.mu.Unlock()
		c, err := dial(p.t.Context(), Socket)
		if err != nil {
			return p.t.Context().Err() != nil
		}
		defer c.close()
		all, err := c.states(p.t.Context())
		return err == nil && len(all) > 0 && (all[0].cardIn() == in || left)
	})
}

func (p *vpcdPeer) takeOut() {
	if p.stop == nil {
		return
	}
	p.stop()
	p.gone.Wait()
	p.stop = nil
	if p.d.cmd != nil {
		p.seen(false)
	}
}

func (p *vpcdPeer) Remove() {
	p.takeOut()
	p.chip = nil
	p.mu.Lock()
	clear(p.faults)
	p.mu.Unlock()
}

func (p *vpcdPeer) Fault(kind devicetest.Fault, exchange int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults[exchange] = kind
}

func (p *vpcdPeer) Unplug() { p.d.kill() }

func (p *vpcdPeer) Replug() {
	p.d.kill()
	if p.stop != nil {
		p.stop()
		p.gone.Wait()
		p.stop = nil
	}
	p.d.start()
	if p.chip != nil {
		p.plug()
	}
}

// Limits is what vpcd's wire does not have.
func (p *vpcdPeer) Limits() devicetest.Limits {
	const none = "vpcd carries whole answers over TCP: there is no line that could damage them"
	limits := devicetest.Limits{APDU: true, Faults: map[devicetest.Fault]string{}}
	for _, f := range []devicetest.Fault{
		devicetest.Stalled, devicetest.BadChecksum, devicetest.Parity, devicetest.ShortFrame, devicetest.Garbage, devicetest.Stale,
		devicetest.Refused, devicetest.Reset,
	} {
		limits.Faults[f] = none
	}
	return limits
}

// The suite against Debian's pcscd. pcscd sees a card up to 0.4 s late, and takes a second to start: make test-pcsc leaves out the
// thousand cards and the hundred unpluggings, which the virtual pcscd has.
func TestPcscdConformance(t *testing.T) {
	if !debian(t) {
		return
	}
	devicetest.Run(t, func(t *testing.T) (device.Reader, devicetest.Harness) {
		p := newVPCDPeer(t)
		return start(Config{Port: "Virtual PCD 00 00"}, times{retry: 100 * time.Millisecond, settle: usual.settle}), p
	})
}

// output is what one of Debian's programs prints, within ten seconds.
func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil && ctx.Err() == nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}
