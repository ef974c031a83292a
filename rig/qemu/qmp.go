package qemu

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// ErrMonitor says that QEMU refused an order, or is no more.
var ErrMonitor = errors.New("QEMU's monitor")

// Monitor is QEMU's control socket (QEMU Machine Protocol). One order at a time.
type Monitor struct {
	conn    io.ReadWriteCloser
	answers chan answer
	events  chan string
	mu      sync.Mutex // one order at a time
}

type answer struct {
	Return json.RawMessage `json:"return"`
	Error  *struct {
		Class string `json:"class"`
		Desc  string `json:"desc"`
	} `json:"error"`
	Event string          `json:"event"`
	QMP   json.RawMessage `json:"QMP"`
}

// mostEvents is how many events are kept that nobody waits for; later ones are dropped.
const mostEvents = 256

// NewMonitor reads the greeting and leaves the mode in which only the capabilities may be asked.
func NewMonitor(conn io.ReadWriteCloser) (*Monitor, error) {
	m := &Monitor{conn: conn, answers: make(chan answer, 1), events: make(chan string, mostEvents)}
	go m.read()
	return m, m.Do("qmp_capabilities", nil)
}

func (m *Monitor) read() {
	defer close(m.answers)
	lines := bufio.NewScanner(m.conn)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var a answer
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			return
		}
		switch {
		case a.Event != "":
			select {
			case m.events <- a.Event:
			default:
			}
		case a.QMP == nil:
			m.answers <- a
		}
	}
}

// Do gives one order and waits for its answer. Error: ErrMonitor, in QEMU's words.
func (m *Monitor) Do(order string, arguments map[string]any) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	what := map[string]any{"execute": order}
	if arguments != nil {
		what["arguments"] = arguments
	}
	line, err := json.Marshal(what)
	if err != nil {
		return err
	}
	if _, err := m.conn.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrMonitor, order, err)
	}
	a, ok := <-m.answers
	switch {
	case !ok:
		return fmt.Errorf("%w: %s: it hung up", ErrMonitor, order)
	case a.Error != nil:
		return fmt.Errorf("%w: %s: %s", ErrMonitor, order, a.Error.Desc)
	}
	return nil
}

// Await waits for the next event of that name, such as DEVICE_DELETED. Error: ErrMonitor when the time is over.
func (m *Monitor) Await(event string, within time.Duration) error {
	timer := time.NewTimer(within)
	defer timer.Stop()
	for {
		select {
		case e := <-m.events:
			if e == event {
				return nil
			}
		case <-timer.C:
			return fmt.Errorf("%w: no %s within %v", ErrMonitor, event, within)
		}
	}
}

// addTries and addPause bound how long Add waits for what QEMU has not let go of: five seconds.
const (
	addTries = 50
	addPause = 100 * time.Millisecond
)

// Add plugs a device in (device_add). QEMU says that one is deleted before it has let go of its name and of its character device: then it is
// asked again. Error: ErrMonitor, as the last answer had it.
func (m *Monitor) Add(device map[string]any) (err error) {
	for range addTries {
		if err = m.Do("device_add", device); err == nil {
			return nil
		}
		time.Sleep(addPause)
	}
	return err
}

// Remove pulls a device out (device_del) and waits until QEMU says so. Error: ErrMonitor.
func (m *Monitor) Remove(id string) error {
	if err := m.Do("device_del", map[string]any{"id": id}); err != nil {
		return err
	}
	return m.Await("DEVICE_DELETED", removeWait)
}

// removeWait bounds Remove.
const removeWait = 5 * time.Second

// Close hangs up.
func (m *Monitor) Close() error { return m.conn.Close() }
