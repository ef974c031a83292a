//go:build linux

package host_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"tillway/host"
	"tillway/host/ledger"
	"tillway/iso8583"
	"tillway/store/crashrecorder"
)

// How many different states of the disk the crash test looks at, and which: `make crash` looks at 10000.
var (
	crashStates = flag.Int("crash.states", 150, "crash states to look at")
	crashSeed   = flag.Uint64("crash.seed", 20_261_123, "chooses them")
)

// answered is what a terminal was told, and what must be at the host from then on.
type answered struct {
	terminal string
	stan     string
	state    host.State
}

// crashBank is a host whose books lie in a folder, and what it has answered.
type crashBank struct {
	t    testing.TB
	mark func(any)

	mu   sync.Mutex // guards told, and keeps its order that of the marks
	told []answered
}

const crashTerminals = 4

// open starts the host of a folder.
func (b *crashBank) open(dir string) (*host.Host, *iso8583.Codec, error) {
	cfg := config(b.t)
	cfg.Terminals = nil
	for n := range crashTerminals {
		cfg.Terminals = append(cfg.Terminals, host.Terminal{ID: crashTerminal(n), Merchant: mid})
	}
	cfg.Books = func(records func(ledger.Record) error) (*ledger.Ledger, error) {
		return ledger.Open(b.t.Context(), filepath.Join(dir, "state", "host"), records)
	}
	h, err := host.New(cfg)
	return h, cfg.Codec, err
}

func crashTerminal(n int) string { return fmt.Sprintf("CRASH%03d", n) }

// tell promises an answer, behind it.
func (b *crashBank) tell(a answered) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.told = append(b.told, a)
	b.mark(len(b.told))
}

// work has a few terminals sell at the same time, so that they share commits; every third sale is reversed.
func (b *crashBank) work(dir string, from, sales int) {
	h, codec, err := b.open(dir)
	if err != nil {
		b.t.Fatal(err)
	}
	maker := &rig{t: b.t, h: h, codec: codec, atc: uint16(from * crashTerminals)}
	messages := make([][]*iso8583.Message, crashTerminals)
	for n := range messages {
		for i := range sales {
			m, _ := maker.sale(credit, from+i+1, 1_300+int64(i))
			m.Set(41, crashTerminal(n))
			messages[n] = append(messages[n], m)
		}
	}
	var all sync.WaitGroup
	for n, mine := range messages {
		all.Go(func() {
			r := &rig{t: b.t, h: h, codec: codec}
			for i, m := range mine {
				stan := fmt.Sprintf("%06d", from+i+1)
				if b.approves(h, codec, r.pack(m)) {
					b.tell(answered{crashTerminal(n), stan, host.Posted})
				}
				if i%3 == 2 && b.approves(h, codec, r.pack(reversal(m, credit))) {
					b.tell(answered{crashTerminal(n), stan, host.Reversed})
				}
			}
		})
	}
	all.Wait()
	if err := h.Close(); err != nil {
		b.t.Fatal(err)
	}
}

// approves says whether a message was answered with 00; here each has to be.
func (b *crashBank) approves(h *host.Host, codec *iso8583.Codec, frame []byte) bool {
	replies := h.Answer(frame)
	if len(replies) != 1 {
		b.t.Errorf("%d answers", len(replies))
		return false
	}
	a, err := codec.Unpack(replies[0].Frame)
	if err != nil {
		b.t.Error(err)
		return false
	}
	code, _ := a.Get(39)
	if code != "00" {
		b.t.Errorf("answered %s", code)
	}
	return code == "00"
}

// look opens a crash state and says what is wrong with it.
func (b *crashBank) look(dir string, marks int) (found []string) {
	say := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	h, _, err := b.open(dir)
	if err != nil {
		say("it does not start: %v", err)
		return found
	}
	defer func() {
		if err := h.Close(); err != nil {
			say("it does not end: %v", err)
		}
	}()
	at := map[answered]int{} // with the state left out: how many
	state := map[answered]host.State{}
	for _, p := range h.Ledger() {
		k := answered{terminal: p.Terminal, stan: p.STAN}
		if at[k]++; at[k] > 1 {
			say("%s of %s stands twice", p.STAN, p.Terminal)
		}
		state[k] = p.State
	}
	for _, a := range b.told[:marks] {
		got := state[answered{terminal: a.terminal, stan: a.stan}]
		if got != a.state && got != host.Reversed {
			say("%s of %s was answered as %s and is %q", a.stan, a.terminal, a.state, got)
		}
	}
	if got := balanced(h); got != "" {
		say("%s", got)
	}
	return found
}

// balanced says what is wrong with the books: their sum, and what each account lost against what is posted.
func balanced(h *host.Host) string {
	standing := int64(0)
	for _, p := range h.Ledger() {
		if p.State == host.Posted {
			standing += p.Amount.Minor
		}
	}
	for _, a := range h.Accounts() {
		standing -= a.Opening.Minor - a.Balance.Minor
	}
	if standing != 0 {
		return fmt.Sprintf("what is posted and what the accounts lost are %d fils apart", standing)
	}
	for _, trial := range h.Trial() {
		if trial.Off != 0 {
			return fmt.Sprintf("the trial balance is off by %d", trial.Off)
		}
	}
	return ""
}

func TestMain(m *testing.M) {
	crashrecorder.Serve()
	os.Exit(m.Run())
}

// crashed records a host at work and looks at crash states of its disk, until enough violations were found.
func crashed(t *testing.T, states, enough, sales int, deaf string) (violations []string) {
	t.Helper()
	dir := t.TempDir()
	r, err := crashrecorder.Mount(dir, deaf)
	if errors.Is(err, crashrecorder.ErrUnable) {
		t.Skipf("NOT CHECKED: what a power cut leaves of the host's books: %v (Linux with /dev/fuse, as root)", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer r.Drop()
	b := &crashBank{t: t, mark: r.Mark}
	b.work(dir, 0, sales)
	b.work(dir, sales, sales)
	recording, err := r.End()
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex // guards violations, looks and different
	looks, different := 0, 0
	queue := make(chan crashrecorder.State)
	var workers sync.WaitGroup
	base := inMemory(t)
	for n := range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for s := range queue {
				at := filepath.Join(base, fmt.Sprint(n))
				found := []string{}
				if err := errors.Join(os.Mkdir(at, 0o700), s.Write(at)); err != nil {
					found = append(found, err.Error())
				} else {
					found = append(found, b.look(at, s.Marks)...)
				}
				if err := os.RemoveAll(at); err != nil {
					found = append(found, err.Error())
				}
				mu.Lock()
				looks++
				if s.New {
					different++
				}
				for _, f := range found {
					violations = append(violations, fmt.Sprintf("power cut after operation %d (%s, %d answers): %s", s.After, s.Fate, s.Marks, f))
				}
				mu.Unlock()
			}
		})
	}
	for s := range recording.States(*crashSeed, states) {
		queue <- s
		mu.Lock()
		bad := len(violations)
		mu.Unlock()
		if bad >= enough {
			break
		}
	}
	close(queue)
	workers.Wait()
	if different < states && len(violations) == 0 {
		t.Errorf("%d different states, want %d", different, states)
	}
	t.Logf("%d operations, %d flushes, %d answers: %d crash states, %d looked at, %d violations",
		recording.Operations(), recording.Flushes(), len(b.told), different, looks, len(violations))
	return violations
}

// inMemory is a folder where flushes cost nothing: what is opened there was cut off before.
func inMemory(t *testing.T) string {
	t.Helper()
	if dir, err := os.MkdirTemp("/dev/shm", "tillway-crash"); err == nil { //nolint:usetesting // in memory, not where TMPDIR says
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		return dir
	}
	return t.TempDir()
}

// TestEveryPowerCut has a host answer four terminals at once, books on disk, and cuts the power everywhere. Each state starts;
// every answer that was given is in the books, none twice, and the books balance.
func TestEveryPowerCut(t *testing.T) {
	for i, v := range crashed(t, *crashStates, 20, 25, "") {
		if i == 20 {
			break
		}
		t.Error(v)
	}
}

// TestDeafDiskIsCaught is the control: under a disk that only says that it flushes the log, answers are lost, and found out.
func TestDeafDiskIsCaught(t *testing.T) {
	if len(crashed(t, 3000, 1, 3, "ledger.db-wal")) == 0 {
		t.Error("nobody noticed")
	}
}
