package people

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// ECRPrefix stands before an electronic cash register's name wherever people's names stand: in a sale's By, in the audit log, in
// the inside form of an idempotency key. No person's name has a colon.
const ECRPrefix = "ecr:"

// Bounds of ECRs.
const (
	MaxECRs          = 64
	maxECRName       = 24
	MaxNexoVersions  = 999
	MaxNexoKeys      = 4                   // of one ECR in force at a time
	MaxOverlap       = 30 * 24 * time.Hour // how long a token may go on beside the one that replaces it
	shortestPhrase   = 16
	longestPhrase    = 128
	maxECRRecord     = 8 << 10
	maxSealed        = 512
	ECRRecordVersion = 1
)

// What is refused about ECRs. Callers test with errors.Is.
var (
	ErrNoECR       = errors.New("there is no cash register of that name")
	ErrECRToken    = errors.New("the token is of no cash register")
	ErrECRName     = errors.New("not a cash register's name: 2 to 24 of a-z, 0-9, dot, dash and underscore, a letter first, at most 6 digits in a row")
	ErrECRRecord   = errors.New("stored record of a cash register cannot be read")
	ErrTooManyECRs = errors.New("too many cash registers: 64 is the most there can be")
	ErrRevoked     = errors.New("the cash register's access was revoked")
	ErrOverlap     = errors.New("a replaced token may go on for at most 30 days")
	ErrNoNexoKey   = errors.New("there is no nexo key of that version")
	ErrRetired     = errors.New("the nexo key of that version was retired")
	ErrNexoKeys    = errors.New("too many nexo keys: retire one that no cash register uses any more")
	ErrPassphrase  = errors.New("passphrase refused: 16 to 128 printable ASCII characters, no blank at either end")
	ErrGrant       = errors.New("not a right that a cash register can have")
)

// ECR is an electronic cash register: a program that asks for payments over the network, under a name of its own, with rights of
// its own. It is no person: it has no role and no session, and does what was named when it was added.
type ECR struct {
	V        int
	Name     string // without ECRPrefix
	May      []Action
	Token    TokenSum  // of the token in force
	Old      TokenSum  // of the one that it replaced; zero: none
	OldUntil time.Time // Old is taken until then
	Revoked  bool      // for good: its name stays taken
	Added    time.Time
	Changed  time.Time
	Keys     []NexoKey // passphrases, ascending by version
	Seq      int64     // the audit row that wrote this record; the store's
}

// NexoKey is one version of an ECR's passphrase for enciphered nexo messages.
type NexoKey struct {
	Version int       `json:"version"`          // from 1, never used again
	Sealed  []byte    `json:"sealed,omitempty"` // by the secure module, for this ECR and version; none once retired
	Added   time.Time `json:"added"`
	Retired time.Time `json:"retired,omitzero"`
}

// TokenSum is what is kept of a token: its SHA-256. The token is 32 random bytes, so that its sum gives nothing away.
type TokenSum [sha256.Size]byte

// Sum is what is kept of a token.
func (t Token) Sum() TokenSum { return sha256.Sum256(t.b[:]) }

// Is says whether two sums are the same, in a time that tells nothing. The zero sum is no token's.
func (s TokenSum) Is(other TokenSum) bool {
	return subtle.ConstantTimeCompare(s[:], other[:]) == 1 && s != TokenSum{}
}

type grant struct {
	action Action
	usual  bool
}

// grants are the rights that an ECR can have. What is not here none ever has: people, keys, the audit log, writing off, closing a batch
// by hand, the drawer.
func grants() []grant {
	return []grant{
		{Status, true},
		{Sell, true},
		{Refund, true},
		{Void, true},
		{Preauth, true},
		{Increment, true},
		{Completion, true},
		{Balance, true},
		{Cancel, true},
		{Agree, true},
		{Receipt, true},
		{Journal, true},
		{Report, true},
		{Print, true},
		{RefundFree, false},
		{Forced, false},
		{Settle, false},
		{Training, false},
		{Queue, false},
		{Send, false},
	}
}

// DefaultGrants are an ECR's rights where none were named.
func DefaultGrants() []Action {
	var all []Action
	for _, g := range grants() {
		if g.usual {
			all = append(all, g.action)
		}
	}
	return all
}

// CheckGrants refuses rights that no ECR can have, none at all, and one that is there twice. Error: ErrGrant.
func CheckGrants(may []Action) error {
	if len(may) == 0 {
		return fmt.Errorf("%w: none is named", ErrGrant)
	}
	var known []Action
	for _, g := range grants() {
		known = append(known, g.action)
	}
	for i, a := range may {
		switch {
		case !slices.Contains(known, a):
			return fmt.Errorf("%w: %.32q: it can have %s", ErrGrant, a, words(known))
		case slices.Contains(may[:i], a):
			return fmt.Errorf("%w: %s is there twice", ErrGrant, a)
		}
	}
	return nil
}

// CheckECRName refuses what is no ECR's name. Error: ErrECRName.
func CheckECRName(name string) error {
	if CheckName(name) != nil || len(name) > maxECRName {
		return ErrECRName
	}
	return nil
}

// Actor is the ECR as audit log and journal name it.
func (e ECR) Actor() string { return ECRPrefix + e.Name }

// String leaves tokens and keys out.
func (e ECR) String() string { return e.Actor() }

// Can says whether the ECR may do a. One that was revoked may nothing.
func (e ECR) Can(a Action) bool { return !e.Revoked && slices.Contains(e.May, a) }

// Takes says whether a token's sum is this ECR's at an instant. It compares both in a time that tells nothing.
func (e ECR) Takes(sum TokenSum, now time.Time) bool {
	current, old := e.Token.Is(sum), e.Old.Is(sum)
	return !e.Revoked && (current || old && now.Before(e.OldUntil))
}

// Rotate is the ECR with a new token; the one before goes on for overlap. An older one that still went on ends. Errors: ErrRevoked,
// ErrOverlap.
func (e ECR) Rotate(sum TokenSum, overlap time.Duration, at time.Time) (ECR, error) {
	if e.Revoked {
		return e, ErrRevoked
	}
	if overlap < 0 || overlap > MaxOverlap {
		return e, ErrOverlap
	}
	e.Old, e.OldUntil = TokenSum{}, time.Time{}
	if overlap > 0 {
		e.Old, e.OldUntil = e.Token, at.Add(overlap)
	}
	e.Token, e.Changed = sum, at
	return e, nil
}

// Revoke is the ECR without access: no token, no key. It stays so.
func (e ECR) Revoke(at time.Time) ECR {
	e.Token, e.Old, e.OldUntil, e.Revoked, e.Changed = TokenSum{}, TokenSum{}, time.Time{}, true, at
	e.Keys = slices.Clone(e.Keys)
	for i := range e.Keys {
		if e.Keys[i].Retired.IsZero() {
			e.Keys[i].Retired, e.Keys[i].Sealed = at, nil
		}
	}
	return e
}

// NextNexoVersion is the version that the next passphrase gets. Error: ErrRevoked, ErrNexoKeys.
func (e ECR) NextNexoVersion() (int, error) {
	next, live := 1, 0
	for _, k := range e.Keys {
		next = k.Version + 1
		if k.Retired.IsZero() {
			live++
		}
	}
	switch {
	case e.Revoked:
		return 0, ErrRevoked
	case live >= MaxNexoKeys || next > MaxNexoVersions:
		return 0, ErrNexoKeys
	}
	return next, nil
}

// maxRetired bounds how many retired versions a record lists; older ones are left out, and their numbers are below all others.
const maxRetired = 8

// WithNexoKey is the ECR with another passphrase, sealed for its next version.
func (e ECR) WithNexoKey(sealed []byte, at time.Time) (ECR, error) {
	next, err := e.NextNexoVersion()
	if err != nil {
		return e, err
	}
	e.Keys = append(slices.Clone(e.Keys), NexoKey{Version: next, Sealed: sealed, Added: at})
	retired := 0
	for _, k := range e.Keys {
		if !k.Retired.IsZero() {
			retired++
		}
	}
	e.Keys = slices.DeleteFunc(e.Keys, func(k NexoKey) bool {
		if k.Retired.IsZero() || retired <= maxRetired {
			return false
		}
		retired--
		return true
	})
	e.Changed = at
	return e, nil
}

// Retire is the ECR without one version's passphrase. Errors: ErrNoNexoKey, ErrRetired.
func (e ECR) Retire(version int, at time.Time) (ECR, error) {
	i, err := e.nexoKey(version)
	if err != nil {
		return e, err
	}
	e.Keys = slices.Clone(e.Keys)
	e.Keys[i].Sealed, e.Keys[i].Retired, e.Changed = nil, at, at
	return e, nil
}

// Sealed is the sealed passphrase of a version. Errors: ErrRevoked, ErrNoNexoKey, ErrRetired.
func (e ECR) Sealed(version int) ([]byte, error) {
	if e.Revoked {
		return nil, ErrRevoked
	}
	i, err := e.nexoKey(version)
	if err != nil {
		return nil, err
	}
	return e.Keys[i].Sealed, nil
}

func (e ECR) nexoKey(version int) (int, error) {
	i := slices.IndexFunc(e.Keys, func(k NexoKey) bool { return k.Version == version })
	switch {
	case i < 0:
		return 0, ErrNoNexoKey
	case !e.Keys[i].Retired.IsZero():
		return 0, ErrRetired
	}
	return i, nil
}

// ecrRecord is an ECR as the store keeps it.
type ecrRecord struct {
	V        int       `json:"v"`
	Name     string    `json:"name"`
	May      []Action  `json:"may"`
	Token    string    `json:"token,omitempty"`
	Old      string    `json:"old,omitempty"`
	OldUntil time.Time `json:"old_until,omitzero"`
	Revoked  bool      `json:"revoked,omitempty"`
	Added    time.Time `json:"added"`
	Changed  time.Time `json:"changed"`
	Keys     []NexoKey `json:"keys,omitempty"`
}

// Record is the ECR for the store and for nothing else.
func (e ECR) Record() ([]byte, error) {
	return json.Marshal(ecrRecord{e.V, e.Name, e.May, sumText(e.Token), sumText(e.Old), e.OldUntil, e.Revoked, e.Added, e.Changed, e.Keys})
}

// ParseECR reads what Record wrote. Errors: those of Check.
func ParseECR(text []byte) (ECR, error) {
	var r ecrRecord
	if len(text) > maxECRRecord || json.Unmarshal(text, &r) != nil {
		return ECR{}, ErrECRRecord
	}
	e := ECR{V: r.V, Name: r.Name, May: r.May, OldUntil: r.OldUntil, Revoked: r.Revoked, Added: r.Added, Changed: r.Changed, Keys: r.Keys}
	var ok, okOld bool
	e.Token, ok = parseSum(r.Token)
	e.Old, okOld = parseSum(r.Old)
	if !ok || !okOld {
		return ECR{}, ErrECRRecord
	}
	return e, e.Check()
}

func sumText(s TokenSum) string {
	if s == (TokenSum{}) {
		return ""
	}
	return hex.EncodeToString(s[:])
}

func parseSum(text string) (s TokenSum, ok bool) {
	if text == "" {
		return s, true
	}
	if len(text) != hex.EncodedLen(len(s)) {
		return s, false
	}
	_, err := hex.Decode(s[:], []byte(text))
	return s, err == nil
}

// Check says whether a stored record is one that this package made. Errors: ErrECRName, ErrGrant, ErrECRRecord.
func (e ECR) Check() error {
	if err := CheckECRName(e.Name); err != nil {
		return err
	}
	if err := CheckGrants(e.May); err != nil {
		return err
	}
	bad := e.V < 1 || e.V > ECRRecordVersion || e.Revoked != (e.Token == TokenSum{}) || (e.Old == TokenSum{}) != e.OldUntil.IsZero()
	last := 0
	for _, k := range e.Keys {
		bad = bad || k.Version <= last || k.Version > MaxNexoVersions || len(k.Sealed) > maxSealed || k.Retired.IsZero() != (len(k.Sealed) > 0)
		last = k.Version
	}
	if bad || len(e.Keys) > MaxNexoKeys+maxRetired+1 {
		return fmt.Errorf("record of %s: %w", e.Actor(), ErrECRRecord)
	}
	return nil
}

// Passphrase is what nexo keys are derived from. It prints as nothing, under every verb.
type Passphrase struct{ Secret }

// NewPassphrase takes the bytes over. Error: ErrPassphrase.
func NewPassphrase(text []byte) (Passphrase, error) {
	trimmed := strings.TrimSpace(string(text))
	odd := slices.ContainsFunc(text, func(c byte) bool { return c < ' ' || c > '~' })
	if odd || len(trimmed) != len(text) || len(text) < shortestPhrase || len(text) > longestPhrase {
		return Passphrase{}, ErrPassphrase
	}
	return Passphrase{Secret{text}}, nil
}

// Bytes are the passphrase's own, for sealing it and for deriving keys from it.
func (p Passphrase) Bytes() []byte { return p.clear }

// ScopedKey is an idempotency key as the journal keeps it, so that no caller can answer for another's: an ECR's stands behind its
// name, a person's as it is.
func ScopedKey(actor, key string) string {
	if key == "" || !strings.HasPrefix(actor, ECRPrefix) {
		return key
	}
	return actor + ":" + key
}

// ShownKey is ScopedKey's inverse for whoever looks: an ECR sees its own keys and nobody else's; a person sees all, without their scope.
func ShownKey(actor, kept string) string {
	rest, scoped := strings.CutPrefix(kept, ECRPrefix)
	_, key, whole := strings.Cut(rest, ":")
	switch {
	case strings.HasPrefix(actor, ECRPrefix):
		own, is := strings.CutPrefix(kept, actor+":")
		if !is {
			return ""
		}
		return own
	case scoped && whole:
		return key
	}
	return kept
}
