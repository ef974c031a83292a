package secure

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Use is what a key may do, and nothing else: each use of a set has a key, and under DUKPT a counter, of its own.
type Use uint8

// The uses. Master is the key under which an acquirer sends session keys (TMK); it does nothing else. Swipe is an enciphering
// stripe reader's initial key, Pad the one that PIN pad and module know each other by: neither is an acquirer's.
const (
	UsePIN    Use = 1
	UseMAC    Use = 2
	UseData   Use = 3
	UseMaster Use = 4
	UseSwipe  Use = 9
	UsePad    Use = 10
)

func (u Use) String() string {
	switch u {
	case UsePIN:
		return "PIN"
	case UseMAC:
		return "MAC"
	case UseData:
		return "data"
	case UseMaster:
		return "master"
	case UseSwipe:
		return "swipe"
	case UsePad:
		return "pad"
	case useKEK:
		return "KEK"
	case useProposedPIN, UseProposedMAC, useProposedData:
		return u.accepted().String() + ", proposed"
	}
	return "unknown"
}

// Algorithm names a key's cipher and, for AES, its length.
type Algorithm string

// The algorithms of keys.
const (
	TDES   Algorithm = "TDES"
	AES128 Algorithm = "AES-128"
	AES192 Algorithm = "AES-192"
	AES256 Algorithm = "AES-256"
)

// Lease is the right to use one key for one message: what it names stays in the module. A lease of a MAC key makes one MAC
// and verifies the answer's; it ends with Release, with the module, or when 64 younger ones were taken, and the key with
// it. A lease that has ended answers ErrLease.
type Lease struct {
	ID        uint64
	Set       string // the acquirer's name
	Use       Use
	KSN       []byte // 10 bytes (TDES) or 12 (AES) under DUKPT; nil for a session key
	Algorithm Algorithm
}

// MACMethod says how a MAC is made. The key's own usage, where its key block names one, has to agree.
type MACMethod uint8

// The methods. Padding 1 adds zeros only where the last block is not full, padding 2 always a bit and zeros. CMAC is TDES
// CMAC (8 bytes) or AES CMAC (16), by the key.
const (
	MACAlg1Pad1 MACMethod = iota + 1 // ISO 9797-1 algorithm 1: CBC-MAC, 8 bytes
	MACAlg1Pad2
	MACAlg3Pad1 // ISO 9797-1 algorithm 3: retail MAC (X9.19), 8 bytes
	MACAlg3Pad2
	CMAC // ISO 9797-1 algorithm 5
)

// Macs makes and verifies message authentication codes.
type Macs interface {
	// NextKey takes the next key of a set for one message. Under DUKPT its counter is on disk before NextKey returns, and
	// never comes again. UseProposedMAC gives a lease of the MAC key that a key exchange proposed, for its confirmation.
	// Errors: ErrNoKey, ErrExhausted.
	NextKey(ctx context.Context, set string, use Use) (Lease, error)

	// MAC makes the MAC of an outgoing message, whole: 8 or 16 bytes, of which the dialect sends what it sends. Once a
	// lease. Under DUKPT this is the key for requests. Errors: ErrLease, ErrUsage.
	MAC(ctx context.Context, l Lease, m MACMethod, data []byte) ([]byte, error)

	// VerifyMAC compares, in constant time, the first len(mac) bytes, 4 at least, with the MAC of an incoming message.
	// Under DUKPT this is the key for responses of the lease that the request's MAC came from. nil is the only yes.
	// Errors: ErrMAC, ErrLease (also after 256 wrong ones), ErrUsage.
	VerifyMAC(ctx context.Context, l Lease, m MACMethod, data, mac []byte) error

	// Release ends a lease early. An unknown one is no error.
	Release(ctx context.Context, l Lease) error

	// HostSaw takes the highest KSN that the host has seen, where it says so (at sign-on, under its MAC): no lease of the
	// set for that use gets that counter or one below it any more. Errors: ErrNoKey, ErrExhausted, and ErrUsage for a KSN
	// of another key.
	HostSaw(ctx context.Context, set string, use Use, ksn []byte) error
}

// Data enciphers parts of a message.
type Data interface {
	// Encipher is CBC from zeros, under DUKPT with the key for requests, over whole blocks: 8 bytes (TDES) or 16 (AES). Once
	// a lease. Errors: ErrLease, ErrUsage, ErrRequest.
	Encipher(ctx context.Context, l Lease, data []byte) ([]byte, error)
}

// PAN is an account number on its way into a PIN block. It masks itself.
type PAN string

func (p PAN) String() string {
	if len(p) < 4 {
		return "****"
	}
	return "****" + string(p[len(p)-4:])
}

// GoString masks in %#v.
func (p PAN) GoString() string { return p.String() }

// Format masks under every verb.
func (p PAN) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(p.String())) }

// LogValue masks in logs.
func (p PAN) LogValue() slog.Value { return slog.StringValue(p.String()) }

// MarshalText masks in JSON and TOML.
func (p PAN) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// PINFormat is an ISO 9564-1 PIN block format. The zero value lets the key decide: 0 for TDES, 4 for AES. Format 1 never
// goes to a host, format 2 only to a card: there are no names for them.
type PINFormat uint8

// The formats for a host.
const (
	FormatByKey PINFormat = iota
	Format0               // TDES, PAN
	Format3               // TDES, PAN, random fill
	Format4               // AES, PAN, random
)

func (f PINFormat) String() string {
	switch f {
	case FormatByKey:
		return "by key"
	case Format0:
		return "0"
	case Format3:
		return "3"
	case Format4:
		return "4"
	}
	return "unknown"
}

// PINRequest asks for one PIN.
type PINRequest struct {
	Set      string
	PAN      PAN           // 8 to 19 digits
	Amount   string        // as the customer shall read it, like "KWD 10.525"; at most 32 bytes
	Language string        // of the customer, two letters (ISO 639-1); empty or unknown to the pad: English
	Retry    bool          // the PIN before was wrong
	Tries    int           // tries left, where the issuer said; below 0: not known
	Min      int           // digits, 4 to 12; 0: 4
	Max      int           // digits, Min to 12; 0: 12
	Bypass   bool          // an empty PIN and Enter, or the bypass key, is allowed
	Format   PINFormat     // of an online PIN
	Timeout  time.Duration // of the whole entry, more than 0 and at most 5 minutes
	Card     *CardPIN      // set: the PIN is for the card, not the host

	// Progress, where set, is told how many digits are entered; never which. It must not block.
	Progress func(digits int)
}

// CardPIN is what encipherment of a PIN for the card needs (Book 2, 7.1 and 7.2): the card's PIN encipherment key,
// recovered and checked by offline data authentication, and a fresh challenge from the card.
type CardPIN struct {
	Modulus, Exponent []byte
	Challenge         [8]byte // GET CHALLENGE
}

// PINStatus is how an entry ended.
type PINStatus uint8

// The ends of an entry.
const (
	PINEntered PINStatus = iota + 1
	PINBypassed
	PINCancelled
	PINTimedOut
)

func (s PINStatus) String() string {
	switch s {
	case PINEntered:
		return "entered"
	case PINBypassed:
		return "bypassed"
	case PINCancelled:
		return "cancelled"
	case PINTimedOut:
		return "timed out"
	}
	return "unknown"
}

// PINResult is an entry's end; the rest is set only with PINEntered.
type PINResult struct {
	Status PINStatus
	Lease  Lease     // of the PIN key: its KSN goes with the block. It is used up. Not for a card's PIN.
	Block  []byte    // enciphered: 8 bytes (TDES), 16 (AES), or the data of VERIFY 00 20 00 88 for a card's PIN
	Format PINFormat // of an online PIN
}

// PINPad collects a PIN and hands out only its encipherment. A module with a keypad is one; a PIN pad that enciphers
// itself, with a key and a counter of its own, is another; the caller cannot tell which, and never sees a digit. A
// plaintext VERIFY is sent by a pad that holds the card, or not at all: nothing here gives a clear PIN back.
type PINPad interface {
	// EnterPIN shows the prompt and waits for the PIN, for the customer's cancel or bypass, or for the time to end. One
	// entry at a time. The context's end takes the prompt away. Errors: ErrNoPad, ErrBusy, ErrNoKey, ErrExhausted, ErrPAN.
	EnterPIN(ctx context.Context, r PINRequest) (PINResult, error)
}

// Tokens makes tokens of card numbers: the same for the same card on the same terminal, and worth nothing without the
// module's own key (HMAC-SHA-256). 32 bytes. The key is made with the module and goes with DestroyAll.
type Tokens interface {
	Token(ctx context.Context, pan PAN) ([]byte, error)
}

// CheckValue identifies a key without showing it: for TDES the first 3 bytes of a zero block's encipherment, for AES the
// first 5 of its CMAC of zeros (X9.24-1, X9.24-3). Upper-case hexadecimal.
type CheckValue string

// Component is one share of the key-encrypting key of a set, as its holder enters it. It masks itself; Value is cleared by
// the module.
type Component struct {
	Set       string
	Of        int // two or three shares
	Number    int // 1 to Of
	Holder    string
	Algorithm Algorithm
	Value     []byte // 16 or 24 bytes (TDES), 16, 24 or 32 (AES)
}

func (c Component) String() string {
	return fmt.Sprintf("component %d of %d for %s by %s", c.Number, c.Of, c.Set, c.Holder)
}

// GoString masks in %#v.
func (c Component) GoString() string { return c.String() }

// Format masks under every verb.
func (c Component) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(c.String())) }

// MarshalText masks in JSON and TOML.
func (c Component) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// LogValue masks in logs.
func (c Component) LogValue() slog.Value { return slog.StringValue(c.String()) }

// Loaded says how far the loading of components is. Check is that of the share just entered; KEK that of the result,
// once Have equals Of.
type Loaded struct {
	Have, Of int
	Check    CheckValue
	KEK      CheckValue
}

// KeyStatus is one key of a set. Left counts DUKPT's keys to come, at least, and is 0 for others.
type KeyStatus struct {
	Set       string
	Use       string // PIN, MAC, data, master, KEK; "MAC, proposed" and the like until an exchange is confirmed
	Scheme    string // DUKPT, session, components
	Algorithm Algorithm
	Check     CheckValue
	KSN       []byte // of the next key; DUKPT only
	Left      uint64
}

// Status is the module's word on itself.
type Status struct {
	Where      string // "own process" or "within the calling process"
	Memory     string // where the keys lie: "memfd_secret", "locked memory", or a warning
	Storage    string // how they lie on disk, and what that protects against
	Warnings   []string
	Production bool
	OnScreen   string    // socket of the on-screen PIN; empty when off
	Pad        *PadState // nil: no pad that enciphers by itself
	Pending    []string
	Keys       []KeyStatus
}

// Keys loads, lists and destroys the keys of acquirers.
type Keys interface {
	// Import takes a key in a key block (X9.143, TR-31; ISO 20038) under the set's KEK or, for session keys, its master
	// key. What the block's header allows and use must agree: P0 for PIN; M1, M3, M6 for MAC; D0 for data; B1, with the
	// initial KSN in an optional block, for DUKPT; K0, K1 for the master key. Errors: ErrNoKEK, ErrKeyBlock, ErrUsage,
	// ErrTestKey, ErrSameKey.
	Import(ctx context.Context, set string, use Use, block string) (CheckValue, error)

	// Try is Import without an end: what it would answer, and nothing is kept. So several can be looked at before the first is
	// taken.
	Try(ctx context.Context, set string, use Use, block string) (CheckValue, error)

	// ImportSession takes a session key as older dialects send it: enciphered in ECB under the master key, with its check
	// value, and without a word on its use. Refused with ErrWeak unless the module was started with the set's name among
	// those that may. The check value must be there and agree: else ErrKeyBlock.
	ImportSession(ctx context.Context, set string, use Use, cryptogram []byte, check CheckValue) (CheckValue, error)

	// Keys lists what is there.
	Status(ctx context.Context) (Status, error)

	// Destroy erases a set's keys for good, KEK included.
	Destroy(ctx context.Context, set string) error

	// DestroyAll erases every key of the module; it is unusable afterwards, also from a copy of its files: ErrDestroyed.
	// While the terminal owes the host something it answers ErrOwing.
	DestroyAll(ctx context.Context) error
}

// Components loads a key-encrypting key by people, two or three, under dual control.
type Components interface {
	// LoadComponent takes one share. All must come from different holders within 15 minutes, else nothing is kept.
	// Errors: ErrComponent, ErrDualControl, ErrTestKey.
	LoadComponent(ctx context.Context, c Component) (Loaded, error)

	// Abort forgets the shares entered so far.
	Abort(ctx context.Context, set string) error
}

// Terminal is everything that posd may ask: it is served on the module's first socket, and File does it in process.
type Terminal interface {
	Module
	Macs
	Data
	PINPad
	Swipes
	Tokens
	Keys
	SessionKeys
	Tickets

	// Refill derives keys ahead for every DUKPT key of which few are left, so that no sale waits for the disk. The owner of
	// idle time calls it; with nothing to do it costs nothing.
	Refill(ctx context.Context) error

	// Owes tells the module how many messages the host is still owed, so that DestroyAll can refuse; until it is told,
	// it does.
	Owes(ctx context.Context, n int) error
}

// What the module refuses. Callers test with errors.Is, in process and across the socket alike. See also ErrNoKey.
var (
	ErrExhausted   = errors.New("key counter exhausted: new keys have to be loaded")
	ErrLease       = errors.New("no such lease: used, released or ended with the module")
	ErrMAC         = errors.New("MAC does not verify")
	ErrUsage       = errors.New("key is not for this use")
	ErrPAN         = errors.New("not a card number that a PIN block can hold")
	ErrRequest     = errors.New("request out of bounds")
	ErrNoPad       = errors.New("no PIN pad: on-screen PIN is off and none is connected")
	ErrBusy        = errors.New("another PIN entry is under way")
	ErrNoKEK       = errors.New("no key to open this key block with: load the components first")
	ErrKeyBlock    = errors.New("key block malformed, or not made under this key")
	ErrWeak        = errors.New("less than a key block: the configuration does not allow it for this acquirer")
	ErrTestKey     = errors.New("published or worthless key: refused in production")
	ErrSameKey     = errors.New("key is loaded for another use already")
	ErrComponent   = errors.New("component malformed, or does not belong to those before")
	ErrDualControl = errors.New("each component needs a holder of its own")
	ErrOwing       = errors.New("the host is still owed messages: send the queue first")
	ErrDestroyed   = errors.New("this module's keys were destroyed")
	ErrDenied      = errors.New("not on this socket")
	ErrTicket      = errors.New("loading keys takes somebody who is logged in with a role for it, anew every five minutes: pos login NAME")
	ErrReplayed    = errors.New("swipe was taken before: swipe the card again")
	ErrProtocol    = errors.New("secure module's protocol broken")
	ErrGone        = errors.New("secure module has ended")
)
