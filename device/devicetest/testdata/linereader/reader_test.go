package linereader

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"tillway/device"
	"tillway/device/devicetest"
)

// TestConformance is all that a driver's own tests have to begin with.
func TestConformance(t *testing.T) {
	devicetest.Run(t, func(t *testing.T) (device.Reader, devicetest.Harness) {
		h := &harness{t: t, path: filepath.Join(t.TempDir(), "reader"), faults: map[int]devicetest.Fault{}}
		h.Replug()
		t.Cleanup(h.Unplug)
		return Open(h.path), h
	})
}

// harness is the reader at the other end of the wire, which does what the suite says.
type harness struct {
	t       *testing.T
	path    string
	talking sync.WaitGroup

	mu     sync.Mutex // guards what follows
	socket net.Listener
	conns  []net.Conn
	number int  // of the card
	in     bool // a card is in
	power  bool // it has had its first reset
	atr    []byte
	answer func([]byte) []byte
	done   int // commands that it has carried out
	faults map[int]devicetest.Fault
}

func (h *harness) Limits() devicetest.Limits {
	const none = "a line of this wire is whole or is not there"
	return devicetest.Limits{
		APDU: true, Resets: "the reader resets its cards by itself",
		Faults: map[devicetest.Fault]string{
			devicetest.Slow: none, devicetest.Stalled: none, devicetest.BadChecksum: none, devicetest.Parity: none,
			devicetest.ShortFrame: none, devicetest.Refused: none, devicetest.Reset: none,
		},
	}
}

func (h *harness) Insert(atr []byte, answer func([]byte) []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.number, h.in, h.power, h.atr, h.answer, h.done = h.number+1, true, false, atr, answer, 0
	h.news()
}

func (h *harness) InsertWarm(cold, _ []byte, answer func([]byte) []byte) { h.Insert(cold, answer) }

func (h *harness) Remove() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.out()
}

func (h *harness) out() {
	if h.in {
		h.in, h.faults = false, map[int]devicetest.Fault{}
		h.news()
	}
}

func (h *harness) Fault(kind devicetest.Fault, exchange int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faults[exchange] = kind
}

func (h *harness) Unplug() {
	h.mu.Lock()
	h.gone()
	h.mu.Unlock()
	h.talking.Wait()
}

func (h *harness) gone() {
	if h.socket != nil {
		_ = h.socket.Close()
	}
	for _, c := range h.conns {
		_ = c.Close()
	}
	h.socket, h.conns = nil, nil
}

func (h *harness) Replug() {
	l, err := net.Listen("unix", h.path)
	if err != nil {
		h.t.Error(err)
		return
	}
	h.mu.Lock()
	h.socket = l
	h.mu.Unlock()
	h.talking.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			h.mu.Lock()
			if h.socket != l {
				_ = conn.Close()
			} else {
				h.conns = append(h.conns, conn)
				h.say(conn)
			}
			h.mu.Unlock()
			h.talking.Go(func() { h.serve(conn) })
		}
	})
}

// news tells everybody how the slot is.
func (h *harness) news() {
	for _, c := range h.conns {
		h.say(c)
	}
}

func (h *harness) say(conn net.Conn) {
	how := "out"
	if h.in {
		how = "in"
	}
	_, _ = fmt.Fprintf(conn, "slot %d %s\n", h.number, how)
}

func (h *harness) serve(conn net.Conn) {
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		words := strings.Fields(lines.Text())
		h.mu.Lock()
		if answer := h.carry(conn, words); answer != "" {
			_, _ = fmt.Fprintf(conn, "%s %s\n", words[0], answer)
		}
		h.mu.Unlock()
	}
}

// carry does one order and gives its answer; "" is none.
func (h *harness) carry(conn net.Conn, words []string) string {
	if words[1] == "off" {
		return "ok"
	}
	if !h.in || words[2] != fmt.Sprint(h.number) {
		return "removed"
	}
	exchange, ok := 0, !h.power
	if words[1] == "apdu" {
		h.done++
		exchange, ok = h.done, true
	}
	h.power = true
	kind, armed := h.faults[exchange]
	if armed = armed && ok; armed {
		delete(h.faults, exchange)
	}
	answer := "mute"
	if words[1] == "power" && h.atr != nil {
		answer = "ok " + hex.EncodeToString(h.atr)
	} else if words[1] == "apdu" {
		command, _ := hex.DecodeString(words[3])
		answer = "ok " + hex.EncodeToString(h.answer(command))
	}
	switch {
	case !armed:
	case kind == devicetest.Mute:
		return "mute"
	case kind == devicetest.Removed:
		h.out()
		return "removed"
	case kind == devicetest.Unplugged:
		h.gone()
		return ""
	case kind == devicetest.Lost:
		return ""
	case kind == devicetest.Garbage:
		_, _ = fmt.Fprintf(conn, "%%&$ 90 00\n")
	case kind == devicetest.Stale:
		_, _ = fmt.Fprintf(conn, "0 ok 6A82\n")
	}
	return answer
}
