package secure

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// Dial is how Connect reaches a module that somebody else started.
type Dial struct {
	Path  string // of its socket
	Hello Hello  // First holds for the first connection alone

	// Open, where set, opens the socket in place of this process, for tests as somebody else.
	Open func(ctx context.Context) (net.Conn, error)

	// Peer, where set, looks at who is at the other end before a byte is sent; its error ends that try.
	Peer func(net.Conn) error

	// Event is told of every Event, and Lost and Found of connections that end and come again; all may be nil, and none may block.
	Event func(Event)
	Lost  func(error)
	Found func(program string)

	Patience time.Duration // how long a call waits for a module that is gone; more than 0
}

// The times of a connection.
const (
	helloWithin  = 5 * time.Second  // keyd may be closing the session before
	greetWithin  = 30 * time.Second // an unlock secret takes its time
	redialFirst  = 50 * time.Millisecond
	redialAtMost = time.Second
)

// A Remote is a module at a named socket that is a service of its own: when it ends it is waited for, and when it is there again it is
// spoken to again. What was under way when it ended fails with ErrGone, but for what may be asked twice. A lease ends with its connection: its
// number is drawn at random, and the next session knows none of them (ErrLease). Components that were entered in part are gone too. Safe for concurrent use.
type Remote struct {
	dial Dial
	stop context.CancelFunc
	over chan struct{} // closed when the module will not be spoken to again
	done chan struct{} // closed when the goroutine has ended

	mu      sync.Mutex    // guards what follows
	client  *Client       // nil while there is none
	there   chan struct{} // closed while there is one
	leave   chan struct{} // closed when client is none any more
	owed    int
	told    bool // owed
	why     error
	program string
}

var (
	_ Terminal = (*Remote)(nil)
	_ Tickets  = (*Remote)(nil)

	_ io.Closer = (*Remote)(nil)
)

// Connect waits until the module at d.Path serves, or ctx ends. Errors: the module's own, so ErrFiles, ErrLocked, ErrDestroyed; ErrVersion;
// ErrGone where ctx ended first.
func Connect(ctx context.Context, d Dial) (*Remote, error) {
	c, program, err := d.until(ctx)
	if err != nil {
		return nil, fmt.Errorf("secure module at %s: %w", d.Path, err)
	}
	d.Hello.First = false
	own, stop := context.WithCancel(context.WithoutCancel(ctx))
	r := &Remote{dial: d, stop: stop, over: make(chan struct{}), done: make(chan struct{}), there: make(chan struct{}), leave: make(chan struct{}), client: c, program: program}
	close(r.there)
	go r.keep(own, c)
	return r, nil
}

// until dials until somebody serves, a refusal is for good, or ctx ends.
func (d Dial) until(ctx context.Context) (*Client, string, error) {
	wait := redialFirst
	for {
		c, program, err := d.once(ctx)
		if err == nil {
			return c, program, nil
		}
		if ctx.Err() == nil && forGood(err) {
			return nil, program, err
		}
		select {
		case <-ctx.Done():
			if !errors.Is(err, ErrGone) {
				err = fmt.Errorf("%w: %w", ErrGone, err)
			}
			return nil, program, err
		case <-time.After(wait):
			wait = min(2*wait, redialAtMost)
		}
	}
}

// forGood says whether trying again is of no use: the module has said why. That another posd is still there passes.
func forGood(err error) bool {
	var said *remote
	return errors.As(err, &said) && !errors.Is(err, ErrBusy) || errors.Is(err, ErrVersion) || errors.Is(err, ErrPeer)
}

// ErrPeer is for Dial.Peer: whoever is at the socket is not the module.
var ErrPeer = errors.New("not the secure module's user")

func (d Dial) once(ctx context.Context) (*Client, string, error) {
	open := d.Open
	if open == nil {
		open = func(ctx context.Context) (net.Conn, error) { return new(net.Dialer).DialContext(ctx, "unix", d.Path) }
	}
	conn, err := open(ctx)
	if err != nil {
		return nil, "", fmt.Errorf("%w: %w", ErrGone, err)
	}
	if d.Peer != nil {
		if err := d.Peer(conn); err != nil {
			return nil, "", errors.Join(err, conn.Close())
		}
	}
	release := context.AfterFunc(ctx, func() { _ = conn.Close() })
	err = conn.SetDeadline(time.Now().Add(helloWithin))
	var program string
	if err == nil {
		program, err = sayHello(conn, d.Hello)
	}
	if err == nil {
		err = conn.SetDeadline(time.Time{})
	}
	release()
	if err != nil {
		_ = conn.Close()
		return nil, program, err
	}
	c := NewClient(conn, d.Event)
	greet, done := context.WithTimeout(ctx, greetWithin)
	defer done()
	if err := c.Greeting(greet); err != nil {
		_ = c.Close()
		return nil, program, err
	}
	return c, program, nil
}

// keep waits for the connection's end and makes the next one, until Close or a refusal for good.
func (r *Remote) keep(ctx context.Context, c *Client) {
	defer close(r.done)
	defer close(r.over)
	for {
		select {
		case <-c.Done():
		case <-ctx.Done():
			_ = c.Close()
			r.set(nil, "", fmt.Errorf("%w: posd is ending", ErrGone))
			return
		}
		lost := c.lost()
		r.set(nil, "", nil)
		if r.dial.Lost != nil && ctx.Err() == nil {
			r.dial.Lost(lost)
		}
		next, program, err := r.dial.until(ctx)
		if err != nil {
			r.set(nil, program, err)
			return
		}
		c = next
		r.mu.Lock()
		owed, told := r.owed, r.told
		r.mu.Unlock()
		if told {
			_ = c.Owes(ctx, owed) // a module that has gone again is told the next time
		}
		r.set(c, program, nil)
		if r.dial.Found != nil {
			r.dial.Found(program)
		}
	}
}

func (r *Remote) set(c *Client, program string, why error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.client != nil {
		r.there = make(chan struct{})
		close(r.leave)
	}
	r.client, r.why, r.program = c, why, program
	if c != nil {
		r.leave = make(chan struct{})
		close(r.there)
	}
}

// Done is closed when the module will not be spoken to any more: it has refused for good, which Err says, or Close was called.
func (r *Remote) Done() <-chan struct{} { return r.over }

// Err is why Done is closed.
func (r *Remote) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.why
}

// Program is the module's version; empty while it is gone.
func (r *Remote) Program() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.program
}

// Close hangs up and waits for the goroutine.
func (r *Remote) Close() error {
	r.stop()
	<-r.done
	return nil
}

// now is the client that is there, or comes within the patience.
func (r *Remote) now(ctx context.Context) (*Client, error) {
	patience := time.NewTimer(r.dial.Patience)
	defer patience.Stop()
	for {
		r.mu.Lock()
		c, there, why := r.client, r.there, r.why
		r.mu.Unlock()
		switch {
		case c != nil:
			return c, nil
		case why != nil:
			return nil, why
		}
		select {
		case <-there:
		case <-r.over:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-patience.C:
			return nil, fmt.Errorf("%w: keyd does not answer at %s: systemctl status tillway-keyd says why", ErrGone, r.dial.Path)
		}
	}
}

// once asks once.
func (r *Remote) once(ctx context.Context, ask func(*Client) error) error {
	c, err := r.now(ctx)
	if err != nil {
		return err
	}
	return ask(c)
}

// again asks once more where the module ended over it: for what may be asked twice.
func (r *Remote) again(ctx context.Context, ask func(*Client) error) error {
	c, err := r.now(ctx)
	if err != nil {
		return err
	}
	if err = ask(c); !errors.Is(err, ErrGone) {
		return err
	}
	select {
	case <-r.left(c):
	case <-ctx.Done():
		return ctx.Err()
	}
	next, err := r.now(ctx)
	if err != nil {
		return err
	}
	return ask(next)
}

// left is closed once c is no longer the client that now gives.
func (r *Remote) left(c *Client) <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.client == c {
		return r.leave
	}
	gone := make(chan struct{})
	close(gone)
	return gone
}
