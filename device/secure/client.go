package secure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"

	"tillway/device/secure/x9"
)

// Client is a module in another process, at the other end of a socket. Safe for concurrent use. When the module ends,
// every call under way and every later one returns ErrGone.
type Client struct {
	conn  net.Conn
	event func(Event)
	turn  chan struct{} // one slot: who writes
	gone  chan struct{} // closed when nothing more is read
	hello chan answer

	mu      sync.Mutex
	why     error // that nothing more is read
	last    uint32
	waiting map[uint32]*call
}

// A call waits for its answer.
type call struct {
	answer   chan answer
	progress func(digits int)
}

type answer struct{ body []byte }

var (
	_ Terminal   = (*Client)(nil)
	_ Tickets    = (*Client)(nil)
	_ Components = (*Client)(nil)
)

// NewClient speaks over conn, which Close closes. event, where not nil, is told of every Event; it must not block.
func NewClient(conn net.Conn, event func(Event)) *Client {
	c := &Client{
		conn: conn, event: event, turn: make(chan struct{}, 1), gone: make(chan struct{}), hello: make(chan answer, 1),
		waiting: map[uint32]*call{},
	}
	go c.read()
	return c
}

// Greeting waits for the module's word that it has started, or why not.
func (c *Client) Greeting(ctx context.Context) error {
	select {
	case a := <-c.hello:
		r := &reader{b: a.body}
		if code := r.u8(); code != codeOK {
			return readError(code, r)
		}
		return r.end()
	case <-c.gone:
		return c.lost()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Done is closed when the module has ended.
func (c *Client) Done() <-chan struct{} { return c.gone }

// Close hangs up, which ends a module that was started for this client, and waits until nothing more is read.
func (c *Client) Close() error {
	err := c.conn.Close()
	<-c.gone
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// read hands out answers until the socket ends.
func (c *Client) read() {
	defer close(c.gone)
	for {
		kind, id, body, err := readFrame(c.conn)
		if err == nil {
			err = c.dispatch(kind, id, body)
		}
		if err != nil {
			_ = c.conn.Close() // nothing is to be had from it any more
			c.mu.Lock()
			c.why = err
			c.mu.Unlock()
			return
		}
	}
}

func (c *Client) dispatch(kind byte, id uint32, body []byte) error {
	if kind == frameEvent {
		return c.tell(body)
	}
	if kind == frameAnswer && id == 0 {
		select {
		case c.hello <- answer{body}:
			return nil
		default:
			return fmt.Errorf("second greeting: %w", ErrProtocol)
		}
	}
	c.mu.Lock()
	w := c.waiting[id]
	if kind == frameAnswer {
		delete(c.waiting, id)
	}
	c.mu.Unlock()
	switch {
	case w == nil: // the caller has left
		clear(body)
	case kind == frameAnswer:
		w.answer <- answer{body}
	case kind == frameProgress && len(body) == 1:
		if w.progress != nil {
			w.progress(int(body[0]))
		}
	default:
		return fmt.Errorf("frame of kind %d: %w", kind, ErrProtocol)
	}
	return nil
}

func (c *Client) tell(body []byte) error {
	var e Event
	r := &reader{b: body}
	text := r.bytes(4096)
	if err := r.end(); err != nil {
		return err
	}
	if err := json.Unmarshal(text, &e); err != nil {
		return fmt.Errorf("event: %w", ErrProtocol)
	}
	if c.event != nil {
		c.event(e)
	}
	return nil
}

func (c *Client) lost() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Errorf("%w: %w", ErrGone, c.why)
}

// do sends one request and reads its answer. size is about what fill writes.
func (c *Client) do(ctx context.Context, op byte, size int, fill func(*writer), result func(*reader), progress func(int)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	own := &call{answer: make(chan answer, 1), progress: progress}
	c.mu.Lock()
	for c.last++; c.last == 0 || c.waiting[c.last] != nil; c.last++ { // once in 2^32
	}
	id := c.last
	c.waiting[id] = own
	c.mu.Unlock()
	w := newFrame(frameRequest, id, size+256)
	w.u8(op)
	fill(&w)
	frame, err := w.finish()
	if err == nil {
		err = c.send(ctx, frame)
	}
	clear(frame)
	if err != nil {
		c.leave(id)
		return err
	}
	select {
	case a := <-own.answer:
		return own.result(a, result)
	case <-c.gone:
		select {
		case a := <-own.answer: // it came before the end
			return own.result(a, result)
		default:
		}
		c.leave(id)
		return c.lost()
	case <-ctx.Done():
		c.leave(id)
		if frame, err := newFrame(frameCancel, id, 0).finish(); err == nil {
			_ = c.send(context.WithoutCancel(ctx), frame) // if it does not arrive, the module has ended
		}
		return ctx.Err()
	}
}

func (w *call) result(a answer, result func(*reader)) error {
	defer clear(a.body)
	r := &reader{b: a.body}
	if code := r.u8(); code != codeOK {
		return readError(code, r)
	}
	if result != nil {
		result(r)
	}
	return r.end()
}

func (c *Client) leave(id uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.waiting, id)
}

// send writes a whole frame, also when ctx ends meanwhile: half a frame would end everything.
func (c *Client) send(ctx context.Context, frame []byte) error {
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-c.turn }()
	if _, err := c.conn.Write(frame); err != nil {
		return fmt.Errorf("%w: %w", ErrGone, err)
	}
	return nil
}

func nothing(*writer) {}

func (c *Client) named(ctx context.Context, op byte, name string) error {
	return c.do(ctx, op, len(name), func(w *writer) { w.text(name) }, nil, nil)
}

// CreateKey is Module's.
func (c *Client) CreateKey(ctx context.Context, name string) error {
	return c.named(ctx, opCreateKey, name)
}

// DestroyKey is Module's.
func (c *Client) DestroyKey(ctx context.Context, name string) error {
	return c.named(ctx, opDestroyKey, name)
}

// Seal is Module's.
func (c *Client) Seal(ctx context.Context, name string, associated, plain []byte) ([]byte, error) {
	return c.crypt(ctx, opSeal, name, associated, plain)
}

// Open is Module's.
func (c *Client) Open(ctx context.Context, name string, associated, sealed []byte) ([]byte, error) {
	return c.crypt(ctx, opOpen, name, associated, sealed)
}

func (c *Client) crypt(ctx context.Context, op byte, name string, associated, data []byte) ([]byte, error) {
	if len(data) > maxPlain+nonceSize+tagSize || len(associated) > maxPlain {
		return nil, fmt.Errorf("%d bytes: %w", len(data), map[byte]error{opSeal: ErrTooLong, opOpen: ErrForged}[op])
	}
	out := []byte{}
	err := c.do(ctx, op, len(name)+len(associated)+len(data),
		func(w *writer) { w.text(name); w.bytes(associated); w.bytes(data) },
		func(r *reader) { out = append(out, r.bytes(maxPlain+nonceSize+tagSize)...) }, nil)
	if err != nil {
		return nil, err
	}
	return out, nil
}

// NextKey is Macs'.
func (c *Client) NextKey(ctx context.Context, set string, use Use) (l Lease, err error) {
	err = c.do(ctx, opNextKey, 64, func(w *writer) { w.text(set); w.u8(byte(use)) }, func(r *reader) { l = readLease(r) }, nil)
	return l, err
}

// MAC is Macs'.
func (c *Client) MAC(ctx context.Context, l Lease, m MACMethod, data []byte) (out []byte, err error) {
	err = c.do(ctx, opMAC, len(data), func(w *writer) { writeLease(w, l); w.u8(byte(m)); w.bytes(data) },
		func(r *reader) { out = slices.Clone(r.bytes(16)) }, nil)
	return out, err
}

// VerifyMAC is Macs'.
func (c *Client) VerifyMAC(ctx context.Context, l Lease, m MACMethod, data, mac []byte) error {
	if len(mac) > 16 {
		return ErrMAC
	}
	return c.do(ctx, opVerifyMAC, len(data), func(w *writer) { writeLease(w, l); w.u8(byte(m)); w.bytes(data); w.bytes(mac) }, nil, nil)
}

// Encipher is Data's.
func (c *Client) Encipher(ctx context.Context, l Lease, data []byte) (out []byte, err error) {
	err = c.do(ctx, opEncipher, len(data), func(w *writer) { writeLease(w, l); w.bytes(data) },
		func(r *reader) { out = slices.Clone(r.bytes(maxPlain)) }, nil)
	return out, err
}

// Release is Macs'.
func (c *Client) Release(ctx context.Context, l Lease) error {
	return c.do(ctx, opRelease, 64, func(w *writer) { writeLease(w, l) }, nil, nil)
}

// HostSaw is Macs'.
func (c *Client) HostSaw(ctx context.Context, set string, use Use, ksn []byte) error {
	return c.do(ctx, opHostSaw, 64, func(w *writer) { w.text(set); w.u8(byte(use)); w.bytes(ksn) }, nil, nil)
}

// EnterPIN is PINPad's.
func (c *Client) EnterPIN(ctx context.Context, q PINRequest) (p PINResult, err error) {
	if err := q.check(); err != nil {
		return p, err
	}
	fill := func(w *writer) {
		w.text(q.Set)
		w.text(string(q.PAN))
		w.text(q.Amount)
		w.text(q.Language)
		w.yes(q.Retry)
		w.u32(uint32(int32(q.Tries)))
		w.u8(byte(q.Min))
		w.u8(byte(q.Max))
		w.yes(q.Bypass)
		w.u8(byte(q.Format))
		w.u64(uint64(q.Timeout))
		w.yes(q.Card != nil)
		if q.Card != nil {
			w.bytes(q.Card.Modulus)
			w.bytes(q.Card.Exponent)
			*w = append(*w, q.Card.Challenge[:]...)
		}
	}
	result := func(r *reader) {
		p.Status, p.Lease = PINStatus(r.u8()), readLease(r)
		p.Block, p.Format = slices.Clone(r.bytes(x9.MaxCardKey)), PINFormat(r.u8())
	}
	err = c.do(ctx, opEnterPIN, 256, fill, result, q.Progress)
	return p, err
}

// DecipherSwipe is Swipes'.
func (c *Client) DecipherSwipe(ctx context.Context, s EncipheredSwipe) (texts [][]byte, err error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	fill := func(w *writer) {
		w.bytes(s.KSN)
		w.u8(byte(s.Variant))
		w.u8(byte(len(s.Blocks)))
		for _, b := range s.Blocks {
			w.bytes(b)
		}
	}
	err = c.do(ctx, opDecipherSwipe, maxSwipeBlocks*maxSwipeBlock, fill, func(r *reader) {
		for range min(int(r.u8()), maxSwipeBlocks) {
			texts = append(texts, slices.Clone(r.bytes(maxSwipeBlock)))
		}
	}, nil)
	return texts, err
}

// Token is Tokens'.
func (c *Client) Token(ctx context.Context, pan PAN) (out []byte, err error) {
	err = c.do(ctx, opToken, 32, func(w *writer) { w.text(string(pan)) }, func(r *reader) { out = slices.Clone(r.bytes(32)) }, nil)
	return out, err
}

// Import is Keys'.
func (c *Client) Import(ctx context.Context, set string, use Use, block string) (CheckValue, error) {
	return c.keyBlock(ctx, opImport, set, use, block)
}

// Try is Keys'.
func (c *Client) Try(ctx context.Context, set string, use Use, block string) (CheckValue, error) {
	return c.keyBlock(ctx, opTry, set, use, block)
}

func (c *Client) keyBlock(ctx context.Context, op byte, set string, use Use, block string) (check CheckValue, err error) {
	if len(block) > maxBlock {
		return "", fmt.Errorf("%d characters: %w", len(block), ErrKeyBlock)
	}
	err = c.do(ctx, op, len(block), func(w *writer) { w.text(set); w.u8(byte(use)); w.text(block) },
		func(r *reader) { check = CheckValue(r.text(16)) }, nil)
	return check, err
}

// ImportSession is Keys'.
func (c *Client) ImportSession(ctx context.Context, set string, use Use, cryptogram []byte, check CheckValue) (own CheckValue, err error) {
	err = c.do(ctx, opImportSession, 128, func(w *writer) { w.text(set); w.u8(byte(use)); w.bytes(cryptogram); w.text(string(check)) },
		func(r *reader) { own = CheckValue(r.text(16)) }, nil)
	return own, err
}

// Propose is SessionKeys'.
func (c *Client) Propose(ctx context.Context, set string, keys []Proposal) (checks []CheckValue, err error) {
	if len(keys) == 0 || len(keys) > maxProposal {
		return nil, fmt.Errorf("%d session keys at once: %w", len(keys), ErrRequest)
	}
	size := 0
	for _, k := range keys {
		if len(k.Block) > maxBlock || len(k.Cryptogram) > 32 || len(k.Check) > 16 {
			return nil, fmt.Errorf("session key of %d characters: %w", len(k.Block), ErrKeyBlock)
		}
		size += len(k.Block) + 128
	}
	fill := func(w *writer) {
		w.text(set)
		w.u8(byte(len(keys)))
		for _, k := range keys {
			w.u8(byte(k.Use))
			w.text(k.Block)
			w.bytes(k.Cryptogram)
			w.text(string(k.Check))
		}
	}
	err = c.do(ctx, opPropose, size, fill, func(r *reader) {
		for range min(int(r.u8()), maxProposal) {
			checks = append(checks, CheckValue(r.text(16)))
		}
	}, nil)
	return checks, err
}

// Confirm is SessionKeys'.
func (c *Client) Confirm(ctx context.Context, set string) error { return c.named(ctx, opConfirm, set) }

// Withdraw is SessionKeys'.
func (c *Client) Withdraw(ctx context.Context, set string) error {
	return c.named(ctx, opWithdraw, set)
}

// Ticket is Tickets'.
func (c *Client) Ticket(ctx context.Context, person string) (ticket string, err error) {
	if len(person) > maxHolder {
		return "", fmt.Errorf("name of %d bytes: %w", len(person), ErrDualControl)
	}
	err = c.do(ctx, opTicket, len(person), func(w *writer) { w.text(person) }, func(r *reader) { ticket = r.text(maxTicket) }, nil)
	return ticket, err
}

// Show shows a ticket at the socket for loading keys: what is asked for behind it, its person asks for. Error: ErrTicket.
func (c *Client) Show(ctx context.Context, ticket string) error {
	if len(ticket) > maxTicket {
		return ErrTicket
	}
	return c.do(ctx, opAdmit, len(ticket), func(w *writer) { w.text(ticket) }, nil, nil)
}

// Status is Keys'.
func (c *Client) Status(ctx context.Context) (s Status, err error) {
	var wrong error
	err = c.do(ctx, opStatus, 0, nothing, func(r *reader) { wrong = json.Unmarshal(r.bytes(1<<20), &s) }, nil)
	if err == nil && wrong != nil {
		err = fmt.Errorf("status: %w: %w", ErrProtocol, wrong)
	}
	return s, err
}

// Destroy is Keys'.
func (c *Client) Destroy(ctx context.Context, set string) error { return c.named(ctx, opDestroy, set) }

// DestroyAll is Keys'.
func (c *Client) DestroyAll(ctx context.Context) error {
	return c.do(ctx, opDestroyAll, 0, nothing, nil, nil)
}

// Refill is Terminal's.
func (c *Client) Refill(ctx context.Context) error {
	return c.do(ctx, opRefill, 0, nothing, nil, nil)
}

// Owes is Terminal's.
func (c *Client) Owes(ctx context.Context, n int) error {
	if n < 0 || n > 1<<30 {
		return fmt.Errorf("%d messages owed: %w", n, ErrRequest)
	}
	return c.do(ctx, opOwes, 4, func(w *writer) { w.u32(uint32(n)) }, nil, nil)
}

// LoadComponent is Components'.
func (c *Client) LoadComponent(ctx context.Context, k Component) (l Loaded, err error) {
	defer clear(k.Value)
	if err := k.wellFormed(); err != nil {
		return l, err
	}
	fill := func(w *writer) {
		w.text(k.Set)
		w.u8(byte(k.Of))
		w.u8(byte(k.Number))
		w.text(k.Holder)
		w.text(string(k.Algorithm))
		w.bytes(k.Value)
	}
	err = c.do(ctx, opLoadComponent, 256, fill, func(r *reader) {
		l = Loaded{Have: int(r.u8()), Of: int(r.u8()), Check: CheckValue(r.text(16)), KEK: CheckValue(r.text(16))}
	}, nil)
	return l, err
}

// LoadPad is PadKeys', at the socket for loading keys.
func (c *Client) LoadPad(ctx context.Context, k PadKey) (l PadLoaded, err error) {
	if len(k.Holder) > maxHolder || len(k.Block) > maxBlock {
		return l, fmt.Errorf("key block of %d characters: %w", len(k.Block), ErrKeyBlock)
	}
	err = c.do(ctx, opLoadPad, len(k.Block)+128, func(w *writer) { w.text(k.Holder); w.text(k.Block) }, func(r *reader) {
		l = PadLoaded{Have: int(r.u8()), Of: int(r.u8()), KSN: slices.Clone(r.bytes(12)), Fingerprint: r.text(16), Check: CheckValue(r.text(16))}
	}, nil)
	return l, err
}

// Abort is Components'.
func (c *Client) Abort(ctx context.Context, set string) error { return c.named(ctx, opAbort, set) }
