package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tillway/device"
	"tillway/systemd"
	"tillway/terminal"
	"tillway/terminal/lane"
	"tillway/terminal/people"
	"tillway/terminal/profile"
)

// A stuck reader does not come back from a call, whatever its context says, until it is let go.
type stuck struct {
	device.Reader
	letGo chan struct{}
}

func (s stuck) AwaitRemoval(context.Context) error { <-s.letGo; return nil }

// mute is a dialect that has a message for nothing.
type mute struct{ lane.Dialect }

func (mute) Can() terminal.Abilities { return terminal.Abilities{} }

// words are what the service manager hears.
func words(t *testing.T) (*systemd.Notifier, func() string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	n, err := systemd.Open(func(name string) string {
		return map[string]string{"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "60000"}[name]
	}, os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	return n, func() string {
		b := make([]byte, 4096)
		if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		at, err := conn.Read(b)
		if err != nil {
			t.Fatal("the manager hears nothing")
		}
		return string(b[:at])
	}
}

// A haltingDisk is one whose commits can be made to hang.
type haltingDisk struct {
	*disk
	halt halting
}

// A watched terminal: a real lane on a reader that can get stuck, and a real journal.
func watched(t *testing.T, n *systemd.Notifier, log *bytes.Buffer) (v *vitals, wedgeLane, freeLane func(), journal haltingDisk) {
	t.Helper()
	halt := halting{halt: &atomic.Bool{}, came: make(chan struct{}, 1), free: make(chan struct{})}
	opened, err := openDiskWith(t.Context(), t.TempDir(), func(ctx context.Context, path string, first bool) (secureModule, error) {
		m, err := within(ctx, path, first)
		halt.secureModule = m
		return halt, err
	}, logger(defaults(), log))
	d := haltingDisk{opened, halt}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.close() })
	reader := stuck{letGo: make(chan struct{})}
	l := lane.New(lane.Config{Reader: reader, Owner: lane.NewOwner(lane.OwnerConfig{Dialect: mute{}}), Recovered: true, Clock: time.Now})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	refused := make(chan error, 1)
	free := false
	freeLane = func() {
		if !free {
			free = true
			close(reader.letGo)
			if err := <-refused; !errors.Is(err, terminal.ErrOrder) {
				t.Errorf("the order that it was given: %v", err)
			}
		}
	}
	wedgeLane = func() {
		go func() {
			_, err := l.Start(ctx, terminal.Order{}) // refused once the lane gets so far
			refused <- err
		}()
	}
	t.Cleanup(func() {
		if !free {
			close(reader.letGo)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	v = &vitals{
		manager: n, log: logger(defaults(), log), end: time.Second, status: func() string { return "as it is" },
		parts: []vital{
			{name: "lane", alive: func(ctx context.Context) error {
				ctx, done := context.WithTimeout(ctx, 20*time.Millisecond)
				defer done()
				return l.Alive(ctx, time.Minute)
			}},
			{name: "journal", alive: func(ctx context.Context) error {
				ctx, done := context.WithTimeout(ctx, 500*time.Millisecond)
				defer done()
				return d.journal.Alive(ctx)
			}},
		},
	}
	return v, wedgeLane, freeLane, d
}

// TestWedgedLane: a lane that is stuck in its reader misses its sign of life; before, and when it is free again, it gives it.
func TestWedgedLane(t *testing.T) {
	n, _ := words(t)
	v, wedge, free, _ := watched(t, n, &bytes.Buffer{})
	if !v.lives(t.Context()) {
		t.Fatal("a lane that waits for a card to be taken out is alive")
	}
	wedge()
	for v.lives(t.Context()) { // until the order has arrived
		time.Sleep(time.Millisecond)
	}
	if v.lives(t.Context()) {
		t.Error("it is wedged, and gives a sign")
	}
	v.parts[0].patience = time.Hour
	if !v.lives(t.Context()) {
		t.Error("within its patience it is not given up")
	}
	v.parts[0].patience = 0
	free()
	if !v.lives(t.Context()) {
		t.Error("it is free, and gives none")
	}
}

// halting is a module whose sealing does not come back until it is let go.
type halting struct {
	secureModule
	halt *atomic.Bool
	came chan struct{} // one is halted
	free chan struct{}
}

func (h halting) Seal(ctx context.Context, name string, associated, plain []byte) ([]byte, error) {
	if h.halt.Load() {
		h.came <- struct{}{}
		<-h.free
	}
	return h.secureModule.Seal(ctx, name, associated, plain)
}

// TestWedgedJournal: while a commit hangs, here in a secure module that does not answer, no sign is given.
func TestWedgedJournal(t *testing.T) {
	n, _ := words(t)
	var log bytes.Buffer
	v, _, _, d := watched(t, n, &log)
	if !v.lives(t.Context()) {
		t.Fatal("it is alive")
	}
	d.halt.halt.Store(true)
	commit := make(chan error, 1)
	go func() {
		commit <- d.journal.Audit(context.WithoutCancel(t.Context()), people.Entry{Time: time.Now(), Actor: people.Terminal, Event: people.EventKeys, Result: people.Done})
	}()
	<-d.halt.came
	d.halt.halt.Store(false)
	if v.lives(t.Context()) {
		t.Error("nothing can be written, and it gives a sign")
	}
	if !strings.Contains(log.String(), "no sign of life") || !strings.Contains(log.String(), "part=journal") {
		t.Errorf("the log says %s", log.String())
	}
	close(d.halt.free)
	if err := <-commit; err != nil {
		t.Error(err)
	}
	if !v.lives(t.Context()) {
		t.Error("it can be written again, and gives none")
	}
}

// TestVitalsAreTold: a sign and the status while it lives, no sign while the lane is wedged, and at the end that it ends.
func TestVitalsAreTold(t *testing.T) {
	n, hear := words(t)
	v, wedge, _, _ := watched(t, n, &bytes.Buffer{})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); v.run(ctx) }()
	signs, status := 0, 0
	for signs < 3 {
		switch said := hear(); said {
		case "WATCHDOG=1":
			signs++
		case "STATUS=as it is":
			status++
		default:
			t.Fatalf("it said %q", said)
		}
	}
	if status != 1 {
		t.Errorf("the status was said %d times", status)
	}
	wedge()
	<-time.After(100 * time.Millisecond) // what was said before
	stop()
	<-done
	for said := hear(); !strings.HasPrefix(said, "STOPPING=1"); said = hear() {
	}
}

// TestLongestWait: nothing that a sale rightly waits for is given up, and posd ends within what its unit gives it.
func TestLongestWait(t *testing.T) {
	for _, name := range []string{"kuwait"} {
		p, err := profile.Ready(name)
		if err != nil {
			t.Fatal(err)
		}
		d := p.Deadlines
		longest := longestWait(d, maxHosts)
		for what, wait := range map[string]time.Duration{"card": d.Card, "PIN": d.PIN, "signature": d.Signature, "talk": cardTalkLimit, "answer of each host": maxHosts * d.Answer} {
			if longest <= wait {
				t.Errorf("%s: %v is waited for rightly, and given up after %v", what, wait, longest)
			}
		}
		if stop := stopWithin(d); stop <= d.Answer+cardTalkLimit || stop > unitStop {
			t.Errorf("the end takes %v, and the unit gives it %v", stop, unitStop)
		}
	}
}

// unitStop is TimeoutStopSec of packaging/systemd/tillway-posd.service.
const unitStop = 150 * time.Second

// TestStatusOf: the sentence for systemctl status says what is wrong first, and nothing of the sale.
func TestStatusOf(t *testing.T) {
	well := terminal.Snapshot{State: terminal.Ready}
	well.Reader.OK, well.Host.OK = true, true
	for want, change := range map[string]func(*terminal.Snapshot){
		"Ready for sales":      func(*terminal.Snapshot) {},
		"A sale is under way":  func(s *terminal.Snapshot) { s.State = terminal.CardTalk },
		"No reader: unplugged": func(s *terminal.Snapshot) { s.Reader.OK, s.Reader.Cause = false, "unplugged" },
		"Ready; the host is not reached; 2 messages owed to the host": func(s *terminal.Snapshot) { s.Host.OK, s.Owed = false, 2 },
	} {
		s := well
		change(&s)
		if got := statusOf(s); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

var errNever = errors.New("never")

// TestSilentManager: a manager that is gone is logged, and no sale notices.
func TestSilentManager(t *testing.T) {
	n, _ := words(t)
	_ = n.Close()
	var log bytes.Buffer
	v := &vitals{manager: n, log: logger(defaults(), &log), status: func() string { return "x" }, parts: []vital{{name: "x", alive: func(context.Context) error { return errNever }}}}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	v.run(ctx)
	if !strings.Contains(log.String(), "is not told") {
		t.Errorf("the log says %s", log.String())
	}
}
