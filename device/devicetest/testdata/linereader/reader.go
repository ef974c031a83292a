// Package linereader is the example of docs/developers.md: the least that a reader driver is, for a reader that nobody makes. It
// passes the conformance suite, and no terminal carries it.
//
// The reader listens at a unix socket and speaks lines. By itself it says "slot N in" or "slot N out": N counts the cards. To
// "ID power N", "ID apdu N HEX" and "ID off" it answers "ID ok HEX", "ID mute" or "ID removed".
package linereader

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"tillway/device"
)

const (
	answersWithin = 300 * time.Millisecond
	redialEvery   = 5 * time.Millisecond
	maxLine       = 1024 // bytes: an answer of 258 bytes in hexadecimal digits, and its number
)

// Reader is one such reader.
type Reader struct {
	path   string
	life   context.Context // ends with Close
	end    context.CancelFunc
	exited chan struct{}

	mu      sync.Mutex // guards what follows
	conn    net.Conn   // nil while the reader is not there
	cause   string     // why it is not
	slot    string     // the card's number while one is in; else empty
	failed  bool       // that card is mute
	card    *card      // the one that has power
	last    int        // the number of the last order
	pending map[string]chan string
	changed chan struct{} // closed, and made anew, whenever one of these changes
}

var _ device.Reader = (*Reader)(nil)

// Open starts the driver; a reader that is not there is waited for.
func Open(path string) *Reader {
	r := &Reader{path: path, exited: make(chan struct{}), cause: "the reader at " + path + " was not found yet", pending: map[string]chan string{}, changed: make(chan struct{})}
	r.life, r.end = context.WithCancel(context.Background())
	go r.own()
	return r
}

// own is the driver's one goroutine: it dials, listens until the connection ends, and dials again.
func (r *Reader) own() {
	defer close(r.exited)
	for r.life.Err() == nil {
		var d net.Dialer
		conn, err := d.DialContext(r.life, "unix", r.path)
		if err == nil {
			stop := context.AfterFunc(r.life, func() { _ = conn.Close() })
			err = r.listen(conn)
			stop()
			_ = conn.Close()
		}
		r.change(func() {
			r.conn, r.slot, r.failed, r.card, r.cause = nil, "", false, nil, "no reader at "+r.path+": "+err.Error()
		})
		select {
		case <-time.After(redialEvery):
		case <-r.life.Done():
		}
	}
}

// listen takes what the reader says: news of its slot, and answers, which it hands to whoever waits for them. An answer that
// nobody waits for any more, and a line that is none, are dropped.
func (r *Reader) listen(conn net.Conn) error {
	lines := bufio.NewScanner(conn)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		word, rest, _ := strings.Cut(lines.Text(), " ")
		r.change(func() {
			number, how, _ := strings.Cut(rest, " ")
			switch {
			case word == "slot" && how == "in":
				r.conn, r.slot, r.failed = conn, number, false
			case word == "slot":
				r.conn, r.slot, r.failed = conn, "", false
			case r.pending[word] != nil:
				r.pending[word] <- rest // has room for one
				delete(r.pending, word)
			}
		})
	}
	return errors.Join(lines.Err(), errors.New("it hung up"))
}

func (r *Reader) change(do func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	do()
	close(r.changed)
	r.changed = make(chan struct{})
}

// Name tells a technician which reader this is.
func (r *Reader) Name() string { return "linereader " + r.path }

// Status is the last known condition.
func (r *Reader) Status() device.Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.conn == nil:
		return device.Status{Condition: device.Absent, Cause: r.cause}
	case r.failed:
		return device.Status{Condition: device.CardFailed, Cause: device.ErrMute.Error()}
	case r.slot != "":
		return device.Status{Condition: device.CardIn}
	}
	return device.Status{Condition: device.NoCard}
}

// await waits until something is so.
func (r *Reader) await(ctx context.Context, so func() bool) error {
	for {
		r.mu.Lock()
		ok, changed := so(), r.changed
		r.mu.Unlock()
		switch {
		case r.life.Err() != nil:
			return device.ErrClosed
		case ctx.Err() != nil:
			return ctx.Err()
		case ok:
			return nil
		}
		if err := device.Await(ctx, r.life, changed, nil); err != nil {
			return err
		}
	}
}

// order sends one order and waits for its answer. Errors: those of device.Card.
func (r *Reader) order(ctx context.Context, what string) (string, error) {
	answer := make(chan string, 1)
	r.mu.Lock()
	conn := r.conn
	r.last++
	id := fmt.Sprint(r.last)
	r.pending[id] = answer
	r.mu.Unlock()
	defer r.change(func() { delete(r.pending, id) })
	if conn == nil {
		return "", device.ErrUnplugged
	}
	if _, err := fmt.Fprintf(conn, "%s %s\n", id, what); err != nil {
		return "", fmt.Errorf("%w: %w", device.ErrUnplugged, err)
	}
	late := time.After(answersWithin)
	for {
		r.mu.Lock()
		gone, changed := r.conn != conn, r.changed
		r.mu.Unlock()
		select {
		case a := <-answer:
			return judge(a)
		default:
		}
		if gone {
			return "", device.ErrUnplugged
		}
		select {
		case a := <-answer:
			return judge(a)
		case <-late:
			return "", device.ErrTimeout
		case <-changed:
		case <-ctx.Done():
			return "", ctx.Err()
		case <-r.life.Done():
			return "", device.ErrClosed
		}
	}
}

// judge reads an answer.
func judge(answer string) (string, error) {
	switch word, rest, _ := strings.Cut(answer, " "); word {
	case "ok":
		return rest, nil
	case "mute":
		return "", device.ErrMute
	case "removed":
		return "", device.ErrRemoved
	}
	return "", device.ErrProtocol
}

// Present waits for a card and powers it. A card that is mute gets a second try.
func (r *Reader) Present(ctx context.Context) (device.Presented, error) {
	for try := 0; ; {
		if err := r.await(ctx, func() bool { return r.slot != "" }); err != nil {
			return device.Presented{}, err
		}
		r.mu.Lock()
		c := &card{reader: r, number: r.slot}
		r.card = nil
		r.mu.Unlock()
		text, err := r.order(ctx, "power "+c.number)
		atr, bad := hex.DecodeString(text)
		switch {
		case err == nil && bad == nil:
			r.change(func() { r.card, r.failed = c, false })
			return device.Presented{Technology: device.Contact, ATR: atr, Card: c}, nil
		case ctx.Err() != nil || errors.Is(err, device.ErrClosed):
			return device.Presented{}, err
		case errors.Is(err, device.ErrMute) && try == 0:
			try++
		case errors.Is(err, device.ErrMute):
			r.change(func() { r.failed = r.slot == c.number })
			return device.Presented{}, device.ErrMute
		case errors.Is(err, device.ErrRemoved): // its news are on their way
			_ = r.await(ctx, func() bool { return r.slot != c.number })
		}
	}
}

// AwaitRemoval waits for an empty slot.
func (r *Reader) AwaitRemoval(ctx context.Context) error {
	return r.await(ctx, func() bool { return r.slot == "" })
}

// Release takes the power off the card.
func (r *Reader) Release(ctx context.Context) error {
	r.mu.Lock()
	had := r.card != nil
	r.card = nil
	r.mu.Unlock()
	if r.life.Err() != nil {
		return device.ErrClosed
	}
	if had {
		if _, err := r.order(ctx, "off"); errors.Is(err, ctx.Err()) && err != nil {
			return err
		}
	}
	return nil
}

// Close ends the driver and waits for its goroutine.
func (r *Reader) Close() error {
	r.end()
	<-r.exited
	return nil
}

// A card is good until the first error, the next Present, or Release.
type card struct {
	reader *Reader
	number string
}

// Transmit sends one command.
func (c *card) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	n := len(command)
	if n < 4 || n > 5 && n != 5+int(command[4]) && n != 6+int(command[4]) {
		return nil, errors.New("this is no command of ISO/IEC 7816-4")
	}
	c.reader.mu.Lock()
	current, there := c.reader.card == c, c.reader.conn != nil
	c.reader.mu.Unlock()
	switch {
	case c.reader.life.Err() != nil:
		return nil, device.ErrClosed
	case !there:
		return nil, device.ErrUnplugged
	case !current:
		return nil, device.ErrRemoved
	}
	text, err := c.reader.order(ctx, fmt.Sprintf("apdu %s %X", c.number, command))
	response, bad := hex.DecodeString(text)
	if err == nil && (bad != nil || len(response) < 2) {
		err = device.ErrProtocol
	}
	if err != nil {
		c.reader.change(func() { c.reader.card = nil })
		return nil, err
	}
	return response, nil
}
