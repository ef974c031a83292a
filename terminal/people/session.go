package people

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"time"
)

// Token is what a session is known by: 32 bytes from the system's random source. It prints masked.
type Token struct{ b [32]byte }

// NewToken makes a token of random bytes.
func NewToken(random [32]byte) Token { return Token{random} }

// ParseToken reads what Clear wrote.
func ParseToken(s string) (t Token, ok bool) {
	if len(s) != 2*len(t.b) {
		return t, false
	}
	n, err := hex.Decode(t.b[:], []byte(s))
	return t, err == nil && n == len(t.b)
}

// Clear is the token for its owner's file, and for nothing else.
func (t Token) Clear() string { return hex.EncodeToString(t.b[:]) }

// String masks.
func (Token) String() string { return "(token)" }

// GoString masks.
func (Token) GoString() string { return "(token)" }

// Format masks under every verb.
func (t Token) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(t.String())) }

// LogValue masks.
func (t Token) LogValue() slog.Value { return slog.StringValue(t.String()) }

// MarshalText masks: Clear is the one way out.
func (t Token) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// Session is somebody who has logged in.
type Session struct {
	Name  string
	Role  Role
	Began time.Time
	Used  time.Time
}

// MaxSessions bounds how many there are; the one that was not used longest makes room.
const MaxSessions = 64

// Sessions is who is logged in. It lives in memory only: a restart logs everybody out. Not safe for concurrent use; times
// must carry Go's monotonic reading, so that a clock set back lengthens nothing.
type Sessions struct {
	idle, longest time.Duration
	open          map[[32]byte]Session // by the token's hash, so that no memory scan finds a token
}

// NewSessions makes an empty list with the policy's times.
func NewSessions(p Policy) *Sessions {
	return &Sessions{p.Idle, p.Longest, map[[32]byte]Session{}}
}

// Begin opens a session.
func (s *Sessions) Begin(t Token, name string, role Role, at time.Time) {
	s.expire(at)
	if len(s.open) >= MaxSessions {
		var oldest [32]byte
		for k, v := range s.open {
			if o, ok := s.open[oldest]; !ok || v.Used.Before(o.Used) {
				oldest = k
			}
		}
		delete(s.open, oldest)
	}
	s.open[sha256.Sum256(t.b[:])] = Session{name, role, at, at}
}

// Use finds the session of a token and notes that it was used.
func (s *Sessions) Use(t Token, at time.Time) (Session, bool) {
	s.expire(at)
	key := sha256.Sum256(t.b[:])
	found, ok := s.open[key]
	if !ok {
		return Session{}, false
	}
	found.Used = at
	s.open[key] = found
	return found, true
}

// Look finds the session of a token, and leaves its idle time as it is.
func (s *Sessions) Look(t Token, at time.Time) (Session, bool) {
	s.expire(at)
	found, ok := s.open[sha256.Sum256(t.b[:])]
	return found, ok
}

func (s *Sessions) expire(at time.Time) {
	for k, v := range s.open {
		if at.Sub(v.Used) >= s.idle || at.Sub(v.Began) >= s.longest {
			delete(s.open, k)
		}
	}
}

// End closes a token's session.
func (s *Sessions) End(t Token) { delete(s.open, sha256.Sum256(t.b[:])) }

// EndOf closes every session of a person: locked, or with another role or secret.
func (s *Sessions) EndOf(name string) {
	for k, v := range s.open {
		if v.Name == name {
			delete(s.open, k)
		}
	}
}
