package host

import (
	"bytes"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"tillway/device/secure/x9"
	"tillway/host/issuer"
)

// A terminal with a master key has session keys for PIN and MAC, which it asks for. The keys in force stay until a message
// comes that is authenticated under the ones that were sent last: then these are in force, and the old ones gone.

// keyPair is one generation of a terminal's session keys.
type keyPair struct {
	pin, mac []byte
	text     string // as they went over the wire
}

// session is a terminal's master key and what was sent under it. The host has its lock.
type session struct {
	master        []byte
	aes, ecb      bool
	inForce, next keyPair
	made          int
}

var (
	errNoKeys = errors.New("no session keys were exchanged")
	errPINKey = errors.New("PIN block is not under this terminal's session key")
)

func newSession(k *Keys) (*session, error) {
	s := &session{master: bytes.Clone(k.Master), aes: k.AES, ecb: k.ECB}
	if s.aes {
		if s.ecb {
			return nil, fmt.Errorf("AES session keys come in key blocks only: %w", ErrConfig)
		}
		_, err := x9.KCVAES(s.master)
		return s, err
	}
	_, err := x9.KCV(s.master)
	return s, err
}

// authenticator tries the keys in force, then those that were sent last; with these, the exchange is complete.
func (s *session) authenticator(sec *Security, data, mac []byte) (*transaction, error) {
	for _, pair := range []*keyPair{&s.inForce, &s.next} {
		if pair.mac == nil {
			continue
		}
		t := &transaction{of: &device{aes: s.aes}, key: pair.mac, session: true}
		want, err := sec.mac(t, false, data)
		if err != nil {
			return nil, err
		}
		if subtle.ConstantTimeCompare(want, mac) == 1 {
			if pair == &s.next {
				s.inForce, s.next = s.next, keyPair{}
			}
			return t, nil
		}
	}
	if s.inForce.mac == nil && s.next.mac == nil {
		return nil, errNoKeys
	}
	return nil, errMAC
}

// renew makes the next session keys and says them as the field of the answer has them.
func (s *session) renew(random io.Reader, method string, disagree bool) (string, error) {
	pair := keyPair{pin: make([]byte, 16), mac: make([]byte, 16)}
	for _, key := range [][]byte{pair.pin, pair.mac} {
		if _, err := io.ReadFull(random, key); err != nil {
			return "", fmt.Errorf("session keys: %w", err)
		}
		if !s.aes {
			x9.SetOddParity(key)
			if err := x9.CheckTDESKey(key); err != nil {
				return "", fmt.Errorf("session keys: %w", err)
			}
		}
	}
	var text strings.Builder
	for i, key := range [][]byte{pair.pin, pair.mac} {
		check, err := s.check(key)
		if err != nil {
			return "", err
		}
		if disagree {
			check = "0000" + check[4:]
		}
		if s.ecb {
			cryptogram, err := x9.EncryptECB(s.master, key)
			if err != nil {
				return "", err
			}
			fmt.Fprintf(&text, "%X%s", cryptogram, check)
			continue
		}
		block, err := s.block(i == 0, key, method, random)
		if err != nil {
			return "", err
		}
		letter := "PM"[i : i+1]
		fmt.Fprintf(&text, "%sB%03d%s%sC%03d%s", letter, len(block), block, letter, len(check), check)
	}
	pair.text = text.String()
	s.next = pair
	s.made++
	return text.String(), nil
}

// block is a session key as a key block under the master key.
func (s *session) block(pin bool, key []byte, method string, random io.Reader) (string, error) {
	h := x9.KeyBlockHeader{Version: 'B', Usage: "P0", Algorithm: 'T', Mode: 'E', KeyVersion: "00", Exportability: 'N'}
	if s.aes {
		h.Version, h.Algorithm = 'D', 'A'
	}
	if !pin {
		h.Usage, h.Mode = "M3", 'C'
		if method == MACCMAC {
			h.Usage = "M6"
		}
	}
	return x9.WrapKeyBlock(s.master, h, key, 0, random)
}

func (s *session) check(key []byte) (string, error) {
	if key == nil {
		return "", nil
	}
	if s.aes {
		v, err := x9.KCVAES(key)
		return fmt.Sprintf("%X", v), err
	}
	v, err := x9.KCV(key)
	return fmt.Sprintf("%X", v), err
}

// exchange answers a terminal that asks for session keys. The caller holds mu.
func (h *Host) exchange(q query, a answer) answer {
	keys := h.secured[q.terminal]
	if keys == nil || keys.session == nil {
		a.code, a.note = invalidTransaction, "no session keys for this terminal"
		return a
	}
	var err error
	if a.keys, err = keys.session.renew(h.cfg.Random, h.cfg.Security.MAC, keys.disagree(DisagreeCheck)); err != nil {
		a.code, a.note = malfunction, err.Error()
		return a
	}
	if keys.order == OrderExchange {
		keys.order = ""
	}
	a.note = fmt.Sprintf("session keys, number %d", keys.session.made)
	return a
}

// The orders that a host gives a terminal in the answer to its next sign-on, and the ways in which it disagrees with one.
const (
	OrderDestroy  = "destroy"  // erase its keys; repeated until the terminal says that it does
	OrderExchange = "exchange" // ask for new session keys

	DisagreeCheck  = "wrong-check"   // the next session keys have wrong check values
	DisagreeMAC    = "wrong-mac"     // the answer to the next network message has a wrong MAC
	DisagreeForget = "forget-keys"   // at once: the host knows no session key of it any more
	DisagreeReplay = "replay-orders" // the next order repeats the challenge of an earlier sign-on
)

// ErrOrder says that there is no such order, or no such terminal with keys.
var ErrOrder = errors.New("no such order or terminal")

// letters of an order on the wire.
func letters(order string) string {
	return map[string]string{OrderDestroy: "DK", OrderExchange: "XK"}[order]
}

// disagree says whether that was asked for, once.
func (s *secured) disagree(how string) bool {
	if s.quarrel != how {
		return false
	}
	s.quarrel = ""
	return true
}

// Order gives a terminal an order, or has the host disagree with it once. Error: ErrOrder.
func (h *Host) Order(terminal, order string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	keys := h.secured[fmt.Sprintf("%-8s", terminal)]
	if keys == nil {
		return fmt.Errorf("terminal %q: %w", printable(terminal), ErrOrder)
	}
	switch order {
	case OrderDestroy, OrderExchange:
		keys.order = order
	case DisagreeCheck, DisagreeMAC, DisagreeReplay:
		keys.quarrel = order
	case DisagreeForget:
		if keys.session != nil {
			keys.session.inForce, keys.session.next = keyPair{}, keyPair{}
		}
	default:
		return fmt.Errorf("order %q: %w", printable(order), ErrOrder)
	}
	h.keepKeys(fmt.Sprintf("%-8s", terminal))
	h.post()
	return nil
}

// network answers a message of network management: sign-on, or the question for session keys. authentic says that it came
// under a MAC. The caller holds mu.
func (h *Host) network(q query, now time.Time, authentic bool) answer {
	a := answer{code: issuer.Approved, at: now, note: "network"}
	keys := h.secured[q.terminal]
	if code, _ := q.in.Get(3); h.cfg.Security != nil && h.cfg.Security.KeyCode != "" && code == h.cfg.Security.KeyCode {
		a = h.exchange(q, a)
	}
	if keys == nil {
		return a
	}
	if keys.disagree(DisagreeMAC) {
		a.fault = faultMAC
	}
	if !authentic {
		return a
	}
	a.seen = keys.word()
	if done, ok := q.private(h.cfg.Security.Field, "OA"); ok && keys.order != "" && strings.HasPrefix(done, letters(keys.order)) {
		a.note, keys.order, keys.done = "order is being carried out: "+keys.order, "", keys.order
	}
	challenge, _ := q.private(h.cfg.Security.Field, "CH")
	if _, err := hex.DecodeString(challenge); err != nil || len(challenge) != 16 {
		return a
	}
	repeated, earlier := challenge, keys.challenge
	keys.challenge = challenge
	if keys.order == "" {
		return a
	}
	if keys.disagree(DisagreeReplay) {
		repeated = earlier
	}
	if repeated != "" {
		text := letters(keys.order) + repeated
		a.seen += fmt.Sprintf("OR%02d%s", len(text), text)
		a.note = "order: " + keys.order
	}
	return a
}

// Held is how a terminal's keys stand at the host.
type Held struct {
	Terminal string `json:"terminal"`
	Scheme   string `json:"scheme"`        // DUKPT or session
	PIN      string `json:"pin,omitempty"` // check values of the session keys in force
	MAC      string `json:"mac,omitempty"`
	Made     int    `json:"made,omitempty"`  // exchanges answered
	Waiting  bool   `json:"waiting"`         // the last exchange was not confirmed yet
	Order    string `json:"order,omitempty"` // that the terminal has not carried out yet
	Done     string `json:"done,omitempty"`  // the last order that it did
}

// Held lists the terminals that have keys, in the order of the configuration.
func (h *Host) Held() []Held {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []Held
	for _, t := range h.cfg.Terminals {
		keys := h.secured[fmt.Sprintf("%-8s", t.ID)]
		if keys == nil {
			continue
		}
		line := Held{Terminal: t.ID, Scheme: "DUKPT", Order: keys.order, Done: keys.done}
		if s := keys.session; s != nil {
			line.Scheme, line.Made, line.Waiting = "session", s.made, s.next.mac != nil
			line.PIN, _ = s.check(s.inForce.pin)
			line.MAC, _ = s.check(s.inForce.mac)
		}
		out = append(out, line)
	}
	return out
}
