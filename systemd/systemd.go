// Package systemd tells a service manager how a daemon is: ready, stopping, a sentence of status, and that it is alive. It is the
// sending half of sd_notify(3) and no more: no D-Bus, no journal, no activation. One datagram a word, to the socket that the manager
// names; a daemon that runs without a manager says nothing.
//
// Sources: systemd's sd_notify(3), sd_watchdog_enabled(3), systemd.service(5).
package systemd

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// A Notifier speaks to the service manager. The zero value has none, and does nothing. Its methods may be called from any goroutine; they
// never block for long: a manager that does not read loses the word.
type Notifier struct {
	conn     *net.UnixConn
	watchdog time.Duration
}

// sendWithin bounds a word to a manager that does not read.
const sendWithin = time.Second

// maxStatus is the longest sentence of status, in bytes.
const maxStatus = 200

// Open reads what the manager put into the environment: lookup is os.Getenv, pid this process's. Without NOTIFY_SOCKET the Notifier does
// nothing. Close it when the daemon ends. Errors: a socket that cannot be reached, and a watchdog's time that is none.
func Open(lookup func(string) string, pid int) (*Notifier, error) {
	path := lookup("NOTIFY_SOCKET")
	if path == "" {
		return &Notifier{}, nil
	}
	if path[0] != '/' && path[0] != '@' { // vsock and the like are for virtual machines
		return &Notifier{}, fmt.Errorf("NOTIFY_SOCKET %q: neither a path nor an abstract name", path)
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"}) // a name that begins with @ is abstract
	if err != nil {
		return &Notifier{}, fmt.Errorf("NOTIFY_SOCKET: %w", err)
	}
	n := &Notifier{conn: conn}
	if n.watchdog, err = watchdog(lookup, pid); err != nil {
		return n, err
	}
	return n, nil
}

// watchdog is the time within which the manager wants to hear of life; 0: it does not.
func watchdog(lookup func(string) string, pid int) (time.Duration, error) {
	text := lookup("WATCHDOG_USEC")
	if text == "" || lookup("WATCHDOG_PID") != "" && lookup("WATCHDOG_PID") != strconv.Itoa(pid) {
		return 0, nil
	}
	us, err := strconv.ParseInt(text, 10, 64)
	if err != nil || us <= 0 || us > int64(24*time.Hour/time.Microsecond) {
		return 0, fmt.Errorf("WATCHDOG_USEC %q: a number of microseconds, a day at most", text)
	}
	return time.Duration(us) * time.Microsecond, nil
}

// Watched is the time within which the manager wants to hear of life, else it ends the daemon; 0: it does not watch.
func (n *Notifier) Watched() time.Duration { return n.watchdog }

// Ready says that the doors are open, and how the daemon is.
func (n *Notifier) Ready(status string) error { return n.say("READY=1\nSTATUS=" + line(status)) }

// Status says in one sentence how the daemon is. Nothing of a card or a person belongs into it: everybody on the machine can read it.
func (n *Notifier) Status(status string) error { return n.say("STATUS=" + line(status)) }

// Stopping says that the daemon is ending, and may take until within for it.
func (n *Notifier) Stopping(status string, within time.Duration) error {
	return n.say("STOPPING=1\nSTATUS=" + line(status) + "\nEXTEND_TIMEOUT_USEC=" + strconv.FormatInt(within.Microseconds(), 10))
}

// Starting asks for more time before Ready.
func (n *Notifier) Starting(status string, within time.Duration) error {
	return n.say("STATUS=" + line(status) + "\nEXTEND_TIMEOUT_USEC=" + strconv.FormatInt(within.Microseconds(), 10))
}

// Alive is a sign of life.
func (n *Notifier) Alive() error { return n.say("WATCHDOG=1") }

// Close ends it; the manager hears nothing of it.
func (n *Notifier) Close() error {
	if n.conn == nil {
		return nil
	}
	return n.conn.Close()
}

func (n *Notifier) say(words string) error {
	if n.conn == nil {
		return nil
	}
	if err := n.conn.SetWriteDeadline(time.Now().Add(sendWithin)); err != nil { //nolint:forbidigo // a socket's deadline decides nothing
		return fmt.Errorf("service manager: %w", err)
	}
	if _, err := n.conn.Write([]byte(words)); err != nil {
		return fmt.Errorf("service manager: %w", err)
	}
	return nil
}

// line is a text that cannot end its line, and so cannot say another word.
func line(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7F {
			return ' '
		}
		return r
	}, text)
	if len(text) > maxStatus {
		text = strings.ToValidUTF8(text[:maxStatus], "")
	}
	return text
}
