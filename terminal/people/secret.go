package people

import (
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"log/slog"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

// Secret is what somebody types to log in. It prints as nothing, under every verb.
type Secret struct{ clear []byte }

// NewSecret takes the bytes over; Clear wipes them.
func NewSecret(b []byte) Secret { return Secret{b} }

// Clear wipes the bytes.
func (s Secret) Clear() { clear(s.clear) }

const masked = "(secret)"

// String masks.
func (Secret) String() string { return masked }

// GoString masks.
func (Secret) GoString() string { return masked }

// Format masks under every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(masked)) }

// LogValue masks.
func (Secret) LogValue() slog.Value { return slog.StringValue(masked) }

// MarshalText masks: a secret is never encoded.
func (Secret) MarshalText() ([]byte, error) { return []byte(masked), nil }

const maxSecret = 128 // bytes: what is hashed is bounded before it is

// shortest is the least number of characters by role. A cashier's terminal shows one card at a time, for which PCI DSS 8.3
// leaves the length free; everybody else has the twelve of 8.3.6.
func shortest(r Role) int {
	if r == Cashier {
		return 6
	}
	return 12
}

// CheckSecret refuses a secret that is too short, too plain or the name itself. Error: ErrSecret with what to do.
func CheckSecret(r Role, name string, s Secret) error {
	text := string(s.clear)
	characters := utf8.RuneCountInString(text)
	switch {
	case !utf8.ValidString(text):
		return fmt.Errorf("%w: it is not text", ErrSecret)
	case len(text) > maxSecret:
		return fmt.Errorf("%w: more than %d bytes", ErrSecret, maxSecret)
	case strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c == 0x7F }):
		return fmt.Errorf("%w: control characters", ErrSecret)
	case characters < shortest(r):
		return fmt.Errorf("%w: the role %s takes at least %d characters", ErrSecret, r, shortest(r))
	case r != Cashier && (!strings.ContainsAny(text, "0123456789") || !strings.ContainsFunc(text, letter)):
		return fmt.Errorf("%w: the role %s takes letters and digits", ErrSecret, r)
	case strings.Contains(strings.ToLower(text), name):
		return fmt.Errorf("%w: it contains the name", ErrSecret)
	case plain(text):
		return fmt.Errorf("%w: it repeats or counts: choose one that nobody tries first", ErrSecret)
	}
	return nil
}

func letter(c rune) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80 }

// plain says that a text has fewer than four different characters, or that more than half of its steps are to the same,
// the next or the previous character: 111111, 123456, abcdef123456.
func plain(text string) bool {
	different := map[rune]bool{}
	steps, last := 0, rune(-2)
	for _, c := range text {
		different[c] = true
		if d := c - last; d >= -1 && d <= 1 {
			steps++
		}
		last = c
	}
	return len(different) < 4 || 2*steps > utf8.RuneCountInString(text)
}

// Params are Argon2id's costs.
type Params struct {
	Time      uint32 // passes
	MemoryKiB uint32
	Threads   uint8
}

// Cost is what new secrets are hashed with: RFC 9106's second choice (64 MiB, three passes) on one thread, since a till
// sells meanwhile.
func Cost() Params { return Params{Time: 3, MemoryKiB: 64 << 10, Threads: 1} }

// LeastCost is the least that a stored hash may have been made with; with less it is refused.
func LeastCost() Params { return Params{Time: 1, MemoryKiB: 8 << 10, Threads: 1} }

// Bounds of stored parameters: a forged hash must neither be cheap nor take the machine.
const (
	mostTime    = 10
	mostMemory  = 256 << 10
	mostThreads = 8
	saltBytes   = 16 // of new ones
	leastSalt   = 8  // RFC 9106, 3.1
	mostSalt    = 32
	sumBytes    = 32
	maxHash     = 160
)

func (p Params) allowed() bool {
	least := LeastCost()
	return p.Time >= least.Time && p.Time <= mostTime && p.MemoryKiB >= least.MemoryKiB && p.MemoryKiB <= mostMemory &&
		p.Threads >= least.Threads && p.Threads <= mostThreads
}

// Hash is a secret as it is kept: Argon2id with its parameters, in the form of its reference implementation,
// $argon2id$v=19$m=65536,t=3,p=1$SALT$SUM in unpadded base64. It prints masked.
type Hash string

// String masks.
func (Hash) String() string { return masked }

// GoString masks.
func (Hash) GoString() string { return masked }

// Format masks under every verb.
func (Hash) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(masked)) }

// LogValue masks.
func (Hash) LogValue() slog.Value { return slog.StringValue(masked) }

// MarshalText masks: Person.Record alone writes a hash.
func (Hash) MarshalText() ([]byte, error) { return []byte(masked), nil }

// NewHash hashes a secret under a fresh salt of 16 bytes, which the caller draws from the system's source.
func NewHash(s Secret, salt [saltBytes]byte, p Params) (Hash, error) {
	if !p.allowed() || len(s.clear) == 0 || len(s.clear) > maxSecret {
		return "", ErrHash
	}
	return hashed{p, salt[:], sum(s, salt[:], p)}.encode(), nil
}

func sum(s Secret, salt []byte, p Params) (out [sumBytes]byte) {
	copy(out[:], argon2.IDKey(s.clear, salt, p.Time, p.MemoryKiB, p.Threads, sumBytes))
	return out
}

// Matches says whether a secret is the one that was hashed. It takes as long when it is not. Error: ErrHash.
func (h Hash) Matches(s Secret) (bool, error) {
	stored, err := h.parse()
	if err != nil {
		return false, err
	}
	if len(s.clear) > maxSecret {
		return false, nil
	}
	got := sum(s, stored.salt, stored.params)
	return subtle.ConstantTimeCompare(got[:], stored.sum[:]) == 1, nil
}

type hashed struct {
	params Params
	salt   []byte
	sum    [sumBytes]byte
}

func (h hashed) encode() Hash {
	b := base64.RawStdEncoding.EncodeToString
	return Hash(fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.params.MemoryKiB, h.params.Time, h.params.Threads, b(h.salt), b(h.sum[:])))
}

// parse accepts exactly what encode writes.
func (h Hash) parse() (out hashed, err error) {
	parts := strings.Split(string(h), "$")
	if len(h) > maxHash || len(parts) != 6 {
		return out, ErrHash
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &out.params.MemoryKiB, &out.params.Time, &out.params.Threads); err != nil {
		return out, ErrHash
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil || len(salt) < leastSalt || len(salt) > mostSalt {
		return out, ErrHash
	}
	got, err := base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil || len(got) != sumBytes {
		return out, ErrHash
	}
	out.salt = salt
	copy(out.sum[:], got)
	if !out.params.allowed() || string(out.encode()) != string(h) {
		return out, ErrHash
	}
	return out, nil
}
