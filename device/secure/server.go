package secure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"tillway/device/secure/x9"
)

// Backend is what Serve serves: File, in the module's own process.
type Backend interface {
	Terminal
	Components
	PadKeys
	Gate
}

// Role is what the one at the other end of a socket may do.
type Role uint8

// The roles: posd at the module's first socket, and whoever loads keys at the other. Neither can do what only the other
// needs: components never pass through posd, and nobody at the key-loading socket seals, opens or makes a MAC.
const (
	RoleTerminal Role = iota + 1
	RoleKeys
)

func (r Role) may(op byte) bool {
	switch r {
	case RoleTerminal:
		return op >= opCreateKey && op <= opDecipherSwipe || op == opTry
	case RoleKeys:
		return slices.Contains([]byte{opImport, opStatus, opDestroy, opDestroyAll, opLoadComponent, opAbort, opAdmit, opLoadPad}, op)
	}
	return false
}

// A Server serves one socket.
type Server struct {
	conn    net.Conn
	backend Backend
	role    Role
	turn    chan struct{} // one slot: who writes

	mu      sync.Mutex // guards what follows
	running map[uint32]context.CancelFunc
	person  string // whose ticket was shown; empty: nobody's
}

// NewServer makes a server for one connection, which Serve closes.
func NewServer(conn net.Conn, b Backend, role Role) *Server {
	return &Server{conn: conn, backend: b, role: role, turn: make(chan struct{}, 1), running: map[uint32]context.CancelFunc{}}
}

// Greet tells the other end that the module has started, or why it did not.
func Greet(conn net.Conn, err error) error {
	w := newFrame(frameAnswer, 0, 64)
	if err == nil {
		w.u8(codeOK)
	} else {
		writeError(&w, err)
	}
	b, err := w.finish()
	if err != nil {
		return err
	}
	_, err = conn.Write(b)
	return err
}

// Serve answers requests until the other end closes the socket (nil), breaks the protocol (ErrProtocol), or ctx ends; it
// waits for the requests under way, which it cancels.
func (s *Server) Serve(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	var under sync.WaitGroup
	defer under.Wait()
	defer stop()
	defer context.AfterFunc(ctx, func() { _ = s.conn.Close() })() // a second Close is harmless
	defer func() { _ = s.conn.Close() }()
	slots := make(chan struct{}, maxInFlight)
	for {
		kind, id, body, err := readFrame(s.conn)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, io.EOF) && !errors.Is(err, ErrProtocol):
			return nil
		case err != nil:
			return err
		case kind == frameCancel && len(body) == 0:
			s.cancel(id)
			continue
		case kind != frameRequest || id == 0 || len(body) == 0:
			return fmt.Errorf("frame of kind %d: %w", kind, ErrProtocol)
		}
		one, cancel := context.WithCancel(ctx)
		if !s.begin(id, cancel) {
			cancel()
			return fmt.Errorf("request %d twice: %w", id, ErrProtocol)
		}
		slots <- struct{}{}
		under.Go(func() {
			defer func() { <-slots }()
			defer cancel()
			defer clear(body)
			s.answer(one, id, body)
		})
	}
}

// Event sends one event to the other end.
func (s *Server) Event(e Event) {
	text, err := json.Marshal(e)
	if err != nil {
		return
	}
	w := newFrame(frameEvent, 0, 4+len(text))
	w.bytes(text)
	s.send(w)
}

func (s *Server) begin(id uint32, cancel context.CancelFunc) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running[id] != nil {
		return false
	}
	s.running[id] = cancel
	return true
}

func (s *Server) cancel(id uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cancel := s.running[id]; cancel != nil {
		cancel()
	}
}

func (s *Server) answer(ctx context.Context, id uint32, body []byte) {
	w := newFrame(frameAnswer, id, 256)
	start := len(w)
	w.u8(codeOK)
	err := fmt.Errorf("operation %d: %w", body[0], ErrDenied)
	if s.role.may(body[0]) {
		err = s.admitted(body[0])
	}
	if err == nil {
		err = s.do(ctx, id, body[0], &reader{b: body[1:]}, &w)
	}
	if err != nil {
		clear(w[start:])
		w = w[:start]
		writeError(&w, err)
	}
	s.mu.Lock()
	delete(s.running, id)
	s.mu.Unlock()
	s.send(w)
	clear(w)
}

// admitted says whether an operation may be asked for by who is there: at the socket for loading keys, where it is closed, only
// after a ticket, but for the status.
func (s *Server) admitted(op byte) error {
	if s.role != RoleKeys || op == opStatus || op == opAdmit || !s.backend.Closed() || s.who() != "" {
		return nil
	}
	return ErrTicket
}

func (s *Server) who() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.person
}

// admit takes a ticket.
func (s *Server) admit(ctx context.Context, r *reader) error {
	ticket := r.text(maxTicket)
	if err := r.end(); err != nil {
		return err
	}
	person, err := s.backend.Admit(ctx, ticket)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.person = person
	return nil
}

// send writes a whole frame. An error shows on the reading side, where it ends the server.
func (s *Server) send(w writer) {
	b, err := w.finish()
	if err != nil {
		return
	}
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	_, _ = s.conn.Write(b) // see above
}

func (s *Server) progress(id uint32, digits int) {
	w := newFrame(frameProgress, id, 1)
	w.u8(byte(digits))
	s.send(w)
}

// do reads one operation's arguments, carries it out and writes its result.
func (s *Server) do(ctx context.Context, id uint32, op byte, r *reader, w *writer) error {
	switch op {
	case opCreateKey, opDestroyKey, opDestroy, opAbort, opConfirm, opWithdraw:
		name := r.text(maxName)
		if err := r.end(); err != nil {
			return err
		}
		return map[byte]func(context.Context, string) error{
			opCreateKey: s.backend.CreateKey, opDestroyKey: s.backend.DestroyKey, opDestroy: s.backend.Destroy, opAbort: s.backend.Abort,
			opConfirm: s.backend.Confirm, opWithdraw: s.backend.Withdraw,
		}[op](ctx, name)
	case opSeal, opOpen:
		name, associated, data := r.text(maxName), r.bytes(maxPlain), r.bytes(maxPlain+nonceSize+tagSize)
		if err := r.end(); err != nil {
			return err
		}
		do := s.backend.Seal
		if op == opOpen {
			do = s.backend.Open
		}
		out, err := do(ctx, name, associated, data)
		w.bytes(out)
		clear(out)
		return err
	case opEnterPIN:
		return s.enterPIN(ctx, id, r, w)
	case opToken:
		pan := PAN(r.text(19))
		if err := r.end(); err != nil {
			return err
		}
		out, err := s.backend.Token(ctx, pan)
		w.bytes(out)
		return err
	case opStatus, opDestroyAll, opRefill:
		if err := r.end(); err != nil {
			return err
		}
		switch op {
		case opDestroyAll:
			return s.backend.DestroyAll(ctx)
		case opRefill:
			return s.backend.Refill(ctx)
		}
		return s.status(ctx, w)
	case opOwes:
		n := int(r.u32())
		if err := r.end(); err != nil {
			return err
		}
		return s.backend.Owes(ctx, n)
	case opImport, opTry, opImportSession, opLoadComponent:
		return s.load(ctx, op, r, w)
	case opPropose:
		return s.propose(ctx, r, w)
	case opDecipherSwipe:
		return s.decipherSwipe(ctx, r, w)
	case opAdmit:
		return s.admit(ctx, r)
	case opLoadPad:
		return s.loadPad(ctx, r, w)
	case opTicket:
		person := r.text(maxHolder)
		if err := r.end(); err != nil {
			return err
		}
		ticket, err := s.backend.Ticket(ctx, person)
		w.text(ticket)
		return err
	}
	return s.lease(ctx, op, r, w)
}

// lease carries out what is done by lease.
func (s *Server) lease(ctx context.Context, op byte, r *reader, w *writer) error {
	switch op {
	case opNextKey:
		set, use := r.text(maxName), Use(r.u8())
		if err := r.end(); err != nil {
			return err
		}
		l, err := s.backend.NextKey(ctx, set, use)
		writeLease(w, l)
		return err
	case opHostSaw:
		set, use, ksn := r.text(maxName), Use(r.u8()), r.bytes(12)
		if err := r.end(); err != nil {
			return err
		}
		return s.backend.HostSaw(ctx, set, use, ksn)
	}
	l := readLease(r)
	switch op {
	case opRelease:
		if err := r.end(); err != nil {
			return err
		}
		return s.backend.Release(ctx, l)
	case opMAC, opEncipher:
		var m MACMethod
		if op == opMAC {
			m = MACMethod(r.u8())
		}
		data := r.bytes(maxPlain)
		if err := r.end(); err != nil {
			return err
		}
		var out []byte
		var err error
		if op == opMAC {
			out, err = s.backend.MAC(ctx, l, m, data)
		} else {
			out, err = s.backend.Encipher(ctx, l, data)
		}
		w.bytes(out)
		return err
	case opVerifyMAC:
		m, data, mac := MACMethod(r.u8()), r.bytes(maxPlain), r.bytes(16)
		if err := r.end(); err != nil {
			return err
		}
		return s.backend.VerifyMAC(ctx, l, m, data, mac)
	}
	return fmt.Errorf("operation %d: %w", op, ErrProtocol)
}

// load carries out what brings keys.
func (s *Server) load(ctx context.Context, op byte, r *reader, w *writer) error {
	switch op {
	case opImport, opTry:
		set, use, block := r.text(maxName), Use(r.u8()), r.text(maxBlock)
		if err := r.end(); err != nil {
			return err
		}
		do := s.backend.Import
		if op == opTry {
			do = s.backend.Try
		}
		check, err := do(ctx, set, use, block)
		w.text(string(check))
		return err
	case opImportSession:
		set, use, cryptogram, check := r.text(maxName), Use(r.u8()), r.bytes(32), CheckValue(r.text(16))
		if err := r.end(); err != nil {
			return err
		}
		check, err := s.backend.ImportSession(ctx, set, use, cryptogram, check)
		w.text(string(check))
		return err
	}
	c := Component{Set: r.text(maxName), Of: int(r.u8()), Number: int(r.u8()), Holder: r.text(maxHolder), Algorithm: Algorithm(r.text(8)), Value: r.bytes(32)}
	if err := r.end(); err != nil {
		return err
	}
	if person := s.who(); person != "" {
		c.Holder = person // whoever is logged in, whatever they call themselves
	}
	l, err := s.backend.LoadComponent(ctx, c)
	w.u8(byte(l.Have))
	w.u8(byte(l.Of))
	w.text(string(l.Check))
	w.text(string(l.KEK))
	return err
}

// loadPad takes one person's word about a PIN pad's key.
func (s *Server) loadPad(ctx context.Context, r *reader, w *writer) error {
	k := PadKey{Holder: r.text(maxHolder), Block: r.text(maxBlock)}
	if err := r.end(); err != nil {
		return err
	}
	if person := s.who(); person != "" {
		k.Holder = person // whoever is logged in, whatever they call themselves
	}
	l, err := s.backend.LoadPad(ctx, k)
	w.u8(byte(l.Have))
	w.u8(byte(l.Of))
	w.bytes(l.KSN)
	w.text(l.Fingerprint)
	w.text(string(l.Check))
	return err
}

func (s *Server) propose(ctx context.Context, r *reader, w *writer) error {
	set, n := r.text(maxName), int(r.u8())
	var keys []Proposal
	for range min(n, maxProposal) {
		keys = append(keys, Proposal{
			Use: Use(r.u8()), Block: r.text(maxBlock), Cryptogram: slices.Clone(r.bytes(32)), Check: CheckValue(r.text(16)),
		})
	}
	if err := r.end(); err != nil {
		return err
	}
	checks, err := s.backend.Propose(ctx, set, keys)
	w.u8(byte(len(checks)))
	for _, c := range checks {
		w.text(string(c))
	}
	return err
}

func (s *Server) decipherSwipe(ctx context.Context, r *reader, w *writer) error {
	q := EncipheredSwipe{KSN: r.bytes(12), Variant: SwipeVariant(r.u8())}
	for range min(int(r.u8()), maxSwipeBlocks) {
		q.Blocks = append(q.Blocks, r.bytes(maxSwipeBlock))
	}
	if err := r.end(); err != nil {
		return err
	}
	texts, err := s.backend.DecipherSwipe(ctx, q)
	w.u8(byte(len(texts)))
	for _, text := range texts {
		w.bytes(text)
		clear(text)
	}
	return err
}

func (s *Server) status(ctx context.Context, w *writer) error {
	st, err := s.backend.Status(ctx)
	if err != nil {
		return err
	}
	text, err := json.Marshal(st)
	w.bytes(text)
	return err
}

func (s *Server) enterPIN(ctx context.Context, id uint32, r *reader, w *writer) error {
	q := PINRequest{Set: r.text(maxName), PAN: PAN(r.text(19)), Amount: r.text(maxAmount), Language: r.text(maxLanguage), Retry: r.yes(), Tries: int(int32(r.u32()))}
	q.Min, q.Max, q.Bypass, q.Format, q.Timeout = int(r.u8()), int(r.u8()), r.yes(), PINFormat(r.u8()), time.Duration(r.u64())
	if r.yes() {
		q.Card = &CardPIN{Modulus: r.bytes(x9.MaxCardKey), Exponent: r.bytes(3)}
		copy(q.Card.Challenge[:], r.take(8))
	}
	if err := r.end(); err != nil {
		return err
	}
	q.Progress = func(digits int) { s.progress(id, digits) }
	p, err := s.backend.EnterPIN(ctx, q)
	w.u8(byte(p.Status))
	writeLease(w, p.Lease)
	w.bytes(p.Block)
	w.u8(byte(p.Format))
	return err
}

func writeLease(w *writer, l Lease) {
	w.u64(l.ID)
	w.text(l.Set)
	w.u8(byte(l.Use))
	w.bytes(l.KSN)
	w.text(string(l.Algorithm))
}

func readLease(r *reader) Lease {
	return Lease{ID: r.u64(), Set: r.text(maxName), Use: Use(r.u8()), KSN: slices.Clone(r.bytes(12)), Algorithm: Algorithm(r.text(8))}
}
