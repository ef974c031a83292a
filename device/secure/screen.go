package secure

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// Screen is the keypad of development: a socket to which a program on this machine connects when the customer is to enter
// a PIN, and over which it sends each key as it is pressed. It is no secure keypad, and off unless the configuration turns
// it on.
//
// The module writes one line of JSON: {"prompt":{…}}, or {"prompt":null} when nobody is asked for a PIN. The program sends
// bytes, the Key constants and digits. At the end the module writes a second line, {"status":"entered"} or the like, and
// hangs up.
type Screen struct {
	listener net.Listener
	served   sync.WaitGroup

	mu     sync.Mutex
	asking chan net.Conn // nil: nobody is asked
}

type screenLine struct {
	Prompt *Prompt `json:"prompt"`
}

type screenEnd struct {
	Status string `json:"status"`
}

const (
	maxScreenLine = 1024
	screenWrite   = 5 * time.Second
)

// ListenLocal opens a unix socket that only this user can use, in the place of one that a killed process left behind.
func ListenLocal(ctx context.Context, path string) (net.Listener, error) {
	if fi, err := os.Lstat(path); err == nil {
		if fi.Mode()&os.ModeSocket == 0 {
			return nil, fmt.Errorf("%s is in the way, and no socket", path)
		}
		var d net.Dialer
		if c, err := d.DialContext(ctx, "unix", path); err == nil {
			return nil, errors.Join(fmt.Errorf("%s is in use by another program", path), c.Close())
		}
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	old := syscall.Umask(0o177)
	defer syscall.Umask(old)
	var lc net.ListenConfig
	return lc.Listen(ctx, "unix", path)
}

// ListenScreen opens the keypad of development at a socket of mode 0600.
func ListenScreen(ctx context.Context, path string) (*Screen, error) {
	ln, err := ListenLocal(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("on-screen PIN: %w", err)
	}
	s := &Screen{listener: ln}
	s.served.Go(s.accept)
	return s, nil
}

// Close ends the socket and waits for its goroutine.
func (s *Screen) Close() error {
	err := s.listener.Close()
	s.served.Wait()
	return err
}

func (s *Screen) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return // closed
		}
		s.mu.Lock()
		asking := s.asking
		s.asking = nil
		s.mu.Unlock()
		if asking != nil {
			asking <- conn
			continue
		}
		_ = conn.SetDeadline(time.Now().Add(screenWrite))
		_ = json.NewEncoder(conn).Encode(screenLine{}) // whoever it is will see that it is closed
		_ = conn.Close()
	}
}

// Open is Keypad's: it waits for a program to connect, and sends it the prompt.
func (s *Screen) Open(ctx context.Context, p Prompt) (Keystrokes, error) {
	asking := make(chan net.Conn, 1)
	s.mu.Lock()
	s.asking = asking
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		if s.asking == asking {
			s.asking = nil
		}
		s.mu.Unlock()
	}()
	var conn net.Conn
	select {
	case conn = <-asking:
	case <-ctx.Done():
		s.mu.Lock()
		taken := s.asking != asking
		s.mu.Unlock()
		if taken { // at the last moment
			_ = (<-asking).Close()
		}
		return nil, ctx.Err()
	}
	if err := errors.Join(conn.SetWriteDeadline(time.Now().Add(screenWrite)), json.NewEncoder(conn).Encode(screenLine{&p})); err != nil {
		return nil, errors.Join(fmt.Errorf("on-screen PIN: %w", err), conn.Close())
	}
	return &screenKeys{conn: conn}, nil
}

type screenKeys struct {
	conn net.Conn
	one  [1]byte
}

// Key is Keystrokes's.
func (k *screenKeys) Key(ctx context.Context) (byte, error) {
	stop := context.AfterFunc(ctx, func() { _ = k.conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	_, err := io.ReadFull(k.conn, k.one[:])
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	if err != nil {
		return 0, io.EOF // whoever was at the keys has gone, whatever the reason
	}
	key := k.one[0]
	k.one[0] = 0
	return key, nil
}

// Close is Keystrokes's.
func (k *screenKeys) Close(s PINStatus) error {
	end := screenEnd{Status: s.String()}
	if s == 0 {
		end.Status = "failed"
	}
	_ = k.conn.SetWriteDeadline(time.Now().Add(screenWrite))
	_ = json.NewEncoder(k.conn).Encode(end) // if it has gone, it has seen the end
	return k.conn.Close()
}

// ErrNoPrompt says that nobody is asked for a PIN.
var ErrNoPrompt = errors.New("nobody is asked for a PIN now")

// Desk is the other end of a Screen: what a program uses that shows the prompt and has the keys.
type Desk struct {
	Prompt Prompt
	conn   net.Conn
	lines  *bufio.Reader
}

// OpenDesk connects to the on-screen keypad's socket. Errors: ErrNoPrompt.
func OpenDesk(ctx context.Context, path string) (*Desk, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("on-screen PIN: %w", err)
	}
	desk := &Desk{conn: conn, lines: bufio.NewReaderSize(conn, maxScreenLine)}
	var line screenLine
	err = desk.line(ctx, &line)
	if err == nil && line.Prompt == nil {
		err = ErrNoPrompt
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	desk.Prompt = *line.Prompt
	return desk, nil
}

// Press sends one key.
func (d *Desk) Press(key byte) error {
	_, err := d.conn.Write([]byte{key})
	return err
}

// Wait waits for the end of the entry and says how it ended: "entered", "bypassed", "cancelled", "timed out", "failed".
func (d *Desk) Wait(ctx context.Context) (string, error) {
	var end screenEnd
	err := d.line(ctx, &end)
	return end.Status, err
}

// Close hangs up, which cancels an entry that has not ended.
func (d *Desk) Close() error { return d.conn.Close() }

func (d *Desk) line(ctx context.Context, into any) error {
	stop := context.AfterFunc(ctx, func() { _ = d.conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	text, err := d.lines.ReadSlice('\n')
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("on-screen PIN: %w", err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("on-screen PIN: %w: %w", ErrProtocol, err)
	}
	return nil
}
